"""Crops of scenes whose images differ in size: the same part of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mtcodec.container.header import Header
from mtcodec.container.section import NUMBERS, Size
from mtcodec.signals.mapping import Array, Window


def image_sizes(header: Header, tasks: Iterable[str]) -> dict[str, Size]:
    """Sizes of the images of those ``tasks`` that a scene has, in the header's order, without numbers."""
    wanted = set(tasks)
    return {
        name: header.size_of(name)
        for name in header.tasks
        if name in wanted and header.task(name).attributes.shape not in NUMBERS
    }


def crop_sizes(sizes: Mapping[str, Size], crop: Size) -> dict[str, Size]:
    """Height and width of every image's crop: ``crop`` of the largest image, of others the same part.

    A crop of c pixels of a side of n is one of c · m / n of a side of m, rounded to nearest (halves up), and
    at least 1. The largest image has most pixels; of several such the first.

    Args:
        sizes: of images.
    """
    largest = max(sizes.values(), key=math.prod, default=crop)

    def scaled(size: Size) -> Size:
        height, width = (max(1, (2 * c * m + n) // (2 * n)) for c, m, n in zip(crop, size, largest))
        return height, width

    return {name: scaled(size) for name, size in sizes.items()}


def center_window(size: Sequence[int], crop: Size) -> Window:
    """Rows and columns in the middle of an image of a size (height, width, …); all where there are fewer."""
    starts = [max(0, (side - length) // 2) for side, length in zip(size, crop)]
    rows, columns = (
        slice(start, min(start + length, side)) for start, length, side in zip(starts, crop, size)
    )
    return rows, columns


def padded(image: Array, size: Size) -> Array:
    """An image (H, W) or (H, W, C) with zeros below and at the right, up to ``size``."""
    padding = [(0, length - side) for side, length in zip(image.shape, size)]
    if not any(after for _, after in padding):
        return image
    return np.pad(image, [*padding, *[(0, 0)] * (image.ndim - 2)])
