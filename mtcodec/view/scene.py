"""One scene as a page shows it: its facts, and pictures of every task.

::

    reader ─ facts (codec.info)
       └─ decoded images ─┬─ styles, pictures, error maps ─► SceneView
    originals, if given  ─┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from mtcodec.codec.api import Codec
from mtcodec.codec.info import summary
from mtcodec.container.mtc import Reader
from mtcodec.errors import MtcodecError, SectionError, WeightsError
from mtcodec.files.scene import ALPHA_SUFFIX, read_scene
from mtcodec.files.search import SceneFiles
from mtcodec.files.sources import MissingSource, size_of
from mtcodec.signals.mapping import Array
from mtcodec.view.pictures import Sizing
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


def view_scene(
    name: str,
    reader: Reader,
    codec: Codec,
    sizing: Sizing,
    tasks: Sequence[str] | None = None,
    files: SceneFiles | None = None,
) -> SceneView:
    """Decode a scene and make its pictures; damage is noted in their place.

    Args:
        tasks: only these, of those that it has.
        files: its originals.

    Raises:
        WeightsError: no task can be decoded without.
    """
    header, view = reader.header, SceneView(name, summary(reader, name))
    names = [task for task in header.tasks if tasks is None or task in tasks]
    images, decode_errors = _decode(reader, names, codec)
    originals: Mapping[str, Array] = {}
    if files is not None:
        originals, view.problem = _read_originals(files, codec, names)
        view.original_bytes = _bytes_of(files, header.tasks)
    for task_name in names:
        section, notes = header.task(task_name), view.facts["tasks"][task_name]
        task = declaration_of(task_name, section, images.get(task_name), codec.tasks)
        unit_note = notes.get("unit") or (files.units.get(task_name) if files else None)
        dtype = section.attributes.dtype
        task_view = TaskView(task_name, task, dtype, unit_of(task, dtype, unit_note))
        task_view.decode_error = decode_errors.get(task_name)
        if task_name in images:
            task_view.measures = _finite_numbers(notes)
            add_pictures(task_view, section, images[task_name], originals.get(task_name), sizing)
        view.tasks.append(task_view)
    view.tasks.sort(key=lambda task_view: task_view.task.kind.name != "color")
    return view


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


def _read_originals(files: SceneFiles, codec: Codec, names: Sequence[str]) -> tuple[Mapping[str, Array], str]:
    """Original images of tasks by name, and why there are none, or ""."""
    try:
        return read_scene(files, codec.tasks, names), ""
    except MtcodecError as error:
        return {}, f"no comparison: {error}"


def _finite_numbers(notes: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among what a file notes of a task."""
    return {
        name: value for name, value in notes.items() if isinstance(value, (int, float)) and isfinite(value)
    }


def _bytes_of(files: SceneFiles, tasks: Sequence[str]) -> int:
    """Bytes of the original files of ``tasks``; 0 where some are missing."""
    sources = {files.files.get(name, files.files.get(name.removesuffix(ALPHA_SUFFIX))) for name in tasks}
    try:
        return 0 if None in sources else sum(size_of(source) for source in sources if source is not None)
    except (MissingSource, OSError, ValueError):
        return 0
