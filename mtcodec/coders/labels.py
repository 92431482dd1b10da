"""Class ids, truth values and masks of holes: integers of one channel, exactly."""

from __future__ import annotations

import numpy as np

from mtcodec.bitstreams import labels as bitstream
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Mask
from mtcodec.signals.mapping import Array, ValueRange, whole_range
from mtcodec.signals.signal import PixelFormat, Signal

MAX_SPAN = 1 << 16  # of values that samples of 16 bits can tell apart


def encode(signal: Signal) -> Candidate | None:
    """An image (H, W) of any integer dtype or bool; None where values span more than 65,536 numbers."""
    image = signal.original
    dtype = image.dtype.name
    if image.ndim != 2 or image.dtype.kind not in "uib":
        return None
    if dtype in ("bool", "uint8", "uint16"):
        value_range = whole_range(dtype)
        samples = image.astype(np.uint8) if dtype == "bool" else image
    else:
        low, high = int(signal.original_range.low), int(signal.original_range.high)
        if high - low >= MAX_SPAN or abs(low) > 1 << 53 or abs(high) > 1 << 53:
            return None
        value_range = ValueRange(float(low), float(high))
        wide = image.astype(object if dtype == "uint64" else np.int64)
        samples = (wide - low).astype(_sample_dtype(value_range))
    payload = bitstream.encode_labels(samples)
    return Candidate("labels", PixelFormat(dtype, 1, value_range), payload, lambda: image)


def _sample_dtype(value_range: ValueRange) -> str:
    return "uint8" if value_range.span < 256 else "uint16"


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a labels section.

    Raises:
        FormatError: damaged.
    """
    dtype, value_range = pixel_format.dtype, pixel_format.value_range
    if dtype == "bool":
        samples = bitstream.decode_labels(payload, height, width, "uint8")
        if samples.max() > 1:
            raise FormatError("labels: neither true nor false")
        return samples.astype(bool)
    if dtype in ("uint8", "uint16") and value_range == whole_range(dtype):
        return bitstream.decode_labels(payload, height, width, dtype)
    if value_range.span >= MAX_SPAN:
        raise FormatError("labels: too wide a range")
    samples = bitstream.decode_labels(payload, height, width, _sample_dtype(value_range))
    if int(samples.max()) > value_range.span:
        raise FormatError("labels: beyond their range")
    image: Array = (samples.astype(np.int64) + int(value_range.low)).astype(dtype)
    return image


# --- masks of holes --------------------------------------------------------------------------------------


def encode_mask(mask: Mask) -> bytes:
    """The smallest payload of a mask of holes."""
    return bitstream.encode_labels(mask)


def encode_mask_for_speed(mask: Mask, smallest: bytes) -> bytes | None:
    """A payload that decodes much faster than the ``smallest``, if it is not much longer."""
    return bitstream.encode_quick(mask, smallest)


def decode_mask(payload: bytes, height: int, width: int) -> Mask:
    """A mask of holes, (H, W): 0 where there is a measurement.

    Raises:
        FormatError: damaged.
    """
    return bitstream.decode_labels(payload, height, width, "uint8")
