"""Settings of encoding as Python's functions take them: in the words of the command line, or as values.

All functions raise UsageError for a setting that makes no sense.
"""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from mtcodec.codec.request import Request
from mtcodec.codec.texts import (
    assignments,
    decibels,
    declarations,
    floats,
    hole_values,
    qualities,
    with_lossless,
)
from mtcodec.errors import UsageError
from mtcodec.quality import number_of
from mtcodec.tasks import Declarations, Task, parse
from mtcodec.tasks.kinds import Values

BESIDES = ("lossless",)  # settings that are no field of a request
ARGUMENTS = ("weights", "device", "layout")  # of functions that take settings, which an error may mean
NEAREST = 3  # names that an error shows


def updated(request: Request, settings: Mapping[str, Any]) -> Request:
    """``request`` with other settings, in any form that the command line or Python takes.

    ==================  ==================================================================
    quality             60, ``"high"``, ``["60", "depth=high"]``
    task_quality        ``{"depth": "high"}``, ``"depth=80"``
    max_error           ``{"depth": "5mm", "rgb": 2}``, ``"depth=5mm"``, ``["depth=5mm"]``
    lossless            ``"depth,normal"``, ``["depth"]``: bounds of 0, added to the others
    invalid             ``{"depth": 9999}``, ``"depth=9999"``, ``"none"``
    units, target_psnr  ``{"depth": "0.2mm"}``, ``"depth=0.2mm"``; ``"rgb=38"``
    numbers             ``"pose"``, ``["pose", "action"]``
    tasks               ``{"albedo": "image"}``, ``"albedo:image"``, ``Task`` objects by name
    ==================  ==================================================================

    Others are fields of :class:`Request` as they are. Declarations are added to those that are there.

    Raises:
        UsageError: no such setting, or a value that makes no sense.
    """
    changes = dict(settings)
    known = [*(field.name for field in fields(Request)), *BESIDES]
    for name in changes:
        if name not in known:
            raise UsageError(f"no setting {name!r}: {_nearest(name, [*known, *ARGUMENTS])}")
    if "tasks" in changes:
        changes["tasks"] = {**request.tasks, **_declarations(changes["tasks"])}
    if "quality" in changes:
        changes |= _qualities(changes["quality"], changes.get("task_quality"))
    elif "task_quality" in changes:
        changes["task_quality"] = _task_qualities(changes["task_quality"])
    if "lossless" in changes or "max_error" in changes:
        changes["max_error"] = _bounds(changes, request)
    if "invalid" in changes:
        changes |= _invalid(changes["invalid"], changes.get("tasks", request.tasks))
    if "units" in changes:
        changes["units"] = {task: str(unit) for task, unit in _by_task(changes["units"], "a unit").items()}
    if "target_psnr" in changes:
        by_task = _by_task(changes["target_psnr"], "a PSNR")
        changes["target_psnr"] = {task: decibels(value) for task, value in by_task.items()}
    if "numbers" in changes:
        names = changes["numbers"]
        changes["numbers"] = tuple(names.split(",") if isinstance(names, str) else names)
    changes.pop("lossless", None)
    try:
        return replace(request, **changes)
    except TypeError as error:
        raise UsageError(f"a setting makes no sense: {error}") from error


def _nearest(name: str, known: Sequence[str]) -> str:
    """The settings that are called most like ``name``, else all of them."""
    close = difflib.get_close_matches(name, known, NEAREST, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(known)}"


def _by_task(setting: Any, what: str) -> dict[str, Any]:
    """A setting of single tasks: values by task, or texts such as ``depth=5mm``; ``what`` a value is."""
    if isinstance(setting, Mapping):
        return {str(task): value for task, value in setting.items()}
    return dict(assignments(_texts(setting, what), what))


def _texts(setting: Any, what: str) -> list[str]:
    """One text, or several."""
    texts = [setting] if isinstance(setting, str) else setting
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"not {what}: {setting!r} (a dictionary by task, or 'task=value')")
    return list(texts)


def _declarations(setting: Any) -> Declarations:
    """Declarations of tasks by name; of a kind's name, what is usual for the kind."""
    if not isinstance(setting, Mapping):
        return declarations(_texts(setting, "a declaration"))
    declared: dict[str, Task] = {}
    for name, task in setting.items():
        if not isinstance(task, (Task, str)):
            raise UsageError(f"not a declaration: {task!r} (a kind, or a Task)", task=str(name))
        declared[name] = task if isinstance(task, Task) else next(iter(parse([f"{name}:{task}"], {})))
    return declared


def _quality(value: Any) -> float:
    """60.0 for 60 and ``"60"``, 78.0 for ``"high"``."""
    if isinstance(value, str):
        return number_of(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"not a quality: {value!r} (0 to 100, or a word)") from None


def _task_qualities(setting: Any) -> dict[str, float]:
    return {task: _quality(value) for task, value in _by_task(setting, "a quality of a task").items()}


def _qualities(quality: Any, task_quality: Any) -> dict[str, Any]:
    """The fields of a quality, or of texts as the command line has them, and of single tasks' qualities."""
    by_task = {} if task_quality is None else {"task_quality": _task_qualities(task_quality)}
    is_list = isinstance(quality, (list, tuple)) or (isinstance(quality, str) and "=" in quality)
    if not is_list:
        return {"quality": _quality(quality), **by_task}
    general, single = qualities(_texts(quality, "a quality"))
    return {"quality": general, "task_quality": {**single, **by_task.get("task_quality", {})}}


def _bounds(changes: Mapping[str, Any], request: Request) -> dict[str, str | float]:
    """Bounds by task: those that are new, or those of ``request``; what is now lossless has one of 0."""
    lossless = changes.get("lossless", "")
    if "max_error" in changes:
        by_task = _by_task(changes["max_error"], "a bound")
        for task, bound in by_task.items():
            if not isinstance(bound, (str, numbers.Real)):
                raise UsageError(f"not a bound of errors: {bound!r}", task=task)
        return with_lossless(by_task, lossless)
    return {**request.max_error, **with_lossless({}, lossless)}


def _invalid(setting: Any, tasks: Declarations) -> dict[str, Any]:
    """The fields that values of holes set."""
    if not isinstance(setting, Mapping):
        usual, by_task = hole_values(_texts(setting, "the value of a hole"))
        return {"invalid": by_task} if usual else {"invalid": by_task, "usual_holes": False}
    return {"invalid": {task: _pixels(task, values, tasks) for task, values in setting.items()}}


def _pixels(task: str, values: Any, tasks: Declarations) -> list[Values]:
    """Stored pixels of ``9999``, ``"0,0,255"``, ``[9999, 0]`` of one channel, or ``[(0, 0, 255)]``."""
    items = list(values) if isinstance(values, (list, tuple)) else [values]
    flat = [item for item in items if not isinstance(item, (str, list, tuple))]
    channels = tasks[task].channels if task in tasks else 1
    if len(items) > 1 and len(flat) == len(items) and channels > 1:
        if len(items) != channels:
            raise UsageError(f"{values!r}: one pixel or several? [({channels} numbers)] is one", task=task)
        items = [tuple(items)]
    return [_pixel(task, item) for item in items]


def _pixel(task: str, value: Any) -> Values:
    """A stored pixel: one number a channel, or one for all."""
    if isinstance(value, str):
        return floats(value, "the value of a hole")
    try:
        return tuple(float(number) for number in (value if isinstance(value, (list, tuple)) else [value]))
    except (TypeError, ValueError):
        raise UsageError(f"not the value of a hole: {value!r}", task=task) from None
