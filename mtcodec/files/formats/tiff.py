"""TIFF files: the first image, of any dtype."""

from __future__ import annotations

import io

import numpy as np

from mtcodec.files.formats.base import ImageFormat, Shape, always, check_samples
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, open_source
from mtcodec.signals.mapping import Array


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(source.read_bytes())) as file:
        series = file.series[0]
        if len(file.series) > 1:
            note(f"only the first of its {len(file.series)} images is read")
        check_samples(*series.shape)
        image: Array = series.asarray()
    if series.axes == "SYX":  # channels are stored one after the other
        return np.moveaxis(image, 0, -1)
    if series.axes not in ("YX", "YXS"):
        raise ValueError(f"not one image but an array of shape {image.shape}")
    return image


def _read_shape(source: ImageSource) -> Shape:
    import tifffile

    with open_source(source) as data, tifffile.TiffFile(data) as file:
        series = file.series[0]
        sizes = dict(zip(series.axes, series.shape))
        return Shape(sizes["Y"], sizes["X"], sizes.get("S", 1), np.dtype(series.dtype).name)


FORMAT = ImageFormat((".tif", ".tiff"), (b"II*\0", b"MM\0*"), _read, _read_shape, may_have_alpha=always)
