"""AVIF files of 8, 10 or 12 bits, exactly (ISO/IEC 23008-12; AV1 in ISOBMFF)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtcodec.files.formats import orientation
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size, keep_from_users, note_bits
from mtcodec.files.formats.boxes import boxes, find
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

HIGH_BITS, TWELVE_BITS, MONOCHROME = 0x40, 0x20, 0x10  # in the third byte of an AV1 configuration
BRANDS = (b"avif", b"avis")


class _Header(NamedTuple):
    height: int
    width: int
    channels: int
    bits: int
    turns: list[tuple[bytes, int]]  # irot: by so many quarters, against the clock; imir: 0 upside down


def _parse(data: bytes) -> _Header:
    """What the boxes of the primary image say."""
    properties = find(data, b"meta", b"iprp", b"ipco")
    if properties is None:
        raise UnreadableImage("it is no AVIF file, or cut off")
    contents = [(kind, data[first:last]) for kind, first, last in boxes(data, *properties)]
    primary = [contents[index - 1] for index in _associated(data) if 0 < index <= len(contents)]
    size = next((content for kind, content in primary if kind == b"ispe"), b"")
    config = next((content for kind, content in primary + contents if kind == b"av1C"), b"")
    if len(size) < 12 or len(config) < 3:
        raise UnreadableImage("its header is damaged")
    width, height = int.from_bytes(size[4:8], "big"), int.from_bytes(size[8:12], "big")
    check_size(height, width)
    bits = 8 if not config[2] & HIGH_BITS else 12 if config[2] & TWELVE_BITS else 10
    has_alpha = any(kind == b"auxC" and b":alpha" in content for kind, content in contents)
    channels = (1 if config[2] & MONOCHROME else 3) + has_alpha
    turns = [(kind, content[0] & 3) for kind, content in primary if kind in (b"irot", b"imir")]
    return _Header(height, width, channels, bits, turns)


def _associated(data: bytes) -> list[int]:
    """Numbers of the properties that belong to the primary image, from 1."""
    item, table = find(data, b"meta", b"pitm"), find(data, b"meta", b"iprp", b"ipma")
    if item is None or table is None:
        raise UnreadableImage("its header is damaged")
    primary = int.from_bytes(data[item[0] + 4 : item[1]], "big")
    id_bytes, index_bytes = (4 if data[table[0]] else 2), (2 if data[table[0] + 3] & 1 else 1)
    at = table[0] + 8
    while at < table[1]:
        item_id, count = int.from_bytes(data[at : at + id_bytes], "big"), data[at + id_bytes]
        at += id_bytes + 1
        end = at + count * index_bytes
        if item_id == primary:
            entries = [data[k : k + index_bytes] for k in range(at, end, index_bytes)]
            mask = (1 << (8 * index_bytes - 1)) - 1  # without the bit that says: must be understood
            return [int.from_bytes(entry, "big") & mask for entry in entries]
        at = end
    raise UnreadableImage("its header is damaged")


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    import imagecodecs

    keep_from_users("imagecodecs")
    data = source.read_bytes()
    header = _parse(data)
    image: Array = np.asarray(imagecodecs.avif_decode(data, numthreads=1))
    if image.ndim > (3 if header.channels > 1 else 2):
        note(Loss(f"only the first of its {len(image)} frames is read"))
        image = image[0]
    if image.shape[:2] != (header.height, header.width):
        raise UnreadableImage("its header tells another size than its picture")
    note_bits(header.bits, image.dtype.name, note)
    return image


def _read_shape(source: ImageSource) -> Shape:
    height, width, channels, bits, _ = _parse(source.read_bytes())
    return Shape(height, width, channels, "uint8" if bits == 8 else "uint16")


def _read_orientation(source: ImageSource) -> int:
    """The one mark that does what all boxes that turn and mirror do one after the other."""
    start = image = np.arange(6).reshape(2, 3)
    for kind, how in _parse(source.read_bytes()).turns:
        image = np.rot90(image, how) if kind == b"irot" else np.flip(image, axis=how & 1)
    return next(mark for mark in range(1, 9) if np.array_equal(orientation.turned(start, mark), image))


FORMAT = ImageFormat(
    "AVIF",
    (".avif",),
    tuple(bytes([0, 0, 0, size]) + b"ftyp" + brand for size in range(16, 128, 4) for brand in BRANDS),
    _read,
    _read_shape,
    _read_orientation,
    may_have_alpha=lambda source: True,
    is_lossy=lambda source: True,
)
