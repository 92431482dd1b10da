"""PNG files, of 1 to 16 bits, with palettes and alpha."""

from __future__ import annotations

import io
import struct

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Shape, always, check_samples
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, open_source
from mtcodec.signals.mapping import Array

PALETTE = 3  # the colour type of images whose pixels are indexes of a palette
CHANNELS = {0: 1, 2: 3, PALETTE: 3, 4: 2, 6: 4}  # by colour type
HEADER_BYTES = 26  # up to the colour type


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    import imagecodecs  # reads 16-bit colour, which Pillow would cut to 8 bits

    data = source.read_bytes()
    check_samples(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    bits, colour_type = data[24:26] if len(data) > HEADER_BYTES else (8, 0)
    if as_numbers and colour_type == PALETTE:
        note("the indexes of its palette are kept, not the colours")
        return _palette_indexes(data)
    image: Array = imagecodecs.png_decode(data)
    if as_numbers and bits < 8:
        return image.astype(np.uint8) // np.uint8(255 // ((1 << bits) - 1))
    return image


def _palette_indexes(data: bytes) -> Array:
    from PIL import Image  # imagecodecs gives the palette's colours

    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file)


def _read_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        header = file.read(HEADER_BYTES)
    if header[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height, bits, colour_type = struct.unpack(">IIBB", header[16:26])
    return Shape(height, width, CHANNELS[colour_type], "uint16" if bits == 16 else "uint8")


FORMAT = ImageFormat((".png",), (b"\x89PNG",), _read, _read_shape, may_have_alpha=always)
