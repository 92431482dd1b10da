"""``FILE.png``: how a training goes, drawn from its log."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec import extras
from mtcodec.files.output import write_atomic

LEVELS = range(20, 60, 3)  # PSNR in dB at which rates are compared: 35, 38 and 41 on CLEVR
WINDOW = 0.05  # share of the losses that a smoothed one is the mean of

Points = Sequence[tuple[float, float]]


def plot(log: Path, output: Path) -> None:
    """Draw the losses of a training, and what its validations say, into a PNG file.

    Raises:
        DependencyError: matplotlib is not installed.
        OutputError: ``output`` cannot be written.
    """
    figures, agg = (
        extras.load(f"matplotlib.{part}", "a plot of the training", "evaluate")
        for part in ("figure", "backends.backend_agg")
    )
    losses, validations = curves(log)
    rates, qualities = rates_by_level(validations), psnr_by_task(validations)
    right = [name for name, lines in (("rate", rates), ("psnr", qualities)) if lines]
    figure = figures.Figure(figsize=(12 if right else 7, 6), dpi=100, facecolor="white", layout="constrained")
    agg.FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([["loss", name] for name in right] or [["loss"]])
    _losses(panels["loss"], losses)
    if rates:
        task = next(iter(rates))[0]
        named = {f"{level} dB": line for (_, level), line in rates.items()}
        _lines(panels["rate"], f"estimated bits per pixel of all tasks at a PSNR of {task}", named, True)
        panels["rate"].set_yscale("log")
        low, high = panels["rate"].get_ylim()
        ticks = [m * 10.0**e for e in range(-5, 4) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
        panels["rate"].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        panels["rate"].minorticks_off()
    if qualities:
        _lines(panels["psnr"], "PSNR by task at the middle quality (dB)", qualities, False)
    for axes in panels.values():
        axes.set_xlabel("minutes")
        axes.grid(True, color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    write_atomic(output, file.getvalue())


def curves(log: Path) -> tuple[list[tuple[float, float]], list[tuple[float, dict[str, Any]]]]:
    """Losses and validations by minutes. A step that a resumed run did again counts once."""
    kept: list[dict[str, Any]] = []
    for line in log.read_text("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            place = record["step"], bool(record.get("validation"))
        except (ValueError, TypeError, KeyError):
            continue  # a line that was cut off, or a plan
        while kept and (kept[-1]["step"], "validation" in kept[-1]) >= place:
            kept.pop()
        if "loss" in record or record.get("validation"):
            kept.append(record)
    losses, validations, minutes = [], [], 0.0
    for record in kept:
        minutes = record.get("minutes", minutes)
        if "loss" in record:
            losses.append((minutes, float(record["loss"])))
        else:
            validations.append((minutes, record["validation"]))
    return losses, validations


def rates_by_level(validations: Sequence[tuple[float, dict[str, Any]]]) -> dict[tuple[str, int], Points]:
    """Minutes and bits per pixel, by a task (rgb if there is one) and its PSNR in dB."""
    tasks = [task for _, one in validations[:1] for task in middle(one)["psnr"]]
    if not tasks:
        return {}
    task = "rgb" if "rgb" in tasks else tasks[0]
    found = {
        (task, level): [(t, bpp) for t, one in validations if (bpp := bpp_at(one, task, level)) is not None]
        for level in LEVELS
    }
    return {name: line for name, line in found.items() if line}


def bpp_at(validation: dict[str, Any], task: str, level: float) -> float | None:
    """Bits per pixel at a PSNR, interpolated in their logarithm; None outside of what was validated."""
    known = sorted((one["psnr"][task], max(one["bpp"], 1e-6)) for one in validation.values())
    if not known[0][0] <= level <= known[-1][0]:
        return None
    return float(np.exp(np.interp(level, [p for p, _ in known], np.log([bpp for _, bpp in known]))))


def psnr_by_task(validations: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, Points]:
    """Minutes and PSNR in dB at the middle quality, by task."""
    tasks = dict.fromkeys(task for _, one in validations for task in middle(one)["psnr"])
    at = [(t, middle(one)["psnr"]) for t, one in validations]
    return {task: [(t, psnr[task]) for t, psnr in at if task in psnr] for task in tasks}


def middle(validation: dict[str, Any]) -> dict[str, Any]:
    """The middle one of the validated qualities: q50."""
    own: dict[str, Any] = list(validation.values())[len(validation) // 2]
    return own


def smoothed(values: Sequence[float]) -> list[float]:
    """Means around every value, of fewer at the ends."""
    half = max(2, int(len(values) * WINDOW / 2))
    return [float(np.mean(values[max(0, i - half) : i + half + 1])) for i in range(len(values))]


def _losses(axes: Any, points: Points) -> None:
    axes.set_title("loss", fontsize=10, loc="left")
    if not points:
        return
    minutes, raw = [t for t, _ in points], [value for _, value in points]
    smooth = smoothed(raw)
    axes.plot(minutes, raw, color="#1f5fa8", alpha=0.3, linewidth=0.8)
    axes.plot(minutes, smooth, color="#1f5fa8", linewidth=1.8, marker="o" if len(raw) == 1 else None)
    axes.set_title(f"loss: {smooth[-1]:.4f}", fontsize=10, loc="left")
    low, high = min(raw), max(raw[len(raw) // 10 :])  # the first ones of new networks are much larger
    if high > low:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _lines(axes: Any, title: str, lines: dict[str, Points], relative: bool) -> None:
    """Lines over minutes, with their last values and how far these are from the first ones."""
    for name, line in lines.items():
        first, last = line[0][1], line[-1][1]
        label = f"{name}: {last:.4f} ({100 * (last / first - 1):+.1f} %)"
        if not relative:
            label = f"{name}: {last:.2f} ({last - first:+.2f})"
        axes.plot([t for t, _ in line], [value for _, value in line], label=label, marker="o", markersize=2.5)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
