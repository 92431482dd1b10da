"""Scenes as HTML. Whatever comes from a file passes :func:`esc`; there are no styles in attributes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as esc

from mtcodec.view import colours, texts
from mtcodec.view.looks import Scale
from mtcodec.view.pictures import Picture
from mtcodec.view.scene import SceneView
from mtcodec.view.task import TaskView


def gradients() -> str:
    """The colour maps, for the bars of scales."""
    maps = ""
    for name, anchors in colours.ANCHORS.items():
        hues = anchors.split()
        stops = "".join(
            f'<stop offset="{k / (len(hues) - 1):.4g}" stop-color="#{hue}"/>' for k, hue in enumerate(hues)
        )
        maps += f'<linearGradient id="map-{name}">{stops}</linearGradient>'
    return f'<svg class="defs" width="0" height="0" aria-hidden="true">{maps}</svg>'


def scene(view: SceneView, index: int, alone: bool) -> str:
    """An article: a card of the contact sheet, and the scene itself once it is opened."""
    name, level = esc(view.name), 1 if alone else 2
    psnr = texts.decibels(view)
    data = f'data-name="{name}" data-bytes="{view.facts.get("bytes", 0)}"'
    data += f' data-psnr="{psnr:.4f}"' if psnr is not None else ""
    opener = "" if alone else f'<a class="opener" href="#scene-{index}" aria-label="Open {name}"></a>'
    brief = "" if alone else f'<p class="brief">{_brief(view, psnr)}</p>'
    problem = f'<p class="problem">{esc(view.problem)}</p>' if view.problem else ""
    parts, tasks = "", f'<figure class="task">{_lost(name, 4, 3)}</figure>'
    if view.facts:
        parts = f'<div class="full">{_hero(view)}{_bytes(view)}</div>'
        tasks = "".join(task(own, view, k) for k, own in enumerate(view.tasks))
    problem += f'<div class="tasks of-{min(max(len(view.tasks), 1), 6)}">{tasks}</div>'
    heading = f'<h{level} class="name" tabindex="-1"><bdi>{name}</bdi></h{level}>'
    return (
        f'<article class="scene{" alone open" if alone else ""}" id="scene-{index}" {data}>'
        f"{opener}<header>{heading}{brief}</header>{parts}{problem}</article>"
    )


def _brief(view: SceneView, psnr: float | None) -> str:
    """Below a card."""
    if not view.facts:
        return f'<span class="problem">{esc(view.problem)}</span>'
    lost = sum(own.decoded is None for own in view.tasks)
    shown = texts.size(view.facts["bytes"])
    shown += f" · {psnr:.1f} dB" if psnr is not None else ""
    return shown + (f" · {lost} of {texts.plural(len(view.tasks), 'task')} not decoded" if lost else "")


def hero(count: int, versus: str) -> str:
    """A size, large."""
    number, _, unit = texts.size(count).partition(" ")
    versus = f'<span class="versus">{esc(versus)}</span>' if versus else ""
    return f'<p class="hero"><strong>{number}</strong> <b>{unit}</b> {versus}</p>'


def _hero(view: SceneView) -> str:
    facts = view.facts
    told = [
        f"{texts.plural(len(facts['tasks']), 'image')} of {facts['width']} × {facts['height']}",
        f"{facts['bpp']:.3g} bits a pixel",
    ]
    if facts["quality"] is not None:
        told.append(f"quality {facts['quality']:g}")
    if facts["weights"] is not None:
        told.append(f"weights {facts['weights']['name'] or facts['weights']['fingerprint']}")
    if not facts["complete"]:
        told.append("the file ends before its last section does")
    line = " · ".join(map(esc, told))
    return (
        hero(facts["bytes"], texts.smaller(facts["bytes"], view.original_bytes))
        + f'<p class="facts">{line}</p>'
    )


def _bytes(view: SceneView) -> str:
    """Bytes of sections, as one bar and a list."""
    order = [own.name for own in view.tasks]
    order += [name for name in view.facts["tasks"] if name not in order]
    rows = texts.sections(view.facts, order)
    total = max(sum(row[1] for row in rows), 1)
    bar, at, items = "", 0.0, ""
    for name, count, coding, hue in rows:
        width = 1000 * count / total
        bar += f'<rect x="{at:.2f}" width="{width:.2f}" height="10" fill="{hue}"/>'
        at += width
        told = f" <span>{esc(coding)}</span>" if coding else ""
        items += (
            f"<li>{swatch(hue)}<p><b>{esc(name)}</b>{told}</p> <p><span>{texts.size(count)}</span> "
            f"<span>{texts.percent(count / total)}</span></p></li>"
        )
    return (
        '<section class="bytes" aria-label="Bytes by section">'
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'
        f"<ul>{items}</ul></section>"
    )


def swatch(hue: str) -> str:
    square = f'<rect width="10" height="10" fill="{hue}"/>'
    return f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{square}</svg>'


def task(own: TaskView, view: SceneView, index: int) -> str:
    """A figure: pictures to compare, scales, and what is known of the task."""
    name, headline = esc(own.name), texts.headline(own)
    hue = colours.TASKS[index % len(colours.TASKS)]
    enlarge = '<button type="button" class="enlarge" aria-pressed="false">Enlarge</button>'
    caption = f'<h3>{swatch(hue)}{name}</h3><p class="measure">{esc(headline)}</p>{enlarge}'
    problem = f'<p class="problem">{esc(own.problem)}</p>' if own.problem else ""
    body = _lost(name, view.facts["width"], view.facts["height"]) if own.decoded is None else _pictures(own)
    return (
        f'<figure class="task" data-task="{name}"><figcaption>{caption}</figcaption>{body}<div class="about">'
        f'{problem}{_scales(own)}<p class="detail">{esc(_detail(own, view))}</p></div></figure>'
    )


def _lost(name: str, width: int, height: int) -> str:
    """What stands for a picture that nobody can draw."""
    return (
        f'<svg class="lost" viewBox="0 0 {width} {height}" role="img" aria-label="{name}, not decoded"></svg>'
    )


def _pictures(own: TaskView) -> str:
    name, headline = esc(own.name), esc(texts.headline(own))
    assert own.decoded is not None
    images = _image(own.decoded, "decoded", f"{name}, decoded{': ' if headline else ''}{headline}")
    if own.original is None:
        return f'<div class="compare">{images}</div>'
    if own.error is not None and own.error_scale is not None:
        images += _image(own.error, "error", f"{name}, errors from 0 to {esc(_with_unit(own.error_scale))}")
    images += f'<span class="over">{_image(own.original, "original", f"{name}, original")}</span>'
    return (
        f'<div class="compare both">{images}<input class="at" type="range" min="0" max="100" value="50" '
        f'aria-label="{name}: how much of the original is seen">'
        '<span class="handle" aria-hidden="true"></span>'
        '<span class="tag left" aria-hidden="true">original</span>'
        '<span class="tag right" aria-hidden="true">decoded</span></div>'
    )


def _image(picture: Picture, role: str, alt: str) -> str:
    return (
        f'<img class="{role}" src="{picture.uri}" width="{picture.width}" height="{picture.height}" '
        f'alt="{alt}" decoding="async" draggable="false">'
    )


def _scales(own: TaskView) -> str:
    """What colours mean: of values, of errors, of ids, of holes."""
    shown = _scale(own.scale, "values", "") if own.scale else ""
    if own.error_scale:
        shown += _scale(own.error_scale, "errors", "error")
    if own.labels:
        ids = "".join(
            f'<li title="{texts.percent(label.share)} of pixels">{swatch(label.colour)}{label.id}</li>'
            for label in own.labels
        )
        more = f"<li>and {own.others} more</li>" if own.others else ""
        shown += f'<ul class="ids" aria-label="Colours of ids">{ids}{more}</ul>'
    return shown


def _scale(scale: Scale, role: str, what: str) -> str:
    ticks = [*scale.ticks[:-1], _with_unit(scale)]
    ticks[0] = f"{what} {ticks[0]}".strip()
    return (
        f'<div class="scale {role}"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="1" fill="url(#map-{scale.colours})"/></svg>'
        f"<p>{''.join(f'<span>{esc(tick)}</span>' for tick in ticks)}</p></div>"
    )


def _with_unit(scale: Scale) -> str:
    """The end of a scale."""
    space = "" if scale.unit in ("", "°") else " "
    return scale.ticks[-1] + space + scale.unit


def _detail(own: TaskView, view: SceneView) -> str:
    """The line below a task."""
    needs = view.facts["tasks"][own.name]
    coding = next(s["coding"] for s in view.facts["sections"] if s["name"] == own.name)
    told: Sequence[str] = [
        f"{texts.size(needs['bytes'])} to decode it alone ({' + '.join(needs['sections'])})",
        coding, *texts.details(own), own.dtype,
        *([f"{texts.percent(own.holes)} holes, hatched"] if own.holes else []),
    ]  # fmt: skip
    return " · ".join(told)
