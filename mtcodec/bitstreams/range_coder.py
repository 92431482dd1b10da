"""Symbols of latents to bytes: a range coder over probability tables, with escapes for rare large symbols.

Arithmetic is ``constriction``'s (integers throughout); the layout is in ``docs/format.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from mtcodec.errors import FormatError

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]

Categorical = constriction.stream.model.Categorical
Uniform = constriction.stream.model.Uniform
queue = constriction.stream.queue

PRECISION = 24
MAX_BITS = 17  # of an escaped value
DAMAGED = "entropy-coded data are damaged"
MARGIN_WORDS = 2  # words of zeros after a payload, so that the decoder never runs out of them


class Tables:
    """Probability tables: one row of counts (sum 2**24) each, alphabet 0, −1, 1, … −R, R, escape.

    Args:
        counts: uint32, all rows one after the other.
        lengths: entries of every row: 2R + 2.
    """

    def __init__(self, counts: npt.NDArray[np.uint32], lengths: npt.NDArray[np.uint16]) -> None:
        if counts.dtype != np.uint32 or lengths.dtype != np.uint16 or (counts.ndim, lengths.ndim) != (1, 1):
            raise ValueError("probability tables are not lists of uint32 counts and uint16 lengths")
        if len(lengths) == 0 or int(lengths.sum()) != len(counts) or (lengths % 2).any() or lengths.min() < 4:
            raise ValueError("lengths of probability tables do not match")
        if not counts.all():
            raise ValueError("a count of a probability table is zero")
        self.counts, self.lengths = counts, lengths
        rows = np.split(counts, np.cumsum(lengths[:-1].astype(np.int64)))
        if any(int(row.sum()) != 1 << PRECISION for row in rows):
            raise ValueError("counts of a probability table do not add up to 2**24")
        self.radius = (lengths.astype(np.int32) - 2) // 2
        self.models = [Categorical(row / float(1 << PRECISION), perfect=False) for row in rows]


_LENGTH = Uniform(MAX_BITS + 1)


def _escape_widths(bits: int) -> list[int]:
    return [bits] if bits <= 8 else [8, bits - 8]


class Encoder:
    """Encodes the symbols of one payload, step by step."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.coder = queue.RangeEncoder()

    def put(self, symbols: Symbols, index: Indexes) -> None:
        """Add one step: flat ``symbols`` and their table indexes."""
        order = np.argsort(index, kind="stable")
        symbols, index = symbols[order], index[order]
        radius = self.tables.radius[index]
        magnitude = np.abs(symbols)
        escaped = magnitude > radius
        letters = (2 * magnitude - (symbols < 0)).astype(np.int32)
        letters[escaped] = 2 * radius[escaped] + 1
        start = 0
        for i, count in used(index):
            self.coder.encode(letters[start : start + count], self.tables.models[i])
            start += count
        self.put_escapes(2 * (magnitude - radius - 1)[escaped] + (symbols < 0)[escaped])

    def put_escapes(self, values: Iterable[int]) -> None:
        numbers = [int(v) + 1 for v in values]
        if numbers:
            self.coder.encode(np.array([n.bit_length() - 1 for n in numbers], np.int32), _LENGTH)
        for number in numbers:
            bits = number.bit_length() - 1
            remainder = number - (1 << bits)
            for width in _escape_widths(bits):
                if width:
                    self.coder.encode(np.array([remainder & (1 << width) - 1], np.int32), Uniform(1 << width))
                remainder >>= width

    def finish(self) -> bytes:
        """The fewest bytes that, with zeros after them, lie in the coder's interval; not ending in a zero."""
        words = np.asarray(self.coder.get_compressed(), np.uint32)
        position, (low, span) = self.coder.pos()  # the interval: [low, low + span), from word ``position`` on
        data = words.astype(">u4").tobytes().ljust(4 * (position + 2), b"\0")
        front, inside = data[: 4 * position], int.from_bytes(data[4 * position : 4 * position + 8], "big")
        if inside < low:  # a carry has gone into the words before
            low -= 1 << 64
        count, end = next((n, e) for n in range(9) if (e := _round_up(low, 64 - 8 * n)) < low + span)
        if end >> 64:
            front = (int.from_bytes(front, "big") + 1).to_bytes(len(front), "big")
        tail = (end & (1 << 64) - 1).to_bytes(8, "big")[:count]
        return (front + tail).rstrip(b"\0")


def used(index: Indexes) -> list[tuple[int, int]]:
    """Tables that occur in ``index``, and how often."""
    counts = np.bincount(index).tolist()
    return [(i, count) for i, count in enumerate(counts) if count]


def _round_up(value: int, bits: int) -> int:
    """The next multiple of 2**bits."""
    return -(-value >> bits) << bits


class Decoder:
    """Decodes the steps of one payload in order.

    Raises:
        FormatError: from any method, where the payload is not what an encoder writes.
    """

    def __init__(self, tables: Tables, payload: bytes) -> None:
        self.tables, self.payload = tables, payload
        padded = payload + bytes(-len(payload) % 4 + 4 * MARGIN_WORDS)
        self.coder = queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
        self.reencoder = Encoder(tables)  # what is decoded must be what a writer of it puts out

    def _decode(self, model: Any, count: int) -> npt.NDArray[np.int32]:
        try:
            symbols: npt.NDArray[np.int32] = self.coder.decode(model, count)
        except AssertionError as error:  # constriction's word for impossible bytes
            raise FormatError(DAMAGED) from error
        return symbols

    def take(self, index: Indexes, limit: int) -> Symbols:
        """Decode one step: a symbol, of magnitude up to ``limit``, for every entry of ``index``."""
        order = np.argsort(index, kind="stable")
        groups = []
        for i, count in used(index):
            letters_of_table = self._decode(self.tables.models[i], count)
            self.reencoder.coder.encode(letters_of_table, self.tables.models[i])
            groups.append(letters_of_table)
        letters = np.concatenate(groups) if groups else np.empty(0, np.int32)
        half = letters + 1 >> 1
        symbols = np.where(letters & 1, -half, half)
        radius = self.tables.radius[index[order]]
        escaped = np.flatnonzero(letters > 2 * radius)
        if len(escaped):
            values = self._take_escapes(len(escaped))
            self.reencoder.put_escapes(values)
            magnitude = values // 2 + radius[escaped] + 1
            symbols[escaped] = np.where(values & 1, -magnitude, magnitude)
        if len(symbols) and max(symbols.max(), -symbols.min()) > limit:  # a table's radius may exceed it, too
            raise FormatError("a decoded symbol is out of range")
        result = np.empty(len(index), np.int32)
        result[order] = symbols
        return result

    def _take_escapes(self, count: int) -> npt.NDArray[np.int64]:
        values = np.empty(count, np.int64)
        for k, bits in enumerate(self._decode(_LENGTH, count)):
            remainder, shift = 0, 0
            for width in _escape_widths(int(bits)):
                if width:
                    remainder |= int(self._decode(Uniform(1 << width), 1)[0]) << shift
                    shift += width
            values[k] = (1 << int(bits)) + remainder - 1
        return values

    def finish(self) -> None:
        """Refuse a payload that a writer of the same symbols would not have put out."""
        if self.reencoder.finish() != self.payload:
            raise FormatError("entropy-coded data are not as an encoder writes them")
