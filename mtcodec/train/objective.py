"""The objective: rate + λ·distortion, over the whole range of qualities at once or at fixed λ."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.modules import Forward, MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of, level_of_lambda
from mtcodec.signals.mapping import UNIT_TOLERANCE
from mtcodec.tasks import Task
from mtcodec.train.dataset import Batch

DIRECTION_SHARE = 0.85  # of a vector's error: that after it got the length 1; the rest is that before
MIN_VECTOR_LENGTH = 0.3  # shorter vectors are divided by this instead of their length
ERROR_MEMORY = 0.99  # share that the running means of errors keep at a training step
BALANCES = ("declared", "uncertainty", "equal")


def draw_qualities(
    count: int, tasks: int, task_quality_prob: float, lambdas: Sequence[float] = (), device: str = "cpu"
) -> Tensor:
    """Levels of quality (count, 1 + tasks), integers: that of the shared stream, then by task.

    They are those of ``lambdas``, one drawn for each crop, or else anywhere in the networks' range. In a
    share ``task_quality_prob`` of crops every task is moved by up to half of the range; else all are equal.
    """
    base = torch.randint(0, MAX_NETWORK_LEVEL + 1, (count, 1), device=device)
    if lambdas:
        drawn = base % len(lambdas)
        base = sum(
            ((drawn == i) * min(level_of_lambda(lam), MAX_NETWORK_LEVEL) for i, lam in enumerate(lambdas)),
            0 * base,
        )
    shift = torch.randint(-MAX_NETWORK_LEVEL // 2, MAX_NETWORK_LEVEL // 2 + 1, (count, tasks), device=device)
    shift = shift * (torch.rand(count, 1, device=device) < task_quality_prob)
    return torch.cat([base, (base + shift).clamp(0, MAX_NETWORK_LEVEL)], dim=1)


class Balance(nn.Module):
    """Weights of the tasks' errors: declared with the tasks, equal, or from their uncertainty.

    Uncertainty weighting (Kendall et al. 2017) minimises Σ exp(−s_i)·D_i + s_i over s_i too. The minimum
    lies at s_i = log E[D_i], which is taken from a running mean instead of learning it: weights are
    inverse to the tasks' mean errors. Only their ratios are used, so that λ keeps its meaning: their
    geometric mean is that of the declared weights.
    """

    declared: Tensor  # weights of the tasks, (T,)
    errors: Tensor  # running means of MSE·255², (T,), from zero on
    seen: Tensor  # running means of 1, where a task had an error, (T,): what errors are divided by

    def __init__(self, model: MultiTask, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("declared", torch.tensor([t.weight for t in model.config.tasks]), False)
        self.register_buffer("errors", torch.zeros(len(self.declared)))
        self.register_buffer("seen", torch.zeros(len(self.declared)))

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
        keep = torch.where(errors > 0, ERROR_MEMORY, 1.0)
        self.errors.mul_(keep).add_(errors * (1 - keep))
        self.seen.mul_(keep).add_(1 - keep)


def vector_squares(decoded: Tensor, original: Tensor) -> Tensor:
    """Squared errors of planes of vectors (vector = 2 · plane − 1), (B, 3, H, W).

    Mostly they are those after decoded vectors got the length 1, as decoders do, so that only errors of the
    direction count. Originals of another length are compared as they are.
    """
    squares = (decoded - original).square()
    vectors = decoded * 2 - 1
    unit_planes = (vectors / _lengths(vectors) + 1) / 2
    mixed = torch.lerp(squares, (unit_planes - original).square(), DIRECTION_SHARE)
    original_lengths = _lengths(original * 2 - 1)
    return torch.where((original_lengths - 1).abs() < UNIT_TOLERANCE, mixed, squares)


def _lengths(vectors: Tensor) -> Tensor:
    """At least :data:`MIN_VECTOR_LENGTH`, (B, 1, H, W). (torch's ``vector_norm`` takes ten times as long.)"""
    return vectors.square().sum(dim=1, keepdim=True).clamp_min(MIN_VECTOR_LENGTH**2).sqrt()


def objective(
    model: MultiTask,
    out: Forward,
    batch: Batch,
    levels: Tensor,
    balance: Balance | None = None,
    shared_weight: float = 1.0,
) -> dict[str, Tensor]:
    """Mean loss of a batch and its parts: ``loss``, ``bpp_<stream>``, ``mse_<task>`` (MSE·255², over
    pixels that are no holes).

    Every scene's loss is divided by √λ: at the optimum λ·D is near the rate, which grows about as
    √λ, so that all qualities weigh the same.

    Args:
        levels: of quality, (B, 1 + T), as :func:`draw_qualities` gives them.
        balance: weights of the tasks' errors; default the declared ones.
        shared_weight: what a bit of the shared stream costs, relative to one of a task's. If readers want
            each task with probability p, the bits they fetch are, in the mean, those of the shared stream
            and p times those of the others: a weight of 1/p.
    """
    first_planes = next(iter(out.planes.values()))
    pixels = first_planes.shape[2] * first_planes.shape[3]
    bpp = {name: bits / pixels for name, bits in out.bits.items()}
    prices = {name: shared_weight if name == SHARED else 1.0 for name in bpp}
    loss = torch.stack([bits * prices[name] for name, bits in bpp.items()]).sum(0)
    result = {f"bpp_{name}": bits.mean() for name, bits in bpp.items()}
    weights = (balance or Balance(model, "declared").to(loss.device)).weights()
    for i, task in enumerate(model.config.tasks):
        error, share = _task_errors(out, batch, task, batch.present[:, i])
        loss = loss + lambda_of(levels[:, i + 1]) * weights[i] * error
        result[f"mse_{task.name}"] = error.sum() / share.sum().clamp(min=1e-3)
    balanced = loss / (lambda_of(levels[:, 0]) / lambda_of(MAX_NETWORK_LEVEL / 2)).sqrt()
    return {"loss": balanced.mean(), **result}


def _task_errors(out: Forward, batch: Batch, task: Task, present: Tensor) -> tuple[Tensor, Tensor]:
    """MSE·255² of one task by crop, (B,), and the share of pixels that count, (B,).

    Holes and absent tasks (``present`` is 0) cost nothing; means are over all pixels.
    """
    decoded, original = out.planes[task.name], batch.planes[task.name]
    squares = vector_squares(decoded, original) if task.kind.unit_vectors else (decoded - original).square()
    share = present
    if task.name in batch.valid:
        squares = squares * batch.valid[task.name]
        share = batch.valid[task.name].mean(dim=(1, 2, 3)) * present
    return squares.mean(dim=(1, 2, 3)) * 255**2 * present, share
