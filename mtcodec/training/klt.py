"""Start the bases and linear paths of the transforms as Karhunen–Loève transforms of the training scenes.

Tasks are stacked in units of the quantisation step Δ that suits their weight at the middle quality, so
that unit steps are the best uniform quantiser of orthonormal components
(Δ² = 6 C / (ln 2 · λ · 255² · weight) for C channels).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.format import quality
from mtcodec.models.backbones.fast import BLOCK, PATCH, Analysis, Synthesis
from mtcodec.models.config import SHARED
from mtcodec.models.multitask import MultiTask
from mtcodec.training.dataset import Batch, Scenes

COARSE = 16  # components of a task's 16×16 blocks that a stream carries linearly from the start
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


def stack(model: MultiTask, batch: Batch, size: int) -> tuple[list[Tensor], list[float]]:
    """Patches of every task, (N, C·size²) in units of Δ, and Δ by task."""
    lam = quality.lambda_of(quality.STEPS / 2)
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
def initialise(model: MultiTask, scenes: Scenes, crops: int = 600, seed: int = 0) -> None:
    """Set bases and linear layers of a ``fast`` ``model`` from random crops of ``scenes``."""
    batch = scenes.batch(crops, 4 * BLOCK, 0.0, random.Random(seed))
    parts, steps = stack(model, batch, PATCH)
    names = model.config.task_names
    for analysis, (read, _) in zip(model.g_a.values(), model.graph.analyses):
        assert isinstance(analysis, Analysis)
        chosen = [names.index(name) for name in read]
        rows = torch.cat([parts[i] for i in chosen], dim=1)
        mean = rows.mean(0)
        vectors, deviations = principal(rows - mean, analysis.basis.out_channels)
        scale = torch.cat([torch.full((parts[i].shape[1],), 1 / steps[i]) for i in chosen])
        matrix = vectors.T / deviations[:, None] ** WHITENING
        assign(analysis.basis, matrix * scale, -matrix @ mean)
    for name, part, delta in zip(names, parts, steps):
        synthesis = model.g_s[name]
        assert isinstance(synthesis, Synthesis)
        vectors, deviations = principal(part - part.mean(0), synthesis.basis.in_channels)
        columns = vectors * deviations**WHITENING * (START * delta)
        assign(synthesis.basis, columns, torch.zeros(columns.shape[0]))
    initialise_linear(model, batch)


def initialise_linear(model: MultiTask, batch: Batch) -> None:
    """The first latents of a stream start with the strongest components of blocks, and carry them linearly.

    Every task's stream carries its own; where tasks have none, the shared one carries those of all together.
    """
    parts, steps = stack(model, batch, BLOCK)
    names = model.config.task_names
    for layer in (*(g.linear for g in model.g_a.values()), *(g.linear for g in model.g_s.values())):
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        layer.weight.zero_()
        layer.bias.zero_()
    for analysis, (read, made) in zip(model.g_a.values(), model.graph.analyses):
        for stream in made:
            tasks = [stream] if stream != SHARED else [] if model.graph.separable else list(read)
            if not tasks:
                continue
            chosen = [names.index(name) for name in tasks]
            rows = torch.cat([parts[i] for i in chosen], dim=1)
            mean = rows.mean(0)
            count = min(COARSE * len(tasks), model.config.channels(stream))
            vectors, deviations = principal(rows - mean, count)
            shrink = (deviations / STRENGTH).clamp(min=1.0) ** -COMPRESSION
            scale = torch.cat([torch.full((parts[i].shape[1],), 1 / steps[i]) for i in chosen])
            matrix = vectors.T * shrink[:, None]
            first = offset(model, made, stream)
            left = sum(parts[names.index(name)].shape[1] for name in read[: read.index(tasks[0])])
            linear = analysis.linear
            assert isinstance(linear, nn.Conv2d) and linear.bias is not None
            inside = slice(left, left + rows.shape[1])
            linear.weight[first : first + count, inside] = (matrix * scale)[:, :, None, None]
            linear.bias[first : first + count] = -matrix @ mean
            sizes = [parts[i].shape[1] for i in chosen]
            shares = (vectors / shrink).split(sizes, dim=0)
            for name, share, centre in zip(tasks, shares, mean.split(sizes)):
                layer = model.g_s[name].linear
                assert isinstance(layer, nn.Conv2d) and layer.bias is not None
                delta = steps[names.index(name)]
                first = offset(model, model.graph.reads[name], stream)
                layer.weight[:, first : first + count] = (share * delta)[:, :, None, None]
                layer.bias.copy_(centre * delta)


def offset(model: MultiTask, streams: Sequence[str], stream: str) -> int:
    """Where the latents of ``stream`` begin among those of ``streams``."""
    return sum(model.config.channels(name) for name in streams[: streams.index(stream)])
