"""The objective: rate + λ·distortion, over the whole range of qualities at once."""

from __future__ import annotations

import torch
from torch import Tensor

from mtcodec import quality
from mtcodec.models.conditional import Conditional, Forward
from mtcodec.training.dataset import Batch

LAMBDA_MIN, LAMBDA_MAX = 2e-4, 0.3  # of the lowest and the highest quality


def lambda_of(step: Tensor) -> Tensor:
    """λ of the objective bpp + λ·255²·MSE at quality ``step``."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (step / quality.STEPS)


def draw_qualities(count: int, tasks: int, own: float) -> Tensor:
    """Quality steps (count, 1 + tasks): shared, then by task; equal except in a share ``own``."""
    base = torch.randint(0, quality.STEPS + 1, (count, 1))
    shift = torch.randint(-quality.STEPS // 2, quality.STEPS // 2 + 1, (count, tasks))
    shift = shift * (torch.rand(count, 1) < own)
    return torch.cat([base, (base + shift).clamp(0, quality.STEPS)], dim=1)


def objective(model: Conditional, out: Forward, batch: Batch, steps: Tensor) -> dict[str, Tensor]:
    """Mean loss of a batch and its parts: ``loss``, ``bpp_<stream>``, ``mse_<task>`` (MSE·255²).

    Every scene's loss is divided by √λ: at the optimum λ·D is near the rate, which grows about as
    √λ, so that all qualities weigh the same.
    """
    some = next(iter(out.planes.values()))
    pixels = some.shape[2] * some.shape[3]
    parts: dict[str, Tensor] = {n: b / pixels for n, b in out.bits.items()}
    loss = torch.stack(list(parts.values())).sum(0)
    result = {f"bpp_{n}": b.mean() for n, b in parts.items()}
    for i, task in enumerate(model.config.tasks):
        here = batch.present[:, i]
        error = (out.planes[task.name] - batch.planes[task.name]).square().mean(dim=(1, 2, 3))
        error = error * 255**2 * here
        loss = loss + lambda_of(steps[:, i + 1]) * task.weight * error
        result[f"mse_{task.name}"] = error.sum() / here.sum().clamp(min=1)
    balanced = loss / (lambda_of(steps[:, 0]) / lambda_of(steps.new_tensor(quality.STEPS / 2))).sqrt()
    return {"loss": balanced.mean(), **result}
