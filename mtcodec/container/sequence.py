"""Files of sequences: groups one after the other, and an index of them.

A file that lacks its index, as a recording in progress does, or one that was cut off, is read through.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from mtcodec.container.cursor import MAX_LONG, TOO_SHORT, Cursor, varint, zigzag
from mtcodec.container.frames import MAX_FRAMES, MAX_RATE
from mtcodec.container.header import MAGIC, MAX_HEADER, SEQUENCE, VERSION, Header, parse
from mtcodec.errors import FormatError
from mtcodec.tasks.task import NAME

BEGINNING = MAGIC + bytes([VERSION | SEQUENCE])
TRAILER = struct.Struct("<II4s")  # bytes of the index, its CRC-32, magic
TRAILER_MAGIC = b"MTCI"
MAX_GROUPS = 1 << 27
TAIL = 1 << 16  # bytes at the end that are read first: the index of some 8,000 groups
MAX_TRIES = 10_000  # places where a header could begin that are looked at in a damaged file
SHORT_HEADER = 1 << 9  # bytes that hold most headers
SEARCH = 1 << 20  # bytes that are searched at a time for the next group


class RandomAccess(Protocol):
    """Bytes that are read piece by piece."""

    @property
    def known_size(self) -> int | None:
        """Bytes in all, if that is known without asking for it."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def tail(self, count: int) -> bytes:
        """The last bytes, so many or all; their number need not be known for that."""

    def read_at(self, offset: int, count: int) -> bytes:
        """So many bytes, or fewer at the end."""


@dataclass(frozen=True)
class GroupEntry:
    """What the index says of a group.

    Attributes:
        offset, size: in the file, in bytes.
        frame_count: its frames.
        rate, start: ticks a second, and those of its first frame; 0 and 0 where frames have no times.
    """

    offset: int
    size: int
    frame_count: int
    rate: int = 0
    start: int = 0

    @property
    def time(self) -> Fraction | None:
        """Seconds of its first frame."""
        return Fraction(self.start, self.rate) if self.rate else None


def entry_of(header: Header, offset: int) -> GroupEntry:
    """The entry of a group that begins at ``offset``.

    Raises:
        FormatError: it is the file of a scene, which tells no frames.
    """
    if header.frames is None:
        raise FormatError("a scene among the groups of a sequence")
    ticks = header.frames.ticks
    return GroupEntry(
        offset, header.file_size, header.frame_count, header.frames.rate, ticks[0] if ticks else 0
    )


def is_sequence(beginning: bytes) -> bool:
    """Does a file that begins so hold a sequence?"""
    return beginning[: len(BEGINNING)] == BEGINNING


@dataclass(frozen=True)
class Index:
    """The groups of a file.

    Attributes:
        tasks: names of those that any of them has, in the order in which they come.
        end: where the last whole group ends. size: bytes of the file.
        problem: why the file was read through, and what was left out; empty where the index was there.
    """

    groups: tuple[GroupEntry, ...]
    tasks: tuple[str, ...]
    end: int
    size: int
    problem: str = ""

    @property
    def frame_count(self) -> int:
        """Of all groups."""
        return sum(group.frame_count for group in self.groups)


# --- the index -----------------------------------------------------------------------------------------


def pack_index(groups: Sequence[GroupEntry], tasks: Sequence[str]) -> bytes:
    """Index and trailer of groups that have these tasks."""
    out = bytearray([len(tasks)])
    for name in tasks:
        out += bytes([len(name)]) + name.encode("ascii")
    out += varint(len(groups))
    for group in groups:
        out += varint(group.size) + bytes([group.frame_count]) + varint(group.rate)
        out += zigzag(group.start) if group.rate else b""
    return bytes(out) + TRAILER.pack(len(out), zlib.crc32(out), TRAILER_MAGIC)


def _parse_index(data: bytes) -> tuple[list[GroupEntry], tuple[str, ...]]:
    """The entries of an index, and the tasks.

    Raises:
        FormatError: damaged.
    """
    cursor = Cursor(data, "the index ends within a group")
    tasks = tuple(cursor.take(cursor.byte()).decode("ascii", "replace") for _ in range(cursor.byte()))
    if len(set(tasks)) < len(tasks) or not all(map(NAME.fullmatch, tasks)):
        raise FormatError("a task of the index has an invalid name")
    groups, offset = [], len(BEGINNING)
    for _ in range(cursor.varint("number of groups", MAX_GROUPS)):
        size, frame_count = cursor.varint("bytes of a group", MAX_LONG), cursor.byte()
        rate = cursor.varint("rate of frames", MAX_RATE)
        start = cursor.zigzag("time of a frame") if rate else 0
        if not size or not 1 <= frame_count <= MAX_FRAMES:
            raise FormatError("a group of the index is out of range")
        groups.append(GroupEntry(offset, size, frame_count, rate, start))
        offset += size
    if cursor.rest:
        raise FormatError("the index goes on after its groups")
    return groups, tasks


