"""Contour streams: the boundaries between labels, followed from row to row.

Specified in ``docs/format.md`` ("Labels payload"). Python loops run over rows and boundaries only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtcodec.bitstreams.binary_coder import EVEN, RARE, USUAL, Odds, RangeCoder
from mtcodec.errors import FormatError

LEAST, SHARE = 4096, 8  # see decision_limit
NEW = 8  # movement ascribed to a boundary that has just begun
REACH = 64  # the encoder looks this far for where a boundary went (no part of the format)

_Edge = tuple[int, int, int, int]  # a boundary: its x, its label, its last and its older movement


class _Fate(NamedTuple):
    """What an encoder has decided about a boundary."""

    dies: bool = False
    moved: int = 0
    begins: tuple[tuple[int, int, int], ...] = ()  # what begins before it: x, label, length


_UNKNOWN = _Fate()


def decision_limit(height: int, width: int) -> int:
    """Binary decisions that a contour stream of an image of this size may have.

    Every row and every boundary of a row takes one at least; one takes a decoder 0.6 to 1.2 microseconds,
    so this keeps it well below 0.3 s per million pixels.
    """
    return LEAST + height * width // SHARE


def _around(start: tuple[int, int]) -> list[Odds]:
    """Odds by the number of binary digits of a gap, at most 4: ``start`` for wide ones."""
    return [*([*EVEN] for _ in range(4)), [*start]]


class _Contours:
    """The rows of a contour stream, one after the other. A decoder passes no decisions."""

    def __init__(self, coder: RangeCoder, width: int, highest: int) -> None:
        self.coder, self.bit, self.width, self.highest = coder, coder.bit, width, highest
        self.above: list[_Edge] = []
        self.smallest = width  # of the gaps between boundaries above
        self.events = _around(RARE)
        self.deaths = _around(RARE), [[*USUAL] for _ in range(5)]  # of another label than before, of the same
        self.beginnings: defaultdict[int, Odds] = defaultdict(lambda: [*RARE])
        self.labels: dict[int, Odds] = {}
        self.lengths: dict[int, Odds] = {}
        self.sizes: list[dict[int, Odds]] = [{} for _ in range(NEW + 2)]
        # Does it move, and back (empty until used)? By the last movement, up to 2, and the older one's sign
        self.moves: list[list[tuple[Odds, Odds]]]
        self.moves = [[([*first], []) for _ in range(3)] for first in (EVEN, EVEN, USUAL)]
        self.edge: tuple[Odds, Odds] = [*RARE], []  # of a boundary at x = 0

    def event(self, event: int = 0) -> int:
        """Does a boundary begin or end in the next row?"""
        return self.coder.bit(self.events[min(self.smallest.bit_length(), 4)], event)

    def follow(self, moves: Iterable[int] = repeat(0)) -> None:
        """A row of the boundaries above, moved."""
        if not self.above:
            return
        above, self.above = self.above, []
        movement, place = self.movement, self.above.append
        smallest, before = self.width, -self.width
        for (x, label, last, older), move in zip(above, moves, strict=False):
            moved = movement(x, last, older, move)
            x += moved
            place((x, label, moved, last))
            if x - before < smallest:
                smallest = x - before
            before = x
        self.smallest = min(smallest, self.width - before)
        if self.smallest <= 0 or self.above[0][0] < 0:
            raise FormatError("labels: impossible boundary")

    def change(self, fates: Iterable[_Fate] = repeat(_UNKNOWN), right: _Fate = _UNKNOWN) -> None:
        """A row in which boundaries begin or end: ``fates`` of those above, ``right`` of the edge."""
        above, gaps, self.above, self.end, self.label = self.above, self.gaps(), [], 0, 0
        bit, deaths, movement, begin, place = self.bit, self.deaths, self.movement, self.begin, self.place
        for (x, label, last, older), gap, fate in zip(above, gaps, fates, strict=False):
            if bit(deaths[label == self.label][gap.bit_length() if gap < 8 else 4], fate.dies):
                continue
            moved = movement(x, last, older, fate.moved)
            x += moved
            if x > self.end:
                begin(x, fate)
            place((x, label, moved, last))
        begin(self.width, right)
        self.smallest = min(self.gaps(), default=self.width)

    def gaps(self) -> list[int]:
        """From each boundary to the next one, or to the edge."""
        return [b - a for a, b in pairwise([*(edge[0] for edge in self.above), self.width])]

    def movement(self, x: int, last: int, older: int, moved: int) -> int:
        sign = 1
        if last < 0 or (last == 0 and older < 0):
            sign, last, older, moved = -1, -last, -older, -moved
        bit = self.bit
        moves, back = self.moves[last if last < 2 else 2][(older > 0) - (older < 0)] if x else self.edge
        if not bit(moves, moved != 0):
            return 0
        if not back:
            back[:] = RARE if last or older else EVEN
        if bit(back, moved < 0):
            return -sign * (1 + self.coder.number(self.sizes[NEW + 1], -moved - 1, RARE))
        start = RARE if last < 2 else EVEN
        return sign * (1 + self.coder.number(self.sizes[min(last, NEW)], moved - 1, start))

    def begin(self, stop: int, fate: _Fate) -> None:
        """Boundaries that begin between the last one placed and ``stop``."""
        coder, count = self.coder, 0
        while (room := stop - self.end) > 0:
            new = fate.begins[count] if count < len(fate.begins) else None
            if not self.bit(self.beginnings[room.bit_length()], new is not None):
                break
            count += 1
            x, label, length = new or (0, 0, 0)
            x = self.end + coder.uniform(room, x - self.end)
            label = coder.number(self.labels, label)
            length = coder.number(self.lengths, length)
            before = self.label
            self.place((x, label, -NEW, -NEW))
            if length:
                self.place((x + length, before, NEW, NEW))

    def place(self, edge: _Edge) -> None:
        x, label, *_ = edge
        if not self.end <= x < self.width or label == self.label or label > self.highest:
            raise FormatError("labels: impossible boundary")
        self.above.append(edge)
        self.end, self.label = x + 1, label


def _nearest(x: int, label: int, edges: Sequence[tuple[int, ...]], first: int) -> int:
    """Index of the edge of this label nearest to ``x``, at least ``first``; -1 if none is within reach."""
    best, distance = -1, REACH + 1
    for i in range(bisect_left(edges, (x - REACH,), first), len(edges)):
        if edges[i][0] - x >= distance:
            break
        if edges[i][1] == label and abs(edges[i][0] - x) < distance:
            best, distance = i, abs(edges[i][0] - x)
    return best


def _fates(above: list[_Edge], row: list[tuple[int, int]], width: int) -> list[_Fate]:
    """The encoder's choice, and last that for the right edge of the image.

    A boundary goes on as the nearest one of its label, if it is the nearest to that one too.
    """
    fates, first, label = [], 0, 0
    for j, (place, own, *_) in enumerate([*above, (width, -1)]):
        i = _nearest(place, own, row, first) if j < len(above) else len(row)
        if i < 0 or (i < len(row) and _nearest(row[i][0], own, above, j) != j):
            fates.append(_Fate(dies=True))
            continue
        begins = []
        while first < i:
            x, begun = row[first]
            closes = first + 1 < i and row[first + 1][1] == label
            begins.append((x, begun, row[first + 1][0] - x if closes else 0))
            label = label if closes else begun
            first += 2 if closes else 1
        fates.append(_Fate(False, row[i][0] - place if i < len(row) else 0, tuple(begins)))
        first, label = i + 1, own
    return fates


def _encode_row(contours: _Contours, row: list[tuple[int, int]]) -> None:
    """``row``: the x and the label of its boundaries."""
    above = contours.above
    if [edge[1] for edge in above] == [label for _, label in row]:
        moves = [x - edge[0] for (x, _), edge in zip(row, above, strict=True)]
        if max(map(abs, moves), default=0) <= REACH:
            contours.event(0)
            contours.follow(moves)
            return
    *fates, right = _fates(above, row, contours.width)
    if contours.event(any(fate.dies or fate.begins for fate in [*fates, right])):
        contours.change(fates, right)
    else:
        contours.follow(fate.moved for fate in fates)


def encode_contours(image: NDArray[Any]) -> bytes | None:
    """Contour stream of ``image`` (H, W); None where it would have too many decisions."""
    height, width = image.shape
    changes = np.diff(image, axis=1, prepend=image.dtype.type(0)) != 0
    limit = decision_limit(height, width)
    if height + np.count_nonzero(changes) > limit:
        return None
    coder = RangeCoder(limit)
    contours = _Contours(coder, width, 65535)
    edges = list(zip(np.nonzero(changes)[1].tolist(), image[changes].tolist(), strict=True))
    start = 0
    for end in np.cumsum(np.count_nonzero(changes, axis=1)).tolist():
        _encode_row(contours, edges[start:end])
        if coder.decisions > limit:
            return None
        start = end
    return coder.finish()


def decode_contours(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """The image of a contour stream, which must hold exactly one (else ``FormatError``)."""
    coder = RangeCoder(decision_limit(height, width), payload)
    contours = _Contours(coder, width, int(np.iinfo(dtype).max))
    places, labels, counts = array("q"), array("H"), array("q")  # of all runs; how many a row has
    for _ in range(height):
        if contours.event():
            contours.change()
        else:
            contours.follow()
        places.append(0)  # before the first boundary, perhaps empty
        labels.append(0)
        row = contours.above
        places.extend([edge[0] for edge in row])
        labels.extend([edge[1] for edge in row])
        counts.append(1 + len(row))
    coder.check()
    if coder.finish() != payload:
        raise FormatError("labels: contour stream does not end where its payload ends")
    starts = np.array(places) + np.repeat(np.arange(height) * width, counts)
    lengths = np.diff(starts, append=height * width)
    return np.repeat(np.array(labels).astype(dtype), lengths).reshape(height, width)
