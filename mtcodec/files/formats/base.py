"""What is said of every format of image files."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from mtcodec.container.section import MAX_PIXELS
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage
from mtcodec.signals.axes import FIRST, possible_layouts
from mtcodec.signals.mapping import Array

MAX_SAMPLES = 1 << 30  # height × width × channels of an image
MAX_ARRAY_BYTES = 1 << 31  # of an image in a file of arrays


class Shape(NamedTuple):
    """An image as its file stores it: alpha is one of its channels, palettes have those of their colours."""

    height: int
    width: int
    channels: int
    dtype: str


class Meaning(Enum):
    """What the pixels of a file are read as, which decides about palettes and about values of few bits."""

    COLORS = "palettes give colours; values of 1, 2 and 4 bits are stretched to 255"
    AMOUNTS = "palettes give colours; values stay as they are, as those of depth"
    NUMBERS = "palettes give indexes, and values stay, as class ids or what is unknown"


@dataclass(frozen=True)
class ImageFormat:
    """A format of image files. Its readers raise UnreadableImage, or whatever their libraries do.

    Attributes:
        name: what people call it.
        suffixes: of its files, in lower case; the first is the usual one.
        magics: the bytes that its files begin with, one of these.
        read: gives the pixels, (H, W) or (H, W, C) in the dtype of the file, channels in the order RGBA. Its
            second argument tells what they mean.
        read_shape: gives size, channels and dtype, without reading pixels where the library can.
        read_orientation: gives the mark of orientation, 1 (upright) to 8 as EXIF has them, by which neither
            pixels nor shapes are turned.
        may_have_alpha: has the format a place for alpha in what this source holds?
        is_lossy: do the pixels of this source differ from those that were stored?
        has_axes: is it told where the channels of this source are? Arrays do not tell, see
            :mod:`mtcodec.signals.axes`; ``read`` then gives them as they are stored.
        layers: of a format whose files may hold several images: those of a file, read from its headers; one
            or none where it holds no more. Lines tell what is none. Its readers take these, too.
    """

    name: str
    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...]
    read: Callable[[ImageSource, Meaning, Note], Array]
    read_shape: Callable[[ImageSource], Shape]
    read_orientation: Callable[[ImageSource], int] = lambda source: 1
    may_have_alpha: Callable[[ImageSource], bool] = lambda source: False
    is_lossy: Callable[[ImageSource], bool] = lambda source: False
    has_axes: Callable[[ImageSource], bool] = lambda source: True
    layers: Callable[[ImageSource, Note], list[Layer]] | None = None


def array_shape(shape: Sequence[int], dtype: str, has_axes: bool = False) -> Shape:
    """The shape of an image that is stored as an array, (H, W), (H, W, C) or (C, H, W)."""
    if not has_axes and possible_layouts(shape) == [FIRST]:
        shape = (*shape[1:], shape[0])
    height, width, *channels = shape
    return Shape(height, width, channels[0] if channels else 1, dtype)


def check_size(height: int, width: int, *channels: int) -> None:
    """Raise UnreadableImage for more than an image may have; a small file may declare much."""
    if height * width > MAX_PIXELS:
        raise UnreadableImage(
            f"{width}×{height} pixels are more than the {MAX_PIXELS:,} that an image may have"
        )
    if height * width * math.prod(channels) > MAX_SAMPLES:
        samples = "×".join(map(str, (width, height, *channels)))
        raise UnreadableImage(f"{samples} samples are more than the {MAX_SAMPLES:,} that an image may have")


def note_bits(bits: int, dtype: str, note: Note) -> None:
    """Say so where integers have fewer bits than their dtype: they are not stretched."""
    if bits < 8 * np.dtype(dtype).itemsize:
        note(f"its values have {bits} bits, 0 to {(1 << bits) - 1}, and stay as they are in {dtype}")


def keep_from_users(library: str) -> None:
    """Let what ``library`` logs reach handlers that a program has set up, but never be printed."""
    logger = logging.getLogger(library)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
