"""What an archive's columns of numbers say about a scene, for engines to filter by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mtcodec.archive.manifest import LIMITS
from mtcodec.codec.info import units_of
from mtcodec.container.mtc import SplitReader
from mtcodec.tasks import Task, units

Statistic = int | float | None
FLOAT32_MAX = float(np.finfo(np.float32).max)


def statistics_of(scene_file: SplitReader, tasks: Iterable[Task]) -> dict[str, Statistic]:
    """By column: height, width, bytes of the file, and the least and largest length of a task in metres.

    A range is that of the header, not that of the decoded pixels, which lie within it; holes do not count.
    It is rounded outwards to what a float32 holds. There is no range where the scene lacks the task or its
    header has none.
    """
    header = scene_file.header
    statistics: dict[str, Statistic] = {
        "height": header.height, "width": header.width, "bytes": header.file_size,
    }  # fmt: skip
    unit_of_task = units_of(scene_file)
    for task in tasks:
        section = header.section(task.name)
        if not task.kind.length or section is None or section.attributes.range is None:
            continue
        low, high = section.attributes.range
        metres = units.metres_of(task, section.attributes.dtype, unit_of_task.get(task.name, ""))
        statistics[f"{task.name}_{LIMITS[0]}"] = _float32(low * metres, outwards=-np.inf)
        statistics[f"{task.name}_{LIMITS[1]}"] = _float32(high * metres, outwards=np.inf)
    return statistics


def _float32(value: float, outwards: float) -> float:
    """The nearest float32, or the next one towards ``outwards`` if the nearest is on the other side."""
    nearest = np.float32(np.clip(value, -FLOAT32_MAX, FLOAT32_MAX))
    inside = float(nearest) > value if outwards < 0 else float(nearest) < value
    return float(np.nextafter(nearest, np.float32(outwards)) if inside else nearest)
