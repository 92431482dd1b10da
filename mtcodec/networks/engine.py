"""Networks of a weights file, run by an engine: numpy in and out.

``cpu`` is onnxruntime (:mod:`mtcodec.networks.onnx.sessions`), ``cuda`` is torch
(:mod:`mtcodec.networks.pytorch.networks`), which is imported for it alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec import extras
from mtcodec.bitstreams.range_coder import Tables
from mtcodec.errors import UsageError
from mtcodec.networks.config import SHARED, ModelConfig
from mtcodec.networks.structure import LATENT, Structure
from mtcodec.networks.structure import Latents as Latents
from mtcodec.networks.weights import file as weights_file
from mtcodec.networks.weights.file import WeightsInfo
from mtcodec.signals.mapping import Window
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task

Integers = npt.NDArray[Any]
Put = Callable[[str, Integers, Integers], None]
"""Takes the symbols of a coding step of a stream, and the indexes of their probability tables; both flat."""
Take = Callable[[int, Integers, int], Integers]
"""Gives the symbols of a coding step: of the file of this index, for these tables, up to this magnitude."""
DEVICES = ("cpu", "cuda")


class Networks(ABC):
    """Analysis, entropy models and synthesis. Calls are independent; one object may be shared by threads.

    Attributes:
        tasks: declarations by name. tables: probability tables. info: of the weights file.
    """

    def __init__(self, config: ModelConfig, tables: Tables, info: WeightsInfo) -> None:
        self.structure, self.tables, self.info = Structure(config), tables, info
        self.config, self.graph = config, self.structure.graph
        self.tasks: dict[str, Task] = {t.name: t for t in config.tasks}

    def knows(self, task: Task) -> bool:
        """Can they code images of ``task``?"""
        own = self.tasks.get(task.name)
        return own is not None and own.alike(task)

    @abstractmethod
    def encode(self, signals: Mapping[str, Signal], steps: Mapping[str, int], put: Put) -> Latents:
        """Quantise one scene, calling ``put`` for every coding step of every stream in order.

        Args:
            signals: by task; the scene lacks other tasks.
            steps: quality steps by stream, ``shared`` among them.
        """

    @abstractmethod
    def decode(
        self,
        name: str,
        size: tuple[int, int],
        steps: Sequence[Mapping[str, int]],
        take: Take,
        latents: Latents,
    ) -> None:
        """Decode the stream ``name`` of files of one size into ``latents``; the shared one must be there.

        Args:
            steps: quality steps by stream of every file.
        """

    @abstractmethod
    def synthesise(
        self, task: str, latents: Latents, steps: Sequence[Mapping[str, int]], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        """Planes of ``task``, (B, C, H, W), about [0, 1]."""

    def synthesise_part(
        self,
        task: str,
        latents: Latents,
        steps: Sequence[Mapping[str, int]],
        size: tuple[int, int],
        window: Window,
    ) -> npt.NDArray[np.float32]:
        """Planes of a part of an image of ``size``, of those latents alone that they depend on."""
        halo = self.structure.syntheses[task].halo
        starts = [max(own.start // LATENT - halo, 0) for own in window]
        stops = [-(-own.stop // LATENT) + halo for own in window]
        height, width = (min(b * LATENT, side) - a * LATENT for a, b, side in zip(starts, stops, size))
        part = latents.part(*map(slice, starts, stops))
        planes = self.synthesise(task, part, steps, (height, width))
        rows, columns = (slice(w.start - s * LATENT, w.stop - s * LATENT) for w, s in zip(window, starts))
        return planes[:, :, rows, columns]

    def columns(self, steps: Sequence[Mapping[str, int]]) -> npt.NDArray[np.int64]:
        """Quality steps as the structure takes them, (B, 1 + T)."""
        rows = [[own[SHARED], *(own.get(n, own[SHARED]) for n in self.tasks)] for own in steps]
        return np.array(rows, np.int64)

    def streams_of(self, tasks: Mapping[str, Any]) -> list[str]:
        """Streams that are coded for these tasks, in order."""
        return [name for name in self.graph.streams if name == SHARED or name in tasks]


def load(path: Path, device: str = "cpu") -> Networks:
    """The networks of a weights file; loaded once for each state of the file.

    Raises:
        WeightsInvalid: damaged. UsageError: no such device. DependencyError: it needs torch.
    """
    if device not in DEVICES:
        raise UsageError(f"device must be {' or '.join(DEVICES)}, not {device!r}")
    status = path.stat()
    return _load(path.resolve(), device, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, device: str, _modified: int, _size: int) -> Networks:
    if device == "cuda":
        extras.load("torch", "--device cuda", "train")
        from mtcodec.networks.pytorch import networks as torch_networks

        return torch_networks.load(path)
    from mtcodec.networks.onnx.sessions import Sessions

    return Sessions(weights_file.load(path))
