"""Values within a bound as an AV1 picture, the prediction, and the quantised residual: for noisy depth.

::

    values ─► AV1 picture ─► prediction ─┐
       └───────────────────────────── residual / step size, rounded ─► codes ─► lossless JPEG XL

AV1 pictures of one channel decode to the same samples on every machine, as its specification asks for: the
bound holds everywhere.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import av1, jxl
from mtcodec.container.cursor import Cursor, varint
from mtcodec.errors import FormatError
from mtcodec.signals.mapping import Array, ValueRange

AV1_QUALITIES = (30, 45, 60, 75, 85)  # that are tried, from few bytes to many
DRAFT_AV1_SPEED, AV1_SPEED, QUICK_AV1_SPEED = 6, 4, 7
DRAFT_JXL_EFFORT = 3  # while qualities are compared
MAX_DRAFT_RATIO = 1.3  # of a draft's bytes over those of a draft without prediction: above it, no prediction
MAX_STEP_SIZE, MAX_CODE = 2**31 - 1, 65535
MAX_SAMPLE = (1 << av1.BITS) - 1
MAX_SPAN = 2**40  # of a range, so that float64 is much finer than the step size

Floats = npt.NDArray[np.float64]


def step_size(bound: float, is_integer: bool) -> float:
    """The quantisation step size for errors of ``bound`` at most; of floats a little less, for rounding."""
    return 1.0 + 2 * bound if is_integer else 2 * bound * (1 - 1e-6)


def encode(
    image: Array, value_range: ValueRange, bound: float, jxl_effort: int, unpredicted_bytes: int, quick: bool
) -> bytes | None:
    """The payload after its first byte; None where this is not likely to be smaller than without prediction.

    Args:
        image: (H, W) values without holes, within ``value_range``.
        bound: on errors, in stored values; whole for integers.
        unpredicted_bytes: of a draft without prediction.
    """
    is_integer = image.dtype.kind in "ui"
    step = step_size(bound, is_integer)
    if (
        max(image.shape) > av1.MAX_SIDE
        or not 0 < value_range.span < MAX_SPAN
        or not 0 < step <= MAX_STEP_SIZE
    ):
        return None
    values = image.astype(np.float64)
    samples = np.rint((values - value_range.low) * (MAX_SAMPLE / value_range.span)).astype(np.uint16)

    def encode_at(quality: int, speed: int, effort: int) -> bytes | None:
        av1_stream = av1.encode_samples(samples, quality, speed, flat=True)
        return _encode_residual(values, av1_stream, value_range, step, is_integer, effort)

    best: tuple[int, int] | None = None  # bytes, AV1's quality
    for quality in AV1_QUALITIES:
        draft = encode_at(quality, QUICK_AV1_SPEED if quick else DRAFT_AV1_SPEED, DRAFT_JXL_EFFORT)
        if draft is None:
            continue
        if best is not None and len(draft) > best[0]:
            break
        best = len(draft), quality
    if best is None or best[0] > MAX_DRAFT_RATIO * unpredicted_bytes:
        return None
    return encode_at(best[1], QUICK_AV1_SPEED if quick else AV1_SPEED, jxl_effort)


def _encode_residual(
    values: Floats, av1_stream: bytes, value_range: ValueRange, step: float, is_integer: bool, jxl_effort: int
) -> bytes | None:
    """The payload with this picture; None where the residual has too many codes."""
    predicted = _decode_prediction(av1_stream, values.shape, value_range, is_integer)
    codes = np.rint((values - predicted) / step)
    code_offset = max(0, -math.floor(codes.min()))
    codes += code_offset
    max_code = int(codes.max())
    if max_code > MAX_CODE or code_offset > MAX_CODE:
        return None
    residual = codes.astype(np.uint8) if max_code < 256 else codes.astype(np.uint16)
    head = varint(int(step)) if is_integer else struct.pack("<d", step)
    return (
        head
        + varint(code_offset)
        + varint(len(av1_stream))
        + av1_stream
        + jxl.encode_samples(residual, jxl_effort)
    )


def decode(cursor: Cursor, value_range: ValueRange, dtype: str, shape: tuple[int, int]) -> Floats:
    """(H, W) values, not yet of their dtype, of what :func:`encode` gave.

    Raises:
        FormatError: damaged.
    """
    is_integer = np.dtype(dtype).kind in "ui"
    step = float(cursor.varint("step", MAX_STEP_SIZE)) if is_integer else cursor.unpack("<d")[0]
    if not 0 < step <= MAX_STEP_SIZE or not 0 < value_range.span < MAX_SPAN:
        raise FormatError("step is out of range")
    code_offset = cursor.varint("lowest number", MAX_CODE)
    av1_stream = cursor.take(cursor.varint("length of the picture", len(cursor.data)))
    codes = jxl.decode_samples(cursor.rest, shape).astype(np.float64) - code_offset
    predicted = _decode_prediction(av1_stream, shape, value_range, is_integer)
    values: Floats = (predicted + step * codes).clip(value_range.low, value_range.high)
    return values


def _decode_prediction(
    av1_stream: bytes, shape: tuple[int, ...], value_range: ValueRange, is_integer: bool
) -> Floats:
    """The values that an AV1 picture stands for."""
    samples = av1.decode_samples(av1_stream, shape)
    values: Floats = value_range.low + samples.astype(np.float64) * (value_range.span / MAX_SAMPLE)
    return np.rint(values) if is_integer else values
