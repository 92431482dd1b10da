"""Contour streams: the boundaries between labels, followed from row to row.

Specified in ``docs/format.md`` ("Labels payload"). Python loops run over rows and boundaries only. A decoder
spends its time in :meth:`_Decoder.follow` and :meth:`_Decoder.change`, where the usual bits are decoded in
place: calls cost more than what they do.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import sub
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtcodec.bitstreams.binary_coder import (
    MIN_SPAN,
    PROBABILITY_BITS,
    TRANSITIONS,
    Decoder,
    Encoder,
    transition_of,
)
from mtcodec.bitstreams.contour_model import (
    BACK,
    BEGINS,
    BEGUN,
    DIES,
    DIRECTION,
    EDGE,
    ENDS,
    FAR,
    MORE,
    MOVES,
    ONWARD,
    PAST,
    RETURNED,
    SAME,
    SIZE,
    STILL,
    TURNED,
    TURNS,
    WIDE,
    Odds,
    after,
    boundary_limit,
    last_of,
)
from mtcodec.errors import FormatError

REACH = 64  # the encoder looks this far for where a boundary went (no part of the format)


class _Contours:
    """The rows of a contour stream, one after the other: x, label and state of a row's boundaries."""

    def __init__(self, coder: Encoder | Decoder, width: int) -> None:
        self.coder, self.width = coder, width
        self.odds = Odds()
        self.places: list[int] = []
        self.labels: list[int] = []
        self.states: list[int] = []
        self.smallest = width  # of the gaps between boundaries above

    def gaps(self) -> Iterator[int]:
        """From each boundary to the next one, or to the edge."""
        return map(sub, [*self.places[1:], self.width], self.places)

    def append(self, x: int, label: int, state: int) -> None:
        self.places.append(x)
        self.labels.append(label)
        self.states.append(state)

    def events(self, ends: bool = False, begins: bool = False) -> tuple[int, int]:
        """Do boundaries end in the next row, or begin?"""
        gap, bit, odds = min(self.smallest.bit_length(), WIDE), self.coder.bit, self.odds.bits
        has_changes = bit(odds, ENDS + gap, ends)
        return has_changes, bit(odds, BEGINS + (WIDE + 1) * has_changes + gap, begins)


