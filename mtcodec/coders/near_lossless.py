"""Near-lossless coding: errors within a bound, the same on every machine; a bound of 0 is lossless.

Values are quantised uniformly between the lowest and the highest, and their codes are a lossless JPEG XL
stream. Or the codes are those of what an AV1 picture, taken as a prediction, leaves
(:mod:`mtcodec.coders.prediction`). Files call this coding ``stepped``.
"""

from __future__ import annotations

import math

import numpy as np

from mtcodec.bitstreams import jxl
from mtcodec.coders import prediction
from mtcodec.coders.candidate import Candidate
from mtcodec.container.cursor import Cursor, varint
from mtcodec.errors import FormatError
from mtcodec.signals import holes as hole_ops
from mtcodec.signals.holes import Holes
from mtcodec.signals.mapping import Array, ValueRange, to_stored
from mtcodec.signals.signal import PixelFormat, Signal

CODING = "stepped"  # what files call it
MAX_CODE = 65535  # of a quantised value
PREDICTIVE_MARKER = 0  # in the place of the largest code: the payload is that of a prediction
JXL_EFFORTS = {
    1: {"draft": prediction.DRAFT_JXL_EFFORT, "fast": 7, "normal": 9, "best": 10},
    3: {"fast": 7, "normal": 7, "best": 9},
}
"""Of libjxl, by channels and effort. On depth, 9 needs 6 to 28 % fewer bytes than 7 in 5 times its time, and
10 another 1 to 9 % in 15 times; on colours 9 needs 2 to 7 % fewer."""
LARGE_PIXELS = 1 << 21  # of an image from which on the effort is ``fast``


def candidates(signal: Signal, bound: float, effort: str) -> list[Candidate]:
    """Candidates for errors of ``bound`` > 0 at most, which may fail it by rounding: quantised, predicted."""
    pixel_format = signal.pixel_format
    uniform = encode_uniform(
        signal, signal.filled, pixel_format.value_range, bound, pixel_format.holes, effort
    )
    pair = uniform, encode_predictive(signal, bound, effort)
    return [candidate for candidate in pair if candidate is not None]


def encode_uniform(
    signal: Signal, image: Array, value_range: ValueRange, bound: float, holes: Holes | None, effort: str
) -> Candidate | None:
    """Values quantised within their range; None where there are too many codes.

    Args:
        image: (H, W) or (H, W, C): the signal's image without holes, or the original.
        bound: on errors, in stored values; whole for integers.
        holes: those of the section.
    """
    is_integer = image.dtype.kind in "ui"
    step_size = prediction.step_size(bound, is_integer)
    max_code = min(max(math.ceil(value_range.span / step_size), 1), MAX_CODE)
    too_many = is_integer and not bound and value_range.span > MAX_CODE
    if too_many or max(abs(value_range.low), abs(value_range.high)) >= 2**53:
        return None
    factor = max_code / value_range.span if value_range.span > 0 else 0.0
    codes = np.rint((image.astype(np.float64) - value_range.low) * factor).clip(0, max_code)
    samples: jxl.Samples = codes.astype(np.uint8) if max_code < 256 else codes.astype(np.uint16)
    linear = ValueRange(value_range.low, value_range.high)
    pixel_format = PixelFormat(image.dtype.name, signal.task.channels, linear, False, holes)
    decoded = _from_codes(samples, pixel_format, max_code)
    payload = varint(max_code) + jxl.encode_samples(samples, _jxl_effort(signal, effort))
    return Candidate(CODING, pixel_format, payload, lambda: decoded, signal if bound else None)


def encode_predictive(signal: Signal, bound: float, effort: str) -> Candidate | None:
    """Values as an AV1 picture and the quantised residual; None where that is no use."""
    value_range = signal.pixel_format.value_range
    if signal.task.channels != 1 or bound < 1e-9 * value_range.span:
        return None
    linear = ValueRange(value_range.low, value_range.high)
    unpredicted = encode_uniform(signal, signal.filled, linear, bound, None, "draft")
    if unpredicted is None:
        return None
    quick = signal.height * signal.width > LARGE_PIXELS
    jxl_effort = _jxl_effort(signal, effort)
    payload = prediction.encode(signal.filled, linear, bound, jxl_effort, len(unpredicted.payload), quick)
    if payload is None:
        return None
    pixel_format = PixelFormat(signal.filled.dtype.name, 1, linear, False, signal.pixel_format.holes)
    decoded = _from_prediction(Cursor(payload), pixel_format, (signal.height, signal.width))
    return Candidate(CODING, pixel_format, varint(PREDICTIVE_MARKER) + payload, lambda: decoded, signal)


def _jxl_effort(signal: Signal, effort: str) -> int:
    """libjxl's; large images are spared slow ones."""
    quick = signal.height * signal.width > LARGE_PIXELS
    return JXL_EFFORTS[signal.task.channels]["fast" if quick else effort]


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a near-lossless section.

    Raises:
        FormatError: damaged.
    """
    if pixel_format.channels not in (1, 3):
        raise FormatError("a stepped section of neither one nor three channels")
    shape = (height, width) if pixel_format.channels == 1 else (height, width, pixel_format.channels)
    cursor = Cursor(payload, "steps: the section ends within them")
    max_code = cursor.varint("number of steps", MAX_CODE)
    if max_code == PREDICTIVE_MARKER and pixel_format.channels == 1:
        return _from_prediction(cursor, pixel_format, (height, width))
    samples = jxl.decode_samples(cursor.rest, shape)
    if max_code == PREDICTIVE_MARKER or int(samples.max()) > max_code:
        raise FormatError("steps out of range")
    return _from_codes(samples, pixel_format, max_code)


def _from_prediction(cursor: Cursor, pixel_format: PixelFormat, shape: tuple[int, int]) -> Array:
    values = prediction.decode(cursor, pixel_format.value_range, pixel_format.dtype, shape)
    return hole_ops.restore(to_stored(values[None], pixel_format.dtype), pixel_format.holes)


def _from_codes(samples: jxl.Samples, pixel_format: PixelFormat, max_code: int) -> Array:
    value_range = pixel_format.value_range
    values = value_range.low + samples.astype(np.float64) * (value_range.span / max_code)
    planes = values[None] if samples.ndim == 2 else np.moveaxis(values, -1, 0)
    return hole_ops.restore(to_stored(planes, pixel_format.dtype), pixel_format.holes)
