"""Scenes as a page shows them: their facts, and pictures of every task.

::

    reader ─ facts (codec.info)
       └─ decoded images ─┬─ styles, pictures, error maps ─► SceneView
    originals, if given  ─┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from mtcodec.codec.api import Codec
from mtcodec.codec.info import summary
from mtcodec.container.mtc import Reader
from mtcodec.container.section import NUMBERS
from mtcodec.errors import MtcodecError, SectionError, WeightsError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.scene import ALPHA_SUFFIX, read_scene
from mtcodec.files.sources import MissingSource, size_of
from mtcodec.files.trees.search import SceneFiles
from mtcodec.signals.mapping import Array
from mtcodec.view.numbers import text_of
from mtcodec.view.pictures import Sizing, sizing_for
from mtcodec.view.sources import Scenes, original_of
from mtcodec.view.task import TaskView, add_pictures, declaration_of, unit_of


@dataclass
class SceneView:
    """What a page shows of a scene.

    Attributes:
        facts: of :func:`mtcodec.codec.info.summary`; empty where the file cannot be read at all.
        original_bytes: of the original files of all its tasks, 0 where they are not all there.
        error: why there is nothing to see.
        problem: the same, or why there is no comparison; "" if all is well.
    """

    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    tasks: list[TaskView] = field(default_factory=list)
    original_bytes: int = 0
    error: MtcodecError | None = None
    problem: str = ""

    @property
    def compared(self) -> bool:
        """Is there an original of any task?"""
        return any(task.original for task in self.tasks)

    @property
    def errors(self) -> list[MtcodecError]:
        """Why it is not seen whole."""
        errors = (self.error, *(task.decode_error for task in self.tasks))
        return [error for error in errors if error is not None]

    @property
    def problems(self) -> list[str]:
        """All that went wrong, with the task."""
        task_problems = [f"task {task.name}: {task.problem}" for task in self.tasks if task.problem]
        return [self.problem, *task_problems] if self.problem else task_problems


def view_scenes(
    scenes: Scenes,
    tasks: Sequence[str] | None = None,
    originals: Sequence[SceneFiles] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Note = ignore,
) -> list[SceneView]:
    """Everything that a page shows of ``scenes``; a scene that is damaged has the error instead.

    Args:
        tasks: only these.
        originals: scenes of images, found by their names; a single one belongs to a single scene of any name.
        progress: called before every scene with the number of those that are done, and of all.
        note: takes a line about what is lost or assumed when originals are read.

    Raises:
        WeightsError: of the only scene, if no task can be decoded without.
    """
    views: list[SceneView] = []
    note = losses_once(note)
    sizing = sizing_for(scenes.shown_count)
    for name, reader in scenes.entries:
        progress(len(views), scenes.shown_count)
        if isinstance(reader, MtcodecError):
            views.append(SceneView(name, error=reader, problem=reader.reason))
            continue
        single_pair = scenes.count == len(originals) == 1
        original = originals[0] if single_pair else original_of(name, originals)
        try:
            with np.errstate(all="ignore"):  # values may be as large as floats can be
                views.append(_view_scene(name, reader, scenes.codec, sizing, tasks, original, note))
        except MtcodecError as error:
            if scenes.count == 1:
                raise
            views.append(SceneView(name, error=error, problem=error.reason))
    return views


def _view_scene(
    name: str,
    reader: Reader,
    codec: Codec,
    sizing: Sizing,
    tasks: Sequence[str] | None,
    files: SceneFiles | None,
    note: Note,
) -> SceneView:
    """Decode a scene and make its pictures; damage is noted in their place. ``files``: its originals."""
    header, view = reader.header, SceneView(name, summary(reader, name))
    names = [task for task in header.tasks if tasks is None or task in tasks]
    images, decode_errors = _decode(reader, names, codec)
    originals: Mapping[str, Array] = {}
    if files is not None:
        try:
            originals = read_scene(files, codec.tasks, names, note)
        except MtcodecError as error:
            view.problem = f"no comparison: {error}"
        view.original_bytes = original_bytes_of(files, header.tasks)
    for task_name in names:
        section, notes = header.task(task_name), view.facts["tasks"][task_name]
        task = declaration_of(task_name, section, images.get(task_name), codec.tasks)
        unit_note = notes.get("unit") or (files.units.get(task_name) if files else None)
        dtype = section.attributes.dtype
        unit = unit_of(task, dtype, unit_note)
        task_view = TaskView(task_name, task, dtype, *header.size_of(task_name), unit=unit)
        task_view.decode_error = decode_errors.get(task_name)
        if task_name in images:
            numbers = {name: value for name, value in notes.items() if isinstance(value, (int, float))}
            task_view.measures = {name: value for name, value in numbers.items() if isfinite(value)}
            if section.attributes.shape in NUMBERS:
                task_view.numbers = text_of(images[task_name])
            else:
                add_pictures(task_view, section, images[task_name], originals.get(task_name), sizing)
        view.tasks.append(task_view)
    view.tasks.sort(key=_place)
    return view


def _place(task: TaskView) -> int:
    """Colours come first, numbers last."""
    return 2 if task.numbers else int(task.task.kind.name != "color")


def _decode(
    reader: Reader, names: Sequence[str], codec: Codec
) -> tuple[Mapping[str, Array], dict[str, MtcodecError]]:
    """Images of tasks by name, and why others cannot be decoded."""
    errors: dict[str, MtcodecError] = {}

    def note_error(error: SectionError) -> None:
        errors[error.task or error.section or ""] = error

    try:
        return codec.decode(reader, names, note_error), errors
    except WeightsError as error:
        neural = [name for name in names if reader.header.task(name).is_neural]
        if len(neural) == len(names):
            raise
        images = codec.decode(reader, [name for name in names if name not in neural], note_error)
        return images, errors | dict.fromkeys(neural, error)


def original_bytes_of(files: SceneFiles, tasks: Sequence[str]) -> int:
    """Bytes of the original files of ``tasks``; 0 where some are missing."""
    try:
        names = {name if name in files.files else name.removesuffix(ALPHA_SUFFIX) for name in tasks}
        return sum(size_of(files.files[name]) for name in names)
    except (KeyError, MissingSource, OSError, ValueError):
        return 0
