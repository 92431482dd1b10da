"""Lossless coding of class-id images: a contour stream, or zstd where that is smaller.

``docs/format.md`` ("Labels payload") has the layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from mtcodec.entropy.contours import decode_contours, encode_contours, work_limit
from mtcodec.entropy.rangecoder import TOP
from mtcodec.errors import FormatError

SAMPLES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2")}
ZSTD = 0xFF  # first byte of a payload that is a zstd frame
LEVEL = 15


def _encode_zstd(raw: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, source_size=len(raw), write_content_size=0, write_checksum=0, write_dict_id=0
    )
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(raw)
    return bytes([ZSTD]) + frame.removeprefix(zstandard.FRAME_HEADER)


def _decode_zstd(frame: bytes, size: int) -> bytes:
    """``size`` bytes, refusing a frame that holds another number of them or wants more memory."""
    if len(frame) < 2 or frame[0] != 0:
        raise FormatError("labels: zstd frame of an unexpected kind")
    if (8 + (frame[1] & 7)) << (7 + (frame[1] >> 3)) > max(1024, 2 * size):
        raise FormatError("labels: zstd frame of too large a window")
    try:
        raw = zstandard.ZstdDecompressor().decompress(
            zstandard.FRAME_HEADER + frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise FormatError("labels: damaged zstd frame") from error
    if len(raw) != size:
        raise FormatError("labels: zstd frame is too short")
    return raw


def encode_labels(image: NDArray[Any]) -> bytes:
    """Payload of a class-id image: uint8 or uint16, shape (H, W), at least one pixel; else ``ValueError``."""
    if image.ndim != 2 or image.size == 0 or image.dtype.name not in SAMPLES:
        raise ValueError(f"labels must be a uint8 or uint16 image, not {image.dtype} {image.shape}")
    raw = image.astype(SAMPLES[image.dtype.name]).tobytes()
    changes = np.diff(image, axis=1, prepend=image.dtype.type(0)) != 0
    payload = None
    if len(image) + np.count_nonzero(changes) <= work_limit(len(image), image.shape[1]):
        payload = encode_contours(image, changes)
    if payload is None or len(payload) > len(raw) // 32:
        payload = min(filter(None, [payload, _encode_zstd(raw)]), key=len)
    return payload


def decode_labels(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """Image of shape (``height``, ``width``); ``dtype`` is "uint8" or "uint16".

    Takes a small multiple of the image's memory. ``FormatError``: the payload is not exactly one such image.
    """
    if dtype not in SAMPLES or height < 1 or width < 1:
        raise FormatError(f"labels: cannot be a {dtype} image of {width} by {height}")
    if not payload:
        raise FormatError("labels: empty payload")
    if payload[0] < TOP:
        return decode_contours(payload, height, width, dtype)
    if payload[0] != ZSTD:
        raise FormatError(f"labels: unknown method {payload[0]}")
    raw = _decode_zstd(payload[1:], height * width * SAMPLES[dtype].itemsize)
    return np.frombuffer(raw, SAMPLES[dtype]).astype(dtype).reshape(height, width)
