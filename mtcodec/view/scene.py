"""One scene as a page shows it: its facts, and pictures of every task.

::

    reader ─ facts (codec.info)
       └─ decoded images ─┬─ look, pictures, error maps ─► SceneView
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
from mtcodec.view.task import TaskView, declared, draw, unit_of


@dataclass
class SceneView:
    """What a page shows of a scene.

    Attributes:
        facts: of :func:`mtcodec.codec.info.summary`; empty where the file cannot be read at all.
        original_bytes: of the original files of all its tasks, 0 where they are not all there.
        error: why there is nothing to see.
        problem: the same, or why there is no comparison.
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
        return any(own.original for own in self.tasks)

    @property
    def errors(self) -> list[MtcodecError]:
        """Why it is not seen whole."""
        return [error for error in (self.error, *(own.lost for own in self.tasks)) if error is not None]

    @property
    def problems(self) -> list[str]:
        """All that went wrong, with the task."""
        own = [f"task {task.name}: {task.problem}" for task in self.tasks if task.problem]
        return [self.problem, *own] if self.problem else own


def view(
    name: str,
    reader: Reader,
    codec: Codec,
    sizing: Sizing,
    tasks: Sequence[str] | None = None,
    files: SceneFiles | None = None,
) -> SceneView:
    """Decode a scene and draw its pictures; damage is told in their place.

    Args:
        tasks: only these, of those that it has. files: its originals.

    Raises:
        WeightsError: no task can be decoded without.
    """
    header, result = reader.header, SceneView(name, summary(reader, name))
    wanted = [one for one in header.tasks if tasks is None or one in tasks]
    images, lost = _decode(reader, wanted, codec)
    originals: Mapping[str, Array] = {}
    if files is not None:
        try:
            originals = read_scene(files, codec.tasks, wanted)
        except MtcodecError as error:
            result.problem = f"no comparison: {error}"
        result.original_bytes = _bytes_of(files, header.tasks)
    for one in wanted:
        section, told = header.task(one), result.facts["tasks"][one]
        task, dtype = declared(one, section, images.get(one), codec.tasks), section.attributes.dtype
        unit = unit_of(task, dtype, told.get("unit") or (files.units.get(one) if files else None))
        own = TaskView(one, task, dtype, unit, lost=lost.get(one))
        if one in images:
            own.measures = _finite(told)
            draw(own, section, images[one], originals.get(one), sizing)
        result.tasks.append(own)
    result.tasks.sort(key=lambda own: own.task.kind.name != "color")
    return result


def _decode(
    reader: Reader, wanted: Sequence[str], codec: Codec
) -> tuple[Mapping[str, Array], dict[str, MtcodecError]]:
    """Images by task, and why others are lost."""
    lost: dict[str, MtcodecError] = {}

    def lose(error: SectionError) -> None:
        lost[error.task or error.section or ""] = error

    try:
        return codec.decode(reader, wanted, lose), lost
    except WeightsError as error:
        plain = [name for name in wanted if not reader.header.task(name).is_neural]
        if not plain:
            raise
        images = codec.decode(reader, plain, lose)
        return images, lost | {name: error for name in wanted if name not in plain}


def _finite(told: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among what a file says of a task."""
    return {
        name: value for name, value in told.items() if isinstance(value, (int, float)) and isfinite(value)
    }


def _bytes_of(files: SceneFiles, tasks: Sequence[str]) -> int:
    """Bytes of the original files of ``tasks``; 0 where some are missing."""
    sources = {files.files.get(name, files.files.get(name.removesuffix(ALPHA_SUFFIX))) for name in tasks}
    try:
        return 0 if None in sources else sum(size_of(source) for source in sources if source is not None)
    except (MissingSource, OSError, ValueError):
        return 0
