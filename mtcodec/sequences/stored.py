"""What a file of a sequence holds: its groups, and names and times of frames. Nothing is decoded here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path

from mtcodec.container.attachments import read as read_attachments
from mtcodec.container.header import Header
from mtcodec.container.read_through import read_index
from mtcodec.container.section import MAX_PIXELS
from mtcodec.container.sequence import GroupEntry, GroupReader, Index, entry_of, is_sequence
from mtcodec.errors import FormatError, UsageError
from mtcodec.sequences.seconds import Seconds, exact, is_measured
from mtcodec.sequences.sources import Source, source_of

OPEN_GROUPS = 4  # whose headers and payloads are kept


class StoredSequence:
    """The groups of a file, each opened when it is needed. A scene's file is one of a single frame.

    It holds no lock and no open file, so that threads and forked processes can share it.

    Attributes:
        index: the groups. starts: the numbers of their first frames, and of all frames.
    """

    def __init__(
        self, data: bytes | bytearray | memoryview | str | Path, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.source: Source = source_of(data)
        self.max_pixels = max_pixels
        self._readers: dict[int, GroupReader] = {}  # replaced, never changed: threads share it
        try:
            self.index = _index_of(self.source)
        except FormatError as error:
            raise error.at(path=self.source.label) from None
        self.starts = list(accumulate((group.frame_count for group in self.index.groups), initial=0))

    def __len__(self) -> int:
        return self.starts[-1]

    # --- groups --------------------------------------------------------------------------------------------

    def group(self, number: int) -> GroupReader:
        """A group as it is stored.

        Raises:
            FormatError: its header is damaged, or not what the index says.
        """
        readers = self._readers
        reader = readers.get(number)
        if reader is None:
            reader = self._open(self.index.groups[number])
        others = [(key, value) for key, value in readers.items() if key != number]
        self._readers = dict([*others[1 - OPEN_GROUPS :], (number, reader)])
        return reader

    def _open(self, entry: GroupEntry) -> GroupReader:
        try:
            reader = GroupReader(self.source, entry, self.max_pixels)
            if not self._is_group(reader.header, entry):
                raise FormatError("not the group that the index tells")
        except FormatError as error:
            raise error.at(path=self.source.label) from None
        return reader

    def _is_group(self, header: Header, entry: GroupEntry) -> bool:
        """Is it what its entry says, with tasks that the index names?"""
        if header.frames is None:
            return entry.frame_count == 1
        stored = entry_of(header, entry.offset)
        same = (stored.frame_count, stored.rate, stored.start) == (
            entry.frame_count, entry.rate, entry.start,
        )  # fmt: skip
        return same and set(header.tasks) <= set(self.index.tasks)

    def group_of(self, frame: int) -> int:
        """The number of the group that holds a frame."""
        return bisect_right(self.starts, frame) - 1

    def groups_of(self, frames: Iterable[int]) -> list[int]:
        """The numbers of the groups that hold frames, in order."""
        return sorted({self.group_of(frame) for frame in frames})

    def attachments(self, numbers: Iterable[int] | None = None) -> dict[str, bytes]:
        """Contents by name of the files beside the frames of some groups (None: of all).

        Raises:
            FormatError: damaged, or two different files of one name.
        """
        contents: dict[str, bytes] = {}
        for number in range(len(self.index.groups)) if numbers is None else numbers:
            for name, content in read_attachments(self.group(number)).items():
                if contents.setdefault(name, content) != content:
                    raise FormatError(f"two different attached files {name!r}", path=self.source.label)
        return contents

    # --- names ---------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> list[str]:
        """Names of all frames; of a scene, the empty one.

        Raises:
            FormatError: a damaged header, or two frames of one name.
        """
        names = [name for number in range(len(self.index.groups)) for name in self.names_in(number)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise FormatError(f"two frames are called {twice!r}", path=self.source.label)
        return names

    def names_in(self, group: int) -> tuple[str, ...]:
        """Names of the frames of a group."""
        frames = self.group(group).header.frames
        return ("",) if frames is None else frames.names

    # --- times ---------------------------------------------------------------------------------------------

    @property
    def has_times(self) -> bool:
        """Do all frames have times?"""
        return bool(self.index.groups) and all(group.rate for group in self.index.groups)

    @cached_property
    def times(self) -> list[float] | None:
        """Seconds of all frames; None where they have no times."""
        if not self.has_times:
            return None
        return [float(time) for number in range(len(self.index.groups)) for time in self._times_in(number)]

    def exact_time(self, number: int) -> Fraction | None:
        """The time of a frame in seconds; None where frames have no times."""
        if not self.has_times:
            return None
        group = self.group_of(number)
        return self._times_in(group)[number - self.starts[group]]

    def task_times(self, task: str) -> list[Fraction | None] | None:
        """Exact seconds of the images of a task, as clocks differ; None for a frame that lacks it.

        None in place of the list where frames have no times.
        """
        if not self.has_times:
            return None
        return [time for number in range(len(self.index.groups)) for time in self.task_times_in(number, task)]

    def task_times_in(self, group: int, task: str) -> list[Fraction | None]:
        """The same of the frames of a group, which has times."""
        header = self.group(group).header
        times: list[Fraction | None] = [None] * header.frame_count
        section = header.section(task)
        if section is not None and header.frames is not None:
            present = header.frames_of(task)
            for frame, delay in zip(present, section.attributes.delays or (0,) * len(present)):
                times[frame] = Fraction(header.frames.ticks[frame] + delay, header.frames.rate)
        return times

    def number_at(self, seconds: Seconds) -> int:
        """The number of the frame that is shown at a time: of the last one that is not later.

        A float is compared with times as floats, so that it finds the frame whose ``times`` it is; others are
        exact.

        Raises:
            UsageError: not a time, frames have no times, or the first one is later.
            FormatError: times of groups descend.
        """
        if not self.has_times:
            raise UsageError("frames have no times", path=self.source.label)
        time = float(seconds) if is_measured(seconds) else exact(seconds)
        key = float if isinstance(time, float) else Fraction
        starts = self._group_times
        if any(after < before for before, after in pairwise(starts)):
            raise FormatError("times of groups descend", path=self.source.label)
        group = bisect_right(starts, time, key=key) - 1
        if not time == time or group < 0:
            raise UsageError(f"the first frame is at {float(starts[0]):g} seconds", path=self.source.label)
        return self.starts[group] + bisect_right(self._times_in(group), time, key=key) - 1

    @cached_property
    def _group_times(self) -> list[Fraction]:
        return [time for group in self.index.groups if (time := group.time) is not None]

    def _times_in(self, group: int) -> list[Fraction]:
        """Times of the frames of a group that has them."""
        frames = self.group(group).header.frames
        return [] if frames is None else [Fraction(tick, frames.rate) for tick in frames.ticks]


def _index_of(source: Source) -> Index:
    """The groups of a sequence, or the only one of a scene."""
    try:
        return read_index(source)
    except FormatError:
        beginning = source.read_at(0, 4)
        if is_sequence(beginning):
            raise
    entry = GroupEntry(0, source.size, 1)
    header = GroupReader(source, entry).header
    if header.frames is not None:
        ticks = header.frames.ticks
        entry = GroupEntry(0, source.size, len(header.frames), header.frames.rate, ticks[0] if ticks else 0)
    return Index((entry,), header.tasks, source.size, source.size)
