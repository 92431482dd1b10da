"""Errors summed over groups, for the PSNR of a whole sequence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtcodec.signals.measures import PSNR_CAP, peak_of

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup


@dataclass
class _TaskTotal:
    squares: float = 0.0  # of errors in stored values
    values: int = 0
    low: float = math.inf
    high: float = -math.inf


class Totals:
    """Errors of tasks over all groups that were added."""

    def __init__(self) -> None:
        self._tasks: dict[str, _TaskTotal] = {}

    def add(self, encoded: EncodedGroup) -> None:
        """Count the errors of a group."""
        for name, measures in encoded.measures.items():
            if "mse" not in measures:
                continue
            signal, total = encoded.prepared.signals[name], self._tasks.setdefault(name, _TaskTotal())
            pixels = signal.height * signal.width if signal.valid is None else int(signal.valid.sum())
            values = pixels * signal.task.channels
            value_range = signal.pixel_format.value_range
            total.squares += measures["mse"] * (peak_of(signal) / 255) ** 2 * values
            total.values += values
            if pixels:
                total.low = min(total.low, value_range.low)
                total.high = max(total.high, value_range.high)

    @property
    def psnr(self) -> dict[str, float]:
        """dB by task, of the mean squared error of all valid pixels; the peak is the range of all groups."""
        return {name: _psnr(total) for name, total in self._tasks.items()}


def _psnr(total: _TaskTotal) -> float:
    if not total.values or not total.squares:
        return PSNR_CAP
    peak = (total.high - total.low) or 1.0
    return min(PSNR_CAP, 10 * math.log10(peak**2 / (total.squares / total.values)))
