"""Marks of orientation in image files, 1 to 8 as EXIF numbers them: how a picture is turned to stand upright.

A file without a mark, or with a damaged one, counts as upright.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from mtcodec.files.formats.base import Shape
from mtcodec.signals.mapping import Array

UPRIGHT = 1
TAG = 0x0112  # of EXIF and TIFF
TAG_BYTES = 12
EXIF_START = b"Exif\0\0"  # before the TIFF header of EXIF data in JPEG files
BOTTOM_UP, RIGHT_TO_LEFT = (3, 4, 7, 8), (2, 3, 6, 7)  # after rows and columns of 5 to 8 have changed places
MAX_MARK_BYTES = 1 << 20  # of EXIF data, or of a text that holds some
_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])\b")
_PNG_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")  # EXIF data as older programs write them


def turned(image: Array, orientation: int) -> Array:
    """``image``, (H, W) or (H, W, C), turned and mirrored as a mark says."""
    if orientation > 4:
        image = image.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in BOTTOM_UP else 1)
    columns = slice(None, None, -1 if orientation in RIGHT_TO_LEFT else 1)
    return np.ascontiguousarray(image[rows, columns])


def turned_shape(shape: Shape, orientation: int) -> Shape:
    """What :func:`turned` makes of it."""
    if orientation > 4:
        shape = shape._replace(height=shape.width, width=shape.height)
    return shape


def checked(orientation: object) -> int:
    """``orientation`` if it is one, else UPRIGHT."""
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else UPRIGHT


def of_exif(data: bytes) -> int:
    """The mark in EXIF data, which are a TIFF file without pixels."""
    data = data.removeprefix(EXIF_START)
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 10:
        return UPRIGHT
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    for at in range(start + 2, len(data) - TAG_BYTES + 1, TAG_BYTES)[: _tag_count(data, start, order)]:
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag == TAG:
            value = f"{order}{'I' if kind == 4 else 'H'}"  # LONG or SHORT
            return checked(struct.unpack_from(value, data, at + 8)[0])
    return UPRIGHT


def _tag_count(data: bytes, start: int, order: str) -> int:
    return int(struct.unpack_from(f"{order}H", data, start)[0]) if start + 2 <= len(data) else 0


def of_metadata(exif: bytes | None, xmp: bytes | str | None) -> int:
    """The mark in the EXIF data of a file, or else in its XMP text."""
    orientation = of_exif(exif or b"")
    text = xmp.encode() if isinstance(xmp, str) else xmp or b""
    match = _XMP.search(text) if orientation == UPRIGHT else None
    return int(match[1]) if match else orientation


def of_png(file: BinaryIO) -> int:
    """The mark of a PNG file: of its eXIf chunk, or of a text that holds EXIF data or XMP."""
    exif, profile, xmp = b"", b"", b""
    for kind, content in _png_chunks(file):
        keyword, _, text = content.partition(b"\0")
        if kind == b"eXIf":
            exif = content
        elif keyword in _PNG_PROFILES:
            profile = _profile_bytes(_inflated(text[1:]) if kind == b"zTXt" else text)
        elif keyword == b"XML:com.adobe.xmp":
            xmp = text
    return of_metadata(exif or profile, xmp)


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the chunks of a PNG file that may hold a mark."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", header)
        if kind in (b"eXIf", b"zTXt", b"tEXt", b"iTXt") and size <= MAX_MARK_BYTES:
            yield kind, file.read(size)
            size = 0
        file.seek(size + 4, 1)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_MARK_BYTES)
    except zlib.error:
        return b""


def _profile_bytes(text: bytes) -> bytes:
    """The bytes of a profile that is written as a name, a length and hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return b""
