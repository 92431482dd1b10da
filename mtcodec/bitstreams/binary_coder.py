"""Adaptive binary range coder for the few, irregular decisions of contour streams.

Integers only; the arithmetic is specified in ``docs/format.md`` ("Labels payload").
"""

from __future__ import annotations

from collections.abc import Callable

from mtcodec.errors import FormatError

TOP = 0xF0  # the first byte of a stream is below this
COUNT_LIMIT = 254
EVEN, RARE, USUAL = (1, 1), (16, 1), (1, 16)  # odds zero : one
Odds = list[int]  # of one context: counts of zeros and of ones
Bit = Callable[[Odds, int], int]


class RangeCoder:
    """Range coder. It encodes the values given; over a payload it ignores them, and returns those decoded.

    Attributes:
        bit: codes a bit of adaptive odds.
        settled: the bytes put out, the lowest number that may follow, the highest, and decisions so far.
        limit: decisions that a stream may have; a decoder refuses one that goes on.
    """

    def __init__(self, limit: int, payload: bytes | None = None) -> None:
        self.limit = limit
        self.bit, self.settled = _coder(limit, payload)

    @property
    def decisions(self) -> int:
        return self.settled()[3]

    def check(self) -> None:
        """Is the number of decisions allowed?"""
        _check(self.decisions, self.limit)

    def uniform(self, size: int, value: int) -> int:
        low, bit = 0, self.bit
        while size > 1:
            half = size // 2
            if bit([half, size - half], value >= low + half):
                low, size = low + half, size - half
            else:
                size = half
        return low

    def number(self, tree: dict[int, Odds], value: int, start: tuple[int, int] = EVEN) -> int:
        """``tree``: odds made so far, by the length of the number, and by length and leading bits."""
        k, bit = 0, self.bit
        while True:
            odds = tree.get(k)
            if odds is None:
                odds = tree[k] = [*start]
            if not bit(odds, value + 1 >> k > 1):
                break
            k += 1
            if k > 31:
                raise FormatError("labels: number out of range")
        prefix = 1
        for shift in range(k - 1, -1, -1):
            odds = tree.setdefault(32 * k + prefix, [*EVEN]) if prefix < 32 else [*EVEN]
            prefix = prefix << 1 | bit(odds, value + 1 >> shift & 1)
        return prefix - 1

    def finish(self) -> bytes:
        """Everything put out. A decoder has put out the same bytes as the encoder."""
        output, low, high, _ = self.settled()
        for size in range(1, 5):
            shift = 32 - 8 * size
            tail = -(-low >> shift)  # rounded up
            if tail << shift <= high:
                break
        return output + tail.to_bytes(size, "big")


def _check(decisions: int, limit: int) -> None:
    if decisions > limit:
        raise FormatError("labels: contour stream of too many decisions")


def _coder(limit: int, payload: bytes | None) -> tuple[Bit, Callable[[], tuple[bytes, int, int, int]]]:
    """``bit`` and ``settled`` of a coder. Nearly all of a decoder's time is spent in ``decode``: variables of
    a function are quicker than attributes, and ``span``, highest − lowest, than both."""
    low, span, decisions = 0, (TOP << 24) - 1, 0
    output = bytearray()
    source = iter(payload or b"")
    code = int.from_bytes(bytes(next(source, 0) for _ in range(4)), "big")  # above the lowest

    def decode(odds: Odds, value: int) -> int:
        nonlocal low, span, code, decisions
        decisions += 1
        zeros, ones = odds
        own = span * zeros // (zeros + ones)
        if code > own:
            own += 1
            low += own
            code -= own
            span -= own
            odds[1] = ones = ones + 2
            value = 1
        else:
            span = own
            odds[0] = zeros = zeros + 2
            value = 0
        if zeros + ones > 254:
            odds[:] = (zeros + 1) // 2, (ones + 1) // 2
        if span < 0x1000000 and (low ^ low + span) < 0x1000000:
            shift()
        return value

    def encode(odds: Odds, value: int) -> int:
        nonlocal code
        code = span if value else 0
        return decode(odds, value)

    def shift() -> None:
        """Bytes that are settled go out. A decoder counts its decisions then: it has few thousand bytes."""
        nonlocal low, span, code
        while (low ^ low + span) < 0x1000000:
            output.append(low >> 24)
            low = low << 8 & 0xFFFFFFFF
            span = span << 8 | 255
            code = code << 8 | next(source, 0)
            if payload is not None:
                if len(output) > len(payload):
                    raise FormatError("labels: contour stream is truncated")
                _check(decisions, limit)

    bit = encode if payload is None else decode
    return bit, lambda: (bytes(output), low, low + span, decisions)
