"""Codings whose values are the same on every machine: lossless, or within a bound.

``stepped``: values are rounded to even steps between the lowest and the highest, and
the numbers of the steps are a lossless JPEG XL code stream; steps of one are lossless. ``raw``: floats, bit
for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import jxl
from mtcodec.bitstreams import zstd as frame
from mtcodec.errors import FormatError, UsageError
from mtcodec.format.container import Cursor, Section, varint
from mtcodec.signal import holes as pits
from mtcodec.signal import layers
from mtcodec.signal.layers import Layers, Prepared, range_of
from mtcodec.signal.mapping import Array, Range, to_stored
from mtcodec.tasks.task import Task

MAX_TOP = 65535  # of samples
LEVEL = 19  # of zstd
Limits = tuple[float, float] | None
Coded = tuple[str, Limits, bytes]
"""Coding, range and payload of a section."""
Ready = Mapping[str, Coded]  # by task


def encode(task: Task, image: Array, bound: float, invalid: Sequence[tuple[float, ...]] = ()) -> Coded:
    """Coding, range and payload of an image whose values change by ``bound`` at most (0: not at all).

    Args:
        bound: in stored values, not negative; holes come back exactly whatever it is.
        invalid: stored values of holes besides the usual ones.
    """
    if task.channels not in (1, 3):
        raise UsageError(f"task {task.name}: exact images have 1 or 3 channels, not {task.channels}")
    if not bound >= 0:
        raise UsageError(f"task {task.name}: not a bound of errors: {bound}")
    found: list[Coded] = []
    if image.dtype.kind == "f":
        found.append(("raw", None, _encode_raw(image)))
    else:
        found.append(_encode_steps(task, Prepared(image, _range(task, image), Layers()), 0.0))
        bound = math.floor(bound)
    if bound > 0:
        prepared = layers.prepare(task, image, invalid)
        holes = Layers(holes=prepared.layers.holes)
        coded = _encode_steps(task, Prepared(prepared.image, _linear(prepared.scale), holes), bound)
        if _within(task, image, coded, bound):
            found.append(coded)
    return min(found, key=lambda entry: len(entry[2]))


def decode(task: Task, section: Section, payload: bytes, height: int, width: int) -> Array:
    """The image of an exact section.

    Raises:
        FormatError: damaged.
    """
    shape = (height, width) if task.channels == 1 else (height, width, task.channels)
    if section.coding == "raw":
        return _decode_raw(payload, shape, section.dtype)
    if task.scene_range(section.dtype) != (section.range is not None):
        raise FormatError("a range that does not fit the task")
    around, rest = layers.parse(payload, height, width, task.channels, section)
    if around != Layers(holes=around.holes):
        raise FormatError("layers that do not fit steps")
    cursor = Cursor(rest, "steps: the section ends within them")
    top = cursor.varint("number of steps", MAX_TOP)
    samples = jxl.decode_samples(rest[cursor.at :], shape)
    if not top or int(samples.max()) > top:
        raise FormatError("steps out of range")
    return pits.restore(_from_samples(samples, range_of(section, around), top, section.dtype), around.holes)


def _range(task: Task, image: Array) -> Range:
    """The range of all values, holes among them."""
    if task.scene_range(image.dtype.name):
        return Range(float(image.min()), float(image.max()))
    return Range(0.0, float(np.iinfo(image.dtype.name).max))


def _linear(scale: Range) -> Range:
    return Range(scale.low, scale.high)


def _encode_steps(task: Task, prepared: Prepared, bound: float) -> Coded:
    image, scale = prepared.image, prepared.scale
    step = 1.0 + 2 * bound if image.dtype.kind == "u" else 2 * bound * (1 - 1e-6)
    top = min(max(math.ceil(scale.span / step), 1), MAX_TOP)
    shares = (image.astype(np.float64) - scale.low) * (top / scale.span if scale.span > 0 else 0.0)
    numbers = np.rint(shares).clip(0, top)
    samples: jxl.Samples = numbers.astype(np.uint8) if top < 256 else numbers.astype(np.uint16)
    payload = layers.pack(prepared.layers) + varint(top) + jxl.encode_samples(samples)
    limits = (scale.low, scale.high) if task.scene_range(image.dtype.name) else None
    return "stepped", limits, payload


def _from_samples(samples: jxl.Samples, scale: Range, top: int, dtype: str) -> Array:
    values = scale.low + samples.astype(np.float64) * (scale.span / top)
    return to_stored(values if samples.ndim == 3 else values[..., None], dtype)


def _within(task: Task, image: Array, coded: Coded, bound: float) -> bool:
    """Does it decode to values that are off by ``bound`` at most? Floats may be too large for that."""
    coding, limits, payload = coded
    section = Section(task.name, coding, image.dtype.name, None, limits, len(payload), 0)
    decoded = decode(task, section, payload, *image.shape[:2])
    finite = np.isfinite(image)
    error = np.abs(decoded[finite].astype(np.float64) - image[finite].astype(np.float64))
    return error.size == 0 or float(error.max()) <= bound


def _words(dtype: str) -> np.dtype[Any]:
    return np.dtype(f"<u{np.dtype(dtype).itemsize}")


def _encode_raw(image: Array) -> bytes:
    words = image.astype(image.dtype.newbyteorder("<")).view(_words(image.dtype.name))
    differences = np.diff(words, axis=1, prepend=words.dtype.type(0))
    planes = differences.reshape(-1, 1).view(np.uint8).T
    return frame.encode_frame(planes.tobytes(), LEVEL)


def _decode_raw(payload: bytes, shape: tuple[int, ...], dtype: str) -> Array:
    words = _words(dtype)
    size = math.prod(shape) * words.itemsize
    planes = np.frombuffer(frame.decode_frame(payload, size, "raw"), np.uint8)
    differences = np.ascontiguousarray(planes.reshape(words.itemsize, -1).T).view(words).reshape(shape)
    image: npt.NDArray[Any] = np.cumsum(differences, axis=1, dtype=words)
    return image.view(np.dtype(dtype).newbyteorder("<")).astype(dtype)
