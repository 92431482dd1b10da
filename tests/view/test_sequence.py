"""Pages of sequences: what each frame shows, and what holds for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared.clips import damaged, write_clip
from shared.commands import write
from view.pages import Element, Tree

import mtcodec
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.tasks import USUAL
from mtcodec.view.sequence import ClipView, view_clip
from mtcodec.view.sequence_drawing import SIZINGS
from mtcodec.view.sequence_frames import spread
from mtcodec.view.sequence_html import render_clip

SIZE = (12, 20)
View = Callable[..., ClipView]


def frame_of(number: int) -> dict[str, np.ndarray]:
    """Every frame is 1 m farther away than the one before; a task of labels is lacking in frame 2."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    images = {
        "rgb": np.full((*SIZE, 3), 20 * number, np.uint8),
        "depth": (1000 * (number + 1) + x + y).astype(np.uint16),
        "semantic": np.full((6, 10), 3 + number, np.uint8),
        "pose": np.arange(4.0) + number,
    }
    return images if number != 2 else {name: images[name] for name in ("rgb", "depth", "pose")}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames in groups of two, ten a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mtc"
    settings = {"coding": "classical", "effort": "fast", "max_error": {"depth": 0}, "numbers": ["pose"]}
    with mtcodec.SequenceWriter(path, group=2, fps=10, **settings) as writer:
        for number in range(6):
            writer.append(frame_of(number), name=f"f{number}")
    return path


@pytest.fixture(scope="module")
def data(path: Path) -> bytes:
    return path.read_bytes()


def view_of(data: bytes, numbers: object = None, tasks: object = None, **settings: object) -> ClipView:
    clip = mtcodec.open(data)
    chosen = list(range(len(clip))) if numbers is None else list(numbers)  # type: ignore[call-overload]
    return view_clip("clip", clip, chosen, tasks or clip.tasks, USUAL, **settings)  # type: ignore[arg-type]


def page_of(view: ClipView) -> Element:
    return Tree(render_clip(view)).root


def figure(root: Element, task: str) -> Element:
    return next(one for one in root.all("figure") if one.attributes["data-task"] == task)


def test_every_frame_has_a_place_and_the_first_is_seen(data: bytes) -> None:
    root = page_of(view_of(data))
    (slider,) = root.all("input", "time")
    assert (slider.attributes["min"], slider.attributes["max"], slider.attributes["value"]) == ("0", "5", "0")
    labels = root.all("div", "when")[0].all("p")
    assert labels[3].text == "f3 frame 3 of 6 · 0.300 s" and labels[3].attributes["data-at"] == "0.3"
    for task in ("rgb", "depth", "semantic", "pose"):
        frames = figure(root, task).all("div", "frame")
        assert [frame.attributes["data-frame"] for frame in frames] == list("012345")
        assert ["hidden" in frame.attributes for frame in frames] == [False] + 5 * [True]


def test_the_range_of_colours_is_that_of_all_frames(data: bytes) -> None:
    root = page_of(view_of(data))
    (scale,) = figure(root, "depth").all("div", "scale")
    assert [tick.text for tick in scale.all("span")] == ["1.01", "3.52", "6.02 m"]
    pictures = [image.attributes["src"] for image in figure(root, "depth").all("img")]
    assert len(set(pictures)) == 6


def test_ids_of_all_frames_are_in_the_legend(data: bytes) -> None:
    ids = figure(page_of(view_of(data)), "semantic").all("ul", "ids")[0]
    assert [item.text for item in ids.all("li")] == ["3", "4", "6", "7", "8"]


def test_a_frame_that_lacks_a_task_says_so(data: bytes) -> None:
    view = view_of(data)
    frames = figure(page_of(view), "semantic").all("div", "frame")
    assert "not in this frame" in frames[2].text and not frames[2].all("img")
    assert frames[1].all("img") and not view.errors and not view.problems


