"""TIFF files: images of any tiling and compression; palettes and inks as colours; pages as tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from mtcodec.files.formats import orientation
from mtcodec.files.formats.base import ImageFormat, Meaning, Shape, check_size, keep_from_users, note_bits
from mtcodec.files.formats.tiff_pages import MAX_PAGES_WITHOUT_NAMES, Page, names_of, pages_of
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage, open_source
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR = range(7)  # photometric interpretations
JPEG_COMPRESSIONS = (6, 7)  # whose reader makes RGB of YCbCr


@contextmanager
def _pages(source: ImageSource, note: Note = ignore) -> Iterator[list[Page]]:
    """The images of a file. No pixel is read yet, and none of other files, which microscopes' stacks name."""
    import tifffile

    keep_from_users("tifffile")
    with open_source(source) as opened, tifffile.TiffFile(opened, _multifile=False) as file:
        if file.is_mmstack or file.is_ndtiff:
            raise UnreadableImage("it is a stack of Micro-Manager, whose images lie in several files")
        pages = pages_of(file)
        if file.is_ome and pages[0].series.kind != "ome":
            note(
                Loss("its OME description is not followed: images in other files that it names are left out")
            )
        yield pages


@contextmanager
def _page(source: ImageSource, note: Note = ignore) -> Iterator[tuple[Page, int]]:
    """The image that ``source`` stands for, the first one of a file; and how many there are."""
    with _pages(source, note) as pages:
        page = pages[cast(int, source.place) if isinstance(source, Layer) else 0]
        check_size(page.height, page.width, page.channels if page.is_of_its_own else _samples(page))
        page.check()
        yield page, 1 if isinstance(source, Layer) else len(pages)


def _samples(page: Page) -> int:
    """Of all images of an array that is read whole, for a pixel."""
    return page.channels * page.count


def _shape(page: Page) -> Shape:
    """As it is stored; UnreadableImage where its colours are not known."""
    keyframe = page.series.keyframe
    kind = keyframe.photometric
    if kind not in range(YCBCR + 1) or (kind == YCBCR and keyframe.compression not in JPEG_COMPRESSIONS):
        name = getattr(kind, "name", kind)
        raise UnreadableImage(f"its colours are {name}; known are grey, RGB, palettes and CMYK")
    channels, dtype = page.channels, np.dtype(page.series.dtype).name
    if kind == PALETTE:
        channels, dtype = 3, _palette(keyframe).dtype.name
    channels -= _is_cmyk(keyframe, channels)
    return Shape(page.height, page.width, channels, "uint8" if dtype == "bool" else dtype)  # of one bit


def _read(source: ImageSource, meaning: Meaning, note: Note) -> Array:
    with _page(source, note) as (page, image_count):
        _shape(page)  # refuses colours that are not known
        if image_count > 1:
            note(Loss(f"only the first of its {image_count} images is read"))
        return _as_colors(page.read(), page.series.keyframe, meaning, note)


def _layers(source: ImageSource, note: Note) -> list[Layer]:
    """The pages as tasks. Of pages without names those of the first one's size; of many it alone."""
    with _pages(source) as pages:
        tasks = list(pages)
        names, are_titles = names_of(tasks)
        if not are_titles:
            size = pages[0].height, pages[0].width
            tasks = [page for page in pages if (page.height, page.width) == size]
            names, are_titles = names_of(tasks)
        if len(tasks) > MAX_PAGES_WITHOUT_NAMES and not are_titles:
            tasks = pages[:1]
        order = "are named as their descriptions say" if are_titles else "have no names and are told by order"
        note(f"pages of TIFF files are read as tasks, which {order}: {', '.join(names)}")
        if len(tasks) < len(pages):
            note(
                Loss(
                    f"{len(pages) - len(tasks)} pages of TIFF files are left out, as they are of other sizes"
                )
            )
        return [
            Layer(source, "page", name, pages.index(page), 1 / len(pages), page.series.dtype.kind == "f")
            for name, page in zip(names, tasks)
        ]


def _as_colors(image: Array, page: Any, meaning: Meaning, note: Note) -> Array:
    """Pixels by what their numbers stand for; as they are where they are numbers."""
    kind, bits = page.photometric, page.bitspersample
    if kind == PALETTE:
        if meaning is Meaning.NUMBERS:
            note(Loss("the indexes of its palette are kept, not the colours"))
            return image
        colors: Array = _palette(page)[image]
        return colors
    if _is_cmyk(page, image.shape[2] if image.ndim == 3 else 1):
        note(Loss("its CMYK colours are converted to RGB"))
        return _rgb_of_cmyk(image)
    if image.dtype.kind == "b":
        image = image.astype(np.uint8)
    if meaning is Meaning.COLORS and bits < 8 and image.dtype.kind == "u":
        image, bits = image.astype(np.uint8) * np.uint8(255 // ((1 << bits) - 1)), 8
    elif image.dtype.kind == "u" and bits > 1:
        note_bits(bits, image.dtype.name, note)
    if meaning is Meaning.COLORS and kind == WHITE_IS_ZERO and image.dtype.kind == "u":
        note("its values are inverted, as 0 is white in it")
        image = ((1 << bits) - 1 - image.astype(np.int64)).astype(image.dtype)
    return image


def _palette(page: Any) -> Array:
    """Its colours, (N, 3): uint16; uint8 where that is all they hold, in any of three ways of writing."""
    colors = np.asarray(page.colormap, np.uint16).reshape(3, -1).T
    if (colors < 256).all():
        return colors.astype(np.uint8)
    are_bytes = (colors % 257 == 0).all() or (colors % 256 == 0).all()
    return (colors >> 8).astype(np.uint8) if are_bytes else colors


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
    with _page(source) as (page, _):
        return _shape(page)


def _read_orientation(source: ImageSource) -> int:
    with _page(source) as (page, _):
        return orientation.checked(page.series.keyframe.tags.valueof(orientation.TAG))


def _is_lossy(source: ImageSource) -> bool:
    with _page(source) as (page, _):
        return page.series.keyframe.compression in JPEG_COMPRESSIONS


FORMAT = ImageFormat(
    "TIFF",
    (".tif", ".tiff"),
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    _read,
    _read_shape,
    _read_orientation,
    may_have_alpha=lambda source: True,
    is_lossy=_is_lossy,
    layers=_layers,
)
