"""Facts of a scene as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from mtcodec.container.section import ATTACHMENTS, NOTES, is_mask
from mtcodec.errors import FormatError
from mtcodec.signals.measures import PSNR_CAP
from mtcodec.tasks import units
from mtcodec.view import colours
from mtcodec.view.scene import SceneView
from mtcodec.view.task import TaskView

FIRST = {"angle_deg": "angle", "rmse": "RMSE", "psnr": "PSNR"}
"""Measures that tell most of a task, the first that it has."""


def size(count: float) -> str:
    """``9,882 bytes``, ``71.5 kB``."""
    if count < 9999.5:
        return f"{count:,.0f} byte{'s' * (count != 1)}"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5 or unit == "GB":
            break
    return f"{count:.{2 if count < 9.995 else 1 if count < 99.95 else 0}f} {unit}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def smaller(count: int, before: int) -> str:
    """How a file compares with its originals; "" where they are not known."""
    if not before or not count:
        return ""
    ratio = before / count
    return (
        f"instead of {size(before)}: {ratio:.3g} times smaller"
        if ratio >= 1
        else f"instead of {size(before)}"
    )


def measure(own: TaskView, name: str) -> str:
    """A measure with its unit."""
    value = own.measures[name]
    if name == "psnr":
        return "identical" if value >= PSNR_CAP else f"{value:.1f} dB"
    if name == "angle_deg":
        return f"{value:.2f}°"
    if name in ("rmse", "max_error"):
        return units.shown(own.task, own.dtype, value, own.unit)
    return f"{100 * value:.2f} %" if name == "abs_rel" else f"{value:.4f}"


def headline(own: TaskView) -> str:
    """How good a task is, in a few letters; "" where nobody knows."""
    if own.decoded is None:
        return "damaged" if isinstance(own.lost, FormatError) else "not decoded"
    if own.task.exact or own.measures.get("exact") == 1:
        return "exact" if own.measures.get("exact", 1) else "differs"
    if own.measures.get("mse") == 0:
        return "identical"
    name = next((name for name in FIRST if name in own.measures), "")
    return f"{FIRST[name]} {measure(own, name)}" if name else ""


def details(own: TaskView) -> list[str]:
    """The other measures of a task."""
    if own.task.exact or own.measures.get("mse") == 0:
        return []
    texts = {
        "psnr": "PSNR {}",
        "max_error": "at most {} off",
        "abs_rel": "{} off on average",
        "ms_ssim": "MS-SSIM {}",
    }
    first = next((name for name in FIRST if name in own.measures), "")
    return [
        text.format(measure(own, name))
        for name, text in texts.items()
        if name in own.measures and name != first
    ]


def decibels(view: SceneView) -> float | None:
    """Mean PSNR of the tasks that have losses."""
    values = [own.measures["psnr"] for own in view.tasks if "psnr" in own.measures]
    return fmean(values) if values else None


def sections(facts: Mapping[str, Any], order: Sequence[str]) -> list[tuple[str, int, str, str]]:
    """Name, bytes, coding and colour of all that a file consists of; ``order``: of the tasks."""
    place = {name: k for k, name in enumerate(order, 1)}
    hues = {name: colours.TASKS[k % len(colours.TASKS)] for k, name in enumerate(order)}
    rows = [("header", int(facts["overhead_bytes"]), "", colours.SECTIONS["header"])]
    last = len(order) + 1
    for section in sorted(
        facts["sections"],
        key=lambda own: place.get(own["name"], last * (own["name"] in (NOTES, ATTACHMENTS))),
    ):
        name = section["name"]
        plain = "holes" if is_mask(name) else name
        colour = hues[name] if name in hues else colours.SECTIONS[plain]
        name = "holes" if name == "holes0" else name
        rows.append((name, section["bytes"], section.get("coding", ""), colour))
    return rows
