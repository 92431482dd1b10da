"""The page in a browser: sliders, keys, maps of errors, contact sheets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from view.browser import CHROMIUM, Browser
from view.pages import BLUE, RED, Make

from mtcodec.files.trees.search import SceneFiles

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

RGB, DEPTH = "[data-task=rgb] .compare", "[data-task=depth] .compare"
Open = Callable[..., Browser]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page; at the end, it must have had no errors and requested nothing."""

    def open_in_browser(html: bytes, fragment: str = "", width: int = 900, **settings: bool) -> Browser:
        path = tmp_path / "page.html"
        path.write_bytes(html)
        browser.open_window(width, 900, **settings)
        browser.go(path, fragment)
        return browser

    yield open_in_browser
    assert browser.errors == []


def colour(page: Browser, selector: str, share: float) -> tuple[int, ...]:
    """The colour at a share of an element's width, a quarter down."""
    left, top, width, height = page.box(selector)
    page.settle()
    seen = imagecodecs.png_decode(page.picture())
    return tuple(int(value) for value in seen[int(top + height / 4), int(left + share * width)][:3])


def near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other)) < 12


def test_dragging_moves_the_slider_of_all_tasks(
    data: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"office": data}, original))
    assert near(colour(page, RGB, 0.3), RED) and near(colour(page, RGB, 0.7), BLUE)
    page.drag(RGB, 0.5, 0.9)
    assert near(colour(page, RGB, 0.7), RED) and near(colour(page, RGB, 0.95), BLUE)
    assert page.run("document.querySelector('[data-task=depth] .at').value") == pytest.approx("90")
    page.click(".together input")
    page.drag(DEPTH, 0.9, 0.2)
    assert near(colour(page, RGB, 0.7), RED)
    page.drag(RGB, 0.9, 0.1)
    assert near(colour(page, RGB, 0.3), BLUE)


def test_fingers_move_it_on_a_phone(data: bytes, original: SceneFiles, make: Make, open_page: Open) -> None:
    page = open_page(make({"office": data}, original), width=375, touch=True)
    page.swipe(RGB, 0.5, 0.9)
    assert near(colour(page, RGB, 0.7), RED)
    assert page.run("document.documentElement.scrollWidth") == 375


def test_keys_move_it_and_focus_is_seen(
    data: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"office": data}, original))
    page.run("document.querySelector('.at').focus({focusVisible: true})")
    for _ in range(15):
        page.press("ArrowRight")
    assert page.run("document.activeElement.getAttribute('aria-valuetext')") == "80 % original"
    assert near(colour(page, RGB, 0.7), RED)
    assert page.run("getComputedStyle(document.activeElement.parentElement).outlineStyle") == "solid"
    page.press("Home")
    assert near(colour(page, RGB, 0.05), BLUE)
    for _ in range(30):
        page.press("Tab")
        if page.run("document.activeElement.closest('[data-task=semantic]') !== null"):
            return
    pytest.fail("no way to the last task")


def test_maps_of_errors_are_shown_on_demand(
    data: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"office": data}, original))
    scale = "getComputedStyle(document.querySelector('[data-task=rgb] .scale.errors')).display"
    before = colour(page, RGB, 0.8)
    assert page.run(scale) == "none"
    page.press("e")
    assert page.run("document.querySelector('.tools .errors').getAttribute('aria-pressed')") == "true"
    assert page.run(scale) == "block" and near(colour(page, RGB, 0.8), (252, 253, 191))  # the largest error
    assert near(colour(page, RGB, 0.2), RED)
    page.click(".tools .errors")
    assert colour(page, RGB, 0.8) == before and page.run(scale) == "none"


def test_zoom_enlarges_what_is_under_the_pointer(data: bytes, make: Make, open_page: Open) -> None:
    page = open_page(make({"office": data}))
    labels = "[data-task=semantic] .compare"
    whole = [colour(page, labels, share) for share in (0.1, 0.9)]
    left, top, _, height = page.box(labels)
    page.mouse("mouseMoved", left + 2, top + height / 4)
    page.press("z")
    page.press("z")
    zoomed = [colour(page, labels, share) for share in (0.1, 0.9)]
    assert whole[0] == zoomed[0] == zoomed[1] != whole[1]


def test_a_contact_sheet_opens_scenes_and_goes_back(
    data: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"one": data, "scene": data, "two": data}, original))
    articles = "[...document.querySelectorAll('article')]"
    names = articles + ".filter(e => e.offsetParent).map(e => e.dataset.name).join()"
    wide = "document.querySelector('#scene-2 .compare').getBoundingClientRect().width"
    page.until(f"{names} === 'one,scene,two'")
    small = page.run(wide)
    page.click("#scene-2 .opener")
    page.until(f"{names} === 'scene'")
    assert page.run("location.hash") == "#scene-2"
    assert page.run(wide) > 1.5 * small and near(colour(page, "#scene-2 " + RGB, 0.3), RED)
    page.drag("#scene-2 " + RGB, 0.5, 0.9)
    assert near(colour(page, "#scene-2 " + RGB, 0.7), RED)
    page.press("ArrowRight")  # the picture has the focus: its slider moves
    page.until(f"{names} === 'scene'")
    page.click(".step[data-step='1']")
    page.until(f"{names} === 'two'")
    assert page.run("document.querySelectorAll('.step')[1].disabled")
    page.press("Escape")
    page.until(f"{names} === 'one,scene,two'")
    assert page.run("document.activeElement.getAttribute('aria-label')") == "Open two"
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    page.press("Enter")
    page.until(f"{names} === 'one'")
    page.call("Page.navigate", url=page.run("location.href.split('#')[0] + '#scene-3'"))
    page.until(f"{names} === 'two'")


def test_a_contact_sheet_is_sorted(
    data: bytes, labels_only: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"a2": labels_only, "a10": data, "scene": data}, original))
    order = "[...document.querySelectorAll('article')].map(e => e.dataset.name).join()"
    for name, wanted in (("bytes", "a10,scene,a2"), ("error", "scene,a10,a2"), ("name", "a2,a10,scene")):
        page.click(f"input[value={name}]")
        assert page.run(order) == wanted


def test_dark_schemes_are_dark(data: bytes, make: Make, open_page: Open) -> None:
    html = make({"office": data})
    background = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert max(open_page(html, dark=True).run(background)) < 40
    assert min(open_page(html).run(background)) > 220


def test_paper_shows_both_pictures_side_by_side(
    data: bytes, original: SceneFiles, make: Make, open_page: Open
) -> None:
    page = open_page(make({"office": data}, original))
    page.call("Emulation.setEmulatedMedia", media="print")
    seen = imagecodecs.png_decode(page.picture(whole=True))[..., :3].astype(np.int16)
    counts = [int((np.abs(seen - hue).max(axis=-1) < 12).sum()) for hue in (RED, BLUE)]
    assert min(counts) > 10_000 and max(counts) < 1.1 * min(counts)
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"


def test_a_hostile_name_runs_no_script(data: bytes, make: Make, open_page: Open) -> None:
    name = "<img src=x onerror='window.broken = 1'><script>window.broken = 1</script>"
    page = open_page(make({name: data, "other": data}), "#scene-1")
    assert page.run("window.broken === undefined && document.querySelector('.open h2').textContent") == name
