"""A multi-task codec's networks: analysis, an entropy model per stream, a synthesis per task.

The graph of the ``conditional`` architecture::

      x_1 … x_T ──► g_a ──┬─► y_shared ─► StreamModel ─► ŷ_shared ──┬──────────────┐
                          ├─► y_1 ──────► StreamModel( · | ŷ_shared) ─► ŷ_1 ─► g_s,1([ŷ_shared, ŷ_1])
                          └─► y_T ──────► StreamModel( · | ŷ_shared) ─► ŷ_T ─► g_s,T([ŷ_shared, ŷ_T])

``shared`` lacks the conditioning, ``disjoint`` lacks y_shared, ``mixed`` has nothing else, and ``single`` is
``disjoint`` with an analysis for each task (:class:`mtcodec.models.config.Graph`). After "Multi-Modal
Multi-Task Data Compression" (Alvandian, Bachmann), where one hyper-latent serves all streams; here each
stream has its own, so that a stored subset of them needs nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mtcodec.format.quality import NETWORK_STEPS
from mtcodec.models import backbones
from mtcodec.models.config import SHARED, ModelConfig
from mtcodec.models.entropy.by_quality import Rows
from mtcodec.models.entropy.distribution import Distribution
from mtcodec.models.entropy.stream import StreamModel

ALIGNMENT = 64  # images are padded to multiples of this: hyper-latents are at 1/64


@dataclass
class Latents:
    """Decoded streams by name: integers in units of 1/16 symbol, (B, N, H/16, W/16), and rows of tables."""

    y_hat: dict[str, Tensor] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    def floats(self, name: str) -> Tensor:
        """The latent of a stream as synthesis reads it."""
        return StreamModel.latent(self.y_hat[name], self.rows[name])

    def canonical(self, name: str) -> Tensor:
        """The latent of a stream as other streams' entropy models read it: integers −255 … 255."""
        return StreamModel.canonical(self.y_hat[name], self.rows[name])


Code = Callable[[str, Rows, Tensor | None], Tensor]
"""Codes a stream: its name, its tables' rows, and what it is conditioned on → ŷ."""


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
        self.config, self.graph = config, config.graph
        self.backbone = backbones.load(config.backbone)
        self.g_a = nn.ModuleDict(
            {_key(read): self.backbone.analysis(config, read, made) for read, made in self.graph.analyses}
        )
        self.g_s = nn.ModuleDict({name: self.backbone.synthesis(config, name) for name in config.task_names})
        self.streams = nn.ModuleDict({name: self._stream(name) for name in self.graph.streams})
        self.distribution = Distribution()

    def _stream(self, name: str) -> StreamModel:
        config = self.config
        conditions = config.shared_latents if self.conditioned(name) else 0
        return StreamModel(config.channels(name), config.hyper, config.entropy_width, conditions)

    def stream(self, name: str) -> StreamModel:
        """Entropy model of the stream ``name``: ``shared`` or a task."""
        stream = self.streams[name]
        assert isinstance(stream, StreamModel)
        return stream

    def conditioned(self, stream: str) -> bool:
        """Is a stream coded given the shared one?"""
        return self.graph.conditioned and stream != SHARED

    def column(self, stream: str) -> int:
        """Column of the quality steps that is a stream's."""
        return 0 if stream == SHARED else 1 + self.config.task_names.index(stream)

    def analyse(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Latents of all streams, in the order of coding.

        Args:
            planes: by task, (B, C, H, W) in [0, 1], H and W multiples of 64; absent tasks may be missing.
            present: (B, T), 1 where the scene has the task.
            steps: (B, 1 + T), quality steps.
        """
        some = next(iter(planes.values()))
        result: dict[str, Tensor] = {}
        for read, made in self.graph.analyses:
            columns = [self.config.task_names.index(name) for name in read]
            inputs = []
            for i in columns:
                task = self.config.tasks[i]
                if task.name in planes:
                    inputs.append((planes[task.name] - 0.5) * present[:, i, None, None, None])
                else:
                    inputs.append(some.new_zeros((some.shape[0], task.channels, *some.shape[2:])))
            vector = torch.cat([present[:, columns], self._qualities(made, steps)], dim=1)
            g_a = self.g_a[_key(read)]
            y = g_a(*_like(g_a, torch.cat(inputs, dim=1), vector))
            result |= zip(made, y.split([self.config.channels(name) for name in made], dim=1))
        return result

    def _qualities(self, streams: Iterable[str], steps: Tensor) -> Tensor:
        """Qualities of ``streams`` as the transforms see them, −0.5 to 0.5, (B, streams)."""
        return steps[:, [self.column(name) for name in streams]] / NETWORK_STEPS - 0.5

    def walk(
        self, steps: Tensor, code: Code, names: Iterable[str] | None = None, latents: Latents | None = None
    ) -> Latents:
        """Code streams in their order: the one walk of training, encoder, decoder and analyses.

        Args:
            steps: (B, 1 + T), quality steps.
            code: called for every stream.
            names: of streams, all without it.
            latents: of streams that were walked through before; the others are added to them.
        """
        latents = Latents() if latents is None else latents
        shared: Tensor | None = None
        for name in self.graph.streams if names is None else names:
            if shared is None and self.conditioned(name):
                shared = latents.canonical(SHARED)
            rows = self.stream(name).rows(steps[:, self.column(name)])
            y_hat = code(name, rows, shared if self.conditioned(name) else None)
            latents.y_hat[name], latents.rows[name] = y_hat, rows
        return latents

    def synthesise(self, task: str, latents: Mapping[str, Tensor], steps: Tensor) -> Tensor:
        """Planes of ``task`` from the float latents of the streams it reads; ``steps`` (B, 1 + T)."""
        reads, g_s = self.graph.reads[task], self.g_s[task]
        y_hat = torch.cat([latents[name] for name in reads], dim=1)
        planes: Tensor = g_s(*_like(g_s, y_hat, self._qualities(reads, steps)))
        return planes + 0.5

    def forward(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> Forward:
        """Analysis, quantisation, rate estimate and synthesis of every task (training)."""
        y = self.analyse(planes, present, steps)
        bits: dict[str, Tensor] = {}

        def code(name: str, rows: Rows, condition: Tensor | None) -> Tensor:
            coded = self.stream(name)(y[name].float(), rows, self.distribution, condition)
            bits[name] = coded.bits
            return coded.y_hat  # type: ignore[no-any-return]

        with torch.autocast(present.device.type, enabled=False):
            latents = self.walk(steps, code)
            floats = {name: latents.floats(name) for name in self.graph.streams}
        for i, name in enumerate(self.config.task_names):
            if name in bits:
                bits[name] = bits[name] * present[:, i]
        return Forward({n: self.synthesise(n, floats, steps) for n in self.config.task_names}, bits)


def _like(network: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """``inputs`` in the dtype of the network's parameters."""
    dtype = next(network.parameters()).dtype
    return [x.to(dtype) for x in inputs]


def _key(read: tuple[str, ...]) -> str:
    """Name of the analysis of these tasks."""
    return read[0] if len(read) == 1 else "all"