def test_numbers_are_those_of_each_frame(data: bytes) -> None:
    frames = figure(page_of(view_of(data)), "pose").all("div", "frame")
    assert frames[0].text.split() == ["0.0", "1.0", "2.0", "3.0"]
    assert frames[5].text.split() == ["5.0", "6.0", "7.0", "8.0"]


def test_bytes_of_groups_are_those_of_the_file(data: bytes) -> None:
    view = view_of(data)
    clip = mtcodec.open(data)
    assert [(group.start, group.stop) for group in view.groups] == [(0, 2), (2, 4), (4, 6)]
    sizes = [sum(group.sections.values()) for group in view.groups]
    assert sizes == [clip.group(number).header.file_size for number in range(3)]
    bars = page_of(view).all("div", "bytes-plot")[0].all("rect")
    top = max(sum(group.sections.values()) for group in view.groups)
    assert sum(float(bar.attributes["height"]) for bar in bars) == pytest.approx(
        100 * sum(sizes) / top, abs=0.02 * len(bars)
    )


def test_damage_is_shown_in_its_place(data: bytes) -> None:
    clip = mtcodec.open(data)
    header = clip.group(1).header
    depth_at = clip.index.groups[1].offset + header.size
    for section in header.sections:
        if section.name == "depth":
            break
        depth_at += section.length
    view = view_of(damaged(data, depth_at))
    frames = figure(page_of(view), "depth").all("div", "frame")
    assert ["damaged" in frame.text for frame in frames] == [False, False, True, True, False, False]
    assert view.problems == ["frames 2 to 3: depth: damaged (checksum)"] and len(view.errors) == 2
    assert len(figure(page_of(view), "rgb").all("img")) == 6


def test_a_lost_group_leaves_the_others(data: bytes) -> None:
    view = view_of(damaged(data, mtcodec.open(data).index.groups[1].offset + 5))
    root = page_of(view)
    assert len(view.problems) == 1 and view.problems[0].startswith("frames 2 to 3: the header")
    frames = figure(root, "rgb").all("div", "frame")
    assert [bool(frame.all("img")) for frame in frames] == [True, True, False, False, True, True]
    assert root.all("div", "when")[0].all("p")[2].text == "frame 2 of 6"


def test_frames_at_equal_distances_are_told(data: bytes) -> None:
    assert list(spread(range(10), 4)) == [0, 3, 6, 9] and list(spread(range(10), 0)) == list(range(10))
    assert list(spread(range(4, 10), 6)) == list(range(4, 10)) and list(spread(range(9), 1)) == [0]
    root = page_of(view_of(data, [0, 2, 4], asked_frames=6))
    facts = root.all("p", "facts")[0].text
    assert "every 2nd frame is shown, 3 of 6 (--limit and --frames show others)" in facts
    assert "frames 2 to 4 are shown" in page_of(view_of(data, [2, 3, 4])).all("p", "facts")[0].text


def test_some_tasks(data: bytes) -> None:
    root = page_of(view_of(data, tasks=["depth", "pose"]))
    assert [one.attributes["data-task"] for one in root.all("figure")] == ["depth", "pose"]


def test_it_loads_nothing_and_is_the_same_again(data: bytes) -> None:
    html = render_clip(view_of(data))
    assert html == render_clip(view_of(data))
    text = html.decode()
    assert "default-src 'none'" in text and not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert not re.search(r"<[^>]+ style=", text)


@pytest.mark.parametrize("name", ["<img src=x>", "a'b", '"onload="x', "&lt;"])
def test_a_hostile_name_stays_a_name(name: str, tmp_path: Path) -> None:
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", coding="classical", effort="fast") as writer:
        writer.append(frame_of(0), name=name)
    root = page_of(view_of((tmp_path / "c.mtc").read_bytes()))
    assert root.all("div", "when")[0].all("b")[0].text == name


