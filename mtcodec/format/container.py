"""The ``.mtc`` container: a header and opaque sections (``docs/format.md`` is its specification).

Knows nothing of networks; imports no torch. Everything is checked before it is used: lengths before
allocation, every byte accounted for, reserved values refused.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.format.quality import STEPS

MAGIC, VERSION = b"MTC", 1
SHARED = "shared"
NAMES = (SHARED, "rgb", "depth", "normal", "semantic")  # ids for ever; append only
CUSTOM = 255
DTYPES = ("uint8", "uint16", "float32", "float64")
CODINGS = ("neural", "labels", "layered", "stepped", "raw", "classical")  # ids for ever; append only
MAX_SIDE, MAX_PIXELS, MAX_PAYLOAD, MAX_SECTIONS = 1 << 20, 1 << 28, 1 << 28, 64
MAX_HEADER = 4096
TILE = 64  # networks see sides that are multiples of this
PADDING = 4  # times a limit of pixels that an image may have with what networks see beside it,
FLOOR = 1 << 16  # or times so many pixels, where the limit is lower
FINGERPRINT_BYTES = 7
NO_WEIGHTS = "00" * FINGERPRINT_BYTES  # fingerprint of a file without neural sections
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,30}\Z")


@dataclass(frozen=True)
class Section:
    """Descriptor of one section.

    ``quality`` is its own quality step or None for the file's; ``range`` are the stored values that
    planes 0 and 1 stand for, or None for the dtype's full range.
    """

    name: str
    coding: str
    dtype: str
    quality: int | None
    range: tuple[float, float] | None
    length: int
    checksum: int
    offset: int = 0  # of its payload in the file

    @property
    def neural(self) -> bool:
        """True where networks decode it."""
        return self.coding in ("neural", "layered")


@dataclass(frozen=True)
class Header:
    fingerprint: str  # of the weights, 14 hexadecimal digits
    height: int
    width: int
    quality: int
    sections: tuple[Section, ...]
    size: int = 0  # bytes of the header itself

    def section(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of all sections but the shared one."""
        return tuple(s.name for s in self.sections if s.name != SHARED)

    def needs(self, task: str) -> tuple[str, ...]:
        """Names of the sections that decoding ``task`` reads."""
        section = self.section(task)
        if section is None or task == SHARED:
            raise UsageError(f"no task {task!r} in this file (it has {', '.join(self.tasks) or 'none'})")
        return (SHARED, task) if section.neural and self.section(SHARED) else (task,)

    @property
    def file_size(self) -> int:
        return self.size + sum(s.length for s in self.sections)

    def anchor(self, section: Section) -> int:
        """What the checksum of ``section`` starts from."""
        shared = self.section(SHARED)
        bound = shared and section.name != SHARED and section.neural
        return shared.checksum if shared and bound else 0


def _neural(sections: Iterable[Section]) -> bool:
    return any(s.neural for s in sections)


