"""Stored values ↔ the planes that networks see: float32 in [0, 1], (C, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.tasks import Task

Array = npt.NDArray[np.generic]
Planes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Range:
    """Stored values that map to 0 and to 1."""

    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low


def value_range(task: Task, image: Array) -> Range:
    """The range that ``image`` is scaled by: the scene's own, or the dtype's (see ``Task.scene_range``)."""
    if task.scene_range(image.dtype.name):
        # float32 so that the range survives the container exactly
        return Range(float(np.float32(image.min())), float(np.float32(image.max())))
    return Range(0.0, float(np.iinfo(image.dtype.name).max))


def to_planes(image: Array, scale: Range) -> Planes:
    """(H, W) or (H, W, C) stored values to (C, H, W) in [0, 1]."""
    image = image[..., None] if image.ndim == 2 else image
    # float32 holds integers exactly, but not the extremes of a float range
    planes: npt.NDArray[Any] = image.astype(np.float64 if image.dtype.kind == "f" else np.float32)
    planes -= scale.low
    planes *= 1.0 / scale.span if scale.span > 0 else 0.0
    planes = planes.clip(0.0, 1.0)  # a float64 image may exceed its range, which is rounded to float32
    return np.ascontiguousarray(np.moveaxis(planes, -1, 0), np.float32)


def from_planes(planes: Planes, scale: Range, dtype: str) -> Array:
    """(C, H, W) planes to stored values of ``dtype``, clipped to the range; (H, W) for one channel."""
    values = np.clip(planes, 0.0, 1.0).astype(np.float64) * scale.span + scale.low
    if not dtype.startswith("float"):
        values = np.rint(values)
    image = np.moveaxis(values, 0, -1).astype(dtype)
    return np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image)
