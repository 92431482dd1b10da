"""Words of libraries never reach users, and their limits are not ours."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from shared.commands import start

from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL

PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""Of interlaced PNG files: first row and column, and steps between them (PNG specification, 8.2)."""
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
RANDOM = np.random.default_rng(0)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(image: npt.NDArray[Any], interlaced: bool, extra: bytes = b"") -> bytes:
    """A PNG file of (H, W, C) samples of 8 or 16 bits, not filtered; ``extra`` stands before its pixels."""
    bits, (height, width, channels) = 8 * image.dtype.itemsize, image.shape
    rows = b"".join(
        b"\0" + row.astype(f">u{image.dtype.itemsize}").tobytes()
        for top, left, down, right in (PASSES if interlaced else [(0, 0, 1, 1)])
        for row in image[top::down, left::right]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, bits, COLOUR_TYPES[channels], 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (13, 9)])
@pytest.mark.parametrize("channels", COLOUR_TYPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_files_are_read_exactly(
    size: tuple[int, int], channels: int, dtype: str, interlaced: bool, tmp_path: Path
) -> None:
    top = np.iinfo(dtype).max
    image = RANDOM.integers(0, top, (*size, channels), dtype)  # never opaque
    image[0, 0] = top // 2
    (tmp_path / "x.png").write_bytes(png(image, interlaced))
    back, alpha = read_with_alpha(tmp_path / "x.png", "x")
    whole = np.atleast_3d(back) if alpha is None else np.dstack([back, alpha])
    assert whole.dtype == image.dtype and np.array_equal(whole, image)


def jpeg_of_two(damaged: bool) -> bytes:
    """A JPEG file of two pictures, as phones write them, whose list of pictures may be damaged."""
    file = io.BytesIO()
    picture = PIL.Image.fromarray(np.full((16, 24, 3), 99, np.uint8))
    picture.save(file, "MPO", save_all=True, append_images=[picture])
    data = file.getvalue()
    at = data.index(b"MPF\0") + 12
    return data[:at] + b"\xff\xff" * damaged + data[at + 2 * damaged :]


def jpeg_with_cut_exif() -> bytes:
    file = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x011A] = 1, 300.0
    PIL.Image.new("RGB", (24, 16)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    at = data.index(b"Exif\0\0") + 6
    return data[: at + 8] + b"\xff" + data[at + 9 :]


TALKATIVE = {
    "list.jpg": jpeg_of_two(damaged=True),
    "exif.jpg": jpeg_with_cut_exif(),
    "profile.png": png(
        RANDOM.integers(0, 99, (16, 24, 4), np.uint8), True,
        chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(bytes(200))) + chunk(b"cHRM", b"\xff" * 32),
    ),
    "deep.png": png(RANDOM.integers(0, 9999, (16, 24, 4), np.uint16), True, chunk(b"gAMA", bytes(4))),
    "cut.png": png(RANDOM.integers(0, 99, (16, 24, 3), np.uint8), False)[:-40],
    "cut.jpg": jpeg_of_two(damaged=False)[:500],
    "cut.webp": b"RIFF\x40\0\0\0WEBPVP8 " + bytes(20),
    "cut.tif": b"II*\0\x08\0\0\0\x09\0" + bytes(9),
    "cut.gif": b"GIF89a\x18\0\x10\0\xf0\0\0" + bytes(20),
    "cut.exr": b"\x76\x2f\x31\x01\x02\0\0\0channels\0",
}  # fmt: skip


def test_nothing_but_our_lines_is_printed(tmp_path: Path) -> None:
    for name, data in TALKATIVE.items():
        directory = tmp_path / "in" / name.replace(".", "_")
        directory.mkdir(parents=True)
        (directory / f"rgb{Path(name).suffix}").write_bytes(data)
    arguments = [tmp_path / "in", "-o", f"{tmp_path / 'out'}/", "--skip-errors", "--coding", "classical"]
    lines = start("encode", *arguments).stderr.decode().splitlines()
    assert lines and [line for line in lines if not line.startswith("mtcodec: ")] == []
    encoded = {path.stem for path in (tmp_path / "out").glob("*.mtc")}
    assert encoded == {"list_jpg", "exif_jpg", "profile_png", "deep_png"}


def test_images_within_our_limit_are_read_whatever_pillow_thinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (PIL.Image.fromarray(np.full((16, 24), value, np.uint8)) for value in (7, 9))
    (tmp_path / "two.jpg").write_bytes(jpeg_of_two(damaged=False))
    first.save(tmp_path / "two.gif", save_all=True, append_images=[second])
    first.convert("RGB").save(tmp_path / "a.webp")
    first.convert("P").save(tmp_path / "a.png")
    for limit in (300, 100):  # it warns of more, and refuses twice as many
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        for name in ("two.jpg", "two.gif", "a.webp", "a.png"):
            for task in (USUAL["rgb"], None):
                assert read_with_alpha(tmp_path / name, "x", task)[0].shape[:2] == (16, 24)
        assert limit == PIL.Image.MAX_IMAGE_PIXELS
