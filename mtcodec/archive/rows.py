"""A scene as a row of an archive: its file in columns, and the numbers that engines filter by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mtcodec.archive.manifest import holes_column_of, range_columns_of, size_columns_of
from mtcodec.codec.info import units_of
from mtcodec.container.header import Header
from mtcodec.container.mtc import SplitReader, split
from mtcodec.container.section import ATTACHMENTS, MAX_PIXELS, NOTES, Section
from mtcodec.errors import FormatError
from mtcodec.tasks import USUAL, Task, units

Entry = tuple[str, SplitReader | FormatError]
"""A row: its key, and its sections or what is wrong with its header."""
Row = tuple[str, SplitReader]
"""Key and sections of a row whose header is undamaged."""
EXACT_CODINGS = ("near-lossless", "labels")  # they code holes like other values where there is no mask
FLOAT32_MAX = float(np.finfo(np.float32).max)


def row_of(key: str, data: bytes, tasks: Iterable[Task] = tuple(USUAL.values())) -> dict[str, Any]:
    """The columns of one scene's file; ``tasks`` as they are declared.

    Raises:
        FormatError: damaged, or no scene.
    """
    header, payloads = split(data)
    scene_file = SplitReader(header, payloads)
    check_scene(scene_file.header)
    columns = columns_of(scene_file.header, payloads)
    return {"key": key, "header": header, **statistics_of(scene_file, tasks), **columns}


def check_scene(header: Header) -> None:
    """Raise FormatError for frames of a sequence: a row is one scene."""
    if header.frames is not None:
        count = header.frame_count
        raise FormatError(f"a group of {count} frames of a sequence; archives have scenes only")


def statistics_of(scene_file: SplitReader, tasks: Iterable[Task]) -> dict[str, float]:
    """By column: bytes of the file, height and width of a task, and its least and largest length in metres.

    A range is that of the header, not that of the decoded pixels, which lie within it; holes do not count.
    It is rounded outwards to what a float32 holds. There is no range where the scene lacks the task or its
    header has none, and no end of it that may be a hole's value.
    """
    header = scene_file.header
    statistics: dict[str, float] = {"bytes": header.file_size}
    unit_of_task = units_of(scene_file)
    for task in tasks:
        section = header.section(task.name)
        if section is None:
            continue
        statistics |= zip(size_columns_of(task.name), header.size_of(task.name))
        if not task.kind.length or section.attributes.range is None:
            continue
        low, high = section.attributes.range
        metres = units.metres_of(task, section.attributes.dtype, unit_of_task.get(task.name, ""))
        low_may_be_hole, high_may_be_hole = _may_be_holes(section)
        low_column, high_column = range_columns_of(task.name)
        if not low_may_be_hole:
            statistics[low_column] = _float32(low * metres, outwards=-np.inf)
        if not high_may_be_hole:
            statistics[high_column] = _float32(high * metres, outwards=np.inf)
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


def columns_by_section(header: Header) -> dict[str, str]:
    """The column of every section: its name, and of a mask of holes that of the first task that needs it."""
    columns = {section.name: section.name for section in header.sections}
    for section in reversed(header.sections):
        if section.mask is not None:
            columns[section.mask] = holes_column_of(section.name)
    return columns


def columns_of(header: Header, payloads: Mapping[str, bytes]) -> dict[str, bytes]:
    """Payloads by column, from payloads by section."""
    columns = columns_by_section(header)
    return {columns[name]: payload for name, payload in payloads.items()}


def payloads_of(header: Header, columns: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Payloads by section, from payloads by column; None where there are none."""
    return {section: columns.get(column) for section, column in columns_by_section(header).items()}


def columns_needed(header: Header, tasks: Sequence[str] | None, with_notes: bool) -> set[str]:
    """The columns of a scene that hold ``tasks`` (None: everything), and notes and attachments if wanted."""
    columns = columns_by_section(header)
    if tasks is None:
        return set(columns.values())
    needed = {columns[n] for name in tasks if name in header.tasks for n in header.needs(name)}
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
        check_scene(scene_file.header)
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
