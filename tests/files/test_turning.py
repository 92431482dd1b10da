"""Marks of orientation: the images of a scene are turned all together, or not at all."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from mtcodec.bitstreams.jxl import Bits, _metadata, read_size
from mtcodec.errors import UsageError
from mtcodec.files.formats import orientation_of, shape_of
from mtcodec.files.formats.orientation import of_exif, turned
from mtcodec.files.images import write_image
from mtcodec.files.reading import Reading
from mtcodec.files.scene import Scene, read_scene, read_shapes
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.messages import Loss

SMALL = np.zeros((32, 48, 3), np.uint8)  # with a bright corner, a red and a green one
SMALL[:16, :16], SMALL[:16, -16:, 0], SMALL[-16:, :16, 1] = 255, 255, 255
UPRIGHT = {
    1: SMALL, 2: SMALL[:, ::-1], 3: SMALL[::-1, ::-1], 4: SMALL[::-1],
    5: SMALL.transpose(1, 0, 2), 6: np.rot90(SMALL, -1), 7: np.rot90(SMALL, -1)[::-1], 8: np.rot90(SMALL),
}  # fmt: skip


def exif_of(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif


def save_by_pillow(path: Path, orientation: int, **options: Any) -> None:
    PIL.Image.fromarray(SMALL).save(path, exif=exif_of(orientation), **options)


def png_with(path: Path, kind: bytes, content: bytes) -> None:
    """A PNG file with a chunk after its pixels."""
    data = bytes(imagecodecs.png_encode(SMALL))
    chunk = struct.pack(">I", len(content)) + kind + content
    end = len(data) - 12
    path.write_bytes(data[:end] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[end:])


def save_with_profile(path: Path, orientation: int) -> None:
    """As older versions of ImageMagick and ExifTool do."""
    exif = exif_of(orientation).tobytes()
    text = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    png_with(path, b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


def save_with_xmp(path: Path, orientation: int) -> None:
    xmp = f'<rdf:Description tiff:Orientation="{orientation}"/>'.encode()
    png_with(path, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)


def save_tiff(path: Path, orientation: int) -> None:
    tifffile.imwrite(path, SMALL, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])


def save_jpeg_xl(path: Path, orientation: int) -> None:
    """What imagecodecs writes, with the fields of orientation in its header (ISO/IEC 18181-1, D.3)."""
    data = bytes(imagecodecs.jpegxl_encode(SMALL, lossless=True, usecontainer=False))
    header = Bits(data[2:66])
    read_size(header)
    size_end = header.at
    _metadata(header)
    bits = [data[2 + k // 8] >> k % 8 & 1 for k in range(header.at + 1)]
    mark = [orientation - 1 >> k & 1 for k in range(3)]
    more, end = (
        [0, 1, *mark, 0, 0, 0],
        [1, 0, 0, 1],
    )  # tone mapping, extensions and transform are the usual ones
    turned_header = [*bits[:size_end], *more, *bits[size_end + 2 : -3], *end]
    rest = data[2 + -(-len(bits) // 8) :]
    path.write_bytes(data[:2] + np.packbits(turned_header, bitorder="little").tobytes() + rest)


SAVED: dict[str, Callable[[Path, int], None]] = {
    "a.jpg": lambda path, mark: save_by_pillow(path, mark, quality=98, subsampling=0),
    "a.png": save_by_pillow,
    "late.png": lambda path, mark: png_with(path, b"eXIf", exif_of(mark).tobytes().removeprefix(b"Exif\0\0")),
    "profile.png": save_with_profile,
    "xmp.png": save_with_xmp,
    "a.webp": lambda path, mark: save_by_pillow(path, mark, lossless=True),
    "a.tif": save_tiff,
    "a.avif": lambda path, mark: save_by_pillow(path, mark, quality=99, subsampling="4:4:4"),
    "a.jxl": save_jpeg_xl,
}


def scene_in(directory: Path, exif: str = "auto", tasks: list[str] | None = None) -> tuple[Scene, list[str]]:
    """The scene that lies there, whose headers must tell the same sizes, and the notes."""
    (files,) = find_scenes(directory, reading=Reading(exif))
    lines: list[str] = []
    scene = read_scene(files, tasks=tasks, note=lines.append)
    shapes = read_shapes(files, list(scene))
    assert {name: shape[:2] for name, shape in shapes.items()} == {
        name: scene[name].shape[:2] for name in shapes
    }
    return scene, lines


def near(image: Any, expected: Any) -> bool:
    return image.shape == expected.shape and bool(np.abs(image.astype(int) - expected).max() < 40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", SAVED)
def test_an_image_alone_is_turned(name: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"rgb{Path(name).suffix}"
    SAVED[name](path, orientation)
    assert orientation_of(path) == orientation and shape_of(path)[:2] == SMALL.shape[:2]
    scene, lines = scene_in(tmp_path)
    assert near(scene["rgb"], UPRIGHT[orientation])
    assert lines == ["rgb: it is turned as its mark of orientation says"] * (orientation > 1)
    assert not any(isinstance(line, Loss) for line in lines)
    assert near(scene_in(tmp_path, "keep")[0]["rgb"], SMALL) and not scene_in(tmp_path, "keep")[1]
    assert near(scene_in(tmp_path, "turn")[0]["rgb"], UPRIGHT[orientation])


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("depth_name", ["depth.png", "depth.npy"])
def test_beside_an_image_without_a_mark_none_is_turned(
    name: str, depth_name: str, orientation: int, tmp_path: Path
) -> None:
    SAVED[name](tmp_path / f"rgb{Path(name).suffix}", orientation)
    depth = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
    write_image(tmp_path / depth_name, depth)
    for tasks in (None, ["rgb"]):
        scene, lines = scene_in(tmp_path, tasks=tasks)
        assert near(scene["rgb"], SMALL)
        assert lines == [
            "rgb: it is not turned as its mark of orientation says, since depth has no such mark "
            "(--exif turn or keep decides)"
        ] and isinstance(lines[0], Loss)  # fmt: skip
    scene, lines = scene_in(tmp_path, tasks=["depth"])
    assert np.array_equal(scene["depth"], depth) and not lines


@pytest.mark.parametrize("orientation", range(2, 9))
def test_all_images_with_the_same_mark_are_turned(orientation: int, tmp_path: Path) -> None:
    SAVED["a.jpg"](tmp_path / "rgb.jpg", orientation)
    save_tiff(tmp_path / "albedo.tif", orientation)
    depth = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
    PIL.Image.fromarray(depth).save(tmp_path / "depth.png", exif=exif_of(orientation))
    scene, lines = scene_in(tmp_path)
    assert near(scene["rgb"], UPRIGHT[orientation])
    assert np.array_equal(scene["albedo"], UPRIGHT[orientation])
    assert np.array_equal(scene["depth"], turned(depth, orientation))
    assert sorted(lines) == [
        f"{name}: it is turned as its mark of orientation says" for name in ("albedo", "depth", "rgb")
    ]


def test_marks_that_differ_turn_nothing_unless_it_is_asked_for(tmp_path: Path) -> None:
    SAVED["a.jpg"](tmp_path / "rgb.jpg", 3)
    SAVED["a.png"](tmp_path / "albedo.png", 4)
    scene, lines = scene_in(tmp_path)
    assert near(scene["rgb"], SMALL) and np.array_equal(scene["albedo"], SMALL)
    assert [re.sub(r" \(.*", "", line) for line in sorted(lines)] == [
        "albedo: it is not turned as its mark of orientation says, since that of rgb says otherwise",
        "rgb: it is not turned as its mark of orientation says, since that of albedo says otherwise",
    ]
    scene, _ = scene_in(tmp_path, "turn")
    assert near(scene["rgb"], UPRIGHT[3]) and np.array_equal(scene["albedo"], UPRIGHT[4])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_where_sizes_fit_only_when_turned_it_is_turned(orientation: int, tmp_path: Path) -> None:
    """Depth that a network made of the upright picture has its size."""
    SAVED["a.jpg"](tmp_path / "rgb.jpg", orientation)
    write_image(tmp_path / "depth.npy", np.ones((48, 32), np.float32))
    scene, (line,) = scene_in(tmp_path)
    assert near(scene["rgb"], UPRIGHT[orientation]) and isinstance(line, Loss)
    assert line.startswith(
        "rgb: it is turned as its mark of orientation says, to the proportions of the scene's other"
    )


def test_alpha_is_turned_with_its_colours(tmp_path: Path) -> None:
    alpha = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48)
    PIL.Image.fromarray(np.dstack([SMALL, alpha])).save(tmp_path / "rgb.png", exif=exif_of(6))
    scene, _ = scene_in(tmp_path)
    assert np.array_equal(scene["rgb_alpha"], np.rot90(alpha, -1))
    assert list(scene_in(tmp_path, tasks=["rgb_alpha"])[0]) == ["rgb_alpha"]


@pytest.mark.parametrize(
    "exif", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12", b"x" * 99]
)
def test_damaged_exif_is_no_mark(exif: bytes, tmp_path: Path) -> None:
    assert of_exif(exif) == 1
    png_with(tmp_path / "rgb.png", b"eXIf", exif)
    scene, lines = scene_in(tmp_path)
    assert np.array_equal(scene["rgb"], SMALL) and not lines


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_unknown_orientations_are_no_mark(value: int, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.tif"):
        SAVED[name](tmp_path / f"rgb{Path(name).suffix}", value)
        assert near(scene_in(tmp_path)[0]["rgb"], SMALL)
        (tmp_path / f"rgb{Path(name).suffix}").unlink()


def test_another_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="exif must be auto, turn or keep, not 'no'"):
        Reading("no")
