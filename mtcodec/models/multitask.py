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

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtcodec.format import quality
from mtcodec.models.backbones import fast as transforms
from mtcodec.models.backbones import scale_hyperprior as gdn
from mtcodec.models.config import SHARED, ModelConfig
from mtcodec.models.entropy.stream import Coded, Distribution, StreamModel

ALIGNMENT = 64  # images are padded to multiples of this: hyper-latents are at 1/64


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
        self.g_a = nn.ModuleDict(
            {_key(read): self._analysis(read, made) for read, made in self.graph.analyses}
        )
        self.g_s = nn.ModuleDict({t.name: self._synthesis(t.name, t.channels) for t in config.tasks})
        self.streams = nn.ModuleDict({name: self._stream(name) for name in self.graph.streams})
        self.distribution = Distribution()

    def _analysis(self, read: tuple[str, ...], made: tuple[str, ...]) -> nn.Module:
        config = self.config
        channels = [t.channels for t in config.tasks if t.name in read]
        latents = sum(config.channels(name) for name in made)
        if config.backbone == "scale-hyperprior":
            return gdn.Analysis(channels, latents, config.head)
        vector = len(read) + len(made)
        return transforms.Analysis(sum(channels), latents, vector, config.encoder_8, config.encoder_16)

    def _synthesis(self, task: str, channels: int) -> nn.Module:
        config, reads = self.config, self.graph.reads[task]
        latents = sum(config.channels(name) for name in reads)
        if config.backbone == "scale-hyperprior":
            width = config.head * max(len(read) for read, _ in self.graph.analyses)
            return gdn.Synthesis(latents, channels, config.head, width)
        return transforms.Synthesis(latents, channels, len(reads), config.decoder_8, config.decoder_16)

    def _stream(self, name: str) -> StreamModel:
        config = self.config
        conditions = config.shared_latents if self.graph.conditioned and name != SHARED else 0
        return StreamModel(config.channels(name), config.hyper, config.entropy_width, conditions)

    def stream(self, name: str) -> StreamModel:
        """Entropy model of the stream ``name``: ``shared`` or a task."""
        stream = self.streams[name]
        assert isinstance(stream, StreamModel)
        return stream

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
            scaled = steps[:, [self.column(name) for name in made]] / quality.STEPS - 0.5
            vector = torch.cat([present[:, columns], scaled], dim=1)
            g_a = self.g_a[_key(read)]
            y = g_a(*_like(g_a, torch.cat(inputs, dim=1), vector))
            result |= zip(made, y.split([self.config.channels(name) for name in made], dim=1))
        return result

    def condition(self, name: str, shared: Tensor | None) -> Tensor | None:
        """What the stream ``name`` is conditioned on, given the canonical form of the shared latent."""
        return shared if self.graph.conditioned and name != SHARED else None

    def synthesise(self, task: str, latents: dict[str, Tensor], steps: Tensor) -> Tensor:
        """Planes of ``task`` from the float latents of the streams it reads; ``steps`` (B, 1 + T)."""
        reads = self.graph.reads[task]
        vector = steps[:, [self.column(name) for name in reads]] / quality.STEPS - 0.5
        g_s = self.g_s[task]
        planes: Tensor = g_s(*_like(g_s, torch.cat([latents[name] for name in reads], dim=1), vector))
        return planes + 0.5

    def forward(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> Forward:
        """Analysis, quantisation, rate estimate and synthesis of every task (training)."""
        y = self.analyse(planes, present, steps)
        coded: dict[str, Coded] = {}
        with torch.autocast(present.device.type, enabled=False):
            for name, latent in y.items():
                shared = coded[SHARED].canonical if SHARED in coded else None
                column = steps[:, self.column(name)]
                given = self.condition(name, shared)
                coded[name] = self.stream(name)(latent.float(), column, self.distribution, given)
        bits = {name: stream.bits for name, stream in coded.items()}
        for i, name in enumerate(self.config.task_names):
            if name in bits:
                bits[name] = bits[name] * present[:, i]
        latents = {name: stream.latent for name, stream in coded.items()}
        return Forward({n: self.synthesise(n, latents, steps) for n in self.config.task_names}, bits)


def _like(network: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """``inputs`` in the dtype of the network's parameters."""
    dtype = next(network.parameters()).dtype
    return [x.to(dtype) for x in inputs]


def _key(read: tuple[str, ...]) -> str:
    """Name of the analysis of these tasks."""
    return read[0] if len(read) == 1 else "all"
