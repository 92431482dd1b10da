"""A scene as HTML. Whatever comes from a file passes :func:`html.escape`; no attribute holds styles."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mtcodec.view import colours, texts
from mtcodec.view.scene import SceneView
from mtcodec.view.sections import SectionRow, section_rows
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
        header = f'<h2 class="name" tabindex="-1"><bdi>{name}</bdi></h2><p class="brief">{_brief(scene)}</p>'
    problem = f'<p class="problem">{escape(scene.problem)}</p>' if scene.problem else ""
    return (
        f"<article {attributes}>{opener}<header>{header}</header>"
        f"{_overview(scene) if scene.facts else ''}{problem}{_tasks(scene)}</article>"
    )


def _brief(scene: SceneView) -> str:
    """Below a card."""
    if not scene.facts:
        return f'<span class="problem">{escape(scene.problem)}</span>'
    return escape(texts.card_details(scene))


def _overview(scene: SceneView) -> str:
    """Size, facts and bytes by section."""
    details = escape(texts.scene_details(scene))
    return (
        f'<div class="full">{total_size(scene.facts["bytes"], scene.original_bytes)}'
        f'<p class="facts">{details}</p>{_bytes_by_section(section_rows(scene))}</div>'
    )


def _tasks(scene: SceneView) -> str:
    if scene.facts:
        figures = "".join(
            task_figure(task, scene, colours.of_task(index)) for index, task in enumerate(scene.tasks)
        )
    else:
        figures = f'<figure class="task">{placeholder(scene.name, 4, 3)}</figure>'
    return f'<div class="tasks of-{min(max(len(scene.tasks), 1), 6)}">{figures}</div>'


def total_size(count: int, original_bytes: int) -> str:
    """A number of bytes in large type, and how it compares with that of the originals, if it is not 0."""
    number, unit = texts.size(count).split(" ")
    reduction = texts.reduction(count, original_bytes)
    versus = f'<span class="versus">{escape(reduction)}</span>' if reduction else ""
    return f'<p class="hero"><strong>{number}</strong> <b>{unit}</b> {versus}</p>'


def _bytes_by_section(rows: Sequence[SectionRow]) -> str:
    """One bar and a list."""
    total = max(sum(row.bytes for row in rows), 1)
    bar, items, start = "", "", 0.0
    for row in rows:
        width, share = 1000 * row.bytes / total, texts.percent(row.bytes / total)
        bar += f'<rect x="{start:.2f}" width="{width:.2f}" height="10" fill="{row.colour}"/>'
        start += width
        coding = f" <span>{escape(row.coding)}</span>" if row.coding else ""
        items += (
            f"<li>{swatch(row.colour)}<p><b>{escape(row.name)}</b>{coding}</p> "
            f"<p><span>{texts.size(row.bytes)}</span> <span>{share}</span></p></li>"
        )
    return (
        '<section class="bytes" aria-label="Bytes by section">'
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'
        f"<ul>{items}</ul></section>"
    )
