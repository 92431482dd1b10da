"""Networks run by torch: on CUDA, and wherever else torch runs, for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.bitstreams.range_coder import Tables
from mtcodec.errors import UsageError
from mtcodec.networks.engine import Levels, Networks
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask, StreamModel
from mtcodec.networks.structure import Latents, aligned
from mtcodec.networks.weights import file as weights_file
from mtcodec.networks.weights.file import WeightsInfo
from mtcodec.signals.signal import Signal


class TorchNetworks(Networks):
    """Networks of a weights file by torch; ``model`` is in evaluation mode and on ``device``."""

    def __init__(self, model: MultiTask, tables: Tables, info: WeightsInfo, device: str) -> None:
        super().__init__(model.config, tables, info)
        self.model, self.device = model, device

    def inference(self) -> AbstractContextManager[object]:
        return torch.inference_mode()

    def stream_networks(self, stream: str) -> StreamModel:
        return self.model.stream(stream)

    def to_numpy(self, maps: Tensor) -> npt.NDArray[Any]:
        return maps.cpu().numpy()

    def from_numpy(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    @torch.inference_mode()
    def analyse(self, signals: Mapping[str, Signal], levels: Levels) -> dict[str, Tensor]:
        signal = next(iter(signals.values()))
        height, width = signal.height, signal.width
        padding = ((0, 0), (0, aligned(height) - height), (0, aligned(width) - width))
        planes = {
            name: self.from_numpy(np.pad(signal.planes, padding, mode="edge"))[None]
            for name, signal in signals.items()
        }
        present = torch.tensor([[float(name in signals) for name in self.tasks]], device=self.device)
        return self.model.analyse(planes, present, self.from_numpy(self.level_array([levels])))

    @torch.inference_mode()
    def synthesise(
        self, task: str, latents: Latents, levels: Sequence[Levels], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        floats = {name: latents.floats(name) for name in self.graph.reads[task]}
        planes = self.model.synthesise(task, floats, self.from_numpy(self.level_array(levels)))
        result: npt.NDArray[np.float32] = planes.float().cpu().numpy()[:, :, : size[0], : size[1]]
        return result


def load(path: Path, device: str = "cuda") -> TorchNetworks:
    """The networks of a weights file by torch on one of its devices.

    Raises:
        WeightsInvalid: damaged. UsageError: there is no CUDA device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available")
    weights = weights_file.load(path)
    model = serial.from_tensors(weights.config, weights.tensors).to(device)
    return TorchNetworks(model, weights.tables, weights.info, device)
