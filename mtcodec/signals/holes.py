"""Pixels without a measurement: which they are, and what coders see in their place.

Holes come back exactly as they were, so only their places and stored values are coded; the fill is a smooth
continuation of what surrounds them, which costs few bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.errors import SceneError, UsageError
from mtcodec.signals.mapping import Array, Valid
from mtcodec.tasks import Task
from mtcodec.tasks.kinds import Values

MAX_VALUES = 16  # different hole values that a section can name
MIN_PIXELS = 16  # that have a value which is recognised as a hole
MAX_FAR_VALUES = 3
FAR_RATIO = 4.0  # a far value is so many times as large as any other, or as small,
MIN_FAR_SHARE = 0.001  # and on at least this share of the pixels
Mask = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Holes:
    """Holes of one image.

    Attributes:
        mask: (H, W), 0 where there is a measurement, else 1 + the index of the hole's value.
        values: stored values by index, (n, C), in the image's dtype.
        far, negative: those values that were recognised as holes because they are far from all others, or
            negative.
    """

    mask: Mask
    values: Array
    far: tuple[float, ...] = field(default=(), compare=False)
    negative: tuple[float, ...] = field(default=(), compare=False)

    @property
    def valid(self) -> Valid:
        """(H, W), True where there is a measurement."""
        return np.equal(self.mask, 0)

    def same(self, other: Holes) -> bool:
        """Are these of another task in the same places, so that one section can say where?"""
        return self is other or np.array_equal(self.mask, other.mask)


def usual_values(task: Task, dtype: str) -> list[Values]:
    """Stored values that mean a hole: 0 and the largest value of depth, zero vectors.

    Values that are not finite are holes of any task.
    """
    shares = task.kind.hole_shares
    if np.dtype(dtype).kind == "f":
        return [(0.0,) * task.channels] if 0.0 in shares else []
    top = int(np.iinfo(dtype).max)
    values: dict[float, None] = {}
    for share in shares:
        if share < 1 or np.dtype(dtype).itemsize > 1:  # 255 may well be a distance
            values |= dict.fromkeys((float(int(share * top)), float(-int(-share * top // 1))))
    return [(value,) * task.channels for value in values]


class _Marker:
    """Marks pixels of an image as holes, value by value; ``pixels`` (H, W, C)."""

    def __init__(self, task: Task, pixels: Array) -> None:
        self.task, self.pixels = task, pixels
        self.mask = np.zeros(pixels.shape[:2], np.uint8)
        self.values: list[Array] = []

    def mark(self, pixels: Valid, value: Array) -> None:
        """Those of ``pixels``, (H, W), that are not marked yet are holes of this value."""
        pixels = pixels & (self.mask == 0)
        if pixels.any():
            if len(self.values) == MAX_VALUES:
                raise SceneError(f"more than {MAX_VALUES} different values of holes", task=self.task.name)
            self.values.append(value)
            self.mask[pixels] = len(self.values)


def _mark_value(marker: _Marker, stored: Values) -> None:
    """Pixels of a stored value of one or C numbers."""
    channels, dtype = marker.pixels.shape[2], marker.pixels.dtype
    if len(stored) not in (1, channels):
        raise UsageError(f"a hole of {len(stored)} numbers, not {channels}", task=marker.task.name)
    if dtype.kind != "f" and not all(
        np.iinfo(dtype.name).min <= v <= np.iinfo(dtype.name).max and v == int(v) for v in stored
    ):
        return  # an integer that the dtype cannot hold does not occur; floats are rounded, as 0.1 must be
    with np.errstate(over="ignore"):
        value = np.broadcast_to(np.array(stored).astype(dtype), channels)
    marker.mark((marker.pixels == value).all(axis=-1), value)


def _mark_not_finite(marker: _Marker) -> None:
    pixels = marker.pixels
    if pixels.dtype.kind != "f" or np.isfinite(pixels).all():
        return
    canonical = np.where(np.isnan(pixels), np.array(np.nan, pixels.dtype), pixels)
    not_finite = ~np.isfinite(canonical).all(axis=-1)
    as_bytes = canonical.view(np.uint8).reshape(*pixels.shape[:2], -1)  # NaN is not equal to itself
    for row in np.unique(as_bytes[not_finite], axis=0):
        marker.mark(not_finite & (as_bytes == row).all(axis=-1), row.view(pixels.dtype))


def _mark_negative(marker: _Marker) -> list[float]:
    """Negative values that many pixels have, unless negative values are data.

    They are data if there are more different ones than a file can name, or if most pixels, and most of the
    different values, are negative, as in OpenGL's view space.
    """
    depth, unmarked = marker.pixels[..., 0], marker.mask == 0
    if depth.dtype.kind == "u" or not (depth[unmarked] < 0).any():
        return []
    valid = depth[unmarked]
    values, counts = np.unique(valid[valid < 0], return_counts=True)
    frequent = values[counts >= MIN_PIXELS]
    if len(values) > MAX_VALUES or len(frequent) > MAX_VALUES - len(marker.values):
        return []
    if 2 * counts.sum() > valid.size and len(values) > len(np.unique(valid[valid >= 0])):
        return []
    for value in frequent:
        marker.mark(depth == value, np.array([value], depth.dtype))
    return [float(value) for value in frequent]


def _mark_far(marker: _Marker) -> list[float]:
    """The largest values, and of floats the smallest, if they are far from all others and on many pixels."""
    depth = marker.pixels[..., 0]
    far: list[float] = []
    while len(far) < MAX_FAR_VALUES and len(marker.values) < MAX_VALUES:
        valid = depth[marker.mask == 0]
        ends = [] if valid.size < 2 else [valid.max(), valid.min()][: 2 if valid.dtype.kind == "f" else 1]
        value = next((end for end in ends if _is_far(end, valid)), None)
        if value is None:
            break
        marker.mark(depth == value, np.array([value], depth.dtype))
        far.append(float(value))
    return far


def _is_far(value: np.generic, valid: Array) -> bool:
    """Is ``value`` frequent, and so many times as large as any other, or (floats) as small?"""
    rest = valid[valid != value]
    is_frequent = valid.size - rest.size >= max(MIN_PIXELS, MIN_FAR_SHARE * valid.size)
    if not rest.size or not is_frequent:
        return False
    size, low, high = abs(float(value)), float(rest.min()), float(rest.max())
    if size > FAR_RATIO * max(-low, high):
        return True
    smallest = low if low > 0 else -high  # of the others' sizes, if all have one sign
    return valid.dtype.kind == "f" and smallest > FAR_RATIO * size


def find(task: Task, image: Array, invalid: Sequence[Values] = (), usual: bool = True) -> Holes | None:
    """Holes of ``image``; None where there are none.

    Args:
        invalid: stored values that mean a hole besides the usual ones, one or C numbers each.
        usual: look for :func:`usual_values`, and of distances for negative and far ones; values that are not
            finite always count.

    Raises:
        UsageError: one of ``invalid`` has another number of channels.
        SceneError: more different hole values than a file can name.
    """
    if image.dtype == bool:
        return None
    marker = _Marker(task, image[..., None] if image.ndim == 2 else image)
    for stored in (*(usual_values(task, image.dtype.name) if usual else ()), *invalid):
        _mark_value(marker, stored)
    _mark_not_finite(marker)
    is_distance = usual and task.kind.positive
    negative = tuple(_mark_negative(marker)) if is_distance else ()
    far = tuple(_mark_far(marker)) if is_distance else ()
    return Holes(marker.mask, np.stack(marker.values), far, negative) if marker.values else None


def fill(image: Array, holes: Holes | None) -> Array:
    """``image`` with its holes filled in from their surroundings, in the same dtype; all holes give zeros.

    Means of valid pixels are pulled up a pyramid and pushed down again.
    """
    if holes is None:
        return image
    if not holes.valid.any():
        return np.zeros_like(image)
    pixels = image[..., None] if image.ndim == 2 else image
    valid = holes.valid[..., None]
    filled = _push_pull(np.where(valid, pixels, 0).astype(np.float32), valid.astype(np.float32))
    values = filled if image.dtype.kind == "f" else np.rint(filled)
    result: Array = np.where(valid, pixels, values.astype(image.dtype)).reshape(image.shape)
    return result


def restore(image: Array, holes: Holes | None) -> Array:
    """``image`` with the stored values of its holes put back (in place).

    Pixels that happen to have such a value without being holes move to the nearest value that is free.
    """
    if holes is not None:
        pixels = image[..., None] if image.ndim == 2 else image
        for value in holes.values:
            clash = pixels[..., 0] == value[0]
            for channel in range(1, len(value)):
                clash &= pixels[..., channel] == value[channel]
            if clash.any():
                clash &= holes.mask == 0
                pixels[..., 0][clash] = _free(value, holes.values)
        for number, value in enumerate(holes.values, 1):
            inside = holes.mask == number
            for channel, sample in enumerate(value):
                np.putmask(pixels[..., channel], inside, sample)
    return image


def _free(value: Array, values: Array) -> Any:
    """The first channel of a pixel like ``value`` unlike all ``values`` (K, C): the next larger number, or
    the next smaller one where there is none."""
    hole_values = values.tolist()
    low, high = _ends(value.dtype)
    for end in (high, low):
        moved = value.copy()
        while moved[0] != end:
            moved[0] = _next(moved[0], end)
            if moved.tolist() not in hole_values:
                return moved[0]
    return value[0]  # no value is free: impossible, as there are more than MAX_VALUES


def _ends(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The lowest and the highest number."""
    return (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def _next(number: np.generic, end: Any) -> Any:
    """The next number on the way to ``end``."""
    if isinstance(number, np.floating):
        with np.errstate(over="ignore"):  # after the largest comes infinity
            return np.nextafter(number, number.dtype.type(end))
    return int(number) + (1 if end > number else -1)


def _push_pull(pixels: Floats, weight: Floats) -> Floats:
    """Fill (H, W, C) ``pixels`` where ``weight`` (H, W, 1) is zero, keeping the others."""
    height, width = pixels.shape[:2]
    if weight.all() or height * width == 1:
        return pixels
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    mass, total = (_halve(np.pad(x, pad)) for x in (weight, pixels * weight))
    coarse = _push_pull(total / np.maximum(mass, 1e-6), np.minimum(mass, 1.0))
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    padded = np.pad(fine, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]  # the steps of the coarse pixels, smoothed
    fine = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
    return np.where(weight > 0, pixels, fine)


def _halve(pixels: Floats) -> Floats:
    """Sums of 2×2 pixels, (H, W, C) of even sizes."""
    return pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]
