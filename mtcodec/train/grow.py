"""Grow trained networks: more latents, channels or blocks, computing at first what the small ones did.

Old channels read new ones with weights of zero, which training then changes (Net2Net: Chen et al. 2016), and
new blocks add nothing. Old latents keep their group of channels, which the steps of coding tell apart; new
ones of tasks' own streams begin with linear components of what was lost before. Layers are those of ``fast``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtcodec.errors import UsageError
from mtcodec.networks import backbones
from mtcodec.networks.config import SHARED, ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import GAIN_UNIT
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.train import klt
from mtcodec.train.dataset import Batch, Scenes

START_STEP = round(0.9 * MAX_NETWORK_LEVEL)  # quality at which new latents are fitted
START_GAIN = -1.0  # of the logarithm of the gains of new latents: they begin coarse, and cost little
START_NETWORK = 0.1  # of what the analysis' network adds to new latents
RIDGE = 1e-2

Part = tuple[Tensor, int]  # where old channels are among the new ones, and how many of these there are


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
    put(old, new)
    if config.graph.separable and config.latents > old.config.latents:
        start_latents(new, old.config, scenes)
    return new


def fits(old: ModelConfig, new: ModelConfig) -> bool:
    """Is ``new`` of the same graph as ``old``, with no size smaller?"""

    def sizes(config: ModelConfig) -> tuple[int, ...]:
        transforms = (*config.encoder_8, *config.encoder_16, *config.decoder_8, *config.decoder_16)
        return (config.latents, config.shared_latents, config.hyper, config.entropy_width, *transforms)

    def kind(config: ModelConfig) -> tuple[object, ...]:
        return config.tasks, config.architecture, config.backbone

    larger = all(a <= b for a, b in zip(sizes(old), sizes(new)))
    return kind(old) == kind(new) and backbones.load(old.backbone).blocks is not None and larger


# --- parameters to their places --------------------------------------------------------------------


@torch.no_grad()
def put(old: MultiTask, new: MultiTask) -> None:
    """Copy the parameters of ``old`` to where they belong in ``new``, whose sizes are no smaller."""
    before = old.state_dict()
    for name, parameter in new.state_dict().items():
        if name in before:
            rows, columns = places(name, before[name], parameter, old.config, new.config)
            copy(before[name], parameter, rows, columns, is_layer=name.endswith(".weight"))
        elif ".project." in name:  # a new block
            parameter.zero_()


def copy(old: Tensor, new: Tensor, rows: Tensor, columns: Tensor, *, is_layer: bool) -> None:
    """Old values to their places; what old rows of a layer see of new columns becomes zero."""
    if new.ndim == 0:
        new.copy_(old)
    elif new.ndim == 1:
        new[rows] = old
    else:
        if is_layer:
            new[rows] = 0.0
        new[rows[:, None], columns] = old


def appended(old: int, new: int) -> Part:
    """New channels after the old ones; also those of (un)shuffled pixels, whose places vary fastest."""
    return torch.arange(old), new


def inserted(old: int, new: int) -> Part:
    """Latents in the groups that they were in, new ones after the old ones of a group."""
    before, after = (torch.from_numpy(order.groups(count)) for count in (old, new))
    places = torch.empty(old, dtype=torch.long)
    for group in before.unique():
        own = before == group
        places[own] = (after == group).nonzero().flatten()[: int(own.sum())]
    return places, new


def joined(*parts: Part) -> Part:
    """Channels of a concatenation."""
    places, total = [], 0
    for part, size in parts:
        places.append(part + total)
        total += size
    return torch.cat(places), total


def places(
    name: str, old: Tensor, new: Tensor, small: ModelConfig, large: ModelConfig
) -> tuple[Tensor, Tensor]:
    """Where the rows and columns of the parameter ``name`` are in the larger one."""
    group, _, rest = name.partition(".")
    owner, _, layer = rest.partition(".")  # a task, a stream, or the key of an analysis
    layer = layer.removesuffix(".weight").removesuffix(".bias")
    shapes = [*zip(old.shape, new.shape), (1, 1), (1, 1)]
    rows, columns = appended(*shapes[0]), appended(*shapes[1])

    def latents(*streams: str) -> Part:
        return joined(*(inserted(small.channels(s), large.channels(s)) for s in streams))

    width = appended(small.entropy_width, large.entropy_width)
    half = appended(small.entropy_width // 2, large.entropy_width // 2)
    if group == "g_a" and layer in ("out", "linear"):
        together = small.graph.analyses
        rows = latents(*next(made for read, made in together if len(together) == 1 or read == (owner,)))
    elif group == "g_s" and layer in ("stem", "linear"):
        columns = latents(*small.graph.reads[owner])
    elif group in ("g_a", "g_s") and layer in ("modulate_8.output", "modulate_16.output"):
        one = appended(old.shape[0] // 2, new.shape[0] // 2)
        rows = joined(one, one)  # scales, shifts
    elif group == "streams" and layer in order.OUTPUTS:
        rows = joined(latents(owner), latents(owner))  # means, scales
    elif group == "streams" and layer in ("h_a.0", "log_gain"):
        columns = latents(owner)
    elif group == "streams" and layer == "e_1" and small.graph.conditioned and owner != SHARED:
        columns = joined(half, latents(SHARED))
    elif group == "streams" and layer in order.CONTEXTS:
        columns = joined(width, latents(owner))
    return rows[0], columns[0]


# --- new latents -------------------------------------------------------------------------------------


@torch.no_grad()
def start_latents(model: MultiTask, old: ModelConfig, scenes: Scenes, crops: int = 256) -> None:
    """Let the new latents of tasks' streams carry linearly what is lost without them at high quality.

    They are the strongest components of the blocks' errors, taken from the scene; what they add to the
    decoded blocks is fitted by least squares.
    """
    assert model.backbone.blocks is not None
    block = model.backbone.blocks[1]
    batch = scenes.batch(crops, 4 * block, generator=torch.Generator().manual_seed(0))
    steps = torch.full((crops, 1 + len(model.config.tasks)), START_STEP)
    decoded = model.eval()(batch.planes, batch.present, steps).planes
    model.train()
    parts, deltas = klt.stack(model, batch, block)
    sizes = {task.name: task.channels * block**2 for task in model.config.tasks}
    for i, task in enumerate(model.config.task_names):
        whole = whole_blocks(batch, task, i, block)
        mean = parts[i][whole].mean(0)
        blocks = parts[i][whole] - mean
        error = F.pixel_unshuffle(batch.planes[task] - decoded[task], block) / deltas[i]
        error = error.permute(0, 2, 3, 1).flatten(0, 2)[whole]
        new = fresh(old.channels(task), model.config.channels(task))
        vectors, _ = klt.principal(error, len(new))

        for analysis, (read, made) in zip(model.g_a.values(), model.graph.analyses):
            if task in made:
                linear = klt.layer_of(analysis, "linear")
                assert linear.bias is not None
                rows = klt.offset(model, made, task) + new
                left = sum(sizes[name] for name in read[: read.index(task)])
                linear.weight[rows] = 0.0
                linear.weight[rows, left : left + sizes[task]] = (vectors.T / deltas[i])[..., None, None]
                linear.bias[rows] = -mean @ vectors
                for parameter in klt.layer_of(analysis, "out").parameters():
                    parameter[rows] *= START_NETWORK

        stream = model.stream(task)
        stream.log_gain[:, new] += START_GAIN
        gain = stream.gain_vectors(steps[:1, 1 + i]).gain.flatten()[new] / GAIN_UNIT
        symbols = (blocks @ vectors * gain).round() / gain
        square = symbols.T @ symbols + RIDGE * len(new) * torch.eye(len(new))
        fitted = torch.linalg.solve(square, symbols.T @ error)
        columns = klt.offset(model, model.graph.reads[task], task) + new
        klt.layer_of(model.g_s[task], "linear").weight[:, columns] = (fitted.T * deltas[i])[..., None, None]


def whole_blocks(batch: Batch, task: str, index: int, block: int) -> Tensor:
    """Which blocks, flat, have the task in every pixel."""
    planes = batch.planes[task]
    there = batch.valid[task] if task in batch.valid else torch.ones_like(planes[:, :1])
    there = there * batch.present[:, index, None, None, None]
    return F.max_pool2d(1 - there, block).flatten() == 0


def fresh(old: int, new: int) -> Tensor:
    """Places of new latents."""
    taken = torch.zeros(new, dtype=torch.bool)
    taken[inserted(old, new)[0]] = True
    return (~taken).nonzero().flatten()
