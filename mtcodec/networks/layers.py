"""What networks are made of: layers, which have parameters, and the operations between them.

The structure of a network is a function over :class:`Operations`, said once. torch computes it
(:mod:`mtcodec.networks.pytorch.layers`: training, CUDA), and graphs for onnxruntime are made of it
(:mod:`mtcodec.networks.onnx.graph`). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Maps = Any
"""Feature maps (B, C, H, W) with arithmetic operators: tensors, arrays, or values of a graph to be made."""


@dataclass(frozen=True)
class Layer:
    """A layer with parameters.

    ``conv`` is a convolution, padded by half its kernel, ``up`` its transposed form, ``dense`` one of maps of
    one pixel. ``integer`` is a convolution in exact arithmetic (:mod:`mtcodec.networks.entropy.integer`).
    ``gdn`` and ``igdn`` are generalised divisive normalisation and its inverse (Ballé et al. 2016),
    y_i = x_i / sqrt(β_i + Σ_j γ_ij x_j²), or times the root; β, γ ≥ 0 are stored as their roots.

    Attributes:
        precise: computed in float32, whatever the precision of the others.
        gain: of the weights that training starts with, over the usual ones.
    """

    inputs: int
    outputs: int
    kind: str = "conv"
    kernel: int = 1
    groups: int = 1
    stride: int = 1
    precise: bool = False
    gain: float = 1.0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of its parameters by name."""
        if self.kind in ("gdn", "igdn"):
            return {"beta_root": (self.outputs,), "gamma_root": (self.outputs, self.inputs)}
        if self.kind == "dense":
            return {"weight": (self.outputs, self.inputs), "bias": (self.outputs,)}
        channels = (self.outputs, self.inputs // self.groups)
        channels = channels[::-1] if self.kind == "up" else channels
        return {"weight": (*channels, self.kernel, self.kernel), "bias": (self.outputs,)}


Layers = dict[str, Layer]
"""By name, in the order in which parameters are registered; parts of names are separated by dots."""
BETA_MIN = 1e-6  # of GDN


def depthwise(channels: int, kind: str = "conv") -> Layer:
    """A 3×3 convolution of every channel by itself."""
    return Layer(channels, channels, kind, kernel=3, groups=channels)


def prefixed(prefix: str, layers: Layers) -> Layers:
    """``layers`` with ``prefix`` and a dot before their names."""
    return {f"{prefix}.{name}": layer for name, layer in layers.items()}


class Arithmetic(Protocol):
    """Operations without parameters."""

    def cat(self, parts: Sequence[Maps], /) -> Maps:
        """Maps one after the other, by channels."""

    def round_clamp(self, x: Maps, low: float, high: float, /) -> Maps:
        """Nearest integers (ties to even) within [low, high]; differentiable straight through."""

    def clamp(self, x: Maps, low: float, high: float, /) -> Maps: ...

    def float64(self, x: Maps, /) -> Maps: ...

    def float32(self, x: Maps, /) -> Maps: ...

    def detached(self, x: Maps, /) -> Maps:
        """Without gradients."""


class Operations(Arithmetic, Protocol):
    """Layers and operations of one network."""

    def layer(self, name: str, x: Maps, /) -> Maps:
        """The layer called ``name`` applied to ``x``."""

    def leaky_relu(self, x: Maps, slope: float, /) -> Maps: ...

    def unshuffle(self, x: Maps, side: int, /) -> Maps:
        """Blocks of side×side pixels to channels, (B, C, H, W) → (B, C·side², H/side, W/side)."""

    def shuffle(self, x: Maps, side: int, /) -> Maps:
        """The inverse of :meth:`unshuffle`."""

    def split(self, x: Maps, channels: Sequence[int], /) -> Sequence[Maps]:
        """Maps of so many channels each, one after the other."""
