"""Archives as datasets: by index, or as a stream that knows of workers and shards. Torch is not needed."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec import memory, threads
from mtcodec.archive.batches import Sample, to_sample
from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.read import Entry, Opened
from mtcodec.archive.stream import Stream, worker
from mtcodec.container.header import MAX_PIXELS
from mtcodec.errors import DependencyError, UsageError

Transform = Callable[[Sample], Any]

GROUPS_KEPT = 4  # row groups that stay in memory


class Archive:
    """An archive's scenes by index: ``archive[i]`` is a dict of tensors, see :func:`to_sample`.

    A ``DataLoader`` of torch decodes the samples of a batch together; :func:`mtcodec.collate` makes batches
    of scenes that differ in size or tasks. Neighbouring scenes are fetched together: random
    order over a large archive is slow from afar, see :meth:`stream`.

    Args:
        path: local, or a URL for fsspec (``s3://``, ``https://``).
        tasks: only these are fetched and decoded; default all.
        device: where networks run: ``cpu`` or ``cuda``. Tensors are on the CPU.
        transform: called with every sample.
        crop: all images get this height and width: their middle, with zeros where they are smaller.
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
        torch = find_spec("torch") is not None
        self.numpy = not torch if numpy is None else numpy
        if not (self.numpy or torch):
            raise DependencyError("tensors need torch: pip install 'mtcodec[train]'")
        opened = self._opened = Opened(self.path, max_pixels)
        self.tasks = list(opened.about.names if tasks is None else tasks)
        opened.about.needs(self.tasks)
        self.about, self.groups = opened.about, opened.groups
        self._starts = np.cumsum([0, *(g.rows for g in self.groups)])
        self._codec: ArchiveCodec | None = None
        self._kept: OrderedDict[int, list[Entry]] = OrderedDict()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Workers open the archive and load the codec anew."""
        return {**self.__dict__, "_opened": None, "_codec": None, "_kept": OrderedDict()}

    @property
    def opened(self) -> Opened:
        """The archive; a process that was forked opens it anew, as connections cannot be shared."""
        if self._opened is None or self._process != os.getpid():
            self._opened, self._codec, self._process = Opened(self.path, self.max_pixels), None, os.getpid()
        return self._opened

    @property
    def codec(self) -> ArchiveCodec:
        """What decodes; it loads networks when a scene first needs them."""
        opened = self.opened
        if self._codec is None:
            if worker() is not None:  # there are several
                memory.keep()
                threads.limit(1)
            self._codec = ArchiveCodec(opened, self.device)
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
        return list(self.samples([self._entry(i) for i in indices]))

    def __iter__(self) -> Iterator[Any]:
        """All samples in order."""
        with closing(self.opened.ahead(self.groups, self.tasks)) as fetched:
            for _, entries in fetched:
                for at in range(0, len(entries), BATCH):
                    yield from self.samples(entries[at : at + BATCH])

    def stream(self, *, shuffle: bool = False, seed: int = 0, batch: int = BATCH) -> Stream:
        """All scenes once, group by group; every worker of a ``DataLoader`` and every rank reads its part."""
        if find_spec("torch") is None:
            return Stream(self, shuffle, seed, batch)
        from mtcodec.archive.torch_stream import TorchStream

        return TorchStream(self, shuffle, seed, batch)

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

    def samples(self, entries: Sequence[Entry]) -> Iterator[Any]:
        """Rows decoded together."""
        for key, scene in decode(self.codec, entries, self.tasks, self.crop, planar=True):
            sample = to_sample(key, scene, self.crop, self.numpy)
            yield sample if self.transform is None else self.transform(sample)
