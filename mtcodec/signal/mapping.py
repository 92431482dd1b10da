"""Stored values ↔ the planes that networks see: float32 in [0, 1], (C, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.tasks.task import Task

Array = npt.NDArray[np.generic]
Planes = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

MAPPINGS = ("linear", "inverse", "logarithmic")  # ids for ever; append only
WIDE = 32.0  # depth whose middle 98 % span more than this ratio is mapped logarithmically
UNIT_TOLERANCE = 0.05  # mean deviation from length 1 up to which vectors count as unit vectors


@dataclass(frozen=True)
class Range:
    """Stored values that map to 0 and to 1, and what is linear in between: v, 1/v or log v.

    Mappings other than ``linear`` need 0 < low.
    """

    low: float
    high: float
    mapping: str = "linear"

    @property
    def span(self) -> float:
        return self.high - self.low


def value_range(task: Task, image: Array, valid: npt.NDArray[np.bool_] | None = None) -> Range:
    """The range that ``image`` is scaled by: the scene's own, or the dtype's (see ``Task.scene_range``).

    ``valid`` (H, W) leaves out holes; without any valid pixel the range is that of zeros.
    """
    if task.scene_range(image.dtype.name):
        values = image if valid is None else image[valid]
        if values.size == 0:
            return Range(0.0, 0.0)
        # float32 so that the range survives the container exactly
        return Range(float(np.float32(values.min())), float(np.float32(values.max())))
    return Range(0.0, float(np.iinfo(image.dtype.name).max))


def mapping_for(task: Task, image: Array, valid: npt.NDArray[np.bool_] | None, scale: Range) -> str:
    """The mapping that suits a depth image: logarithmic where near and far differ very much, else linear."""
    if task.kind != "depth" or scale.low <= 0 or scale.high <= WIDE * scale.low:
        return "linear"
    near, far = np.percentile((image if valid is None else image[valid]).astype(np.float64), (1, 99))
    return "logarithmic" if far > WIDE * near else "linear"


def _bend(values: Values, mapping: str) -> Values:
    """What is linear in planes, but for the linear mapping."""
    return 1.0 / values if mapping == "inverse" else np.log(values)


def to_planes(image: Array, scale: Range) -> Planes:
    """(H, W) or (H, W, C) stored values to (C, H, W) in [0, 1]."""
    image = image[..., None] if image.ndim == 2 else image
    # float32 holds integers exactly, but not the extremes of a float range
    exact = image.dtype.kind == "f" or scale.mapping != "linear"
    planes: npt.NDArray[Any] = image.astype(np.float64 if exact else np.float32)
    low, high = scale.low, scale.high
    if scale.mapping != "linear":
        planes = _bend(planes.clip(low, high), scale.mapping)
        low, high = (float(_bend(np.array(v), scale.mapping)) for v in (low, high))
    planes -= low
    planes *= 1.0 / (high - low) if high != low else 0.0
    planes = planes.clip(0.0, 1.0)  # a float64 image may exceed its range, which is rounded to float32
    return np.ascontiguousarray(np.moveaxis(planes, -1, 0), np.float32)


def to_values(planes: npt.NDArray[Any], scale: Range) -> Values:
    """(C, H, W) planes to values within the range, (H, W, C), not yet rounded."""
    shares = np.moveaxis(np.clip(planes, 0.0, 1.0).astype(np.float64), 0, -1)
    if scale.mapping == "linear":
        linear: Values = shares * scale.span + scale.low
        return linear
    low, high = (float(_bend(np.array(v), scale.mapping)) for v in (scale.low, scale.high))
    bent = shares * (high - low) + low
    with np.errstate(divide="ignore"):  # of a very wide range, 1 / high is lost beside 1 / low: far is high
        values: Values = 1.0 / bent if scale.mapping == "inverse" else np.exp(bent)
    return values.clip(scale.low, scale.high)


def to_stored(values: Values, dtype: str) -> Array:
    """(H, W, C) values to an image of ``dtype``, rounded for integers; (H, W) for one channel."""
    image = (values if dtype.startswith("float") else np.rint(values)).astype(dtype)
    return np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image)


def from_planes(planes: npt.NDArray[Any], scale: Range, dtype: str, *, unit: bool = False) -> Array:
    """(C, H, W) planes to stored values of ``dtype``, clipped to the range; (H, W) for one channel.

    ``unit`` gives vectors the length 1 (``n = 2 · plane − 1``).
    """
    if unit:
        vectors = planes.astype(np.float64) * 2.0 - 1.0
        vectors /= np.maximum(np.linalg.norm(vectors, axis=0), 1e-6)
        planes = (vectors + 1.0) / 2.0
    return to_stored(to_values(planes, scale), dtype)


def unit_vectors(image: Array, scale: Range, valid: npt.NDArray[np.bool_] | None) -> bool:
    """Do the stored vectors have length 1, but for rounding?"""
    lengths = np.linalg.norm(to_planes(image, scale).astype(np.float64) * 2.0 - 1.0, axis=0)
    lengths = lengths if valid is None else lengths[valid]
    return lengths.size == 0 or float(np.abs(lengths - 1.0).mean()) <= UNIT_TOLERANCE
