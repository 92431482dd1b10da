"""A sequence as a page of HTML. Whatever comes from a file passes :func:`html.escape`.

All that belongs to one frame has its place among those that are shown as ``data-frame``; the script
shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from mtcodec.view import colours, sequence_texts
from mtcodec.view.page import fill_page
from mtcodec.view.scene_html import bytes_by_section, total_size
from mtcodec.view.sequence import ClipView, FrameLabel
from mtcodec.view.sequence_plots import bytes_plot, extent, position, psnr_plot
from mtcodec.view.sequence_task import FrameView, TaskOfClip
from mtcodec.view.task_html import before_after, id_list, image, placeholder, scale_bar, swatch


def render_clip(view: ClipView) -> bytes:
    """The HTML file of a sequence."""
    names = [task.name for task in view.tasks]
    problems = "".join(f'<p class="problem">{escape(problem)}</p>' for problem in view.problems)
    figures = {
        task.name: _figure(task, view, colours.of_task(place)) for place, task in enumerate(view.tasks)
    }
    images = "".join(figures[task.name] for task in view.tasks if not task.is_numbers)
    numbers = "".join(figures[task.name] for task in view.tasks if task.is_numbers)
    count = sum(not task.is_numbers for task in view.tasks)
    rows = f'<div class="tasks of-{count}">{images}</div>' * bool(images)
    rows += f'<div class="tasks of-numbers">{numbers}</div>' * bool(numbers)
    body = (
        f'<article class="scene alone open clip"><header><h1 class="name" tabindex="-1">'
        f"<bdi>{escape(view.title)}</bdi></h1></header>"
        f'<div class="full">{total_size(view.facts["bytes"], view.original_bytes)}'
        f'<p class="facts">{escape(sequence_texts.clip_details(view))}</p></div>{problems}'
        f"{_player(view)}{rows}"
        f"{_over_time(view, names)}{bytes_by_section(view.facts, names)}</article>"
    )
    classes = "one" if view.compared else "one plain"
    return fill_page(view.title, classes, body, sequence_texts.picture_note(view), ("sequence",))


def _of_frame(place: int, tag: str, content: str, attributes: str = "") -> str:
    """An element that belongs to a frame; only that of the first one is seen at first."""
    hidden = " hidden" * (place > 0)
    return f'<{tag} data-frame="{place}"{attributes}{hidden}>{content}</{tag}>'


def _player(view: ClipView) -> str:
    """The slider in time, and the name, number and time of the frame that is seen."""
    limits, count = extent(view), len(view.labels)
    labels = "".join(
        _of_frame(place, "p", _label(label, view), _where(label, limits))
        for place, label in enumerate(view.labels)
    )
    disabled = " disabled" * (count == 1)
    return (
        f'<div class="player" role="group" aria-label="Time"><button type="button" class="play" '
        f'aria-pressed="false" aria-keyshortcuts="Space"{disabled}>Play</button>'
        f'<input class="time" type="range" min="0" max="{count - 1}" value="0" step="1" '
        f'aria-label="Frame"{disabled}><div class="when">{labels}</div></div>'
    )


def _label(label: FrameLabel, view: ClipView) -> str:
    name = f"<b><bdi>{escape(label.name)}</bdi></b> " if label.name else ""
    return f"{name}<span>{escape(sequence_texts.frame_place(label, view))}</span>"


def _where(label: FrameLabel, limits: tuple[int, int]) -> str:
    """Where a frame lies in plots, and when."""
    at = "" if label.time is None else f' data-at="{label.time!r}"'
    return f' data-x="{position(label.number + 0.5, limits):.2f}"{at}'


def _figure(task: TaskOfClip, view: ClipView, colour: str) -> str:
    """A task: what is seen of it in each frame, scales, and what holds for all."""
    name, clip_task = escape(task.name), task.view
    headline = escape(sequence_texts.headline(task))
    numbers = task.is_numbers
    enlarge = '<button type="button" class="enlarge" aria-pressed="false">Enlarge</button>'
    caption = f'<h3>{swatch(colour)}{name}</h3><p class="measure">{headline}</p>{"" if numbers else enlarge}'
    frames = "".join(
        _frame(place, task, task.frames[label.number], label) for place, label in enumerate(view.labels)
    )
    both = any(frame.original is not None for frame in task.frames.values())
    slider = before_after(task.name) if both else ""
    legends = ""
    if clip_task is not None:
        legends += scale_bar(clip_task.scale, "values") if clip_task.scale else ""
        legends += scale_bar(clip_task.error_scale, "errors", "error ") if clip_task.error_scale else ""
        legends += id_list(clip_task) if clip_task.labels else ""
    details = escape(sequence_texts.task_details(task, view))
    return (
        f'<figure class="task{" numbers" * numbers}" data-task="{name}"><figcaption>{caption}</figcaption>'
        f'<div class="compare{" both" * both}">{frames}{slider}</div>'
        f'<div class="about">{legends}<p class="detail">{details}</p></div></figure>'
    )


def _frame(place: int, task: TaskOfClip, frame: FrameView, label: FrameLabel) -> str:
    """What is seen of a task in one frame."""
    name = f"{task.name}, frame {label.number}"
    if frame.numbers:
        text = f'<pre tabindex="0" aria-label="{escape(name)}">{escape(frame.numbers)}</pre>'
        return _of_frame(place, "div", text, ' class="frame"')
    if frame.decoded is None:
        width, height = (16, 2) if task.is_numbers else (4, 3)
        if task.view is not None and not task.is_numbers:
            width, height = task.view.width, task.view.height
        why = f'<p class="why{" problem" * (frame.error is not None)}">{escape(frame.lack)}</p>'
        return _of_frame(place, "div", placeholder(name, width, height) + why, ' class="frame lacking"')
    images = image(frame.decoded, "decoded", f"{name}, decoded")
    if frame.error_map is not None:
        images += image(frame.error_map, "error", f"{name}, errors")
    if frame.original is not None:
        images += f'<span class="over">{image(frame.original, "original", f"{name}, original")}</span>'
    elif frame.compare_problem:
        images += f'<p class="why problem">{escape(frame.compare_problem)}</p>'
    return _of_frame(place, "div", images, f' class="frame{" pair" * (frame.original is not None)}"')


def _over_time(view: ClipView, names: list[str]) -> str:
    """Plots over all frames, and what they say of the one that is seen."""
    psnrs: Mapping[str, Mapping[int, float]] = {
        task.name: {n: frame.psnr for n, frame in task.frames.items() if frame.psnr is not None}
        for task in view.tasks
    }
    tasks = [*names, *(name for name in view.facts["tasks"] if name not in names)]
    plots = (
        (psnr_plot(view, psnrs, tasks), "PSNR by frame", sequence_texts.psnrs_of_frame),
        (bytes_plot(view, tasks), "Bytes by group", sequence_texts.bytes_of_frame),
    )
    sections = ""
    for plot, title, text_of in plots:
        if plot:
            texts = [escape(text_of(view, label.number)) for label in view.labels]
            lines = "".join(
                _of_frame(place, "p", text, ' class="detail"') for place, text in enumerate(texts)
            )
            sections += f"<section><h2>{title}</h2>{plot}{lines}</section>"
    return f'<div class="over-time">{sections}</div>'
