"""Where the pixels of an EXR file lie: its data window holds them, its display window is the image.

Around them OpenEXR has nothing. Colours are black and transparent there, as programs show them; other floats
are NaN, which is a hole; integers are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mtcodec.files.formats.base import check_size
from mtcodec.files.notes import Note
from mtcodec.files.sources import UnreadableImage
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array


class Windows(NamedTuple):
    """The windows of a part of a file.

    Attributes:
        data_size, size: height and width of the data window, and of the display window.
        top, left: where the data window begins, seen from the display window.
    """

    data_size: tuple[int, int]
    size: tuple[int, int]
    top: int
    left: int

    @property
    def shown(self) -> tuple[slice, slice]:
        """Rows and columns of the display window that have pixels."""
        (height, width), (data_height, data_width) = self.size, self.data_size
        rows = slice(min(max(self.top, 0), height), max(min(self.top + data_height, height), 0))
        columns = slice(min(max(self.left, 0), width), max(min(self.left + data_width, width), 0))
        return rows, columns


def windows_of(header: Mapping[str, Any]) -> Windows:
    """The windows that the header of a part tells; UnreadableImage for one that is too large."""
    (left, top), (right, bottom) = (tuple(map(int, corner)) for corner in header["dataWindow"])
    (display_left, display_top), (display_right, display_bottom) = (
        tuple(map(int, corner)) for corner in header["displayWindow"]
    )
    data_size = bottom - top + 1, right - left + 1
    size = display_bottom - display_top + 1, display_right - display_left + 1
    for window_size in (data_size, size):
        check_size(*window_size)
    if min(*data_size, *size) < 1:
        raise UnreadableImage("one of its windows is empty")
    return Windows(data_size, size, top - display_top, left - display_left)


def placed(pixels: Array, windows: Windows, are_colors: bool, note: Note) -> Array:
    """Pixels of the data window, (H, W, C), as the image of the display window; lines tell what changes."""
    if windows.data_size == windows.size and not (windows.top or windows.left):
        return pixels
    rows, columns = windows.shown
    shown_count = max(rows.stop - rows.start, 0) * max(columns.stop - columns.start, 0)
    pixel_count = windows.data_size[0] * windows.data_size[1]
    if shown_count < pixel_count:
        outside = pixel_count - shown_count
        note(Loss(f"{outside} of its {pixel_count} pixels lie outside its display window and are left out"))
    is_hole = pixels.dtype.kind == "f" and not are_colors
    if shown_count < windows.size[0] * windows.size[1]:
        value = "NaN, which is a hole" if is_hole else "0"
        note(f"its pixels fill only a part of its display window: the others are {value}")
    image = np.full((*windows.size, *pixels.shape[2:]), np.nan if is_hole else 0, pixels.dtype)
    if shown_count:
        image[rows, columns] = pixels[
            rows.start - windows.top : rows.stop - windows.top,
            columns.start - windows.left : columns.stop - windows.left,
        ]
    return image
