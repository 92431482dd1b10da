"""Class ids and masks of holes: integers of one channel, exactly."""

from __future__ import annotations

import numpy as np

from mtcodec.bitstreams import labels
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Mask
from mtcodec.signals.mapping import Array, ValueRange, whole_range
from mtcodec.signals.signal import PixelFormat

SPAN = 1 << 16  # values that samples of 16 bits can tell apart


def encode(image: Array) -> Candidate | None:
    """``image`` (H, W) of any integer dtype or bool; None where it has more than 65,536 values in a row."""
    dtype = image.dtype.name
    if image.ndim != 2 or image.dtype.kind not in "uib":
        return None
    samples = image.astype(np.uint8) if dtype == "bool" else image
    if dtype in ("bool", "uint8", "uint16"):
        scale = whole_range(dtype)
    else:
        low, high = int(image.min()), int(image.max())
        if high - low >= SPAN or abs(low) > 1 << 53 or abs(high) > 1 << 53:
            return None
        scale = ValueRange(float(low), float(high))
        samples = (image.astype(object) - low if dtype == "uint64" else image.astype(np.int64) - low).astype(
            _sample_dtype(scale)
        )
    return Candidate("labels", PixelFormat(dtype, 1, scale), labels.encode_labels(samples), image)


def _sample_dtype(scale: ValueRange) -> str:
    return "uint8" if scale.span < 256 else "uint16"


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a labels section.

    Raises:
        FormatError: damaged.
    """
    if pixel_format.dtype == "bool":
        samples = labels.decode_labels(payload, height, width, "uint8")
        if samples.max() > 1:
            raise FormatError("labels: neither true nor false")
        return samples.astype(bool)
    if pixel_format.dtype in ("uint8", "uint16") and pixel_format.value_range == whole_range(
        pixel_format.dtype
    ):
        return labels.decode_labels(payload, height, width, pixel_format.dtype)
    if pixel_format.value_range.span >= SPAN:
        raise FormatError("labels: too wide a range")
    samples = labels.decode_labels(payload, height, width, _sample_dtype(pixel_format.value_range))
    if int(samples.max()) > pixel_format.value_range.span:
        raise FormatError("labels: beyond their range")
    image: Array = (samples.astype(np.int64) + int(pixel_format.value_range.low)).astype(pixel_format.dtype)
    return image


def encode_mask(mask: Mask) -> bytes:
    """The payload of a section of holes."""
    return labels.encode_labels(mask)


def encode_mask_quick(mask: Mask, payload: bytes) -> bytes | None:
    """One that decodes much faster than ``payload``, if it is not much longer."""
    return labels.encode_quick(mask, payload)


def decode_mask(payload: bytes, height: int, width: int) -> Mask:
    """Classes of holes, (H, W): 0 where there is a measurement.

    Raises:
        FormatError: damaged.
    """
    return labels.decode_labels(payload, height, width, "uint8")
