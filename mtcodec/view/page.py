"""The whole page: markup, style and script in one file that may load nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from mtcodec.view import colours, texts
from mtcodec.view.scene import SceneView
from mtcodec.view.scene_html import article, total_size


def render_page(title: str, count: int, scenes: Sequence[SceneView]) -> bytes:
    """The HTML file of ``scenes``, of ``count`` scenes that there are."""
    single = count == 1
    body = "".join(article(scene, number, single) for number, scene in enumerate(scenes, 1))
    if not single:
        body = f'{_sheet_header(title, count, scenes)}<div class="cards">{body}</div>'
    classes = ("one" if single else "sheet") + " plain" * (not any(scene.compared for scene in scenes))
    return fill_page(title, classes, body, texts.picture_note(scenes, count))


def fill_page(title: str, classes: str, body: str, note: str, also: Sequence[str] = ()) -> bytes:
    """The HTML file of a page.

    Args:
        classes: of its body.
        body: markup of what it shows.
        note: the text below that.
        also: names of styles and scripts besides those of all pages.
    """
    style = "".join(_read(f"{name}.css") for name in ("page", *also))
    script = "".join(_read(f"{name}.js") for name in ("page", *also))
    html = Template(_read("page.html")).substitute(
        title=escape(f"{title} – mtcodec"), policy=_policy(style, script), style=style, script=script,
        classes=classes, gradients=_gradients(), body=body, note=escape(note),
    )  # fmt: skip
    return html.encode("utf-8", "replace")


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """What the browser may use: this style, this script, images of the page itself."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _gradients() -> str:
    """The colour maps, for the bars of scales."""
    gradients = ""
    for name, anchors in colours.MAPS.items():
        gradients += f'<linearGradient id="map-{name}">'
        last = len(anchors.split()) - 1
        for index, anchor in enumerate(anchors.split()):
            gradients += f'<stop offset="{index / last:.4g}" stop-color="#{anchor}"/>'
        gradients += "</linearGradient>"
    return f'<svg class="defs" width="0" height="0" aria-hidden="true">{gradients}</svg>'


def _sheet_header(title: str, count: int, scenes: Sequence[SceneView]) -> str:
    """Above the cards of a contact sheet: sizes, and the order."""
    readable = [scene for scene in scenes if scene.facts]
    originals = [scene.original_bytes for scene in readable]
    size = total_size(
        sum(scene.facts["bytes"] for scene in readable), sum(originals) if all(originals) else 0
    )
    details = escape(texts.sheet_details(scenes, count))
    orders = ["name", "bytes"]
    if any(texts.decibels(scene) is not None for scene in scenes):
        orders.append("error")
    options = ""
    for order in orders:
        checked = " checked" * (order == "name")
        radio = f'<input type="radio" name="order" value="{order}"{checked}>'
        options += f"<label>{radio}<span>{order}</span></label>"
    return (
        f'<header class="head"><h1><bdi>{escape(title)}</bdi></h1>{size}<p class="facts">{details}</p>'
        f'<fieldset class="order"><legend>Sort by</legend>{options}</fieldset></header>'
    )
