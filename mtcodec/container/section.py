"""Descriptors of sections: what a payload is, and how its samples stand for stored values.

``docs/format.md`` is the specification. Every descriptor has exactly one form of bytes; others are refused.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from dataclasses import dataclass

from mtcodec.container.cursor import Cursor, varint
from mtcodec.errors import FormatError
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.tasks.kinds import FLOATS
from mtcodec.tasks.task import NAME, RESERVED

SHARED, NOTES, ATTACHMENTS = "shared", "notes", "files"
CODES = {2: "rgb", 3: "depth", 4: "normal", 5: "semantic"}  # of names, for ever; append only
HOLES_CODE, NOTES_CODE, ATTACHMENTS_CODE, CUSTOM_CODE = 0, 1, 6, 15
BESIDE = {NOTES_CODE: NOTES, ATTACHMENTS_CODE: ATTACHMENTS}  # sections that no pixel needs
CODINGS = ("neural", "classical", "labels", "stepped", "raw")  # ids for ever; append only
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "bool")  # ids for ever; append only  # fmt: skip
FORMATS = dict(zip(DTYPES, "BHIQbhiqefd?"))  # of struct
WHOLE = {
    "uint8": (0, 255),
    "uint16": (0, 65535),
    "int8": (-128, 127),
    "int16": (-32768, 32767),
    "bool": (0, 1),
}
"""By dtype, the range of images that tell none; images of other dtypes must, unless they are raw."""
MAX_INTEGER, MAX_FLOAT = 2**53, float(2**128 - 2**104)  # largest magnitudes of a range; all floats hold them
MAPPINGS = ("linear", "logarithmic")  # ids for ever; append only
MAX_PAYLOAD, MAX_MASKS, MAX_HOLE_VALUES = 1 << 28, 16, 16
SHORT = 4096  # bytes; shorter payloads have a checksum of two bytes, others of four
UNIT_VECTORS, RANGE, QUALITY, HOLES = 4, 8, 16, 32  # bits of the second byte of attributes


@dataclass(frozen=True)
class Attributes:
    """How samples of a task stand for stored values.

    Attributes:
        dtype, channels: of the stored image.
        range: the stored values that planes 0 and 1 stand for; of labels, the lowest and the highest.
            None for the whole range of the dtype (:data:`WHOLE`), and of raw sections.
        mapping: what is linear in between, see :class:`mtcodec.signals.mapping.ValueRange`.
        unit_vectors: pixels are vectors that get the length 1.
        level: quality level of the networks, None for the file's.
        mask_index: of the section that says where holes are, or None.
        hole_values: stored values of holes, pixels of ``channels`` little-endian samples.
    """

    dtype: str = "uint8"
    channels: int = 3
    range: tuple[float, float] | None = None
    mapping: str = "linear"
    unit_vectors: bool = False
    level: int | None = None
    mask_index: int | None = None
    hole_values: bytes = b""

    @property
    def pixel_bytes(self) -> int:
        return struct.calcsize(FORMATS[self.dtype]) * self.channels


@dataclass(frozen=True)
class Section:
    """Descriptor of one section."""

    name: str
    coding: str
    attributes: Attributes
    length: int = 0
    checksum: int = 0
    offset: int = 0  # of its payload in the file

    @property
    def is_neural(self) -> bool:
        """True where networks decode it."""
        return self.coding == "neural"

    @property
    def is_task(self) -> bool:
        """True where it is a task's."""
        return self.name not in (SHARED, *BESIDE.values()) and not is_mask(self.name)


def is_mask(name: str) -> bool:
    """Is it the name of a section of holes?"""
    return re.fullmatch(r"holes\d+", name) is not None


def mask_name(index: int) -> str:
    return f"holes{index}"


def usual(name: str, limits: tuple[float, float] | None) -> Attributes | None:
    """What needs no attributes in the descriptor of ``name``, given its range."""
    if name == "depth":
        return None if limits is None else Attributes("uint16", 1, limits)
    if limits is not None:
        return None
    if name == "semantic" or is_mask(name):
        return Attributes("uint8", 1)
    return Attributes("uint8", 3, unit_vectors=name == "normal")


def checksum_of(payload: bytes, checksum_seed: int = 0) -> int:
    """CRC of the shared section's checksum (or zero) and a payload: 16 bits of short ones, else 32."""
    start = struct.pack("<I", checksum_seed)
    if len(payload) < SHORT:
        return binascii.crc_hqx(payload, binascii.crc_hqx(start, 0))
    return zlib.crc32(payload, zlib.crc32(start))


def _pack_end(section: Section) -> bytes:
    """Length and checksum."""
    size = "<H" if section.length < SHORT else "<I"
    return varint(section.length) + struct.pack(size, section.checksum)


def _parse_end(cursor: Cursor, name: str) -> tuple[int, int]:
    length = cursor.varint(f"length of section {name}", MAX_PAYLOAD)
    (checksum,) = cursor.unpack("<H" if length < SHORT else "<I")
    return length, int(checksum)


def pack_section(section: Section) -> bytes:
    """The bytes of a descriptor; that of the shared section has nothing but its end."""
    if section.name == SHARED:
        return _pack_end(section)
    codes = {name: code for code, name in (CODES | BESIDE).items()}
    code = HOLES_CODE if is_mask(section.name) else codes.get(section.name, CUSTOM_CODE)
    own = section.attributes
    plain = own == usual(section.name, own.range)
    out = bytearray([code | (not plain) << 4 | CODINGS.index(section.coding) << 5])
    if code == CUSTOM_CODE:
        out += bytes([len(section.name)]) + section.name.encode("ascii")
    if not plain:
        out += _pack_attributes(own)
    if own.range is not None:
        out += struct.pack("<2" + FORMATS[own.dtype], *_numbers(own.range, own.dtype))
    return bytes(out) + _pack_end(section)


