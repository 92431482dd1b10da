"""Descriptors of sections as bytes. Every descriptor has exactly one form of bytes; others are refused.

``docs/format.md`` is the specification.
"""

from __future__ import annotations

import struct

from mtcodec.container.cursor import Cursor, varint
from mtcodec.container.section import (
    CODINGS,
    CUSTOM_CODE,
    DEFAULT_RANGES,
    DTYPES,
    EXTRA_SECTIONS,
    HOLES_CODE,
    MAPPINGS,
    MAX_MASKS,
    MAX_PAYLOAD,
    MAX_SHORT_PAYLOAD,
    SHARED,
    STRUCT_FORMATS,
    TASK_NAMES,
    Attributes,
    Section,
    default_attributes,
    is_mask,
    mask_name,
)
from mtcodec.errors import FormatError
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.tasks.kinds import FLOATS
from mtcodec.tasks.task import NAME, RESERVED

MAX_INTEGER, MAX_FLOAT = 2**53, float(2**128 - 2**104)  # largest magnitudes of a range; all floats hold them
UNIT_VECTORS, RANGE, LEVEL, HOLES = 4, 8, 16, 32  # bits of the second byte of attributes


def _pack_length(section: Section) -> bytes:
    """Length and checksum."""
    size = "<H" if section.length < MAX_SHORT_PAYLOAD else "<I"
    return varint(section.length) + struct.pack(size, section.checksum)


def _parse_length(cursor: Cursor, name: str) -> tuple[int, int]:
    length = cursor.varint(f"length of section {name}", MAX_PAYLOAD)
    (checksum,) = cursor.unpack("<H" if length < MAX_SHORT_PAYLOAD else "<I")
    return length, int(checksum)


def pack_section(section: Section) -> bytes:
    """The bytes of a descriptor; that of the shared section has nothing but its end."""
    if section.name == SHARED:
        return _pack_length(section)
    codes = {name: code for code, name in (TASK_NAMES | EXTRA_SECTIONS).items()}
    code = HOLES_CODE if is_mask(section.name) else codes.get(section.name, CUSTOM_CODE)
    attributes = section.attributes
    plain = attributes == default_attributes(section.name, attributes.range)
    out = bytearray([code | (not plain) << 4 | CODINGS.index(section.coding) << 5])
    if code == CUSTOM_CODE:
        out += bytes([len(section.name)]) + section.name.encode("ascii")
    if not plain:
        out += _pack_attributes(attributes)
    if attributes.range is not None:
        out += _pack_range(attributes.range, attributes.dtype)
    return bytes(out) + _pack_length(section)


def _pack_attributes(attributes: Attributes) -> bytes:
    flags = MAPPINGS.index(attributes.mapping)
    flags |= UNIT_VECTORS * attributes.unit_vectors | RANGE * (attributes.range is not None)
    flags |= LEVEL * (attributes.level is not None) | HOLES * (attributes.mask_index is not None)
    out = bytes([DTYPES.index(attributes.dtype) | (attributes.channels - 1) << 4, flags])
    if attributes.level is not None:
        out += struct.pack("<H", attributes.level)
    if attributes.mask_index is not None:
        count = len(attributes.hole_values) // attributes.pixel_bytes
        out += bytes([attributes.mask_index | (count - 1) << 4]) + attributes.hole_values
    return out


def _pack_range(limits: tuple[float, float], dtype: str) -> bytes:
    numbers = limits if dtype in FLOATS else map(int, limits)
    return struct.pack("<2" + STRUCT_FORMATS[dtype], *numbers)


def parse_shared(cursor: Cursor) -> Section:
    """The descriptor of the shared section."""
    return Section(SHARED, "neural", Attributes(), *_parse_length(cursor, SHARED))


