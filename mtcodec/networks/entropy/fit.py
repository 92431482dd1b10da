"""Probability tables for :mod:`mtcodec.bitstreams.range_coder`, made when weights are exported.

They are stored with the weights and never recomputed, so nothing here needs to be exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams.range_coder import PRECISION

TAIL = 2e-5  # probability left to the escape symbol
MAX_RADIUS = 320
PRIOR = 200.0  # weight of the model beside observed frequencies, in symbols

Counts = npt.NDArray[np.uint32]
Lengths = npt.NDArray[np.uint16]
Histograms = list[dict[int, int]]  # by table: how often every symbol was seen


def logistic_mixture(
    scales: npt.NDArray[np.float64], tail: float, ratio: float
) -> list[npt.NDArray[np.float64]]:
    """Probabilities of 0, ±1, … ±R and beyond for every scale: arrays of R + 2 values.

    ``tail`` is the weight of the second logistic, ``ratio`` how much wider it is.
    """
    rows = []
    k = np.arange(MAX_RADIUS + 1)
    for scale in scales:
        below = [0.5 * (1 + np.tanh((k + 0.5) / (2 * s))) for s in (scale, scale * ratio)]
        cumulative = (1 - tail) * below[0] + tail * below[1]  # P(symbol ≤ k)
        outside = 2 * (1 - cumulative)
        radius = max(1, int(np.argmax(outside < TAIL)) if (outside < TAIL).any() else MAX_RADIUS)
        inside = np.diff(np.concatenate([[1 - cumulative[0]], cumulative[: radius + 1]]))
        rows.append(np.concatenate([inside, [max(outside[radius], TAIL / 4)]]))
    return rows


def quantise(rows: list[npt.NDArray[np.float64]]) -> tuple[Counts, Lengths]:
    """Counts (sum 2**24, none zero) in the alphabet's order 0, −1, 1, … −R, R, escape."""
    counts, lengths = [], []
    for row in rows:
        letters = np.concatenate([row[:1], np.repeat(row[1:-1], 2), row[-1:]])
        spare = (1 << PRECISION) - len(letters)
        integer = np.floor(letters / letters.sum() * spare).astype(np.int64) + 1
        integer[0] += (1 << PRECISION) - integer.sum()
        counts.append(integer.astype(np.uint32))
        lengths.append(len(letters))
    return np.concatenate(counts), np.array(lengths, np.uint16)


def calibrate(rows: list[npt.NDArray[np.float64]], histograms: Histograms) -> list[npt.NDArray[np.float64]]:
    """Move model probabilities towards observed frequencies.

    Histograms are folded: both signs of a symbol count as one.
    """
    result = []
    for row, histogram in zip(rows, histograms, strict=True):
        observed = np.zeros(len(row))
        for symbol, count in histogram.items():
            observed[min(abs(symbol), len(row) - 1)] += count
        model = np.concatenate([row[:1], 2 * row[1:-1], row[-1:]])
        mixed = (observed + PRIOR * model) / (observed.sum() + PRIOR)
        result.append(np.concatenate([mixed[:1], mixed[1:-1] / 2, mixed[-1:]]))
    return result
