"""Networks as modules of torch, for training and for CUDA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import (
    ANCHORS,
    GAIN_UNIT,
    TABLE_LIMITS,
    GainVectors,
    Tables,
    gain_vectors_at,
)
from mtcodec.networks.entropy.passes import PASS_COUNT, CodingPass, StreamPasses
from mtcodec.networks.entropy.scales import LOG_SCALE_SPACING, SCALE_MIN
from mtcodec.networks.entropy.stream import MEAN_UNIT, Stream
from mtcodec.networks.pytorch.layers import Net, move, round_clamp
from mtcodec.networks.structure import Latents, Structure, key

PARAMETERS = ("log_gain", "q_bias", "z_scale")  # of a stream: what its tables are made of in training


class StreamModel(Net):
    """Entropy model of one stream, with the parameters of its tables."""

    def __init__(self, structure: Stream) -> None:
        super().__init__(structure.layers)
        self.structure, channels = structure, structure.channels
        log_gains = torch.linspace(-1.4, 1.4, ANCHORS)[:, None]
        self.log_gain = nn.Parameter(log_gains.repeat(1, channels))
        self.q_bias = nn.Parameter(torch.zeros(ANCHORS, structure.width))
        self.z_scale = nn.Parameter(torch.full((ANCHORS, structure.hyper), 28.0 / 8))
        self.frozen: Tables = {}  # tables of a loaded file, used instead of recomputing them
        for name in order.OUTPUTS:
            with torch.no_grad():
                bias = self.leaves[name].get_parameter("bias")
                bias[channels:] = 28.0 * 4 / 32  # start at scale index 28

    expand = staticmethod(torch.broadcast_to)

    def where(self, mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.where(mask, x, y)

    def tables(self) -> Tables:
        """The integer tables by anchor: as loaded, or of the parameters, differentiable straight through."""
        if self.frozen:
            return self.frozen
        log_gain = self.log_gain.clamp(-3.5, 2.7)
        tables = {
            "gain": torch.exp(log_gain) * GAIN_UNIT,
            "offset": log_gain * (64 / LOG_SCALE_SPACING),
            "bias": self.q_bias * 32.0,
            "z_index": self.z_scale * 8.0,
        }
        return {name: round_clamp(table, *TABLE_LIMITS[name]) for name, table in tables.items()}

    def gain_vectors(self, levels: Tensor) -> GainVectors:
        return gain_vectors_at(self, self.tables(), levels)

    def load_tables(self, tables: Tables) -> dict[str, Tensor]:
        """Use these tables from now on; returns the :data:`PARAMETERS` that stand for them, for training."""
        self.frozen = tables
        values = torch.log(tables["gain"] / GAIN_UNIT), tables["bias"] / 32.0, tables["z_index"] / 8.0
        return dict(zip(PARAMETERS, values))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StreamModel:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frozen = {name: move(fn, table) for name, table in self.frozen.items()}
        return self

    def hyper_analysis(self, y: Tensor) -> Tensor:
        return self.structure.hyper_analysis(self, y)  # type: ignore[no-any-return]

    def first(self, z_hat: Tensor, gains: GainVectors, condition: Tensor | None) -> tuple[Tensor, ...]:
        return self.structure.first(self, z_hat, gains, condition)

    def following(self, k: int, features: Tensor, y_hat: Tensor, gains: GainVectors) -> tuple[Tensor, ...]:
        return self.structure.following(self, k, features, y_hat, gains)

    def arange(self, count: int) -> Tensor:
        return torch.arange(count, device=self.log_gain.device)

    def forward(self, y: Tensor, coding: StreamPasses, distribution: Distribution) -> Tensor:
        """Quantise ``y`` (B, N, H, W) pass by pass; returns estimated bits, (B,), and leaves ŷ in ``coding``.

        Rates come from additive uniform noise, everything else from rounded values with
        straight-through gradients (Minnen & Singh 2020).
        """
        quantiser = coding.quantiser(y)
        coding_passes: list[CodingPass] = []
        for number in range(PASS_COUNT):  # not ``for … in coding``: older torch does not compile generators
            coding_pass = coding.start(number)
            coding_pass.symbols = quantiser.symbols(coding_pass)
            coding.finish(coding_pass)
            coding_passes.append(coding_pass)
        hyper, *rest, last = coding_passes
        bits = distribution.bits(self.disturb(quantiser.z), hyper.table_indexes).sum(dim=(1, 2, 3))
        mean, table_indexes = last.mean, last.table_indexes
        for coding_pass in rest:
            mean = torch.where(coding_pass.mask, coding_pass.mean, mean)
            table_indexes = torch.where(coding_pass.mask, coding_pass.table_indexes, table_indexes)
        residual = quantiser.y - mean / MEAN_UNIT
        return bits + distribution.bits(self.disturb(residual), table_indexes).sum(dim=(1, 2, 3))

    def disturb(self, x: Tensor) -> Tensor:
        """Uniform noise in training, rounding in evaluation."""
        return x + torch.rand_like(x) - 0.5 if self.training else x.round()


class Distribution(nn.Module):
    """Shape of all distributions: a mixture of two zero-mean logistics, the second one wider."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = nn.Parameter(torch.tensor(-3.0))
        self.ratio = nn.Parameter(torch.tensor(1.0))

    def probability(self, value: Tensor, table_index: Tensor) -> Tensor:
        """Probability of the unit interval around ``value`` under a table, whose index is differentiable."""
        scale = SCALE_MIN * torch.exp(table_index * LOG_SCALE_SPACING)
        magnitude = value.abs()
        tail = torch.sigmoid(self.tail)
        wide_scale = scale * torch.exp(self.ratio)
        return (1 - tail) * _logistic_mass(magnitude, scale) + tail * _logistic_mass(magnitude, wide_scale)

    def bits(self, value: Tensor, table_index: Tensor) -> Tensor:
        """Code length of every value, at most 22 bits."""
        return -torch.log2(self.probability(value, table_index).clamp_min(2.0**-22))


