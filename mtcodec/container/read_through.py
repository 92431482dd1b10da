"""Sequences without an index, of a recording in progress or a crash: their groups found one by one."""

from __future__ import annotations

from dataclasses import replace

from mtcodec.container.cursor import TOO_SHORT
from mtcodec.container.header import MAGIC, MAX_HEADER, Header, parse
from mtcodec.container.sequence import (
    BEGINNING,
    GroupEntry,
    Index,
    RandomAccess,
    entry_of,
    is_sequence,
    parse_file_index,
)
from mtcodec.errors import FormatError

MAX_TRIES = 10_000  # places where a header could begin that are looked at in a damaged file
SHORT_HEADER = 1 << 9  # bytes that hold most headers
SEARCH = 1 << 20  # bytes that are searched at a time for the next group


def read_index(source: RandomAccess) -> Index:
    """The groups of a sequence, from its index or, without one, from their headers.

    Raises:
        FormatError: not a sequence.
    """
    try:
        return parse_file_index(source)
    except FormatError as error:
        if not is_sequence(source.read_at(0, len(BEGINNING))):
            raise FormatError("not an mtc sequence") from None
        return _Scan(source).index(error.reason)


class _Scan:
    """Goes through a file from group to group, and behind damage on to the next one.

    Attributes:
        tries: places that were looked at behind damage: at most ``MAX_TRIES``.
        start, block: bytes of the file that were searched last, and where they are.
    """

    def __init__(self, source: RandomAccess) -> None:
        self.source = source
        self.tries = 0
        self.start, self.block = 0, b""

    def index(self, reason: str) -> Index:
        """All groups: one that another begins within is cut short, one that the file ends within is none."""
        groups: list[GroupEntry] = []
        tasks: dict[str, None] = {}
        size, end, lost = self.source.size, len(BEGINNING), 0
        after = (end, self._header_at(end))
        while (place := self._first(after, size)) is not None:
            start, header = place
            stop = start + header.file_size
            after = (stop, self._header_at(stop) if stop < size else None)
            if after[1] is None:
                inner = self._next(start + header.size, min(stop, size))
                if inner is None and stop > size:
                    break
                after = inner or after
            lost += start - end + stop - after[0]
            groups.append(replace(entry_of(header, start), size=after[0] - start))
            tasks |= dict.fromkeys(header.tasks)
            end = after[0]
        problem = _problem(reason, len(groups), lost, size - end)
        return Index(tuple(groups), tuple(tasks), end, size, problem, lost)

    def _first(self, place: tuple[int, Header | None], size: int) -> tuple[int, Header] | None:
        """The group at a place, or the next one behind it."""
        start, header = place
        return (start, header) if header is not None else self._next(start, size)

    def _header_at(self, offset: int) -> Header | None:
        """The header of the group that begins at ``offset``; None where none does."""
        for count in (SHORT_HEADER, MAX_HEADER):
            try:
                header = parse(self._read(offset, count))
                return header if header.frames is not None else None
            except FormatError as error:
                if error.reason != TOO_SHORT:
                    break
        return None

    def _next(self, offset: int, stop: int) -> tuple[int, Header] | None:
        """The first group that begins from ``offset`` on and before ``stop``, with a header that is whole."""
        while offset < stop and self.tries < MAX_TRIES:
            if not self.start <= offset < self.start + len(self.block) - len(MAGIC):
                self.start, self.block = offset, self.source.read_at(offset, SEARCH)
            place = self.block.find(MAGIC, offset - self.start)
            if place < 0:
                offset = max(offset, self.start + len(self.block) - len(MAGIC)) + 1
                continue
            offset = self.start + place
            self.tries += 1
            header = self._header_at(offset) if offset < stop else None
            if header is not None:
                return offset, header
            offset += 1
        return None

    def _read(self, offset: int, count: int) -> bytes:
        """Bytes of the file, from the block if it has them."""
        first = offset - self.start
        if first >= 0 and first + count <= len(self.block):
            return self.block[first : first + count]
        return self.source.read_at(offset, count)


def _problem(reason: str, groups: int, lost: int, unfinished: int) -> str:
    """A line about a file that was read through."""
    problem = f"{reason}, so it was read through: {groups} group{'s' * (groups != 1)}"
    if lost:
        problem += f", {lost} bytes among them are damaged"
    if unfinished:
        problem += f", {unfinished} bytes at the end are no whole group"
    return problem
