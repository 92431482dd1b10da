"""Matrices of transforms as weights files have them: bytes, with a factor for every 16 inputs of an output.

That takes 0.6 of the bytes of half precision, which counts in archives: each keeps the weights that its
scenes need. Matrices of few inputs, which are small, stay as they are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Tensors = dict[str, Array]

GROUP = 16  # inputs that share a factor
MIN_INPUTS = 32  # of matrices that are stored so
SCALES = ".scales"
MAX_INT8 = np.float32(127)
MIN_FLOAT16 = np.finfo(np.float16).smallest_subnormal  # above zero


def pack(tensors: Tensors) -> Tensors:
    """Tensors as they are stored.

    A matrix of floats ``x.weight`` becomes int8, and ``x.weight.scales`` are float16 (outputs, groups): the
    value that 127 stands for, which is the largest of its group. What :func:`unpack` gives is stored as the
    same bytes again.
    """
    stored: Tensors = {}
    for name, array in tensors.items():
        if name.endswith(".weight") and array.dtype.kind == "f" and array[0].size >= MIN_INPUTS:
            stored[name], stored[name + SCALES] = _to_bytes(array)
        else:
            stored[name] = array
    return stored


def unpack(stored: Tensors) -> Tensors:
    """Tensors as they were packed, matrices of bytes as float32.

    Args:
        stored: checked (:func:`mtcodec.networks.weights.tensors.check`).
    """
    tensors = {name: array for name, array in stored.items() if not name.endswith(SCALES)}
    for name, largest in stored.items():
        if name.endswith(SCALES):
            matrix = name.removesuffix(SCALES)
            tensors[matrix] = _to_floats(tensors[matrix], largest)
    return tensors


def scales_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(outputs, groups) of a matrix, from its shape."""
    return shape[0], -(-math.prod(shape[1:]) // GROUP)


def _to_bytes(array: Array) -> tuple[Array, Array]:
    """A matrix as int8, and the largest magnitude of every group as float16."""
    groups = _groups(array.astype(np.float32))
    largest = np.abs(groups).max(2).astype(np.float16)
    factors = np.maximum(largest, MIN_FLOAT16).astype(np.float32) / MAX_INT8
    values = np.clip(np.rint(groups / factors[:, :, None]), -MAX_INT8, MAX_INT8)
    return _flat(values.astype(np.int8), array.shape), largest


def _to_floats(values: Array, largest: Array) -> Array:
    """Back from :func:`_to_bytes`."""
    groups = _groups(values).astype(np.float32)
    groups *= (largest.astype(np.float32) / MAX_INT8)[:, :, None]
    return _flat(groups, values.shape)


def _groups(array: Array) -> Array:
    """As (outputs, groups, inputs of a group), the last group filled with zeros."""
    flat = array.reshape(len(array), -1)
    if padding := -flat.shape[1] % GROUP:
        flat = np.pad(flat, ((0, 0), (0, padding)))
    return flat.reshape(len(flat), -1, GROUP)


def _flat(groups: Array, shape: tuple[int, ...]) -> Array:
    """Back from :func:`_groups`."""
    return np.ascontiguousarray(groups.reshape(len(groups), -1)[:, : math.prod(shape[1:])]).reshape(shape)
