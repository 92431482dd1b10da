"""Samples for training: arrays or tensors, windows of one size, batches. Only tensors import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mtcodec.archive.stream import worker
from mtcodec.codec.decoder import Scene
from mtcodec.signals.mapping import Array, Window

Sample = dict[str, Any]

WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}  # what torch computes with


def to_sample(key: str, scene: Scene, window: tuple[int, int] | None = None, numpy: bool = False) -> Sample:
    """Stored values (C, H, W) by task, and the ``key``.

    Tensors have uint16 as int32, uint32 and uint64 as int64.

    Args:
        window: height and width, see :func:`cut`. numpy: arrays of the stored dtype instead of tensors.
    """
    sample: Sample = {"key": key}
    for name, image in scene.items():
        own = image if window is None else cut(image, window)
        planes = np.ascontiguousarray(own[None] if own.ndim == 2 else np.moveaxis(own, -1, 0))
        sample[name] = planes if numpy else _tensor(planes)
    return sample


def _tensor(planes: Array) -> Any:
    import torch

    return torch.from_numpy(planes.astype(WIDER.get(planes.dtype.name, planes.dtype), copy=False))


def cut(image: Array, window: tuple[int, int]) -> Array:
    """The middle of an image (H, W) or (H, W, C); zeros below and at the right of one that is smaller."""
    own = image[middle(image.shape, window)]
    missing = [(0, wanted - side) for side, wanted in zip(own.shape, window)]
    return np.pad(own, [*missing, *[(0, 0)] * (image.ndim - 2)]) if any(m[1] for m in missing) else own


def middle(size: Sequence[int], window: tuple[int, int]) -> Window:
    """Rows and columns in the middle of an image; all where there are fewer."""
    starts = [max(0, (side - own) // 2) for side, own in zip(size, window)]
    rows, columns = (slice(s, min(s + own, side)) for s, own, side in zip(starts, window, size))
    return rows, columns


def collate(samples: Sequence[Any]) -> Any:
    """A batch of samples, for ``DataLoader(collate_fn=…)``.

    By name, what all samples have in one shape and dtype is stacked; else it is a list in the order of the
    samples, with None where one lacks it, as keys are. Samples that a ``transform`` made something else of
    are stacked, or listed, likewise.
    """
    if not samples or not all(isinstance(sample, dict) for sample in samples):
        return _stacked(list(samples))
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: _stacked([sample.get(name) for sample in samples]) for name in names}


def _stacked(values: list[Any]) -> Any:
    """An array or tensor of equal ones, else the list. What a worker makes of tensors lies in one piece of
    memory that other processes see."""
    first: Any = next((value for value in values if value is not None), None)
    if not hasattr(first, "shape") or not hasattr(first, "dtype"):
        return values
    alike = all(type(v) is type(first) and (v.shape, v.dtype) == (first.shape, first.dtype) for v in values)
    if isinstance(first, (np.ndarray, np.generic)):
        return np.stack(values) if alike else values
    import torch

    if alike and isinstance(first, torch.Tensor):
        return torch.stack(values) if worker() is None else torch.utils.data.default_collate(values)
    there = [value for value in values if value is not None]
    alike = all(isinstance(v, torch.Tensor) and v.is_cpu and v.dtype == first.dtype for v in there)
    return Tensors(values) if alike and worker() is not None else values


class Tensors(list[Any]):
    """Tensors of one dtype, or None, which go to another process in one piece; there, they are a list."""

    def __init__(self, values: Sequence[Any]) -> None:
        import torch

        there = [value for value in values if value is not None]
        size = sum(value.numel() for value in there) * there[0].element_size()
        self.all = torch.tensor([], dtype=there[0].dtype).set_(torch.UntypedStorage._new_shared(size))
        self.parts = parts_of(self.all, [None if value is None else tuple(value.shape) for value in values])
        for own, value in zip(self.parts, values, strict=True):
            if value is not None:
                own.copy_(value)
        super().__init__(self.parts)

    def __reduce__(self) -> Any:
        if len(self) != len(self.parts) or any(own is not part for own, part in zip(self, self.parts)):
            return list, ([*self],)  # somebody has changed it
        return parts_of, (self.all, [None if own is None else tuple(own.shape) for own in self])


def parts_of(flat: Any, shapes: Sequence[tuple[int, ...] | None]) -> list[Any]:
    """Tensors of these shapes, one after the other in the memory of one of one dimension."""
    sizes = [0 if shape is None else math.prod(shape) for shape in shapes]
    parts = zip(flat.split(sizes), shapes, strict=True)
    return [None if shape is None else own.view(shape) for own, shape in parts]