def _pack_attributes(own: Attributes) -> bytes:
    flags = MAPPINGS.index(own.mapping) | UNIT_VECTORS * own.unit_vectors | RANGE * (own.range is not None)
    flags |= QUALITY * (own.level is not None) | HOLES * (own.mask_index is not None)
    out = bytes([DTYPES.index(own.dtype) | (own.channels - 1) << 4, flags])
    if own.level is not None:
        out += struct.pack("<H", own.level)
    if own.mask_index is not None:
        count = len(own.hole_values) // own.pixel_bytes
        out += bytes([own.mask_index | (count - 1) << 4]) + own.hole_values
    return out


def _numbers(limits: tuple[float, float], dtype: str) -> tuple[float, float]:
    return limits if dtype in FLOATS else (int(limits[0]), int(limits[1]))


def parse_shared(cursor: Cursor) -> Section:
    """The descriptor of the shared section."""
    return Section(SHARED, "neural", Attributes(), *_parse_end(cursor, SHARED))


def parse_section(cursor: Cursor, masks: int) -> Section:
    """One descriptor; ``masks`` sections of holes have come before.

    Raises:
        FormatError: damaged, or reserved values.
    """
    head = cursor.byte()
    name, coding = _parse_name(cursor, head & 15, masks), head >> 5
    if coding >= len(CODINGS):
        raise FormatError("unknown coding", section=name)
    kind = CODINGS[coding]
    if head & 16:
        own = _parse_attributes(cursor, name)
        if own == usual(name, own.range):
            raise FormatError("attributes that go without saying", section=name)
    else:
        own = usual(name, _parse_range(cursor, "uint16") if name == "depth" else None) or Attributes()
    _check(name, kind, own, masks)
    return Section(name, kind, own, *_parse_end(cursor, name))


def _check(name: str, coding: str, own: Attributes, masks: int) -> None:
    """Raise FormatError for attributes that do not go with a coding or with each other."""
    if is_mask(name):
        fits = coding == "labels" and own == usual(name, None)
    elif name in BESIDE.values():
        fits = coding == "raw" and own == usual(name, None)
    else:
        fits = not (own.mapping != "linear" and (own.range is None or own.range[0] <= 0))
        vectors = (-1.0, 1.0) if own.dtype in FLOATS else None
        fits &= not (own.unit_vectors and (own.channels != 3 or own.range != vectors))
        fits &= own.level is None or coding == "neural"
        fits &= own.mask_index is None or own.mask_index < masks
        fits &= coding in ("neural", "classical") or (own.mapping == "linear" and not own.unit_vectors)
        if coding == "raw":
            fits &= own == Attributes(own.dtype, own.channels)
        else:
            fits &= own.range is not None or own.dtype in WHOLE
        if coding == "labels":
            fits &= own.channels == 1 and own.dtype not in FLOATS and own.mask_index is None
        elif coding != "raw":
            fits &= own.dtype != "bool"
    if not fits:
        raise FormatError("fields that do not fit each other", section=name)


def _parse_name(cursor: Cursor, code: int, masks: int) -> str:
    if code == HOLES_CODE:
        if masks == MAX_MASKS:
            raise FormatError("too many sections of holes")
        return mask_name(masks)
    if code in CODES | BESIDE:
        return (CODES | BESIDE)[code]
    if code != CUSTOM_CODE:
        raise FormatError(f"section of unknown task {code}")
    name = cursor.take(cursor.byte()).decode("ascii", "replace")
    if not NAME.fullmatch(name) or name in CODES.values() or RESERVED.fullmatch(name):
        raise FormatError("section with an invalid name")
    return name


def _parse_attributes(cursor: Cursor, name: str) -> Attributes:
    first, flags = cursor.byte(), cursor.byte()
    dtype, channels, mapping = first & 15, (first >> 4) + 1, flags & 3
    if dtype >= len(DTYPES) or mapping >= len(MAPPINGS) or flags & 192:
        raise FormatError("reserved attributes", section=name)
    level: int | None = None
    mask_index: int | None = None
    values = b""
    if flags & QUALITY:
        (level,) = cursor.unpack("<H")
        if level > MAX_NETWORK_LEVEL:
            raise FormatError("quality is out of range", section=name)
    if flags & HOLES:
        byte = cursor.byte()
        mask_index = byte & 15
        size = struct.calcsize(FORMATS[DTYPES[dtype]])
        values = cursor.take(((byte >> 4) + 1) * channels * size)
    limits = _parse_range(cursor, DTYPES[dtype]) if flags & RANGE else None
    own = Attributes(DTYPES[dtype], channels, limits, MAPPINGS[mapping], bool(flags & UNIT_VECTORS))
    return Attributes(**{**vars(own), "level": level, "mask_index": mask_index, "hole_values": values})


def _parse_range(cursor: Cursor, dtype: str) -> tuple[float, float]:
    low, high = cursor.unpack("<2" + FORMATS[dtype])
    most = MAX_FLOAT if dtype in FLOATS else MAX_INTEGER
    if dtype == "bool" or not -most <= low <= high <= most or (low, high) == WHOLE.get(dtype):
        raise FormatError("range is not valid")
    return low, high
