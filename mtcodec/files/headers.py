"""Sizes and dtypes of images, out of the headers of their files: but for EXR, no pixel is read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files import exr, hdf5
from mtcodec.files.notes import ignore
from mtcodec.files.sources import ImageSource, MissingSource, opened


class Shape(NamedTuple):
    """An image as its file stores it: alpha is one of its channels, palettes have those of their colours."""

    height: int
    width: int
    channels: int
    dtype: str


_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type


def _png(source: ImageSource) -> Shape:
    with opened(source) as file:
        start = file.read(26)
    if start[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height, bits, colours = struct.unpack(">IIBB", start[16:26])
    return Shape(height, width, _PNG_CHANNELS[colours], "uint16" if bits == 16 else "uint8")


def _jpeg(source: ImageSource) -> Shape:
    from PIL import Image, ImageOps

    with opened(source) as data, Image.open(data) as file:
        upright = ImageOps.exif_transpose(file) if file.getexif().get(0x0112, 1) != 1 else file
        return Shape(upright.height, upright.width, 1 if file.mode == "L" else 3, "uint8")


def _tiff(source: ImageSource) -> Shape:
    import tifffile

    with opened(source) as data, tifffile.TiffFile(data) as file:
        series = file.series[0]
        sizes = dict(zip(series.axes, series.shape))
        return Shape(sizes["Y"], sizes["X"], sizes.get("S", 1), np.dtype(series.dtype).name)


def _exr(source: ImageSource) -> Shape:
    image = exr.read(source, ignore)  # OpenEXR tells no pixel types of headers alone
    height, width, *rest = image.shape
    return Shape(height, width, rest[0] if rest else 1, image.dtype.name)


def _array(source: ImageSource) -> Shape:
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with opened(source) as file:
        shape, _, dtype = read[np.lib.format.read_magic(file)](file)
    height, width, *rest = shape
    return Shape(height, width, rest[0] if rest else 1, dtype.name)


def _hdf5(source: ImageSource) -> Shape:
    with hdf5.found(source) as dataset:
        height, width, *rest = dataset.shape
        return Shape(height, width, rest[0] if rest else 1, dataset.dtype.name)


_READERS: dict[str, Callable[[ImageSource], Shape]] = {
    ".png": _png, ".jpg": _jpeg, ".jpeg": _jpeg, ".tif": _tiff, ".tiff": _tiff, ".exr": _exr, ".npy": _array,
    ".hdf5": _hdf5, ".h5": _hdf5,
}  # fmt: skip


def shape_of(source: ImageSource) -> Shape:
    """What the header of an image file tells.

    Raises:
        SceneError: unreadable, or not an image. DependencyError: it needs h5py. MissingSource: there is none.
    """
    try:
        return _READERS[source.suffix.lower()](source)
    except MissingSource:
        raise
    except MtcodecError as error:
        raise error.at(path=source) from None
    except Exception as error:  # readers raise whatever their libraries do
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise SceneError(f"cannot read its header: {reason}", path=source) from error
