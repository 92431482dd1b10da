"""TIFF files as scanners, GIS programs and tifffile write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL

RGB, DEPTH, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "semantic"))
IDS = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30) % 4
NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)


def noted(path: Path, task: Any) -> tuple[Any, list[str]]:
    """The image, whose header must tell the same unless indexes are read, and the notes."""
    lines: list[str] = []
    image, alpha = read_with_alpha(path, "x", task, lines.append)
    if not any("indexes" in line for line in lines):
        channels = (image.shape[2] if image.ndim == 3 else 1) + (alpha is not None)
        assert shape_of(path)[:3] == (*image.shape[:2], channels)
    return image, lines


@pytest.mark.parametrize("scale", [1, 256, 257, 100])
def test_palettes_are_colours_and_their_indexes_labels(scale: int, tmp_path: Path) -> None:
    palette = np.random.default_rng(1).integers(128, 256, (256, 3)).astype(np.uint16)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, IDS, photometric="palette", colormap=(palette * scale).T)
    colors, lines = noted(path, RGB)
    expected = palette * scale if scale == 100 else palette.astype(np.uint8)  # Pillow writes those times 256
    assert colors.dtype == expected.dtype and np.array_equal(colors, expected[IDS]) and not lines
    labels, lines = noted(path, SEMANTIC)
    assert np.array_equal(labels, IDS) and lines == [
        "x: the indexes of its palette are kept, not the colours"
    ]


@pytest.mark.parametrize("height", [3, 4, 5, 20])
@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>:DeprecationWarning")
def test_axes_of_length_one_are_no_sides_of_the_image(height: int, tmp_path: Path) -> None:
    path, image = tmp_path / "x.tif", IDS[:height].astype(np.uint16) * 999
    for stored in (image[..., None], image[None], image[None, ..., None], image):
        tifffile.imwrite(path, stored)
        back, lines = noted(path, DEPTH)
        assert back.dtype == np.uint16 and np.array_equal(back, image) and not lines


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_arrays_that_are_stored_row_by_row_are_images(channels: int, dtype: str, tmp_path: Path) -> None:
    image = np.random.default_rng(2).integers(0, 256, (20, 23, channels)).astype(dtype)
    tifffile.imwrite(tmp_path / "flow.tif", image, photometric="minisblack")  # 20 pages of 23 rows
    back, alpha = read_with_alpha(tmp_path / "flow.tif", "flow", note=print)
    assert shape_of(tmp_path / "flow.tif") == (20, 23, channels, dtype)
    back = back if alpha is None else np.dstack([back, alpha])
    assert back.dtype == dtype and np.array_equal(back, image)


def test_inks_are_converted_to_colours(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, NOISE, photometric="separated")
    ours, lines = noted(path, RGB)
    theirs = np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)
    assert np.abs(ours - theirs).max() <= 1 and lines == ["x: its CMYK colours are converted to RGB"]
    tifffile.imwrite(path, NOISE.astype(np.uint16) * 257, photometric="separated")
    assert np.abs(noted(path, RGB)[0] // 257 - theirs).max() <= 1


@pytest.mark.parametrize(
    "options", [{"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 3}]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_tiles_strips_and_byte_orders_are_read_exactly(
    options: dict[str, Any], dtype: str, compression: str | None, tmp_path: Path
) -> None:
    image = NOISE[..., 0].astype(dtype) * 100
    tifffile.imwrite(tmp_path / "x.tif", image, compression=compression, **options)
    back, lines = noted(tmp_path / "x.tif", DEPTH)
    assert back.dtype == image.dtype and np.array_equal(back, image) and not lines


def test_white_that_is_zero_is_turned_in_colours_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, IDS, photometric="miniswhite")
    assert np.array_equal(noted(path, SEMANTIC)[0], IDS) and np.array_equal(noted(path, DEPTH)[0], IDS)
    image, lines = noted(path, RGB)
    assert np.array_equal(image, 255 - IDS) and lines == ["x: its values are inverted, as 0 is white in it"]


def test_one_bit_is_black_or_white_in_colours(tmp_path: Path) -> None:
    PIL.Image.fromarray(IDS > 1).save(tmp_path / "x.tif")
    assert np.array_equal(noted(tmp_path / "x.tif", RGB)[0], (IDS > 1) * 255)
    assert np.array_equal(noted(tmp_path / "x.tif", SEMANTIC)[0], IDS > 1)


OME = """<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="30" SizeY="20" SizeC="1"
SizeZ="1" SizeT="{}"><TiffData IFD="0" FirstT="{}"><UUID
FileName="../secret.ome.tif">urn:uuid:{}</UUID></TiffData>
</Pixels></Image></OME>"""


@pytest.mark.parametrize("place", [(1, 0), (2, 1)])
def test_values_in_other_files_are_not_read(place: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    secret, path = tmp_path / "secret.ome.tif", tmp_path / "in" / "depth.tif"
    tifffile.imwrite(secret, IDS + 100, ome=True)
    with tifffile.TiffFile(secret) as file:
        uuid = str(file.ome_metadata).partition("urn:uuid:")[2][:36]
    tifffile.imwrite(path, IDS, description=OME.format(*place, uuid), metadata=None)
    image, lines = noted(path, DEPTH)
    assert np.array_equal(image, IDS)
    assert lines == [
        "x: its OME description is not followed: images in other files that it names are left out"
    ]


def test_colours_that_are_not_known_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", NOISE[..., :3], photometric="cielab")
    with pytest.raises(SceneError, match="its colours are CIELAB; known are"):
        noted(tmp_path / "x.tif", RGB)
