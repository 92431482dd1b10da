"""Option values as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mtcodec.codec.request import Request
from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT, number_of
from mtcodec.tasks import USUAL, Declarations, parse


def request(
    *,
    quality: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    invalid: Sequence[str] | None = None,
    max_error: Sequence[str] | None = None,
    lossless: str = "",
    unit: Sequence[str] | None = None,
    known: Declarations = USUAL,
    **others: Any,
) -> Request:
    """What the shared options of encoding ask for.

    Args:
        tasks: values of ``--task``. known: declarations besides them.
        others: fields of :class:`Request` as they are.

    Raises:
        UsageError: a value that makes no sense.
    """
    general, own = qualities(quality or [])
    usual, holes = hole_values(invalid or [])
    return Request(
        quality=general, task_quality=own, usual_holes=usual, invalid=holes,
        max_error=bounds(max_error or [], lossless), units=dict(assignments(unit or [], "a unit")),
        tasks=declarations(tasks or [], known), **others,
    )  # fmt: skip


def declarations(values: Sequence[str], known: Declarations = USUAL) -> dict[str, Any]:
    """``["albedo:image"]`` beside the usual tasks."""
    for value in values:
        if ":" not in value:
            raise UsageError(f"not a declaration: {value!r} (name:kind)")
    return {**known, **{task.name: task for task in parse(values, known)}}


def qualities(values: Sequence[str]) -> tuple[float, dict[str, float]]:
    """``["60", "depth=high"]`` to (60.0, {"depth": 78.0})."""
    general, own = None, dict[str, float]()
    for value in values:
        name, equals, text = value.rpartition("=")
        if equals:
            own[name] = number_of(text)
        elif general is None:
            general = number_of(text)
        else:
            raise UsageError("more than one general quality")
    return (DEFAULT if general is None else general), own


def hole_values(values: Sequence[str]) -> tuple[bool, dict[str, list[tuple[float, ...]]]]:
    """``["depth=9999", "normal=0,0,255"]`` to True and {"depth": [(9999.0,)], "normal": [(0.0, 0.0, 255.0)]}.

    False if ``none`` is among them: the usual values are then no holes.
    """
    result: dict[str, list[tuple[float, ...]]] = {}
    for name, numbers in assignments([v for v in values if v != "none"], "the value of a hole"):
        try:
            stored = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise UsageError(f"not the value of a hole: {numbers!r}") from None
        result.setdefault(name, []).append(stored)
    return "none" not in values, result


def bounds(max_error: Sequence[str], lossless: str) -> dict[str, str | float]:
    """``["depth=5mm"]`` and ``"normal"`` to {"depth": "5mm", "normal": 0.0}."""
    result: dict[str, str | float] = dict(assignments(max_error, "a bound"))
    for name in filter(None, lossless.split(",")):
        if name in result:
            raise UsageError(f"task {name!r} cannot be lossless and have a bound")
        result[name] = 0.0
    return result


def psnrs(values: Sequence[str]) -> dict[str, float]:
    """``["rgb=38"]`` to {"rgb": 38.0}."""
    result = {}
    for name, text in assignments(values, "a PSNR"):
        try:
            result[name] = float(text)
        except ValueError:
            result[name] = math.nan
        if not math.isfinite(result[name]):
            raise UsageError(f"not a PSNR in dB: {text!r}")
    return result


def assignments(values: Sequence[str], what: str) -> Iterator[tuple[str, str]]:
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            raise UsageError(f"not {what}: {value!r} (name=value)")
        yield name, text


def names(text: str) -> list[str] | None:
    """``"rgb, depth"`` to ["rgb", "depth"]; None for nothing."""
    if not text:
        return None
    found = [name.strip() for name in text.split(",")]
    if not all(found) or len(set(found)) < len(found):
        raise UsageError(f"not a list of different names: {text!r}")
    return found


def lambda_list(text: str) -> tuple[float, ...] | None:
    """``"0.001,0.1"`` to (0.001, 0.1), or None for nothing."""
    try:
        values = tuple(float(item) for item in text.split(",")) if text else None
    except ValueError:
        raise UsageError(f"not a list of λ: {text!r}") from None
    if values and not all(0 < v < 100 for v in values):
        raise UsageError("λ must lie between 0 and 100")
    return values


def size_values(text: str) -> dict[str, int | tuple[int, int]]:
    """``"latents=192,encoder_16=256x5"`` to {"latents": 192, "encoder_16": (256, 5)}."""
    result: dict[str, int | tuple[int, int]] = {}
    for name, value in assignments(text.split(",") if text else [], "a size"):
        try:
            first, *rest = (int(item) for item in value.split("x"))
        except ValueError:
            raise UsageError(f"not a size: {value!r} (a number, or channels x blocks)") from None
        if len(rest) > 1:
            raise UsageError(f"not a size: {value!r} (a number, or channels x blocks)")
        result[name] = (first, rest[0]) if rest else first
    return result


def numbers(text: str, what: str, low: float, high: float) -> list[float]:
    """``"10,20"`` to [10.0, 20.0], each within the limits."""
    try:
        values = [float(item) for item in text.split(",")]
    except ValueError:
        raise UsageError(f"not a list of {what}: {text!r}") from None
    if not all(low <= value <= high for value in values):
        raise UsageError(f"{what} must be {low:g} to {high:g}, not {text}")
    return values


def quality_list(text: str) -> list[float]:
    """``"20,high"`` to [20.0, 78.0]."""
    return [number_of(item.strip()) for item in text.split(",")]
