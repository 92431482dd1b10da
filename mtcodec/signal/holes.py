"""Pixels without a measurement: which they are, and what networks see in their place.

Holes come back exactly as they were, so only their places and stored values are coded; the fill is a smooth
continuation of what surrounds them, which costs few bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtcodec.errors import SceneError, UsageError
from mtcodec.signal.mapping import Array
from mtcodec.tasks.task import Task

MAX_VALUES = 16  # different hole values that a section can name
Mask = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Holes:
    """Holes of one image.

    Attributes:
        classes: (H, W), 0 where there is a measurement, else 1 + the index of the hole's value.
        values: stored values by index, (n, C), in the image's dtype.
    """

    classes: Mask
    values: Array

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(H, W), True where there is a measurement."""
        return np.equal(self.classes, 0)


def usual_values(task: Task, dtype: str) -> list[tuple[float, ...]]:
    """Stored values that mean a hole: 0 and the largest 16-bit value of depth, zero vectors.

    Values that are not finite are holes of any task.
    """
    if task.kind == "depth":
        return [(0.0,), (65535.0,)] if dtype == "uint16" else [(0.0,)]
    if task.kind == "vectors":
        top = int(np.iinfo(dtype).max)
        return [(float(v),) * task.channels for v in (0, top // 2, top // 2 + 1)]
    return []


def find(task: Task, image: Array, invalid: Sequence[tuple[float, ...]] = ()) -> Holes | None:
    """Holes of ``image``; None where there are none.

    Args:
        invalid: stored values that mean a hole besides the usual ones, one or C numbers each.

    Raises:
        UsageError: one of ``invalid`` has another number of channels.
        SceneError: more different hole values than a file can name.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    classes = np.zeros(pixels.shape[:2], np.uint8)
    values: list[Array] = []

    def mark(where: npt.NDArray[np.bool_], value: Array) -> None:
        where = where & (classes == 0)
        if where.any():
            if len(values) == MAX_VALUES:
                raise SceneError(f"task {task.name}: more than {MAX_VALUES} different values of holes")
            values.append(value)
            classes[where] = len(values)

    for stored in (*usual_values(task, image.dtype.name), *invalid):
        if len(stored) not in (1, pixels.shape[2]):
            raise UsageError(f"task {task.name}: a hole of {len(stored)} numbers, not {pixels.shape[2]}")
        with np.errstate(invalid="ignore", over="ignore"):
            value = np.broadcast_to(np.array(stored).astype(image.dtype), pixels.shape[2:])
        # an integer that the dtype cannot hold does not occur; floats are rounded, as 0.1 must be
        if image.dtype.kind == "f" or (value == np.array(stored)).all():
            mark((pixels == value).all(axis=-1), value)
    if image.dtype.kind == "f" and not np.isfinite(pixels).all():
        canonical = np.where(np.isnan(pixels), np.array(np.nan, image.dtype), pixels)
        broken = ~np.isfinite(canonical).all(axis=-1)
        rows = canonical[broken].view(np.uint8).reshape(int(broken.sum()), -1)
        for row in np.unique(rows, axis=0):  # by bits: NaN is not equal to itself
            value = row.view(image.dtype)
            same = (canonical.view(np.uint8).reshape(*classes.shape, -1) == row).all(axis=-1)
            mark(broken & same, value)
    return Holes(classes, np.stack(values)) if values else None


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

    Pixels that happen to have such a value without being holes move to the next value that has no meaning.
    """
    if holes is not None:
        pixels = image[..., None] if image.ndim == 2 else image
        for _ in holes.values:
            for value in holes.values:
                clash = holes.valid & (pixels == value).all(axis=-1)
                if clash.any():
                    pixels[clash, 0] = _next(value[0])
        inside = holes.classes > 0
        pixels[inside] = holes.values[holes.classes[inside].astype(np.intp) - 1]
    return image


def _next(value: np.generic) -> np.generic:
    """The next larger value of the same dtype, or the next smaller one of the largest."""
    if isinstance(value, np.floating):
        with np.errstate(over="ignore"):  # after the largest comes infinity
            return value.dtype.type(np.nextafter(value, value.dtype.type(np.inf)))
    assert isinstance(value, np.integer)
    top = np.iinfo(value.dtype).max
    return value.dtype.type(top - 1 if value == top else int(value) + 1)


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
