"""``.npz`` files: zip files of arrays, of which those that are images are read. Nothing is unpickled.

What an array declares is held against what the zip file says of its length before anything is allocated.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from numpy.lib import format as npy_format

from mtcodec.files.formats import arrays
from mtcodec.files.formats.arrays import StoredArray
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, array_shape
from mtcodec.files.formats.usual import read_npy_header
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage, open_source, printable
from mtcodec.signals.mapping import Array

SUFFIX_INSIDE = ".npy"
MAX_HEADER_BYTES = 1 << 16  # of an array


@contextmanager
def _open(source: ImageSource) -> Iterator[zipfile.ZipFile]:
    with open_source(source) as opened, zipfile.ZipFile(opened) as file:
        if len(file.filelist) > arrays.MAX_NAMES:
            raise UnreadableImage(f"it holds more than {arrays.MAX_NAMES} arrays")
        yield file


def _stored_arrays(file: zipfile.ZipFile) -> list[StoredArray]:
    """All arrays, in the order of the file; what is no array is refused."""
    return [_stored_array(file, info) for info in file.infolist() if not info.is_dir()]


def _stored_array(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    with file.open(info) as opened:
        header = io.BytesIO(opened.read(MAX_HEADER_BYTES))
    shape, dtype = read_npy_header(header)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != info.file_size - header.tell():
        raise UnreadableImage(f"{printable(info.filename)} has not as many numbers as it declares")
    name = printable(info.filename.removesuffix(SUFFIX_INSIDE))
    return StoredArray(name, info.filename, shape, dtype, info.compress_size)


def _chosen(file: zipfile.ZipFile, source: ImageSource, note: Note) -> StoredArray:
    """The array that ``source`` stands for."""
    if isinstance(source, Layer):
        chosen = _stored_array(file, file.getinfo(str(source.place)))
    else:
        chosen = arrays.only_image(_stored_arrays(file), note)
    arrays.check_array(chosen)
    return chosen


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    with _open(source) as file, file.open(str(_chosen(file, source, note).place)) as opened:
        image: Array = npy_format.read_array(opened, allow_pickle=False)
        opened.read(1)  # at its end the checksum is looked at
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_shape(source: ImageSource) -> Shape:
    with _open(source) as file:
        chosen = _chosen(file, source, ignore)
        return array_shape(chosen.shape, chosen.dtype.name)


def _layers(source: ImageSource, note: Note) -> list[Layer]:
    with _open(source) as file:
        return arrays.layers_among(source, _stored_arrays(file), note)


FORMAT = ImageFormat(
    "npz", (".npz",), (b"PK\3\4",), _read, _read_shape, layers=_layers, has_axes=lambda source: False
)
