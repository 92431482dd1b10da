"""What is said of every format of image files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource
from mtcodec.signals.mapping import Array

MAX_SAMPLES = 1 << 30  # height × width × channels of an image


class Shape(NamedTuple):
    """An image as its file stores it: alpha is one of its channels, palettes have those of their colours."""

    height: int
    width: int
    channels: int
    dtype: str


@dataclass(frozen=True)
class ImageFormat:
    """A format of image files. Its readers raise whatever their libraries do.

    Attributes:
        suffixes: of its files, in lower case; the first is the usual one.
        magics: the bytes that its files begin with, one of these.
        read: gives the pixels, (H, W) or (H, W, C) in the dtype of the file, channels in the order RGBA. Its
            second argument, ``as_numbers``, is true where pixels are numbers (class ids, or of unknown
            meaning) and not colours: those of a palette are its indexes, and those of one, two or four bits
            are not stretched to 255.
        read_shape: gives size, channels and dtype, without reading pixels where the library can.
        may_have_alpha: has the format a place for alpha in what this source holds?
        lossy: pixels differ from those that were stored.
    """

    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...]
    read: Callable[[ImageSource, bool, Note], Array]
    read_shape: Callable[[ImageSource], Shape]
    may_have_alpha: Callable[[ImageSource], bool] = lambda source: False
    lossy: bool = False


def array_shape(shape: Sequence[int], dtype: str) -> Shape:
    """The shape of an image that is stored as an array, (H, W) or (H, W, C)."""
    height, width, *channels = shape
    return Shape(height, width, channels[0] if channels else 1, dtype)


def check_samples(*sides: int) -> None:
    """Raise ValueError for more samples than an image may have; a small file may declare many."""
    if math.prod(sides) > MAX_SAMPLES:
        raise ValueError(f"{'×'.join(map(str, sides))} samples are more than {MAX_SAMPLES}")
