"""Adaptive binary range coder for the few, irregular decisions of contour streams.

Integers only; the arithmetic is specified in ``docs/format.md`` ("Labels payload").
"""

from __future__ import annotations

from mtcodec.errors import FormatError

TOP = 0xF0  # the first byte of a stream is below this
MASK = 0xFFFFFFFF
COUNT_LIMIT = 254
EVEN, RARE, USUAL = (1, 1), (16, 1), (1, 16)  # odds zero : one
Odds = list[int]  # of one context: counts of zeros and of ones


class RangeCoder:
    """Range coder. It encodes the values given; over a payload it ignores them, and returns those decoded.

    Attributes:
        decisions: bits coded so far; a decoder refuses a stream that goes on beyond ``limit`` of them.
    """

    def __init__(self, limit: int, payload: bytes | None = None) -> None:
        self.low, self.high = 0, (TOP << 24) - 1
        self.decisions, self.limit = 0, limit
        self.output = bytearray()
        self.payload = payload
        self.source = iter(payload or b"")
        self.code = int.from_bytes(bytes(next(self.source, 0) for _ in range(4)), "big")
        self.decoding = payload is not None

    def bit(self, odds: Odds, bit: int) -> int:
        """A bit of adaptive odds. Nearly all of a decoder's time is spent here."""
        self.decisions += 1
        low, high = self.low, self.high
        zeros, ones = odds
        total = zeros + ones
        middle = low + (high - low) * zeros // total
        if self.decoding:
            bit = self.code > middle
        if bit:
            odds[1] = ones + 2
            self.low = low = middle + 1
        else:
            odds[0] = zeros + 2
            self.high = high = middle
        if total + 2 > COUNT_LIMIT:
            odds[:] = (odds[0] + 1) // 2, (odds[1] + 1) // 2
        if (low ^ high) < 1 << 24:
            self.shift()
        return bit

    def shift(self) -> None:
        """Bytes that are settled go out."""
        while (self.low ^ self.high) < 1 << 24:
            self.output.append(self.low >> 24)
            self.low = self.low << 8 & MASK
            self.high = self.high << 8 & MASK | 255
            self.code = self.code << 8 & MASK | next(self.source, 0)
        if self.payload is not None:
            if len(self.output) > len(self.payload):
                raise FormatError("labels: contour stream is truncated")
            self.check()

    def check(self) -> None:
        """Is the number of decisions allowed? Asked after every byte, which is a few thousand at most."""
        if self.decisions > self.limit:
            raise FormatError("labels: contour stream of too many decisions")

    def uniform(self, size: int, value: int) -> int:
        low = 0
        while size > 1:
            half = size // 2
            if self.bit([half, size - half], value >= low + half):
                low, size = low + half, size - half
            else:
                size = half
        return low

    def number(self, tree: dict[int, Odds], value: int, start: tuple[int, int] = EVEN) -> int:
        """``tree``: odds made so far, by the length of the number, and by length and leading bits."""
        k = 0
        while self.bit(tree.setdefault(k, [*start]), value + 1 >> k > 1):
            k += 1
            if k > 31:
                raise FormatError("labels: number out of range")
        prefix = 1
        for shift in range(k - 1, -1, -1):
            odds = tree.setdefault(32 * k + prefix, [*EVEN]) if prefix < 32 else [*EVEN]
            prefix = prefix << 1 | self.bit(odds, value + 1 >> shift & 1)
        return prefix - 1

    def finish(self) -> bytes:
        """Everything put out. A decoder has put out the same bytes as the encoder."""
        for size in range(1, 5):
            shift = 32 - 8 * size
            tail = -(-self.low >> shift)  # rounded up
            if tail << shift <= self.high:
                break
        return bytes(self.output) + tail.to_bytes(size, "big")
