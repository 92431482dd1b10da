"""Sequences made of others: their groups are copied, nothing is encoded anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, pairwise

from mtcodec.container.frames import Frames, is_name
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader, build, extract
from mtcodec.container.sequence import BEGINNING, entry_of, pack_index
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.sequences.read import Sequence as Clip

Write = Callable[[bytes], object]
"""Takes the next bytes of a file."""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        frames: their number. groups: their number.
        notes: lines about what is otherwise than in the originals.
    """

    frames: int
    groups: int
    notes: tuple[str, ...] = ()


def write_groups(groups: Iterator[bytes], write: Write) -> tuple[int, int]:
    """Write a sequence of groups; how many frames and groups it has."""
    entries, tasks, offset = [], dict[str, None](), len(BEGINNING)
    write(BEGINNING)
    for data in groups:
        header = Reader(data).header
        write(data)
        entries.append(entry_of(header, offset))
        tasks |= dict.fromkeys(header.tasks)
        offset += len(data)
    write(pack_index(entries, list(tasks)))
    return sum(entry.frame_count for entry in entries), len(entries)


def whole(reader: Reader) -> bytes:
    """A group as it is; FormatError where any of it is damaged."""
    return build(reader.header, {s.name: reader.payload(s.name) for s in reader.header.sections})


# --- parts ---------------------------------------------------------------------------------------------


def cut(clip: Clip, write: Write, frames: slice | None = None, tasks: Sequence[str] | None = None) -> Copied:
    """Copy the groups that hold some frames, and of these some tasks.

    Args:
        frames: with start and stop; the groups that hold any of them are copied whole. None: all.
        tasks: None: all. Frames of groups that have none of them are left out.

    Raises:
        UsageError: no such frames or tasks. FormatError: damage to what is kept.
    """
    for name in tasks or ():
        if name not in clip.tasks:
            raise UsageError(f"no task {name!r} (there is {', '.join(clip.tasks)})")
    numbers, notes = _groups_of(clip, frames)
    kept = [n for n in numbers if tasks is None or _has_any(clip.group(n), tasks)]
    if len(kept) < len(numbers):
        lost = sum(clip.index.groups[n].frame_count for n in set(numbers) - set(kept))
        notes.append(f"{lost} frames that have none of these tasks are left out")
    if not kept:
        raise UsageError("nothing is left to copy")

    def groups() -> Iterator[bytes]:
        for number in kept:
            reader = clip.group(number)
            try:
                names = [name for name in tasks or reader.header.tasks if name in reader.header.tasks]
                yield whole(reader) if tasks is None else extract(reader, names)
            except FormatError as error:
                raise error.at(path=clip.source.label, scene=f"group {number}") from error.__cause__

    return Copied(*write_groups(groups(), write), tuple(notes))


def _groups_of(clip: Clip, frames: slice | None) -> tuple[list[int], list[str]]:
    """The groups that hold some frames, and a line where they hold others, too."""
    if frames is None:
        return list(range(len(clip.index.groups))), []
    wanted = range(*frames.indices(len(clip)))
    starts = clip.starts
    numbers = [
        number
        for number, (first, stop) in enumerate(pairwise(starts))
        if max(first, wanted.start) < min(stop, wanted.stop)
    ]
    if not wanted or not numbers:
        raise UsageError(f"no such frames: there are {len(clip)}")
    first, last = starts[numbers[0]], starts[numbers[-1] + 1]
    if (first, last) == (wanted.start, wanted.stop):
        return numbers, []
    return numbers, [f"cut at groups: frames {first}:{last}, not {wanted.start}:{wanted.stop}"]


def _has_any(reader: Reader, tasks: Sequence[str]) -> bool:
    return any(name in reader.header.tasks for name in tasks)


# --- several -------------------------------------------------------------------------------------------


def concat(clips: Sequence[Clip], write: Write) -> Copied:
    """Copy the groups of several sequences, one after the other.

    Frames whose names are taken are called ``<number of the clip>-<name>``. Times go on: those of a clip that
    would begin before the one before it ends are moved behind that.

    Raises:
        SceneError: their tasks differ in size, dtype or channels, or only some have times.
        FormatError: damage.
    """
    _check_alike(clips)
    notes: list[str] = []
    groups = chain.from_iterable(_renewed(clips, notes))
    return Copied(*write_groups(groups, write), tuple(notes))


def _renewed(clips: Sequence[Clip], notes: list[str]) -> Iterator[Iterator[bytes]]:
    """By clip its groups, with names and times that fit those before."""
    taken: set[str] = set()
    end: Fraction | None = None
    for number, clip in enumerate(clips, 1):
        names = clip.names
        prefix = "" if taken.isdisjoint(names) and "" not in names else f"{number}-"
        if prefix:
            notes.append(
                f"{clip.source.label}: its frames are called {prefix}{names[0]} … {prefix}{names[-1]}"
            )
        start, shift = clip.exact_time(0), Fraction(0)
        if start is not None and end is not None and start < end:
            shift = end - start
            notes.append(f"{clip.source.label}: its times are moved by {float(shift):g} seconds")
        yield (_moved(clip.group(n), prefix, shift, clip.source.label) for n in range(len(clip.index.groups)))
        taken.update(prefix + name for name in names)
        last = clip.exact_time(len(clip) - 1)
        if last is not None:
            end = last + shift + _frame_seconds(clip)


def _frame_seconds(clip: Clip) -> Fraction:
    """How long the last frame is shown: as long as the one before; a second where it is the only one."""
    if len(clip) < 2:
        return Fraction(1)
    times = [clip.exact_time(len(clip) - 2), clip.exact_time(len(clip) - 1)]
    assert times[0] is not None and times[1] is not None
    return times[1] - times[0]


def _moved(reader: Reader, prefix: str, shift: Fraction, label: str) -> bytes:
    """A group whose frames have other names and times."""
    header = reader.header
    old = header.frames or Frames(("frame",))
    names = tuple(prefix + name for name in old.names)
    if not all(map(is_name, names)):
        raise SceneError(f"a name of a frame gets too long: {max(names, key=len)!r}", path=label)
    payloads = {section.name: reader.payload(section.name) for section in header.sections}
    return build(_with_times(replace(header, frames=replace(old, names=names)), shift), payloads)


def _with_times(header: Header, shift: Fraction) -> Header:
    """The same with times moved by ``shift`` seconds, in whole ticks of its own."""
    frames = header.frames
    if frames is None or not frames.rate or not shift:
        return header
    moved = math.ceil(shift * frames.rate)
    return header.with_ticks(tuple(tick + moved for tick in frames.ticks))


def _check_alike(clips: Sequence[Clip]) -> None:
    """Raise SceneError where tasks differ from those of the clips before, or some have no times."""
    facts_of: dict[str, tuple[object, ...]] = {}
    for clip in clips:
        if not len(clip):
            raise SceneError("a sequence without frames", path=clip.source.label)
        if (clip.exact_time(0) is None) != (clips[0].exact_time(0) is None):
            raise SceneError("some have times and others have none", path=clip.source.label)
        for number in range(len(clip.index.groups)):
            header = clip.group(number).header
            for name in header.tasks:
                attributes = header.task(name).attributes
                facts = (attributes.dtype, attributes.channels, attributes.shape, *header.size_of(name))
                if facts_of.setdefault(name, facts) != facts:
                    raise SceneError("differs in dtype, channels or size", path=clip.source.label, task=name)
