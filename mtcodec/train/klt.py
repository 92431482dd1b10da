"""Start the bases and linear paths of the transforms as Karhunen–Loève transforms of the training scenes.

These are the layers ``basis`` and ``linear`` of backbones that say so
(:attr:`mtcodec.networks.backbones.backbone.Backbone.blocks`). Both see non-overlapping squares of planes, a
vector of numbers each: C·size² values of a task, and those of several tasks one after the other. The
Karhunen–Loève transform (KLT) of such vectors is the orthonormal one with uncorrelated outputs, strongest
first: the eigenvectors of their covariance.

**Units of Δ.** Tasks have different ranges of values and different weights, so components of several tasks
together are only comparable in a common unit: the quantisation step Δ that suits the task's weight at the
middle quality. Let a task's C values of a pixel, in an orthonormal basis, be quantised with steps of Δ. Each
then has the squared error D = Δ² / 12 and, at high rates, −½ · log2 D bits and a constant. The cost,
bits + λ · weight · 255² · MSE, is least where

    Δ² = 6 · C / (ln 2 · λ · 255² · weight).

So every task is divided by its Δ. A deviation of 1 is then one quantisation step in every task, and a
component much weaker than that is not worth bits in any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL, lambda_of
from mtcodec.train.dataset import Batch, Scenes

CROPS_SEED = 0
LINEAR_COMPONENTS = 16  # of a task's blocks, that a stream carries linearly from the start
STRONG_DEVIATION = 3.0  # in units of Δ: a linear component of a larger deviation is shrunk,
SHRINKING_POWER = 0.6  # by deviation / STRONG_DEVIATION to this power
WHITENING_POWER = 0.75  # basis components are divided by their deviation to this power
START_AMPLITUDE = 0.1  # of the networks' output, relative to the scenes


class Patches(NamedTuple):
    """Squares of a task's planes."""

    rows: Tensor  # (N, C·size²), a square each, in units of Δ; zero stands for the plane value 0.5
    delta: float  # Δ, in units of planes, which are from 0 to 1


def patches_of(model: MultiTask, batch: Batch, size: int) -> dict[str, Patches]:
    """All squares of ``size``×``size`` pixels of a batch, by task."""
    lam = lambda_of(MAX_NETWORK_LEVEL / 2)
    patches = {}
    for task in model.config.tasks:
        delta = math.sqrt(6 * task.channels / (math.log(2) * lam * 255**2 * task.weight))
        squares = F.pixel_unshuffle(batch.planes[task.name] - 0.5, size) / delta
        patches[task.name] = Patches(squares.permute(0, 2, 3, 1).flatten(0, 2), delta)
    return patches


def stack(patches: Sequence[Patches]) -> tuple[Tensor, Tensor]:
    """Rows of several tasks side by side, (N, ΣC·size²), and 1/Δ of every column, (ΣC·size²,).

    Layers see planes, not units of Δ: a matrix for the rows becomes one for planes when its columns are
    multiplied by 1/Δ.
    """
    rows = torch.cat([patch.rows for patch in patches], dim=1)
    inverse_delta = torch.cat([torch.full((patch.rows.shape[1],), 1 / patch.delta) for patch in patches])
    return rows, inverse_delta


