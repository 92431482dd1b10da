"""Parameters and multiply-accumulates of a model's parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtcodec.networks.backbones.backbone import Transform
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import GainVectors
from mtcodec.networks.entropy.stream import Stream
from mtcodec.networks.layers import Layers
from mtcodec.networks.structure import LATENT_SIDE, Structure, key

SCENE_SIDE = 256  # pixels, of the scene that is counted


@dataclass
class PartCost:
    """What a part of a model costs.

    Attributes:
        kmac: thousand multiply-accumulates per pixel of a scene with all tasks.
        used: ``"encode"``, ``"decode"`` or ``"both"``; empty for sums of parts.
    """

    name: str
    parameters: int = 0
    kmac: float = 0.0
    used: str = ""


def table(config: ModelConfig) -> list[PartCost]:
    """Costs by part, and for encoding, decoding everything, and decoding each task alone."""
    structure, graph = Structure(config), config.graph
    analyses = []
    for tasks, _ in graph.analyses:
        planes = sum(config.task(name).channels for name in tasks)
        analyses.append(_transform("analysis", "encode", structure.analyses[key(tasks)], planes, SCENE_SIDE))
    parts = [_total("analysis", analyses, "encode")]
    for name, stream in structure.streams.items():
        hyper = Counter(f"hyper-analysis {name}", "encode", stream.layers)
        stream.hyper_analysis(hyper, MapSize(stream.channels, LATENTS_SIDE))
        parts += [hyper.cost, _entropy_networks(name, stream)]
    for name, transform in structure.syntheses.items():
        latents = config.channels(*graph.reads[name])
        parts.append(_transform(f"synthesis {name}", "decode", transform, latents, LATENTS_SIDE))
    return parts + _totals(parts, config)


def _transform(name: str, used: str, transform: Transform, channels: int, side: int) -> PartCost:
    counter = Counter(name, used, transform.layers)
    transform(counter, MapSize(channels, side), VECTOR)
    return counter.cost


def _entropy_networks(name: str, stream: Stream) -> PartCost:
    """The integer networks of all coding passes of a stream, and its tables."""
    counter = Counter(f"entropy {name}", "both", stream.layers)
    gains = GainVectors(VECTOR, VECTOR, VECTOR, VECTOR)
    condition = MapSize(stream.conditions, LATENTS_SIDE) if stream.conditions else None
    features, _, _ = stream.first(counter, MapSize(stream.hyper, LATENTS_SIDE // 4), gains, condition)
    for k in range(1, order.PASSES):
        stream.following(counter, k, features, MapSize(stream.channels, LATENTS_SIDE), gains)
    counter.cost.parameters += sum(math.prod(shape) for n, shape in stream.tables.items() if n != "offset")
    return counter.cost


def _totals(parts: list[PartCost], config: ModelConfig) -> list[PartCost]:
    totals = [
        _total("all", parts),
        _total("all encoding", [part for part in parts if part.used != "decode"]),
        _total("all decoding", [part for part in parts if part.used != "encode"]),
    ]
    for name, streams in config.graph.reads.items():
        needed = {*(f"entropy {stream}" for stream in streams), f"synthesis {name}"}
        totals.append(_total(f"decoding {name}", [part for part in parts if part.name in needed]))
    return totals


def _total(label: str, parts: list[PartCost], used: str = "") -> PartCost:
    return PartCost(label, sum(part.parameters for part in parts), sum(part.kmac for part in parts), used)


@dataclass(frozen=True)
class MapSize:
    """Channels and side of maps; arithmetic keeps the larger side."""

    channels: int
    side: int

    def _larger(self, operand: Any) -> MapSize:
        return operand if isinstance(operand, MapSize) and operand.side > self.side else self

    __add__ = __radd__ = __mul__ = __truediv__ = __floordiv__ = _larger


VECTOR = MapSize(0, 1)  # of a small vector that modulates maps of any size
LATENTS_SIDE = SCENE_SIDE // LATENT_SIDE  # side of the scene's latents


class Counter:
    """Operations that count what they cost; see :class:`mtcodec.networks.layers.Operations`."""

    def __init__(self, name: str, used: str, layers: Layers) -> None:
        self.layers, self.cost = layers, PartCost(name, used=used)

    def layer(self, name: str, x: MapSize) -> MapSize:
        layer = self.layers[name]
        shapes = list(layer.shapes.values())
        weights = max(math.prod(shape) for shape in shapes)
        side = x.side * layer.stride if layer.kind == "up" else x.side // layer.stride
        self.cost.parameters += sum(math.prod(shape) for shape in shapes)
        self.cost.kmac += weights * (x.side if layer.kind == "up" else side) ** 2 / SCENE_SIDE**2 / 1000
        return MapSize(layer.outputs, side)

    def unshuffle(self, x: MapSize, side: int) -> MapSize:
        return MapSize(x.channels * side**2, x.side // side)

    def shuffle(self, x: MapSize, side: int) -> MapSize:
        return MapSize(x.channels // side**2, x.side * side)

    def cat(self, parts: Sequence[MapSize]) -> MapSize:
        return MapSize(sum(part.channels for part in parts), parts[0].side)

    def split(self, x: MapSize, channels: Sequence[int]) -> list[MapSize]:
        return [MapSize(count, x.side) for count in channels]

    def _same(self, x: MapSize, *_: float) -> MapSize:
        return x

    leaky_relu = round_clamp = clamp = float64 = float32 = detached = _same
