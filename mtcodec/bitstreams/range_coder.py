"""One rANS coder per section: symbols grouped by probability table, escapes for rare large ones.

Arithmetic is ``constriction``'s (integers throughout); the layout is in ``docs/format.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from mtcodec.errors import FormatError

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]

Categorical = constriction.stream.model.Categorical
Uniform = constriction.stream.model.Uniform
AnsCoder = constriction.stream.stack.AnsCoder

PRECISION = 24
MAX_BITS = 17  # of an escaped value


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


def _parts(bits: int) -> list[int]:
    return [bits] if bits <= 8 else [8, bits - 8]


class Encoder:
    """Collects steps of symbols in decoding order, then encodes them all at once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.steps: list[tuple[Symbols, Indexes]] = []

    def put(self, symbols: Symbols, index: Indexes) -> None:
        """Add one step: flat ``symbols`` and their table indexes."""
        self.steps.append((symbols, index))

    def finish(self) -> bytes:
        coder = AnsCoder()
        for symbols, index in reversed(self.steps):
            order = np.argsort(index, kind="stable")
            symbols, sorted_index = symbols[order], index[order]
            radius = self.tables.radius[sorted_index]
            magnitude = np.abs(symbols)
            escaped = magnitude > radius
            letters = (2 * magnitude - (symbols < 0)).astype(np.int32)
            letters[escaped] = 2 * radius[escaped] + 1
            excess = 2 * (magnitude - radius - 1)[escaped] + (symbols < 0)[escaped]
            _push_escapes(coder, [int(v) for v in excess])
            ends = np.cumsum(np.bincount(sorted_index, minlength=len(self.tables.models)))
            for i in np.unique(index)[::-1]:
                start = ends[i - 1] if i else 0
                coder.encode_reverse(letters[start : ends[i]], self.tables.models[i])
        payload: bytes = coder.get_compressed().astype("<u4").tobytes()
        return payload.rstrip(b"\0")


def _push_escapes(coder: Any, values: Sequence[int]) -> None:
    lengths = [(v + 1).bit_length() - 1 for v in values]
    for v, bits in zip(reversed(values), reversed(lengths)):
        rest = v + 1 - (1 << bits)
        for low, part in zip((8, 0)[len(_parts(bits)) == 1 :], reversed(_parts(bits))):
            if part:
                coder.encode_reverse(np.array([rest >> low & (1 << part) - 1], np.int32), Uniform(1 << part))
    if values:
        coder.encode_reverse(np.array(lengths, np.int32), _LENGTH)


class Decoder:
    """Decodes the steps of one payload in order.

    Raises:
        FormatError: from any method, where the payload is not what an encoder writes.
    """

    def __init__(self, tables: Tables, payload: bytes) -> None:
        if payload[-1:] == b"\0":
            raise FormatError("entropy-coded data end in a zero byte")
        self.tables = tables
        padded = payload + bytes(-len(payload) % 4)
        self.coder = AnsCoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    def take(self, index: Indexes, limit: int) -> Symbols:
        """Decode one step: a symbol, of magnitude up to ``limit``, for every entry of ``index``."""
        order = np.argsort(index, kind="stable")
        counts = np.bincount(index, minlength=len(self.tables.models))
        used = np.flatnonzero(counts)
        groups = [self.coder.decode(self.tables.models[i], int(counts[i])) for i in used]
        letters = np.concatenate(groups) if groups else np.zeros(0, np.int32)
        symbols = (letters + 1) // 2 * np.where(letters & 1, -1, 1)
        radius = self.tables.radius[index[order]]
        escaped = np.flatnonzero(letters > 2 * radius)
        if len(escaped):
            values = self._take_escapes(len(escaped))
            magnitude = values // 2 + radius[escaped] + 1
            symbols[escaped] = np.where(values & 1, -magnitude, magnitude)
        if np.abs(symbols).max(initial=0) > limit:  # a table's radius may exceed it, too
            raise FormatError("a decoded symbol is out of range")
        result = np.empty(len(index), np.int32)
        result[order] = symbols
        return result

    def _take_escapes(self, count: int) -> npt.NDArray[np.int64]:
        values = np.empty(count, np.int64)
        for k, bits in enumerate(self.coder.decode(_LENGTH, count)):
            rest, shift = 0, 0
            for part in _parts(int(bits)):
                if part:
                    rest |= int(self.coder.decode(Uniform(1 << part), 1)[0]) << shift
                    shift += part
            values[k] = (1 << int(bits)) + rest - 1
        return values

    def finish(self) -> None:
        if not self.coder.is_empty():
            raise FormatError("entropy-coded data are left over")
