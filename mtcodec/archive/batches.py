"""Samples for training: arrays or tensors, and batches of them. Only tensors import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mtcodec.archive.stream import worker_info
from mtcodec.codec.decoder import Scene
from mtcodec.signals.mapping import Array

Sample = dict[str, Any]

TENSOR_DTYPES = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}  # what torch computes with


def to_sample(key: str, scene: Scene, numpy: bool = False) -> Sample:
    """Stored values by task, and the ``key``.

    Tensors have uint16 as int32, uint32 and uint64 as int64.

    Args:
        scene: images (C, H, W) and numbers, in any order in memory.
        numpy: arrays of the stored dtype instead of tensors.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in scene.items()}
    return {"key": key, **(arrays if numpy else {name: _tensor(array) for name, array in arrays.items()})}


def _tensor(array: Array) -> Any:
    import torch

    return torch.from_numpy(array.astype(TENSOR_DTYPES.get(array.dtype.name, array.dtype), copy=False))


def collate(samples: Sequence[Any]) -> Any:
    """A batch of samples, for ``DataLoader(collate_fn=…)``.

    By name, what all samples have in one shape and dtype is stacked. Anything else, such as keys, is a list
    in the order of the samples, with None where a sample lacks it. Samples that a ``transform`` turned into
    something else than dicts are stacked, or listed, likewise.
    """
    if not samples or not all(isinstance(sample, dict) for sample in samples):
        return _stack(list(samples))
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: _stack([sample.get(name) for sample in samples]) for name in names}


def _stack(values: list[Any]) -> Any:
    """An array or tensor of values that are alike, else the list.

    In a worker of a ``DataLoader`` tensors lie in one piece of memory that other processes see.
    """
    present = [value for value in values if value is not None]
    first: Any = present[0] if present else None
    if not hasattr(first, "shape") or not hasattr(first, "dtype"):
        return values
    alike = all(type(v) is type(first) and (v.shape, v.dtype) == (first.shape, first.dtype) for v in values)
    if isinstance(first, (np.ndarray, np.generic)):
        return np.stack(values) if alike else values
    import torch

    in_worker = worker_info() is not None
    if alike and isinstance(first, torch.Tensor):
        return torch.utils.data.default_collate(values) if in_worker else torch.stack(values)
    can_share = all(isinstance(v, torch.Tensor) and v.is_cpu and v.dtype == first.dtype for v in present)
    return share_tensors(values) if can_share and in_worker else values


class SharedTensors(list[Any]):
    """A list of tensors of one dtype, or None, which goes to another process in one piece, as a plain list.

    Attributes:
        memory: a shared tensor of one dimension. views: the tensors, which lie in it one after the other.
    """

    def __init__(self, memory: Any, views: list[Any]) -> None:
        super().__init__(views)
        self.memory, self.views = memory, views

    def __reduce__(self) -> Any:
        if len(self) != len(self.views) or any(item is not view for item, view in zip(self, self.views)):
            return list, ([*self],)  # somebody has changed it
        return views_of, (self.memory, [None if view is None else tuple(view.shape) for view in self])


def share_tensors(values: Sequence[Any]) -> SharedTensors:
    """Tensors of one dtype, or None, but not None alone, copied into one piece of shared memory."""
    import torch

    tensors = [value for value in values if value is not None]
    size = sum(tensor.numel() for tensor in tensors) * tensors[0].element_size()
    memory = torch.tensor([], dtype=tensors[0].dtype).set_(torch.UntypedStorage._new_shared(size))
    views = views_of(memory, [None if value is None else tuple(value.shape) for value in values])
    for view, value in zip(views, values, strict=True):
        if value is not None:
            view.copy_(value)
    return SharedTensors(memory, views)


def views_of(memory: Any, shapes: Sequence[tuple[int, ...] | None]) -> list[Any]:
    """Tensors of these shapes, or None, one after the other in the memory of one of one dimension."""
    sizes = [0 if shape is None else math.prod(shape) for shape in shapes]
    pieces = zip(memory.split(sizes), shapes, strict=True)
    return [None if shape is None else piece.view(shape) for piece, shape in pieces]