class _Decoder(_Contours):
    """A decoder's rows. ``span``, ``code`` and ``at`` of its coder are variables where bits are decoded."""

    coder: Decoder

    def __init__(self, payload: bytes, width: int, highest: int, limit: int) -> None:
        super().__init__(Decoder(payload), width)
        self.highest, self.limit = highest, limit
        self.end = 0  # of what is placed: the first pixel after it

    def follow(self) -> None:
        """A row of the boundaries above, moved."""
        coder, odds, places, states = self.coder, self.odds.bits, self.places, self.states
        span, code, at, data = coder.span, coder.code, coder.at, coder.data
        has_changes = False
        for index, state in enumerate(states):
            x = places[index]
            context = MOVES + PAST[state] if x else EDGE
            counts = odds[context]
            share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
            zero = (span >> PROBABILITY_BITS) * share
            if code < zero:
                span, odds[context], states[index] = zero, after_zero, STILL[state]
                while span < MIN_SPAN:
                    span, code, at = span << 8, code << 8 | data[at], at + 1
            else:
                odds[context] = after_one
                coder.span, coder.code, coder.at = span - zero, code - zero, at
                coder.more()
                places[index], states[index] = self.moved(state, x)
                span, code, at = coder.span, coder.code, coder.at
                has_changes = True
        coder.span, coder.code, coder.at = span, code, at
        if has_changes:
            self.smallest = min(self.gaps())
            if self.smallest <= 0 or places[0] < 0:
                raise FormatError("labels: impossible boundary")

    def moved(self, state: int, x: int) -> tuple[int, int]:
        """Where a boundary is that has moved, and its state then. From x = 0 it moves to the right."""
        coder, odds = self.coder, self.odds.bits
        span, code, at, data = coder.span, coder.code, coder.at, coder.data
        direction, row, next_state = DIRECTION[state], SIZE[state], ONWARD[state]
        if x:
            context = TURNS + PAST[state]
            counts = odds[context]
            share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
            zero = (span >> PROBABILITY_BITS) * share
            if code < zero:
                span, odds[context] = zero, after_zero
            else:
                span, code, odds[context] = span - zero, code - zero, after_one
                direction, row, next_state = -direction, BACK, TURNED[state]
            while span < MIN_SPAN:
                span, code, at = span << 8, code << 8 | data[at], at + 1
        elif direction < 0:
            direction, next_state = 1, TURNED[state]
        counts = odds[FAR + row]
        share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
        zero = (span >> PROBABILITY_BITS) * share
        if code < zero:
            odds[FAR + row] = after_zero
            while zero < MIN_SPAN:
                zero, code, at = zero << 8, code << 8 | data[at], at + 1
            coder.span, coder.code, coder.at = zero, code, at
            return x + direction, next_state
        odds[FAR + row] = after_one
        coder.span, coder.code, coder.at = span - zero, code - zero, at
        coder.more()
        movement = direction * (2 + coder.number(self.odds.sizes[row]))
        return x + movement, after(movement, last_of(state))

    def change(self, ends: int, begins: int) -> None:
        """A row in which boundaries end or begin."""
        coder, odds, width = self.coder, self.odds.bits, self.width
        span, code, at, data = coder.span, coder.code, coder.at, coder.data
        above = zip(self.places, [*self.places, width][1:], self.labels, self.states, strict=True)
        self.places, self.labels, self.states, self.end = [], [], [], 0
        place, place_label, place_state = self.places.append, self.labels.append, self.states.append
        before = 0  # the label of the last one placed
        for x, stop, label, state in above:
            if ends:
                gap = stop - x
                context = (SAME if label == before else DIES) + (gap.bit_length() if gap < 8 else WIDE)
                counts = odds[context]
                share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
                zero = (span >> PROBABILITY_BITS) * share
                ended = code >= zero
                if ended:
                    span, code, odds[context] = span - zero, code - zero, after_one
                else:
                    span, odds[context] = zero, after_zero
                while span < MIN_SPAN:
                    span, code, at = span << 8, code << 8 | data[at], at + 1
                if ended:
                    continue
            context = MOVES + PAST[state] if x else EDGE
            counts = odds[context]
            share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
            zero = (span >> PROBABILITY_BITS) * share
            if code < zero:
                span, odds[context], state = zero, after_zero, STILL[state]
                while span < MIN_SPAN:
                    span, code, at = span << 8, code << 8 | data[at], at + 1
            else:
                odds[context] = after_one
                coder.span, coder.code, coder.at = span - zero, code - zero, at
                coder.more()
                x, state = self.moved(state, x)
                span, code, at = coder.span, coder.code, coder.at
            if begins and x > self.end:
                context = MORE + (x - self.end).bit_length()
                counts = odds[context]
                share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
                zero = (span >> PROBABILITY_BITS) * share
                if code < zero:
                    span, odds[context] = zero, after_zero
                    while span < MIN_SPAN:
                        span, code, at = span << 8, code << 8 | data[at], at + 1
                else:
                    odds[context] = after_one
                    coder.span, coder.code, coder.at = span - zero, code - zero, at
                    coder.more()
                    before = self.new_boundaries(x, before)
                    span, code, at = coder.span, coder.code, coder.at
            if not self.end <= x < width or label == before:
                raise FormatError("labels: impossible boundary")
            place(x)
            place_label(label)
            place_state(state)
            self.end, before = x + 1, label
        coder.span, coder.code, coder.at = span, code, at
        if begins and width > self.end and coder.bit(odds, MORE + (width - self.end).bit_length()):
            self.new_boundaries(width, before)
        self.smallest = min(self.gaps(), default=width)

    def new_boundaries(self, stop: int, before: int) -> int:
        """Boundaries that begin before ``stop``, one at least; the label before it."""
        coder, odds = self.coder, self.odds
        while True:
            x = self.end + coder.uniform(stop - self.end)
            label, length = coder.number(odds.labels), coder.number(odds.lengths)
            self.place(x, label, BEGUN, before)
            if length:
                self.place(x + length, before, RETURNED, label)
            else:
                before = label
            if len(self.places) > self.limit:
                raise FormatError("labels: contour stream of too many boundaries")
            if stop <= self.end or not coder.bit(odds.bits, MORE + (stop - self.end).bit_length()):
                return before

    def place(self, x: int, label: int, state: int, before: int) -> None:
        if not self.end <= x < self.width or label == before or label > self.highest:
            raise FormatError("labels: impossible boundary")
        self.append(x, label, state)
        self.end = x + 1


