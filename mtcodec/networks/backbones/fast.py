"""Fast analysis and synthesis transforms: 8×8 pixel unshuffle, then depthwise residual blocks.

No layer works above 1/8 of the image's resolution; latents are at 1/16. Patches enter and leave through
a ``basis``, which training starts as their Karhunen–Loève transform, scaled to equal variances
(``train/klt.py``): pixels are so correlated that networks on raw patches learn details very slowly. A
``linear`` 16×16 block transform beside the networks carries the coarse shades from the beginning of
training on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtcodec.networks.backbones.backbone import Backbone, Names
from mtcodec.networks.layers import Layer, Layers, Maps, Operations, depthwise, prefixed

if TYPE_CHECKING:
    from mtcodec.networks.config import ModelConfig

PATCH, BLOCK = 8, 16
HIDDEN = 64  # channels of the networks that modulate


def blocks_layers(name: str, channels: int, count: int) -> Layers:
    block = {
        "depthwise": depthwise(channels),
        "expand": Layer(channels, 2 * channels),
        "project": Layer(2 * channels, channels, gain=0.3),
    }
    return {f"{name}.{i}.{part}": layer for i in range(count) for part, layer in block.items()}


def blocks(net: Operations, name: str, count: int, x: Maps) -> Maps:
    """x + 1×1(leaky(1×1(depthwise 3×3(x)))), several times, expanding the channels twice in between."""
    for i in range(count):
        y = net.layer(f"{name}.{i}.expand", net.layer(f"{name}.{i}.depthwise", x))
        x = x + net.layer(f"{name}.{i}.project", net.leaky_relu(y, 0.05))
    return x


def modulation_layers(inputs: int, channels: int) -> Layers:
    return {
        "hidden": Layer(inputs, HIDDEN, "dense"),
        "output": Layer(HIDDEN, 2 * channels, "dense", gain=0.0),
    }


def modulate(net: Operations, name: str, channels: int, x: Maps, vector: Maps) -> Maps:
    """Scale and shift every channel by what a small vector (qualities, presence of tasks) says."""
    hidden = net.leaky_relu(net.layer(f"{name}.hidden", vector), 0.01)
    scale, shift = net.split(net.layer(f"{name}.output", hidden), [channels] * 2)
    return x * (1.0 + scale) + shift


@dataclass(frozen=True)
class Sizes:
    """Sizes of a transform.

    Attributes:
        channels: of planes. latents: channels of latents. vector: entries of the vector that modulates.
        at_8: (channels, blocks) at 1/8 of the image's resolution. at_16: the same at 1/16.
    """

    channels: int
    latents: int
    vector: int
    at_8: tuple[int, int]
    at_16: tuple[int, int]

    @property
    def halo(self) -> int:
        """In latents: a block sees one place beyond its own; those at 1/8 are half as wide as latents."""
        return -(-self.at_8[1] // 2) + self.at_16[1]


class Analysis(Sizes):
    """g_a: all tasks' planes, centred on zero, absent ones zero → latents of all streams.

    ::

        (B, ΣC, H, W) ─unshuffle 8─► 1×1 ─► blocks at 1/8 ─► unshuffle 2, 1×1 ─► blocks at 1/16 ─► 1×1 ─► +
              │                       ▲ qualities, presence                     ▲                         ▲
              └────────unshuffle 16─► 1×1 (linear) ───────────────────────────────────────────────────────┘
    """

    @property
    def layers(self) -> Layers:
        (c8, n8), (c16, n16) = self.at_8, self.at_16
        return {
            "basis": Layer(self.channels * PATCH**2, c8),
            "stem": Layer(c8, c8),
            **prefixed("modulate_8", modulation_layers(self.vector, c8)),
            **blocks_layers("blocks_8", c8, n8),
            "down": Layer(4 * c8, c16),
            **prefixed("modulate_16", modulation_layers(self.vector, c16)),
            **blocks_layers("blocks_16", c16, n16),
            "out": Layer(c16, self.latents),
            "linear": Layer(self.channels * BLOCK**2, self.latents),
        }

    def __call__(self, net: Operations, x: Maps, vector: Maps) -> Maps:
        (c8, n8), (c16, n16) = self.at_8, self.at_16
        y = net.layer("linear", net.unshuffle(x, BLOCK))
        x = net.layer("stem", net.layer("basis", net.unshuffle(x, PATCH)))
        x = blocks(net, "blocks_8", n8, modulate(net, "modulate_8", c8, x, vector))
        x = net.layer("down", net.unshuffle(x, 2))
        x = blocks(net, "blocks_16", n16, modulate(net, "modulate_16", c16, x, vector))
        return net.layer("out", x) + y


class Synthesis(Sizes):
    """g_s of one task: its latents → planes centred on zero, (B, C, H, W); the mirror of g_a.

    Its last layers work in float32: pixels of lower precision would limit the PSNR.
    """

    @property
    def layers(self) -> Layers:
        (c8, n8), (c16, n16) = self.at_8, self.at_16
        return {
            "stem": Layer(self.latents, c16),
            **prefixed("modulate_16", modulation_layers(self.vector, c16)),
            **blocks_layers("blocks_16", c16, n16),
            "up": Layer(c16, 4 * c8),
            **prefixed("modulate_8", modulation_layers(self.vector, c8)),
            **blocks_layers("blocks_8", c8, n8),
            "head": Layer(c8, c8, precise=True),
            "basis": Layer(c8, self.channels * PATCH**2, precise=True),
            "linear": Layer(self.latents, self.channels * BLOCK**2, precise=True),
        }

    def __call__(self, net: Operations, latent: Maps, vector: Maps) -> Maps:
        (c8, n8), (c16, n16) = self.at_8, self.at_16
        x = modulate(net, "modulate_16", c16, net.layer("stem", latent), vector)
        x = net.shuffle(net.layer("up", blocks(net, "blocks_16", n16, x)), 2)
        x = blocks(net, "blocks_8", n8, modulate(net, "modulate_8", c8, x, vector))
        coarse = net.shuffle(net.layer("linear", latent), BLOCK)
        return net.shuffle(net.layer("basis", net.layer("head", x)), PATCH) + coarse


def _analysis(config: ModelConfig, tasks: Names, streams: Names) -> Analysis:
    channels = sum(t.channels for t in config.tasks if t.name in tasks)
    vector = len(tasks) + len(streams)
    return Analysis(channels, config.channels(*streams), vector, config.encoder_8, config.encoder_16)


def _synthesis(config: ModelConfig, task: str) -> Synthesis:
    streams = config.graph.reads[task]
    channels, latents = config.task(task).channels, config.channels(*streams)
    return Synthesis(channels, latents, len(streams), config.decoder_8, config.decoder_16)


BACKBONE = Backbone(
    _analysis,
    _synthesis,
    sizes={  # equally many parameters within 2 %, for three tasks
        "single": {"latents": 84, "encoder_8": (88, 4), "encoder_16": (134, 5)},
        "mixed": {"shared_latents": 224, "hyper": 48, "entropy_width": 152},
        "disjoint": {"latents": 84, "entropy_width": 124},
        "shared": {},
        "conditional": {},
    },
    blocks=(PATCH, BLOCK),
)
