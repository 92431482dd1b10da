"""The ``conditional`` architecture: one shared stream, one stream per task conditioned on it.

::

      x_1 … x_T ──► g_a ──┬─► y_shared ─► StreamModel ─► ŷ_shared ──┬──────────────┐
                          ├─► y_1 ──────► StreamModel( · | ŷ_shared) ─► ŷ_1 ─► g_s,1([ŷ_shared, ŷ_1])
                          └─► y_T ──────► StreamModel( · | ŷ_shared) ─► ŷ_T ─► g_s,T([ŷ_shared, ŷ_T])

After "Multi-Modal Multi-Task Data Compression" (Alvandian, Bachmann), whose ``shared`` system has the
same streams, but neither a hyper-latent per stream nor the conditioning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtcodec import quality
from mtcodec.models.config import ModelConfig
from mtcodec.models.stream import Coded, Distribution, StreamModel
from mtcodec.models.transforms import Analysis, Synthesis

ALIGNMENT = 64  # images are padded to multiples of this: hyper-latents are at 1/64


@dataclass
class Forward:
    """What a training step needs: reconstructions and estimated bits."""

    planes: dict[str, Tensor]  # (B, C, H, W), about [0, 1]
    bits: dict[str, Tensor]  # by stream, (B,); zero where the task is absent


class Conditional(nn.Module):
    """Networks of the conditional codec. Planes are float32 in [0, 1], (B, C, H, W)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        n, count = config.latents, len(config.tasks)
        shape = (n, config.hyper, config.entropy_width)
        channels = sum(t.channels for t in config.tasks)
        self.g_a = Analysis(channels, (count + 1) * n, 2 * count + 1, config.encoder_8, config.encoder_16)
        self.g_s = nn.ModuleDict(
            {
                t.name: Synthesis(2 * n, t.channels, 2, config.decoder_8, config.decoder_16)
                for t in config.tasks
            }
        )
        self.shared = StreamModel(*shape)
        self.streams = nn.ModuleDict({t.name: StreamModel(*shape, conditions=n) for t in config.tasks})
        self.distribution = Distribution()

    def stream(self, name: str) -> StreamModel:
        """Entropy model of the stream ``name``: ``shared`` or a task."""
        stream = self.shared if name == "shared" else self.streams[name]
        assert isinstance(stream, StreamModel)
        return stream

    def synthesis(self, task: str) -> Synthesis:
        """Synthesis transform of ``task``."""
        synthesis = self.g_s[task]
        assert isinstance(synthesis, Synthesis)
        return synthesis

    def analyse(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> dict[str, Tensor]:
        """Latents of all streams.

        Args:
            planes: by task, (B, C, H, W) in [0, 1], H and W multiples of 64; absent tasks may be missing.
            present: (B, T), 1 where the scene has the task.
            steps: (B, T+1), quality steps: shared, then by task.
        """
        some = next(iter(planes.values()))
        inputs = []
        for i, task in enumerate(self.config.tasks):
            if task.name in planes:
                inputs.append((planes[task.name] - 0.5) * present[:, i, None, None, None])
            else:
                shape = (some.shape[0], task.channels, *some.shape[2:])
                inputs.append(some.new_zeros(shape))
        vector = torch.cat([present, steps / quality.STEPS - 0.5], dim=1)
        y = self.g_a(torch.cat(inputs, dim=1), vector)
        return dict(zip(("shared", *self.config.task_names), y.chunk(present.shape[1] + 1, dim=1)))

    def synthesise(self, task: str, shared: Tensor, own: Tensor, steps: Tensor) -> Tensor:
        """Planes of ``task`` from float latents; ``steps`` (B, 2): quality of shared and own stream."""
        latent = torch.cat([shared, own], dim=1)
        planes: Tensor = self.synthesis(task)(latent, steps / quality.STEPS - 0.5)
        return planes + 0.5

    def forward(self, planes: dict[str, Tensor], present: Tensor, steps: Tensor) -> Forward:
        """Analysis, quantisation, rate estimate and synthesis of every task (training)."""
        y = self.analyse(planes, present, steps)
        with torch.autocast(present.device.type, enabled=False):
            shared: Coded = self.shared(y["shared"].float(), steps[:, 0], self.distribution)
            coded: dict[str, Coded] = {
                name: self.stream(name)(y[name].float(), steps[:, i + 1], self.distribution, shared.canonical)
                for i, name in enumerate(self.config.task_names)
            }
        bits = {"shared": shared.bits}
        result = {}
        for i, (name, own) in enumerate(coded.items()):
            bits[name] = own.bits * present[:, i]
            result[name] = self.synthesise(name, shared.latent, own.latent, steps[:, [0, i + 1]])
        return Forward(result, bits)
