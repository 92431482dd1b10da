"""EXR files whose pixels lie inside, around or beside the window that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.messages import Loss
from mtcodec.tasks import USUAL

DISPLAY = ((0, 0), (9, 7))  # left and top, right and bottom, both of which belong to it
VALUES = np.arange(1, 25).reshape(4, 6)
Window = tuple[tuple[int, int], tuple[int, int]]


def write(path: Path, channels: dict[str, Any], left: int, top: int, display: Window = DISPLAY) -> Path:
    height, width = next(iter(channels.values())).shape[:2]
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "displayWindow": display,
        "dataWindow": ((left, top), (left + width - 1, top + height - 1)),
    }  # fmt: skip
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    return path


def expected(left: int, top: int, hole: float, dtype: str) -> Any:
    image = np.full((8, 10), hole).astype(dtype)
    for (y, x), value in np.ndenumerate(VALUES):
        if 0 <= y + top < 8 and 0 <= x + left < 10:
            image[y + top, x + left] = value
    return image


def read(path: Path, task: str) -> tuple[Any, Any, list[str]]:
    lines: list[str] = []
    image, alpha = read_with_alpha(path, "x", USUAL[task], lines.append)
    assert shape_of(path)[:2] == image.shape[:2]
    return image, alpha, lines


PLACES = [(2, 1, 0), (-3, -2, 24 - 6), (7, 6, 24 - 6), (50, 50, 24), (-6, 0, 24), (0, 0, 0), (4, 4, 0)]


@pytest.mark.parametrize(("left", "top", "outside"), PLACES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint32"])
def test_pixels_come_to_their_place(left: int, top: int, outside: int, dtype: str, tmp_path: Path) -> None:
    path = write(tmp_path / "depth.exr", {"Z": VALUES.astype(dtype)}, left, top)
    image, _, lines = read(path, "depth")
    hole = np.nan if dtype.startswith("f") else 0
    assert image.dtype == dtype
    assert np.array_equal(image, expected(left, top, hole, dtype), equal_nan=dtype.startswith("f"))
    losses = [line for line in lines if isinstance(line, Loss)]
    assert losses == [
        f"x: {outside} of its 24 pixels lie outside its display window and are left out"
    ] * bool(outside)
    assert [line for line in lines if line not in losses] == [
        f"x: its pixels fill only a part of its display window: the others are {hole:g}"
        .replace("nan", "NaN, which is a hole")
    ]  # fmt: skip


def test_windows_that_are_one_are_told_nothing_of(tmp_path: Path) -> None:
    for display in (((0, 0), (5, 3)), ((7, -9), (12, -6))):
        path = write(tmp_path / "depth.exr", {"Z": VALUES.astype("f4")}, *display[0], display)
        image, _, lines = read(path, "depth")
        assert np.array_equal(image, VALUES) and not lines


def test_what_lies_around_a_whole_display_window_is_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "depth.exr", {"Z": VALUES.astype("f4")}, -1, -1, ((0, 0), (3, 1)))
    image, _, lines = read(path, "depth")
    assert np.array_equal(image, VALUES[1:3, 1:5])
    assert lines == ["x: 16 of its 24 pixels lie outside its display window and are left out"]


def test_around_colours_all_is_black_and_transparent(tmp_path: Path) -> None:
    plane = VALUES.astype("f4")
    path = write(tmp_path / "albedo.exr", dict.fromkeys("RGBA", plane), 2, 1)
    image, alpha, _ = read(path, "albedo")
    assert np.array_equal(image, np.stack([expected(2, 1, 0, "f4")] * 3, -1))
    assert np.array_equal(alpha, expected(2, 1, 0, "f4"))


def test_layers_and_parts_have_the_size_of_the_display_window(tmp_path: Path) -> None:
    plane = VALUES.astype("f4")
    path = write(tmp_path / "1.exr", {**{f"Combined.{c}": plane for c in "RGB"}, "Depth.Z": plane}, 2, 1)
    (scene,) = find_scenes(path)
    images = read_scene(scene)
    assert np.array_equal(images["depth"], expected(2, 1, np.nan, "f4"), equal_nan=True)
    assert np.array_equal(images["color_hdr"][..., 0], expected(2, 1, 0, "f4"))
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "displayWindow": DISPLAY}
    parts = [
        OpenEXR.Part({**header, "dataWindow": ((x, x), (x + 5, x + 3))}, {"Z": plane}, name)
        for name, x in (("depth", 1), ("mist", 3))
    ]
    with OpenEXR.File(parts) as file:
        file.write(str(path))
    lines: list[str] = []
    images = read_scene(find_scenes(path)[0], note=lines.append)
    assert np.array_equal(images["depth"], expected(1, 1, np.nan, "f4"), equal_nan=True)
    assert np.array_equal(images["mist"], expected(3, 3, np.nan, "f4"), equal_nan=True)
    assert len(lines) == 2


def test_no_display_window_above_the_limit_is_made(tmp_path: Path) -> None:
    path = write(tmp_path / "depth.exr", {"Z": VALUES.astype("f4")}, 0, 0, ((0, 0), (1 << 20, 1 << 20)))
    for reads in (lambda: read_with_alpha(path, "x"), lambda: shape_of(path)):
        with pytest.raises(SceneError, match="1048577×1048577 pixels are more than the 268,435,456"):
            reads()