def parse_section(cursor: Cursor, mask_count: int) -> Section:
    """One descriptor; ``mask_count`` masks of holes have come before.

    Raises:
        FormatError: damaged, or reserved values.
    """
    head = cursor.byte()
    name, coding_id = _parse_name(cursor, head & 15, mask_count), head >> 5
    if coding_id >= len(CODINGS):
        raise FormatError("unknown coding", section=name)
    coding = CODINGS[coding_id]
    if head & 16:
        attributes = _parse_attributes(cursor, name)
        if attributes == default_attributes(name, attributes.range):
            raise FormatError("attributes that go without saying", section=name)
    else:
        limits = _parse_range(cursor, "uint16") if name == "depth" else None
        attributes = default_attributes(name, limits) or Attributes()
    if not _are_consistent(name, coding, attributes, mask_count):
        raise FormatError("fields that do not fit each other", section=name)
    return Section(name, coding, attributes, *_parse_length(cursor, name))


def _are_consistent(name: str, coding: str, attributes: Attributes, mask_count: int) -> bool:
    """Do attributes go with the coding and with each other?"""
    if is_mask(name):
        return coding == "labels" and attributes == default_attributes(name, None)
    if name in EXTRA_SECTIONS.values():
        return coding == "raw" and attributes == default_attributes(name, None)
    if coding == "raw":
        return attributes == Attributes(attributes.dtype, attributes.channels)
    limits, is_float = attributes.range, attributes.dtype in FLOATS
    if coding == "labels" and (attributes.channels != 1 or is_float or attributes.mask_index is not None):
        return False
    mapping_has_logarithms = attributes.mapping == "linear" or (limits is not None and limits[0] > 0)
    unit_range = (-1.0, 1.0) if is_float else None
    unit_vectors_fit = not attributes.unit_vectors or (attributes.channels == 3 and limits == unit_range)
    is_plain = attributes.mapping == "linear" and not attributes.unit_vectors
    return (
        mapping_has_logarithms
        and unit_vectors_fit
        and (is_plain or coding in ("neural", "classical"))
        and (attributes.level is None or coding == "neural")
        and (attributes.mask_index is None or attributes.mask_index < mask_count)
        and (limits is not None or attributes.dtype in DEFAULT_RANGES)
        and (attributes.dtype != "bool" or coding == "labels")
    )


def _parse_name(cursor: Cursor, code: int, mask_count: int) -> str:
    if code == HOLES_CODE:
        if mask_count == MAX_MASKS:
            raise FormatError("too many sections of holes")
        return mask_name(mask_count)
    if code in TASK_NAMES | EXTRA_SECTIONS:
        return (TASK_NAMES | EXTRA_SECTIONS)[code]
    if code != CUSTOM_CODE:
        raise FormatError(f"section of unknown task {code}")
    name = cursor.take(cursor.byte()).decode("ascii", "replace")
    if not NAME.fullmatch(name) or name in TASK_NAMES.values() or RESERVED.fullmatch(name):
        raise FormatError("section with an invalid name")
    return name


def _parse_attributes(cursor: Cursor, name: str) -> Attributes:
    first, flags = cursor.byte(), cursor.byte()
    dtype_id, channels, mapping_id = first & 15, (first >> 4) + 1, flags & 3
    if dtype_id >= len(DTYPES) or mapping_id >= len(MAPPINGS) or flags & 192:
        raise FormatError("reserved attributes", section=name)
    dtype, level, mask_index, hole_values = DTYPES[dtype_id], None, None, b""
    if flags & LEVEL:
        (level,) = cursor.unpack("<H")
        if level > MAX_NETWORK_LEVEL:
            raise FormatError("quality is out of range", section=name)
    if flags & HOLES:
        byte = cursor.byte()
        mask_index = byte & 15
        hole_values = cursor.take(((byte >> 4) + 1) * channels * struct.calcsize(STRUCT_FORMATS[dtype]))
    limits = _parse_range(cursor, dtype) if flags & RANGE else None
    return Attributes(
        dtype, channels, limits, MAPPINGS[mapping_id], bool(flags & UNIT_VECTORS),
        level, mask_index, hole_values,
    )  # fmt: skip


def _parse_range(cursor: Cursor, dtype: str) -> tuple[float, float]:
    low, high = cursor.unpack("<2" + STRUCT_FORMATS[dtype])
    largest = MAX_FLOAT if dtype in FLOATS else MAX_INTEGER
    if dtype == "bool" or not -largest <= low <= high <= largest or (low, high) == DEFAULT_RANGES.get(dtype):
        raise FormatError("range is not valid")
    return low, high
