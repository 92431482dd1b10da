"""Codings whose values are the same on every machine: exact, or within a bound.

``stepped``: values are rounded to even steps between the lowest and the highest, and the numbers of the steps
are a lossless JPEG XL code stream; steps of one are exact. Or the steps are those of the difference to an AV1
picture (:mod:`mtcodec.coders.prediction`). ``raw``: any dtype, bit for bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import jxl, zstd
from mtcodec.coders import labels
from mtcodec.coders import prediction as predicted
from mtcodec.coders.candidate import Candidate
from mtcodec.container.cursor import Cursor, varint
from mtcodec.errors import FormatError, UsageError
from mtcodec.signals import holes as pits
from mtcodec.signals.mapping import Array, ValueRange, to_stored, whole_range
from mtcodec.signals.signal import PixelFormat, Signal

MAX_TOP = 65535  # of samples
LEVEL = 19  # of zstd
EFFORTS = {
    1: {"quick": predicted.QUICK, "fast": 7, "normal": 9, "best": 10},
    3: {"fast": 7, "normal": 7, "best": 9},
}
"""Of JPEG XL, by channels and effort. On depth, 9 needs 6 to 28 % fewer bytes than 7 in 5 times its time, and
10 another 1 to 9 % in 15 times; on colours 9 needs 2 to 7 % fewer."""
SPARSE = 0.5  # share of valid pixels under which ``raw`` may be smaller than pictures
LARGE = 1 << 21  # pixels of an image from which on the effort is ``fast``


def encode(signal: Signal, bound: float = 0.0, effort: str = "normal") -> Candidate:
    """The smallest coding of a signal whose values change by ``bound`` at most (0: not at all).

    Args:
        bound: in stored values; holes come back exactly whatever it is.
        effort: ``fast``, ``normal`` or ``best``.

    Raises:
        UsageError: not a bound.
    """
    if not bound >= 0:
        raise UsageError(f"not a bound of errors: {bound}", task=signal.task.name)
    found = list(exact(signal, effort))
    if bound > 0 and signal.original.dtype.kind != "b" and signal.task.channels in (1, 3):
        whole = math.floor(bound) if signal.original.dtype.kind in "ui" else bound
        steps = _steps(
            signal, signal.image, signal.pixel_format.value_range, whole, signal.pixel_format.holes, effort
        )
        for coded in (steps, _predicted(signal, whole, effort)):
            if coded is not None and _within(signal.original, coded.decoded, whole):
                found.append(coded)
    return min(found, key=lambda coded: len(coded.payload))


def exact(signal: Signal, effort: str = "normal") -> list[Candidate]:
    """Codings that change nothing, and whose sections need no others."""
    image, task = signal.original, signal.task
    found: list[Candidate | None] = []
    if task.kind.name == "categories" or image.dtype.kind == "b":
        found.append(labels.encode(image))
    if image.dtype.kind in "ui" and task.channels in (1, 3) and found in ([], [None]):
        ranged = task.scene_range(image.dtype.name) or image.dtype.itemsize > 2 or image.dtype.kind == "i"
        limits = (
            ValueRange(float(image.min()), float(image.max())) if ranged else whole_range(image.dtype.name)
        )
        found.append(_steps(signal, image, limits, 0.0, None, effort))
        if task.exact:
            found.append(labels.encode(image))
    sparse = signal.valid is not None and float(signal.valid.mean()) < SPARSE
    if sparse or not any(found):
        found.append(_raw(signal))
    return [coded for coded in found if coded is not None]


def _steps(
    signal: Signal,
    image: Array,
    scale: ValueRange,
    bound: float,
    holes: pits.Holes | None,
    effort: str = "normal",
) -> Candidate | None:
    """Values in steps; None where they are too many."""
    integer = image.dtype.kind in "ui"
    step = 1.0 + 2 * bound if integer else 2 * bound * (1 - 1e-6)
    top = min(max(math.ceil(scale.span / step), 1), MAX_TOP)
    if (integer and not bound and scale.span > MAX_TOP) or max(abs(scale.low), abs(scale.high)) >= 2**53:
        return None
    shares = (image.astype(np.float64) - scale.low) * (top / scale.span if scale.span > 0 else 0.0)
    numbers = np.rint(shares).clip(0, top)
    samples: jxl.Samples = numbers.astype(np.uint8) if top < 256 else numbers.astype(np.uint16)
    pixel_format = PixelFormat(
        image.dtype.name, signal.task.channels, ValueRange(scale.low, scale.high), False, holes
    )
    decoded = _from_samples(samples, pixel_format, top)
    efforts = EFFORTS[signal.task.channels]
    large = signal.height * signal.width > LARGE
    payload = varint(top) + jxl.encode_samples(samples, efforts["fast" if large else effort])
    error = signal.squared_error(decoded) if bound else 0.0
    return Candidate("stepped", pixel_format, payload, decoded, error)


def _predicted(signal: Signal, bound: float, effort: str) -> Candidate | None:
    """Values as a picture and steps of the difference; None where that is no use."""
    if signal.task.channels != 1 or bound < 1e-9 * signal.pixel_format.value_range.span:
        return None
    scale = ValueRange(signal.pixel_format.value_range.low, signal.pixel_format.value_range.high)
    pixel_format = PixelFormat(signal.image.dtype.name, 1, scale, False, signal.pixel_format.holes)
    large = signal.height * signal.width > LARGE
    rival = _steps(signal, signal.image, scale, bound, None, "quick")
    if rival is None:
        return None
    final = EFFORTS[1]["fast" if large else effort]
    rest = predicted.encode(signal.image, scale, bound, final, len(rival.payload), large)
    if rest is None:
        return None
    payload = varint(0) + rest
    decoded = _from_prediction(Cursor(rest), pixel_format, (signal.height, signal.width))
    return Candidate("stepped", pixel_format, payload, decoded, signal.squared_error(decoded))


def _from_prediction(cursor: Cursor, pixel_format: PixelFormat, shape: tuple[int, int]) -> Array:
    values = predicted.decode(cursor, pixel_format.value_range, pixel_format.dtype, shape)
    return pits.restore(to_stored(values[None], pixel_format.dtype), pixel_format.holes)


def _from_samples(samples: jxl.Samples, pixel_format: PixelFormat, top: int) -> Array:
    values = pixel_format.value_range.low + samples.astype(np.float64) * (pixel_format.value_range.span / top)
    image = to_stored(values[None] if samples.ndim == 2 else np.moveaxis(values, -1, 0), pixel_format.dtype)
    return pits.restore(image, pixel_format.holes)


def _within(original: Array, decoded: Array, bound: float) -> bool:
    """Are values off by ``bound`` at most? Floats may be too large for that."""
    finite = np.isfinite(original)
    error = np.abs(decoded[finite].astype(np.float64) - original[finite].astype(np.float64))
    return error.size == 0 or float(error.max()) <= bound


def _words(dtype: str) -> np.dtype[Any]:
    return np.dtype(f"<u{np.dtype(dtype).itemsize}")


def _raw(signal: Signal) -> Candidate:
    image = signal.original
    words = np.ascontiguousarray(image).view(_words(image.dtype.name))
    differences = np.diff(words, axis=1, prepend=words.dtype.type(0))
    planes = np.ascontiguousarray(differences).reshape(-1, 1).view(np.uint8).T
    payload = zstd.encode_frame(planes.tobytes(), LEVEL)
    return Candidate(
        "raw", PixelFormat(image.dtype.name, signal.task.channels, ValueRange(0.0, 0.0)), payload, image
    )


def decode_stepped(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a stepped section.

    Raises:
        FormatError: damaged.
    """
    if pixel_format.channels not in (1, 3):
        raise FormatError("a stepped section of neither one nor three channels")
    shape = (height, width) if pixel_format.channels == 1 else (height, width, pixel_format.channels)
    cursor = Cursor(payload, "steps: the section ends within them")
    top = cursor.varint("number of steps", MAX_TOP)
    if not top and pixel_format.channels == 1:
        return _from_prediction(cursor, pixel_format, (height, width))
    samples = jxl.decode_samples(cursor.rest, shape)
    if not top or int(samples.max()) > top:
        raise FormatError("steps out of range")
    return _from_samples(samples, pixel_format, top)


def decode_raw(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a raw section.

    Raises:
        FormatError: damaged.
    """
    shape = (height, width) if pixel_format.channels == 1 else (height, width, pixel_format.channels)
    words = _words(pixel_format.dtype)
    size = math.prod(shape) * words.itemsize
    planes = np.frombuffer(zstd.decode_frame(payload, size, "raw"), np.uint8)
    differences = np.ascontiguousarray(planes.reshape(words.itemsize, -1).T).view(words).reshape(shape)
    image: npt.NDArray[Any] = np.cumsum(differences, axis=1, dtype=words)
    if pixel_format.dtype == "bool" and image.max() > 1:
        raise FormatError("raw: neither true nor false")
    return image.view(np.dtype(pixel_format.dtype).newbyteorder("<")).astype(pixel_format.dtype)
