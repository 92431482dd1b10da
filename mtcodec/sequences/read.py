"""Sequences read: frames by number, slice or time, of a file, bytes or a URL."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock
from typing import Any, overload

import numpy as np

from mtcodec.codec.api import Codec
from mtcodec.codec.decoder import OnDamage, Scene
from mtcodec.container.attachments import read as read_attachments
from mtcodec.container.mtc import Reader
from mtcodec.container.section import MAX_PIXELS
from mtcodec.container.sequence import GroupEntry, GroupFile, Index, is_sequence, read_index
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.sequences.sources import Source, source_of
from mtcodec.signals.mapping import Array

OPEN_GROUPS = 4  # whose headers and payloads are kept
FRAMES_AT_ONCE = 16  # that are decoded together

Frame = Scene
"""Arrays by task."""


class Sequence:
    """An open sequence. A scene's file is one of a single frame.

    ``clip[10]`` is a dict of arrays by task, ``clip[10:20]`` has them stacked, (10, H, W, …). Iteration decodes
    each group once. Clips can be pickled, and used in threads and in other processes.

    Args:
        data: a path, a URL for fsspec (``s3://``, ``https://``), or the bytes of a file.
        tasks: only these are fetched and decoded; None: all.
        device: where networks run: ``cpu`` or ``cuda``.
        max_pixels: frames of larger images are refused.
        weights: names or paths of weights besides the installed ones.
        tell: takes a line about what is missing; by default a warning.

    Attributes:
        index: the groups. starts: the numbers of their first frames, and of all frames.
        tasks: names of those that are decoded.

    Raises:
        SceneError: it cannot be read. FormatError: neither a sequence nor a scene. UsageError: a task that it
            lacks.

    Warns:
        MtcodecWarning: there is no index, as of a recording in progress; the file was read through.
    """

    def __init__(
        self,
        data: bytes | bytearray | memoryview | str | Path,
        tasks: str | Iterable[str] | None = None,
        device: str = "cpu",
        max_pixels: int = MAX_PIXELS,
        weights: str | Path | Iterable[str | Path] = (),
        tell: Callable[[str], None] = warn_of_loss,
    ) -> None:
        self.source: Source = source_of(data)
        self.device, self.max_pixels, self.weights = device, max_pixels, weights
        try:
            self.index = _index_of(self.source)
        except FormatError as error:
            raise error.at(path=self.source.label) from None
        if self.index.problem:
            tell(Loss(f"{self.source.label}: {self.index.problem}"))
        self.starts = list(accumulate((group.frame_count for group in self.index.groups), initial=0))
        self._prepare()
        self.tasks = _checked(self.index.tasks if tasks is None else tasks, self.index.tasks)

    def _prepare(self) -> None:
        self._readers: OrderedDict[int, Reader] = OrderedDict()  # the last one was used last
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_readers")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._prepare()

    def __enter__(self) -> Sequence:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.clear()

    def __repr__(self) -> str:
        return f"Sequence({self.source.label!r}, {len(self)} frames, tasks {', '.join(self.tasks)})"

    # --- what it holds -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.starts[-1]

    def group(self, number: int) -> Reader:
        """A group as it is stored.

        Raises:
            FormatError: its header is damaged, or not what the index says.
        """
        with self._lock:
            reader = self._readers.pop(number, None)
            if reader is None:
                reader = self._open(self.index.groups[number])
            self._readers[number] = reader
            if len(self._readers) > OPEN_GROUPS:
                self._readers.popitem(last=False)
            return reader

    def _open(self, entry: GroupEntry) -> Reader:
        try:
            reader = Reader(GroupFile(self.source, entry), self.max_pixels)  # type: ignore[arg-type]
            if reader.header.frame_count != entry.frame_count:
                raise FormatError("not the group that the index tells")
        except FormatError as error:
            raise error.at(path=self.source.label) from None
        return reader

    @cached_property
    def names(self) -> list[str]:
        """Names of all frames; of a scene, the empty one."""
        return [name for names, _ in self._labels for name in names]

    @cached_property
    def times(self) -> list[float] | None:
        """Seconds of all frames; None where they have no times."""
        times = [time for _, times in self._labels for time in times]
        return None if None in times else [float(time) for time in times if time is not None]

    @cached_property
    def _labels(self) -> list[tuple[tuple[str, ...], tuple[Fraction | None, ...]]]:
        """By group, names and times of its frames."""
        labels: list[tuple[tuple[str, ...], tuple[Fraction | None, ...]]] = []
        for number in range(len(self.index.groups)):
            frames = self.group(number).header.frames
            if frames is None:
                labels.append((("",), (None,)))
            elif frames.rate:
                labels.append((frames.names, tuple(Fraction(tick, frames.rate) for tick in frames.ticks)))
            else:
                labels.append((frames.names, (None,) * len(frames)))
        return labels

    def attachments(self, numbers: Iterable[int] | None = None) -> dict[str, bytes]:
        """Contents by name of the files beside the frames of some groups (None: of all).

        Raises:
            SectionError: damaged.
        """
        contents: dict[str, bytes] = {}
        for number in range(len(self.index.groups)) if numbers is None else numbers:
            contents |= read_attachments(self.group(number))
        return contents

    def groups_of(self, frames: Iterable[int]) -> list[int]:
        """The numbers of the groups that hold frames, in order."""
        return sorted({bisect_right(self.starts, frame) - 1 for frame in frames})

    # --- frames --------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> dict[str, Array]: ...

    def __getitem__(self, index: int | slice) -> Frame | dict[str, Array]:
        if isinstance(index, slice):
            return self._stacked(range(*index.indices(len(self))))
        return self.frames([index])[0]

    def frames(
        self,
        indices: Iterable[int],
        tasks: str | Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
    ) -> list[Frame]:
        """Frames by number, in any order; each a dict that lacks what the frame lacks.

        Args:
            tasks: only these.
            on_damage: called for each task of a frame that is lost, whereupon the others are decoded; without
                it the first such error is raised.

        Raises:
            IndexError: no such frame. UsageError: a task that it lacks.
            FormatError: damaged. WeightsNotFound: made with weights that are not there.
        """
        numbers = [self._checked_index(index) for index in indices]
        names = self.tasks if tasks is None else _checked(tasks, self.tasks)
        by_group: dict[int, list[int]] = {}
        for number in dict.fromkeys(numbers):
            by_group.setdefault(bisect_right(self.starts, number) - 1, []).append(number)
        decoded: dict[int, Frame] = {}
        for group, of_group in by_group.items():
            decoded |= zip(of_group, self._decode(group, of_group, names, on_damage))
        return [decoded[number] for number in numbers]

    def at(self, seconds: float) -> Frame:
        """The frame that is shown at a time: the last one that is not later.

        Raises:
            UsageError: frames have no times, or the first one is later.
        """
        return self[self.number_at(seconds)]

    def exact_time(self, number: int) -> Fraction | None:
        """The time of a frame in seconds; None where frames have no times."""
        group = bisect_right(self.starts, number) - 1
        frames = self.group(group).header.frames
        if frames is None or not frames.rate:
            return None
        return Fraction(frames.ticks[number - self.starts[group]], frames.rate)

    def number_at(self, seconds: float) -> int:
        """Its number, see :meth:`at`."""
        starts = [group.time for group in self.index.groups]
        if not starts or None in starts:
            raise UsageError("frames have no times", path=self.source.label)
        time = Fraction(seconds)
        group = bisect_right([start for start in starts if start is not None], time) - 1
        if group < 0:
            raise UsageError(
                f"the first frame is at {float(starts[0] or 0):g} seconds", path=self.source.label
            )
        frames = self.group(group).header.frames
        assert frames is not None
        return self.starts[group] + bisect_right(frames.ticks, time * frames.rate) - 1

    def __iter__(self) -> Iterator[Frame]:
        """All frames in order; each group is decoded once."""
        for group, (start, end) in enumerate(pairwise(self.starts)):
            for first in range(start, end, FRAMES_AT_ONCE):
                numbers = range(first, min(first + FRAMES_AT_ONCE, end))
                yield from self._decode(group, numbers, self.tasks, None)

    def _decode(
        self, group: int, numbers: Iterable[int], tasks: Iterable[str], on_damage: OnDamage | None
    ) -> list[Frame]:
        """Frames of a group, by their numbers in the sequence."""
        reader, start = self.group(group), self.starts[group]
        names = [name for name in tasks if name in reader.header.tasks]
        try:
            weights = self.weights if isinstance(self.weights, (str, Path)) else tuple(self.weights)
            codec = Codec(weights, self.device)
            return codec.decode_frames(reader, names, [number - start for number in numbers], on_damage)
        except FormatError as error:
            raise error.at(path=self.source.label) from error.__cause__

    def _stacked(self, numbers: range) -> dict[str, Array]:
        """Arrays of frames by task, (N, …); of no frames, no tasks."""
        frames = self.frames(numbers)
        for number, frame in zip(numbers, frames):
            if missing := [name for name in self.tasks if name not in frame]:
                raise SceneError(
                    f"frame {number} lacks it: frames() gives frames one by one", task=missing[0]
                )
        return {name: np.stack([frame[name] for frame in frames]) for name in self.tasks} if frames else {}

    def _checked_index(self, index: int) -> int:
        number = index.__index__()
        if not -len(self) <= number < len(self):
            raise IndexError(f"no frame {index}: there are {len(self)}")
        return number % len(self)


def _checked(tasks: str | Iterable[str], present: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys([tasks] if isinstance(tasks, str) else tasks))
    for name in names:
        if name not in present:
            raise UsageError(f"no task {name!r} (there is {', '.join(present) or 'none'})")
    return names


def _index_of(source: Source) -> Index:
    """The groups of a sequence, or the only one of a scene."""
    try:
        return read_index(source)
    except FormatError:
        beginning = source.read_at(0, 4)
        if is_sequence(beginning) or beginning[:3] != b"MTC":
            raise
    entry = GroupEntry(0, source.size, 1)
    header = Reader(GroupFile(source, entry)).header  # type: ignore[arg-type]
    return Index((entry,), header.tasks, source.size, source.size)


def open(
    data: bytes | bytearray | memoryview | str | Path,
    tasks: str | Iterable[str] | None = None,
    device: str = "cpu",
    max_pixels: int = MAX_PIXELS,
) -> Sequence:
    """An open sequence, see :class:`Sequence`."""
    return Sequence(data, tasks, device, max_pixels)
