"""The whole page: markup, style and script in one file that may load nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape as esc
from importlib.resources import files
from string import Template

from mtcodec.view import markup, texts
from mtcodec.view.pictures import sizing
from mtcodec.view.scene import SceneView


def page(title: str, count: int, found: Sequence[SceneView]) -> bytes:
    """The HTML file of ``found``, of ``count`` scenes that there are."""
    style, script = _part("page.css"), _part("page.js")
    alone = count == 1
    articles = "".join(markup.scene(one, k, alone) for k, one in enumerate(found, 1))
    body = articles if alone else _sheet(title, count, found) + f'<div class="cards">{articles}</div>'
    html = Template(_part("page.html")).substitute(
        title=esc(f"{title} – mtcodec"), policy=_policy(style, script), style=style, script=script,
        view=_classes(alone, found), gradients=markup.gradients(), body=body, note=esc(_note(alone, found)),
    )  # fmt: skip
    return html.encode("utf-8", "replace")


def _classes(alone: bool, found: Sequence[SceneView]) -> str:
    """What the style depends on."""
    plain = not any(own.original for one in found for own in one.tasks)
    return ("one" if alone else "sheet") + (" plain" if plain else "")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """What the browser may do: this style, this script, images of the page itself."""
    own = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{own[0]}'; script-src 'sha256-{own[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sheet(title: str, count: int, found: Sequence[SceneView]) -> str:
    """The head of a contact sheet."""
    sizes = [one.facts["bytes"] for one in found if one.facts]
    total, before = sum(sizes), [one.original_bytes for one in found if one.facts]
    versus = texts.smaller(total, sum(before)) if all(before) else ""
    told = [texts.plural(count, "scene")]
    if len(found) < count:
        told = [f"the first {len(found)} of {texts.plural(count, 'scene')} (--limit shows more)"]
    if sizes:
        told.append(f"{texts.size(total / len(sizes))} a scene")
    measured = [value for one in found if (value := texts.decibels(one)) is not None]
    if measured:
        told.append(f"{sum(measured) / len(measured):.1f} dB on average")
    orders = ["name", "bytes"] + (["error"] if measured else [])
    options = "".join(
        f'<label><input type="radio" name="order" value="{name}"{" checked" if name == "name" else ""}>'
        f"<span>{name}</span></label>"
        for name in orders
    )
    return (
        f'<header class="head"><h1><bdi>{esc(title)}</bdi></h1>{markup.hero(total, versus)}'
        f'<p class="facts">{" · ".join(map(esc, told))}</p>'
        f'<fieldset class="order"><legend>Sort by</legend>{options}</fieldset></header>'
    )


def _note(alone: bool, found: Sequence[SceneView]) -> str:
    """How far pictures of the page are those of the file."""
    size = sizing(1 if alone else len(found))
    facts = found[0].facts if alone else {}
    if facts and size.keeps(facts["height"], facts["width"]):
        return "Pictures on this page show every pixel as it was decoded."
    return (
        f"Pictures on this page are at most {size.side} pixels wide or high, and photographs and normals are "
        f"JPEG of quality {size.quality}. Bytes and measures are those of the file itself."
    )
