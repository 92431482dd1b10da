"""Grow trained networks: more latents, channels or blocks, computing at first what the small ones did.

Every parameter of the small networks is copied to its place in the larger ones (:func:`transplant`). For
that, masks say which output channels of a layer (rows of its matrix) and which input channels (columns) are
the old ones, whose order stays:

- Channels inside a transform or an entropy network keep their numbers; new ones come after them.
- Latents are in groups, which are coded in different places (:mod:`mtcodec.networks.entropy.order`). An old
  latent stays in its group: it is numbered among the old ones of its group, and new ones come after those.
- What a layer gives or reads may be several such lists one after the other: streams, or means and scales.
  Each grows by itself, so that the later ones move.

The rows of old channels have weights of zero for new columns, which training then changes (Net2Net: Chen et
al. 2016): old channels compute what they did. New rows are those of a model that starts anew, and new
blocks add nothing. New latents of tasks' streams begin with linear components of what was lost without them
(:func:`start_latents`). Layers are those of the backbone ``fast``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mtcodec.errors import UsageError
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import SHARED, SIZES, ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import GAIN_UNIT
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.train import klt
from mtcodec.train.dataset import Batch, Scenes

START_LEVEL = round(0.9 * MAX_NETWORK_LEVEL)  # level of quality at which new latents are fitted
START_CROPS = 256  # that they are fitted to
START_LOG_GAIN = -1.0  # added to log gains of new latents: they begin coarse, and cost little
START_NETWORK_SHARE = 0.1  # share of the analysis' network in new latents
GROWING = tuple(name for name in SIZES if name != "head")  # which another backbone has
RIDGE = 1e-2  # of the least squares, per latent


def grown(old: MultiTask, config: ModelConfig, scenes: Scenes, seed: int = 0) -> MultiTask:
    """Networks of ``config`` that begin with what ``old`` has learned.

    Raises:
        UsageError: ``config`` is not that of ``old`` with larger sizes.
    """
    if config == old.config:
        return old
    if not fits(old.config, config):
        raise UsageError("weights grow only to larger sizes of the same architecture, with backbone fast")
    torch.manual_seed(seed)
    new = MultiTask(config)
    klt.initialise(new, scenes)
    transplant(old, new)
    if config.graph.separable and config.latents > old.config.latents:
        start_latents(new, old.config, scenes)
    return new


def fits(old: ModelConfig, new: ModelConfig) -> bool:
    """Is ``new`` of the same graph as ``old``, with no size smaller?"""
    same_graph = (old.tasks, old.architecture, old.backbone) == (new.tasks, new.architecture, new.backbone)
    larger = all(np.less_equal(getattr(old, name), getattr(new, name)).all() for name in GROWING)
    return same_graph and BACKBONES[old.backbone].blocks is not None and larger


# --- parameters to their places --------------------------------------------------------------------


@torch.no_grad()
def transplant(old: MultiTask, new: MultiTask) -> None:
    """Copy the parameters of ``old`` to where they belong in ``new``, whose sizes are no smaller."""
    old_parameters = old.state_dict()
    for name, parameter in new.state_dict().items():
        if name in old_parameters:
            rows, columns = places(name, old_parameters[name], parameter, old.config, new.config)
            copy(old_parameters[name], parameter, rows, columns, is_layer=name.endswith(".weight"))
        elif ".project." in name:  # the last layer of a new block, which adds to what goes past it
            parameter.zero_()


def copy(old: Tensor, new: Tensor, rows: Tensor, columns: Tensor, *, is_layer: bool) -> None:
    """Copy old values to their places; old rows of a layer get zeros in the columns that are new."""
    if new.ndim == 0:
        new.copy_(old)
    elif new.ndim == 1:
        new[rows] = old
    else:
        if is_layer:
            new[rows] = 0.0
        new[rows.nonzero(), columns.nonzero().flatten()] = old


def appended(old: int, new: int) -> Tensor:
    """New channels after the old ones.

    That suits (un)shuffled pixels, too: all places of a channel follow each other, channel by channel.
    """
    return torch.arange(new) < old


def inserted(old: int, new: int) -> Tensor:
    """Latents of one stream: each in its group, new ones after the old ones of a group."""
    old_groups, new_groups = (order.groups(torch.arange, count) for count in (old, new))
    sizes = zip(old_groups.bincount().tolist(), new_groups.bincount().tolist(), strict=True)
    return torch.cat([appended(old_size, new_size) for old_size, new_size in sizes])


def places(
    name: str, old: Tensor, new: Tensor, small: ModelConfig, large: ModelConfig
) -> tuple[Tensor, Tensor]:
    """Which rows and columns of the larger parameter ``name`` are old ones.

    Args:
        name: group (``g_a``, ``g_s``, ``streams``), then a task, a stream or the key of an analysis, then the
            layer: ``g_s.depth.blocks_8.0.expand.weight``.
        old, new: the parameter of the small and of the large networks.
    """
    group, _, rest = name.partition(".")
    owner, _, layer = rest.partition(".")
    layer = layer.removesuffix(".weight").removesuffix(".bias")
    shapes = [*zip(old.shape, new.shape), (1, 1), (1, 1)]
    rows, columns = appended(*shapes[0]), appended(*shapes[1])

    def latents(*streams: str) -> Tensor:
        return torch.cat([inserted(small.channels(name), large.channels(name)) for name in streams])

    if group == "g_a" and layer in ("out", "linear"):
        analyses = small.graph.analyses  # called by their task where every task has one
        rows = latents(*next(streams for read, streams in analyses if len(analyses) == 1 or read == (owner,)))
    elif group == "g_s" and layer in ("stem", "linear"):
        columns = latents(*small.graph.reads[owner])
    elif group in ("g_a", "g_s") and layer in ("modulate_8.output", "modulate_16.output"):
        rows = appended(old.shape[0] // 2, new.shape[0] // 2).repeat(2)  # scales, shifts
    elif group == "streams" and layer in order.OUTPUTS:
        rows = latents(owner).repeat(2)  # means, scales
    elif group == "streams" and layer in ("h_a.0", "log_gain"):
        columns = latents(owner)
    elif group == "streams" and layer == "e_1" and small.graph.conditioned and owner != SHARED:
        hyper_features = appended(small.entropy_width // 2, large.entropy_width // 2)
        columns = torch.cat([hyper_features, latents(SHARED)])
    elif group == "streams" and layer in order.CONTEXTS:
        features = appended(small.entropy_width, large.entropy_width)
        columns = torch.cat([features, latents(owner)])
    return rows, columns


# --- new latents -------------------------------------------------------------------------------------


@torch.no_grad()
def start_latents(model: MultiTask, old: ModelConfig, scenes: Scenes) -> None:
    """Let the new latents of tasks' streams carry linearly what is lost without them at high quality.

    Of every task, the blocks' errors of the model without new latents are taken, and the strongest
    components of these errors. New latents project blocks of the scene onto them. What the synthesis adds
    to the decoded blocks for them is fitted to the errors by least squares, from latents quantised as they
    will be.
    """
    assert model.backbone.blocks is not None
    block_size = model.backbone.blocks[1]
    batch = scenes.batch(START_CROPS, 4 * block_size, generator=torch.Generator().manual_seed(0))
    levels = torch.full((START_CROPS, 1 + len(model.config.tasks)), START_LEVEL)
    decoded = model.eval()(batch.planes, batch.present, levels).planes
    model.train()
    patches = klt.patches_of(model, batch, block_size)
    for i, task in enumerate(model.config.task_names):
        complete, delta = complete_blocks(batch, task, i, block_size), patches[task].delta
        mean = patches[task].rows[complete].mean(0)
        blocks = patches[task].rows[complete] - mean
        error = F.pixel_unshuffle(batch.planes[task] - decoded[task], block_size) / delta
        error = error.permute(0, 2, 3, 1).flatten(0, 2)[complete]
        new = (~inserted(old.channels(task), model.config.channels(task))).nonzero().flatten()
        vectors, _ = klt.principal(error, len(new))
        project(model, task, new, vectors, mean, patches)

        stream = model.stream(task)
        stream.log_gain[:, new] += START_LOG_GAIN
        gain = stream.gain_vectors(levels[:1, 1 + i]).gain.flatten()[new] / GAIN_UNIT
        symbols = (blocks @ vectors * gain).round() / gain
        square = symbols.T @ symbols + RIDGE * len(new) * torch.eye(len(new))
        fitted = torch.linalg.solve(square, symbols.T @ error)
        columns = klt.first_latent(model, model.graph.reads[task], task) + new
        klt.layer_of(model.g_s[task], "linear")[0][:, columns] = fitted.T * delta


def project(
    model: MultiTask, task: str, new: Tensor, vectors: Tensor, mean: Tensor, patches: dict[str, klt.Patches]
) -> None:
    """Make the new latents of a task's stream the components ``vectors`` (D, new) of its centred blocks."""
    for analysis, (read, streams) in zip(model.g_a.values(), model.graph.analyses):
        if task not in streams:
            continue
        weight, bias = klt.layer_of(analysis, "linear")
        rows = klt.first_latent(model, streams, task) + new
        first = klt.first_value(patches, read, task)
        weight[rows] = 0.0
        weight[rows, first : first + len(vectors)] = vectors.T / patches[task].delta
        bias[rows] = -mean @ vectors
        for parameter in klt.layer_of(analysis, "out"):
            parameter[rows] *= START_NETWORK_SHARE


def complete_blocks(batch: Batch, task: str, index: int, block_size: int) -> Tensor:
    """Which blocks have the task, of that ``index``, in every pixel: (B · blocks,)."""
    planes = batch.planes[task]
    measured = batch.valid[task] if task in batch.valid else torch.ones_like(planes[:, :1])
    measured = measured * batch.present[:, index, None, None, None]
    return F.max_pool2d(1 - measured, block_size).flatten() == 0
