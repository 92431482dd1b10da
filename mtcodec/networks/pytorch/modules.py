"""Networks as modules of torch, for training and for CUDA."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtcodec.networks import backbones
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import gain_vectors as by_quality
from mtcodec.networks.entropy import order, walk
from mtcodec.networks.entropy.gain_vectors import ANCHORS, GAIN_UNIT, TABLE_LIMITS, Rows, Tables
from mtcodec.networks.entropy.scales import SCALE_MIN, SCALE_STEP
from mtcodec.networks.entropy.stream import MEAN_UNIT, Stream
from mtcodec.networks.entropy.walk import Step
from mtcodec.networks.pytorch.layers import Net, move, round_clamp
from mtcodec.networks.structure import Code, Latents, Structure, inputs, key

PARAMETERS = ("log_gain", "q_bias", "z_scale")  # of a stream: what its tables are made of in training


class StreamModel(Net):
    """Entropy model of one stream, with the parameters of its tables."""

    def __init__(self, structure: Stream) -> None:
        super().__init__(structure.layers)
        self.structure, channels = structure, structure.channels
        levels = torch.linspace(-1.4, 1.4, ANCHORS)[:, None]
        self.log_gain = nn.Parameter(levels.repeat(1, channels))
        self.q_bias = nn.Parameter(torch.zeros(ANCHORS, structure.width))
        self.z_scale = nn.Parameter(torch.full((ANCHORS, structure.hyper), 28.0 / 8))
        self.frozen: Tables = {}  # tables of a loaded file, used instead of recomputing them
        for name in order.OUTPUTS:
            with torch.no_grad():
                bias = self.leaves[name].get_parameter("bias")
                bias[channels:] = 28.0 * 4 / 32  # start at scale index 28

    def tables(self) -> Tables:
        """The integer tables by anchor: as loaded, or from the parameters in training."""
        return self.frozen or tables_of(self.log_gain, self.q_bias, self.z_scale)

    def rows(self, step: Tensor) -> Rows:
        """Table rows at quality steps ``step`` (B,)."""
        return by_quality.rows_at(self, self.tables(), step)

    def load_tables(self, tables: Tables) -> dict[str, Tensor]:
        """Use these tables from now on; returns the parameters that stand for them, for further training."""
        self.frozen = tables
        return parameters_of(tables)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StreamModel:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frozen = {name: move(fn, table) for name, table in self.frozen.items()}
        return self

    def hyper_analysis(self, y: Tensor) -> Tensor:
        return self.structure.hyper_analysis(self, y)  # type: ignore[no-any-return]

    def first(self, z_hat: Tensor, rows: Rows, condition: Tensor | None) -> tuple[Tensor, ...]:
        return self.structure.first(self, z_hat, rows, condition)

    def following(self, step: int, features: Tensor, y_hat: Tensor, rows: Rows) -> tuple[Tensor, ...]:
        return self.structure.following(self, step, features, y_hat, rows)

    def arange(self, count: int) -> Tensor:
        return torch.arange(count, device=self.log_gain.device)

    def expand(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return x.expand(shape)

    def encode(
        self, y: Tensor, z: Tensor, rows: Rows, condition: Tensor | None, put: Callable[[Step, Tensor], None]
    ) -> Tensor:
        """See :func:`mtcodec.networks.entropy.walk.encode`."""
        return walk.encode(self, y, z, rows, condition, put)  # type: ignore[no-any-return]

    def decode(
        self,
        rows: Rows,
        shape: tuple[int, int, int],
        condition: Tensor | None,
        take: Callable[[Step], Tensor],
    ) -> Tensor:
        """See :func:`mtcodec.networks.entropy.walk.decode`."""
        return walk.decode(self, rows, shape, condition, take)  # type: ignore[no-any-return]

    def forward(
        self, y: Tensor, rows: Rows, distribution: Distribution, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantise ``y`` (B, N, H, W); returns ŷ in units of 1/16 symbol and estimated bits, (B,).

        Rates come from additive uniform noise, everything else from rounded values with
        straight-through gradients (Minnen & Singh 2020).
        """
        steps: list[Step] = []
        z = self.hyper_analysis(y).float()
        y_hat = self.encode(y, z, rows, condition, lambda s, _: steps.append(s))
        hyper, *others = steps
        bits = distribution.bits(self.disturb(z), hyper.index).sum(dim=(1, 2, 3))
        mu, index = others[-1].mu, others[-1].index
        for step in others[:-1]:
            mu, index = torch.where(step.mask, step.mu, mu), torch.where(step.mask, step.index, index)
        residual = y.float() * (rows.gain / GAIN_UNIT) - mu / MEAN_UNIT
        return y_hat, bits + distribution.bits(self.disturb(residual), index).sum(dim=(1, 2, 3))

    def disturb(self, x: Tensor) -> Tensor:
        """Uniform noise in training, rounding in evaluation."""
        return x + torch.rand_like(x) - 0.5 if self.training else x.round()


def tables_of(log_gain: Tensor, q_bias: Tensor, z_scale: Tensor) -> Tables:
    """The tables that these parameters stand for, differentiable straight through."""
    log_gain = log_gain.clamp(-3.5, 2.7)
    tables = {
        "gain": torch.exp(log_gain) * GAIN_UNIT,
        "offset": log_gain * (64 / SCALE_STEP),
        "bias": q_bias * 32.0,
        "z_index": z_scale * 8.0,
    }
    return {name: round_clamp(table, *TABLE_LIMITS[name]) for name, table in tables.items()}


def parameters_of(tables: Tables) -> dict[str, Tensor]:
    """Parameters that stand for these tables, by the names of :data:`PARAMETERS`."""
    values = torch.log(tables["gain"] / GAIN_UNIT), tables["bias"] / 32.0, tables["z_index"] / 8.0
    return dict(zip(PARAMETERS, values))


