"""Headers of image files tell what reading them gives."""

from __future__ import annotations

from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import OpenEXR
import pytest
import tifffile
from PIL import Image

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of


def test_headers_tell_size_channels_and_dtype(tmp_path: Path) -> None:
    rgb, depth = np.zeros((4, 6, 3), np.uint8), np.ones((4, 6), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb))
    (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(depth))
    (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(np.zeros((4, 6, 4), np.uint16)))
    np.save(tmp_path / "d.npy", np.zeros((4, 6, 3), np.float32))
    np.save(tmp_path / "e.npy", depth)
    tifffile.imwrite(tmp_path / "f.tif", rgb)
    tifffile.imwrite(tmp_path / "g.tiff", depth)
    Image.fromarray(rgb).save(tmp_path / "h.jpg")
    Image.fromarray(rgb[..., 0]).save(tmp_path / "i.jpeg")
    with h5py.File(tmp_path / "k.hdf5", "w") as file:
        file["dataset"] = np.zeros((4, 6, 3), ">f2")
    OpenEXR.File({}, {"RGB": rgb.astype(np.float16)}).write(str(tmp_path / "j.exr"))
    expected = {
        "a.png": (3, "uint8"), "b.png": (1, "uint16"), "c.png": (4, "uint16"), "d.npy": (3, "float32"),
        "e.npy": (1, "uint16"), "f.tif": (3, "uint8"), "g.tiff": (1, "uint16"), "h.jpg": (3, "uint8"),
        "i.jpeg": (1, "uint8"), "j.exr": (3, "float16"), "k.hdf5": (3, "float16"),
    }  # fmt: skip
    for name, channels_and_dtype in expected.items():
        assert shape_of(tmp_path / name) == (4, 6, *channels_and_dtype), name


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.jpg", "a.tif", "a.exr", "a.h5", "missing.png"])
def test_what_is_no_image_is_an_error(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"not an image" * 9)
    with pytest.raises(SceneError, match="cannot read its header"):
        shape_of(tmp_path / name)
