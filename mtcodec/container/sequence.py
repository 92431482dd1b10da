"""Files of sequences: groups one after the other, and an index of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from mtcodec.container.cursor import MAX_LONG, Cursor, varint, zigzag
from mtcodec.container.frames import MAX_FRAMES, MAX_RATE
from mtcodec.container.header import MAGIC, MAX_HEADER, SEQUENCE, VERSION, Header, check_pixels, parse
from mtcodec.container.mtc import Reader
from mtcodec.container.section import MAX_PIXELS, Section
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.tasks.task import NAME

BEGINNING = MAGIC + bytes([VERSION | SEQUENCE])
TRAILER = struct.Struct("<II4s")  # bytes of the index, its CRC-32, magic
TRAILER_MAGIC = b"MTCI"
MAX_GROUPS = 1 << 27
TAIL = 1 << 16  # bytes at the end that are read first: the index of some 8,000 groups
MAX_TASKS = 255  # of a sequence; its groups may have different ones
MIN_GROUP = 19  # bytes that any group has
MAX_KEPT = 1 << 24  # bytes of a payload that is kept for the next frame


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
        lost: bytes among the groups that are damaged, or missing.
    """

    groups: tuple[GroupEntry, ...]
    tasks: tuple[str, ...]
    end: int
    size: int
    problem: str = ""
    lost: int = 0


# --- the index -----------------------------------------------------------------------------------------


def pack_index(groups: Sequence[GroupEntry], tasks: Sequence[str]) -> bytes:
    """Index and trailer of groups that have these tasks.

    Raises:
        UsageError: too many tasks.
    """
    if len(tasks) > MAX_TASKS:
        raise UsageError(f"a sequence has at most {MAX_TASKS} tasks, not {len(tasks)}")
    out = bytearray([len(tasks)])
    for name in tasks:
        out += bytes([len(name)]) + name.encode("ascii")
    out += varint(len(groups))
    for group in groups:
        out += varint(group.size) + bytes([group.frame_count]) + varint(group.rate)
        out += zigzag(group.start) if group.rate else b""
    return bytes(out) + TRAILER.pack(len(out), zlib.crc32(out), TRAILER_MAGIC)


def parse_index(data: bytes) -> tuple[list[GroupEntry], tuple[str, ...]]:
    """The entries of an index, and the tasks.

    Raises:
        FormatError: damaged, or not the one form of bytes.
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
        if size < MIN_GROUP or not 1 <= frame_count <= MAX_FRAMES:
            raise FormatError("a group of the index is out of range")
        groups.append(GroupEntry(offset, size, frame_count, rate, start))
        offset += size
    if cursor.rest:
        raise FormatError("the index goes on after its groups")
    return groups, tasks


def parse_file_index(source: RandomAccess) -> Index:
    """The index at the end of a file, in one request if it is short.

    Raises:
        FormatError: there is none, or it is damaged.
    """
    tail = source.tail(TAIL)
    if len(tail) < TRAILER.size or not tail.endswith(TRAILER_MAGIC):
        raise FormatError("there is no index")
    length, checksum, _ = TRAILER.unpack(tail[-TRAILER.size :])
    if length > len(tail) - TRAILER.size:
        if length > source.size:
            raise FormatError("the index is longer than the file")
        tail = source.tail(length + TRAILER.size)
    data = tail[-TRAILER.size - length : -TRAILER.size]
    if len(data) != length or zlib.crc32(data) != checksum:
        raise FormatError("the index is damaged (checksum)")
    groups, tasks = parse_index(data)
    end = groups[-1].offset + groups[-1].size if groups else len(BEGINNING)
    size = end + length + TRAILER.size
    if source.known_size not in (None, size):
        raise FormatError("the index is not that of the file")
    return Index(tuple(groups), tasks, end, size)


# --- groups --------------------------------------------------------------------------------------------


class GroupReader(Reader):
    """One group of a file. It has no position, so that threads can share it; what it has read is kept.

    Args:
        max_pixels: larger images are refused.

    Raises:
        FormatError: from the constructor, for a damaged header, or one of another group than ``entry`` tells.
    """

    def __init__(self, source: RandomAccess, entry: GroupEntry, max_pixels: int = MAX_PIXELS) -> None:
        self.source, self.entry, self.size = source, entry, entry.size
        self._head = source.read_at(entry.offset, min(entry.size, MAX_HEADER))
        self._kept: dict[str, bytes] = {}
        self.header = parse(self._head)
        check_pixels(self.header, max_pixels)
        if self.size > self.header.file_size:
            raise FormatError(f"{self.size - self.header.file_size} bytes after the last section")

    def _read(self, section: Section) -> bytes:
        start, end = section.offset, section.offset + section.length
        if end > self.size:
            raise SectionError("the file ends within it", section=section.name)
        if end <= len(self._head):
            return self._head[start:end]
        payload = self._kept.get(section.name)
        if payload is None:
            payload = self.source.read_at(self.entry.offset + start, section.length)
            if section.length <= MAX_KEPT:
                self._kept[section.name] = payload
        return payload
