"""Files of images to arrays, by format: PNG, JPEG, TIFF, EXR, ``.npy`` and HDF5.

A reader gives (H, W) or (H, W, C) in the dtype of the file, channels in the order RGBA. Where ``numbers`` is
true, pixels are numbers (class ids, or of unknown meaning) and not colours: those of a palette are its
indexes, and those of one, two or four bits are not stretched to 255. Readers raise what their libraries do.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from numpy.lib import format as formats

from mtcodec.files import exr, hdf5
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource
from mtcodec.signals.mapping import Array

Reader = Callable[[ImageSource, bool, Note], Array]
MAX_SAMPLES = 1 << 30
_ORIENTATION = 0x0112  # EXIF's


def _png(source: ImageSource, numbers: bool, note: Note) -> Array:
    import imagecodecs  # reads 16-bit colour, which Pillow would cut to 8 bits

    data = source.read_bytes()
    _check_size(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    bits, colours = data[24:26] if len(data) > 26 else (8, 0)  # of the header
    if numbers and colours == 3:
        note("the indexes of its palette are kept, not the colours")
        return _indexes(data)
    image: Array = imagecodecs.png_decode(data)
    if numbers and bits < 8:
        return image.astype(np.uint8) // np.uint8(255 // ((1 << bits) - 1))
    return image


def _check_size(*sides: int) -> None:
    """Raise ValueError for more samples than an image may have; a small file may declare many."""
    if math.prod(sides) > MAX_SAMPLES:
        raise ValueError(f"{'×'.join(map(str, sides))} samples are more than {MAX_SAMPLES}")


def _indexes(data: bytes) -> Array:
    from PIL import Image  # imagecodecs gives the palette's colours

    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file)


def _jpeg(source: ImageSource, numbers: bool, note: Note) -> Array:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(source.read_bytes())) as file:
        if file.getexif().get(_ORIENTATION, 1) != 1:
            note("it is turned as its EXIF data say")
        if file.mode not in ("L", "RGB"):
            note(f"its {file.mode} colours are converted to RGB")
        upright = ImageOps.exif_transpose(file)
        return np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))


def _tiff(source: ImageSource, numbers: bool, note: Note) -> Array:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(source.read_bytes())) as file:
        series = file.series[0]
        if len(file.series) > 1:
            note(f"only the first of its {len(file.series)} images is read")
        _check_size(*series.shape)
        image: Array = series.asarray()
    if series.axes == "SYX":  # channels are stored one after the other
        return np.moveaxis(image, 0, -1)
    if series.axes not in ("YX", "YXS"):
        raise ValueError(f"not one image but an array of shape {image.shape}")
    return image


def _exr(source: ImageSource, numbers: bool, note: Note) -> Array:
    return exr.read(source, note)


def _array(source: ImageSource, numbers: bool, note: Note) -> Array:
    data = source.read_bytes()
    file = io.BytesIO(data)
    read = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    version = formats.read_magic(file)
    if version not in read:
        raise ValueError(f"an array of version {version}")
    shape, _, dtype = read[version](file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError("not as many numbers as it declares")
    file.seek(0)
    image: Array = formats.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _hdf5(source: ImageSource, numbers: bool, note: Note) -> Array:
    return hdf5.read(source)


READERS: dict[str, Reader] = {
    ".png": _png, ".jpg": _jpeg, ".jpeg": _jpeg, ".tif": _tiff, ".tiff": _tiff, ".exr": _exr, ".npy": _array,
    ".hdf5": _hdf5, ".h5": _hdf5,
}  # fmt: skip
SUFFIXES = tuple(READERS)
ALPHA = (".png", ".tif", ".tiff", ".exr")  # those whose formats have a place for alpha
