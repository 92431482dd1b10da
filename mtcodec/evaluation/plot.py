"""``rd.png``: rate-distortion curves, one panel per lossy task and one for whole scenes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = list[tuple[float, float]]

STYLES: dict[str, dict[str, Any]] = {
    "mtcodec": {"color": "#c0161c", "label": "mtcodec", "linewidth": 2.4, "marker": "o", "zorder": 5},
    "avif": {"color": "#1f5fa8", "label": "AVIF", "marker": "s"},
    "avif10": {"color": "#1f5fa8", "label": "AVIF 10 bit", "marker": "s", "linestyle": "--"},
    "jxl": {"color": "#1c8a5a", "label": "JPEG XL", "marker": "^"},
    "jxl16": {"color": "#1c8a5a", "label": "JPEG XL 16 bit", "marker": "^", "linestyle": "--"},
    "webp": {"color": "#8a5cb0", "label": "WebP 4:2:0", "marker": "D"},
    "jpeg": {"color": "#7a7a7a", "label": "JPEG", "marker": "v"},
}


def lines_of(results: Mapping[str, Any], task: str) -> dict[str, Line]:
    """(bpp, PSNR) by system for one task; ours at the bits that decoding the task alone needs."""
    ours = [row["tasks"].get(task, {}) for row in results["ours"]]
    lines = {"mtcodec": [(e["bpp"], e["psnr"]) for e in ours if "psnr" in e and "bpp" in e]}
    for point in results["classical"]:
        if point["task"] == task:
            lines.setdefault(point["codec"], []).append((point["bpp"], point["psnr"]))
    return lines


def total_lines(results: Mapping[str, Any], tasks: list[str]) -> dict[str, Line]:
    """(bpp of all lossy tasks, mean PSNR over them) by system; classical: equal settings for every task.

    Ours is the whole file less its lossless sections.
    """
    lines: dict[str, Line] = {"mtcodec": []}
    for row in results["ours"]:
        lines["mtcodec"].append((row["bpp"] * row["lossy_bytes"] / row["bytes"], row["psnr_mean"]))
    settings: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for point in results["classical"]:
        settings.setdefault((point["codec"], point["quality"]), []).append(point)
    for (codec, _), points in settings.items():
        if len(points) == len(tasks):  # a variant that serves only some tasks has no total
            total = sum(point["bpp"] for point in points)
            lines.setdefault(codec, []).append((total, sum(p["psnr"] for p in points) / len(points)))
    return lines


def _limits(lines: Mapping[str, Line]) -> tuple[float, float, float, float]:
    """Axis limits: around our curve where there are bytes to compare, not the far ends of the others."""
    ours = lines["mtcodec"] or [p for line in lines.values() for p in line]
    bits, levels = [p[0] for p in ours], [p[1] for p in ours]
    low, high = min(levels) - 4, max(levels) + 4
    near = [p[0] for line in lines.values() for p in line if low <= p[1] <= high]
    return min([*bits, *near]) / 1.25, min(max([*bits, *near]), 6 * max(bits)) * 1.25, low, high


def _panel(axes: Axes, title: str, lines: Mapping[str, Line], ylabel: str) -> None:
    for system in sorted(lines, key=list(STYLES).index):
        line = sorted(lines[system])
        style = {"linewidth": 1.4, "markersize": 4.0, **STYLES[system]}
        axes.plot([p[0] for p in line], [p[1] for p in line], **style)
    left, right, low, high = _limits(lines)
    axes.set(xscale="log", xlim=(left, right), ylim=(low, high), xlabel="bits per pixel", ylabel=ylabel)
    ticks = [m * 10.0**e for e in range(-5, 4) for m in (1, 2, 5)]
    shown = [t for t in ticks if left <= t <= right]
    axes.set_xticks(shown, [f"{t:g}" for t in shown])
    axes.minorticks_off()
    axes.set_title(title, fontsize=11, fontweight="bold", loc="left")
    axes.grid(True, color="#dddddd", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)


def require_matplotlib() -> None:
    """Raise :class:`UsageError` where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("drawing curves needs matplotlib: install mtcodec[train]") from error


def draw(results: Mapping[str, Any]) -> bytes:
    """The figure of :func:`mtcodec.evaluation.report.evaluate`'s results as a PNG file.

    Raises:
        UsageError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tasks = [name for name in results["tasks"] if lines_of(results, name)["mtcodec"]]
    panels = [(name, lines_of(results, name), f"PSNR of {name} (dB)") for name in tasks]
    if tasks:
        panels.append(("all tasks", total_lines(results, tasks), "mean PSNR over tasks (dB)"))
    columns = min(2, len(panels)) or 1
    rows = math.ceil(len(panels) / columns) or 1
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for k, (title, lines, ylabel) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, k + 1)
        detail = " (file without lossless tasks)" if title == "all tasks" else " decoded alone"
        _panel(axes, title + detail, lines, ylabel)
        axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
