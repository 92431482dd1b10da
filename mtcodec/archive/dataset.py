"""Archives as datasets of torch: by index, or as a stream that knows of workers and shards."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.read import Entry, Opened
from mtcodec.codec.decoder import Scene
from mtcodec.format.header import MAX_PIXELS

Sample = dict[str, Any]
Transform = Callable[[Sample], Any]

GROUPS_KEPT = 4  # row groups that stay in memory
WIDER = {"uint16": "int32", "uint32": "int64"}  # what torch computes with


def to_sample(key: str, scene: Scene) -> Sample:
    """Tensors (C, H, W) of stored values, uint16 as int32 and uint32 as int64; and the ``key``."""
    sample: Sample = {"key": key}
    for name, image in scene.items():
        planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
        wide = planes.astype(WIDER.get(planes.dtype.name, planes.dtype), copy=False)
        sample[name] = torch.from_numpy(np.ascontiguousarray(wide))
    return sample


class Archive(Dataset[Any]):
    """An archive's scenes by index: ``archive[i]`` is a dict of tensors, see :func:`to_sample`.

    A ``DataLoader`` decodes the samples of a batch together. Neighbouring scenes are fetched together: random
    order over a large archive is slow from afar, see :meth:`stream`.

    Args:
        path: local, or a URL for fsspec (``s3://``, ``https://``).
        tasks: only these are fetched and decoded; default all.
        device: where networks run: ``cpu`` or ``cuda``. Tensors are on the CPU.
        transform: called with every sample.
        max_pixels: scenes of larger images are errors; to set for archives of strangers.

    Raises:
        SceneError: no archive there. FormatError: damaged. UsageError: a task that it lacks.
        DependencyError: pyarrow is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        tasks: Sequence[str] | None = None,
        device: str = "cpu",
        transform: Transform | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.path, self.device, self.transform = str(path), device, transform
        self.max_pixels = max_pixels
        opened = self._opened = Opened(self.path, max_pixels)
        self.tasks = list(opened.about.names if tasks is None else tasks)
        opened.about.needs(self.tasks)
        self.about, self.groups = opened.about, opened.groups
        self._starts = np.cumsum([0, *(g.rows for g in self.groups)])
        self._codec: ArchiveCodec | None = None
        self._kept: OrderedDict[int, list[Entry]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Workers open the archive and load the codec anew."""
        return {**self.__dict__, "_opened": None, "_codec": None, "_kept": OrderedDict()}

    @property
    def opened(self) -> Opened:
        if self._opened is None:
            self._opened = Opened(self.path, self.max_pixels)
        return self._opened

    @property
    def codec(self) -> ArchiveCodec:
        """What decodes; it loads networks when a scene first needs them."""
        if self._codec is None:
            self._codec = ArchiveCodec(self.opened, self.device)
        return self._codec

    def __len__(self) -> int:
        return int(self._starts[-1])

    def keys(self) -> list[str]:
        """Keys of all scenes, in order."""
        return [key for group in self.groups for key in self.opened.keys(group)]

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several samples, decoded together; ``DataLoader`` calls this."""
        return list(self._samples([self._entry(i) for i in indices]))

    def stream(self, *, shuffle: bool = False, seed: int = 0, batch: int = BATCH) -> Stream:
        """All scenes once, group by group; every worker of a ``DataLoader`` and every rank reads its part."""
        return Stream(self, shuffle, seed, batch)

    def _entry(self, index: int) -> Entry:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        if group not in self._kept:
            self._kept[group] = self.opened.entries(self.groups[group], self.tasks)
            if len(self._kept) > GROUPS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(group)
        return self._kept[group][index - int(self._starts[group])]

    def _samples(self, entries: Sequence[Entry]) -> Iterator[Any]:
        for key, scene in decode(self.codec, entries, self.tasks):
            sample = to_sample(key, scene)
            yield sample if self.transform is None else self.transform(sample)


class Stream(IterableDataset[Any]):
    """The samples of an :class:`Archive` in sequence, each once over all workers and ranks.

    Groups go to ranks (of ``torch.distributed``, if it runs) and workers in turns. With ``shuffle``, groups
    and the scenes in them come in an order that :meth:`set_epoch` changes.
    """

    def __init__(self, archive: Archive, shuffle: bool, seed: int, batch: int) -> None:
        self.archive, self.shuffle, self.seed, self.batch = archive, shuffle, seed, batch
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        rng = random.Random(f"{self.seed} {self.epoch}")
        groups = list(self.archive.groups)
        if self.shuffle:
            rng.shuffle(groups)
        for group in groups[share()]:
            entries = self.archive.opened.entries(group, self.archive.tasks)
            if self.shuffle:
                rng.shuffle(entries)
            for at in range(0, len(entries), self.batch):
                yield from self.archive._samples(entries[at : at + self.batch])


def share() -> slice:
    """Which of all groups this process reads."""
    rank, ranks = 0, 1
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    worker = get_worker_info()
    if worker is not None:
        rank, ranks = rank * worker.num_workers + worker.id, ranks * worker.num_workers
    return slice(rank, None, ranks)
