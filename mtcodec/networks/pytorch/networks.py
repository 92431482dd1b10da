"""Networks run by torch: on CUDA, and wherever else torch runs, for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.bitstreams.range_coder import Tables
from mtcodec.errors import UsageError
from mtcodec.networks.engine import Networks, Put, Take
from mtcodec.networks.entropy.gain_vectors import Rows
from mtcodec.networks.entropy.walk import Step
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.structure import LATENT, Latents, aligned
from mtcodec.networks.weights import file
from mtcodec.networks.weights.file import WeightsInfo
from mtcodec.signals.signal import Signal


class TorchNetworks(Networks):
    """Networks of a weights file by torch; ``model`` is in evaluation mode."""

    def __init__(self, model: MultiTask, tables: Tables, info: WeightsInfo, device: str) -> None:
        super().__init__(model.config, tables, info)
        self.model, self.device = model.to(device), device

    @torch.inference_mode()
    def encode(self, signals: Mapping[str, Signal], steps: Mapping[str, int], put: Put) -> Latents:
        planes = {name: signal.planes for name, signal in signals.items()}
        height, width = next(iter(planes.values())).shape[1:]
        pad = ((0, 0), (0, aligned(height) - height), (0, aligned(width) - width))
        given = {n: torch.from_numpy(np.pad(p, pad, mode="edge"))[None] for n, p in planes.items()}
        given = {n: p.to(self.device) for n, p in given.items()}
        present = torch.tensor([[float(n in planes) for n in self.tasks]], device=self.device)
        columns = self._columns([steps])
        y = self.model.analyse(given, present, columns)

        def code(name: str, rows: Rows, condition: Tensor | None) -> Tensor:
            def give(request: Step, symbols: Tensor) -> None:
                mask = request.mask.cpu().numpy()
                values, index = symbols.cpu().numpy()[0][mask], request.index.cpu().numpy()[0][mask]
                put(name, values.astype(np.int32), index.astype(np.uint8))

            stream = self.model.stream(name)
            return stream.encode(y[name], stream.hyper_analysis(y[name]), rows, condition, give)

        return self.model.walk(columns, code, self.streams_of(planes))

    @torch.inference_mode()
    def decode(
        self,
        name: str,
        size: tuple[int, int],
        steps: Sequence[Mapping[str, int]],
        take: Take,
        latents: Latents,
    ) -> None:
        shape = (len(steps), aligned(size[0]) // LATENT, aligned(size[1]) // LATENT)

        def give(request: Step) -> Tensor:
            mask, index = request.mask.cpu().numpy(), request.index.cpu().numpy()
            values = np.zeros(index.shape, np.float32)
            for i in range(len(steps)):
                values[i][mask] = take(i, index[i][mask].astype(np.uint8), request.limit)
            return torch.from_numpy(values).to(self.device)

        def code(name: str, rows: Rows, condition: Tensor | None) -> Tensor:
            return self.model.stream(name).decode(rows, shape, condition, give)

        self.model.walk(self._columns(steps), code, [name], latents)

    @torch.inference_mode()
    def synthesise(
        self, task: str, latents: Latents, steps: Sequence[Mapping[str, int]], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        floats = {name: latents.floats(name) for name in self.graph.reads[task]}
        planes = self.model.synthesise(task, floats, self._columns(steps))
        result: npt.NDArray[np.float32] = planes.float().cpu().numpy()[:, :, : size[0], : size[1]]
        return result

    def _columns(self, steps: Sequence[Mapping[str, int]]) -> Tensor:
        return torch.from_numpy(self.columns(steps)).to(self.device)


def load(path: Path, device: str = "cuda") -> TorchNetworks:
    """The networks of a weights file by torch on one of its devices.

    Raises:
        WeightsInvalid: damaged. UsageError: there is no CUDA device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available")
    weights: Any = file.load(path)
    return TorchNetworks(
        serial.from_tensors(weights.config, weights.tensors), weights.tables, weights.info, device
    )
