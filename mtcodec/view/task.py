"""One task as a page shows it: its declaration, pictures, scales and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mtcodec.codec.prepare import declare
from mtcodec.coders.candidate import pixel_format_of
from mtcodec.container.section import Section
from mtcodec.errors import MtcodecError, UsageError
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
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
        mismatch: why there is no comparison.
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
    mismatch: str = ""

    @property
    def problem(self) -> str:
        """Why something is not seen."""
        return self.lost.reason if self.lost is not None else self.mismatch


def unit_of(task: Task, dtype: str, told: object) -> str:
    """The length of a stored step, if ``told`` is one; notes may say anything."""
    try:
        units.metres_of(task, dtype, str(told or ""))
    except UsageError:
        return ""
    return str(told or "")


def declared(name: str, section: Section, image: Array | None, known: Declarations) -> Task:
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
    return Task(name, KINDS[kind], own.channels, (own.dtype,))


def _signal(task: Task, section: Section, image: Array) -> Signal:
    """An image with the holes that its section names; sections that keep everything name none."""
    own, values = section.attributes, []
    if own.mask_index is not None and own.hole_values:
        holes = pixel_format_of(own, _NO_HOLES).holes
        values = [tuple(map(float, value)) for value in holes.values] if holes is not None else []
    return Signal.from_image(task, image, values, usual=section.coding in ("raw", "stepped"))


def draw(own: TaskView, section: Section, image: Array, original: Array | None, sizing: Sizing) -> None:
    """Pictures, scales and measures of a task."""
    decoded = _signal(own.task, section, image)
    truth = decoded
    if original is not None:
        try:
            truth = _signal(own.task, section, original)
            own.measures = measure(truth, image)
        except MtcodecError as error:
            own.mismatch, truth = f"no comparison: {error.reason}", decoded
    shape, seen = sizing.shape(*image.shape[:2]), look(truth, own.unit)
    own.scale, valid = seen.scale, truth.valid
    own.holes = 0.0 if valid is None else 1 - float(valid.mean())
    if seen.style == "labels":
        own.labels, own.others = legend(image)

    def drawn(signal: Signal) -> Picture:
        colours = hatched(paint(seen, signal.image, shape), signal.valid)
        return encoded(colours, _quality(seen, sizing, shape))

    own.decoded = drawn(decoded)
    if truth is not decoded:
        own.original = drawn(truth)
        if not own.task.exact and own.measures.get("mse") != 0:
            _draw_errors(own, truth, image, shape, sizing)


def _draw_errors(own: TaskView, truth: Signal, image: Array, shape: tuple[int, int], sizing: Sizing) -> None:
    """The map of errors; where there are many scenes, in half the size."""
    if not sizing.lossless:
        shape = (max(1, shape[0] // 2), max(1, shape[1] // 2))
    errors, unit = differences.differences(truth, image, own.unit)
    colours, own.error_scale = differences.painted(errors, unit, shape)
    own.error = encoded(hatched(colours, truth.valid), 0 if sizing.lossless else NOISE)


def _quality(seen: Look, sizing: Sizing, shape: tuple[int, int]) -> int:
    """The quality of a picture as JPEG, 0 to keep its colours."""
    if seen.style == "labels" or sizing.keeps(*shape):
        return 0
    return sizing.quality if seen.style == "colours" or not sizing.lossless else 0
