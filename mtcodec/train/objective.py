"""The objective: rate + λ·distortion, over the whole range of qualities at once or at fixed λ."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.modules import Forward, MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, level_of_lambda
from mtcodec.signals.mapping import UNIT_TOLERANCE
from mtcodec.train.dataset import Batch

DIRECTION = 0.85  # share of the error after vectors got the length 1 in that of vectors; the rest: before
SHORT = 0.3  # shorter vectors are taken as if they had this length
MEMORY = 0.99  # of the running means of errors
BALANCES = ("declared", "uncertainty", "equal")


def draw_qualities(
    count: int, tasks: int, own: float, lambdas: Sequence[float] = (), device: str = "cpu"
) -> Tensor:
    """Quality steps (count, 1 + tasks): shared, then by task; equal except in a share ``own``.

    They are those of ``lambdas``, one drawn for each scene, or else anywhere in the range.
    """
    base = torch.randint(0, MAX_NETWORK_LEVEL + 1, (count, 1), device=device)
    if lambdas:
        drawn = base % len(lambdas)
        base = sum(
            ((drawn == i) * min(level_of_lambda(lam), MAX_NETWORK_LEVEL) for i, lam in enumerate(lambdas)),
            0 * base,
        )
    shift = torch.randint(-MAX_NETWORK_LEVEL // 2, MAX_NETWORK_LEVEL // 2 + 1, (count, tasks), device=device)
    shift = shift * (torch.rand(count, 1, device=device) < own)
    return torch.cat([base, (base + shift).clamp(0, MAX_NETWORK_LEVEL)], dim=1)


class Balance(nn.Module):
    """Weights of the tasks' errors: declared with the tasks, equal, or from their uncertainty.

    Uncertainty weighting (Kendall et al. 2017) minimises Σ exp(−s_i)·D_i + s_i over s_i too. The minimum
    lies at s_i = log E[D_i], which is taken from a running mean instead of learning it: weights are
    inverse to the tasks' mean errors. Only their ratios are used, so that λ keeps its meaning: their
    geometric mean is that of the declared weights.
    """

    declared: Tensor
    errors: Tensor
    seen: Tensor

    def __init__(self, model: MultiTask, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("declared", torch.tensor([t.weight for t in model.config.tasks]), False)
        self.register_buffer("errors", torch.zeros(len(self.declared)))  # running means of MSE·255²
        self.register_buffer("seen", torch.zeros(len(self.declared)))  # their weights, up to 1

    def weights(self) -> Tensor:
        """Weights by task, (T,)."""
        if self.kind == "declared":
            return self.declared
        logs = torch.zeros_like(self.declared)
        if self.kind == "uncertainty":
            means = (self.errors / self.seen.clamp_min(1e-6)).clamp_min(1e-6)
            logs = torch.where((self.seen > 0).all(), -means.log(), 0.0)
        return torch.exp(logs - logs.mean() + self.declared.log().mean())

    @torch.no_grad()
    def update(self, errors: Tensor) -> None:
        """Take in the tasks' mean errors of a batch, (T,); tasks that it lacks have none (zero)."""
        keep = torch.where(errors > 0, MEMORY, 1.0)
        self.errors.mul_(keep).add_(errors * (1 - keep))
        self.seen.mul_(keep).add_(1 - keep)


def vector_squares(decoded: Tensor, original: Tensor) -> Tensor:
    """Squared errors of vectors (n = 2 · plane − 1), mostly those after they got the length 1, (B, 3, H, W).

    That is what decoders do, so that only errors of the direction count. Originals of another length are
    compared as they are.
    """
    squares = (decoded - original).square()
    vectors = decoded * 2 - 1
    length = _lengths(vectors)
    unit = ((vectors / length + 1) / 2 - original).square()
    lengths = _lengths(original * 2 - 1)
    return torch.where((lengths - 1).abs() < UNIT_TOLERANCE, torch.lerp(squares, unit, DIRECTION), squares)


def _lengths(vectors: Tensor) -> Tensor:
    """At least :data:`SHORT`, (B, 1, H, W). (torch's ``vector_norm`` takes ten times as long.)"""
    return vectors.square().sum(dim=1, keepdim=True).clamp_min(SHORT**2).sqrt()


def objective(
    model: MultiTask,
    out: Forward,
    batch: Batch,
    steps: Tensor,
    balance: Balance | None = None,
    shared_weight: float = 1.0,
) -> dict[str, Tensor]:
    """Mean loss of a batch and its parts: ``loss``, ``bpp_<stream>``, ``mse_<task>`` (MSE·255², over
    pixels that are no holes).

    Every scene's loss is divided by √λ: at the optimum λ·D is near the rate, which grows about as
    √λ, so that all qualities weigh the same.

    Args:
        balance: weights of the tasks' errors; default the declared ones.
        shared_weight: what a bit of the shared stream costs, relative to one of a task's. If readers want
            each task with probability p, the bits they fetch are, in the mean, those of the shared stream
            and p times those of the others: a weight of 1/p.
    """
    some = next(iter(out.planes.values()))
    pixels = some.shape[2] * some.shape[3]
    parts: dict[str, Tensor] = {n: b / pixels for n, b in out.bits.items()}
    loss = torch.stack([b * (shared_weight if n == SHARED else 1.0) for n, b in parts.items()]).sum(0)
    result = {f"bpp_{n}": b.mean() for n, b in parts.items()}
    declared = balance or Balance(model, "declared").to(loss.device)
    weights = declared.weights()
    for i, task in enumerate(model.config.tasks):
        here = batch.present[:, i]
        decoded, original = out.planes[task.name], batch.planes[task.name]
        unit = task.kind.unit_vectors
        squares = vector_squares(decoded, original) if unit else (decoded - original).square()
        if task.name in batch.valid:  # holes cost nothing
            squares = squares * batch.valid[task.name]
            share = batch.valid[task.name].mean(dim=(1, 2, 3)) * here
        else:
            share = here
        error = squares.mean(dim=(1, 2, 3)) * 255**2 * here
        loss = loss + lambda_of(steps[:, i + 1]) * weights[i] * error
        result[f"mse_{task.name}"] = error.sum() / share.sum().clamp(min=1e-3)
    balanced = loss / (lambda_of(steps[:, 0]) / lambda_of(MAX_NETWORK_LEVEL / 2)).sqrt()
    return {"loss": balanced.mean(), **result}
