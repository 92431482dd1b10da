"""``.npy`` files: an array of NumPy, of any dtype but objects."""

from __future__ import annotations

import io
import math

from numpy.lib import format as npy_format

from mtcodec.files.formats.base import ImageFormat, Shape, array_shape
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, open_source
from mtcodec.signals.mapping import Array

_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    data = source.read_bytes()
    file = io.BytesIO(data)
    version = npy_format.read_magic(file)
    if version not in _HEADER_READERS:
        raise ValueError(f"an array of version {version}")
    shape, _, dtype = _HEADER_READERS[version](file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError("not as many numbers as it declares")
    file.seek(0)
    image: Array = npy_format.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        shape, _, dtype = _HEADER_READERS[npy_format.read_magic(file)](file)
    return array_shape(shape, dtype.name)


FORMAT = ImageFormat((".npy",), (b"\x93NUMPY",), _read, _read_shape)
