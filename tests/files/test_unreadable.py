"""Images that are damaged, cut off or too large: one line of ours, and no word of a library."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import OpenEXR
import PIL.Image
import pytest
import tifffile

from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha
from mtcodec.tasks import USUAL

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
DAMAGED = "it is damaged, cut off, or of another format than its name says"
OURS = (DAMAGED, "it is empty", "cut off", "not as many numbers as it declares", "its header is damaged")


def write(path: Path) -> None:
    if path.suffix == ".tif":
        tifffile.imwrite(path, NOISE[..., :3], compression="zlib" if path.stem == "zip" else None)
    elif path.suffix == ".npy":
        np.save(path, NOISE)
    elif path.suffix == ".exr":
        compression = getattr(OpenEXR, f"{path.stem.upper()}_COMPRESSION")
        header = {"compression": compression, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, {"RGB": NOISE[..., :3].astype(np.float32)}) as file:
            file.write(str(path))
    else:
        PIL.Image.fromarray(NOISE[..., :3]).save(path)


NAMES = ("x.png", "x.jpg", "x.tif", "zip.tif", "x.npy", "no.exr", "zip.exr", "piz.exr", "x.ppm", "x.webp",
         "x.bmp", "x.gif")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [0, 3, 0.02, 0.5, 0.97])
def test_what_is_cut_off_is_told_in_our_words(
    name: str, keep: float, tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(
        logging.getLogger(), "handlers", []
    )  # pytest's, which stop the handler of last resort
    path = tmp_path / name
    write(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if keep < 1 else int(keep)])
    with pytest.raises(SceneError) as caught:
        read_with_alpha(path, "x", USUAL["rgb"])
    assert str(caught.value).startswith(f"{path}: cannot read it: ")
    assert str(caught.value).endswith(OURS)
    assert capfd.readouterr() == ("", "")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def interlaced_png(image: Any) -> bytes:
    """A PNG of (H, W, 4) in the seven passes of Adam7."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = [row for x, y, dx, dy in passes for row in image[y::dy, x::dx] if row.size]
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, 6, 0, 0, 1)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_interlaced_pngs_and_damaged_profiles_are_read_in_silence(
    tmp_path: Path, capfd: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    image, path = NOISE[:13, :11], tmp_path / "x.png"
    plain = bytes(imagecodecs.png_encode(image))
    at = plain.index(b"IDAT") - 4
    for data in (interlaced_png(image), plain[:at] + chunk(b"iCCP", b"x\0\0junk") + plain[at:]):
        path.write_bytes(data)
        colors, alpha = read_with_alpha(path, "x", USUAL["rgb"])
        assert np.array_equal(colors, image[..., :3]) and np.array_equal(alpha, image[..., 3])
        assert capfd.readouterr() == ("", "")


# --- one limit -----------------------------------------------------------------------------------

WIDTH, HEIGHT = 1 << 15, 1 << 13  # the limit, beyond Pillow's


def patched(path: Path, at: int, form: str, *sides: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, at, *sides)
    path.write_bytes(data)


def set_jpeg_size(path: Path, width: int, height: int) -> None:
    patched(path, path.read_bytes().index(b"\xff\xc0") + 5, ">HH", height, width)


def set_tiff_size(path: Path, width: int, height: int) -> None:
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(width)
        file.pages[0].tags["ImageLength"].overwrite(height)
        file.pages[0].tags["ImageDescription"].overwrite("")


SET_SIZE: dict[str, Callable[[Path, int, int], None]] = {
    "x.png": lambda path, *size: patched(path, 16, ">II", *size),
    "x.jpg": set_jpeg_size,
    "x.bmp": lambda path, *size: patched(path, 18, "<ii", *size),
    "x.gif": lambda path, *size: patched(path, 6, "<HH", *size),
    "x.tif": set_tiff_size,
    "x.ppm": lambda path, *size: path.write_bytes(b"P6 %d %d 255\n" % size + path.read_bytes()) and None,
}  # fmt: skip


@pytest.mark.parametrize("name", SET_SIZE)
def test_all_formats_have_one_limit_which_is_ours(name: str, tmp_path: Path, capfd: Any) -> None:
    assert WIDTH * HEIGHT == MAX_PIXELS
    path = tmp_path / name
    write(path)
    SET_SIZE[name](path, WIDTH, HEIGHT)
    if name not in ("x.png", "x.ppm", "x.tif"):  # what Pillow would refuse is only damaged
        assert shape_of(path)[:2] == (HEIGHT, WIDTH)
    SET_SIZE[name](path, WIDTH, HEIGHT + 1)
    reason = "32768×8193 pixels are more than the 268,435,456 that an image may have"
    with pytest.raises(SceneError) as caught:
        read_with_alpha(path, "x", USUAL["rgb"])
    assert str(caught.value) == f"{path}: cannot read it: {reason}"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
@pytest.mark.parametrize("writer", ["tifffile", "Pillow"])
def test_a_tiff_file_cut_off_anywhere_is_never_read(
    writer: str, compression: str | None, tmp_path: Path
) -> None:
    path, image = tmp_path / "x.tif", NOISE[..., :3]
    if writer == "tifffile":
        tifffile.imwrite(path, image, compression=compression, rowsperstrip=16, photometric="rgb")
    else:  # which puts tags last
        names = {None: None, "lzw": "tiff_lzw", "zlib": "tiff_deflate", "jpeg": "jpeg"}
        PIL.Image.fromarray(image).save(path, compression=names[compression])
    data = path.read_bytes()
    for missing in (1, 2, 8, 9, 30, 60, 200, len(data) // 2):
        path.write_bytes(data[:-missing])
        with pytest.raises(SceneError, match=r"cannot read it: .*(cut off|not as many)"):
            read_with_alpha(path, "x", USUAL["rgb"])


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_tiff_pages_without_all_their_pixels_are_refused(tile: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, NOISE[..., 0], tile=tile, rowsperstrip=None if tile else 16, compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(6400)
        file.pages[0].tags["ImageDescription"].overwrite("")
    with pytest.raises(SceneError, match="pixels are missing: it is damaged or cut off"):
        read_with_alpha(path, "x")
