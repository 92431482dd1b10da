"""Start the bases and linear paths of the transforms as Karhunen–Loève transforms of the training scenes.

Those are the layers ``basis`` and ``linear`` of backbones that say so
(:attr:`mtcodec.networks.backbones.backbone.Backbone.blocks`).
Tasks are stacked in units of the quantisation step Δ that suits their weight at the middle quality, so
that unit steps are the best uniform quantiser of orthonormal components
(Δ² = 6 C / (ln 2 · λ · 255² · weight) for C channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of
from mtcodec.train.dataset import Batch, Scenes

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
    lam = lambda_of(MAX_NETWORK_LEVEL / 2)
    parts, steps = [], []
    for task in model.config.tasks:
        delta = math.sqrt(6 * task.channels / (math.log(2) * lam * 255**2 * task.weight))
        patches = F.pixel_unshuffle(batch.planes[task.name] - 0.5, size) / delta
        parts.append(patches.permute(0, 2, 3, 1).flatten(0, 2))
        steps.append(delta)
    return parts, steps


def layer_of(network: nn.Module, name: str) -> nn.Conv2d:
    """The layer ``basis`` or ``linear`` of an analysis or synthesis."""
    layer = getattr(network, name)
    assert isinstance(layer, nn.Conv2d)
    return layer


def assign(layer: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight[:, :, None, None])
    assert layer.bias is not None
    layer.bias.copy_(bias)


@torch.no_grad()
def initialise(model: MultiTask, scenes: Scenes, crops: int = 600, seed: int = 0) -> None:
    """Set bases and linear layers of ``model`` from random crops of ``scenes``, if its backbone has them."""
    if model.backbone.blocks is None:
        return
    patch, block = model.backbone.blocks
    batch = scenes.batch(crops, 4 * block, generator=torch.Generator().manual_seed(seed))
    parts, steps = stack(model, batch, patch)
    names = model.config.task_names
    for analysis, (read, _) in zip(model.g_a.values(), model.graph.analyses):
        basis = layer_of(analysis, "basis")
        chosen = [names.index(name) for name in read]
        rows = torch.cat([parts[i] for i in chosen], dim=1)
        mean = rows.mean(0)
        vectors, deviations = principal(rows - mean, basis.out_channels)
        scale = torch.cat([torch.full((parts[i].shape[1],), 1 / steps[i]) for i in chosen])
        matrix = vectors.T / deviations[:, None] ** WHITENING
        assign(basis, matrix * scale, -matrix @ mean)
    for name, part, delta in zip(names, parts, steps):
        basis = layer_of(model.g_s[name], "basis")
        vectors, deviations = principal(part - part.mean(0), basis.in_channels)
        columns = vectors * deviations**WHITENING * (START * delta)
        assign(basis, columns, torch.zeros(columns.shape[0]))
    initialise_linear(model, batch, block)


def initialise_linear(model: MultiTask, batch: Batch, block: int) -> None:
    """The first latents of a stream start with the strongest components of blocks, and carry them linearly.

    Every task's stream carries its own; where tasks have none, the shared one carries those of all together.
    """
    parts, steps = stack(model, batch, block)
    names = model.config.task_names
    for network in (*model.g_a.values(), *model.g_s.values()):
        for parameter in layer_of(network, "linear").parameters():
            parameter.zero_()
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
            linear = layer_of(analysis, "linear")
            assert linear.bias is not None
            inside = slice(left, left + rows.shape[1])
            linear.weight[first : first + count, inside] = (matrix * scale)[:, :, None, None]
            linear.bias[first : first + count] = -matrix @ mean
            sizes = [parts[i].shape[1] for i in chosen]
            shares = (vectors / shrink).split(sizes, dim=0)
            for name, share, centre in zip(tasks, shares, mean.split(sizes)):
                layer = layer_of(model.g_s[name], "linear")
                assert layer.bias is not None
                delta = steps[names.index(name)]
                first = offset(model, model.graph.reads[name], stream)
                layer.weight[:, first : first + count] = (share * delta)[:, :, None, None]
                layer.bias.copy_(centre * delta)


def offset(model: MultiTask, streams: Sequence[str], stream: str) -> int:
    """Where the latents of ``stream`` begin among those of ``streams``."""
    return sum(model.config.channels(name) for name in streams[: streams.index(stream)])
