"""The named tensors of a weights file: which there are, and what they must be. Imports no torch.

Transforms are float16, their larger matrices bytes (:mod:`mtcodec.networks.weights.int8`). Integer layers are
int8 weights and int32 biases, tables of gain vectors int16, distributions counts: exactly the numbers that
encoder and decoder compute with.
"""

from __future__ import annotations

import numpy as np

from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS
from mtcodec.networks.entropy.integer import EXACT, worst_sum
from mtcodec.networks.layers import Layer
from mtcodec.networks.structure import Structure
from mtcodec.networks.weights.int8 import SCALES, Array, Tensors, scales_shape

DISTRIBUTION = ("distribution.tail", "distribution.ratio")
"""Shape of the distributions in training; decoding has tables of counts."""


def check(config: ModelConfig, tensors: Tensors) -> None:
    """Check the tensors of a model (without ``tables.*``).

    Raises:
        ValueError: they are missing, left over, of another shape or dtype, or out of range.
    """
    structure, unchecked = Structure(config), dict(tensors)
    for name, layer in structure.layers.items():
        check_layer = _check_integer_layer if layer.kind == "integer" else _check_float_layer
        check_layer(unchecked, name, layer)
    for stream_name, stream in structure.streams.items():
        for table_name, shape in stream.tables.items():
            name, (low, high) = f"streams.{stream_name}.{table_name}", TABLE_LIMITS[table_name]
            table = _take(unchecked, name, shape, "int16")
            if not low <= int(table.min()) <= int(table.max()) <= high:
                raise ValueError(f"{name} is out of range")
    for name in DISTRIBUTION:
        if not _finite(_take(unchecked, name, (1,), "float32")):
            raise ValueError(f"{name} is not finite")
    if unchecked:
        raise ValueError(f"unexpected tensor {next(iter(unchecked))}")


def _take(tensors: Tensors, name: str, shape: tuple[int, ...], *dtypes: str) -> Array:
    """The tensor of this name, which is taken out of ``tensors``; ValueError: it is none of these."""
    if name not in tensors:
        raise ValueError(f"tensor {name} is missing")
    tensor = tensors.pop(name)
    if tensor.shape != shape or tensor.dtype.name not in dtypes:
        raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not {' or '.join(dtypes)} {shape}")
    return tensor


def _check_integer_layer(tensors: Tensors, name: str, layer: Layer) -> None:
    weight = _take(tensors, f"{name}.weight", layer.shapes["weight"], "int8")
    bias = _take(tensors, f"{name}.bias", layer.shapes["bias"], "int32")
    worst = worst_sum(weight, bias)
    if worst >= EXACT:
        raise ValueError(f"{name}: partial sums up to {worst} exceed 2**24")


def _check_float_layer(tensors: Tensors, name: str, layer: Layer) -> None:
    for parameter, shape in layer.shapes.items():
        values = _take(tensors, f"{name}.{parameter}", shape, "float16", "float32", "int8")
        if values.dtype == np.int8:
            values = _take(tensors, f"{name}.{parameter}{SCALES}", scales_shape(shape), "float16")
        if not _finite(values):
            raise ValueError(f"{name}.{parameter} is not finite")


def _finite(values: Array) -> bool:
    """Are all floats finite? Float16 is looked at as bits: numpy converts every value of it."""
    if values.dtype != np.float16:
        return bool(np.isfinite(values).all())
    return int((values.view(np.uint16) & 0x7FFF).max(initial=0)) < 0x7C00