# --- originals -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The originals, of which depth is 10 mm more in frame 4, and frame 5 is missing."""
    directory = tmp_path_factory.mktemp("originals") / "rec"
    for number in range(5):
        for task, image in frame_of(number).items():
            if image.ndim > 1:
                shift = 10 if (number, task) == (4, "depth") else 0
                write(directory / task / f"f{number}.png", (image + shift).astype(image.dtype))
    return directory


def test_errors_by_frame(data: bytes, directory: Path) -> None:
    originals = {int(files.key[-1]): files for files in find_scenes(directory)}
    view = view_of(data, originals=originals)
    depth = next(task for task in view.tasks if task.name == "depth")
    assert depth.view is not None and depth.view.measures["max_error"] == 10
    assert [frame.psnr is not None for frame in depth.frames.values()] == [False] * 4 + [True, False]
    span = 5000 + 10 + 30 - 1000  # the valid pixels of all frames that are compared
    expected = 10 * np.log10(span**2 / 100)
    assert depth.frames[4].psnr == pytest.approx(expected, abs=0.02)
    root = page_of(view)
    assert len(figure(root, "depth").all("img", "original")) == 5
    assert len(figure(root, "depth").all("img", "error")) == 1
    assert root.all("div", "psnr-plot")[0].all("polyline")
    frames = figure(root, "depth").all("div", "frame")
    assert "pair" in frames[4].attributes["class"] and "pair" not in frames[5].attributes["class"]


def test_an_original_of_another_size_is_no_comparison(data: bytes, tmp_path: Path) -> None:
    write(tmp_path / "o" / "rgb" / "f0.png", np.zeros((5, 5, 3), np.uint8))
    view = view_of(data, originals={0: find_scenes(tmp_path / "o")[0]})
    assert "no comparison: cannot compare" in figure(page_of(view), "rgb").all("div", "frame")[0].text
    assert view.problems and "frame 0: no comparison" in view.problems[0] and not view.errors


def test_pages_of_many_frames_have_smaller_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "c.mtc", 8)
    assert view_of(clip.read_bytes()).sizing == SIZINGS[0]
    monkeypatch.setattr("mtcodec.view.sequence_drawing.MAX_PAGE_BYTES", 1)
    view = view_of(clip.read_bytes())
    assert view.sizing == SIZINGS[-1] and "at most 256 pixels" in render_clip(view).decode()


def test_a_scene_is_a_sequence_of_one_frame(tmp_path: Path) -> None:
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", coding="classical", effort="fast") as writer:
        writer.append(frame_of(0), time=Fraction(1, 2))
    (slider,) = page_of(view_of((tmp_path / "c.mtc").read_bytes())).all("input", "time")
    assert "disabled" in slider.attributes


def test_any_dtype_and_number_of_channels(tmp_path: Path) -> None:
    y, x = np.mgrid[:8, :9]
    images = {
        "flow": np.stack([x, y], -1).astype(np.float32),
        "mask": x > y,
        "heat": np.where(x > 4, np.nan, x + y).astype(np.float16),
        "spectrum": np.stack([x + k for k in range(5)], -1).astype(np.int32),
        "one": np.ones((1, 1), np.uint16),
        "ids": (x * 70000).astype(np.int32),
    }
    with mtcodec.SequenceWriter(tmp_path / "c.mtc", coding="classical", effort="fast", group=2) as writer:
        for number in range(3):
            writer.append({name: np.roll(image, number, 1) for name, image in images.items()})
    view = view_of((tmp_path / "c.mtc").read_bytes())
    root = page_of(view)
    assert not view.problems and not view.errors
    assert {name: len(figure(root, name).all("img")) for name in images} == dict.fromkeys(images, 3)


def test_labels_keep_their_colours_and_smaller_tasks_their_size(data: bytes) -> None:
    root = page_of(view_of(data))
    sizes = {
        name: {(i.attributes["width"], i.attributes["height"]) for i in figure(root, name).all("img")}
        for name in ("rgb", "semantic")
    }
    assert sizes == {"rgb": {("20", "12")}, "semantic": {("10", "6")}}