def decode_contours(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """The image of a contour stream, which must hold exactly one (else ``FormatError``)."""
    limit = boundary_limit(height, width)
    rows = _Decoder(payload, width, int(np.iinfo(dtype).max), limit)
    places, labels, counts = array("q"), array("H"), array("q")  # of all runs; how many a row has
    try:
        for _ in range(height):
            ends, begins = rows.events()
            if ends or begins:
                rows.change(ends, begins)
            else:
                rows.follow()
            places.append(0)  # before the first boundary, perhaps empty
            labels.append(0)
            places.extend(rows.places)
            labels.extend(rows.labels)
            counts.append(1 + len(rows.places))
            if len(places) > limit:
                raise FormatError("labels: contour stream of too many boundaries")
    except IndexError:
        raise FormatError("labels: contour stream is truncated") from None
    rows.coder.finish()
    starts = np.array(places) + np.repeat(np.arange(height) * width, counts)
    lengths = np.diff(starts, append=height * width)
    return np.repeat(np.array(labels).astype(dtype), lengths).reshape(height, width)


class _BoundaryChange(NamedTuple):
    """What an encoder has decided about a boundary."""

    ends: bool = False
    movement: int = 0
    begins: tuple[tuple[int, int, int], ...] = ()  # what begins before it: x, label, length


class _Encoder(_Contours):
    coder: Encoder

    def row(self, row: list[tuple[int, int]]) -> None:
        """``row``: the x and the label of its boundaries."""
        if self.labels == [label for _, label in row]:
            movements = [x - place for (x, _), place in zip(row, self.places, strict=True)]
            if max(map(abs, movements), default=0) <= REACH:
                self.events()
                self.follow(movements)
                return
        *changes, right = _boundary_changes([*zip(self.places, self.labels, strict=True)], row, self.width)
        ends = any(change.ends for change in changes)
        begins = any(change.begins for change in [*changes, right])
        self.events(ends, begins)
        if ends or begins:
            self.change(changes, right, ends, begins)
        else:
            self.follow([change.movement for change in changes])

    def follow(self, movements: list[int]) -> None:
        self.states = [
            self.move(x, state, movement)
            for x, state, movement in zip(self.places, self.states, movements, strict=True)
        ]
        self.places = [x + movement for x, movement in zip(self.places, movements, strict=True)]
        self.smallest = min(self.gaps(), default=self.width)

    def move(self, x: int, state: int, movement: int) -> int:
        """The state of a boundary after its movement."""
        if not self.coder.bit(self.odds.bits, MOVES + PAST[state] if x else EDGE, movement != 0):
            return STILL[state]
        direction, row = DIRECTION[state] if x else 1, SIZE[state]
        if x and self.coder.bit(self.odds.bits, TURNS + PAST[state], movement * direction < 0):
            row = BACK
        if self.coder.bit(self.odds.bits, FAR + row, abs(movement) > 1):
            self.coder.number(self.odds.sizes[row], abs(movement) - 2)
        return after(movement, last_of(state))

    def change(
        self, changes: list[_BoundaryChange], right: _BoundaryChange, ends: bool, begins: bool
    ) -> None:
        bit, odds, gaps = self.coder.bit, self.odds.bits, self.gaps()
        above = zip(self.places, self.labels, self.states, gaps, changes, strict=True)
        self.places, self.labels, self.states, end, before = [], [], [], 0, 0
        for x, label, state, gap, change in above:
            if ends:
                context = (SAME if label == before else DIES) + (gap.bit_length() if gap < 8 else WIDE)
                if bit(odds, context, change.ends):
                    continue
            state = self.move(x, state, change.movement)
            x += change.movement
            if begins:
                self.begin(x, end, before, change)
            self.append(x, label, state)
            end, before = x + 1, label
        if begins:
            self.begin(self.width, end, before, right)
        self.smallest = min(self.gaps(), default=self.width)

    def begin(self, stop: int, end: int, before: int, change: _BoundaryChange) -> None:
        """Boundaries that begin between the last one placed and ``stop``."""
        coder, odds = self.coder, self.odds
        for x, label, length in change.begins:
            room = stop - end
            coder.bit(odds.bits, MORE + room.bit_length(), 1)
            coder.uniform(room, x - end)
            coder.number(odds.labels, label)
            coder.number(odds.lengths, length)
            self.append(x, label, BEGUN)
            if length:
                self.append(x + length, before, RETURNED)
            else:
                before = label
            end = x + length + 1
        if stop > end:
            coder.bit(odds.bits, MORE + (stop - end).bit_length(), 0)


def _nearest(x: int, label: int, edges: Sequence[tuple[int, int]], first: int) -> int:
    """Index of the edge of this label nearest to ``x``, at least ``first``; -1 if none is within reach."""
    best, distance = -1, REACH + 1
    for i in range(bisect_left(edges, (x - REACH,), first), len(edges)):
        if edges[i][0] - x >= distance:
            break
        if edges[i][1] == label and abs(edges[i][0] - x) < distance:
            best, distance = i, abs(edges[i][0] - x)
    return best


def _boundary_changes(
    above: list[tuple[int, int]], row: list[tuple[int, int]], width: int
) -> list[_BoundaryChange]:
    """The encoder's choice, and last that for the right edge of the image.

    A boundary goes on as the nearest one of its label, if it is the nearest to that one too.
    """
    changes, first, label = [], 0, 0
    for j, (place, above_label) in enumerate([*above, (width, -1)]):
        i = _nearest(place, above_label, row, first) if j < len(above) else len(row)
        if i < 0 or (i < len(row) and _nearest(row[i][0], above_label, above, j) != j):
            changes.append(_BoundaryChange(ends=True))
            continue
        begins = []
        while first < i:
            x, new_label = row[first]
            closes = first + 1 < i and row[first + 1][1] == label
            begins.append((x, new_label, row[first + 1][0] - x if closes else 0))
            label = label if closes else new_label
            first += 2 if closes else 1
        changes.append(_BoundaryChange(False, row[i][0] - place if i < len(row) else 0, tuple(begins)))
        first, label = i + 1, above_label
    return changes


def _changes(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Where runs of a label begin, those of 0 at the left edge aside."""
    changes: NDArray[np.bool_] = np.diff(image, axis=1, prepend=image.dtype.type(0)) != 0
    return changes


def count_boundaries(image: NDArray[Any]) -> int:
    """Rows of ``image`` (H, W) and their boundaries, which a contour stream codes one by one."""
    return len(image) + int(np.count_nonzero(_changes(image)))


def encode_contours(image: NDArray[Any]) -> bytes | None:
    """Contour stream of ``image`` (H, W); None where it would have too many boundaries."""
    height, width = image.shape
    changes = _changes(image)
    if height + np.count_nonzero(changes) > boundary_limit(height, width):
        return None
    rows = _Encoder(Encoder(), width)
    edges = list(zip(np.nonzero(changes)[1].tolist(), image[changes].tolist(), strict=True))
    start = 0
    for end in np.cumsum(np.count_nonzero(changes, axis=1)).tolist():
        rows.row(edges[start:end])
        start = end
    return rows.coder.finish()
