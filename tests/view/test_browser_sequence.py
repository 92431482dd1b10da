"""The page of a sequence in a browser: the slider in time, keys, playing, plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from view.browser import CHROMIUM, Browser

import mtcodec
from mtcodec.tasks import USUAL
from mtcodec.view.sequence import view_clip
from mtcodec.view.sequence_html import render_clip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of rgb and depth."""
    directory = tmp_path_factory.mktemp("clip")
    with mtcodec.SequenceWriter(directory / "c.mtc", group=2, fps=20, coding="classical") as writer:
        for number in range(5):
            rgb = np.full((24, 32, 3), 50 * number, np.uint8)
            writer.append({"rgb": rgb, "depth": np.full((12, 16), 1000 + number, np.uint16)})
    clip = mtcodec.open(directory / "c.mtc")
    page = directory / "page.html"
    page.write_bytes(render_clip(view_clip("c", clip, range(5), clip.tasks, USUAL)))
    return page


@pytest.fixture
def page(browser: Browser, html: Path) -> Iterator[Browser]:
    browser.open_window(900, 900)
    browser.go(html)
    yield browser
    assert browser.errors == []


def seen(page: Browser) -> list[str]:
    """By task, the number of the frame that is seen."""
    script = "all('.frame').filter(part => part.offsetParent).map(part => part.dataset.frame)"
    return list(page.run(script))


def test_the_slider_moves_all_tasks(page: Browser) -> None:
    assert seen(page) == ["0", "0"]
    left, top, width, height = page.box(".time")
    for kind in ("mousePressed", "mouseReleased"):
        page.mouse(kind, left + width / 2, top + height / 2)
    page.settle()
    assert seen(page) == ["2", "2"]
    assert page.run("all('.when p').filter(p => p.offsetParent).map(p => p.textContent)") == [
        page.run("labels[2].textContent")
    ]
    assert page.run("one('.time').getAttribute('aria-valuetext')") == page.run("labels[2].textContent")


def test_arrow_keys_go_from_frame_to_frame(page: Browser) -> None:
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert seen(page) == ["2", "2"]
    page.press("ArrowLeft")
    assert seen(page) == ["1", "1"]
    page.run("one('.time').focus()")
    page.press("ArrowRight")  # not twice
    assert seen(page) == ["2", "2"]
    page.press("End", 35)
    page.press("ArrowRight")
    assert seen(page) == ["4", "4"]


def test_space_plays_and_stops(page: Browser) -> None:
    page.press(" ", 32)
    assert page.run("one('.play').textContent") == "Pause"
    page.until("now >= 2")
    page.press(" ", 32)
    stopped = page.run("now")
    page.run("new Promise(resolve => setTimeout(resolve, 200))")
    assert page.run("now") == stopped and page.run("one('.play').textContent") == "Play"
    page.click(".play")
    page.until(f"now !== {stopped}")


def test_a_click_on_a_plot_goes_there(page: Browser) -> None:
    left, top, width, height = page.box(".bytes-plot svg")
    for kind in ("mousePressed", "mouseReleased"):
        page.mouse(kind, left + 0.7 * width, top + height / 2)
    page.settle()
    assert seen(page) == ["3", "3"]
    assert float(page.run("one('.cursor').getAttribute('x1')")) == 700


@pytest.mark.parametrize("width", [320, 400, 800, 1600])
def test_nothing_is_wider_than_the_window(browser: Browser, html: Path, width: int) -> None:
    browser.open_window(width, 900)
    browser.go(html)
    assert browser.run("document.documentElement.scrollWidth") <= width
