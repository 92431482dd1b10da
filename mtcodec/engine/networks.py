"""The networks of one weights file, run by torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.bitstreams.range_coder import Tables
from mtcodec.errors import UsageError
from mtcodec.models.config import SHARED
from mtcodec.models.entropy.by_quality import Rows
from mtcodec.models.entropy.stream import Step
from mtcodec.models.multitask import ALIGNMENT, MultiTask
from mtcodec.models.multitask import Latents as Latents
from mtcodec.signal.mapping import Planes
from mtcodec.tasks import Task
from mtcodec.weights import file as weights_file

Integers = npt.NDArray[Any]
Put = Callable[[str, Integers, Integers], None]
"""Takes the symbols of a coding step of a stream, and the indexes of their probability tables; both flat."""
Take = Callable[[int, Integers, int], Integers]
"""Gives the symbols of a coding step: of the file of this index, for these tables, up to this magnitude."""


def aligned(size: int) -> int:
    """Height or width with the padding that networks need."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class Networks:
    """Analysis, entropy models and synthesis. Calls are independent; one object may be shared by threads.

    Attributes:
        tasks: declarations by name. tables: probability tables. info: of the weights file.
    """

    def __init__(self, model: MultiTask, tables: Tables, info: weights_file.WeightsInfo, device: str) -> None:
        self.model, self.tables, self.info, self.device = model.to(device), tables, info, device
        self.graph = model.graph
        self.tasks: dict[str, Task] = {t.name: t for t in model.config.tasks}

    def knows(self, task: Task) -> bool:
        """Can they code images of ``task``?"""
        own = self.tasks.get(task.name)
        return own is not None and (own.kind, own.channels) == (task.kind, task.channels)

    @torch.inference_mode()
    def encode(self, planes: Mapping[str, Planes], steps: Mapping[str, int], put: Put) -> Latents:
        """Quantise one scene, calling ``put`` for every coding step of every stream in order.

        Args:
            planes: by task, (C, H, W) in [0, 1]; the scene lacks other tasks.
            steps: quality steps by stream, ``shared`` among them.
        """
        some = next(iter(planes.values()))
        height, width = some.shape[1:]
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
            return stream.encode(y[name], stream.h_a(y[name]), rows, condition, give)

        return self.model.walk(columns, code, [name for name in y if name == SHARED or name in planes])

    @torch.inference_mode()
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
        shape = (len(steps), aligned(size[0]) // 16, aligned(size[1]) // 16)

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
        """Planes of ``task``, (B, C, H, W), about [0, 1]."""
        floats = {name: latents.floats(name) for name in self.graph.reads[task]}
        planes = self.model.synthesise(task, floats, self._columns(steps))
        result: npt.NDArray[np.float32] = planes.float().cpu().numpy()[:, :, : size[0], : size[1]]
        return result

    def _columns(self, steps: Sequence[Mapping[str, int]]) -> Tensor:
        """Quality steps as the model takes them, (B, 1 + T)."""
        rows = [[own[SHARED], *(own.get(n, own[SHARED]) for n in self.tasks)] for own in steps]
        return torch.tensor(rows, device=self.device)


def device_of(name: str) -> str:
    """``cpu`` or ``cuda``, for ``auto`` as well.

    Raises:
        UsageError: another name, or no CUDA device is there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device must be auto, cpu or cuda, not {name!r}")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available")
    return name


def load(path: Path, device: str = "auto") -> Networks:
    """The networks of a weights file; loaded once for each state of the file.

    Raises:
        WeightsInvalid: damaged.
    """
    status = path.stat()
    return _load(path.resolve(), device_of(device), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, device: str, _modified: int, _size: int) -> Networks:
    model, tables = weights_file.load(path)
    return Networks(model, tables, weights_file.describe(path), device)
