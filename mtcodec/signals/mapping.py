"""Stored values ↔ the planes that coders of pictures see: float32 in [0, 1], (C, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.tasks import Task

MIN_SPAN = 1e-300
Array = npt.NDArray[np.generic]
Planes = npt.NDArray[np.float32]
Values = npt.NDArray[np.floating[Any]]
Valid = npt.NDArray[np.bool_]
Window = tuple[slice, slice]
"""Rows and columns of an image, with their starts and stops."""

LOG_RATIO = 32.0  # values whose middle 98 % span more than this ratio are mapped logarithmically
UNIT_TOLERANCE = 0.05  # mean deviation from length 1 up to which vectors count as unit vectors


CHUNK_PIXELS = 1 << 20  # pixels that are worked on at a time
CACHE_PIXELS = 1 << 15  # pixels whose planes stay in a core's cache


def mix_planes(matrix: npt.NDArray[Any], planes: npt.NDArray[Any]) -> Planes:
    """Planes (D, …) that are mixed of others (C, …) by a matrix (D, C). BLAS is as fast with one thread,
    and no faster with more, which then wait by spinning."""
    result: Planes = np.einsum("ij,j...->i...", matrix.astype(np.float32), planes)
    return result


def row_chunks(height: int, width: int, pixels: int = CHUNK_PIXELS) -> list[slice]:
    """Rows of an image, in parts of about so many pixels."""
    rows = max(1, pixels // width)
    return [slice(row, row + rows) for row in range(0, height, rows)]


@dataclass(frozen=True)
class ValueRange:
    """Stored values that map to 0 and to 1, and what is linear in between: v or log v.

    The mapping ``logarithmic`` needs 0 < low.
    """

    low: float
    high: float
    mapping: str = "linear"

    @property
    def span(self) -> float:
        return self.high - self.low

    def fits_float32(self, dtype: str) -> bool:
        """Is it linear, and float32 fine enough for stored values?"""
        return self.mapping == "linear" and dtype in ("uint8", "int8", "uint16", "int16")

    def clip(self, values: Values) -> Values:
        """Move values into the range (in place)."""
        return np.clip(values, values.dtype.type(self.low), values.dtype.type(self.high), out=values)


UNIT_RANGE = ValueRange(0.0, 1.0)  # of planes themselves


def whole_range(dtype: str) -> ValueRange:
    """The range of an integer dtype, or of truth values."""
    if dtype == "bool":
        return ValueRange(0.0, 1.0)
    info = np.iinfo(dtype)
    return ValueRange(float(info.min), float(info.max))


def range_of(task: Task, image: Array, valid: Valid | None = None) -> ValueRange:
    """The range that ``image`` is scaled by: the scene's own, or the dtype's (see ``Task.uses_scene_range``).

    ``valid`` (H, W) leaves out holes; without any valid pixel the range is that of zeros. Of floats that are
    unit vectors it is −1 to 1.
    """
    if not task.uses_scene_range(image.dtype.name):
        return whole_range(image.dtype.name)
    values = image if valid is None else image[valid]
    limits = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    is_unit = task.kind.unit_vectors and max(-limits[0], limits[1]) <= 1 + UNIT_TOLERANCE
    return ValueRange(-1.0, 1.0) if is_unit else ValueRange(*limits)


def mapping_for(task: Task, image: Array, valid: Valid | None, value_range: ValueRange) -> str:
    """The mapping that suits an image: logarithmic where near and far differ very much, else linear."""
    if not task.kind.log_scale or value_range.low <= 0 or value_range.high <= LOG_RATIO * value_range.low:
        return "linear"
    near, far = np.percentile((image if valid is None else image[valid]).astype(np.float64), (1, 99))
    return "logarithmic" if far > LOG_RATIO * near else "linear"


def to_planes(image: Array, value_range: ValueRange) -> Planes:
    """(H, W) or (H, W, C) stored values to (C, H, W) in [0, 1]."""
    image = image[..., None] if image.ndim == 2 else image
    # float32 holds 16-bit integers exactly, but not the extremes of a float range
    wide = image.dtype.kind == "f" or image.dtype.itemsize > 2 or value_range.mapping != "linear"
    planes: npt.NDArray[Any] = image.astype(np.float64 if wide else np.float32)
    low, high = value_range.low, value_range.high
    if value_range.mapping != "linear":
        planes = np.log(planes.clip(low, high))
        low, high = float(np.log(low)), float(np.log(high))
    planes -= low
    span = high - low
    if 0 < span < MIN_SPAN:  # its inverse is infinite
        planes /= span
    else:
        planes *= 1.0 / span if span else 0.0
    return np.ascontiguousarray(np.moveaxis(planes.clip(0.0, 1.0), -1, 0), np.float32)


def to_values(planes: npt.NDArray[Any], value_range: ValueRange, dtype: str = "float64") -> Values:
    """(C, H, W) planes to values within the range that are to be stored as ``dtype``, not yet rounded."""
    if value_range.fits_float32(dtype):
        narrow: Values = np.multiply(planes, np.float32(value_range.span), dtype=np.float32)
        narrow += np.float32(value_range.low)
        return value_range.clip(narrow)
    shares = np.clip(planes, 0.0, 1.0).astype(np.float64)
    if value_range.mapping == "linear":
        linear: Values = shares * value_range.span + value_range.low
        return linear
    low, high = float(np.log(value_range.low)), float(np.log(value_range.high))
    values: Values = np.exp(shares * (high - low) + low)
    return values.clip(value_range.low, value_range.high)


def to_stored(values: Values, dtype: str) -> Array:
    """(C, H, W) values to an image of ``dtype``, rounded for integers."""
    return image_of((values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype))


def image_of(planes: Array) -> Array:
    """Planes (C, H, W) seen as an image, (H, W) or (H, W, C)."""
    return planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, -1)


def to_unit(planes: npt.NDArray[Any]) -> Values:
    """Planes (C, H, W) of vectors n = 2 · plane − 1 with all lengths 1."""
    vectors = planes.astype(np.float32, copy=False) * 2.0 - 1.0
    vectors *= 0.5 / np.maximum(np.sqrt(np.square(vectors).sum(axis=0)), 1e-6)
    shares: Values = vectors + 0.5
    return shares


def are_unit(image: Array, value_range: ValueRange, valid: Valid | None) -> bool:
    """Do the stored vectors have length 1, but for rounding?"""
    total, count = 0.0, 0
    for rows in row_chunks(*image.shape[:2]):
        lengths = np.linalg.norm(to_planes(image[rows], value_range) * 2.0 - 1.0, axis=0)
        lengths = lengths if valid is None else lengths[valid[rows]]
        total, count = total + float(np.abs(lengths - 1.0).sum(dtype=np.float64)), count + lengths.size
    return total <= UNIT_TOLERANCE * count
