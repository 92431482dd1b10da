"""Where the channels of an image of three dimensions are: last, (H, W, C), or first, (C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtcodec.signals.mapping import Array
from mtcodec.tasks import DTYPES, KINDS, Task
from mtcodec.tasks.task import MAX_CHANNELS

LAST, FIRST = "hwc", "chw"
USUAL_CHANNELS = (1, 3, 4)  # of images whose kind does not say how many they have
ANY_CHANNELS = ("color", "image", "categories", "data")  # kinds that do not
UNDECLARED = Task("data", KINDS["data"], 1, DTYPES)  # what an image is of which nothing is known


def possible_layouts(shape: Sequence[int], task: Task = UNDECLARED) -> list[str]:
    """The layouts that an image of three dimensions may have, by its shape alone; of two, ``hwc``."""
    if len(shape) != 3:
        return [LAST]
    is_declared = task.kind.name != "data"
    if tuple(shape) == (1, 1, 1) or (is_declared and shape[2] == task.channels != shape[0]):
        return [LAST]  # which is what it declares
    usual = {task.channels, *(USUAL_CHANNELS if task.kind.name in ANY_CHANNELS else ())}
    for channels in (usual, usual if is_declared else range(1, MAX_CHANNELS + 1)):
        possible = [name for name, axis in ((LAST, 2), (FIRST, 0)) if shape[axis] in channels]
        is_told = is_declared and shape[0] == task.channels
        if possible == [FIRST] and not is_told and shape[2] <= MAX_CHANNELS:
            return [LAST, FIRST]  # a few rows of unusual channels are turned by no guess
        if possible:
            return possible
    return [LAST]  # of unusual channels, or with those that do not fit, as an error will tell


def question(shape: Sequence[int]) -> str:
    """What is asked where both layouts are possible."""
    return f"channels first or last? {tuple(shape)} may be both"


def size_in(shape: Sequence[int], layout: str) -> tuple[int, ...]:
    """Height and width of an image of this shape in a layout."""
    return tuple(shape[:2] if layout == LAST else shape[1:])


def channels_last(image: Array, layout: str) -> Array:
    """An image as (H, W) or (H, W, C)."""
    return image if layout == LAST else np.moveaxis(image, 0, -1)
