"""Parameters and multiply-accumulates of a model's parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import Rows
from mtcodec.networks.entropy.stream import Stream
from mtcodec.networks.layers import Layers
from mtcodec.networks.structure import LATENT, Structure, key

SIDE = 256  # of the scene that is counted


@dataclass
class Part:
    name: str
    parameters: int
    kmac: float  # thousand multiply-accumulates per pixel of a scene with all tasks
    used: str  # "encode", "decode" or "both"


def table(config: ModelConfig) -> list[Part]:
    """Costs by part, and for encoding, decoding everything, and decoding each task alone."""
    structure, latent, vector = Structure(config), SIDE // LATENT, Size(0, 1)
    parts = [Part("analysis", 0, 0.0, "encode")]
    for read, _ in structure.graph.analyses:
        own, net = structure.analyses[key(read)], Counter(structure.analyses[key(read)].layers)
        own(net, Size(sum(config.task(name).channels for name in read), SIDE), vector)
        parts[0].parameters += net.parameters
        parts[0].kmac += net.kmac
    for name, stream in structure.streams.items():
        hyper, net = Counter(stream.layers), Counter(stream.layers)
        stream.hyper_analysis(hyper, Size(stream.channels, latent))
        walk(stream, net, latent)
        tables = sum(math.prod(shape) for n, shape in stream.tables.items() if n != "offset")
        parts.append(Part(f"hyper-analysis {name}", hyper.parameters, hyper.kmac, "encode"))
        parts.append(Part(f"entropy {name}", net.parameters + tables, net.kmac, "both"))
    for name, synthesis in structure.syntheses.items():
        net = Counter(synthesis.layers)
        synthesis(net, Size(sum(config.channels(n) for n in structure.graph.reads[name]), latent), vector)
        parts.append(Part(f"synthesis {name}", net.parameters, net.kmac, "decode"))
    return parts + _totals(parts, config)


def walk(stream: Stream, net: Counter, side: int) -> None:
    """Count the integer networks of all steps of a stream."""
    rows = Rows(**dict.fromkeys(("gain", "offset", "bias", "z_index"), Size(0, 1)))
    condition = Size(stream.conditions, side) if stream.conditions else None
    features, _, _ = stream.first(net, Size(stream.hyper, side // 4), rows, condition)
    for step in range(1, order.STEPS):
        stream.following(net, step, features, Size(stream.channels, side), rows)


def _totals(parts: list[Part], config: ModelConfig) -> list[Part]:
    def total(label: str, chosen: list[Part]) -> Part:
        return Part(label, sum(p.parameters for p in chosen), sum(p.kmac for p in chosen), "")

    rows = [
        total("all", parts),
        total("all encoding", [p for p in parts if p.used != "decode"]),
        total("all decoding", [p for p in parts if p.used != "encode"]),
    ]
    for name, streams in config.graph.reads.items():
        needed = {*(f"entropy {stream}" for stream in streams), f"synthesis {name}"}
        rows.append(total(f"decoding {name}", [p for p in parts if p.name in needed]))
    return rows


@dataclass(frozen=True)
class Size:
    """Channels and side of maps; arithmetic keeps the larger side."""

    channels: int
    side: int

    def _with(self, other: Any) -> Size:
        return other if isinstance(other, Size) and other.side > self.side else self

    __add__ = __radd__ = __mul__ = __truediv__ = __floordiv__ = _with


class Counter:
    """Operations that count; see :class:`mtcodec.networks.layers.Operations`."""

    def __init__(self, layers: Layers) -> None:
        self.layers, self.parameters, self.kmac = layers, 0, 0.0

    def layer(self, name: str, x: Size) -> Size:
        layer = self.layers[name]
        shapes = list(layer.shapes.values())
        weights = max(math.prod(shape) for shape in shapes)
        side = x.side * layer.stride if layer.kind == "up" else x.side // layer.stride
        self.parameters += sum(math.prod(shape) for shape in shapes)
        self.kmac += weights * (x.side if layer.kind == "up" else side) ** 2 / SIDE**2 / 1000
        return Size(layer.outputs, side)

    def unshuffle(self, x: Size, side: int) -> Size:
        return Size(x.channels * side**2, x.side // side)

    def shuffle(self, x: Size, side: int) -> Size:
        return Size(x.channels // side**2, x.side * side)

    def cat(self, parts: Sequence[Size]) -> Size:
        return Size(sum(part.channels for part in parts), parts[0].side)

    def split(self, x: Size, channels: Sequence[int]) -> list[Size]:
        return [Size(count, x.side) for count in channels]

    def halves(self, x: Size) -> list[Size]:
        return self.split(x, [x.channels // 2] * 2)

    def where(self, mask: Size, x: Size, y: Size) -> Size:
        return x

    def _same(self, x: Size, *_: float) -> Size:
        return x

    leaky_relu = round_clamp = clamp = float64 = float32 = detached = _same
