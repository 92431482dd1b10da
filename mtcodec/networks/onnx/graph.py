"""Networks as graphs for onnxruntime, made in memory of a structure and tensors.

A :class:`Graph` carries out the operations of a structure by writing them down. Values know their type alone;
sizes are left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtcodec.networks.entropy.integer import WEIGHT_UNIT
from mtcodec.networks.layers import BETA_MIN, Layer, Layers
from mtcodec.networks.onnx import protobuf

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Value:
    """A value of a graph, with the arithmetic of arrays.

    Attributes:
        double: is it float64, and not float32?
        matrix: the 1×1 convolution that gives it, if one does.
    """

    graph: Graph
    name: str
    channels: int
    double: bool = False
    matrix: Matrix | None = None

    def _apply(self, operator: str, operand: Value | float) -> Value:
        names = [self.name, self.graph.operand(operand, self.double)]
        channels = max(self.channels, operand.channels) if isinstance(operand, Value) else self.channels
        return self.graph.add(operator, names, channels, self.double)

    def __add__(self, operand: Value | float) -> Value:
        return self._apply("Add", operand)

    def __radd__(self, operand: float) -> Value:
        return self._apply("Add", operand)

    def __mul__(self, operand: Value | float) -> Value:
        return self._apply("Mul", operand)

    def __truediv__(self, operand: Value | float) -> Value:
        return self._apply("Div", operand)

    def __floordiv__(self, operand: Value | float) -> Value:
        """Right where the quotient is not so near to an integer above that it is rounded to it."""
        return self.graph.add("Floor", [self._apply("Div", operand).name], self.channels, self.double)


@dataclass(frozen=True)
class Matrix:
    """A 1×1 convolution of ``source``."""

    source: Value
    weight: Array  # (C_out, C_in), float32
    bias: Array

    def then(self, weight: Array, bias: Array) -> Matrix:
        """The one convolution that this and another one after it are together."""
        double = weight.astype(np.float64)
        product, offset = double @ self.weight, double @ self.bias + bias
        return Matrix(self.source, product.astype(np.float32), offset.astype(np.float32))


class Graph:
    """Writes down the operations of one network; see :class:`mtcodec.networks.layers.Operations`.

    Args:
        layers: of the network.
        tensors: of the whole model by name. prefix: of the network's names in it.
    """

    def __init__(self, layers: Layers, tensors: Mapping[str, Array], prefix: str) -> None:
        self.layers, self.tensors, self.prefix = layers, tensors, prefix
        self.nodes: list[bytes] = []
        self.initializers: dict[str, tuple[bytes, Array]] = {}
        self.inputs: list[bytes] = []
        self.outputs: list[bytes] = []
        self.count = 0

    # --- the graph ---------------------------------------------------------------------------------

    def input(self, name: str, channels: int) -> Value:
        """An input of the graph, float32 (B, C, H, W)."""
        self.inputs.append(protobuf.value_info(name))
        return Value(self, name, channels)

    def output(self, *values: Value) -> None:
        """Make ``values`` the outputs of the graph."""
        for i, value in enumerate(values):
            self.nodes.append(protobuf.node("Identity", [value.name], [f"output_{i}"], {}))
            self.outputs.append(protobuf.value_info(f"output_{i}"))

    def to_bytes(self) -> bytes:
        """The model as onnxruntime loads it."""
        return protobuf.model(self.nodes, self.initializers.values(), self.inputs, self.outputs)

    def add(
        self, operator: str, inputs: Sequence[str], channels: int, double: bool = False, **attributes: Any
    ) -> Value:
        """A node of one output."""
        name = self._name()
        self.nodes.append(protobuf.node(operator, inputs, [name], attributes))
        return Value(self, name, channels, double)

    def constant(self, values: Array, name: str = "") -> str:
        """Name of a tensor of the graph."""
        name = name or f"{values.dtype.name}_{values.tolist()}"
        if name not in self.initializers:
            self.initializers[name] = protobuf.tensor(name, values)
        return name

    def operand(self, value: Value | float, double: bool) -> str:
        """Name of a value, or of a number in its type."""
        if isinstance(value, Value):
            return value.name
        return self.constant(np.array(value, np.float64 if double else np.float32))

    def _name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    # --- operations --------------------------------------------------------------------------------

    def layer(self, name: str, x: Value) -> Value:
        layer = self.layers[name]
        weights = {n: self.tensors[f"{self.prefix}.{name}.{n}"] for n in layer.shapes}
        if layer.kind in ("gdn", "igdn"):
            return self._normalise(name, layer, x, weights)
        scale = np.float32(WEIGHT_UNIT if layer.kind == "integer" else 1.0)
        arrays = {n: w.astype(np.float32) * scale for n, w in weights.items()}
        if layer.kind == "dense" or (layer.kind == "conv" and layer.kernel == 1):
            weight = arrays["weight"].reshape(layer.outputs, layer.inputs)
            return self._matrix(name, Matrix(x, weight, arrays["bias"]))
        return self._convolve(name, layer, x, arrays)

    def _matrix(self, name: str, matrix: Matrix) -> Value:
        """A 1×1 convolution, which takes in one that is just before it where that is less work."""
        before = matrix.source.matrix
        if (
            before is not None
            and before.weight.shape[1] * len(matrix.weight) < before.weight.size + matrix.weight.size
        ):
            matrix = before.then(matrix.weight, matrix.bias)
        arrays = {"weight": matrix.weight[:, :, None, None], "bias": matrix.bias}
        layer = Layer(matrix.weight.shape[1], len(matrix.weight))
        return replace(self._convolve(name, layer, matrix.source, arrays), matrix=matrix)

    def _convolve(self, name: str, layer: Layer, x: Value, arrays: Mapping[str, Array]) -> Value:
        names = [self.constant(array, f"{name}.{n}") for n, array in arrays.items()]
        side, pad = layer.kernel, layer.kernel // 2
        attributes: dict[str, Any] = {
            "kernel_shape": [side, side],
            "strides": [layer.stride] * 2,
            "group": layer.groups,
            "pads": [pad] * 4,
        }
        if layer.kind == "up":
            attributes["output_padding"] = [layer.stride - 1] * 2
        operator = "ConvTranspose" if layer.kind == "up" else "Conv"
        return self.add(operator, [x.name, *names], layer.outputs, **attributes)

    def _normalise(self, name: str, layer: Layer, x: Value, roots: Mapping[str, Array]) -> Value:
        squares = {n: np.square(root.astype(np.float32)) for n, root in roots.items()}
        arrays = {"gamma": squares["gamma_root"][:, :, None, None], "beta": squares["beta_root"]}
        arrays["beta"] = arrays["beta"] + np.float32(BETA_MIN)
        norm = self._convolve(name, layer, x * x, arrays)
        root = self.add("Sqrt", [norm.name], layer.outputs)
        return x * root if layer.kind == "igdn" else x / root

    def leaky_relu(self, x: Value, slope: float) -> Value:
        return self.add("LeakyRelu", [x.name], x.channels, alpha=slope)

    def unshuffle(self, x: Value, side: int) -> Value:
        blocks = self.add("SpaceToDepth", [x.name], x.channels * side**2, blocksize=side)
        if x.channels == 1:
            return blocks
        order = np.arange(blocks.channels).reshape(side**2, x.channels).T.reshape(-1)  # channels slowest
        name = self.constant(order, f"order_{side}_{x.channels}")
        return self.add("Gather", [blocks.name, name], blocks.channels, axis=1)

    def shuffle(self, x: Value, side: int) -> Value:
        return self.add("DepthToSpace", [x.name], x.channels // side**2, blocksize=side, mode="CRD")

    def cat(self, parts: Sequence[Value]) -> Value:
        return self.add("Concat", [part.name for part in parts], sum(part.channels for part in parts), axis=1)

    def split(self, x: Value, channels: Sequence[int]) -> list[Value]:
        if len(channels) == 1:
            return [x]
        parts = [Value(self, self._name(), count, x.double) for count in channels]
        sizes = self.constant(np.array(channels, np.int64))
        self.nodes.append(protobuf.node("Split", [x.name, sizes], [part.name for part in parts], {"axis": 1}))
        return parts

    def round_clamp(self, x: Value, low: float, high: float) -> Value:
        return self.clamp(self.add("Round", [x.name], x.channels, x.double), low, high)

    def clamp(self, x: Value, low: float, high: float) -> Value:
        limits = [self.operand(float(limit), x.double) for limit in (low, high)]
        return self.add("Clip", [x.name, *limits], x.channels, x.double)

    def float64(self, x: Value) -> Value:
        return self.add("Cast", [x.name], x.channels, True, to=protobuf.TYPES["float64"])

    def float32(self, x: Value) -> Value:
        return self.add("Cast", [x.name], x.channels, to=protobuf.TYPES["float32"])

    def detached(self, x: Value) -> Value:
        return x
