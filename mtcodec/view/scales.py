"""The scale beside a colour map: its numbers and their unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtcodec.signals.mapping import Array, Valid, ValueRange
from mtcodec.signals.signal import Signal
from mtcodec.tasks import units
from mtcodec.view.colours import Floats

SAMPLE_VALUES = 1 << 20  # about so many values are looked at for a range


@dataclass(frozen=True)
class Scale:
    """What the colours of a map stand for.

    Attributes:
        colour_map: name of the map.
        ticks: numbers at its start, middle and end; a single one where all values are the same.
        unit: of the ticks, or "".
    """

    colour_map: str
    ticks: tuple[str, ...]
    unit: str

    @property
    def end(self) -> str:
        """The last tick with the unit."""
        space = "" if self.unit in ("", "°") else " "
        return self.ticks[-1] + space + self.unit


def sample(image: Array, valid: Valid | None) -> Floats:
    """Values (N,) of evenly spaced pixels that are no holes."""
    stride = max(1, round((image.size / SAMPLE_VALUES) ** 0.5))
    values = image[::stride, ::stride]
    if valid is not None:
        values = values[valid[::stride, ::stride]]
    return values.astype(np.float64)


def scale_of_values(colour_map: str, limits: ValueRange, signal: Signal, unit: str) -> Scale:
    """The scale of a map from one limit to the other; ``unit``: the length of a stored step, or ""."""
    logarithmic = limits.mapping == "logarithmic"
    middle = (limits.low * limits.high) ** 0.5 if logarithmic else (limits.low + limits.high) / 2
    values = [limits.low, middle, limits.high] if limits.span > 0 else [limits.low]
    if signal.task.kind.length:
        metres = units.metres_of(signal.task, signal.original.dtype.name, unit)
        ticks, tick_unit = format_lengths([value * metres for value in values])
    else:
        ticks, tick_unit = format_numbers(values), ""
    if logarithmic:
        tick_unit = f"{tick_unit} (log)".strip()
    return Scale(colour_map, _mark_ends(ticks, limits, signal), tick_unit)


def _mark_ends(ticks: tuple[str, ...], limits: ValueRange, signal: Signal) -> tuple[str, ...]:
    """Ticks whose ends say when values lie beyond them."""
    if len(ticks) == 1:
        return ticks
    values, margin = sample(signal.original, signal.valid), limits.span / 50
    below = "≤ " if (values < limits.low - margin).any() else ""
    above = "≥ " if (values > limits.high + margin).any() else ""
    return below + ticks[0], *ticks[1:-1], above + ticks[-1]


def format_lengths(metres: list[float]) -> tuple[tuple[str, ...], str]:
    """Lengths as numbers of one unit, and the unit: mm if all are below a metre, else m."""
    if max(map(abs, metres)) < 1:
        return format_numbers([1000 * value for value in metres]), "mm"
    return format_numbers(metres), "m"


def format_numbers(values: list[float]) -> tuple[str, ...]:
    """Numbers with so many decimals that the largest has three digits."""
    sizes = [abs(value) for value in values if value]
    top = max(sizes, default=0.0)
    if sizes and (top < 0.01 or top >= 1e5 or min(sizes) < top / 100):
        return tuple(f"{value:.3g}" for value in values)
    whole = all(value.is_integer() for value in values)
    decimals = 0 if whole or top >= 100 else 1 if top >= 10 else 2
    return tuple(f"{value:.{decimals}f}" if value else "0" for value in values)
