"""Contour streams: the boundaries between labels, followed from row to row.

Specified in ``docs/format.md`` ("Labels payload"). Python loops run over rows and boundaries only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtcodec.bitstreams.binary_coder import EVEN, RARE, USUAL, RangeCoder
from mtcodec.errors import FormatError

WORK_LIMIT = 2**17  # see work_limit
NEW = 8  # movement ascribed to a boundary that has just begun
REACH = 64  # the encoder looks this far for where a boundary went (no part of the format)


class _Edge(NamedTuple):
    """A boundary and its history."""

    x: int
    label: int
    last: int = 0
    older: int = 0


class _Fate(NamedTuple):
    """What an encoder has decided about a boundary."""

    dies: bool = False
    moved: int = 0
    begins: tuple[tuple[int, int, int], ...] = ()  # what begins before it: x, label, length


_UNKNOWN = _Fate()


def work_limit(height: int, width: int) -> int:
    """Rows and boundaries that a contour stream of an image of this size may have."""
    return min(WORK_LIMIT, height + 64 + height * width // 16)


class _Contours:
    """The rows of a contour stream, one after the other."""

    def __init__(self, coder: RangeCoder, height: int, width: int, highest: int) -> None:
        self.coder, self.width, self.highest = coder, width, highest
        self.above: list[_Edge] = []
        self.work_left = work_limit(height, width)

    def code(
        self, fates: Iterable[_Fate] = repeat(_UNKNOWN), right: _Fate = _UNKNOWN, event: int = 0
    ) -> None:
        """One row: ``fates`` of the boundaries above, ``right`` of the edge. A decoder passes nothing."""
        above, self.above, self.end, self.label = self.above, [], 0, 0
        self.spend()
        gaps = [b - a for a, b in pairwise([*[edge.x for edge in above], self.width])]
        narrow = min(min(gaps, default=self.width).bit_length(), 4)
        event = self.coder.bit(("event", narrow), event, RARE if narrow == 4 else EVEN)
        for edge, gap, fate in zip(above, gaps, fates, strict=False):
            if event and self.dies(edge, gap, fate):
                continue
            moved = self.movement(edge, fate.moved)
            if event:
                self.begin(edge.x + moved, fate)
            self.place(_Edge(edge.x + moved, edge.label, moved, edge.last))
        if event:
            self.begin(self.width, right)

    def dies(self, edge: _Edge, gap: int, fate: _Fate) -> int:
        same, bits = edge.label == self.label, min(gap.bit_length(), 4)
        start = USUAL if same else RARE if bits == 4 else EVEN
        return self.coder.bit(("dies", same, bits), fate.dies, start)

    def movement(self, edge: _Edge, moved: int) -> int:
        last, older = edge.last, edge.older
        sign = -1 if last < 0 or (last == 0 and older < 0) else 1
        last, older, moved = sign * last, sign * older, sign * moved
        context = (min(last, 2), (older > 0) - (older < 0)) if edge.x else ("edge",)
        start = RARE if edge.x == 0 else USUAL if last >= 2 else EVEN
        if not self.coder.bit(("moves", *context), int(moved != 0), start):
            return 0
        back = self.coder.bit(("back", *context), int(moved < 0), RARE if last or older else EVEN)
        start = RARE if back or last < 2 else EVEN
        size = 1 + self.coder.number("size", 9 if back else min(last, NEW), abs(moved) - 1, start)
        return -sign * size if back else sign * size

    def begin(self, stop: int, fate: _Fate) -> None:
        """Boundaries that begin between the last one placed and ``stop``."""
        waiting = iter(fate.begins)
        while (room := stop - self.end) > 0:
            new = next(waiting, None)
            if not self.coder.bit(("begins", room.bit_length()), new is not None, RARE):
                break
            x, label, length = new or (0, 0, 0)
            x = self.end + self.coder.uniform(room, x - self.end)
            label = self.coder.number("label", 0, label)
            length = self.coder.number("length", 0, length)
            before = self.label
            self.place(_Edge(x, label, -NEW, -NEW))
            if length:
                self.place(_Edge(x + length, before, NEW, NEW))

    def place(self, edge: _Edge) -> None:
        if not self.end <= edge.x < self.width or edge.label == self.label or edge.label > self.highest:
            raise FormatError("labels: impossible boundary")
        self.spend()
        self.above.append(edge)
        self.end, self.label = edge.x + 1, edge.label

    def spend(self) -> None:
        self.work_left -= 1
        if self.work_left < 0:
            raise FormatError("labels: too many boundaries")


def _nearest(x: int, label: int, edges: list[_Edge], first: int) -> int:
    """Index of the edge of this label nearest to ``x``, at least ``first``; -1 if none is within reach."""
    best, distance = -1, REACH + 1
    for i in range(bisect_left(edges, _Edge(x - REACH, -1), first), len(edges)):
        if edges[i].x - x >= distance:
            break
        if edges[i].label == label and abs(edges[i].x - x) < distance:
            best, distance = i, abs(edges[i].x - x)
    return best


def _fates(above: list[_Edge], row: list[_Edge], width: int) -> list[_Fate]:
    """The encoder's choice, and last that for the right edge of the image.

    A boundary goes on as the nearest one of its label, if it is the nearest to that one too.
    """
    moved = [now.x - edge.x for edge, now in zip(above, row, strict=False) if edge.label == now.label]
    if len(moved) == len(above) == len(row) and max(map(abs, moved), default=0) <= REACH:
        return [*(_Fate(False, m) for m in moved), _UNKNOWN]
    fates, first, label = [], 0, 0
    for j, edge in enumerate([*above, _Edge(width, -1)]):
        i = _nearest(edge.x, edge.label, row, first) if j < len(above) else len(row)
        if i < 0 or (i < len(row) and _nearest(row[i].x, edge.label, above, j) != j):
            fates.append(_Fate(dies=True))
            continue
        begins = []
        while first < i:
            x, begun = row[first][:2]
            closes = first + 1 < i and row[first + 1].label == label
            begins.append((x, begun, row[first + 1].x - x if closes else 0))
            label = label if closes else begun
            first += 2 if closes else 1
        fates.append(_Fate(False, row[i].x - edge.x if i < len(row) else 0, tuple(begins)))
        first, label = i + 1, edge.label
    return fates


def encode_contours(image: NDArray[Any], changes: NDArray[np.bool_]) -> bytes:
    """Contour stream of ``image`` (H, W); ``changes`` marks the pixels that differ from their left."""
    height, width = image.shape
    coder = RangeCoder()
    contours = _Contours(coder, height, width, 65535)
    columns, labels = np.nonzero(changes)[1].tolist(), image[changes].tolist()
    edges = [_Edge(x, label) for x, label in zip(columns, labels, strict=True)]
    ends = np.cumsum(np.count_nonzero(changes, axis=1)).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        *fates, right = _fates(contours.above, edges[start:end], width)
        event = any(fate.dies or fate.begins for fate in [*fates, right])
        contours.code(fates, right, event)
    return coder.finish()


def decode_contours(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """The image of a contour stream, which must hold exactly one (else ``FormatError``)."""
    coder = RangeCoder(payload)
    contours = _Contours(coder, height, width, int(np.iinfo(dtype).max))
    starts, labels = array("q"), array("H")  # of all runs, the first of a row possibly empty
    for start in range(0, height * width, width):
        contours.code()
        starts.extend([start, *(start + edge.x for edge in contours.above)])
        labels.extend([0, *(edge.label for edge in contours.above)])
    if coder.finish() != payload:
        raise FormatError("labels: contour stream does not end where its payload ends")
    starts.append(height * width)
    bounds = np.frombuffer(starts, np.int64)
    runs = np.frombuffer(labels, np.uint16).astype(dtype)
    return np.repeat(runs, bounds[1:] - bounds[:-1]).reshape(height, width)
