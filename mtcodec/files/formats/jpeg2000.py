"""JPEG 2000 files, exactly: up to 25 bits, with or without sign (ISO/IEC 15444-1, annexes A and I)."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size, keep_from_users, note_bits
from mtcodec.files.formats.boxes import find
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

START = b"\xff\x4f\xff\x51"  # of a code stream: its first marker, and that of its sizes
CODING_STYLE, START_OF_TILE = 0xFF52, 0xFF90  # markers
MAX_BITS = 25  # which OpenJPEG decodes exactly
SRGB, GREY = 16, 17  # colour spaces; in others, OpenJPEG leaves channels as they are


class _Header(NamedTuple):
    shape: Shape
    bits: int
    is_lossy: bool
    stream: int  # where the code stream begins
    has_palette: bool


def _parse(data: bytes) -> _Header:
    box = (0, len(data)) if data.startswith(START) else find(data, b"jp2c")
    if box is None or data[box[0] : box[0] + 4] != START:
        raise UnreadableImage("it is no JPEG 2000 file, or cut off")
    sizes = box[0] + 4  # after the marker
    right, bottom, left, top = struct.unpack_from(">4I", data, sizes + 4)
    (channels,) = struct.unpack_from(">H", data, sizes + 36)
    components = [data[sizes + 38 + 3 * k : sizes + 41 + 3 * k] for k in range(channels)]
    if bottom <= top or right <= left or not components:
        raise UnreadableImage("its header is damaged")
    if len(set(components)) > 1 or components[0][1:] != b"\1\1":
        raise UnreadableImage("its channels differ in size or bits")
    bits, is_signed = (components[0][0] & 127) + 1, components[0][0] > 127
    if bits > MAX_BITS:
        raise UnreadableImage(f"its values have {bits} bits; up to {MAX_BITS} are read exactly")
    check_size(bottom - top, right - left, channels)
    dtype = ("int" if is_signed else "uint") + ("8" if bits <= 8 else "16" if bits <= 16 else "32")
    palette = _check_colors(data)
    shape = Shape(bottom - top, right - left, palette or channels, dtype)
    return _Header(shape, bits, _is_lossy_stream(data, sizes), box[0], palette > 0)


def _check_colors(data: bytes) -> int:
    """The channels of its palette, 0 where it has none; UnreadableImage for colours of an unknown space."""
    color = find(data, b"jp2h", b"colr")
    if color and data[color[0]] == 1:
        space = int.from_bytes(data[color[0] + 3 : color[0] + 7], "big")
        if space not in (SRGB, GREY):
            raise UnreadableImage(f"its colours are of space {space}; known are sRGB (16) and grey (17)")
    palette = find(data, b"jp2h", b"pclr")
    return data[palette[0] + 2] if palette else 0


def _is_lossy_stream(data: bytes, at: int) -> bool:
    """Are its wavelets irreversible? ``at``: after a marker of the main header."""
    while at + 4 <= len(data):
        at += int.from_bytes(data[at : at + 2], "big")
        marker, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        if marker == CODING_STYLE:
            return data[at + 11] == 0
        if marker == START_OF_TILE:
            break
    return False


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    import imagecodecs

    keep_from_users("imagecodecs")
    data = source.read_bytes()
    header = _parse(data)
    if header.has_palette and meaning is Meaning.NUMBERS:
        note(Loss("the indexes of its palette are kept, not the colours"))
        data = data[header.stream :]
    image: Array = np.asarray(imagecodecs.jpeg2k_decode(data))
    if header.shape.dtype.startswith("u") and not header.has_palette:
        note_bits(header.bits, header.shape.dtype, note)
    return image


FORMAT = ImageFormat(
    "JPEG 2000",
    (".jp2", ".j2k", ".j2c", ".jpc", ".jpx"),
    (b"\0\0\0\x0cjP  ", START),
    _read,
    lambda source: _parse(source.read_bytes()).shape,
    may_have_alpha=lambda source: True,
    is_lossy=lambda source: _parse(source.read_bytes()).is_lossy,
)
