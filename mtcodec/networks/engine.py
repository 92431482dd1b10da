"""Networks of a weights file, run by an engine.

``cpu`` is onnxruntime (:mod:`mtcodec.networks.onnx.sessions`), ``cuda`` is torch
(:mod:`mtcodec.networks.pytorch.networks`), which is imported for it alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec import extras
from mtcodec.bitstreams.range_coder import Tables
from mtcodec.errors import UsageError
from mtcodec.networks.config import SHARED, ModelConfig
from mtcodec.networks.entropy.passes import CodingPass, StreamNetworks, StreamPasses
from mtcodec.networks.layers import Maps
from mtcodec.networks.structure import LATENT_SIDE, Latents, Structure, aligned
from mtcodec.networks.weights import file as weights_file
from mtcodec.networks.weights.file import WeightsInfo
from mtcodec.signals.mapping import Window
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task

Array = npt.NDArray[Any]
DEVICES = ("cpu", "cuda")
Levels = Mapping[str, int]
"""Quality levels of a file by stream, ``shared`` among them."""


class Networks(ABC):
    """Analysis, entropy models and synthesis. Calls are independent; one object may be shared by threads.

    Maps are arrays of the engine's; :meth:`gather` and :meth:`scatter` are the way from and to numpy.

    Attributes:
        tasks: declarations by name. tables: probability tables. info: of the weights file.
    """

    def __init__(self, config: ModelConfig, tables: Tables, info: WeightsInfo) -> None:
        self.structure, self.tables, self.info = Structure(config), tables, info
        self.config, self.graph = config, config.graph
        self.tasks: dict[str, Task] = {t.name: t for t in config.tasks}

    def knows(self, task: Task) -> bool:
        """Can they code images of ``task``?"""
        declared = self.tasks.get(task.name)
        return declared is not None and declared.alike(task)

    def streams_of(self, tasks: Mapping[str, Any]) -> list[str]:
        """Streams that are coded for these tasks, in order."""
        return [name for name in self.graph.streams if name == SHARED or name in tasks]

    # --- what engines do ---------------------------------------------------------------------------

    @abstractmethod
    def analyse(self, signals: Mapping[str, Signal], levels: Levels) -> dict[str, Maps]:
        """Latents of one scene before they are quantised, by stream, (1, N, H/16, W/16).

        ``signals`` are by task; the scene lacks other tasks.
        """

    @abstractmethod
    def stream_networks(self, stream: str) -> StreamNetworks:
        """The entropy networks of a stream."""

    @abstractmethod
    def synthesise(
        self, task: str, latents: Latents, levels: Sequence[Levels], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        """Planes of ``task``, (B, C, H, W), about [0, 1], of images of ``size``."""

    @abstractmethod
    def to_numpy(self, maps: Maps) -> Array: ...

    @abstractmethod
    def from_numpy(self, array: Array) -> Maps: ...

    def inference(self) -> AbstractContextManager[object]:
        """What coding passes run in: no gradients."""
        return nullcontext()

    # --- coding ------------------------------------------------------------------------------------

    def passes(
        self, stream: str, size: tuple[int, int], levels: Sequence[Levels], latents: Latents
    ) -> StreamPasses:
        """The coding passes of a stream of files whose images have one size, (H, W).

        See :meth:`mtcodec.networks.structure.Structure.passes`.
        """
        shape = (len(levels), aligned(size[0]) // LATENT_SIDE, aligned(size[1]) // LATENT_SIDE)
        level_maps = self.from_numpy(self.level_array(levels))
        return self.structure.passes(self.stream_networks(stream), stream, level_maps, shape, latents)

    def places(self, coding_pass: CodingPass) -> Array:
        """Flat indexes of the symbols (C, H, W) that a pass codes, in the order in which they are coded."""
        return np.flatnonzero(self.to_numpy(coding_pass.mask))

    def gather(self, maps: Maps, places: Array, dtype: npt.DTypeLike) -> Iterator[Array]:
        """For every file of a batch, the values of ``maps`` (B, C, H, W) in these places, flat."""
        for values in self.to_numpy(maps):
            yield values.reshape(-1)[places].astype(dtype)

    def scatter(self, values: Iterable[Array], places: Array, shape: tuple[int, ...]) -> Maps:
        """Maps of ``shape`` (B, C, H, W) with every file's ``values`` in these places, else zero."""
        array = np.zeros(shape, np.float32)
        for whole, flat in zip(array, values, strict=True):
            whole.reshape(-1)[places] = flat
        return self.from_numpy(array)

    def level_array(self, levels: Sequence[Levels]) -> npt.NDArray[np.int64]:
        """Quality levels as the structure takes them, (B, 1 + T); streams without one have the shared one."""
        rows = [
            [by_stream[SHARED], *(by_stream.get(task, by_stream[SHARED]) for task in self.tasks)]
            for by_stream in levels
        ]
        return np.array(rows, np.int64)

    # --- parts of images ---------------------------------------------------------------------------

    def synthesise_part(
        self,
        task: str,
        latents: Latents,
        levels: Sequence[Levels],
        size: tuple[int, int],
        window: Window,
    ) -> npt.NDArray[np.float32]:
        """Planes of the region ``window`` of images of ``size``, from those latents alone that they need."""
        halo = self.structure.syntheses[task].halo
        starts = [max(pixels.start // LATENT_SIDE - halo, 0) for pixels in window]
        stops = [-(-pixels.stop // LATENT_SIDE) + halo for pixels in window]
        origins = [start * LATENT_SIDE for start in starts]
        ends = [min(stop * LATENT_SIDE, side) for stop, side in zip(stops, size)]
        part_size = ends[0] - origins[0], ends[1] - origins[1]
        part = latents.part(*map(slice, starts, stops))
        planes = self.synthesise(task, part, levels, part_size)
        rows, columns = (slice(p.start - origin, p.stop - origin) for p, origin in zip(window, origins))
        return planes[:, :, rows, columns]


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
