"""Texts of options as people write them, and the values that they stand for.

All functions raise UsageError for a text that makes no sense.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT, number_of
from mtcodec.tasks import USUAL, Task, parse


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


def hole_values(texts: Sequence[str]) -> tuple[bool, dict[str, list[tuple[float, ...]]]]:
    """``["depth=9999", "normal=0,0,255"]`` to True and {"depth": [(9999.0,)], "normal": [(0.0, 0.0, 255.0)]}.

    False if ``none`` is among them: the usual values are then no holes.
    """
    by_task: dict[str, list[tuple[float, ...]]] = {}
    for task, channels in assignments([text for text in texts if text != "none"], "the value of a hole"):
        by_task.setdefault(task, []).append(_floats(channels, "the value of a hole"))
    return "none" not in texts, by_task


def bounds(max_error: Sequence[str], lossless: str) -> dict[str, str | float]:
    """``["depth=5mm"]`` and ``"normal"`` to {"depth": "5mm", "normal": 0.0}."""
    by_task: dict[str, str | float] = dict(assignments(max_error, "a bound"))
    for task in filter(None, lossless.split(",")):
        if task in by_task:
            raise UsageError(f"task {task!r} cannot be lossless and have a bound")
        by_task[task] = 0.0
    return by_task


def units(texts: Sequence[str]) -> dict[str, str]:
    """``["depth=0.2mm"]`` to {"depth": "0.2mm"}."""
    return dict(assignments(texts, "a unit"))


def psnrs(texts: Sequence[str]) -> dict[str, float]:
    """``["rgb=38"]`` to {"rgb": 38.0}, in dB."""
    by_task = {}
    for task, text in assignments(texts, "a PSNR"):
        try:
            by_task[task] = float(text)
        except ValueError:
            by_task[task] = math.nan
        if not math.isfinite(by_task[task]):
            raise UsageError(f"not a PSNR in dB: {text!r}")
    return by_task


def assignments(texts: Sequence[str], what: str) -> Iterator[tuple[str, str]]:
    """Names and values of texts such as ``name=value``; ``what`` a value is, for the error's message."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"not {what}: {text!r} (name=value)")
        yield name, value


def names(text: str) -> list[str] | None:
    """``"rgb, depth"`` to ["rgb", "depth"]; None for nothing."""
    if not text:
        return None
    listed = [name.strip() for name in text.split(",")]
    if not all(listed) or len(set(listed)) < len(listed):
        raise UsageError(f"not a list of different names: {text!r}")
    return listed


def weights_list(text: str) -> list[str]:
    """``"clevr,runs/other.safetensors"`` to names and paths of weights; none for nothing."""
    return text.split(",") if text else []


def lambda_list(text: str) -> tuple[float, ...] | None:
    """``"0.001,0.1"`` to (0.001, 0.1), or None for nothing."""
    if not text:
        return None
    lambdas = _floats(text, "a list of λ")
    if not all(0 < lam < 100 for lam in lambdas):
        raise UsageError("λ must lie between 0 and 100")
    return lambdas


def size_values(text: str) -> dict[str, int | tuple[int, int]]:
    """``"latents=192,encoder_16=256x5"`` to {"latents": 192, "encoder_16": (256, 5)}: channels, blocks."""
    sizes: dict[str, int | tuple[int, int]] = {}
    for name, size in assignments(text.split(",") if text else [], "a size"):
        try:
            channels, *blocks = map(int, size.split("x", 1))
        except ValueError:
            raise UsageError(f"not a size: {size!r} (a number, or channels x blocks)") from None
        sizes[name] = (channels, blocks[0]) if blocks else channels
    return sizes


def bits_per_pixel(text: str) -> tuple[float, ...]:
    """``"0.2,0.04"`` to (0.2, 0.04), each from 1e-4 to 100."""
    listed = _floats(text, "a list of bits per pixel")
    if not all(1e-4 <= bpp <= 100 for bpp in listed):
        raise UsageError(f"bits per pixel must be 0.0001 to 100, not {text}")
    return listed


def quality_list(text: str) -> list[float]:
    """``"20,high"`` to [20.0, 78.0]."""
    return [number_of(item.strip()) for item in text.split(",")]


def _floats(text: str, what: str) -> tuple[float, ...]:
    """``"1,2"`` to (1.0, 2.0); ``what`` they are, for the error's message."""
    try:
        return tuple(float(item) for item in text.split(","))
    except ValueError:
        raise UsageError(f"not {what}: {text!r}") from None
