"""The paper's transforms: strided 5×5 convolutions with (inverse) generalised divisive normalisation.

The layers of the Scale Hyperprior (Ballé et al. 2018), a first layer ("head") for every task, and a
synthesis for every task; latents at 1/16. Outputs equal those of compressai's ``ScaleHyperprior`` with the
same weights (``tests/models/test_backbones.py``); the layers are written out here because decoding does
without compressai.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.models.backbones.backbone import Backbone, Names
from mtcodec.models.config import ModelConfig

BETA_MIN = 1e-6


class GDN(nn.Module):
    """y_i = x_i / sqrt(β_i + Σ_j γ_ij x_j²), or times the root if ``inverse`` (Ballé et al. 2016).

    β and γ are kept non-negative by storing their roots.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta_root = nn.Parameter(torch.ones(channels))
        # a gradient through a square vanishes at zero: off the diagonal start just beside it
        roots = torch.full((channels, channels), 2.0**-9)
        roots.diagonal().add_(0.1**0.5)
        self.gamma_root = nn.Parameter(roots)

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma_root.square()[:, :, None, None]
        norm = F.conv2d(x.square(), gamma, self.beta_root.square() + BETA_MIN)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))


def down(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 5, stride=2, padding=2)


def up(c_in: int, c_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(c_in, c_out, 5, stride=2, padding=2, output_padding=1)


class Analysis(nn.Module):
    """g_a: planes of T tasks, (B, ΣC, H, W) → latents at 1/16; T·``head`` channels in between."""

    def __init__(self, channels: Sequence[int], latents: int, head: int) -> None:
        super().__init__()
        width = len(channels) * head
        self.channels = list(channels)
        self.heads = nn.ModuleList(nn.Sequential(down(c, head), GDN(head)) for c in channels)
        self.trunk = nn.Sequential(
            *(down(width, width), GDN(width), down(width, width), GDN(width), down(width, latents))
        )

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """``vector`` is not used: quality acts through the streams' gains alone."""
        parts = x.split(self.channels, dim=1)
        y: Tensor = self.trunk(torch.cat([head(part) for head, part in zip(self.heads, parts)], dim=1))
        return y


class Synthesis(nn.Module):
    """g_s of one task: its latents → planes centred on zero; the mirror of g_a with one task's head."""

    def __init__(self, latents: int, channels: int, head: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(up(latents, width), GDN(width, inverse=True), up(width, width), GDN(width, inverse=True)),
            *(up(width, head), GDN(head, inverse=True), up(head, channels)),
        )

    def forward(self, latent: Tensor, vector: Tensor) -> Tensor:
        """``vector`` is not used: quality acts through the streams' gains alone."""
        planes: Tensor = self.layers(latent)
        return planes.float()


def _analysis(config: ModelConfig, read: Names, made: Names) -> Analysis:
    channels = [t.channels for t in config.tasks if t.name in read]
    return Analysis(channels, sum(config.channels(name) for name in made), config.head)


def _synthesis(config: ModelConfig, task: str) -> Synthesis:
    latents = sum(config.channels(name) for name in config.graph.reads[task])
    width = config.head * max(len(read) for read, _ in config.graph.analyses)
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
