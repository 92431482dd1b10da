"""Start the bases and linear paths of the transforms as Karhunen–Loève transforms of the training scenes.

Tasks are stacked in units of the quantisation step Δ that suits their weight at the middle quality, so
that unit steps are the best uniform quantiser of orthonormal components
(Δ² = 6 C / (ln 2 · λ · 255² · weight) for C channels).
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec import quality
from mtcodec.models.conditional import Conditional
from mtcodec.models.transforms import BLOCK, PATCH
from mtcodec.training.dataset import Batch, Scenes
from mtcodec.training.objective import lambda_of

COARSE = 16  # components of 16×16 blocks that the shared stream carries linearly from the start
STRENGTH, COMPRESSION = 3.0, 0.6  # those stronger than 3 steps keep the power 0.4 of their excess
WHITENING = 0.75  # basis components are divided by this power of their standard deviation
START = 0.1  # of the networks' output, relative to the variance of the scenes


def principal(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` strongest components of centred ``rows`` (N, D), and their standard deviations.

    Components are orthonormal columns, (D, count). Where D is smaller than ``count``, the rest is zero, with
    deviations of 1.
    """
    values, vectors = torch.linalg.eigh(rows.T @ rows / rows.shape[0])
    vectors, values = vectors.flip(1)[:, :count], values.flip(0)[:count]
    missing = count - vectors.shape[1]
    deviations = values.clamp_min(1e-8).sqrt()
    return F.pad(vectors, (0, missing)), F.pad(deviations, (0, missing), value=1.0)


def stack(model: Conditional, batch: Batch, size: int) -> tuple[list[Tensor], list[float]]:
    """Patches of every task, (N, C·size²) in units of Δ, and Δ by task."""
    lam = float(lambda_of(torch.tensor(quality.STEPS / 2)))
    parts, steps = [], []
    for task in model.config.tasks:
        delta = math.sqrt(6 * task.channels / (math.log(2) * lam * 255**2 * task.weight))
        patches = F.pixel_unshuffle(batch.planes[task.name] - 0.5, size) / delta
        parts.append(patches.permute(0, 2, 3, 1).flatten(0, 2))
        steps.append(delta)
    return parts, steps


def assign(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight[:, :, None, None])
    assert layer.bias is not None
    layer.bias.copy_(bias)


@torch.no_grad()
def initialise(model: Conditional, scenes: Scenes, crops: int = 600, seed: int = 0) -> None:
    """Set bases and linear layers of ``model`` from random crops of ``scenes``."""
    batch = scenes.batch(crops, 4 * BLOCK, 0.0, random.Random(seed))
    initialise_linear(model, batch)
    parts, steps = stack(model, batch, PATCH)
    rows = torch.cat(parts, dim=1)
    mean = rows.mean(0)
    vectors, deviations = principal(rows - mean, model.g_a.basis.out_channels)
    scale = torch.cat([torch.full((p.shape[1],), 1 / d) for p, d in zip(parts, steps)])
    matrix = vectors.T / deviations[:, None] ** WHITENING
    assign(model.g_a.basis, matrix * scale, -matrix @ mean)
    for task, part, delta in zip(model.config.tasks, parts, steps):
        synthesis = model.synthesis(task.name)
        vectors, deviations = principal(part - part.mean(0), synthesis.basis.in_channels)
        columns = vectors * deviations**WHITENING * (START * delta)
        assign(synthesis.basis, columns, torch.zeros(columns.shape[0]))


def initialise_linear(model: Conditional, batch: Batch) -> None:
    """The shared stream starts with the strongest joint components of blocks, every task with nothing."""
    n = model.config.latents
    parts, steps = stack(model, batch, BLOCK)
    rows = torch.cat(parts, dim=1)
    mean = rows.mean(0)
    count = min(COARSE, n)
    vectors, deviations = principal(rows - mean, count)
    shrink = (deviations / STRENGTH).clamp(min=1.0) ** -COMPRESSION
    scale = torch.cat([torch.full((p.shape[1],), 1 / d) for p, d in zip(parts, steps)])
    matrix = vectors.T * shrink[:, None]
    rest = model.g_a.linear.out_channels - count
    assign(model.g_a.linear, F.pad(matrix * scale, (0, 0, 0, rest)), F.pad(-matrix @ mean, (0, rest)))
    sizes = [p.shape[1] for p in parts]
    shares = (vectors / shrink).split(sizes, dim=0)
    for task, share, delta, centre in zip(model.config.tasks, shares, steps, mean.split(sizes)):
        synthesis = model.synthesis(task.name)
        assign(synthesis.linear, F.pad(share * delta, (0, 2 * n - count)), centre * delta)
