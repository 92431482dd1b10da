"""The header of an ``.mtc`` file (``docs/format.md`` is its specification).

Knows nothing of networks; imports no torch. Everything is checked before it is used: lengths before
allocation, every byte accounted for, reserved values refused.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass, replace

from mtcodec.container.cursor import Cursor, varint
from mtcodec.container.descriptor import pack_section, parse_section, parse_shared
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, Section, is_mask, mask_name
from mtcodec.errors import FormatError, LimitError, UsageError
from mtcodec.quality import MAX_NETWORK_LEVEL

MAGIC, VERSION = b"MTC", 1
NEURAL, HAS_SHARED = 16, 32  # bits of the byte after the magic, beside the version
MAX_SIDE, MAX_PIXELS, MAX_SECTIONS, MAX_HEADER = 1 << 20, 1 << 28, 64, 1 << 16
TILE = 64  # networks see sides that are multiples of this
MAX_PADDING = 4  # times a limit of pixels that an image may have when it is padded for networks,
MIN_LIMIT = 1 << 16  # or times so many pixels, where the limit is lower
FINGERPRINT_BYTES = 4
NO_WEIGHTS = "00" * FINGERPRINT_BYTES  # fingerprint of a file without neural sections


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        fingerprint: of the weights, 8 hexadecimal digits; zeros where no section is neural.
        height, width: in pixels.
        level: quality level of the networks, for streams that have none of their own; 0 without neural
            sections.
        size: bytes of the header itself.
    """

    fingerprint: str
    height: int
    width: int
    level: int
    sections: tuple[Section, ...]
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

    def task(self, name: str) -> Section:
        """The section of the task ``name``; UsageError where the file lacks it."""
        section = self.section(name)
        if section is None or not section.is_task:
            raise UsageError(f"no task {name!r} in this file (it has {', '.join(self.tasks) or 'none'})")
        return section

    def needs(self, task: str) -> tuple[str, ...]:
        """Names of the sections that decoding ``task`` reads."""
        section = self.task(task)
        shared = (SHARED,) if section.is_neural and self.section(SHARED) else ()
        mask = section.attributes.mask_index
        return (*shared, *((mask_name(mask),) if mask is not None else ()), task)

    @property
    def file_size(self) -> int:
        return self.size + sum(s.length for s in self.sections)

    def checksum_seed(self, section: Section) -> int:
        """What the checksum of ``section`` starts from: a task's neural section fits one shared one only."""
        shared = self.section(SHARED)
        return shared.checksum if shared and section.is_neural and section.name != SHARED else 0


def pack(header: Header) -> bytes:
    """The bytes of a header."""
    shared = header.section(SHARED)
    flags = VERSION | NEURAL * header.is_neural | HAS_SHARED * (shared is not None)
    out = MAGIC + bytes([flags])
    if header.is_neural:
        out += bytes.fromhex(header.fingerprint) + struct.pack("<H", header.level)
    not_shared = [s for s in header.sections if s.name != SHARED]
    out += varint(header.height) + varint(header.width) + bytes([len(not_shared)])
    out += b"".join(pack_section(s) for s in ([shared] if shared else []) + not_shared)
    return out + struct.pack("<H", binascii.crc_hqx(out, 0))


def parse(data: bytes) -> Header:
    """Parse the header at the start of ``data``; payloads need not be present.

    Raises:
        FormatError: not a container, damaged, or using reserved values.
    """
    cursor = Cursor(data[:MAX_HEADER])
    if data[:3] != MAGIC:
        raise FormatError("not an mtc file")
    cursor.take(3)
    flags = cursor.byte()
    if flags & 15 != VERSION:
        raise FormatError(f"container version {flags & 15}; this release reads version {VERSION}")
    if flags & 192:
        raise FormatError("reserved flags")
    fingerprint, level = NO_WEIGHTS, 0
    if flags & NEURAL:
        fingerprint = cursor.take(FINGERPRINT_BYTES).hex()
        (level,) = cursor.unpack("<H")
    height, width = cursor.varint("height", MAX_SIDE), cursor.varint("width", MAX_SIDE)
    if not height or not width or height * width > MAX_PIXELS:
        raise FormatError(f"image size {width}×{height} is out of range")
    count = cursor.byte()
    if level > MAX_NETWORK_LEVEL or not 1 <= count <= MAX_SECTIONS:
        raise FormatError("quality or number of sections is out of range")
    sections = [parse_shared(cursor)] if flags & HAS_SHARED else []
    for _ in range(count):
        sections.append(parse_section(cursor, sum(is_mask(s.name) for s in sections)))
    body = cursor.position
    (stored,) = cursor.unpack("<H")
    if binascii.crc_hqx(data[:body], 0) != stored:
        raise FormatError("the header is damaged (checksum)")
    header = Header(fingerprint, height, width, level, tuple(sections), size=cursor.position)
    _check(header, flags)
    offset = cursor.position
    for i, section in enumerate(sections):
        sections[i] = replace(section, offset=offset)
        offset += section.length
    return replace(header, sections=tuple(sections))


def _check(header: Header, flags: int) -> None:
    """Order and meaning of sections: shared, holes, tasks, notes, files; each of the first three of use."""
    names = [s.name for s in header.sections]
    after_tasks = {NOTES: 3, ATTACHMENTS: 4}
    order = [0 if n == SHARED else 1 if is_mask(n) else after_tasks.get(n, 2) for n in names]
    if len(set(names)) != len(names) or order != sorted(order):
        raise FormatError("sections repeat or are out of order")
    neural = [s for s in header.sections if s.is_neural and s.name != SHARED]
    if bool(neural) != bool(flags & NEURAL) or (flags & HAS_SHARED and not neural):
        raise FormatError("names weights or has a shared section, but no task is neural")
    used = {s.attributes.mask_index for s in header.sections} - {None}
    if len(used) != sum(is_mask(n) for n in names):
        raise FormatError("holes that no task has")
    for section in neural:
        if section.attributes.level == header.level:
            raise FormatError("a quality that goes without saying", section=section.name)


def check_pixels(header: Header, max_pixels: int) -> None:
    """Raise LimitError for an image of more than ``max_pixels``, or one that networks see far larger.

    They pad sides to multiples of ``TILE``: a column of single pixels becomes 64 times as large.
    """
    height, width = header.height, header.width
    padded = -(-height // TILE) * -(-width // TILE) * TILE**2 if header.is_neural else 0
    if height * width > max_pixels or padded > MAX_PADDING * max(max_pixels, MIN_LIMIT):
        raise LimitError(f"{width}×{height} pixels are more than the limit of {max_pixels}")
