"""A scene as a row of an archive: its file in columns, and the numbers that engines filter by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mtcodec.archive.manifest import HOLES, LIMITS
from mtcodec.codec.info import units_of
from mtcodec.container.header import Header
from mtcodec.container.mtc import SplitReader, split
from mtcodec.container.section import ATTACHMENTS, MAX_PIXELS, NOTES, Section, is_mask
from mtcodec.errors import FormatError
from mtcodec.tasks import USUAL, Task, units

Entry = tuple[str, SplitReader | FormatError]
"""A row: its key, and its sections or what is wrong with its header."""
Row = tuple[str, SplitReader]
"""Key and sections of a row whose header is undamaged."""
EXACT_CODINGS = (
    "near-lossless",
    "labels",
)  # which code holes like other values where there is no mask of them
FLOAT32_MAX = float(np.finfo(np.float32).max)


def row_of(key: str, data: bytes, tasks: Iterable[Task] = tuple(USUAL.values())) -> dict[str, Any]:
    """The columns of one scene's file; ``tasks`` as they are declared."""
    header, payloads = split(data)
    statistics = statistics_of(SplitReader(header, payloads), tasks)
    return {"key": key, "header": header, **statistics, **columns_of(payloads)}


def statistics_of(scene_file: SplitReader, tasks: Iterable[Task]) -> dict[str, float]:
    """By column: height, width, bytes of the file, and the least and largest length of a task in metres.

    A range is that of the header, not that of the decoded pixels, which lie within it; holes do not count.
    It is rounded outwards to what a float32 holds. There is no range where the scene lacks the task or its
    header has none, and no end of it that may be a hole's value.
    """
    header = scene_file.header
    statistics: dict[str, float] = {
        "height": header.height,
        "width": header.width,
        "bytes": header.file_size,
    }
    unit_of_task = units_of(scene_file)
    for task in tasks:
        section = header.section(task.name)
        if not task.kind.length or section is None or section.attributes.range is None:
            continue
        low, high = section.attributes.range
        metres = units.metres_of(task, section.attributes.dtype, unit_of_task.get(task.name, ""))
        low_may_be_hole, high_may_be_hole = _may_be_holes(section)
        if not low_may_be_hole:
            statistics[f"{task.name}_{LIMITS[0]}"] = _float32(low * metres, outwards=-np.inf)
        if not high_may_be_hole:
            statistics[f"{task.name}_{LIMITS[1]}"] = _float32(high * metres, outwards=np.inf)
    return statistics


def _may_be_holes(section: Section) -> tuple[bool, bool]:
    """May the ends of a section's range be values of holes?

    Integers that are kept exactly have no mask: their holes are values like the others, and the range is that
    of all. They are holes by rule if they are 0, negative where others are positive, or the dtype's largest.
    """
    attributes = section.attributes
    assert attributes.range is not None
    if section.coding not in EXACT_CODINGS or section.mask is not None:
        return False, False
    low, high = attributes.range
    largest = np.iinfo(attributes.dtype).max if np.dtype(attributes.dtype).kind in "iu" else np.inf
    return low <= 0 <= high, high in (0, largest)


def _float32(value: float, outwards: float) -> float:
    """The nearest float32, or the next one towards ``outwards`` if the nearest is on the other side."""
    nearest = np.float32(np.clip(value, -FLOAT32_MAX, FLOAT32_MAX))
    inside = float(nearest) > value if outwards < 0 else float(nearest) < value
    return float(np.nextafter(nearest, np.float32(outwards)) if inside else nearest)


def column_of(section: str) -> str:
    """The column of a section."""
    return HOLES if is_mask(section) else section


def columns_of(payloads: Mapping[str, bytes]) -> dict[str, bytes]:
    """Payloads by column, from payloads by section in the order of the file."""
    columns: dict[str, bytes] = {}
    for name, payload in payloads.items():
        column = column_of(name)
        columns[column] = columns.get(column, b"") + payload
    return columns


def payloads_of(header: Header, columns: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Payloads by section, from payloads by column. None where there are none.

    All masks are None if their column does not have the length that the header says.
    """
    payloads = {section.name: columns.get(section.name) for section in header.sections}
    masks = [section for section in header.sections if is_mask(section.name)]
    holes, start = columns.get(HOLES), 0
    if holes is not None and len(holes) == sum(mask.length for mask in masks):
        for mask in masks:
            payloads[mask.name] = holes[start : start + mask.length]
            start += mask.length
    return payloads


def columns_needed(header: Header, tasks: Sequence[str] | None, with_notes: bool) -> set[str]:
    """The columns of a scene that hold ``tasks`` (None: everything), and notes and attachments if wanted."""
    if tasks is None:
        return {column_of(section.name) for section in header.sections}
    needed = {column_of(n) for name in tasks if name in header.tasks for n in header.needs(name)}
    return needed | {name for name in (NOTES, ATTACHMENTS) if with_notes and header.section(name)}


def make_entry(
    path: str,
    key: str | None,
    header: bytes | None,
    columns: Mapping[str, bytes | None],
    max_pixels: int = MAX_PIXELS,
) -> Entry:
    """A row out of its columns; ``path`` is that of the archive, for errors."""
    key = key or ""
    try:
        scene_file = SplitReader(header or b"", {}, max_pixels)
    except FormatError as error:
        return key, error.at(path=path, scene=key)
    scene_file.payloads = payloads_of(scene_file.header, columns)
    return key, scene_file


def undamaged(entry: Entry) -> Row:
    """The same row.

    Raises:
        FormatError: what is wrong with its header.
    """
    key, scene_file = entry
    if isinstance(scene_file, FormatError):
        raise scene_file
    return key, scene_file
