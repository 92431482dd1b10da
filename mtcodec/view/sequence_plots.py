"""Plots over the frames of a sequence, as SVG: bytes by group and task, PSNR by frame and task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtcodec.view import texts
from mtcodec.view.scene_html import section_colour
from mtcodec.view.sequence import ClipView, GroupBytes

WIDTH, HEIGHT = 1000, 100  # of the coordinates of a plot, which is stretched
MARGIN = 0.08  # of the range of a plot of lines, above and below


def extent(view: ClipView) -> tuple[int, int]:
    """The frames that plots show, the end excluded: those of all groups of which any frame is shown."""
    first, last = view.labels[0].number, view.labels[-1].number
    start = max((group.start for group in view.groups if group.start <= first), default=first)
    stop = min((group.stop for group in view.groups if group.stop > last), default=last + 1)
    return min(start, first), max(stop, last + 1)


def position(number: float, limits: tuple[int, int]) -> float:
    """Where a frame lies in a plot; of its middle if ``number`` is one and a half."""
    return WIDTH * (number - limits[0]) / (limits[1] - limits[0])


def bytes_plot(view: ClipView, tasks: Sequence[str]) -> str:
    """A bar a group, as wide as it has frames and as high as it has bytes a frame, of its sections."""
    limits = extent(view)
    groups = [group for group in view.groups if group.stop > limits[0] and group.start < limits[1]]
    if not groups:
        return ""
    top = max(sum(group.sections.values()) / (group.stop - group.start) for group in groups) or 1
    bars = "".join(_bar(group, limits, top, tasks) for group in groups)
    label = f"Bytes by group, up to {texts.size(top)} a frame"
    return _plot("bytes-plot", label, bars, f"{texts.size(top)} a frame", "0")


def _bar(group: GroupBytes, limits: tuple[int, int], top: float, tasks: Sequence[str]) -> str:
    """The sections of a group, one above the other."""
    places = {name: place for place, name in enumerate(tasks)}
    left, right = position(group.start, limits), position(group.stop, limits)
    gap = min(2.0, (right - left) / 8)
    bar, below = "", 0.0
    for name, count in sorted(group.sections.items(), key=lambda item: places.get(item[0], -1)):
        height = HEIGHT * count / (group.stop - group.start) / top
        below += height
        bar += (
            f'<rect x="{left + gap / 2:.2f}" y="{HEIGHT - below:.2f}" width="{right - left - gap:.2f}" '
            f'height="{height:.2f}" fill="{section_colour(name, tasks)}"/>'
        )
    return bar


def psnr_plot(view: ClipView, psnrs: Mapping[str, Mapping[int, float]], tasks: Sequence[str]) -> str:
    """A line a task; ``psnrs``: dB by task and frame. "" where there are none."""
    values = [value for of_task in psnrs.values() for value in of_task.values()]
    if not values:
        return ""
    margin = max(MARGIN * (max(values) - min(values)), 0.5)
    low, high = min(values) - margin, max(values) + margin
    limits, lines = extent(view), ""
    shown = [label.number for label in view.labels]
    for name, of_task in psnrs.items():
        for run in _runs(shown, of_task):
            points = [
                f"{position(n + 0.5, limits):.2f},{HEIGHT * (high - of_task[n]) / (high - low):.2f}"
                for n in run
            ]
            points = points if len(points) > 1 else points * 2  # a dot, by round ends of the line
            colour = section_colour(name, tasks)
            lines += f'<polyline points="{" ".join(points)}" stroke="{colour}"/>'
    label = f"PSNR by frame, {min(values):.1f} to {max(values):.1f} dB"
    return _plot("psnr-plot", label, lines, f"{high:.1f} dB", f"{low:.1f} dB")


def _runs(shown: Sequence[int], of_task: Mapping[int, float]) -> list[list[int]]:
    """Numbers of frames that are shown one after the other and have a value."""
    runs: list[list[int]] = [[]]
    for number in shown:
        if number in of_task:
            runs[-1].append(number)
        else:
            runs.append([])
    return [run for run in runs if run]


def _plot(css_class: str, label: str, marks: str, top: str, bottom: str) -> str:
    return (
        f'<div class="plot {css_class}"><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}">{marks}'
        f'<line class="cursor" x1="0" x2="0" y1="0" y2="{HEIGHT}"/></svg>'
        f'<p class="ticks" aria-hidden="true"><span>{top}</span><span>{bottom}</span></p></div>'
    )
