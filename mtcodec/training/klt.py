"""Start the linear paths of the transforms as a Karhunen–Loève transform of the training scenes.

Tasks are stacked in units of the quantisation step Δ that suits their weight at the middle quality, so
that unit steps in every coefficient are the best uniform quantiser (Δ² = 6 C / (ln 2 · λ · 255² · weight)).
The shared stream takes the strongest joint components, every task the strongest of what is left of it.
The few components of long, smooth shades are scaled down: neighbours and the networks predict them, and
the entropy networks see latents in a limited range.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn import functional as F

from mtcodec.models import quality
from mtcodec.models.conditional import Conditional
from mtcodec.models.transforms import BLOCK
from mtcodec.training.dataset import Scenes
from mtcodec.training.objective import lambda_of

STRENGTH, COMPRESSION = 3.0, 0.6  # components stronger than 3 steps keep the power 0.4 of their excess


def principal(rows: Tensor, count: int) -> Tensor:
    """The ``count`` strongest components of centred ``rows`` (N, D): (D, count), orthonormal."""
    _, vectors = torch.linalg.eigh(rows.T @ rows / rows.shape[0])
    return vectors.flip(1)[:, :count]


@torch.no_grad()
def initialise(model: Conditional, scenes: Scenes, crops: int = 600, seed: int = 0) -> None:
    """Set the linear layers of ``model`` from random crops of ``scenes`` and zero its residual outputs."""
    n = model.config.latents
    lam = float(lambda_of(torch.tensor(quality.STEPS / 2)))
    batch = scenes.batch(crops, 4 * BLOCK, 0.0, random.Random(seed))
    stacked, sizes, steps = [], [], []
    for task in model.config.tasks:
        delta = math.sqrt(6 * task.channels / (math.log(2) * lam * 255**2 * task.weight))
        blocks = F.pixel_unshuffle(batch.planes[task.name] - 0.5, BLOCK) / delta
        stacked.append(blocks.permute(0, 2, 3, 1).flatten(0, 2))
        sizes.append(stacked[-1].shape[1])
        steps.append(delta)
    rows = torch.cat(stacked, dim=1)
    mean = rows.mean(0)
    rows = rows - mean
    shared = principal(rows, n)  # (D, n)
    own_parts = [principal(part, n) for part in (rows - rows @ shared @ shared.T).split(sizes, dim=1)]

    residual = torch.eye(rows.shape[1]) - shared @ shared.T
    analysis = [shared.T]
    for own, part in zip(own_parts, residual.split(sizes, dim=0)):
        analysis.append(own.T @ part)
    matrix = torch.cat(analysis)  # (latents, D), for inputs in units of Δ
    strength = (rows @ matrix.T).std(dim=0)
    shrink = (strength / STRENGTH).clamp(min=1.0) ** -COMPRESSION
    matrix = matrix * shrink[:, None]
    grow = (1 / shrink).split(n)
    scale = torch.cat([torch.full((size,), 1 / delta) for size, delta in zip(sizes, steps)])
    model.g_a.linear.weight.copy_((matrix * scale)[:, :, None, None])
    model.g_a.linear.bias.copy_(-matrix @ mean)
    model.g_a.out.weight.zero_()
    model.g_a.out.bias.zero_()
    means, shares = mean.split(sizes), shared.split(sizes, dim=0)
    for i, (task, own, share, delta, centre) in enumerate(
        zip(model.config.tasks, own_parts, shares, steps, means)
    ):
        synthesis = model.g_s[task.name]
        columns = torch.cat([share * grow[0], own * grow[i + 1]], dim=1)
        synthesis.linear.weight.copy_((columns * delta)[:, :, None, None])  # type: ignore[union-attr, operator]
        synthesis.linear.bias.copy_(centre * delta)  # type: ignore[union-attr, operator]
        synthesis.head.weight.zero_()  # type: ignore[union-attr, operator]
        synthesis.head.bias.zero_()  # type: ignore[union-attr, operator]
