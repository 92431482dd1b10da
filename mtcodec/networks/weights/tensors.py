"""The named tensors of a weights file: which there are, and what they must be. Imports no torch.

Transforms are float16, their larger matrices bytes (:mod:`mtcodec.networks.weights.int8`). Integer layers are int8
weights and int32 biases, quality tables int16, distributions counts: exactly the numbers that encoder and
decoder compute with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS
from mtcodec.networks.entropy.integer import EXACT, worst_sum
from mtcodec.networks.structure import Structure
from mtcodec.networks.weights.int8 import SCALES, Tensors, scales_shape

DISTRIBUTION = ("distribution.tail", "distribution.ratio")
"""Shape of the distributions in training; decoding has tables of counts."""


def check(config: ModelConfig, tensors: Tensors) -> None:
    """Check the tensors of a model (without ``tables.*``).

    Raises:
        ValueError: they are missing, left over, of another shape or dtype, or out of range.
    """
    structure = Structure(config)
    left = dict(tensors)

    def take(name: str, shape: tuple[int, ...], *dtypes: str) -> np.ndarray[Any, Any]:
        if name not in left:
            raise ValueError(f"tensor {name} is missing")
        value = left.pop(name)
        if value.shape != shape or value.dtype.name not in dtypes:
            raise ValueError(f"{name} is {value.dtype} {value.shape}, not {' or '.join(dtypes)} {shape}")
        return value

    for name, layer in structure.layers.items():
        shapes = layer.shapes
        if layer.kind == "integer":
            weight, bias = (
                take(f"{name}.{n}", shapes[n], t) for n, t in (("weight", "int8"), ("bias", "int32"))
            )
            worst = worst_sum(weight, bias)
            if worst >= EXACT:
                raise ValueError(f"{name}: partial sums up to {worst} exceed 2**24")
            continue
        for parameter, shape in shapes.items():
            value = take(f"{name}.{parameter}", shape, "float16", "float32", "int8")
            if value.dtype == np.int8:
                value = take(f"{name}.{parameter}{SCALES}", scales_shape(shape), "float16")
            if not _finite(value):
                raise ValueError(f"{name}.{parameter} is not finite")
    for stream, own in structure.streams.items():
        for name, shape in own.tables.items():
            table, (low, high) = take(f"streams.{stream}.{name}", shape, "int16"), TABLE_LIMITS[name]
            if not low <= int(table.min()) <= int(table.max()) <= high:
                raise ValueError(f"streams.{stream}.{name} is out of range")
    for name in DISTRIBUTION:
        if not _finite(take(name, (1,), "float32")):
            raise ValueError(f"{name} is not finite")
    if left:
        raise ValueError(f"unexpected tensor {next(iter(left))}")


def _finite(values: np.ndarray[Any, Any]) -> bool:
    """Are all floats finite? Float16 is looked at as bits: numpy converts every value of it."""
    if values.dtype != np.float16:
        return bool(np.isfinite(values).all())
    return int((values.view(np.uint16) & 0x7FFF).max(initial=0)) < 0x7C00
