"""Lengths as people write them, ``5mm``, in stored values."""

from __future__ import annotations

import re

from mtcodec.errors import UsageError
from mtcodec.tasks.task import Task

METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
_LENGTH = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(mm|cm|m)?\Z")


def parse(text: str) -> tuple[float, str]:
    """``"5mm"`` to (5.0, "mm"), ``"3"`` to (3.0, ""); else :class:`UsageError`."""
    found = _LENGTH.match(text.strip())
    if not found:
        raise UsageError(f"not a number, or a length in mm, cm or m: {text!r}")
    return float(found[1]), found[2] or ""


def step(task: Task, dtype: str, given: str = "") -> float:
    """Metres that one stored step of depth stands for: ``given``, else 1 mm (integers) or 1 m (floats)."""
    if given:
        number, unit = parse(given)
        if not unit or number == 0:
            raise UsageError(f"task {task.name}: a step is a length in mm, cm or m, not {given!r}")
        return number * METRES[unit]
    return METRES["m" if dtype.startswith("float") else "mm"]


def stored(task: Task, dtype: str, text: str, given: str = "") -> float:
    """The number of stored steps that ``text`` says: ``"5mm"`` of depth, or ``"3"`` of anything."""
    number, unit = parse(text)
    if not unit:
        return number
    if task.kind != "depth":
        raise UsageError(f"task {task.name}: has no lengths: {text!r}")
    return round(number * METRES[unit] / step(task, dtype, given), 9)
