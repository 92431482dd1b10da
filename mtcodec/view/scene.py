"""One scene as a page shows it: its facts, and pictures of every task.

::

    reader ─ facts (codec.info)
       └─ decoded images ─┬─ look, pictures, error maps ─► SceneView
    originals, if given  ─┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtcodec.codec.api import Codec
from mtcodec.codec.info import summary
from mtcodec.codec.prepare import declare
from mtcodec.coders.coded import form_of
from mtcodec.errors import MtcodecError, SectionError, UsageError, WeightsError
from mtcodec.files.scene import ALPHA, read_scene
from mtcodec.files.search import SceneFiles
from mtcodec.format.container import Reader
from mtcodec.format.section import Section
from mtcodec.signal import signal as signals
from mtcodec.signal.mapping import Array
from mtcodec.signal.measures import measure
from mtcodec.signal.signal import Signal
from mtcodec.tasks import KINDS, Declarations, Task, units
from mtcodec.view import differences
from mtcodec.view.looks import Label, Look, Scale, legend, look, paint
from mtcodec.view.pictures import NOISE, Picture, Sizing, encoded, hatched

_NO_HOLES = np.zeros((1, 1), np.uint8)


@dataclass
class TaskView:
    """What a page shows of a task.

    Attributes:
        holes: share of pixels. labels, others: a legend of ids, and how many it leaves out.
        measures: of the decoded image, by name; from the original, or as the file notes them.
        lost: why there is no decoded image.
        problem: the same, or why there is no comparison.
    """

    name: str
    task: Task
    dtype: str
    unit: str = ""
    decoded: Picture | None = None
    original: Picture | None = None
    error: Picture | None = None
    scale: Scale | None = None
    error_scale: Scale | None = None
    labels: list[Label] = field(default_factory=list)
    others: int = 0
    holes: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    lost: MtcodecError | None = None
    problem: str = ""


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
    declared, header = codec.tasks, reader.header
    result = SceneView(name, summary(reader, name))
    wanted = [one for one in header.tasks if tasks is None or one in tasks]
    images, lost = _decode(reader, wanted, codec)
    originals: Mapping[str, Array] = {}
    if files is not None:
        try:
            originals = read_scene(files, declared, wanted)
        except MtcodecError as error:
            result.problem = f"no comparison: {error}"
        result.original_bytes = _bytes_of(files, header.tasks)
    for one in wanted:
        section = header.task(one)
        own = TaskView(one, _declared(one, section, images.get(one), declared), section.attributes.dtype)
        told = result.facts["tasks"][one]
        own.unit = _unit(own, told.get("unit") or (files.units.get(one) if files else None))
        if one in images:
            own.measures = {key: value for key, value in told.items() if isinstance(value, float)}
            _draw(own, section, images[one], originals.get(one), sizing)
        own.lost = lost.get(one)
        own.problem = own.lost.reason if own.lost else own.problem
        result.tasks.append(own)
    result.tasks.sort(key=lambda own: own.task.kind != "color")
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
        plain = [name for name in wanted if not reader.header.task(name).neural]
        if not plain:
            raise
        images = codec.decode(reader, plain, lose)
        return images, lost | {name: error for name in wanted if name not in plain}


def _unit(own: TaskView, told: object) -> str:
    """The length of a stored step, if ``told`` is one; notes may say anything."""
    try:
        units.step(own.task, own.dtype, str(told or ""))
    except UsageError:
        return ""
    return str(told or "")


def _bytes_of(files: SceneFiles, tasks: Sequence[str]) -> int:
    """Bytes of the original files of ``tasks``; 0 where some are missing."""
    paths = {files.files.get(name, files.files.get(name.removesuffix(ALPHA))) for name in tasks}
    try:
        return 0 if None in paths else sum(path.stat().st_size for path in paths if path is not None)
    except OSError:
        return 0


def _declared(name: str, section: Section, image: Array | None, known: Declarations) -> Task:
    """The declaration of a task; of an unknown name what its section tells."""
    if name in known:
        try:
            return known[name] if image is None else declare(name, image, known)
        except MtcodecError:
            pass
    own = section.attributes
    kind = {"labels": "categories", "raw": "data", "stepped": "data"}.get(section.coding, "image")
    kind = "vectors" if own.unit_vectors else kind
    if own.dtype not in KINDS[kind].dtypes:
        kind = "data"
    return Task(name, kind, own.channels, (own.dtype,))


def _signal(task: Task, section: Section, image: Array) -> Signal:
    """An image with the holes that its section names; sections that keep everything name none."""
    own, values = section.attributes, []
    if own.mask is not None and own.hole_values:
        holes = form_of(own, _NO_HOLES).holes
        values = [tuple(map(float, value)) for value in holes.values] if holes is not None else []
    return signals.make(task, image, values, usual=section.coding in ("raw", "stepped"))


def _draw(own: TaskView, section: Section, image: Array, original: Array | None, sizing: Sizing) -> None:
    """Pictures, scales and measures of a task."""
    decoded = _signal(own.task, section, image)
    truth = decoded
    if original is not None:
        try:
            truth = _signal(own.task, section, original)
            own.measures = measure(truth, image)
        except MtcodecError as error:
            own.problem, truth = f"no comparison: {error.reason}", decoded
    shape, seen = sizing.shape(*image.shape[:2]), look(truth, own.unit)
    own.scale, valid = seen.scale, truth.valid
    own.holes = 0.0 if valid is None else 1 - float(valid.mean())
    if seen.form == "labels":
        own.labels, own.others = legend(image)

    def drawn(signal: Signal) -> Picture:
        colours = hatched(paint(seen, signal.image, shape), signal.valid)
        return encoded(colours, quality_of(seen, sizing, shape))

    own.decoded = drawn(decoded)
    if truth is decoded:
        return
    own.original = drawn(truth)
    if own.task.exact or own.measures.get("mse") == 0:
        return
    errors, unit = differences.differences(truth, image, own.unit)
    if not sizing.lossless:
        shape = (max(1, shape[0] // 2), max(1, shape[1] // 2))
    colours, own.error_scale = differences.painted(errors, unit, shape)
    own.error = encoded(hatched(colours, valid), 0 if sizing.lossless else NOISE)


def quality_of(seen: Look, sizing: Sizing, shape: tuple[int, int]) -> int:
    """The quality of a picture as JPEG, 0 to keep its colours."""
    if seen.form == "labels" or sizing.keeps(*shape):
        return 0
    return sizing.quality if seen.form == "colours" or not sizing.lossless else 0
