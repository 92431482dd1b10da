"""Lossless coding of class-id images: a contour stream, or JPEG XL or zstd where that is
smaller or contours would decode slowly; and bitmaps, which decode quickly.

``docs/format.md`` ("Labels payload") has the layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtcodec.bitstreams import jxl
from mtcodec.bitstreams.binary_coder import FIRST_BYTE_LIMIT
from mtcodec.bitstreams.contours import count_boundaries, decode_contours, encode_contours
from mtcodec.bitstreams.group4 import decode_bitmap, encode_bitmap
from mtcodec.bitstreams.zstd import decode_frame, encode_frame
from mtcodec.errors import FormatError

SAMPLES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2")}
ZSTD, JXL, GROUP4 = 0xFF, 0xFE, 0xFD  # first byte of a payload that is no contour stream
ZSTD_LEVEL = 15
CONTOURS_ONLY_BYTES = 512
PIXELS_PER_CONTOUR_BYTE = 128
"""Contour streams of so few bytes, or of so many pixels a byte, have no rivals: of 28 images none was smaller
in another form."""
RUNS_PER_BYTE = 8
"""Rows and runs of a contour stream that are worth a byte: they take a decoder as many microseconds."""


def encode_labels(image: NDArray[Any]) -> bytes:
    """Payload of a class-id image: uint8 or uint16, shape (H, W), at least one pixel; else ``ValueError``."""
    if image.ndim != 2 or image.size == 0 or image.dtype.name not in SAMPLES:
        raise ValueError(f"labels must be a uint8 or uint16 image, not {image.dtype} {image.shape}")
    raw = image.astype(SAMPLES[image.dtype.name]).tobytes()
    payload = encode_contours(image)
    small = min(max(CONTOURS_ONLY_BYTES, image.size // PIXELS_PER_CONTOUR_BYTE), len(raw))
    if payload is None or len(payload) > small:
        as_zstd = bytes([ZSTD]) + encode_frame(raw, ZSTD_LEVEL)
        as_jxl = bytes([JXL]) + jxl.encode_samples(image)
        payload = min(filter(None, [payload, as_zstd, as_jxl]), key=len)
    return payload


def encode_quick(image: NDArray[Any], payload: bytes) -> bytes | None:
    """A payload of ``image`` that decodes much faster than ``payload``, and is not much longer; or None."""
    if image.max() > 1 or payload[0] == ZSTD:
        return None
    bitmap = bytes([GROUP4]) + encode_bitmap(image)
    return bitmap if len(bitmap) < len(payload) + count_boundaries(image) // RUNS_PER_BYTE else None


def decode_labels(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """Image of shape (``height``, ``width``); ``dtype`` is "uint8" or "uint16".

    Takes a small multiple of the image's memory. ``FormatError``: the payload is not exactly one such image.
    """
    if dtype not in SAMPLES or height < 1 or width < 1:
        raise FormatError(f"labels: cannot be a {dtype} image of {width} by {height}")
    if not payload:
        raise FormatError("labels: empty payload")
    if payload[0] < FIRST_BYTE_LIMIT:
        return decode_contours(payload, height, width, dtype)
    if payload[0] == JXL:
        image = jxl.decode_samples(payload[1:], (height, width))
        if image.dtype.name != dtype:
            raise FormatError("labels: JPEG XL stream of another depth")
        return image
    if payload[0] == GROUP4:
        return decode_bitmap(payload[1:], height, width).astype(dtype)
    if payload[0] != ZSTD:
        raise FormatError(f"labels: unknown method {payload[0]}")
    raw = decode_frame(payload[1:], height * width * SAMPLES[dtype].itemsize, "labels")
    return np.frombuffer(raw, SAMPLES[dtype]).astype(dtype).reshape(height, width)
