"""Fast analysis and synthesis transforms: 8×8 pixel unshuffle, then depthwise residual blocks.

No layer works above 1/8 of the image's resolution; latents are at 1/16. Patches enter and leave through
a ``basis``, which training starts as their Karhunen–Loève transform, scaled to equal variances
(``training/klt.py``): pixels are so correlated that networks on raw patches learn details very slowly. A
``linear`` 16×16 block transform beside the networks carries the coarse shades from the first step on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.models.backbones.backbone import Backbone, Names
from mtcodec.models.config import ModelConfig

PATCH, BLOCK = 8, 16


class Block(nn.Module):
    """x + 1×1(leaky(1×1(depthwise 3×3(x)))), expanding the channels twice in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.project = nn.Conv2d(2 * channels, channels, 1)
        with torch.no_grad():
            self.project.weight *= 0.3

    def forward(self, x: Tensor) -> Tensor:
        update: Tensor = self.project(F.leaky_relu(self.expand(self.depthwise(x)), 0.05))
        return x + update


class Modulation(nn.Module):
    """Scale and shift of every channel from a small vector (qualities, presence of tasks)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, 64)
        self.output = nn.Linear(64, 2 * channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        scale, shift = self.output(F.leaky_relu(self.hidden(vector)))[:, :, None, None].chunk(2, 1)
        modulated: Tensor = x * (1 + scale) + shift
        return modulated


class Analysis(nn.Module):
    """g_a: all tasks' planes in [0, 1], absent ones zero after centring → latents of all streams.

    ::

        (B, ΣC, H, W) ─unshuffle 8─► 1×1 ─► blocks at 1/8 ─► unshuffle 2, 1×1 ─► blocks at 1/16 ─► 1×1 ─► +
              │                       ▲ qualities, presence                     ▲                         ▲
              └────────unshuffle 16─► 1×1 (linear) ───────────────────────────────────────────────────────┘
    """

    def __init__(
        self, channels: int, latents: int, vector: int, wide: tuple[int, int], deep: tuple[int, int]
    ) -> None:
        super().__init__()
        (c8, n8), (c16, n16) = wide, deep
        self.basis = nn.Conv2d(channels * PATCH**2, c8, 1)
        self.stem = nn.Conv2d(c8, c8, 1)
        self.modulate_8 = Modulation(vector, c8)
        self.blocks_8 = nn.Sequential(*(Block(c8) for _ in range(n8)))
        self.down = nn.Conv2d(4 * c8, c16, 1)
        self.modulate_16 = Modulation(vector, c16)
        self.blocks_16 = nn.Sequential(*(Block(c16) for _ in range(n16)))
        self.out = nn.Conv2d(c16, latents, 1)
        self.linear = nn.Conv2d(channels * BLOCK**2, latents, 1)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        y = self.linear(F.pixel_unshuffle(x, BLOCK).contiguous(memory_format=torch.channels_last))
        x = F.pixel_unshuffle(x, PATCH).contiguous(memory_format=torch.channels_last)
        x = self.blocks_8(self.modulate_8(self.stem(self.basis(x)), vector))
        x = self.down(F.pixel_unshuffle(x, 2))
        x = self.blocks_16(self.modulate_16(x, vector))
        latents: Tensor = self.out(x) + y
        return latents


class Synthesis(nn.Module):
    """g_s of one task: its latents → planes centred on zero, (B, C, H, W); the mirror of g_a."""

    def __init__(
        self, latents: int, channels: int, vector: int, wide: tuple[int, int], deep: tuple[int, int]
    ) -> None:
        super().__init__()
        (c8, n8), (c16, n16) = wide, deep
        self.stem = nn.Conv2d(latents, c16, 1)
        self.modulate_16 = Modulation(vector, c16)
        self.blocks_16 = nn.Sequential(*(Block(c16) for _ in range(n16)))
        self.up = nn.Conv2d(c16, 4 * c8, 1)
        self.modulate_8 = Modulation(vector, c8)
        self.blocks_8 = nn.Sequential(*(Block(c8) for _ in range(n8)))
        self.head = nn.Conv2d(c8, c8, 1)
        self.basis = nn.Conv2d(c8, channels * PATCH**2, 1)
        self.linear = nn.Conv2d(latents, channels * BLOCK**2, 1)

    def forward(self, latent: Tensor, vector: Tensor) -> Tensor:
        latent = latent.contiguous(memory_format=torch.channels_last)
        x = self.stem(latent)
        x = self.blocks_16(self.modulate_16(x, vector))
        x = F.pixel_shuffle(self.up(x), 2).contiguous(memory_format=torch.channels_last)
        x = self.blocks_8(self.modulate_8(x, vector))
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 pixels would cap the PSNR
            blocks = F.pixel_shuffle(self.linear(latent.to(self.linear.weight.dtype)), BLOCK)
            return F.pixel_shuffle(self.basis(self.head(x.to(self.head.weight.dtype))), PATCH) + blocks


def _analysis(config: ModelConfig, read: Names, made: Names) -> Analysis:
    channels = sum(t.channels for t in config.tasks if t.name in read)
    latents = sum(config.channels(name) for name in made)
    return Analysis(channels, latents, len(read) + len(made), config.encoder_8, config.encoder_16)


def _synthesis(config: ModelConfig, task: str) -> Synthesis:
    reads = config.graph.reads[task]
    latents = sum(config.channels(name) for name in reads)
    return Synthesis(latents, config.task(task).channels, len(reads), config.decoder_8, config.decoder_16)


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
