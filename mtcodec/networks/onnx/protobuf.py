"""Graphs in the bytes of the Open Neural Network Exchange format (ONNX), which onnxruntime reads.

A message of protocol buffers is a row of fields: a key (number · 8 + type), then a varint (type 0),
four bytes (type 5), or a length and so many bytes (type 2). So little of it is needed that it is
written here: the package ``onnx`` takes longer to import than decoding a scene takes. Tests read the
graphs with it. Numbers of fields are those of ``onnx.proto3``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Attribute = int | float | str | Sequence[int]
IR_VERSION, OPSET = 8, 17
TYPES = {"float32": 1, "int64": 7, "float64": 11}  # of tensors


def _varint(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    value &= (1 << 64) - 1  # negative numbers are written as 64 bits
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    return bytes([*result, value])


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, values: Array) -> tuple[bytes, Array]:
    """A TensorProto: its first bytes, and those of its values, which are copied only when a model is made."""
    dims = b"".join(_int(1, side) for side in values.shape)
    head = dims + _int(2, TYPES[values.dtype.name]) + _bytes(8, name)
    raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return head + _varint(9 << 3 | 2) + _varint(len(raw)), raw


def node(
    operator: str, inputs: Iterable[str], outputs: Iterable[str], attributes: Mapping[str, Attribute]
) -> bytes:
    """A NodeProto."""
    names = b"".join(_bytes(1, name) for name in inputs) + b"".join(_bytes(2, name) for name in outputs)
    fields = b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
    return names + _bytes(4, operator) + fields


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name) + _int(3, value) + _int(20, 2)
    if isinstance(value, float):
        return _bytes(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _int(20, 1)
    if isinstance(value, str):
        return _bytes(1, name) + _bytes(4, value) + _int(20, 3)
    return _bytes(1, name) + b"".join(_int(8, number) for number in value) + _int(20, 7)


def value_info(name: str) -> bytes:
    """A ValueInfoProto of float32 maps (B, C, H, W) of any size."""
    shape = b"".join(_bytes(1, _bytes(2, f"{name}_{i}")) for i in range(4))
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, TYPES["float32"]) + _bytes(2, shape)))


def model(
    nodes: Iterable[bytes],
    tensors: Iterable[tuple[bytes, Array]],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
) -> bytes:
    """A ModelProto of messages that :func:`node`, :func:`tensor` and :func:`value_info` made."""
    parts: list[Any] = [*(_bytes(1, message) for message in nodes), _bytes(2, b"networks")]
    for head, raw in tensors:
        parts += [_varint(5 << 3 | 2) + _varint(len(head) + len(raw)), head, raw.data]
    parts += [_bytes(11, message) for message in inputs] + [_bytes(12, message) for message in outputs]
    graph = _varint(7 << 3 | 2) + _varint(sum(len(part) for part in parts))
    opset = _bytes(8, _bytes(1, "") + _int(2, OPSET))
    return b"".join([_int(1, IR_VERSION), graph, *parts, opset])
