"""Near-lossless coding: errors within a bound, the same on every machine; a bound of 0 is lossless.

Values are quantised uniformly between the lowest and the highest, and their codes are a lossless JPEG XL
stream; before that, near ones may be merged (:mod:`mtcodec.coders.merging`).
Or the codes are those of what an AV1 picture, taken as a prediction, leaves
(:mod:`mtcodec.coders.prediction`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import jxl
from mtcodec.coders import merging, prediction
from mtcodec.coders.candidate import Candidate
from mtcodec.container.cursor import Cursor, varint
from mtcodec.errors import FormatError
from mtcodec.signals import holes as hole_ops
from mtcodec.signals.holes import Holes
from mtcodec.signals.mapping import Array, ValueRange, to_stored
from mtcodec.signals.signal import PixelFormat, Signal

Codes = npt.NDArray[np.int64]

CODING = "near-lossless"  # what files call it
MAX_CODE = 65535  # of a quantised value
TIGHTER_SHARES = (1.0, 0.75, 0.5, 0.3)  # of a bound that are tried
MAX_SMALL_BOUND = 12  # on integers, of which all tighter ones from half of it are tried
MAX_LADDER_PIXELS = 1 << 14  # of images that are encoded within each of them; of larger ones, drafts are
FLOAT_PARTS = 8  # of the bound on floats' errors that values are rounded to before they are merged
MAX_MERGED_SHARE = 0.8  # of the codes of quantised values that merged ones may have to be of use
PREDICTIVE_MARKER = 0  # in the place of the largest code: the payload is that of a prediction
JXL_EFFORTS = {
    1: {"draft": prediction.DRAFT_JXL_EFFORT, "fast": 7, "normal": 9, "best": 10},
    3: {"draft": prediction.DRAFT_JXL_EFFORT, "fast": 7, "normal": 7, "best": 9},
}
"""Of libjxl, by channels and effort. On depth, 9 needs 6 to 28 % fewer bytes than 7 in 5 times its time, and
10 another 1 to 9 % in 15 times; on colours 9 needs 2 to 7 % fewer."""
LARGE_PIXELS = 1 << 21  # of an image from which on the effort is ``fast``


def candidates(signal: Signal, bound: float, effort: str) -> list[Candidate]:
    """Candidates for errors of ``bound`` > 0 at most, which may fail it by rounding: quantised, merged,
    predicted."""
    pixel_format = signal.pixel_format

    def encode_quantised(tried_bound: float, tried_effort: str) -> Candidate | None:
        return encode_uniform(
            signal, signal.filled, pixel_format.value_range, tried_bound, pixel_format.holes, tried_effort
        )

    def encode_merging(tried_bound: float, tried_effort: str) -> Candidate | None:
        return encode_merged(signal, tried_bound, tried_effort)

    ladder = _bounds_to_try(bound, signal.original.dtype.kind in "ui")
    encoded = [encode_predictive(signal, bound, effort)]
    for encode in (encode_quantised, encode_merging):
        bounds = ladder
        if signal.height * signal.width > MAX_LADDER_PIXELS:
            drafts = {tried: encode(tried, "draft") for tried in ladder}
            sizes = {tried: len(draft.payload) for tried, draft in drafts.items() if draft is not None}
            bounds = sorted({bound, min(sizes, key=sizes.__getitem__)} if sizes else ())
        encoded += [encode(tried, effort) for tried in bounds]
    return [candidate for candidate in encoded if candidate is not None]


def _bounds_to_try(bound: float, is_integer: bool) -> list[float]:
    """``bound`` and tighter ones: values that happen to suit one of them cost less than within it."""
    bounds = [bound * share for share in TIGHTER_SHARES]
    if not is_integer:
        return bounds
    whole = {float(math.ceil(tighter)) for tighter in bounds if bound >= 1}
    if 1 <= bound <= MAX_SMALL_BOUND:
        whole |= {float(tighter) for tighter in range(math.ceil(bound / 2), math.floor(bound))}
    return sorted(whole, reverse=True)


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
    factor = max_code / value_range.span if value_range.span > bound else 0.0  # else one value is enough
    codes = np.rint((image.astype(np.float64) - value_range.low) * factor).clip(0, max_code)
    linear = ValueRange(value_range.low, value_range.high)
    pixel_format = PixelFormat(image.dtype.name, signal.task.channels, linear, False, holes)
    return _candidate(signal, codes, pixel_format, max_code, bound, effort)


def _candidate(
    signal: Signal, codes: Codes, pixel_format: PixelFormat, max_code: int, bound: float, effort: str
) -> Candidate:
    samples: jxl.Samples = codes.astype(np.uint8) if max_code < 256 else codes.astype(np.uint16)
    decoded = _from_codes(samples, pixel_format, max_code)
    payload = varint(max_code) + jxl.encode_samples(samples, _jxl_effort(signal, effort))
    return Candidate(CODING, pixel_format, payload, lambda: decoded, signal if bound else None)


def encode_merged(signal: Signal, bound: float, effort: str) -> Candidate | None:
    """Values merged to few, of one channel; None where that is no use.

    Holes of integers stay among the values, which needs no mask. Floats are rounded to a part of the bound
    first.
    """
    original, holes, valid = signal.original, signal.pixel_format.holes, signal.valid
    is_integer = original.dtype.kind in "ui"
    image = original if is_integer else signal.filled
    linear = signal.original_range if is_integer else signal.filled_range
    max_code = math.ceil(linear.span) if is_integer else _rounded_codes(linear, bound)
    is_exact = max(abs(linear.low), abs(linear.high)) < 2**53
    if signal.task.channels != 1 or not 0 < max_code <= MAX_CODE or not is_exact:
        return None
    unit = linear.span / max_code
    code_bound = bound if is_integer else math.floor(bound * (1 - 1e-6) / unit - 0.5)
    codes = np.rint((image.astype(np.float64) - linear.low) / unit).clip(0, max_code).astype(np.int64)
    hole_codes = np.unique(codes[~valid]) if is_integer and valid is not None else np.empty(0, np.int64)
    table = _merge(codes if valid is None else codes[valid], hole_codes, max_code, code_bound)
    quantised_codes = linear.span / prediction.step_size(bound, is_integer)
    if table is None or not (hole_codes.size or len(np.unique(table)) < MAX_MERGED_SHARE * quantised_codes):
        return None
    pixel_format = PixelFormat(image.dtype.name, 1, linear, False, None if is_integer else holes)
    return _candidate(signal, table[codes], pixel_format, max_code, bound, effort)


def _rounded_codes(linear: ValueRange, bound: float) -> int:
    """The largest code of floats that are to be merged; 0 where codes would be too coarse for the bound."""
    if not linear.span * FLOAT_PARTS / 4 < bound * MAX_CODE:
        return 0
    return min(math.ceil(linear.span * FLOAT_PARTS / bound), MAX_CODE)


def _merge(measured: Codes, hole_codes: Codes, max_code: int, code_bound: float) -> Codes | None:
    """By code the one that stands for it, (max_code + 1,); None where one would stand for a hole's.

    Args:
        measured: codes of pixels with a measurement. hole_codes: those that stay as they are.
    """
    if not measured.size or code_bound < 1:
        return None
    values, counts = np.unique(measured, return_counts=True)
    merged = merging.representatives(values, counts, math.floor(code_bound))
    levels = np.unique(merged)
    table = merging.nearest(np.arange(max_code + 1), levels)
    table[values] = merged
    if np.isin(hole_codes, levels).any():
        return None
    table[hole_codes] = hole_codes
    return table


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
        raise FormatError("a near-lossless section of neither one nor three channels")
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
