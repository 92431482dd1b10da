"""How the values of a task look: colours, the scale beside them, and the legend of its ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtcodec.signals import mapping as maps
from mtcodec.signals.mapping import Array, Valid, ValueRange
from mtcodec.signals.signal import Signal
from mtcodec.tasks import units
from mtcodec.view import colours
from mtcodec.view.colours import Bytes, Floats
from mtcodec.view.pictures import nearest, smaller

SAMPLES = 1 << 20  # values that a range is estimated from
TAIL = 2.0  # percent of values at either end that a range leaves out
IDS = 16  # that a legend lists


@dataclass(frozen=True)
class Scale:
    """What colours of a map stand for.

    Attributes:
        colours: name of the map.
        ticks: numbers at its start, middle and end; unit: of them, or "".
    """

    colours: str
    ticks: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Label:
    """An id, its colour, and the share of pixels that have it."""

    id: int
    colour: str
    share: float


@dataclass(frozen=True)
class Look:
    """What is the same for the original and the decoded image of a task.

    Attributes:
        style: ``colours`` (three channels), ``map`` or ``labels``.
        limits: values at both ends of the scale.
    """

    style: str
    limits: ValueRange
    scale: Scale | None = None


def look(signal: Signal, unit: str) -> Look:
    """The look of a task, by the values of one of its images; ``unit``: what its file says of a step."""
    rules, image = signal.task.kind, signal.original
    if rules.colours == "labels" and image.ndim == 2:
        return Look("labels", ValueRange(0, 1))
    if rules.colours == "labels":  # ids as colours
        return Look("colours", maps.whole_range(image.dtype.name))
    limits = _limits(signal)
    if _channels(image) >= 3:
        return Look("colours", limits)
    name = colours.VALUES if rules.colours == "viridis" else "gray"
    return Look("map", limits, scale=_scale(name, limits, signal, unit))


def _channels(image: Array) -> int:
    return 1 if image.ndim == 2 else int(image.shape[2])


def sample(image: Array, valid: Valid | None) -> Floats:
    """Some values that are no holes."""
    step = max(1, round((image.size / SAMPLES) ** 0.5))
    some = image[::step, ::step]
    values = some if valid is None else some[valid[::step, ::step]]
    result: Floats = values.astype(np.float64)
    return result


def _limits(signal: Signal) -> ValueRange:
    """The values that are darkest and brightest."""
    task, dtype = signal.task, signal.original.dtype.name
    if task.kind.unit_vectors and signal.pixel_format.value_range.span > 0:
        return signal.pixel_format.value_range
    whole = task.kind.name == "color" or (task.kind.name == "image" and dtype == "uint8") or dtype == "bool"
    return maps.whole_range(dtype) if whole else _middle(signal)


def _middle(signal: Signal) -> ValueRange:
    """The range of nearly all values."""
    values = sample(signal.original, signal.valid)
    values = values[np.isfinite(values)]
    if not values.size:
        return ValueRange(0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values, [TAIL, 100 - TAIL]))
    mapping = signal.pixel_format.value_range.mapping if low > 0 else "linear"
    return ValueRange(low, high, mapping)


def _scale(name: str, limits: ValueRange, signal: Signal, unit: str) -> Scale:
    middle = (limits.low + limits.high) / 2
    if limits.mapping == "logarithmic":
        middle = (limits.low * limits.high) ** 0.5
    ends = [limits.low, middle, limits.high] if limits.span > 0 else [limits.low]
    note = " (log)" if limits.mapping == "logarithmic" else ""
    if not signal.task.kind.length:
        return Scale(name, _marked(numbers(ends), limits, signal), note.strip())
    metres = [value * units.metres_of(signal.task, signal.original.dtype.name, unit) for value in ends]
    ticks, shown = lengths(metres)
    return Scale(name, _marked(ticks, limits, signal), shown + note)


def _marked(ticks: tuple[str, ...], limits: ValueRange, signal: Signal) -> tuple[str, ...]:
    """Ticks whose ends tell that values lie beyond."""
    if len(ticks) == 1:
        return ticks
    values, margin = sample(signal.original, signal.valid), limits.span / 50
    below = "≤ " if (values < limits.low - margin).any() else ""
    above = "≥ " if (values > limits.high + margin).any() else ""
    return below + ticks[0], *ticks[1:-1], above + ticks[-1]


def lengths(metres: list[float]) -> tuple[tuple[str, ...], str]:
    """Lengths as numbers of one unit, and the unit."""
    small = max(map(abs, metres)) < 1
    return numbers([1000 * value if small else value for value in metres]), "mm" if small else "m"


def numbers(values: list[float]) -> tuple[str, ...]:
    """Numbers with so many decimals that the largest has three digits."""
    sizes = [abs(value) for value in values if value]
    top = max(sizes, default=0.0)
    if sizes and (top < 0.01 or top >= 1e5 or min(sizes) < top / 100):
        return tuple(f"{value:.3g}" for value in values)
    whole = all(value.is_integer() for value in values)
    decimals = 0 if whole or top >= 100 else 1 if top >= 10 else 2
    return tuple(f"{value:.{decimals}f}" if value else "0" for value in values)


def paint(own: Look, image: Array, shape: tuple[int, int]) -> Bytes:
    """Colours (h, w, 3) of an image; holes should be filled."""
    if own.style == "labels":
        picked = nearest(image, shape)
        ids, index = np.unique(picked, return_inverse=True)
        return colours.of_ids(ids)[index.reshape(shape)]
    if own.scale is not None:
        plane = image if image.ndim == 2 else image[..., 0]
        return colours.mapped(smaller(_shares(plane, own.limits), shape), own.scale.colours)
    shares = smaller(_shares(image[..., :3], own.limits), shape)
    if image.dtype.kind == "f" and own.limits.low >= 0:  # linear light
        shares = np.clip(shares, 0, 1) ** (1 / 2.2)
    return np.rint(np.clip(np.nan_to_num(shares), 0, 1) * 255).astype(np.uint8)


def _shares(values: Array, limits: ValueRange) -> Floats:
    """Where values lie between the limits, 0 to 1."""
    known = values.astype(np.float32)
    if limits.mapping == "logarithmic":
        known = np.log(np.maximum(known, limits.low))
        limits = ValueRange(float(np.log(limits.low)), float(np.log(limits.high)))
    shares: Floats = (known - np.float32(limits.low)) / np.float32(limits.span or 1.0)
    return shares


def legend(image: Array) -> tuple[list[Label], int]:
    """The ids of most pixels, in order of ids, and how many others there are."""
    ids, counts = np.unique(image, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:IDS])
    shown = colours.of_ids(ids[kept])
    labels = [
        Label(int(ids[k]), colours.hexadecimal(colour), float(counts[k] / image.size))
        for k, colour in zip(kept, shown)
    ]
    return labels, len(ids) - len(labels)
