"""Rate-distortion lines out of an evaluation's results, as plots and BD-rates need them.

Bytes are those of files. Of a baseline that is the whole file of an image. Of ours it is the whole file
less its lossless sections; of one task alone, its sections and the header of the file, which decoding the
task reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

Line = list[tuple[float, float]]
"""(size, PSNR in dB) of one system by setting, in any order."""

Unit = Literal["bytes", "bpp"]


def front(line: Iterable[tuple[float, float]]) -> Line:
    """The points of ``line`` that no other beats in both size and PSNR, ascending in both."""
    unbeaten: Line = []
    for size, psnr in sorted(line, key=lambda point: (point[0], -point[1])):
        if not unbeaten or psnr > unbeaten[-1][1]:
            unbeaten.append((size, psnr))
    return unbeaten


def lossy_tasks(results: Mapping[str, Any]) -> list[str]:
    """Names of the tasks that some system of ours measured a PSNR of."""
    rows = [row for system in results["systems"].values() for row in system["rows"]]
    return [name for name in results["tasks"] if any("psnr" in row["tasks"].get(name, ()) for row in rows)]


def task_lines(results: Mapping[str, Any], task: str, unit: Unit) -> dict[str, Line]:
    """Lines of one task by system; ours at what decoding the task alone reads, the header included."""
    lines: dict[str, Line] = {}
    for name, system in results["systems"].items():
        lines[name] = []
        for row in system["rows"]:
            entry = row["tasks"].get(task, {})
            if "psnr" in entry and unit in entry:
                header = row["overhead_bytes"] * row[unit] / row["bytes"]
                lines[name].append((entry[unit] + header, entry["psnr"]))
    for point in results["classical"]:
        if point["task"] == task:
            lines.setdefault(point["codec"], []).append((float(point[unit]), point["psnr"]))
    return lines


def total_lines(results: Mapping[str, Any], unit: Unit) -> dict[str, Line]:
    """Lines of all lossy tasks together by system, at the mean PSNR over the tasks.

    Baselines code every task at equal settings; one that serves only some tasks has no line.
    """
    lines: dict[str, Line] = {}
    for name, system in results["systems"].items():
        lines[name] = [
            (row[unit] * row["lossy_bytes"] / row["bytes"], row["psnr_mean"])
            for row in system["rows"]
            if "psnr_mean" in row
        ]
    points_by_setting: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for point in results["classical"]:
        points_by_setting.setdefault((point["codec"], point["quality"]), []).append(point)
    task_count, scene_count = len(lossy_tasks(results)), len(results["scenes"])
    for (codec, _), points in points_by_setting.items():
        if len(points) == task_count:
            total = sum(point[unit] * point["images"] / scene_count for point in points)
            lines.setdefault(codec, []).append((total, sum(point["psnr"] for point in points) / task_count))
    return lines
