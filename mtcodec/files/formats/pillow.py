"""JPEG, WebP, BMP and GIF files: what Pillow reads exactly, all of 8 bits.

WebP goes through imageio. Measured (imageio 2.38, Pillow 13) on every mode that Pillow writes, still and
animated, lossy and lossless, and on BMP files of all depths of bits: of WebP every pixel is equal; of BMP and
GIF imageio loses the indexes of palettes, of GIF also transparency, and of one bit it makes bool.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Shape, check_size
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

MAX_IMAGEIO_PIXELS = 1 << 26  # of larger images Pillow warns in its own words where imageio opens them
EXIF_ORIENTATION = 0x0112  # 1 is upright
CHANNELS = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # of modes that are kept; others become RGB


def _open(file: BinaryIO, format_name: str) -> Any:
    """An image of Pillow whose pixels are not read yet; what is larger than our limit is refused.

    The reader of the format is called directly: ``Image.open`` has a lower limit, and its own words for it.
    """
    from PIL import Image

    Image.init()
    read, accepts = Image.OPEN[format_name]
    start = file.read(16)
    if accepts is not None and accepts(start) is not True:
        raise UnreadableImage(f"it is no {format_name} file, or cut off")
    file.seek(0)
    image = read(file, "")
    check_size(image.height, image.width)
    return image


def _note_frames(file: Any, note: Note) -> None:
    """Tell of frames, and of the pictures that cameras put behind the first (MPO)."""
    frames = getattr(file, "n_frames", 1)
    if frames > 1:
        note(Loss(f"only the first of its {frames} frames is read"))


def _read_jpeg(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    from PIL import ImageOps

    with _open(io.BytesIO(source.read_bytes()), "JPEG") as file:
        _note_frames(file, note)
        if file.getexif().get(EXIF_ORIENTATION, 1) != 1:
            note("it is turned as its EXIF data say")
        if file.mode not in ("L", "RGB"):
            note(Loss(f"its {file.mode} colours are converted to RGB"))
        upright = ImageOps.exif_transpose(file)
        return np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))


def _read_jpeg_shape(source: ImageSource) -> Shape:
    with open_source(source) as data, _open(data, "JPEG") as file:
        is_turned = file.getexif().get(EXIF_ORIENTATION, 1) > 4  # by a quarter
        height, width = (file.width, file.height) if is_turned else (file.height, file.width)
        return Shape(height, width, 1 if file.mode == "L" else 3, "uint8")


def _read(source: ImageSource, as_numbers: bool, note: Note, format_name: str) -> Array:
    with _open(io.BytesIO(source.read_bytes()), format_name) as file:
        _note_frames(file, note)
        file.load()
        if file.mode == "1":
            return np.asarray(file).astype(np.uint8) * np.uint8(1 if as_numbers else 255)
        if file.mode == "P" and as_numbers:
            note(Loss("the indexes of its palette are kept, not the colours"))
            return np.asarray(file)
        if file.mode not in (*CHANNELS, "P"):
            note(Loss(f"its {file.mode} colours are converted to RGB"))
        return np.asarray(file if file.mode in CHANNELS else file.convert(_color_mode(file)))


def _read_webp(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    data = source.read_bytes()
    with _open(io.BytesIO(data), "WEBP") as file:
        if file.height * file.width > MAX_IMAGEIO_PIXELS:
            return _read(source, as_numbers, note, "WEBP")
        _note_frames(file, note)
    import imageio.v3

    image: Array = imageio.v3.imread(data, plugin="pillow", extension=".webp", index=0)
    return image


def _color_mode(file: Any) -> str:
    """The mode that colours of a palette have, or those of an unusual mode."""
    return "RGBA" if "transparency" in file.info else "RGB"


def _read_shape(source: ImageSource, format_name: str) -> Shape:
    with open_source(source) as data, _open(data, format_name) as file:
        mode = file.mode if file.mode in CHANNELS else _color_mode(file)
        return Shape(file.height, file.width, CHANNELS[mode], "uint8")


def _format(name: str, pillow_name: str, suffix: str, magics: tuple[bytes, ...], **more: Any) -> ImageFormat:
    return ImageFormat(
        name,
        (suffix,),
        magics,
        lambda source, as_numbers, note: _read(source, as_numbers, note, pillow_name),
        lambda source: _read_shape(source, pillow_name),
        **more,
    )


def _is_lossy_webp(source: ImageSource) -> bool:
    """Does any of its chunks hold lossy pixels?"""
    data, at = source.read_bytes(), 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"VP8 ":
            return True
        at += 24 if kind == b"ANMF" else 8 + size + size % 2  # frames hold chunks
    return False


JPEG = ImageFormat(
    "JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), _read_jpeg, _read_jpeg_shape, is_lossy=lambda source: True
)
WEBP = replace(
    _format("WebP", "WEBP", ".webp", (b"RIFF",), may_have_alpha=lambda source: True, is_lossy=_is_lossy_webp),
    read=_read_webp,
)
BMP = _format("BMP", "BMP", ".bmp", (b"BM",), may_have_alpha=lambda source: True)
GIF = _format("GIF", "GIF", ".gif", (b"GIF8",), may_have_alpha=lambda source: True)