def _logistic_mass(value: Tensor, scale: Tensor) -> Tensor:
    """Probability of the unit interval around ``value`` under a logistic of zero mean."""
    return torch.sigmoid((0.5 - value) / scale) - torch.sigmoid((-0.5 - value) / scale)


@dataclass
class Forward:
    """What a training step needs: reconstructions and estimated bits."""

    planes: dict[str, Tensor]  # (B, C, H, W), about [0, 1]
    bits: dict[str, Tensor]  # by stream, (B,); zero where the task is absent


class MultiTask(nn.Module):
    """Networks of one codec. Planes are float32 in [0, 1], (B, C, H, W).

    Quality levels come as (B, 1 + T): the scene's, which is that of the shared stream, then by task.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.structure = Structure(config)
        self.config, self.graph = config, config.graph
        self.backbone = BACKBONES[config.backbone]
        analyses, syntheses = self.structure.analyses, self.structure.syntheses
        self.g_a = nn.ModuleDict({name: Net(transform.layers) for name, transform in analyses.items()})
        self.g_s = nn.ModuleDict({name: Net(transform.layers) for name, transform in syntheses.items()})
        self.streams = nn.ModuleDict({n: StreamModel(stream) for n, stream in self.structure.streams.items()})
        self.distribution = Distribution()

    def stream(self, name: str) -> StreamModel:
        """Entropy model of the stream ``name``: ``shared`` or a task."""
        stream = self.streams[name]
        assert isinstance(stream, StreamModel)
        return stream

    def analyse(self, planes: dict[str, Tensor], present: Tensor, levels: Tensor) -> dict[str, Tensor]:
        """Latents of all streams, in the order of coding.

        Args:
            planes: by task, (B, C, H, W) in [0, 1], H and W multiples of 64; absent tasks may be missing.
            present: (B, T), 1 where the scene has the task.
            levels: (B, 1 + T), quality levels.
        """
        first, planes = next(iter(planes.values())), dict(planes)
        for task in self.config.tasks:
            if task.name not in planes:
                planes[task.name] = first.new_zeros((first.shape[0], task.channels, *first.shape[2:]))
        y: dict[str, Tensor] = {}
        for tasks, streams in self.graph.analyses:
            net, transform = self.g_a[key(tasks)], self.structure.analyses[key(tasks)]
            read = self.structure.analysis_inputs(net, tasks, planes, present, levels)  # type: ignore[arg-type]
            latents = transform(net, *_like(net, *read))  # type: ignore[arg-type]
            y |= zip(streams, latents.split([self.config.channels(name) for name in streams], dim=1))
        return y

    def passes(
        self, stream: str, levels: Tensor, shape: tuple[int, int, int], latents: Latents
    ) -> StreamPasses:
        """See :meth:`mtcodec.networks.structure.Structure.passes`."""
        return self.structure.passes(self.stream(stream), stream, levels, shape, latents)

    def synthesise(self, task: str, latents: Mapping[str, Tensor], levels: Tensor) -> Tensor:
        """Planes of ``task`` from the float latents of the streams it reads; ``levels`` (B, 1 + T)."""
        net, transform = self.g_s[task], self.structure.syntheses[task]
        y_hat, vector = self.structure.synthesis_inputs(net, task, latents, levels)  # type: ignore[arg-type]
        y_hat = y_hat.contiguous(memory_format=torch.channels_last)
        planes: Tensor = transform(net, *_like(net, y_hat, vector)) + 0.5  # type: ignore[arg-type]
        return planes

    def forward(self, planes: dict[str, Tensor], present: Tensor, levels: Tensor) -> Forward:
        """Analysis, quantisation, rate estimate and synthesis of every task (training)."""
        y = self.analyse(planes, present, levels)
        bits: dict[str, Tensor] = {}
        latents = Latents()
        with torch.autocast(present.device.type, enabled=False):
            for name in self.graph.streams:
                batch, _, height, width = y[name].shape
                coding = self.passes(name, levels, (batch, height, width), latents)
                bits[name] = self.stream(name)(y[name].float(), coding, self.distribution)
                latents.add(name, coding)
            floats = {name: latents.floats(name) for name in self.graph.streams}
        for i, name in enumerate(self.config.task_names):
            if name in bits:
                bits[name] = bits[name] * present[:, i]
        return Forward({n: self.synthesise(n, floats, levels) for n in self.config.task_names}, bits)


def _like(network: nn.Module, *values: Tensor) -> list[Tensor]:
    """``values`` in the dtype of the network's parameters."""
    dtype = next(network.parameters()).dtype
    return [x.to(dtype) for x in values]
