"""Samples for training: arrays or tensors, windows of one size, batches. Only tensors import torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtcodec.codec.decoder import Scene
from mtcodec.signal.mapping import Array

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
    starts = [max(0, (side - own) // 2) for side, own in zip(image.shape, window)]
    own = image[starts[0] : starts[0] + window[0], starts[1] : starts[1] + window[1]]
    missing = [(0, wanted - side) for side, wanted in zip(own.shape, window)]
    return np.pad(own, [*missing, *[(0, 0)] * (image.ndim - 2)]) if any(m[1] for m in missing) else own


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
    """An array or tensor of equal ones, else the list."""
    first: Any = values[0] if values else None
    if not hasattr(first, "shape") or not hasattr(first, "dtype"):
        return values
    for value in values:
        if type(value) is not type(first) or (value.shape, value.dtype) != (first.shape, first.dtype):
            return values
    if isinstance(first, (np.ndarray, np.generic)):
        return np.stack(values)
    import torch

    return torch.stack(values) if isinstance(first, torch.Tensor) else values
