"""What an archive's columns of numbers tell of a scene, for engines to filter by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mtcodec.archive.manifest import LIMITS
from mtcodec.codec.info import units_of
from mtcodec.container.mtc import SplitReader
from mtcodec.tasks import Task, units

Fact = int | float | None


def facts(parts: SplitReader, tasks: Iterable[Task]) -> dict[str, Fact]:
    """By column: height, width, bytes of the file, and of lengths the least and the largest, in metres.

    A range is that which the header tells, not that of the decoded pixels, which lie within it; holes do not
    count. It is rounded outwards to what a float32 holds. None where the scene lacks the task, or no range is
    told.
    """
    header = parts.header
    found: dict[str, Fact] = {"height": header.height, "width": header.width, "bytes": header.file_size}
    given = units_of(parts)
    for task in tasks:
        section = header.section(task.name)
        if not task.kind.length or section is None or section.attributes.range is None:
            continue
        own = section.attributes
        assert own.range is not None
        step = units.metres_of(task, own.dtype, given.get(task.name, ""))
        low, high = own.range
        for end, metres, outwards in zip(LIMITS, (low * step, high * step), (-np.inf, np.inf)):
            found[f"{task.name}_{end}"] = _rounded(metres, outwards)
    return found


def _rounded(value: float, outwards: float) -> float:
    """The nearest float32, or the next one outwards where that lies within."""
    near = np.float32(np.clip(value, -np.finfo(np.float32).max, np.finfo(np.float32).max))
    within = float(near) > value if outwards < 0 else float(near) < value
    return float(np.nextafter(near, np.float32(outwards)) if within else near)
