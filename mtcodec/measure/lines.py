"""Rate-distortion lines out of an evaluation's results, as plots and BD-rates need them.

Two ways to count bytes, the same for every system. *With overhead*: our whole file less its lossless
sections, classical files whole. *Without*: our sections alone, classical files less
:func:`mtcodec.measure.overhead.container_overhead`. Lines of one task are always without, since a
header belongs to no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

Line = list[tuple[float, float]]
"""(size, PSNR in dB) of one system by setting, in any order."""

Unit = Literal["bytes", "bpp"]


def front(line: Iterable[tuple[float, float]]) -> Line:
    """The points of ``line`` that no other beats in both size and PSNR, ascending in both."""
    kept: Line = []
    for size, psnr in sorted(line, key=lambda point: (point[0], -point[1])):
        if not kept or psnr > kept[-1][1]:
            kept.append((size, psnr))
    return kept


def lossy_tasks(results: Mapping[str, Any]) -> list[str]:
    """Names of the tasks that some system of ours measured a PSNR of."""
    rows = [row for system in results["systems"].values() for row in system["rows"]]
    return [name for name in results["tasks"] if any("psnr" in row["tasks"].get(name, ()) for row in rows)]


def _size(point: Mapping[str, Any], unit: Unit, overhead: bool) -> float:
    """Size of a classical point's file, with its container or without."""
    size = float(point[unit])
    return size if overhead else size * point["payload_bytes"] / point["bytes"]


def task_lines(results: Mapping[str, Any], task: str, unit: Unit) -> dict[str, Line]:
    """Lines of one task by system, without overhead; ours at what decoding the task alone needs."""
    lines: dict[str, Line] = {}
    for name, system in results["systems"].items():
        entries = [row["tasks"].get(task, {}) for row in system["rows"]]
        lines[name] = [(e[unit], e["psnr"]) for e in entries if "psnr" in e and unit in e]
    for point in results["classical"]:
        if point["task"] == task:
            lines.setdefault(point["codec"], []).append((_size(point, unit, False), point["psnr"]))
    return lines


def total_lines(results: Mapping[str, Any], unit: Unit, overhead: bool = True) -> dict[str, Line]:
    """Lines of all lossy tasks together by system, at the mean PSNR over the tasks.

    Classical codecs code every task at equal settings; one that serves only some tasks has no line.
    """
    lines: dict[str, Line] = {}
    for name, system in results["systems"].items():
        lines[name] = []
        for row in system["rows"]:
            size = row["lossy_bytes"] - (0 if overhead else row["overhead_bytes"])
            if "psnr_mean" in row:
                lines[name].append((row[unit] * size / row["bytes"], row["psnr_mean"]))
    settings: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for point in results["classical"]:
        settings.setdefault((point["codec"], point["quality"]), []).append(point)
    tasks, scenes = len(lossy_tasks(results)), len(results["scenes"])
    for (codec, _), points in settings.items():
        if len(points) == tasks:
            total = sum(_size(p, unit, overhead) * p["images"] / scenes for p in points)
            lines.setdefault(codec, []).append((total, sum(p["psnr"] for p in points) / tasks))
    return lines
