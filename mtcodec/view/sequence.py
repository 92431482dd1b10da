"""A sequence as a page shows it: frames at equal distances, tasks in one style each, bytes by group.

::

    clip ─ sequence_frames ─┬─ sequence_drawing ─► a TaskOfClip for each task: one style, a picture by frame
    originals, if given   ──┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mtcodec.errors import FormatError, MtcodecError, WeightsError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.trees.search import SceneFiles
from mtcodec.sequences.info import sequence_summary
from mtcodec.sequences.read import Sequence as Clip
from mtcodec.tasks import Declarations
from mtcodec.view.pictures import Sizing
from mtcodec.view.scene import original_bytes_of
from mtcodec.view.sequence_drawing import SIZINGS, Drawing, Progress
from mtcodec.view.sequence_task import TaskOfClip


@dataclass
class FrameLabel:
    """A frame; ``time`` is in seconds, None where frames have none. ``name`` is "" where it is lost."""

    number: int
    name: str
    time: float | None


@dataclass
class GroupBytes:
    """A group: its frames from ``start`` to before ``stop``, and bytes by section, "header" among them."""

    start: int
    stop: int
    sections: Mapping[str, int]


@dataclass
class ClipView:
    """What a page shows of a sequence.

    Attributes:
        facts: of :func:`mtcodec.sequences.info.sequence_summary`.
        asked_frames: how many frames were asked for; those at equal distances are shown.
        original_bytes: of the original files of all frames, 0 where they are not all there.
        sizing: of its pictures.
        problems: lines about all that went wrong. errors: why it is not seen whole.
    """

    title: str
    facts: Mapping[str, Any]
    asked_frames: int
    labels: list[FrameLabel]
    groups: list[GroupBytes]
    tasks: list[TaskOfClip] = field(default_factory=list)
    original_bytes: int = 0
    sizing: Sizing = SIZINGS[0]
    problems: list[str] = field(default_factory=list)
    errors: list[MtcodecError] = field(default_factory=list)

    @property
    def compared(self) -> bool:
        """Is there an original of any frame?"""
        return any(frame.original for task in self.tasks for frame in task.frames.values())


def view_clip(
    title: str,
    clip: Clip,
    numbers: Sequence[int],
    tasks: Sequence[str],
    known: Declarations,
    asked_frames: int = 0,
    originals: Mapping[int, SceneFiles] = {},
    progress: Progress = lambda done, total: None,
    note: Note = ignore,
) -> ClipView:
    """Everything that a page shows of a sequence; what is damaged is told in its place.

    Args:
        numbers: of the frames that are shown, one or more, ascending.
        tasks: that are shown.
        known: what tasks are declared to be.
        asked_frames: of how many frames these are a choice; 0: all are shown.
        originals: by number of frame.
        progress: called with the number of frames that are done, and of all; each counts twice.
        note: takes a line about what is lost or assumed when originals are read.

    Raises:
        LimitError: larger images than are allowed. WeightsError: nothing can be decoded without.
    """
    facts, labels = sequence_summary(clip, title), [_label(clip, number) for number in numbers]
    view = ClipView(title, facts, asked_frames or len(numbers), labels, _groups(clip))
    view.original_bytes = _original_bytes(clip, originals)
    view.tasks = [_task(name, facts, known, numbers, originals) for name in tasks]
    drawing = Drawing(clip, view.tasks, known, originals, losses_once(note), progress)
    with np.errstate(all="ignore"):  # values may be as large as floats can be
        drawing.survey(numbers)
        drawing.choose_sizing(numbers)
        drawing.draw(numbers)
    view.sizing, view.errors = drawing.sizing, drawing.errors
    if all(task.view is None for task in view.tasks):
        for error in view.errors:
            if isinstance(error, WeightsError):
                raise error
    view.problems = [*facts["damaged"], *drawing.problems]
    view.tasks.sort(key=_place)
    return view


def _task(
    name: str,
    facts: Mapping[str, Any],
    known: Declarations,
    numbers: Sequence[int],
    originals: Mapping[int, SceneFiles],
) -> TaskOfClip:
    units = (files.units.get(name) for files in originals.values())
    unit = facts["tasks"].get(name, {}).get("unit") or next(filter(None, units), None)
    return TaskOfClip(name, len(numbers), known, unit)


def _place(task: TaskOfClip) -> int:
    """Colours come first, numbers last."""
    if task.view is None or task.is_numbers:
        return 2 if task.is_numbers else 1
    return int(task.view.task.kind.name != "color")


def _label(clip: Clip, number: int) -> FrameLabel:
    group = clip.group_of(number)
    try:
        time = clip.exact_time(number)
        name = clip.names_in(group)[number - clip.starts[group]]
    except FormatError:
        return FrameLabel(number, "", None)
    return FrameLabel(number, name, None if time is None else float(time))


def _groups(clip: Clip) -> list[GroupBytes]:
    """Bytes of the groups; none of those whose headers are damaged."""
    groups = []
    for number, (start, stop) in enumerate(pairwise(clip.starts)):
        try:
            header = clip.group(number).header
        except FormatError:
            continue
        sections = {section.name: section.length for section in header.sections}
        groups.append(GroupBytes(start, stop, {"header": header.size, **sections}))
    return groups


def _original_bytes(clip: Clip, originals: Mapping[int, SceneFiles]) -> int:
    """Bytes of the files of all frames; 0 where some are missing."""
    if len(originals) < len(clip):
        return 0
    total = 0
    for number, files in originals.items():
        header = clip.group(clip.group_of(number)).header
        start = clip.starts[clip.group_of(number)]
        tasks = [name for name in header.tasks if number - start in header.frames_of(name)]
        count = original_bytes_of(files, [name for name in tasks if not header.task(name).attributes.shape])
        if not count:
            return 0
        total += count
    return total
