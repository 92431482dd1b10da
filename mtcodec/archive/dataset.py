"""Archives as datasets: by index, or as a stream that knows of workers and shards. Torch is not needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec import threads
from mtcodec.archive.batches import Sample, to_sample
from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import Entry
from mtcodec.archive.stream import Stream, worker_info
from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import DependencyError, UsageError

Transform = Callable[[Sample], Any]

CACHED_ROW_GROUPS = 4


class Archive:
    """An archive's scenes by index: ``archive[i]`` is a dict of tensors, see :func:`to_sample`.

    By task there is an image (C, H, W) of the task's own size, or numbers, (), (W,) or (H, W), as they were
    encoded; ``key`` is the scene's name.

    A ``DataLoader`` of torch decodes the samples of a batch together; :func:`mtcodec.collate` makes batches
    of scenes that differ in size or tasks. Neighbouring scenes are fetched together: random
    order over a large archive is slow from afar, see :meth:`stream`.

    Args:
        path: local, or a URL for fsspec (``s3://``, ``https://``).
        tasks: only these are fetched and decoded; default all.
        device: where networks run: ``cpu`` or ``cuda``. Tensors are on the CPU.
        transform: called with every sample.
        crop: the middle of scenes, of a height and width in pixels of the largest image that is read of a
            scene. Smaller ones get the same part of the scene, in their own pixels: c · m / n of a crop of
            c, where the largest has n pixels along a side and they have m, rounded to nearest (halves up),
            and at least 1. Where an image has fewer pixels than that, zeros follow. Numbers are not cropped.
        numpy: arrays of the stored dtypes instead of tensors; by default where torch is not installed.
        max_pixels: scenes of larger images are errors; to set for archives of strangers.

    Raises:
        SceneError: no archive there. FormatError: damaged. UsageError: a task that it lacks,
            or not a size. DependencyError: pyarrow, or torch for tensors, is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        tasks: Sequence[str] | None = None,
        device: str = "cpu",
        transform: Transform | None = None,
        max_pixels: int = MAX_PIXELS,
        crop: int | tuple[int, int] | None = None,
        numpy: bool | None = None,
    ) -> None:
        self.path, self.device, self.transform = str(path), device, transform
        self.max_pixels = max_pixels
        self.crop = (crop, crop) if isinstance(crop, int) else crop
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise UsageError(f"crop must be a number of pixels, or height and width, not {crop!r}")
        has_torch = find_spec("torch") is not None
        self.numpy = not has_torch if numpy is None else numpy
        if not (self.numpy or has_torch):
            raise DependencyError("tensors need torch: pip install 'mtcodec[train]'")
        self._process: int | None = None  # that has opened the archive
        self.tasks = self.reader.manifest.select_tasks(tasks)
        self.manifest, self.row_groups = self.reader.manifest, self.reader.row_groups
        self._starts = np.cumsum([0, *(row_group.rows for row_group in self.row_groups)])

    def __getstate__(self) -> dict[str, Any]:
        """Workers open the archive and load the codec anew."""
        return {**self.__dict__, "_process": None, "_codec": None, "_entries": None}

    @property
    def codec(self) -> ArchiveCodec:
        """What decodes; it loads networks when a scene first needs them.

        A process that was forked opens the archive anew, as connections cannot be shared.
        """
        if self._process != os.getpid():
            reader = ArchiveReader(self.path, self.max_pixels)
            self._codec = ArchiveCodec(reader, self.device)
            self._entries = lru_cache(CACHED_ROW_GROUPS)(reader.entries)
            self._process = os.getpid()
        return self._codec

    @property
    def reader(self) -> ArchiveReader:
        """The open archive."""
        return self.codec.reader

    def __len__(self) -> int:
        return int(self._starts[-1])

    def keys(self) -> list[str]:
        """Keys of all scenes, in order."""
        return [key for row_group in self.row_groups for key in self.reader.keys(row_group)]

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Several samples, decoded together; ``DataLoader`` calls this."""
        return list(self.samples([self._entry(i) for i in indices]))

    def __iter__(self) -> Iterator[Any]:
        """All samples in order."""
        for entries in self.reader.batches(BATCH, self.tasks):
            yield from self.samples(entries)

    def stream(self, *, shuffle: bool = False, seed: int = 0, batch: int = BATCH) -> Stream:
        """All scenes once, row group by row group. Workers of a ``DataLoader`` and ranks share them.

        Args:
            shuffle: another order in every epoch, see :meth:`mtcodec.archive.stream.Stream.set_epoch`.
            batch: how many scenes are decoded together.
        """
        if find_spec("torch") is None:
            return Stream(self, shuffle, seed, batch)
        from mtcodec.archive.torch_stream import TorchStream

        return TorchStream(self, shuffle, seed, batch)

    def _entry(self, index: int) -> Entry:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        row_group = self.reader.row_groups[number]
        return self._entries(row_group, tuple(self.tasks))[index - int(self._starts[number])]

    def samples(self, entries: Sequence[Entry]) -> Iterator[Any]:
        """Rows decoded together; in a worker of a ``DataLoader`` with one thread, as there are several."""
        with nullcontext() if worker_info() is None else threads.limited(1):
            scenes = decode(self.codec, entries, self.tasks, self.crop, channels_first=True)
        for key, scene in scenes:
            sample = to_sample(key, scene, self.numpy)
            yield sample if self.transform is None else self.transform(sample)