def principal(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` strongest components of centred ``rows`` (N, D), and their standard deviations.

    Components are orthonormal columns, (D, count). Where D is smaller than ``count``, the rest is zero, with
    deviations of 1.
    """
    values, vectors = torch.linalg.eigh(rows.T @ rows / rows.shape[0])  # ascending
    vectors, values = vectors.flip(1)[:, :count], values.flip(0)[:count]
    missing = count - vectors.shape[1]
    deviations = values.clamp_min(1e-8).sqrt()
    return F.pad(vectors, (0, missing)), F.pad(deviations, (0, missing), value=1.0)


def layer_of(network: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """Matrix (outputs, inputs) and bias (outputs,) of a 1×1 convolution, to be changed in place."""
    layer = getattr(network, name)
    return layer.weight[:, :, 0, 0], layer.bias


def first_latent(model: MultiTask, streams: Sequence[str], stream: str) -> int:
    """Where the latents of ``stream`` begin among those of ``streams``."""
    return sum(model.config.channels(name) for name in streams[: streams.index(stream)])


def first_value(patches: Mapping[str, Patches], tasks: Sequence[str], task: str) -> int:
    """Where the squares of ``task`` begin in rows of ``tasks`` side by side."""
    return sum(patches[name].rows.shape[1] for name in tasks[: tasks.index(task)])


@torch.no_grad()
def initialise(model: MultiTask, scenes: Scenes, crops: int = 600) -> None:
    """Set bases and linear layers of ``model`` from random crops of ``scenes``, if its backbone has them."""
    if model.backbone.blocks is None:
        return
    patch_size, block_size = model.backbone.blocks
    batch = scenes.batch(crops, 4 * block_size, generator=torch.Generator().manual_seed(CROPS_SEED))
    initialise_bases(model, patches_of(model, batch, patch_size))
    initialise_linear(model, patches_of(model, batch, block_size))


def initialise_bases(model: MultiTask, patches: Mapping[str, Patches]) -> None:
    """Bases of the analyses are KLTs of the tasks that they read, those of the syntheses of their task.

    A component is divided by a power of its deviation, so that networks see channels of nearly even
    variance; the synthesis multiplies by it again. There the output is scaled down too, as at first it
    means nothing yet and adds to what the linear path gives.
    """
    for analysis, (read, _) in zip(model.g_a.values(), model.graph.analyses):
        weight, bias = layer_of(analysis, "basis")
        rows, inverse_delta = stack([patches[name] for name in read])
        mean = rows.mean(0)
        vectors, deviations = principal(rows - mean, len(weight))
        matrix = vectors.T / deviations[:, None] ** WHITENING_POWER
        weight.copy_(matrix * inverse_delta)
        bias.copy_(-matrix @ mean)
    for name, patch in patches.items():
        weight, bias = layer_of(model.g_s[name], "basis")
        vectors, deviations = principal(patch.rows - patch.rows.mean(0), weight.shape[1])
        weight.copy_(vectors * deviations**WHITENING_POWER * (START_AMPLITUDE * patch.delta))
        bias.zero_()


def initialise_linear(model: MultiTask, patches: Mapping[str, Patches]) -> None:
    """The first latents of a stream start with the strongest components of blocks, and carry them linearly.

    Every task's stream carries its own; where tasks have none, the shared one carries those of all together.
    """
    for network in (*model.g_a.values(), *model.g_s.values()):
        for parameter in layer_of(network, "linear"):
            parameter.zero_()
    for analysis, (read, streams) in zip(model.g_a.values(), model.graph.analyses):
        weight, bias = layer_of(analysis, "linear")
        for stream in streams:
            if stream != SHARED or not model.graph.separable:
                tasks = read if stream == SHARED else (stream,)
                of_tasks = {name: patches[name] for name in tasks}
                row, column = first_latent(model, streams, stream), first_value(patches, read, tasks[0])
                carry(model, weight[row:, column:], bias[row:], stream, of_tasks)


def carry(
    model: MultiTask, weight: Tensor, bias: Tensor, stream: str, patches: Mapping[str, Patches]
) -> None:
    """Let the first latents of ``stream`` carry the strongest components of blocks of tasks.

    The latents are the components themselves: the analysis multiplies blocks by the transposed vectors, the
    syntheses multiply latents by the vectors.

    Only strong components, whose deviation s is above :data:`STRONG_DEVIATION`, are shrunk on the way: the
    analysis multiplies them by (s / STRONG_DEVIATION) ^ −SHRINKING_POWER, and the synthesis divides by it.
    Their latents are smaller then and cost fewer bits; in return one quantisation step of theirs stands for
    more than Δ.

    Args:
        weight, bias: of the analysis, from where the stream's outputs and the tasks' inputs begin.
    """
    rows, inverse_delta = stack(list(patches.values()))
    mean = rows.mean(0)
    count = min(LINEAR_COMPONENTS * len(patches), model.config.channels(stream))
    vectors, deviations = principal(rows - mean, count)
    shrink = (deviations / STRONG_DEVIATION).clamp(min=1.0) ** -SHRINKING_POWER
    matrix = vectors.T * shrink[:, None]
    weight[:count, : rows.shape[1]] = matrix * inverse_delta
    bias[:count] = -matrix @ mean

    sizes = [patch.rows.shape[1] for patch in patches.values()]
    parts = zip(patches.items(), (vectors / shrink).split(sizes, dim=0), mean.split(sizes))
    for (name, patch), vectors_of_task, mean_of_task in parts:
        synthesis, synthesis_bias = layer_of(model.g_s[name], "linear")
        first = first_latent(model, model.graph.reads[name], stream)
        synthesis[:, first : first + count] = vectors_of_task * patch.delta
        synthesis_bias.copy_(mean_of_task * patch.delta)
