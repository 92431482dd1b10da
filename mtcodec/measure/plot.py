"""``rd.png``: rate-distortion curves, one panel per lossy task and one for whole scenes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtcodec.measure.figures import log_ticks, new_figure, tidy, to_png
from mtcodec.measure.lines import Line, lossy_tasks, task_lines, total_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = tuple[float, float]
# colours and markers, in the order of our systems; then once more with other lines
OUR_STYLES = (
    ("#c0161c", "o"), ("#e8821a", "P"), ("#c2328c", "X"),
    ("#222222", "h"), ("#12a0ae", "d"), ("#7a4a1e", "p"),
)  # fmt: skip
BASELINE_STYLES: dict[str, dict[str, Any]] = {
    "avif": {"color": "#1f5fa8", "label": "AVIF", "marker": "s"},
    "avif10": {"color": "#1f5fa8", "label": "AVIF 10 bit", "marker": "s", "linestyle": "--"},
    "avif-tuned": {"color": "#5f9be0", "label": "AVIF, our settings", "marker": "s"},
    "jxl": {"color": "#1c8a5a", "label": "JPEG XL", "marker": "^"},
    "jxl16": {"color": "#1c8a5a", "label": "JPEG XL 16 bit", "marker": "^", "linestyle": "--"},
    "webp": {"color": "#8a5cb0", "label": "WebP 4:2:0", "marker": "D"},
    "jpeg": {"color": "#7a7a7a", "label": "JPEG", "marker": "v"},
    "hyperprior": {"color": "#b09a1e", "label": "Scale Hyperprior, pretrained", "marker": "*"},
}


def _style(name: str, systems: Sequence[str]) -> dict[str, Any]:
    """How a line is drawn: ours by their order, baselines always alike."""
    if name in BASELINE_STYLES:
        return {"linewidth": 1.4, "markersize": 4.0, **BASELINE_STYLES[name]}
    times_around, k = divmod(systems.index(name), len(OUR_STYLES))
    color, marker = OUR_STYLES[k]
    line_style = ("-", "--", ":")[times_around % 3]
    return {"color": color, "marker": marker, "linestyle": line_style, "label": name, "linewidth": 2.2,
            "markersize": 4.5, "zorder": 5}  # fmt: skip


def _limits(lines: Mapping[str, Line], systems: Sequence[str]) -> tuple[Limits, Limits]:
    """Limits of the axes, in bits per pixel and in dB.

    They are around our curves, and the baselines' points of about our PSNRs; far ends of theirs are cut off.
    """
    ours = [point for name in systems for point in lines.get(name, ())]
    ours = ours or [point for line in lines.values() for point in line]
    our_bpps, our_psnrs = [bpp for bpp, _ in ours], [psnr for _, psnr in ours]
    low, high = min(our_psnrs) - 4, max(our_psnrs) + 4
    bpps = our_bpps + [bpp for line in lines.values() for bpp, psnr in line if low <= psnr <= high]
    return (min(bpps) / 1.25, min(max(bpps), 6 * max(our_bpps)) * 1.25), (low, high)


def _panel(axes: Axes, title: str, lines: Mapping[str, Line], ylabel: str, systems: Sequence[str]) -> None:
    for name in sorted(lines, key=[*systems, *BASELINE_STYLES].index):
        line = sorted(lines[name])
        axes.plot([bpp for bpp, _ in line], [psnr for _, psnr in line], **_style(name, systems))
    xlim, ylim = _limits(lines, systems)
    axes.set(xscale="log", xlim=xlim, ylim=ylim, xlabel="bits per pixel", ylabel=ylabel)
    log_ticks(axes, "x")
    tidy(axes, title, "both")


def draw(results: Mapping[str, Any], omit: Collection[str] = ()) -> bytes:
    """The figure of :func:`mtcodec.measure.evaluate.evaluate`'s results as a PNG file.

    ``omit`` names variants of baselines to leave out.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    systems, tasks = list(results["systems"]), lossy_tasks(results)
    panels = [(f"{task} alone", task_lines(results, task, "bpp"), f"PSNR of {task} (dB)") for task in tasks]
    if tasks:
        title = "all tasks (whole files without lossless tasks)"
        panels.append((title, total_lines(results, "bpp"), "mean PSNR over tasks (dB)"))
    columns = min(2, len(panels)) or 1
    rows = math.ceil(len(panels) / columns) or 1
    figure = new_figure(5.6 * columns, 4.2 * rows)
    legend: dict[str, Any] = {}
    for k, (title, lines, ylabel) in enumerate(panels):
        shown = {name: line for name, line in lines.items() if line and name not in omit}
        axes = figure.add_subplot(rows, columns, k + 1)
        _panel(axes, title, shown, ylabel, systems)
        for handle, label in zip(*axes.get_legend_handles_labels()):
            legend.setdefault(label, handle)
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=5, frameon=False)
    return to_png(figure)
