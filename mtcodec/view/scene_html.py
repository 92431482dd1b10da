"""A scene as HTML. Whatever comes from a file passes :func:`html.escape`; no attribute holds styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mtcodec.container.section import ATTACHMENTS, NOTES, is_mask
from mtcodec.view import colours, texts
from mtcodec.view.scene import SceneView
from mtcodec.view.task_html import placeholder, swatch, task_figure


def article(scene: SceneView, number: int, single: bool) -> str:
    """A card of the contact sheet, and the scene itself once it is opened; a single scene is open always."""
    name, psnr = escape(scene.name), texts.decibels(scene)
    attributes = f'class="scene{" alone open" if single else ""}" id="scene-{number}" data-name="{name}"'
    attributes += f' data-bytes="{scene.facts.get("bytes", 0)}"'
    if psnr is not None:
        attributes += f' data-psnr="{psnr:.4f}"'
    if single:
        opener, header = "", f'<h1 class="name" tabindex="-1"><bdi>{name}</bdi></h1>'
    else:
        opener = f'<a class="opener" href="#scene-{number}" aria-label="Open {name}"></a>'
        brief = f'<span class="problem">{escape(scene.problem)}</span>'
        if scene.facts:
            brief = escape(texts.card_details(scene))
        header = f'<h2 class="name" tabindex="-1"><bdi>{name}</bdi></h2><p class="brief">{brief}</p>'
    overview = ""
    if scene.facts:
        details = f'<p class="facts">{escape(texts.scene_details(scene))}</p>'
        details += bytes_by_section(scene.facts, [task.name for task in scene.tasks])
        overview = (
            f'<div class="full">{total_size(scene.facts["bytes"], scene.original_bytes)}{details}</div>'
        )
    problem = f'<p class="problem">{escape(scene.problem)}</p>' if scene.problem else ""
    return (
        f"<article {attributes}>{opener}<header>{header}</header>{overview}{problem}{_tasks(scene)}</article>"
    )


def _tasks(scene: SceneView) -> str:
    if scene.facts:
        figures = "".join(
            task_figure(task, scene, colours.of_task(index)) for index, task in enumerate(scene.tasks)
        )
    else:
        figures = f'<figure class="task">{placeholder(scene.name, 4, 3)}</figure>'
    pictures = sum(not task.numbers for task in scene.tasks)
    return f'<div class="tasks of-{min(max(pictures, 1), 6)}">{figures}</div>'


def total_size(count: int, original_bytes: int) -> str:
    """A number of bytes in large type, and how it compares with that of the originals, if it is not 0."""
    number, unit = texts.size(count).split(" ")
    reduction = texts.reduction(count, original_bytes)
    versus = f'<span class="versus">{escape(reduction)}</span>' if reduction else ""
    return f'<p class="hero"><strong>{number}</strong> <b>{unit}</b> {versus}</p>'


def bytes_by_section(facts: Mapping[str, Any], shown_tasks: Sequence[str]) -> str:
    """One bar and a list of what ``facts`` count, the tasks in the order in which they are shown."""
    sections = sections_of(facts, shown_tasks)
    total = max(sum(count for _, count, _, _ in sections), 1)
    bar, items, start = "", "", 0.0
    for name, count, coding, colour in sections:
        width = 1000 * count / total
        bar += f'<rect x="{start:.2f}" width="{width:.2f}" height="10" fill="{colour}"/>'
        start += width
        shown_coding = f" <span>{escape(coding)}</span>" if coding else ""
        items += (
            f"<li>{swatch(colour)}<p><b>{escape(name)}</b>{shown_coding}</p> "
            f"<p><span>{texts.size(count)}</span> <span>{texts.percent(count / total)}</span></p></li>"
        )
    return (
        '<section class="bytes" aria-label="Bytes by section">'
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'
        f"<ul>{items}</ul></section>"
    )


def sections_of(facts: Mapping[str, Any], shown_tasks: Sequence[str]) -> list[tuple[str, int, str, str]]:
    """Name, bytes, coding and colour of all that a file consists of.

    That is its header, what tasks share, tasks as they are shown, notes and files.
    """
    tasks = [*shown_tasks, *(name for name in facts["tasks"] if name not in shown_tasks)]
    places = {name: place for place, name in enumerate([*tasks, NOTES, ATTACHMENTS])}
    sections = [("header", int(facts["overhead_bytes"]), "", colours.SECTION_COLOURS["header"])]
    for section in sorted(facts["sections"], key=lambda section: places.get(section["name"], -1)):
        name = section["name"]
        colour = section_colour(name, tasks)
        sections.append((texts.section_label(name), section["bytes"], section.get("coding", ""), colour))
    return sections


def section_colour(name: str, tasks: Sequence[str]) -> str:
    """The colour of a section; ``tasks`` are in the order in which they are shown."""
    if name in tasks:
        return colours.of_task(tasks.index(name))
    return colours.SECTION_COLOURS["holes" if is_mask(name) else name]
