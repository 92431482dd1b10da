"""Files of several arrays, NPZ and HDF5: which of these are images."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from mtcodec.files.formats.base import MAX_ARRAY_BYTES, check_size
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, Layer, UnreadableImage
from mtcodec.messages import Loss
from mtcodec.signals.axes import possible_layouts, size_in

MIN_SIDE = 16  # pixels, of an image beside a larger one; below it are poses, boxes and tables
MIN_LARGEST_SIDE = 5  # of the largest image of a file: 4×4 are poses
MAX_NAMES = 1000  # of arrays that are looked at
TEXT_KINDS = {"S": "text", "U": "text", "O": "text or objects", "V": "records", "c": "complex numbers"}


@dataclass(frozen=True)
class StoredArray:
    """An array as its file declares it; nothing of it is read yet.

    Attributes:
        name: in its file.
        place: where the reader finds it.
        stored_bytes: that it takes in its file.
    """

    name: str
    place: Hashable
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    stored_bytes: int

    @property
    def is_numeric(self) -> bool:
        return self.dtype.kind in "biuf"

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width of what may be an image; empty for anything else."""
        if not self.is_numeric or len(self.shape) not in (2, 3) or 0 in self.shape:
            return ()
        return size_in(self.shape, possible_layouts(self.shape)[0])

    def __str__(self) -> str:
        what = "×".join(map(str, self.shape)) or "a number"
        return f"{self.name} ({what if self.is_numeric else TEXT_KINDS.get(self.dtype.kind, self.dtype)})"


def images_among(arrays: Sequence[StoredArray]) -> list[StoredArray]:
    """The images of a file: a lone array; or the largest, those of its size, and those that are not tiny."""
    candidates = [array for array in arrays if array.size]
    if len(arrays) == 1 or not candidates:
        return candidates
    largest = max((array.size for array in candidates), key=math.prod)
    if min(largest) < MIN_LARGEST_SIDE:
        return []
    return [array for array in candidates if array.size == largest or min(array.size) >= MIN_SIDE]


def layers_among(source: ImageSource, arrays: Sequence[StoredArray], note: Note) -> list[Layer]:
    """The images of a file as sources; a line tells what is none."""
    images = images_among(arrays)
    note_others(arrays, images, note)
    total = sum(array.stored_bytes for array in arrays) or 1
    return [
        Layer(source, "array", image.name, image.place, image.stored_bytes / total, image.dtype.kind == "f")
        for image in images
    ]


def note_others(arrays: Sequence[StoredArray], images: Sequence[StoredArray], note: Note) -> None:
    """Tell of arrays that are no images."""
    others = [str(array) for array in arrays if array not in images]
    if others:
        note(Loss(f"arrays that are no images are left out: {', '.join(others)}"))


def only_image(arrays: Sequence[StoredArray], note: Note) -> StoredArray:
    """The image of a file that stands for one.

    Raises:
        UnreadableImage: it holds none, or several.
    """
    images = images_among(arrays)
    if len(images) == 1:
        note_others(arrays, images, note)
        return images[0]
    if not arrays:
        raise UnreadableImage("it holds no arrays")
    if len(arrays) == 1:
        is_numeric = arrays[0].is_numeric
        raise UnreadableImage(
            f"not an image: an array of shape {arrays[0].shape}" if is_numeric else "not an array of numbers"
        )
    contents = ", ".join(array.name for array in images or arrays)
    raise UnreadableImage(f"it holds {'several images' if images else 'no image'}: {contents}")


def check_array(array: StoredArray) -> None:
    """Raise UnreadableImage for an array of more pixels or bytes than an image may have."""
    check_size(*(array.size or (1, 1)))
    if math.prod(array.shape) * array.dtype.itemsize > MAX_ARRAY_BYTES:
        raise UnreadableImage(f"an array of shape {array.shape} is too large")
