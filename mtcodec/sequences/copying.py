"""Groups copied from one sequence to another, as they are; nothing is encoded anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtcodec.container.mtc import Reader, build, extract
from mtcodec.container.sequence import BEGINNING, entry_of, pack_index
from mtcodec.errors import FormatError, UsageError
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
                raise error.at(path=f"{clip.source.label}: group {number}") from error.__cause__

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
