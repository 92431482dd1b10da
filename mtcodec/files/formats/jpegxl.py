"""JPEG XL files of up to 16 bits, and of floats, exactly (ISO/IEC 18181-1, annex D; 18181-2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtcodec.bitstreams.jxl import SIGNATURE, Bits, read_enumerated, read_size
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size, keep_from_users, note_bits
from mtcodec.files.formats.boxes import boxes
from mtcodec.files.formats.orientation import UPRIGHT
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

HEADER_BYTES = 4096  # of a code stream, which its headers do not exceed but for a long list of channels
FLOAT_DTYPES = {16: "float16", 32: "float32"}
ALPHA = 0  # the kind of an extra channel


class _Header(NamedTuple):
    shape: Shape
    bits: int
    orientation: int  # 1 to 8, as EXIF has it
    is_animated: bool
    other_channels: int  # beside colours and alpha
    is_lossy: bool


def _stream_start(data: bytes) -> bytes:
    """The first bytes of the code stream."""
    if data.startswith(SIGNATURE):
        return data[:HEADER_BYTES]
    stream = b""
    for kind, first, last in boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            stream += data[first + 4 * (kind == b"jxlp") : last][:HEADER_BYTES]
    if not stream.startswith(SIGNATURE):
        raise UnreadableImage("it is no JPEG XL file, or cut off")
    return stream[:HEADER_BYTES]


def _choose(bits: Bits, *choices: tuple[int, int]) -> int:
    """One of four numbers, chosen by two bits: an offset, and how many bits are added to it."""
    offset, width = choices[bits.take(2)]
    return offset + bits.take(width)


def _parse(data: bytes) -> _Header:
    bits = Bits(_stream_start(data)[2:])
    height, width = read_size(bits)
    check_size(height, width)
    if bits.take(1):  # all default
        return _Header(Shape(height, width, 3, "uint8"), 8, UPRIGHT, False, 0, True)
    orientation, is_animated = _read_extra_fields(bits) if bits.take(1) else (UPRIGHT, False)
    depth, dtype = _read_bit_depth(bits)
    bits.take(1)  # are buffers of 16 bits enough?
    extra = [_read_extra_channel(bits) for _ in range(_choose(bits, (0, 0), (1, 0), (2, 4), (1, 12)))]
    is_xyb = bool(bits.take(1))
    is_grey = not bits.take(1) and _read_is_grey(bits)
    has_alpha = ALPHA in extra
    shape = Shape(height, width, (1 if is_grey else 3) + has_alpha, dtype)
    is_lossy = is_xyb or any(kind == b"jbrd" for kind, _, _ in boxes(data))  # the latter: made of a JPEG file
    return _Header(shape, depth, orientation, is_animated, len(extra) - has_alpha, is_lossy)


def _read_is_grey(bits: Bits) -> bool:
    bits.take(1)  # is there a colour profile?
    return read_enumerated(bits) == 1


def _read_extra_fields(bits: Bits) -> tuple[int, bool]:
    """The orientation, as EXIF has it, and whether there may be several frames."""
    orientation = bits.take(3) + 1
    if bits.take(1):
        read_size(bits)  # at which it should be shown
    if bits.take(1):
        _read_preview_size(bits)
    is_animated = bool(bits.take(1))
    if is_animated:
        _choose(bits, (100, 0), (1000, 0), (1, 10), (1, 30))  # ticks a second: over, under
        _choose(bits, (1, 0), (1001, 0), (1, 8), (1, 10))
        _choose(bits, (0, 0), (0, 3), (0, 16), (0, 32))  # loops
        bits.take(1)
    return orientation, is_animated


def _read_preview_size(bits: Bits) -> None:
    sides = ((16, 0), (32, 0), (1, 5), (33, 9)) if bits.take(1) else ((1, 6), (65, 8), (321, 10), (1345, 12))
    _choose(bits, *sides)
    if not bits.take(3):
        _choose(bits, *sides)


def _read_bit_depth(bits: Bits) -> tuple[int, str]:
    """Bits of a value, and the dtype that holds it; UnreadableImage where none does exactly."""
    if bits.take(1):
        depth = _choose(bits, (32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)  # of the exponent
        if depth not in FLOAT_DTYPES:
            raise UnreadableImage(f"its floats have {depth} bits; 16 and 32 are known")
        return depth, FLOAT_DTYPES[depth]
    depth = _choose(bits, (8, 0), (10, 0), (12, 0), (1, 6))
    if depth > 16:
        raise UnreadableImage(f"its values have {depth} bits; up to 16 are read exactly")
    return depth, "uint8" if depth <= 8 else "uint16"


def _read_extra_channel(bits: Bits) -> int:
    """The kind of a channel beside the colours."""
    if bits.take(1):  # all default
        return ALPHA
    kind = read_enumerated(bits)
    _read_bit_depth(bits)
    _choose(bits, (0, 0), (3, 0), (4, 0), (1, 3))
    bits.take(8 * _choose(bits, (0, 0), (0, 4), (16, 5), (48, 10)))  # its name
    if kind == ALPHA:
        bits.take(1)
    elif kind == 2:  # a spot colour
        bits.take(64)
    elif kind == 5:  # of a colour filter array
        _choose(bits, (1, 0), (0, 2), (3, 4), (19, 8))
    return kind


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    import imagecodecs

    keep_from_users("imagecodecs")
    data = source.read_bytes()
    header = _parse(data)
    frame = 0 if header.is_animated else None
    image: Array = np.asarray(imagecodecs.jpegxl_decode(data, index=frame, keeporientation=True))
    if header.is_animated:
        note(Loss("only the first of its frames is read"))
    if header.other_channels:
        note(Loss("channels beside colours and alpha are left out"))
    if image.shape[:2] != header.shape[:2]:
        raise UnreadableImage("its header tells another size than its picture")
    if header.shape.dtype.startswith("u"):
        note_bits(header.bits, image.dtype.name, note)
    return image


FORMAT = ImageFormat(
    "JPEG XL",
    (".jxl",),
    (SIGNATURE, b"\0\0\0\x0cJXL "),
    _read,
    lambda source: _parse(source.read_bytes()).shape,
    lambda source: _parse(source.read_bytes()).orientation,
    may_have_alpha=lambda source: True,
    is_lossy=lambda source: _parse(source.read_bytes()).is_lossy,
)
