"""Files of several frames: the first is read, and a warning says so, whatever the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from mtcodec.files.formats import pillow
from mtcodec.files.formats.base import Meaning
from mtcodec.files.images import read_with_alpha
from mtcodec.messages import Loss
from mtcodec.tasks import USUAL

FRAMES = [np.random.default_rng(k).integers(0, 256, (20, 30, 3), np.uint8) for k in range(3)]


def write(path: Path, frames: list[Any], **options: Any) -> None:
    first, *others = map(PIL.Image.fromarray, frames)
    if path.suffix == ".jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(np.stack(frames), lossless=True))
    elif path.suffix == ".jpg":
        first.save(path, "MPO", save_all=True, append_images=others)
    elif others:
        first.save(path, save_all=True, append_images=others, duration=100, **options)
    else:
        first.save(path, **options)


@pytest.mark.parametrize("task", [USUAL["rgb"], None])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.png", {}),
        ("x.gif", {}),
        ("x.webp", {"lossless": True}),
        ("x.avif", {}),
        ("x.jxl", {}),
        ("x.jpg", {}),
    ],
)
def test_only_the_first_frame_is_read_with_a_warning(
    task: Any, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path / name, FRAMES, **options)
    lines: list[str] = []
    image, _ = read_with_alpha(tmp_path / name, "x", task, lines.append)
    assert image.shape[:2] == (20, 30)
    if name in ("x.png", "x.webp", "x.jxl"):
        assert np.array_equal(image, FRAMES[0])
    losses = [line for line in lines if isinstance(line, Loss) and "frames" in line]
    count = "" if name == "x.jxl" else "3 "
    assert losses == [f"x: only the first of its {count}frames is read"]


def test_a_still_picture_beside_an_animation_is_told(tmp_path: Path) -> None:
    write(tmp_path / "x.png", FRAMES, default_image=True)
    lines: list[str] = []
    image, _ = read_with_alpha(tmp_path / "x.png", "x", USUAL["rgb"], lines.append)
    assert np.array_equal(image, FRAMES[0])
    assert lines == ["x: only its still picture is read, and none of its 2 frames"]


@pytest.mark.parametrize("name", ["x.png", "x.gif", "x.webp", "x.avif", "x.jpg"])
def test_one_frame_is_told_nothing_of(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, FRAMES[:1])
    lines: list[str] = []
    read_with_alpha(tmp_path / name, "x", USUAL["rgb"], lines.append)
    assert not lines


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "P"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("options", [{"lossless": True, "exact": True}, {"quality": 80}])
def test_imageio_reads_webp_as_pillow_does(
    options: dict[str, Any], count: int, mode: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(9).integers(0, 256, (20, 30, 4), np.uint8)
    first, *others = [PIL.Image.fromarray(np.roll(noise, k, 0)).convert(mode) for k in range(count)]
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(tmp_path / "x.webp", **more, **options)
    image = pillow.WEBP.read(tmp_path / "x.webp", Meaning.COLORS, print)
    with PIL.Image.open(tmp_path / "x.webp") as file:
        assert np.array_equal(image, np.asarray(file))
