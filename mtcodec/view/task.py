"""One task as a page shows it: its declaration, pictures, scales and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mtcodec.codec.prepare import as_array, declare
from mtcodec.coders.candidate import pixel_format_of
from mtcodec.container.section import NUMBERS, Section
from mtcodec.errors import MtcodecError, UsageError
from mtcodec.signals.mapping import Array, Valid
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import KINDS, Declarations, Task, units
from mtcodec.view.colours import Floats
from mtcodec.view.error_maps import errors_of, render_errors
from mtcodec.view.pictures import Picture, Sizing, encode_picture, hatch_holes
from mtcodec.view.scales import Scale
from mtcodec.view.styles import Label, Style, legend, render, style_of

ERROR_MAP_QUALITY = 70  # of JPEG, where there are many scenes: their noise costs most bytes
_NO_HOLES = np.zeros((1, 1), np.uint8)


@dataclass
class TaskView:
    """What a page shows of a task.

    Attributes:
        dtype: of the stored image.
        height, width: of the stored image, in pixels.
        numbers: of a task that is no image, as text; else "".
        unit: the length of a stored step, or "".
        error_map: how far the decoded image is from the original, as a picture.
        scale, error_scale: of the pictures and of the error map.
        labels: the legend of ids; hidden_labels: how many ids it leaves out.
        hole_share: of the pixels.
        measures: of the decoded image by name, from the original or as the file notes them.
        decode_error: why there is no decoded image.
        compare_problem: why there is no comparison, or "".
    """

    name: str
    task: Task
    dtype: str
    height: int = 1
    width: int = 1
    numbers: str = ""
    unit: str = ""
    decoded: Picture | None = None
    original: Picture | None = None
    error_map: Picture | None = None
    scale: Scale | None = None
    error_scale: Scale | None = None
    labels: list[Label] = field(default_factory=list)
    hidden_labels: int = 0
    hole_share: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    decode_error: MtcodecError | None = None
    compare_problem: str = ""

    @property
    def is_seen(self) -> bool:
        """Is there a picture of it, or its numbers?"""
        return self.decoded is not None or self.numbers != ""

    @property
    def problem(self) -> str:
        """Why something is not seen, or ""."""
        return self.decode_error.reason if self.decode_error is not None else self.compare_problem


def unit_of(task: Task, dtype: str, note: object) -> str:
    """The length of a stored step as a file notes it; "" if that is no length. Notes may be anything."""
    unit = str(note or "")
    try:
        units.metres_of(task, dtype, unit)
    except UsageError:
        return ""
    return unit


def declaration_of(name: str, section: Section, image: Array | None, known: Declarations) -> Task:
    """The declaration of a task; of an unknown name, or one that does not fit, what its section says."""
    if name in known and section.attributes.shape not in NUMBERS:
        try:
            return known[name] if image is None else declare(name, image, known)
        except MtcodecError:
            pass
    attributes = section.attributes
    kinds = {"labels": "categories", "raw": "data", "near-lossless": "data"}
    kind = KINDS["vectors" if attributes.unit_vectors else kinds.get(section.coding, "image")]
    if attributes.dtype not in kind.dtypes:
        kind = KINDS["data"]
    return Task(name, kind, attributes.channels, (attributes.dtype,))


def signal_of(task: Task, image: Array, *sections: Section) -> Signal:
    """An image with the holes that its sections name; those that keep everything name none."""
    hole_values: dict[tuple[float, ...], None] = {}
    for section in sections:
        has_mask = section.mask is not None
        holes = pixel_format_of(section.attributes, _NO_HOLES if has_mask else None).holes
        hole_values |= dict.fromkeys(tuple(map(float, values)) for values in holes.values) if holes else {}
    usual = any(section.coding in ("raw", "near-lossless") for section in sections)
    return Signal.from_image(task, image, list(hole_values), usual=usual)


def add_pictures(
    view: TaskView, section: Section, image: Array, original: Array | None, sizing: Sizing
) -> None:
    """Fill in pictures, scales and measures of a task; without an original, none that compare."""
    image = as_array(view.name, image)
    decoded = signal_of(view.task, image, section)
    reference = decoded
    if original is not None:
        try:
            reference = signal_of(view.task, as_array(view.name, original), section)
            view.measures = measure(reference, image)
        except MtcodecError as error:
            view.compare_problem, reference = f"no comparison: {error.reason}", decoded
    style = style_of(reference, view.unit)
    view.scale = style.scale
    if reference.valid is not None:
        view.hole_share = 1 - float(reference.valid.mean())
    if style.rendering == "labels":
        view.labels, view.hidden_labels = legend(image)
    view.decoded = picture_of(decoded, style, sizing)
    if reference is not decoded:
        view.original = picture_of(reference, style, sizing)
        if not view.task.exact and view.measures.get("mse") != 0:
            errors, unit = errors_of(reference, image, view.unit)
            view.error_map, view.error_scale = error_picture(errors, unit, reference.valid, sizing)


def picture_of(signal: Signal, style: Style, sizing: Sizing) -> Picture:
    """The picture of an image, its holes hatched."""
    shape = sizing.shape(*signal.filled.shape[:2])
    rgb = hatch_holes(render(style, signal.filled, shape), signal.valid)
    keeps_maps = style.rendering == "map" and sizing.lossless_pixels > 0
    keeps_colours = style.rendering == "labels" or keeps_maps or sizing.keeps_pixels(*shape)
    return encode_picture(rgb, None if keeps_colours else sizing.jpeg_quality)


def error_picture(
    errors: Floats, unit: str, valid: Valid | None, sizing: Sizing, top: float | None = None
) -> tuple[Picture, Scale]:
    """The map of errors (H, W), and its scale up to ``top``; of many scenes in half the size."""
    shape = sizing.shape(*errors.shape[:2])
    if not sizing.lossless_pixels:
        shape = (max(1, shape[0] // 2), max(1, shape[1] // 2))
    rgb, scale = render_errors(errors, unit, shape, top)
    quality = None if sizing.lossless_pixels else ERROR_MAP_QUALITY
    return encode_picture(hatch_holes(rgb, valid), quality), scale
