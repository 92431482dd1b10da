"""PNG, JPEG, TIFF and ``.npy`` files."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
from numpy.lib import format as npy_format

from mtcodec.files.formats.base import ImageFormat, Shape, array_shape, check_samples
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

PALETTE = 3  # the colour type of PNG images whose pixels are indexes of a palette
PNG_CHANNELS = {0: 1, 2: 3, PALETTE: 3, 4: 2, 6: 4}  # by colour type
PNG_HEADER_BYTES = 26  # up to the colour type
EXIF_ORIENTATION = 0x0112  # 1 is upright
NPY_HEADER_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def _read_png(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    import imagecodecs  # reads 16-bit colour, which Pillow would cut to 8 bits

    data = source.read_bytes()
    check_samples(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    bits, colour_type = data[24:26] if len(data) > PNG_HEADER_BYTES else (8, 0)
    if as_numbers and colour_type == PALETTE:
        from PIL import Image  # imagecodecs gives the palette's colours

        note(Loss("the indexes of its palette are kept, not the colours"))
        with Image.open(io.BytesIO(data)) as file:
            return np.asarray(file)
    image: Array = imagecodecs.png_decode(data)
    if as_numbers and bits < 8:
        return image.astype(np.uint8) // np.uint8(255 // ((1 << bits) - 1))
    return image


def _read_png_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        header = file.read(PNG_HEADER_BYTES)
    if header[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height, bits, colour_type = struct.unpack(">IIBB", header[16:26])
    return Shape(height, width, PNG_CHANNELS[colour_type], "uint16" if bits == 16 else "uint8")


def _read_jpeg(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(source.read_bytes())) as file:
        if file.getexif().get(EXIF_ORIENTATION, 1) != 1:
            note("it is turned as its EXIF data say")
        if file.mode not in ("L", "RGB"):
            note(Loss(f"its {file.mode} colours are converted to RGB"))
        upright = ImageOps.exif_transpose(file)
        return np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))


def _read_jpeg_shape(source: ImageSource) -> Shape:
    from PIL import Image, ImageOps

    with open_source(source) as data, Image.open(data) as file:
        upright = ImageOps.exif_transpose(file) if file.getexif().get(EXIF_ORIENTATION, 1) != 1 else file
        return Shape(upright.height, upright.width, 1 if file.mode == "L" else 3, "uint8")


def _read_tiff(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(source.read_bytes())) as file:
        series = file.series[0]
        if len(file.series) > 1:
            note(Loss(f"only the first of its {len(file.series)} images is read"))
        check_samples(*series.shape)
        image: Array = series.asarray()
    if series.axes == "SYX":  # channels are stored one after the other
        return np.moveaxis(image, 0, -1)
    if series.axes not in ("YX", "YXS"):
        raise ValueError(f"not one image but an array of shape {image.shape}")
    return image


def _read_tiff_shape(source: ImageSource) -> Shape:
    import tifffile

    with open_source(source) as data, tifffile.TiffFile(data) as file:
        series = file.series[0]
        sizes = dict(zip(series.axes, series.shape))
        return Shape(sizes["Y"], sizes["X"], sizes.get("S", 1), np.dtype(series.dtype).name)


def _read_npy(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    data = source.read_bytes()
    file = io.BytesIO(data)
    version = npy_format.read_magic(file)
    if version not in NPY_HEADER_READERS:
        raise ValueError(f"an array of version {version}")
    shape, _, dtype = NPY_HEADER_READERS[version](file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError("not as many numbers as it declares")
    file.seek(0)
    image: Array = npy_format.read_array(file, allow_pickle=False)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def _read_npy_shape(source: ImageSource) -> Shape:
    with open_source(source) as file:
        shape, _, dtype = NPY_HEADER_READERS[npy_format.read_magic(file)](file)
    return array_shape(shape, dtype.name)


PNG = ImageFormat((".png",), (b"\x89PNG",), _read_png, _read_png_shape, lambda source: True)
JPEG = ImageFormat((".jpg", ".jpeg"), (b"\xff\xd8\xff",), _read_jpeg, _read_jpeg_shape, lossy=True)
TIFF = ImageFormat((".tif", ".tiff"), (b"II*\0", b"MM\0*"), _read_tiff, _read_tiff_shape, lambda source: True)
NPY = ImageFormat((".npy",), (b"\x93NUMPY",), _read_npy, _read_npy_shape)
