"""Descriptors of sections as bytes. Every descriptor has exactly one form of bytes; others are refused.

``docs/format.md`` is the specification.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtcodec.container.cursor import Cursor, varint, zigzag
from mtcodec.container.section import (
    CODINGS,
    CUSTOM_CODE,
    DEFAULT_RANGES,
    DTYPES,
    EXTRA_SECTIONS,
    HOLES_CODE,
    IMAGE,
    MAPPINGS,
    MAX_MASKS,
    MAX_PAYLOAD,
    MAX_PIXELS,
    MAX_SHORT_PAYLOAD,
    MAX_SIDE,
    NUMBERS,
    SHAPES,
    SHARED,
    SIZED,
    STRUCT_FORMATS,
    TASK_NAMES,
    Attributes,
    Section,
    Size,
    default_attributes,
    is_mask,
    mask_name,
)
from mtcodec.errors import FormatError
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.tasks.kinds import FLOATS
from mtcodec.tasks.task import NAME, RESERVED

MAX_INTEGER, MAX_FLOAT = 2**53, float(2**128 - 2**104)  # largest magnitudes of a range; all floats hold them
UNIT_VECTORS, RANGE, LEVEL, HOLES, SIZE, SHAPE, FRAMES, DELAYS = (1 << bit for bit in range(2, 10))
ALL_FLAGS = (1 << 10) - 1


@dataclass(frozen=True)
class Context:
    """What of a header stands before a descriptor.

    Attributes:
        size: of the group. frame_count: its frames. sections: those before.
    """

    size: Size
    frame_count: int
    sections: Sequence[Section]

    @property
    def needable(self) -> list[str]:
        """Sections that tasks may need, in order."""
        return [s.name for s in self.sections if s.name == SHARED or is_mask(s.name)]

    def size_of(self, name: str) -> Size:
        """The size of a section before."""
        return next(s.attributes.size or self.size for s in self.sections if s.name == name)


def _pack_length(section: Section) -> bytes:
    """Length and checksum."""
    size = "<H" if section.length < MAX_SHORT_PAYLOAD else "<I"
    return varint(section.length) + struct.pack(size, section.checksum)


def _parse_length(cursor: Cursor, name: str) -> tuple[int, int]:
    length = cursor.varint(f"length of section {name}", MAX_PAYLOAD)
    (checksum,) = cursor.unpack("<H" if length < MAX_SHORT_PAYLOAD else "<I")
    return length, int(checksum)


# --- written -------------------------------------------------------------------------------------------


def pack_section(section: Section, context: Context) -> bytes:
    """The bytes of a descriptor; that of the shared section has nothing but its end."""
    if section.name == SHARED:
        return _pack_length(section)
    codes = {name: code for code, name in (TASK_NAMES | EXTRA_SECTIONS).items()}
    code = HOLES_CODE if is_mask(section.name) else codes.get(section.name, CUSTOM_CODE)
    attributes = section.attributes
    plain = attributes == default_attributes(section.name, attributes.range)
    sized = _says_a_size_alone(section.name, attributes)
    code |= SIZED * sized
    out = bytearray([code | (not plain and not sized) << 4 | CODINGS.index(section.coding) << 5])
    if code == CUSTOM_CODE:
        out += bytes([len(section.name)]) + section.name.encode("ascii")
    if sized:
        out += _pack_size(attributes)
    elif not plain:
        out += _pack_attributes(attributes, context)
    if attributes.range is not None:
        out += _pack_range(attributes.range, attributes.dtype)
    if section.is_task:
        needable = context.needable
        out += varint(sum(1 << needable.index(name) for name in section.needs))
    return bytes(out) + _pack_length(section)


def _says_a_size_alone(name: str, attributes: Attributes) -> bool:
    """Can the head say that only a size differs from what needs no attributes?"""
    has_code = name in TASK_NAMES.values() or is_mask(name)
    usual = default_attributes(name, attributes.range)
    is_size = usual is not None and attributes == replace(usual, size=attributes.size)
    return has_code and is_size and attributes.size is not None


def _pack_size(attributes: Attributes) -> bytes:
    return b"".join(map(varint, attributes.size or ()))


def _pack_attributes(attributes: Attributes, context: Context) -> bytes:
    flags = MAPPINGS.index(attributes.mapping)
    flags |= UNIT_VECTORS * attributes.unit_vectors | RANGE * (attributes.range is not None)
    flags |= LEVEL * (attributes.level is not None) | HOLES * bool(attributes.hole_values)
    flags |= SIZE * (attributes.size is not None) | SHAPE * (attributes.shape != IMAGE)
    flags |= FRAMES * (attributes.frames is not None) | DELAYS * (attributes.delays is not None)
    out = bytes([DTYPES.index(attributes.dtype) | (attributes.channels - 1) << 4]) + varint(flags)
    if attributes.level is not None:
        out += struct.pack("<H", attributes.level)
    if attributes.hole_values:
        out += bytes([len(attributes.hole_values) // attributes.pixel_bytes - 1]) + attributes.hole_values
    out += _pack_size(attributes)
    if attributes.shape != IMAGE:
        out += bytes([SHAPES.index(attributes.shape)])
    if attributes.frames is not None:
        bits = sum(1 << frame for frame in attributes.frames)
        out += bits.to_bytes(-(-context.frame_count // 8), "little")
    return out + b"".join(map(zigzag, attributes.delays or ()))


def _pack_range(limits: tuple[float, float], dtype: str) -> bytes:
    numbers = limits if dtype in FLOATS else map(int, limits)
    return struct.pack("<2" + STRUCT_FORMATS[dtype], *numbers)


# --- read ----------------------------------------------------------------------------------------------


def parse_shared(cursor: Cursor) -> Section:
    """The descriptor of the shared section."""
    return Section(SHARED, "neural", Attributes(), (), *_parse_length(cursor, SHARED))


def parse_section(cursor: Cursor, context: Context) -> Section:
    """One descriptor.

    Raises:
        FormatError: damaged, or reserved values.
    """
    head = cursor.byte()
    sized = SIZED <= head & 15 < CUSTOM_CODE
    name, coding_id = _parse_name(cursor, head & 15, context), head >> 5
    if coding_id >= len(CODINGS):
        raise FormatError("unknown coding", section=name)
    if head & 16:
        attributes = _parse_attributes(cursor, name, context)
        if sized or _go_without_saying(name, attributes):
            raise FormatError("attributes that go without saying", section=name)
    else:
        size = parse_size(cursor) if sized else None
        limits = _parse_range(cursor, "uint16") if name == "depth" else None
        attributes = replace(default_attributes(name, limits) or Attributes(), size=size)
    section = Section(name, CODINGS[coding_id], attributes)
    needs = _parse_needs(cursor, section, context) if section.is_task else ()
    section = Section(name, section.coding, attributes, needs, *_parse_length(cursor, name))
    if not _are_consistent(section, context):
        raise FormatError("fields that do not fit each other", section=name)
    height, width = attributes.size or context.size
    if height * width * context.frame_count > MAX_PIXELS:
        raise FormatError("too many pixels", section=name)
    return section


def parse_size(cursor: Cursor) -> Size:
    """Height and width.

    Raises:
        FormatError: out of range.
    """
    height, width = cursor.varint("height", MAX_SIDE), cursor.varint("width", MAX_SIDE)
    if not height or not width or height * width > MAX_PIXELS:
        raise FormatError(f"image size {width}×{height} is out of range")
    return height, width


def _go_without_saying(name: str, attributes: Attributes) -> bool:
    usual = default_attributes(name, attributes.range)
    return attributes == usual or _says_a_size_alone(name, attributes)


def _parse_name(cursor: Cursor, code: int, context: Context) -> str:
    if SIZED <= code < CUSTOM_CODE and code - SIZED not in EXTRA_SECTIONS:
        code -= SIZED
    if code == HOLES_CODE:
        mask_count = sum(is_mask(section.name) for section in context.sections)
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


def _parse_attributes(cursor: Cursor, name: str, context: Context) -> Attributes:
    first, flags = cursor.byte(), cursor.varint("attributes", ALL_FLAGS)
    dtype_id, channels, mapping_id = first & 15, (first >> 4) + 1, flags & 3
    if dtype_id >= len(DTYPES) or mapping_id >= len(MAPPINGS):
        raise FormatError("reserved attributes", section=name)
    dtype, level, hole_values, shape = DTYPES[dtype_id], None, b"", IMAGE
    if flags & LEVEL:
        (level,) = cursor.unpack("<H")
        if level > MAX_NETWORK_LEVEL:
            raise FormatError("quality is out of range", section=name)
    if flags & HOLES:
        count = cursor.byte() + 1
        if count > 16:
            raise FormatError("too many values of holes", section=name)
        hole_values = cursor.take(count * channels * struct.calcsize(STRUCT_FORMATS[dtype]))
    size = parse_size(cursor) if flags & SIZE else None
    if flags & SHAPE:
        shape_id = cursor.byte()
        if shape_id >= len(SHAPES):
            raise FormatError("reserved shape", section=name)
        shape = SHAPES[shape_id]
    frames = _parse_frames(cursor, context.frame_count) if flags & FRAMES else None
    count = context.frame_count if frames is None else len(frames)
    delays = tuple(cursor.zigzag("time of a frame") for _ in range(count)) if flags & DELAYS else None
    limits = _parse_range(cursor, dtype) if flags & RANGE else None
    return Attributes(
        dtype, channels, limits, MAPPINGS[mapping_id], bool(flags & UNIT_VECTORS),
        level, hole_values, size, shape, frames, delays,
    )  # fmt: skip


def _parse_frames(cursor: Cursor, count: int) -> tuple[int, ...]:
    """Numbers of the frames that a task has: some of ``count``, not all."""
    bits = int.from_bytes(cursor.take(-(-count // 8)), "little")
    if not 0 < bits < (1 << count) - 1:
        raise FormatError("frames of a task are out of range")
    return tuple(frame for frame in range(count) if bits >> frame & 1)


def _parse_range(cursor: Cursor, dtype: str) -> tuple[float, float]:
    low, high = cursor.unpack("<2" + STRUCT_FORMATS[dtype])
    largest = MAX_FLOAT if dtype in FLOATS else MAX_INTEGER
    if dtype == "bool" or not -largest <= low <= high <= largest or (low, high) == DEFAULT_RANGES.get(dtype):
        raise FormatError("range is not valid")
    return low, high


def _parse_needs(cursor: Cursor, section: Section, context: Context) -> tuple[str, ...]:
    """The sections that a task needs: the shared one, one of holes of its size."""
    needable = context.needable
    bits = cursor.varint("needs", (1 << len(needable)) - 1)
    needs = tuple(name for i, name in enumerate(needable) if bits >> i & 1)
    masks = [name for name in needs if is_mask(name)]
    size = section.attributes.size or context.size
    if len(masks) > 1 or any(context.size_of(name) != size for name in masks):
        raise FormatError("needs holes of another size, or several", section=section.name)
    return needs


def _are_consistent(section: Section, context: Context) -> bool:
    """Do attributes go with the coding and with each other?"""
    name, coding, attributes = section.name, section.coding, section.attributes
    if attributes.size == context.size:
        return False
    if is_mask(name):
        return coding == "labels" and attributes == Attributes("uint8", 1, size=attributes.size)
    if name in EXTRA_SECTIONS.values():
        return coding == "raw" and attributes == Attributes()
    return (
        _fits_shape(attributes, coding, attributes.size or context.size)
        and (attributes.delays is None or any(attributes.delays))
        and (section.mask is not None) == bool(attributes.hole_values)
        and (SHARED not in section.needs or coding == "neural")
        and (attributes.size is None or coding != "neural")
        and _has_valid_values(attributes, coding)
    )


def _fits_shape(attributes: Attributes, coding: str, size: Size) -> bool:
    if attributes.shape == IMAGE:
        return True
    height, width = size
    is_flat = height == 1 or attributes.shape not in ("number", "row")
    return (
        attributes.channels == 1
        and is_flat
        and (width == 1 or attributes.shape != "number")
        and (coding == "raw" or attributes.shape not in NUMBERS)
    )


def _has_valid_values(attributes: Attributes, coding: str) -> bool:
    """Do the range, the mapping and whatever says how samples stand for values go with the coding?"""
    limits, is_float = attributes.range, attributes.dtype in FLOATS
    is_plain = attributes.mapping == "linear" and not attributes.unit_vectors
    if coding == "raw":
        return is_plain and limits is None and attributes.level is None and not attributes.hole_values
    if coding == "labels" and (attributes.channels != 1 or is_float or attributes.hole_values):
        return False
    mapping_has_logarithms = attributes.mapping == "linear" or (limits is not None and limits[0] > 0)
    unit_range = (-1.0, 1.0) if is_float else None
    unit_vectors_fit = not attributes.unit_vectors or (attributes.channels == 3 and limits == unit_range)
    return (
        mapping_has_logarithms
        and unit_vectors_fit
        and (is_plain or coding in ("neural", "classical"))
        and (attributes.level is None or coding == "neural")
        and (limits is not None or attributes.dtype in DEFAULT_RANGES)
        and (attributes.dtype != "bool" or coding == "labels")
    )