def checksum(anchor: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<I", anchor)))


# --- writing -------------------------------------------------------------------------------------


def build(header: Header, payloads: dict[str, bytes]) -> bytes:
    """A whole file; lengths and checksums of ``header.sections`` are filled in here."""
    sections: list[Section] = []
    partial = replace(header, sections=())
    for section in header.sections:
        payload = payloads[section.name]
        anchor = partial.anchor(section)
        section = replace(section, length=len(payload), checksum=checksum(anchor, payload))
        sections.append(section)
        partial = replace(partial, sections=tuple(sections))
    return _pack(partial) + b"".join(payloads[s.name] for s in sections)


def varint(value: int) -> bytes:
    """LEB128 of a number below 2**35."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _pack(header: Header) -> bytes:
    out = bytearray(MAGIC + bytes([VERSION]) + bytes.fromhex(header.fingerprint))
    out += varint(header.height) + varint(header.width)
    out += struct.pack("<HB", header.quality, len(header.sections))
    for s in header.sections:
        if s.name in NAMES:
            out.append(NAMES.index(s.name))
        else:
            out += bytes([CUSTOM, len(s.name)]) + s.name.encode("ascii")
        kind = DTYPES.index(s.dtype) | CODINGS.index(s.coding) << 3
        own = s.quality is not None and s.quality != header.quality
        out.append(kind | (s.range is not None) << 6 | own << 7)
        if own:
            out += struct.pack("<H", s.quality)
        if s.range is not None:
            out += struct.pack(_range_format(s.dtype), *_range_values(s.range, s.dtype))
        out += varint(s.length) + struct.pack("<I", s.checksum)
    return bytes(out) + struct.pack("<I", zlib.crc32(out))


def _range_format(dtype: str) -> str:
    return "<ff" if dtype.startswith("float") else "<HH"


def _range_values(values: tuple[float, float], dtype: str) -> tuple[float, float]:
    return values if dtype.startswith("float") else (int(values[0]), int(values[1]))


# --- reading -------------------------------------------------------------------------------------


class Cursor:
    """Bounded reads from the start of ``data``; running out of bytes is a :class:`FormatError` ``short``."""

    def __init__(self, data: bytes, short: str = "not a whole header: the file ends within it") -> None:
        self.data, self.at, self.short = data, 0, short

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise FormatError(self.short)
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def unpack(self, fmt: str) -> tuple[int, ...]:
        return struct.unpack(fmt, self.take(struct.calcsize(fmt)))

    def varint(self, what: str, limit: int) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if (byte == 0 and shift) or value > limit:
                    break
                return value
        raise FormatError(f"{what} is out of range")


def parse_header(data: bytes) -> Header:
    """Parse the header at the start of ``data``; payloads need not be present.

    Raises:
        FormatError: not a container, damaged, or using reserved values.
    """
    cursor = Cursor(data[:MAX_HEADER])
    if data[:3] != MAGIC:
        raise FormatError("not an mtc file")
    cursor.take(3)
    version = cursor.byte()
    if version != VERSION:
        raise FormatError(f"container version {version}; this release reads version {VERSION}")
    fingerprint = cursor.take(FINGERPRINT_BYTES).hex()
    height, width = cursor.varint("height", MAX_SIDE), cursor.varint("width", MAX_SIDE)
    if not height or not width or height * width > MAX_PIXELS:
        raise FormatError(f"image size {width}×{height} is out of range")
    quality, count = cursor.unpack("<HB")
    if quality > STEPS:
        raise FormatError("quality is out of range")
    if not 1 <= count <= MAX_SECTIONS:
        raise FormatError("number of sections is out of range")
    sections = [_parse_section(cursor, quality) for _ in range(count)]
    body = cursor.at
    (stored,) = cursor.unpack("<I")
    if zlib.crc32(data[:body]) != stored:
        raise FormatError("the header is damaged (checksum)")
    if len({s.name for s in sections}) != count or SHARED in [s.name for s in sections[1:]]:
        raise FormatError("sections repeat or are out of order")
    if fingerprint != NO_WEIGHTS and not _neural(sections):
        raise FormatError("names weights, but no section is neural")
    offset = cursor.at
    for i, section in enumerate(sections):
        sections[i] = replace(section, offset=offset)
        offset += section.length
    return Header(fingerprint, height, width, quality, tuple(sections), size=cursor.at)


def _parse_section(cursor: Cursor, quality: int) -> Section:
    name = _parse_name(cursor)
    kind = cursor.byte()
    dtype, coding = kind & 7, kind >> 3 & 7
    if dtype >= len(DTYPES) or coding >= len(CODINGS):
        raise FormatError(f"section {name}: unknown dtype or coding")
    own: int | None = None
    if kind & 128:
        (own,) = cursor.unpack("<H")
        if own > STEPS or own == quality:
            raise FormatError(f"section {name}: quality is out of range")
    limits: tuple[float, float] | None = None
    if kind & 64:
        low, high = cursor.unpack(_range_format(DTYPES[dtype]))
        top = 255 if DTYPES[dtype] == "uint8" else math.inf
        if not (math.isfinite(low) and math.isfinite(high) and low <= high <= top):
            raise FormatError(f"section {name}: range is not valid")
        limits = (low, high)
    if (name == SHARED and kind) or (CODINGS[coding] == "labels" and (kind & 192 or dtype > 1)):
        raise FormatError(f"section {name}: fields that do not fit its kind")
    length = cursor.varint(f"section {name}: length", MAX_PAYLOAD)
    (stored,) = cursor.unpack("<I")
    return Section(name, CODINGS[coding], DTYPES[dtype], own, limits, length, stored)


def _parse_name(cursor: Cursor) -> str:
    task = cursor.byte()
    if task < len(NAMES):
        return NAMES[task]
    if task != CUSTOM:
        raise FormatError(f"section of unknown task {task}")
    name = cursor.take(cursor.byte()).decode("ascii", "replace")
    if not _NAME.match(name) or name in NAMES:
        raise FormatError("section with an invalid name")
    return name


class Reader:
    """Reads the header of a seekable binary file, then single payloads on demand.

    Args:
        max_pixels: larger images are refused. Decoding takes memory and time in proportion to the pixels that
            the header declares, of which a stranger's small file can declare many.

    Raises:
        FormatError: from the constructor, for a damaged header or bytes after the last payload.
    """

    def __init__(self, file: BinaryIO, max_pixels: int = MAX_PIXELS) -> None:
        self._file = file
        self.bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.header = parse_header(file.read(MAX_HEADER))
        check_pixels(self.header, max_pixels)
        if self.bytes > self.header.file_size:
            raise FormatError(f"{self.bytes - self.header.file_size} bytes after the last section")

    def payload(self, name: str) -> bytes:
        """Payload of the section ``name``, its checksum verified.

        Raises:
            SectionError: damaged, or cut off by the end of the file.
        """
        section = self.header.section(name)
        if section is None:
            raise UsageError(f"no section {name!r}")
        payload = self._read(section)
        if checksum(self.header.anchor(section), payload) != section.checksum:
            raise SectionError(f"section {name}: damaged (checksum)", name)
        return payload

    def _read(self, section: Section) -> bytes:
        if section.offset + section.length > self.bytes:
            raise SectionError(f"section {section.name}: the file ends within it", section.name)
        self._file.seek(section.offset)
        return self._file.read(section.length)


def check_pixels(header: Header, max_pixels: int) -> None:
    """Raise FormatError for an image of more than ``max_pixels``, or one that networks see far larger.

    They pad sides to multiples of ``TILE``: of a column of single pixels they see 64 times as many.
    """
    height, width = header.height, header.width
    seen = -(-height // TILE) * -(-width // TILE) * TILE**2 if _neural(header.sections) else 0
    if height * width > max_pixels or seen > PADDING * max(max_pixels, FLOOR):
        raise FormatError(f"{width}×{height} pixels are more than the limit of {max_pixels}")


class Parts(Reader):
    """The header and the payloads of a file that are kept apart, as in a row of an archive.

    Raises:
        FormatError: from the constructor, for a damaged header.
    """

    def __init__(
        self, header: bytes, payloads: Mapping[str, bytes | None], max_pixels: int = MAX_PIXELS
    ) -> None:
        self.header = parse_header(header)
        check_pixels(self.header, max_pixels)
        if self.header.size != len(header):
            raise FormatError("bytes after the header")
        self.bytes = self.header.file_size
        self._payloads = payloads

    def _read(self, section: Section) -> bytes:
        payload = self._payloads.get(section.name)
        if payload is None or len(payload) != section.length:
            raise SectionError(f"section {section.name}: missing, or of another length", section.name)
        return payload


def split(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Header and payloads of a whole file."""
    header = parse_header(data)
    if len(data) != header.file_size:
        raise FormatError("not the length of a whole file")
    return data[: header.size], {s.name: data[s.offset : s.offset + s.length] for s in header.sections}


def join(reader: Reader) -> bytes:
    """A whole file of verified payloads."""
    return build(reader.header, {s.name: reader.payload(s.name) for s in reader.header.sections})


def extract(reader: Reader, tasks: Iterable[str]) -> bytes:
    """A container of ``tasks`` only, their payloads unchanged; nothing is decoded.

    Raises:
        UsageError: a task that the file lacks. FormatError: damage to what is kept.
    """
    wanted = {name for task in tasks for name in reader.header.needs(task)}
    if not wanted:
        raise UsageError("no tasks to extract")
    kept = tuple(s for s in reader.header.sections if s.name in wanted)
    fingerprint = reader.header.fingerprint if _neural(kept) else NO_WEIGHTS
    header = replace(reader.header, fingerprint=fingerprint, sections=kept)
    return build(header, {s.name: reader.payload(s.name) for s in kept})
