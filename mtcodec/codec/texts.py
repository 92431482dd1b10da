"""Texts of settings as people write them, and the values that they stand for.

All functions raise UsageError for a text that makes no sense.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT, number_of
from mtcodec.tasks import USUAL, Task, parse
from mtcodec.tasks.kinds import Values


def assignments(texts: Iterable[str], what: str) -> Iterator[tuple[str, str]]:
    """Names and values of texts such as ``name=value``; ``what`` a value is, for the error's message."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"not {what}: {text!r} (name=value)")
        yield name, value


def declarations(texts: Sequence[str]) -> dict[str, Task]:
    """``["albedo:image"]`` to declarations of tasks by name."""
    for text in texts:
        if ":" not in text:
            raise UsageError(f"not a declaration: {text!r} (name:kind)")
    return {task.name: task for task in parse(texts, USUAL)}


def qualities(texts: Sequence[str]) -> tuple[float, dict[str, float]]:
    """``["60", "depth=high"]`` to (60.0, {"depth": 78.0}): of all tasks, and of single ones."""
    general, by_task = None, dict[str, float]()
    for text in texts:
        task, equals, quality = text.rpartition("=")
        if equals:
            by_task[task] = number_of(quality)
        elif general is None:
            general = number_of(quality)
        else:
            raise UsageError("more than one general quality")
    return (DEFAULT if general is None else general), by_task


def hole_values(texts: Sequence[str]) -> tuple[bool, dict[str, list[Values]]]:
    """``["depth=9999", "normal=0,0,255"]`` to True and {"depth": [(9999.0,)], "normal": [(0.0, 0.0, 255.0)]}.

    False if ``none`` is among them: the usual values are then no holes.
    """
    by_task: dict[str, list[Values]] = {}
    for task, channels in assignments([text for text in texts if text != "none"], "the value of a hole"):
        by_task.setdefault(task, []).append(floats(channels, "the value of a hole"))
    return "none" not in texts, by_task


def bounds(max_error: Sequence[str], lossless: str) -> dict[str, str | float]:
    """``["depth=5mm"]`` and ``"normal"`` to {"depth": "5mm", "normal": 0.0}."""
    return with_lossless(dict(assignments(max_error, "a bound")), lossless)


def with_lossless(by_task: Mapping[str, str | float], lossless: Any) -> dict[str, str | float]:
    """Bounds, and a bound of 0 for what is lossless: ``"depth,normal"``, or a list of names."""
    if not isinstance(lossless, (str, list, tuple, set, frozenset)):
        raise UsageError(f"lossless names tasks, such as 'depth,normal', not {lossless!r}")
    task_names = lossless.split(",") if isinstance(lossless, str) else lossless
    exact = [str(name).strip() for name in task_names]
    for task in filter(None, exact):
        if task in by_task:
            raise UsageError(f"task {task!r} cannot be lossless and have a bound")
    return {**by_task, **{task: 0.0 for task in exact if task}}


def units(texts: Sequence[str]) -> dict[str, str]:
    """``["depth=0.2mm"]`` to {"depth": "0.2mm"}."""
    return dict(assignments(texts, "a unit"))


def psnrs(texts: Sequence[str]) -> dict[str, float]:
    """``["rgb=38"]`` to {"rgb": 38.0}, in dB."""
    return {task: decibels(text) for task, text in assignments(texts, "a PSNR")}


def decibels(value: Any) -> float:
    """38.0 for ``"38"`` or 38."""
    try:
        decibels = float(value)
    except (TypeError, ValueError):
        decibels = math.nan
    if not math.isfinite(decibels):
        raise UsageError(f"not a PSNR in dB: {value!r}")
    return decibels


def floats(text: str, what: str) -> tuple[float, ...]:
    """``"1,2"`` to (1.0, 2.0); ``what`` they are, for the error's message."""
    try:
        return tuple(float(item) for item in text.split(","))
    except ValueError:
        raise UsageError(f"not {what}: {text!r}") from None
