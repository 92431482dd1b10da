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
    match = _LENGTH.match(text.strip())
    if not match:
        raise UsageError(f"not a number, or a length in mm, cm or m: {text!r}")
    return float(match[1]), match[2] or ""


def unit_of(task: Task, dtype: str, unit: str = "") -> str:
    """The length of a stored value of 1: ``unit``, else 1mm (integers) or 1m (floats); "" of no lengths."""
    if not task.kind.length:
        return ""
    return unit or ("1m" if dtype in FLOATS else "1mm")


def assumed(task_name: str, unit: str, consequence: str = "") -> str:
    """A warning that nothing tells a unit, with what follows of the one that is assumed."""
    text = f"{assumed_prefix(task_name)}, so a stored 1 is taken for {unit}{consequence}"
    return f"{text} (--unit {task_name}=… tells it, such as {task_name}=0.2mm)"


def assumed_prefix(task_name: str) -> str:
    """What :func:`assumed` begins with."""
    return f"{task_name}: nobody tells its unit"


def metres_of(task: Task, dtype: str, unit: str = "") -> float:
    """Metres that a stored value of 1 stands for, see :func:`unit_of`."""
    number, suffix = parse(unit_of(task, dtype, unit))
    if not suffix or number == 0:
        raise UsageError(f"a step is a length in mm, cm or m, not {unit!r}", task=task.name)
    return number * METRES[suffix]


def stored(task: Task, dtype: str, bound: str | float, unit: str = "") -> float:
    """The stored value that ``bound`` says: ``"5mm"`` of depth, or ``"3"`` or 3.0 of anything."""
    if not isinstance(bound, str):
        return float(bound)
    number, suffix = parse(bound)
    if not suffix:
        return number
    if not task.kind.length:
        raise UsageError(f"has no lengths: {bound!r}", task=task.name)
    return round(number * METRES[suffix] / metres_of(task, dtype, unit), 9)


def shown(task: Task, dtype: str, value: float, unit: str = "") -> str:
    """A difference of stored values as people read it: ``3.2 mm``, or a plain number."""
    if not task.kind.length:
        return f"{value:.3g}"
    return length(value * metres_of(task, dtype, unit))


def length(metres: float) -> str:
    """``3.2 mm``, ``1.25 m``."""
    return f"{metres:.3g} m" if metres >= 1 else f"{1000 * metres:.3g} mm"
