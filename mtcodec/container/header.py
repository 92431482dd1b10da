"""The header of an ``.mtc`` file (``docs/format.md`` is its specification).

Knows nothing of networks; imports no torch. Everything is checked before it is used: lengths before
allocation, every byte accounted for, reserved values refused.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from mtcodec.container import frames as frame_table
from mtcodec.container.cursor import MAX_SIGNED, Cursor, varint
from mtcodec.container.descriptor import Context, pack_section, parse_section, parse_shared, parse_size
from mtcodec.container.frames import MAX_RATE, Frames
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, Section, Size, is_mask, largest
from mtcodec.errors import FormatError, LimitError, UsageError
from mtcodec.quality import MAX_NETWORK_LEVEL

MAGIC, VERSION = b"MTC", 1
NEURAL, HAS_SHARED, HAS_FRAMES, SEQUENCE = 16, 32, 64, 128  # bits of the byte after the magic
MAX_SECTIONS, MAX_HEADER = 64, 1 << 16
TILE = 64  # networks see sides that are multiples of this
MAX_PADDING = 4  # times a limit of pixels that an image may have when it is padded for networks,
MIN_LIMIT = 1 << 16  # or times so many pixels, where the limit is lower
FINGERPRINT_BYTES = 4
NO_WEIGHTS = "00" * FINGERPRINT_BYTES  # fingerprint of a group without neural sections


@dataclass(frozen=True)
class Header:
    """What a group says of itself.

    Attributes:
        fingerprint: of the weights, 8 hexadecimal digits; zeros where no section is neural.
        height, width: in pixels, of sections that tell no size.
        level: quality level of the networks, for streams that have none of their own; 0 without neural
            sections.
        frames: names and times; None for a scene, one frame that has neither.
        size: bytes of the header itself.
    """

    fingerprint: str
    height: int
    width: int
    level: int
    sections: tuple[Section, ...]
    frames: Frames | None = None
    size: int = 0

    def section(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of all tasks."""
        return tuple(s.name for s in self.sections if s.is_task)

    @property
    def is_neural(self) -> bool:
        """Is any section decoded by networks?"""
        return any(s.is_neural for s in self.sections)

    @property
    def frame_count(self) -> int:
        return 1 if self.frames is None else len(self.frames)

    def task(self, name: str) -> Section:
        """The section of the task ``name``; UsageError where the file lacks it."""
        section = self.section(name)
        if section is None or not section.is_task:
            raise UsageError(f"no task {name!r} in this file (it has {', '.join(self.tasks) or 'none'})")
        return section

    def needs(self, task: str) -> tuple[str, ...]:
        """Names of the sections that decoding ``task`` reads."""
        return (*self.task(task).needs, task)

    def size_of(self, name: str) -> Size:
        """Height and width of the images of a section."""
        section = self.section(name)
        return (section and section.attributes.size) or (self.height, self.width)

    @property
    def largest_size(self) -> Size:
        """Height and width of the largest image; see :func:`mtcodec.container.section.largest`."""
        shapes = {name: self.task(name).attributes.shape for name in self.tasks}
        return largest({name: self.size_of(name) for name in self.tasks}, shapes)

    @property
    def pixels(self) -> int:
        """Of the largest image, over all frames: what bits per pixel are counted by."""
        return math.prod(self.largest_size) * self.frame_count

    def frames_of(self, name: str) -> tuple[int, ...]:
        """Numbers of the frames that a section has."""
        section = self.section(name)
        frames = None if section is None else section.attributes.frames
        return tuple(range(self.frame_count)) if frames is None else frames

    @property
    def file_size(self) -> int:
        return self.size + sum(s.length for s in self.sections)

    def checksum_seed(self, section: Section) -> int:
        """What the checksum of ``section`` starts from: a task fits no shared section but that it needs."""
        shared = self.section(SHARED)
        return shared.checksum if shared and SHARED in section.needs else 0

    def with_smallest_rate(self) -> Header:
        """The same with ticks as large as times allow."""
        frames = self.frames
        if frames is None or not frames.rate:
            return self
        factor = frames.common_factor(
            [d for section in self.sections for d in section.attributes.delays or ()]
        )
        if factor == 1:
            return self
        ticks = tuple(tick // factor for tick in frames.ticks)
        return replace(
            self, frames=replace(frames, rate=frames.rate // factor, ticks=ticks),
            sections=tuple(_with_delays(section, lambda delay: delay // factor) for section in self.sections),
        )  # fmt: skip

    def shifted(self, seconds: Fraction) -> Header:
        """The same with all times later by so many seconds. Without times it is the same.

        Raises:
            UsageError: times that cannot be told exactly, or that are out of range.
        """
        frames = self.frames
        if frames is None or not frames.rate or not seconds:
            return self
        rate = lcm(frames.rate, seconds.denominator)
        factor, shift = rate // frames.rate, int(seconds * rate)
        ticks = tuple(tick * factor + shift for tick in frames.ticks)
        sections = tuple(_with_delays(section, lambda delay: delay * factor) for section in self.sections)
        moved = replace(self, frames=replace(frames, rate=rate, ticks=ticks), sections=sections)
        moved = moved.with_smallest_rate()
        assert moved.frames is not None
        if moved.frames.rate > MAX_RATE or max(map(abs, moved.frames.ticks)) > MAX_SIGNED:
            raise UsageError(f"times moved by {float(seconds):g} seconds are out of range")
        return moved

    def context(self, count: int) -> Context:
        """What stands before the section number ``count``."""
        return Context((self.height, self.width), self.frame_count, self.sections[:count])


def _with_delays(section: Section, change: Callable[[int], int]) -> Section:
    delays = section.attributes.delays
    if delays is None:
        return section
    changed = tuple(map(change, delays))
    return replace(section, attributes=replace(section.attributes, delays=changed))


def pack(header: Header) -> bytes:
    """The bytes of a header."""
    has_shared = header.section(SHARED) is not None
    flags = VERSION | NEURAL * header.is_neural | HAS_SHARED * has_shared
    flags |= HAS_FRAMES * (header.frames is not None)
    out = MAGIC + bytes([flags])
    if header.is_neural:
        out += bytes.fromhex(header.fingerprint) + struct.pack("<H", header.level)
    out += varint(header.height) + varint(header.width)
    if header.frames is not None:
        out += frame_table.pack(header.frames)
    out += bytes([len(header.sections) - has_shared])
    out += b"".join(pack_section(s, header.context(i)) for i, s in enumerate(header.sections))
    return out + struct.pack("<H", binascii.crc_hqx(out, 0))


def parse(data: bytes) -> Header:
    """Parse the header at the start of ``data``; payloads need not be present.

    Raises:
        FormatError: not a group, damaged, or using reserved values.
    """
    cursor = Cursor(data[:MAX_HEADER])
    flags = _parse_magic(cursor)
    fingerprint, level = NO_WEIGHTS, 0
    if flags & NEURAL:
        fingerprint = cursor.take(FINGERPRINT_BYTES).hex()
        (level,) = cursor.unpack("<H")
    height, width = parse_size(cursor)
    frames = frame_table.parse(cursor) if flags & HAS_FRAMES else None
    header = Header(fingerprint, height, width, level, (), frames)
    count = cursor.byte()
    if level > MAX_NETWORK_LEVEL or not 1 <= count <= MAX_SECTIONS:
        raise FormatError("quality or number of sections is out of range")
    sections = [parse_shared(cursor)] if flags & HAS_SHARED else []
    for _ in range(count):
        sections.append(parse_section(cursor, Context((height, width), header.frame_count, sections)))
    body = cursor.position
    (stored,) = cursor.unpack("<H")
    if binascii.crc_hqx(data[:body], 0) != stored:
        raise FormatError("the header is damaged (checksum)")
    header = replace(header, sections=tuple(sections), size=cursor.position)
    _check(header, flags)
    offset = cursor.position
    for i, section in enumerate(sections):
        sections[i] = replace(section, offset=offset)
        offset += section.length
    return replace(header, sections=tuple(sections))


def _parse_magic(cursor: Cursor) -> int:
    """The flags of a group."""
    if cursor.data[:3] != MAGIC:
        raise FormatError("not an mtc file")
    cursor.take(3)
    flags = cursor.byte()
    if flags & 15 != VERSION:
        raise FormatError(f"container version {flags & 15}; this release reads version {VERSION}")
    if flags & SEQUENCE:
        raise FormatError(
            "a sequence, not a scene: mtcodec.open reads it"
            if flags == VERSION | SEQUENCE
            else "reserved flags"
        )
    return flags


def _check(header: Header, flags: int) -> None:
    """Order and meaning of sections: shared, holes, tasks, notes, files; each of the first three of use."""
    names = [s.name for s in header.sections]
    after_tasks = {NOTES: 3, ATTACHMENTS: 4}
    order = [0 if n == SHARED else 1 if is_mask(n) else after_tasks.get(n, 2) for n in names]
    if len(set(names)) != len(names) or order != sorted(order):
        raise FormatError("sections repeat or are out of order")
    neural = [s for s in header.sections if s.is_neural and s.name != SHARED]
    if bool(neural) != bool(flags & NEURAL):
        raise FormatError("names weights, but no task is neural")
    needed = {name for s in header.sections for name in s.needs}
    if needed != {n for n in names if n == SHARED or is_mask(n)}:
        raise FormatError("holes or a shared section that no task needs")
    if not any(s.attributes.size is None for s in header.sections if s.is_task):
        raise FormatError("a size that no task has")
    for section in neural:
        if section.attributes.level == header.level:
            raise FormatError("a quality that goes without saying", section=section.name)
    delays = [delay for s in header.sections for delay in s.attributes.delays or ()]
    if header.frames is None or not header.frames.rate:
        if delays:
            raise FormatError("a task with times, but frames have none")
    elif header.frames.common_factor(delays) != 1:
        raise FormatError("a rate that is not the smallest")


def check_pixels(header: Header, max_pixels: int) -> None:
    """Raise LimitError for images of more than ``max_pixels``, or ones that networks see far larger.

    They pad sides to multiples of ``TILE``: a column of single pixels becomes 64 times as large.
    """
    for name in header.tasks:
        height, width = header.size_of(name)
        is_neural = header.task(name).is_neural
        padded = -(-height // TILE) * -(-width // TILE) * TILE**2 if is_neural else 0
        if height * width > max_pixels or padded > MAX_PADDING * max(max_pixels, MIN_LIMIT):
            raise LimitError(f"{width}×{height} pixels are more than the limit of {max_pixels}", task=name)
