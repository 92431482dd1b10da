"""JPEG, WebP, BMP and GIF files: what Pillow reads exactly, all of 8 bits.

WebP goes through imageio. Measured (imageio 2.38, Pillow 13) on every mode that Pillow writes, still and
animated, lossy and lossless, and on BMP files of all depths of bits: of WebP every pixel is equal; of BMP and
GIF imageio loses the indexes of palettes, of GIF also transparency, and of one bit it makes bool.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from mtcodec.files.formats import orientation
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

CHANNELS = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # of modes that are kept; others become RGB
_LOCK = threading.RLock()  # while Pillow is told to be quiet


@contextmanager
def by_our_rules() -> Iterator[None]:
    """Within, Pillow has no limit of pixels, which is lower than ours, and its warnings are not shown.

    Both hold for the whole process, so that one thread at a time is here.
    """
    from PIL import Image

    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _open(file: BinaryIO, format_name: str) -> Iterator[Any]:
    """An image of Pillow, by our rules; its pixels are not read yet. What is larger than may be is refused.

    The reader of the format is called directly: ``Image.open`` tries others, and has words of its own.
    """
    from PIL import Image

    Image.init()
    read, accepts = Image.OPEN[format_name]
    start = file.read(16)
    if accepts is not None and accepts(start) is not True:
        raise UnreadableImage(f"it is no {format_name} file, or cut off")
    file.seek(0)
    with by_our_rules(), read(file, "") as image:
        check_size(image.height, image.width)
        yield image


def _note_frames(file: Any, note: Note) -> None:
    """Tell of frames, and of the pictures that cameras put behind the first (MPO)."""
    frames = getattr(file, "n_frames", 1)
    if frames > 1:
        note(Loss(f"only the first of its {frames} frames is read"))


def _read_jpeg(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    with _open(io.BytesIO(source.read_bytes()), "JPEG") as file:
        _note_frames(file, note)
        if file.mode not in ("L", "RGB"):
            note(Loss(f"its {file.mode} colours are converted to RGB"))
        return np.asarray(file if file.mode == "L" else file.convert("RGB"))


def _read_jpeg_shape(source: ImageSource) -> Shape:
    with open_source(source) as data, _open(data, "JPEG") as file:
        return Shape(file.height, file.width, 1 if file.mode == "L" else 3, "uint8")


def _read_orientation(source: ImageSource, format_name: str) -> int:
    with open_source(source) as data, _open(data, format_name) as file:
        return orientation.of_metadata(file.info.get("exif"), file.info.get("xmp"))


def _read(source: ImageSource, meaning: Meaning, note: Note, format_name: str) -> Array:
    with _open(io.BytesIO(source.read_bytes()), format_name) as file:
        _note_frames(file, note)
        file.load()
        if file.mode == "1":
            return np.asarray(file).astype(np.uint8) * np.uint8(255 if meaning is Meaning.COLORS else 1)
        if file.mode == "P" and meaning is Meaning.NUMBERS:
            note(Loss("the indexes of its palette are kept, not the colours"))
            return np.asarray(file)
        if file.mode not in (*CHANNELS, "P"):
            note(Loss(f"its {file.mode} colours are converted to RGB"))
        return np.asarray(file if file.mode in CHANNELS else file.convert(_color_mode(file)))


def _read_webp(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    data = source.read_bytes()
    with _open(io.BytesIO(data), "WEBP") as file:
        import imageio.v3

        _note_frames(file, note)
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
        lambda source, meaning, note: _read(source, meaning, note, pillow_name),
        lambda source: _read_shape(source, pillow_name),
        lambda source: _read_orientation(source, pillow_name),
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
    "JPEG",
    (".jpg", ".jpeg"),
    (b"\xff\xd8\xff",),
    _read_jpeg,
    _read_jpeg_shape,
    lambda source: _read_orientation(source, "JPEG"),
    is_lossy=lambda source: True,
)
WEBP = replace(
    _format("WebP", "WEBP", ".webp", (b"RIFF",), may_have_alpha=lambda source: True, is_lossy=_is_lossy_webp),
    read=_read_webp,
)
BMP = _format("BMP", "BMP", ".bmp", (b"BM",), may_have_alpha=lambda source: True)
GIF = _format("GIF", "GIF", ".gif", (b"GIF8",), may_have_alpha=lambda source: True)
