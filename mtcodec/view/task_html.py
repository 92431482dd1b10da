"""A task as HTML. Whatever comes from a file passes :func:`html.escape`; no attribute holds styles."""

from __future__ import annotations

from html import escape

from mtcodec.view import texts
from mtcodec.view.pictures import Picture
from mtcodec.view.scales import Scale
from mtcodec.view.scene import SceneView
from mtcodec.view.task import TaskView


def task_figure(task: TaskView, scene: SceneView, colour: str) -> str:
    """Pictures to compare, scales, and what is known of the task."""
    name = escape(task.name)
    caption = f'<h3>{swatch(colour)}{name}</h3><p class="measure">{escape(texts.headline(task))}</p>'
    if not task.numbers:
        caption += '<button type="button" class="enlarge" aria-pressed="false">Enlarge</button>'
    if task.decoded is not None:
        pictures = _pictures(task, task.decoded)
    elif task.numbers:
        pictures = f'<pre tabindex="0" aria-label="{name}">{escape(task.numbers)}</pre>'
    else:
        pictures = placeholder(task.name, task.width, task.height)
    problem = f'<p class="problem">{escape(task.problem)}</p>' if task.problem else ""
    legends = scale_bar(task.scale, "values") if task.scale else ""
    legends += scale_bar(task.error_scale, "errors", "error ") if task.error_scale else ""
    legends += id_list(task) if task.labels else ""
    details = escape(texts.task_details(task, scene))
    return (
        f'<figure class="task{" numbers" * (task.numbers != "")}" data-task="{name}">'
        f"<figcaption>{caption}</figcaption>{pictures}"
        f'<div class="about">{problem}{legends}<p class="detail">{details}</p></div></figure>'
    )


def swatch(colour: str) -> str:
    """A small square of a colour, ``#rrggbb``."""
    square = f'<rect width="10" height="10" fill="{colour}"/>'
    return f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{square}</svg>'


def placeholder(name: str, width: int, height: int) -> str:
    """In place of a picture that cannot be made."""
    label = f"{escape(name)}, not decoded"
    return f'<svg class="lost" viewBox="0 0 {width} {height}" role="img" aria-label="{label}"></svg>'


def _pictures(task: TaskView, decoded: Picture) -> str:
    """The decoded picture; if there is an original, with that, the map of errors and a slider."""
    name, headline = task.name, texts.headline(task)
    images = image(decoded, "decoded", f"{name}, decoded{': ' if headline else ''}{headline}")
    if task.original is None:
        return f'<div class="compare">{images}</div>'
    if task.error_map is not None and task.error_scale is not None:
        images += image(task.error_map, "error", f"{name}, errors from 0 to {task.error_scale.end}")
    images += f'<span class="over">{image(task.original, "original", f"{name}, original")}</span>'
    return f'<div class="compare both">{images}{before_after(name)}</div>'


def before_after(name: str) -> str:
    """The slider over the pictures of a task, of which one is the original."""
    return (
        '<input class="at" type="range" min="0" max="100" value="50" '
        f'aria-label="{escape(name)}: how much of the original is seen">'
        '<span class="handle" aria-hidden="true"></span>'
        '<span class="tag left" aria-hidden="true">original</span>'
        '<span class="tag right" aria-hidden="true">decoded</span>'
    )


def image(picture: Picture, role: str, description: str) -> str:
    """A picture; ``role`` is ``decoded``, ``original`` or ``error``."""
    return (
        f'<img class="{role}" src="{picture.uri}" width="{picture.width}" height="{picture.height}" '
        f'alt="{escape(description)}" decoding="async" draggable="false">'
    )


def scale_bar(scale: Scale, role: str, prefix: str = "") -> str:
    """A colour map with its numbers; ``role`` is ``values`` or ``errors``."""
    ticks = [*scale.ticks[:-1], scale.end]
    ticks[0] = prefix + ticks[0]
    return (
        f'<div class="scale {role}"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="1" fill="url(#map-{scale.colour_map})"/></svg>'
        f"<p>{''.join(f'<span>{escape(tick)}</span>' for tick in ticks)}</p></div>"
    )


def id_list(task: TaskView) -> str:
    """The legend of ids."""
    items = "".join(
        f'<li title="{texts.percent(label.share)} of pixels">{swatch(label.colour)}{label.id}</li>'
        for label in task.labels
    )
    more = f"<li>and {task.hidden_labels} more</li>" if task.hidden_labels else ""
    return f'<ul class="ids" aria-label="Colours of ids">{items}{more}</ul>'
