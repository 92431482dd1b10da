"""What is read like a file: its bytes on disk, and what its header tells."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import imagecodecs
import numpy as np
import OpenEXR
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.scene import bytes_on_disk
from mtcodec.files.sources import MissingSource, is_present, open_source, size_of
from mtcodec.files.trees.layouts import find_scenes

DEPTH = np.arange(24, dtype=np.uint16).reshape(4, 6)


def encoded() -> dict[str, bytes]:
    """The same image in files of all formats that one can tell by their first bytes."""
    buffer = io.BytesIO()
    np.save(buffer, DEPTH)
    png, tiff, jpeg = (imagecodecs.png_encode, imagecodecs.tiff_encode, imagecodecs.jpeg_encode)
    rgb = np.zeros((4, 6, 3), np.uint8)
    return {"depth.png": bytes(png(DEPTH)), "rgb.jpg": bytes(jpeg(rgb)), "ids.npy": buffer.getvalue(),
            "normal.tif": bytes(tiff(rgb))}  # fmt: skip


SHAPES = {"depth": (1, "uint16"), "rgb": (3, "uint8"), "ids": (1, "uint16"), "normal": (3, "uint8")}


def test_members_of_tar_files_have_their_own_sizes_and_headers(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for name, data in encoded().items():
            info = tarfile.TarInfo(f"0/{name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    (scene,) = find_scenes(tmp_path / "x.tar")
    files = {name.split(".")[0]: image for name, image in encoded().items()}
    sizes = {task: size_of(source) for task, source in scene.files.items()}
    assert sizes == {task: len(image) for task, image in files.items()}
    shapes = {task: shape_of(source) for task, source in scene.files.items()}
    assert shapes == {task: (4, 6, *rest) for task, rest in SHAPES.items()}
    assert bytes_on_disk(scene) == sum(sizes.values()) and bytes_on_disk(scene, ["rgb"]) == sizes["rgb"]
    with open_source(scene.files["depth"]) as file:
        assert file.read() == files["depth"]


def test_cells_have_the_sizes_of_their_images_and_may_be_empty(tmp_path: Path) -> None:
    png = encoded()["depth.png"]
    table = pa.table({"depth": pa.array([png, None]), "mask": pa.array([png, png])})
    pq.write_table(table, tmp_path / "x.parquet")
    full, empty = find_scenes(tmp_path / "x.parquet")
    assert size_of(full.files["depth"]) == len(png) and shape_of(full.files["depth"]) == (4, 6, 1, "uint16")
    assert (bytes_on_disk(full), bytes_on_disk(empty)) == (2 * len(png), len(png))
    assert is_present(full.files["depth"]) and not is_present(empty.files["depth"])
    for ask in (size_of, shape_of):
        with pytest.raises(MissingSource):
            ask(empty.files["depth"])


def test_layers_share_the_bytes_of_their_file_by_channels(tmp_path: Path) -> None:
    channels = {f"V.Combined.{c}": DEPTH.astype(np.float16) for c in "RGB"}
    path = tmp_path / "1.exr"
    OpenEXR.File({}, {**channels, "V.Depth.Z": DEPTH.astype(np.float32)}).write(str(path))
    (scene,) = find_scenes(path)
    colours, depth = scene.files["color_hdr"], scene.files["depth"]
    assert size_of(colours) == pytest.approx(3 * size_of(depth), abs=3)
    assert bytes_on_disk(scene) == pytest.approx(path.stat().st_size, abs=1)
    assert (shape_of(colours), shape_of(depth)) == ((4, 6, 3, "float16"), (4, 6, 1, "float32"))


def test_what_is_gone_counts_no_bytes_but_is_an_error_to_read(tmp_path: Path) -> None:
    (tmp_path / "depth.png").write_bytes(encoded()["depth.png"])
    (scene,) = find_scenes(tmp_path)
    (tmp_path / "depth.png").unlink()
    assert bytes_on_disk(scene) == 0 and is_present(scene.files["depth"])
    with pytest.raises(SceneError, match="cannot read its header"):
        shape_of(scene.files["depth"])