def _read_index(source: RandomAccess) -> Index:
    """The index at the end of a file, in one request if it is short.

    Raises:
        FormatError: there is none, or it is damaged.
    """
    tail = source.tail(TAIL)
    if len(tail) < TRAILER.size or not tail.endswith(TRAILER_MAGIC):
        raise FormatError("there is no index")
    length, checksum, _ = TRAILER.unpack(tail[-TRAILER.size :])
    if length > len(tail) - TRAILER.size:
        tail = source.tail(length + TRAILER.size)
    data = tail[-TRAILER.size - length : -TRAILER.size]
    if len(data) != length or zlib.crc32(data) != checksum:
        raise FormatError("the index is damaged (checksum)")
    groups, tasks = _parse_index(data)
    end = groups[-1].offset + groups[-1].size if groups else len(BEGINNING)
    size = end + length + TRAILER.size
    if source.known_size not in (None, size):
        raise FormatError("the index is not that of the file")
    return Index(tuple(groups), tasks, end, size)


# --- reading through -----------------------------------------------------------------------------------


def read_index(source: RandomAccess) -> Index:
    """The groups of a sequence, from its index or, without one, from their headers.

    Raises:
        FormatError: not a sequence.
    """
    try:
        return _read_index(source)
    except FormatError as error:
        if not is_sequence(source.read_at(0, len(BEGINNING))):
            raise FormatError("not an mtc sequence") from None
        return _read_through(source, error.reason)


def _read_through(source: RandomAccess, reason: str) -> Index:
    groups: list[GroupEntry] = []
    tasks: dict[str, None] = {}
    offset, end, lost, tries = len(BEGINNING), len(BEGINNING), 0, 0
    while offset < source.size:
        header = _header_at(source, offset)
        if header is None:
            tries += 1
            offset = _next_group(source, offset + 1) if tries < MAX_TRIES else source.size
            continue
        if offset + header.file_size > source.size:
            break
        lost += offset - end
        groups.append(entry_of(header, offset))
        tasks |= dict.fromkeys(header.tasks)
        offset = end = offset + header.file_size
    problem = f"{reason}, so it was read through: {len(groups)} groups"
    if lost:
        problem += f", {lost} bytes among them are damaged"
    if source.size > end:
        problem += f", {source.size - end} bytes at the end are no whole group"
    return Index(tuple(groups), tuple(tasks), end, source.size, problem)


def _header_at(source: RandomAccess, offset: int) -> Header | None:
    """The header of the group that begins at ``offset``; None where none does."""
    for count in (SHORT_HEADER, MAX_HEADER):
        try:
            header = parse(source.read_at(offset, count))
            return header if header.frames is not None else None
        except FormatError as error:
            if error.reason != TOO_SHORT:
                break
    return None


def _next_group(source: RandomAccess, offset: int) -> int:
    """Where the next magic is from ``offset`` on, or the end of the file."""
    while offset < source.size:
        data = source.read_at(offset, SEARCH)
        found = data.find(MAGIC)
        if found >= 0:
            return offset + found
        if len(data) < len(MAGIC):
            break
        offset += len(data) - len(MAGIC) + 1
    return source.size


class GroupFile:
    """One group of a file, as a file that can be read and sought. What was read first is kept."""

    def __init__(self, source: RandomAccess, entry: GroupEntry) -> None:
        self.source, self.entry, self.position = source, entry, 0
        self._head = b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of files; from the beginning (0), or the end (2)."""
        self.position = offset + (self.entry.size if whence == 2 else 0)
        return self.position

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end."""
        start, end = self.position, min(self.position + count, self.entry.size)
        self.position = end
        if end <= len(self._head):
            return self._head[start:end]
        data = self.source.read_at(self.entry.offset + start, end - start)
        if start == 0:
            self._head = data
        return data
