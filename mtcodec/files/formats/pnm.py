"""PBM, PGM, PPM, PAM and PFM files, exactly: values are never stretched to the range of their dtype."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size, note_bits
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

HEADER_BYTES = 1 << 16  # a header with its comments is no longer
_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"  # comments go to the end of their line
_HEADER = re.compile(rb"P([1-6fF])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)")
_NUMBER = re.compile(_GAP + rb"([-+.\deE]+)")
_PAM_END = re.compile(rb"\nENDHDR[^\n]*\n")


class _Header(NamedTuple):
    kind: str  # the character after the P
    shape: Shape
    maxval: int  # of integers
    scale: float  # of floats: negative where the least byte comes first
    size: int  # bytes of the header


def _parse(data: bytes) -> _Header:
    """The header of a file, of which ``data`` is the beginning; UnreadableImage for anything else."""
    if data.startswith(b"P7"):
        return _parse_pam(data)
    match = _HEADER.match(data)
    if not match:
        raise UnreadableImage("its header is damaged or cut off")
    kind, (width, height), end = match[1].decode(), map(int, match.groups()[1:]), match.end()
    channels, maxval, scale = 3 if kind in "36F" else 1, 1, 1.0
    if kind not in "14":
        number = _NUMBER.match(data, end)
        if not number:
            raise UnreadableImage("its header is damaged or cut off")
        maxval, scale = (1, float(number[1])) if kind in "fF" else (int(number[1]), 1.0)
        end = number.end()
    if kind not in "123":
        end += 2 if kind in "fF" and data[end : end + 2] == b"\r\n" else 1  # one space, then bytes
    return _checked(kind, height, width, channels, maxval, scale, end)


def _parse_pam(data: bytes) -> _Header:
    end = _PAM_END.search(data)
    if not end:
        raise UnreadableImage("its header is damaged or cut off")
    fields = dict(re.findall(rb"^(\w+)[ \t]+(\d+)\s*$", data[: end.start()], re.MULTILINE))
    height, width, depth, maxval = (int(fields[name]) for name in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
    return _checked("7", height, width, depth, maxval, 1.0, end.end())


def _checked(
    kind: str, height: int, width: int, channels: int, maxval: int, scale: float, size: int
) -> _Header:
    check_size(height, width, channels)
    if not 1 <= maxval < 1 << 16 or not math.isfinite(scale) or not scale:
        raise UnreadableImage("its header is damaged")
    dtype = "float32" if kind in "fF" else "uint8" if maxval < 256 else "uint16"
    return _Header(kind, Shape(height, width, channels, dtype), maxval, scale, size)


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    data = source.read_bytes()
    header = _parse(data)
    values = _text_values(data, header) if header.kind in "123" else _binary_values(data, header, note)
    if header.kind in "fF":
        if abs(header.scale) != 1:
            note(f"its values are kept as they are; the scale of {abs(header.scale):g} is not applied")
        return values[::-1]  # rows from bottom to top
    if values.max(initial=0) > header.maxval:
        raise UnreadableImage(f"a value of {values.max()} is more than the {header.maxval} it declares")
    if header.kind in "14":
        is_color = meaning is Meaning.COLORS
        return np.where(values, np.uint8(0), np.uint8(255)) if is_color else values  # 1 is black
    bits = header.maxval.bit_length()
    if (1 << bits) - 1 == header.maxval:
        note_bits(bits, header.shape.dtype, note)
    else:
        note(f"its values are 0 to {header.maxval}, and stay as they are in {header.shape.dtype}")
    return values


def _text_values(data: bytes, header: _Header) -> Array:
    height, width, channels, dtype = header.shape
    text = re.sub(rb"#[^\n\r]*", b" ", data[header.size :])
    if header.kind == "1":
        numbers = np.frombuffer(b"".join(text.split()), np.uint8) - np.uint8(ord("0"))
    else:
        numbers = np.array(text.split(), dtype="S6").astype(np.int64)
    if numbers.size != height * width * channels or numbers.min(initial=0) < 0:
        raise UnreadableImage("not as many numbers as it declares")
    if numbers.max(initial=0) > header.maxval:
        raise UnreadableImage(f"a value of {numbers.max()} is more than the {header.maxval} it declares")
    return _shaped(numbers.astype(dtype), header)


def _binary_values(data: bytes, header: _Header, note: Note) -> Array:
    height, width, channels, dtype = header.shape
    row_bytes = -(-width // 8) if header.kind == "4" else width * channels * np.dtype(dtype).itemsize
    size = height * row_bytes
    pixels, rest = data[header.size :][:size], data[header.size + size :]
    if len(pixels) != size:
        raise UnreadableImage("not as many numbers as it declares")
    if rest.strip():
        note(Loss(f"only its first image is read; {len(rest)} bytes follow"))
    if header.kind == "4":
        bits = np.unpackbits(np.frombuffer(pixels, np.uint8).reshape(height, row_bytes), axis=1)
        return bits[:, :width]
    least_first = header.kind in "fF" and header.scale < 0
    stored = np.dtype(dtype).newbyteorder("little" if least_first else "big")
    return _shaped(np.frombuffer(pixels, stored).astype(dtype), header)


def _shaped(values: Array, header: _Header) -> Array:
    height, width, channels, _ = header.shape
    return values.reshape((height, width, channels) if channels > 1 else (height, width))


def _read_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        return _parse(file.read(HEADER_BYTES)).shape


def _is_pam(source: ImageSource) -> bool:
    with open_source(source) as file:
        return file.read(2) == b"P7"


PNM = ImageFormat(
    "PNM",
    (".ppm", ".pgm", ".pbm", ".pnm", ".pam"),
    tuple(b"P%d%c" % (kind, space) for kind in range(1, 8) for space in b"\n\r\t #"),
    _read,
    _read_shape,
    may_have_alpha=_is_pam,
)
PFM = ImageFormat("PFM", (".pfm",), (b"Pf", b"PF"), _read, _read_shape)
