"""Facts of scenes as people read them: plain text, not yet escaped."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from mtcodec.codec.info import size_text, sizes_differ
from mtcodec.container.section import IMAGE, NUMBERS
from mtcodec.errors import FormatError
from mtcodec.signals.measures import PSNR_CAP
from mtcodec.tasks import units
from mtcodec.view.pictures import sizing_for
from mtcodec.view.scene import SceneView
from mtcodec.view.task import TaskView

HEADLINE_MEASURES = {"angle_deg": "angle", "rmse": "RMSE", "psnr": "PSNR"}
"""The measure that says most of a task is the first of these that it has."""
DETAIL_MEASURES = {
    "psnr": "PSNR {}",
    "max_error": "at most {} off",
    "abs_rel": "{} off on average",
    "ms_ssim": "MS-SSIM {}",
}


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


def section_label(name: str) -> str:
    """What people call a section."""
    return "holes" if name == "holes0" else name


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def reduction(count: int, original_count: int) -> str:
    """How the bytes of a file compare with its originals'; "" where they are not known."""
    if not original_count or not count:
        return ""
    ratio = original_count / count
    text = f"instead of {size(original_count)}"
    return f"{text}: {ratio:.3g} times smaller" if ratio >= 1 else text


def measure(task: TaskView, name: str) -> str:
    """A measure with its unit."""
    value = task.measures[name]
    if name == "psnr":
        return "identical" if value >= PSNR_CAP else f"{value:.1f} dB"
    if name == "angle_deg":
        return f"{value:.2f}°"
    if name in ("rmse", "max_error"):
        return units.shown(task.task, task.dtype, value, task.unit)
    return f"{100 * value:.2f} %" if name == "abs_rel" else f"{value:.4f}"


def _headline_measure(task: TaskView) -> str:
    return next((name for name in HEADLINE_MEASURES if name in task.measures), "")


def headline(task: TaskView) -> str:
    """How good a task is, in a few letters; "" where nobody knows."""
    if not task.is_seen:
        return "damaged" if isinstance(task.decode_error, FormatError) else "not decoded"
    if task.task.exact or task.measures.get("exact") == 1:
        return "exact" if task.measures.get("exact", 1) else "differs"
    if task.measures.get("mse") == 0:
        return "identical"
    name = _headline_measure(task)
    return f"{HEADLINE_MEASURES[name]} {measure(task, name)}" if name else ""


def other_measures(task: TaskView) -> list[str]:
    """The measures of a task that its headline leaves out."""
    if task.task.exact or task.measures.get("mse") == 0:
        return []
    return [
        text.format(measure(task, name))
        for name, text in DETAIL_MEASURES.items()
        if name in task.measures and name != _headline_measure(task)
    ]


def task_details(task: TaskView, scene: SceneView) -> str:
    """The line below a task."""
    needs = scene.facts["tasks"][task.name]
    coding = next(section["coding"] for section in scene.facts["sections"] if section["name"] == task.name)
    alone = f"{size(needs['bytes'])} to decode it alone ({' + '.join(needs['sections'])})"
    shown_size = [size_text(needs)] if sizes_differ(scene.facts) else []
    details = [alone, coding, *other_measures(task), *shown_size, task.dtype]
    if task.hole_share:
        details.append(f"{percent(task.hole_share)} holes, hatched")
    return " · ".join(details)


def decibels(scene: SceneView) -> float | None:
    """Mean PSNR of the tasks that have losses."""
    values = [task.measures["psnr"] for task in scene.tasks if "psnr" in task.measures]
    return fmean(values) if values else None


def card_details(scene: SceneView) -> str:
    """The line below a card of the contact sheet."""
    details = [size(scene.facts["bytes"])]
    psnr = decibels(scene)
    if psnr is not None:
        details.append(f"{psnr:.1f} dB")
    missing = sum(not task.is_seen for task in scene.tasks)
    if missing:
        details.append(f"{missing} of {plural(len(scene.tasks), 'task')} not decoded")
    return " · ".join(details)


def scene_details(scene: SceneView) -> str:
    """The line below the size of a scene."""
    facts = scene.facts
    images = [task for task in facts["tasks"].values() if task.get("shape", IMAGE) not in NUMBERS]
    numbers = len(facts["tasks"]) - len(images)
    up_to = "up to " * (len({(task["height"], task["width"]) for task in images}) > 1)
    details = [
        *[f"{plural(len(images), 'image')} of {up_to}{facts['width']} × {facts['height']}"] * bool(images),
        *[f"numbers of {plural(numbers, 'task')}"] * bool(numbers),
        f"{facts['bpp']:.3g} bits a pixel",
    ]
    if facts["quality"] is not None:
        details.append(f"quality {facts['quality']:g}")
    if facts["weights"] is not None:
        details.append(f"weights {facts['weights']['name'] or facts['weights']['fingerprint']}")
    if not facts["complete"]:
        details.append("the file ends before its last section does")
    return " · ".join(details)


def sheet_details(scenes: Sequence[SceneView], count: int) -> str:
    """The line below the size of a contact sheet; ``count``: of all scenes that there are."""
    details = [plural(count, "scene")]
    if len(scenes) < count:
        details = [f"the first {len(scenes)} of {plural(count, 'scene')} (--limit shows more)"]
    sizes = [scene.facts["bytes"] for scene in scenes if scene.facts]
    if sizes:
        details.append(f"{size(sum(sizes) / len(sizes))} a scene")
    psnrs = [psnr for scene in scenes if (psnr := decibels(scene)) is not None]
    if psnrs:
        details.append(f"{sum(psnrs) / len(psnrs):.1f} dB on average")
    return " · ".join(details)


def picture_note(scenes: Sequence[SceneView], count: int) -> str:
    """How far pictures of the page are those of the files; ``count``: of all scenes that there are."""
    single = count == 1
    sizing, facts = sizing_for(1 if single else len(scenes)), scenes[0].facts if single else {}
    if facts and sizing.keeps_pixels(facts["height"], facts["width"]):
        return "Pictures on this page show every pixel as it was decoded."
    return (
        f"Pictures on this page are at most {sizing.max_side} pixels wide or high, and photographs and "
        f"normals are JPEG of quality {sizing.jpeg_quality}. Bytes and measures are those of the file itself."
    )
