"""``FILE.png``: how a training goes, drawn from its log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec.files.output import write_atomic
from mtcodec.measure.figures import log_ticks, new_figure, require_matplotlib, to_png

PSNR_LEVELS = range(20, 60, 3)  # in dB, at which rates are compared: 35, 38 and 41 on CLEVR
WINDOW_SHARE = 0.05  # of all losses, that a smoothed one is the mean of

Points = Sequence[tuple[float, float]]


def plot(log: Path, output: Path) -> None:
    """Draw the losses of a training, and what its validations say, into a PNG file.

    Raises:
        DependencyError: matplotlib is not installed.
        OutputError: ``output`` cannot be written.
    """
    require_matplotlib("a plot of the training")
    losses, validations = curves(log)
    rates, qualities = rates_by_level(validations), psnr_by_task(validations)
    right = [name for name, lines in (("rate", rates), ("psnr", qualities)) if lines]
    figure = new_figure(12 if right else 7, 6, dpi=100)
    panels = figure.subplot_mosaic([["loss", name] for name in right] or [["loss"]])
    _losses(panels["loss"], losses)
    if rates:
        _rates(panels["rate"], rates)
    if qualities:
        _lines(panels["psnr"], "PSNR by task at the middle quality (dB)", qualities, False)
    for axes in panels.values():
        axes.set_xlabel("minutes")
        axes.grid(True, color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    write_atomic(output, to_png(figure))


def curves(log: Path) -> tuple[list[tuple[float, float]], list[tuple[float, dict[str, Any]]]]:
    """Losses and validations by minutes. A training step that a resumed run did again counts once."""
    records: list[dict[str, Any]] = []
    for line in log.read_text("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            place = record["step"], bool(record.get("validation"))
        except (ValueError, TypeError, KeyError):
            continue  # a line that was cut off, or a plan
        while records and (records[-1]["step"], "validation" in records[-1]) >= place:
            records.pop()
        if "loss" in record or record.get("validation"):
            records.append(record)
    losses, validations, minutes = [], [], 0.0
    for record in records:
        minutes = record.get("minutes", minutes)
        if "loss" in record:
            losses.append((minutes, float(record["loss"])))
        else:
            validations.append((minutes, record["validation"]))
    return losses, validations


def rates_by_level(validations: Sequence[tuple[float, dict[str, Any]]]) -> dict[tuple[str, int], Points]:
    """Minutes and bits per pixel, by a task (rgb if there is one) and its PSNR in dB."""
    tasks = [task for _, validation in validations[:1] for task in middle(validation)["psnr"]]
    if not tasks:
        return {}
    task = "rgb" if "rgb" in tasks else tasks[0]
    lines: dict[tuple[str, int], Points] = {
        (task, level): [
            (minutes, bpp)
            for minutes, validation in validations
            if (bpp := bpp_at(validation, task, level)) is not None
        ]
        for level in PSNR_LEVELS
    }
    return {name: line for name, line in lines.items() if line}


def bpp_at(validation: dict[str, Any], task: str, level: float) -> float | None:
    """Bits per pixel at a PSNR, interpolated in their logarithm; None outside of what was validated."""
    points = sorted((entry["psnr"][task], max(entry["bpp"], 1e-6)) for entry in validation.values())
    psnrs, bpps = [psnr for psnr, _ in points], [bpp for _, bpp in points]
    if not psnrs[0] <= level <= psnrs[-1]:
        return None
    return float(np.exp(np.interp(level, psnrs, np.log(bpps))))


def psnr_by_task(validations: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, Points]:
    """Minutes and PSNR in dB at the middle quality, by task."""
    psnrs = [(minutes, middle(validation)["psnr"]) for minutes, validation in validations]
    tasks = dict.fromkeys(task for _, by_task in psnrs for task in by_task)
    return {
        task: [(minutes, by_task[task]) for minutes, by_task in psnrs if task in by_task] for task in tasks
    }


def middle(validation: dict[str, Any]) -> dict[str, Any]:
    """What a validation says of the middle one of its qualities: q50."""
    entry: dict[str, Any] = list(validation.values())[len(validation) // 2]
    return entry


def smoothed(values: Sequence[float]) -> list[float]:
    """Means around every value, of fewer at the ends."""
    half = max(2, int(len(values) * WINDOW_SHARE / 2))
    return [float(np.mean(values[max(0, i - half) : i + half + 1])) for i in range(len(values))]


def _losses(axes: Any, points: Points) -> None:
    """Losses over minutes, as they are and smoothed."""
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


def _rates(axes: Any, rates: Mapping[tuple[str, int], Points]) -> None:
    """Bits per pixel over minutes, a line for every PSNR."""
    task = next(iter(rates))[0]
    lines = {f"{level} dB": line for (_, level), line in rates.items()}
    _lines(axes, f"estimated bits per pixel of all tasks at a PSNR of {task}", lines, True)
    axes.set_yscale("log")
    log_ticks(axes, "y")


def _lines(axes: Any, title: str, lines: dict[str, Points], relative: bool) -> None:
    """Lines over minutes, with their last values and how far these are from the first ones.

    ``relative``: in per cent.
    """
    for name, line in lines.items():
        first, last = line[0][1], line[-1][1]
        label = f"{name}: {last:.4f} ({100 * (last / first - 1):+.1f} %)"
        if not relative:
            label = f"{name}: {last:.2f} ({last - first:+.2f})"
        axes.plot([t for t, _ in line], [value for _, value in line], label=label, marker="o", markersize=2.5)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