class Distribution(nn.Module):
    """Shape of all distributions: a mixture of two zero-mean logistics, the second one wider."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = nn.Parameter(torch.tensor(-3.0))
        self.ratio = nn.Parameter(torch.tensor(1.0))

    def probability(self, value: Tensor, index: Tensor) -> Tensor:
        """Probability of the unit interval around ``value`` at (differentiable) scale ``index``."""
        scale = SCALE_MIN * torch.exp(index * SCALE_STEP)
        v = value.abs()
        tail = torch.sigmoid(self.tail)
        wide = scale * torch.exp(self.ratio)

        def mass(s: Tensor) -> Tensor:
            return torch.sigmoid((0.5 - v) / s) - torch.sigmoid((-0.5 - v) / s)

        return (1 - tail) * mass(scale) + tail * mass(wide)

    def bits(self, value: Tensor, index: Tensor) -> Tensor:
        return -torch.log2(self.probability(value, index).clamp_min(2.0**-22))


@dataclass
class Forward:
    """What a training step needs: reconstructions and estimated bits."""

    planes: dict[str, Tensor]  # (B, C, H, W), about [0, 1]
    bits: dict[str, Tensor]  # by stream, (B,); zero where the task is absent


class MultiTask(nn.Module):
    """Networks of one codec. Planes are float32 in [0, 1], (B, C, H, W).

    Quality steps come as (B, 1 + T): the scene's, which is that of the shared stream, then by task.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.structure = Structure(config)
        self.config, self.graph = config, self.structure.graph
        self.backbone = backbones.load(config.backbone)
        self.g_a = nn.ModuleDict({name: Net(own.layers) for name, own in self.structure.analyses.items()})
        self.g_s = nn.ModuleDict({name: Net(own.layers) for name, own in self.structure.syntheses.items()})
        self.streams = nn.ModuleDict({name: StreamModel(own) for name, own in self.structure.streams.items()})
        self.distribution = Distribution()

    def stream(self, name: str) -> StreamModel:
        """Entropy model of the stream ``name``: ``shared`` or a task."""
        stream = self.streams[name]
        assert isinstance(stream, StreamModel)
        return stream

    def analyse(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Latents of all streams, in the order of coding.

        Args:
            planes: by task, (B, C, H, W) in [0, 1], H and W multiples of 64; absent tasks may be missing.
            present: (B, T), 1 where the scene has the task.
            steps: (B, 1 + T), quality steps.
        """
        some, names = next(iter(planes.values())), self.config.task_names
        given = dict(planes)
        for task in self.config.tasks:
            if task.name not in given:
                given[task.name] = some.new_zeros((some.shape[0], task.channels, *some.shape[2:]))
        here = {name: present[:, i, None, None, None] for i, name in enumerate(names)}
        result: dict[str, Tensor] = {}
        for read, made in self.graph.analyses:
            net, own = self.g_a[key(read)], self.structure.analyses[key(read)]
            seen = [present[:, i : i + 1] for i, name in enumerate(names) if name in read]
            vector = torch.cat([*seen, self.structure.qualities(net, made, steps)], dim=1)  # type: ignore[arg-type]
            x = inputs(net, given, here, read)  # type: ignore[arg-type]
            y = own(net, *_like(net, x, vector[:, :, None, None]))  # type: ignore[arg-type]
            result |= zip(made, y.split([self.config.channels(name) for name in made], dim=1))
        return result

    def walk(
        self, steps: Tensor, code: Code, names: Iterable[str] | None = None, latents: Latents | None = None
    ) -> Latents:
        """See :meth:`mtcodec.networks.structure.Structure.walk`; ``steps`` (B, 1 + T)."""

        def rows(name: str) -> Rows:
            return self.stream(name).rows(steps[:, self.structure.column(name)])

        some = self.stream(self.graph.streams[0])
        return self.structure.walk(some, rows, code, names, latents)

    def synthesise(self, task: str, latents: Mapping[str, Tensor], steps: Tensor) -> Tensor:
        """Planes of ``task`` from the float latents of the streams it reads; ``steps`` (B, 1 + T)."""
        reads, net, own = self.graph.reads[task], self.g_s[task], self.structure.syntheses[task]
        y_hat = torch.cat([latents[name] for name in reads], dim=1)
        y_hat = y_hat.contiguous(memory_format=torch.channels_last)
        vector = self.structure.qualities(net, reads, steps)[:, :, None, None]  # type: ignore[arg-type]
        planes: Tensor = own(net, *_like(net, y_hat, vector)) + 0.5  # type: ignore[arg-type]
        return planes

    def forward(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> Forward:
        """Analysis, quantisation, rate estimate and synthesis of every task (training)."""
        y = self.analyse(planes, present, steps)
        bits: dict[str, Tensor] = {}

        def code(name: str, rows: Rows, condition: Tensor | None) -> Tensor:
            y_hat, bits[name] = self.stream(name)(y[name].float(), rows, self.distribution, condition)
            result: Tensor = y_hat
            return result

        with torch.autocast(present.device.type, enabled=False):
            latents = self.walk(steps, code)
            floats = {name: latents.floats(name) for name in self.graph.streams}
        for i, name in enumerate(self.config.task_names):
            if name in bits:
                bits[name] = bits[name] * present[:, i]
        return Forward({n: self.synthesise(n, floats, steps) for n in self.config.task_names}, bits)


def _like(network: nn.Module, *values: Tensor) -> list[Tensor]:
    """``values`` in the dtype of the network's parameters."""
    dtype = next(network.parameters()).dtype
    return [x.to(dtype) for x in values]
