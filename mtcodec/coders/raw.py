"""Any dtype, bit for bit: differences to the left, their bytes by significance, zstd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import zstd
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import FormatError
from mtcodec.signals.mapping import Array, ValueRange
from mtcodec.signals.signal import PixelFormat, Signal

ZSTD_LEVEL = 19


def _unsigned(dtype: str) -> np.dtype[Any]:
    """Unsigned integers of as many bytes, little-endian."""
    return np.dtype(f"<u{np.dtype(dtype).itemsize}")


def encode(signal: Signal) -> Candidate:
    """The original image, its holes among it."""
    image = signal.original
    words = np.ascontiguousarray(image).view(_unsigned(image.dtype.name))
    differences = np.diff(words, axis=1, prepend=words.dtype.type(0))
    byte_planes = np.ascontiguousarray(differences).reshape(-1, 1).view(np.uint8).T
    payload = zstd.encode_frame(byte_planes.tobytes(), ZSTD_LEVEL)
    pixel_format = PixelFormat(image.dtype.name, signal.task.channels, ValueRange(0.0, 0.0))
    return Candidate("raw", pixel_format, payload, lambda: image)


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a raw section.

    Raises:
        FormatError: damaged.
    """
    shape = (height, width) if pixel_format.channels == 1 else (height, width, pixel_format.channels)
    word_dtype = _unsigned(pixel_format.dtype)
    size = math.prod(shape) * word_dtype.itemsize
    byte_planes = np.frombuffer(zstd.decode_frame(payload, size, "raw"), np.uint8)
    differences = (
        np.ascontiguousarray(byte_planes.reshape(word_dtype.itemsize, -1).T).view(word_dtype).reshape(shape)
    )
    image: npt.NDArray[Any] = np.cumsum(differences, axis=1, dtype=word_dtype)
    if pixel_format.dtype == "bool" and image.max() > 1:
        raise FormatError("raw: neither true nor false")
    return image.view(np.dtype(pixel_format.dtype).newbyteorder("<")).astype(pixel_format.dtype)
