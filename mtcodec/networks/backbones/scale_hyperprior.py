"""The paper's transforms: strided 5×5 convolutions with (inverse) generalised divisive normalisation.

The layers of the Scale Hyperprior (Ballé et al. 2018), a first layer ("head") for every task, and a
synthesis for every task; latents at 1/16. Outputs equal those of compressai's ``ScaleHyperprior`` with the
same weights (``tests/networks/test_backbones.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtcodec.networks.backbones.backbone import Backbone, Names
from mtcodec.networks.layers import Layer, Layers, Maps, Operations, prefixed

if TYPE_CHECKING:
    from mtcodec.networks.config import ModelConfig

HALO = 3  # latents, enough for four 5×5 kernels at 1/2, 1/4, 1/8 and 1/16


def down(inputs: int, outputs: int) -> Layer:
    return Layer(inputs, outputs, kernel=5, stride=2)


def up(inputs: int, outputs: int) -> Layer:
    return Layer(inputs, outputs, "up", kernel=5, stride=2)


def chain(net: Operations, layers: Layers, x: Maps) -> Maps:
    """One layer after the other."""
    for name in layers:
        x = net.layer(name, x)
    return x


@dataclass(frozen=True)
class Analysis:
    """g_a: planes of T tasks, (B, ΣC, H, W) → latents at 1/16; T·``head`` channels in between.

    ``vector`` is not used: quality acts through the streams' gains alone.
    """

    channels: tuple[int, ...]
    latents: int
    head: int
    halo = HALO

    def head_layers(self, task: int) -> Layers:
        layers = {"0": down(self.channels[task], self.head), "1": Layer(self.head, self.head, "gdn")}
        return prefixed(f"heads.{task}", layers)

    @property
    def trunk_layers(self) -> Layers:
        width = len(self.channels) * self.head
        norm = Layer(width, width, "gdn")
        layers = (down(width, width), norm, down(width, width), norm, down(width, self.latents))
        return {f"trunk.{i}": layer for i, layer in enumerate(layers)}

    @property
    def layers(self) -> Layers:
        layers: Layers = {}
        for task in range(len(self.channels)):
            layers |= self.head_layers(task)
        return layers | self.trunk_layers

    def __call__(self, net: Operations, x: Maps, vector: Maps) -> Maps:
        parts = net.split(x, self.channels)
        heads = [chain(net, self.head_layers(i), part) for i, part in enumerate(parts)]
        return chain(net, self.trunk_layers, net.cat(heads))


@dataclass(frozen=True)
class Synthesis:
    """g_s of one task: its latents → planes centred on zero; the mirror of g_a with one task's head.

    ``vector`` is not used.
    """

    latents: int
    channels: int
    head: int
    width: int
    halo = HALO

    @property
    def layers(self) -> Layers:
        wide_norm, narrow_norm = Layer(self.width, self.width, "igdn"), Layer(self.head, self.head, "igdn")
        layers = (
            *(up(self.latents, self.width), wide_norm, up(self.width, self.width), wide_norm),
            *(up(self.width, self.head), narrow_norm, up(self.head, self.channels)),
        )
        return {f"layers.{i}": layer for i, layer in enumerate(layers)}

    def __call__(self, net: Operations, latent: Maps, vector: Maps) -> Maps:
        return net.float32(chain(net, self.layers, latent))


def _analysis(config: ModelConfig, tasks: Names, streams: Names) -> Analysis:
    channels = tuple(t.channels for t in config.tasks if t.name in tasks)
    return Analysis(channels, config.channels(*streams), config.head)


def _synthesis(config: ModelConfig, task: str) -> Synthesis:
    latents = config.channels(*config.graph.reads[task])
    width = config.head * max(len(tasks) for tasks, _ in config.graph.analyses)
    return Synthesis(latents, config.task(task).channels, config.head, width)


BACKBONE = Backbone(
    _analysis,
    _synthesis,
    sizes={  # the paper's: 300 latents in all (each of the networks of ``single`` has that many)
        "single": {"head": 48, "latents": 300, "hyper": 48, "entropy_width": 192},
        "mixed": {"head": 32, "shared_latents": 300, "hyper": 48, "entropy_width": 192},
        "disjoint": {"head": 42, "latents": 100},
        "shared": {"head": 42, "latents": 76, "shared_latents": 72},
        "conditional": {"head": 42, "latents": 76, "shared_latents": 72},
    },
)
