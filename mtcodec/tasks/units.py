"""Lengths as people write them, ``5mm``, in stored values."""

from __future__ import annotations

import re

from mtcodec.errors import UsageError
from mtcodec.tasks.kinds import FLOATS
from mtcodec.tasks.task import Task

METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
_LENGTH = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(mm|cm|m)?\Z")


def parse(text: str) -> tuple[float, str]:
    """``"5mm"`` to (5.0, "mm"), ``"3"`` to (3.0, ""); else :class:`UsageError`."""
    found = _LENGTH.match(text.strip())
    if not found:
        raise UsageError(f"not a number, or a length in mm, cm or m: {text!r}")
    return float(found[1]), found[2] or ""


def unit_of(task: Task, dtype: str, given: str = "") -> str:
    """The length of one stored step: ``given``, else 1mm (integers) or 1m (floats); "" where there are
    none.
    """
    if not task.kind.length:
        return ""
    return given or ("1m" if dtype in FLOATS else "1mm")


def step(task: Task, dtype: str, given: str = "") -> float:
    """Metres that one stored step stands for, see :func:`unit_of`."""
    number, unit = parse(unit_of(task, dtype, given))
    if not unit or number == 0:
        raise UsageError(f"a step is a length in mm, cm or m, not {given!r}", task=task.name)
    return number * METRES[unit]


def stored(task: Task, dtype: str, bound: str | float, given: str = "") -> float:
    """The number of stored steps that ``bound`` says: ``"5mm"`` of depth, or ``"3"`` or 3.0 of anything."""
    if not isinstance(bound, str):
        return float(bound)
    number, unit = parse(bound)
    if not unit:
        return number
    if not task.kind.length:
        raise UsageError(f"has no lengths: {bound!r}", task=task.name)
    return round(number * METRES[unit] / step(task, dtype, given), 9)


def shown(task: Task, dtype: str, steps: float, given: str = "") -> str:
    """``steps`` of stored values as people read them: ``3.2 mm``, or a plain number."""
    if not task.kind.length:
        return f"{steps:.3g}"
    return length(steps * step(task, dtype, given))


def length(metres: float) -> str:
    """``3.2 mm``, ``1.25 m``."""
    return f"{metres:.3g} m" if metres >= 1 else f"{1000 * metres:.3g} mm"
