"""TIFF files: the first image, of any tiling and compression; palettes and inks as colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mtcodec.files.formats import orientation
from mtcodec.files.formats.base import ImageFormat, Shape, check_size, keep_from_users, note_bits
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR = range(7)  # photometric interpretations
JPEG_COMPRESSIONS = (6, 7)  # whose reader makes RGB of YCbCr
LAYOUTS = ("YX", "YXS", "SYX")  # of axes; S: channels


@contextmanager
def _first_image(source: ImageSource) -> Iterator[tuple[Any, int]]:
    """The first image of a file, as a series of tifffile, and how many there are. No pixel is read yet."""
    import tifffile

    keep_from_users("tifffile")
    with open_source(source) as opened, tifffile.TiffFile(opened) as file:
        series = file.series[0]
        check_size(*_shape(series)[:3])
        yield series, len(file.series)


def _shape(series: Any) -> Shape:
    """As it is stored; UnreadableImage where it is not one image of colours or numbers that are known."""
    sides, page = _sides(series), series.keyframe
    kind = page.photometric
    if kind not in range(YCBCR + 1) or (kind == YCBCR and page.compression not in JPEG_COMPRESSIONS):
        name = getattr(kind, "name", kind)
        raise UnreadableImage(f"its colours are {name}; known are grey, RGB, palettes and CMYK")
    channels, dtype = sides.get("S", 1), np.dtype(series.dtype).name
    if kind == PALETTE:
        channels, dtype = 3, _palette(page).dtype.name
    channels -= _is_cmyk(page, channels)
    return Shape(sides["Y"], sides["X"], channels, dtype)


def _sides(series: Any) -> dict[str, int]:
    """The axes of an image with their lengths, Y X, Y X S or S Y X; S: channels.

    Others of length one are left out. A grey image that was stored as (H, W, 1), of three or four rows, is
    not taken for channels of one column.
    """
    sizes = [size for size in series.shape if size > 1]
    if series.kind == "shaped" and len(series.shape) > 2 and series.shape[-1] == 1 and len(sizes) == 2:
        return {"Y": sizes[0], "X": sizes[1]}
    sides = {axis: size for axis, size in zip(series.axes, series.shape) if size > 1 or axis in "YXS"}
    if "".join(sides) not in LAYOUTS:
        raise UnreadableImage(f"not one image but an array of shape {series.shape}")
    return sides


def _read(source: ImageSource, as_numbers: bool, note: Note) -> Array:
    with _first_image(source) as (series, image_count):
        if image_count > 1:
            note(Loss(f"only the first of its {image_count} images is read"))
        sides = _sides(series)
        image: Array = series.asarray().reshape(tuple(sides.values()))
        if next(iter(sides)) == "S":  # channels are stored one after the other
            image = np.moveaxis(image, 0, -1)
        return _as_colors(image, series.keyframe, as_numbers, note)


def _as_colors(image: Array, page: Any, as_numbers: bool, note: Note) -> Array:
    """Pixels by what their numbers stand for; as they are where they are numbers."""
    kind, bits = page.photometric, page.bitspersample
    if kind == PALETTE:
        if as_numbers:
            note(Loss("the indexes of its palette are kept, not the colours"))
            return image
        colors: Array = _palette(page)[image]
        return colors
    if _is_cmyk(page, image.shape[2] if image.ndim == 3 else 1):
        note(Loss("its CMYK colours are converted to RGB"))
        return _rgb_of_cmyk(image)
    if not as_numbers and bits < 8 and image.dtype.kind in "bu":
        image = image.astype(np.uint8) * np.uint8(255 // ((1 << bits) - 1))
    elif image.dtype.kind == "u":
        note_bits(bits, image.dtype.name, note)
    if not as_numbers and kind == WHITE_IS_ZERO and image.dtype.kind == "u":
        note("its values are inverted, as 0 is white in it")
        image = ((1 << max(bits, 8)) - 1 - image.astype(np.int64)).astype(image.dtype)
    return image


def _palette(page: Any) -> Array:
    """Its colours, (N, 3): uint16; uint8 where that is all they hold, in either of two ways of writing."""
    colors = np.asarray(page.colormap, np.uint16).reshape(3, -1).T
    if (colors < 256).all():
        return colors.astype(np.uint8)
    return (colors >> 8).astype(np.uint8) if (colors % 257 == 0).all() else colors


def _is_cmyk(page: Any, channels: int) -> bool:
    return bool(page.photometric == INKS) and channels in (4, 5)


def _rgb_of_cmyk(image: Array) -> Array:
    """(1 − ink)(1 − black), as Pillow has it; alpha, a fifth channel, stays.

    Raises:
        UnreadableImage: no integers without sign.
    """
    if image.dtype.name not in ("uint8", "uint16"):
        raise UnreadableImage(f"CMYK colours of {image.dtype}")
    largest = 255 if image.dtype == np.uint8 else 65535
    light = largest - image[..., :4].astype(np.int64)
    rgb = (2 * light[..., :3] * light[..., 3:] + largest) // (2 * largest)
    return np.concatenate([rgb.astype(image.dtype), image[..., 4:]], axis=-1)


def _read_shape(source: ImageSource) -> Shape:
    with _first_image(source) as (series, _):
        return _shape(series)


def _read_orientation(source: ImageSource) -> int:
    with _first_image(source) as (series, _):
        return orientation.checked(series.keyframe.tags.valueof(orientation.TAG))


def _is_lossy(source: ImageSource) -> bool:
    with _first_image(source) as (series, _):
        return series.keyframe.compression in JPEG_COMPRESSIONS


FORMAT = ImageFormat(
    "TIFF",
    (".tif", ".tiff"),
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    _read,
    _read_shape,
    _read_orientation,
    may_have_alpha=lambda source: True,
    is_lossy=_is_lossy,
)
