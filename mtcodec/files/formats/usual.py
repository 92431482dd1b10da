"""PNG and ``.npy`` files."""

from __future__ import annotations

import io
import math
import struct
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from mtcodec.files.formats import orientation
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, array_shape, check_size, keep_from_users
from mtcodec.files.formats.pillow import by_our_rules
from mtcodec.files.marks import HEAD_BYTES, has_mark
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

PALETTE = 3  # the colour type of PNG images whose pixels are indexes of a palette
PNG_CHANNELS = {0: 1, 2: 3, PALETTE: 3, 4: 2, 6: 4}  # by colour type
PNG_SIGNATURE_BYTES = 8
PNG_HEADER_BYTES = 26  # up to the colour type
NPY_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def _read_png(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    import imagecodecs  # reads 16-bit colour, which Pillow would cut to 8 bits

    data = source.read_bytes()
    keep_from_users("imagecodecs")
    check_size(int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big"))
    _note_frames(data, note)
    bits, colour_type = data[24:26] if len(data) > PNG_HEADER_BYTES else (8, 0)
    if meaning is Meaning.NUMBERS and colour_type == PALETTE:
        from PIL import PngImagePlugin  # imagecodecs gives the palette's colours

        note(Loss("the indexes of its palette are kept, not the colours"))
        with by_our_rules(), PngImagePlugin.PngImageFile(io.BytesIO(data)) as file:
            return np.asarray(file)
    image: Array = imagecodecs.png_decode(data)
    if meaning is not Meaning.COLORS and bits < 8 and colour_type != PALETTE:
        return image.astype(np.uint8) // np.uint8(255 // ((1 << bits) - 1))
    return image


def _note_frames(data: bytes, note: Note) -> None:
    """Tell of the frames of an animation, of which the still picture may be the first."""
    at, frames = PNG_SIGNATURE_BYTES, 0
    is_first = False
    while at + 12 <= len(data) and (kind := data[at + 4 : at + 8]) != b"IDAT":
        if kind == b"acTL":
            frames = int.from_bytes(data[at + 8 : at + 12], "big")
        is_first |= kind == b"fcTL"
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    if frames and not is_first:
        note(Loss(f"only its still picture is read, and none of its {frames} frames"))
    elif frames > 1:
        note(Loss(f"only the first of its {frames} frames is read"))


def _read_png_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        header = file.read(PNG_HEADER_BYTES)
        is_transparent = _has_transparent_color(file)
    if header[12:16] != b"IHDR":
        raise UnreadableImage("not a PNG file")
    width, height, bits, colour_type = struct.unpack(">IIBB", header[16:26])
    channels = PNG_CHANNELS[colour_type] + is_transparent
    return Shape(height, width, channels, "uint16" if bits == 16 else "uint8")


def _has_transparent_color(file: BinaryIO) -> bool:
    """Is one of its colours transparent, or one of its palette? Then its pixels have alpha."""
    file.seek(PNG_SIGNATURE_BYTES)
    while len(start := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", start)
        if kind in (b"tRNS", b"IDAT"):
            return bool(kind == b"tRNS")
        file.seek(size + 4, 1)
    return False


def _read_png_orientation(source: ImageSource) -> int:
    with open_source(source) as file:
        return orientation.of_png(file)


def _read_npy(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    data = source.read_bytes()
    if not data.startswith(NPY.magics):
        raise UnreadableImage("it is no array, or cut off")
    file = io.BytesIO(data)
    shape, dtype = read_npy_header(file)
    if dtype.hasobject:
        raise UnreadableImage("it holds Python objects, not numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise UnreadableImage("not as many numbers as it declares")
    if len(shape) > 1:
        check_size(*sorted(shape)[-2:])
    file.seek(0)
    image: Array = npy_format.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_npy_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        shape, dtype = read_npy_header(file)
    return array_shape(shape, dtype.name, has_axes=_is_marked(source))


def _is_marked(source: ImageSource) -> bool:
    """Has decoding written this array? Then its channels are last."""
    with open_source(source) as file:
        return has_mark(file.read(HEAD_BYTES), 0)


def read_npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and dtype of an array; raises UnreadableImage, or what numpy does."""
    version = npy_format.read_magic(file)
    if version not in NPY_HEADER_READERS:
        raise UnreadableImage(f"an array of version {version}")
    shape, _, dtype = NPY_HEADER_READERS[version](file)
    return shape, dtype


PNG = ImageFormat(
    "PNG",
    (".png",),
    (b"\x89PNG",),
    _read_png,
    _read_png_shape,
    _read_png_orientation,
    may_have_alpha=lambda source: True,
)
NPY = ImageFormat("npy", (".npy",), (b"\x93NUMPY",), _read_npy, _read_npy_shape, has_axes=_is_marked)
