"""Is a TIFF file whole? Its reader skips tags that it cannot read, and fills in pixels that are not there."""

from __future__ import annotations

import math
import struct
from typing import Any

from mtcodec.files.sources import UnreadableImage

PIXEL_TAGS = frozenset(
    (*range(256, 260), 262, 266, 273, 274, *range(277, 280), 284, 317, 320, *range(322, 326), 338, 339, 347)
)
"""Numbers of the tags that say where the pixels of a page lie, and what they are."""


def check_file(file: Any) -> None:
    """Raise UnreadableImage for a file cut off: the last page that was found points to a further one."""
    form, handle = file.tiff, file.filehandle
    _read_tag_numbers(file, file.pages[-1].offset)
    if any(handle.read(form.offsetsize)):
        raise UnreadableImage("it is damaged or cut off")


def check_page(page: Any) -> None:
    """Raise UnreadableImage for a page of tifffile of which a tag or pixels are missing."""
    file, tags = page.parent, getattr(page, "tags", None)
    if tags is not None:
        stored = _read_tag_numbers(file, page.offset)
        if any(number not in tags for number in PIXEL_TAGS & stored):
            raise UnreadableImage("it is damaged or cut off")
    offsets, sizes = page.dataoffsets, page.databytecounts
    is_whole = len(offsets) >= math.prod(page.keyframe.chunked) and len(sizes) >= len(offsets)
    size = file.filehandle.size
    if not is_whole or any(offset + count > size for offset, count in zip(offsets, sizes)):
        raise UnreadableImage("pixels are missing: it is damaged or cut off")


def _read_tag_numbers(file: Any, offset: int) -> set[int]:
    """Numbers of the tags of the page at ``offset``; next in the file is where the next page lies."""
    form, handle = file.tiff, file.filehandle
    handle.seek(offset)
    (tag_count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    content = handle.read(tag_count * form.tagsize)
    numbers = [content[at : at + 2] for at in range(0, len(content), form.tagsize)]
    return {int(struct.unpack(f"{form.byteorder}H", number)[0]) for number in numbers}
