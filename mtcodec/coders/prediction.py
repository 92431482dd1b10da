"""Values within a bound, as an AV1 picture and what it lacks, in steps: for noisy depth and wide bounds.

::

    values ─► AV1 picture ─► prediction ─┐
       └───────────────────────────── difference / step, rounded ─► lossless JPEG XL

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

TRIED = (30, 45, 60, 75, 85)  # qualities of AV1, from few bytes to many
DRAFT, SPEED, LARGE_SPEED = 6, 4, 7  # of AV1
QUICK = 3  # effort of JPEG XL while qualities are compared
HOPELESS = 1.3  # times the bytes that values themselves take so: too much for a slower try
MAX_STEP, MAX_NUMBER = 2**31 - 1, 65535
MAX_SPAN = 2**40  # of a range: doubles have parts of steps left

Numbers = npt.NDArray[np.float64]


def encode(
    image: Array, scale: ValueRange, bound: float, effort: int, rival: int, large: bool
) -> bytes | None:
    """The payload after its first byte; None where this is not likely to be smaller than what there is.

    Args:
        image: (H, W) values without holes, within ``scale``.
        bound: on errors, in stored values; whole for integers.
        effort: of JPEG XL.
        rival: bytes of the steps of values themselves at a quick effort.
    """
    integer = image.dtype.kind in "ui"
    step = 1.0 + 2 * bound if integer else 2 * bound * (1 - 1e-6)
    if max(image.shape) > av1.MAX_SIDE or not 0 < scale.span < MAX_SPAN or not 0 < step <= MAX_STEP:
        return None
    values = image.astype(np.float64)
    samples = np.rint((values - scale.low) * (((1 << av1.BITS) - 1) / scale.span)).astype(np.uint16)

    def made(quality: int, speed: int, effort: int) -> bytes | None:
        picture = av1.encode_samples(samples, quality, speed, flat=True)
        numbers = _numbers(values, _prediction(picture, samples.shape, scale, integer), step)
        if numbers is None:
            return None
        base, found = numbers
        head = varint(int(step)) if integer else struct.pack("<d", step)
        return head + varint(base) + varint(len(picture)) + picture + jxl.encode_samples(found, effort)

    best: tuple[int, int] | None = None
    for quality in TRIED:
        draft = made(quality, LARGE_SPEED if large else DRAFT, QUICK)
        if draft is not None and best is not None and len(draft) > best[0]:
            break
        best = best if draft is None else (len(draft), quality)
    if best is None or best[0] > HOPELESS * rival:
        return None
    return made(best[1], LARGE_SPEED if large else SPEED, effort)


def decode(cursor: Cursor, scale: ValueRange, dtype: str, shape: tuple[int, int]) -> Numbers:
    """(H, W) values, not yet stored ones, of what :func:`encode` made.

    Raises:
        FormatError: damaged.
    """
    integer = np.dtype(dtype).kind in "ui"
    step = float(cursor.varint("step", MAX_STEP)) if integer else cursor.unpack("<d")[0]
    if not 0 < step <= MAX_STEP or not 0 < scale.span < MAX_SPAN:
        raise FormatError("step is out of range")
    base = cursor.varint("lowest number", MAX_NUMBER)
    picture = cursor.take(cursor.varint("length of the picture", len(cursor.data)))
    numbers = jxl.decode_samples(cursor.rest, shape)
    predicted = _prediction(picture, shape, scale, integer)
    values: Numbers = (predicted + step * (numbers.astype(np.float64) - base)).clip(scale.low, scale.high)
    return values


def _prediction(picture: bytes, shape: tuple[int, ...], scale: ValueRange, integer: bool) -> Numbers:
    samples = av1.decode_samples(picture, shape)
    values: Numbers = scale.low + samples.astype(np.float64) * (scale.span / ((1 << av1.BITS) - 1))
    return np.rint(values) if integer else values


def _numbers(values: Numbers, predicted: Numbers, step: float) -> tuple[int, jxl.Samples] | None:
    """What the lowest number is below 0, and numbers of steps above it; None where they are too many."""
    numbers = np.rint((values - predicted) / step)
    base = max(0, -math.floor(numbers.min()))
    numbers += base
    top = int(numbers.max())
    if top > MAX_NUMBER or base > MAX_NUMBER:
        return None
    return base, numbers.astype(np.uint8) if top < 256 else numbers.astype(np.uint16)
