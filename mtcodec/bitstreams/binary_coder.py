"""Adaptive binary range coder for the few, irregular decisions of contour streams.

Integers only; the arithmetic is specified in ``docs/format.md`` ("Labels payload").
"""

from __future__ import annotations

from mtcodec.errors import FormatError

TOP = 0xF0  # the first byte of a stream is below this
MASK = 0xFFFFFFFF
COUNT_LIMIT = 254
EVEN, RARE, USUAL = (1, 1), (16, 1), (1, 16)  # odds zero : one


class RangeCoder:
    """Range coder. It encodes the values given; over a payload it ignores them, and returns those decoded."""

    def __init__(self, payload: bytes | None = None) -> None:
        self.low, self.high = 0, (TOP << 24) - 1
        self.output = bytearray()
        self.counts: dict[tuple[object, ...], list[int]] = {}
        self.payload = payload
        self.source = iter(payload or b"")
        self.code = int.from_bytes(bytes(next(self.source, 0) for _ in range(4)), "big")

    def split(self, zeros: int, total: int, bit: int) -> int:
        middle = self.low + (self.high - self.low) * zeros // total
        if self.payload is not None:
            bit = int(self.code > middle)
        if bit:
            self.low = middle + 1
        else:
            self.high = middle
        while not (self.low ^ self.high) >> 24:
            self.output.append(self.low >> 24)
            self.low = self.low << 8 & MASK
            self.high = self.high << 8 & MASK | 255
            self.code = self.code << 8 & MASK | next(self.source, 0)
            if self.payload is not None and len(self.output) > len(self.payload):
                raise FormatError("labels: contour stream is truncated")
        return bit

    def bit(self, context: tuple[object, ...], bit: int, start: tuple[int, int] = EVEN) -> int:
        counts = self.counts.get(context)
        if counts is None:
            counts = self.counts[context] = list(start)
        bit = self.split(counts[0], counts[0] + counts[1], bit)
        counts[bit] += 2
        if counts[0] + counts[1] > COUNT_LIMIT:
            counts[:] = (counts[0] + 1) // 2, (counts[1] + 1) // 2
        return bit

    def uniform(self, size: int, value: int) -> int:
        low = 0
        while size > 1:
            half = size // 2
            if self.split(half, size, int(value >= low + half)):
                low, size = low + half, size - half
            else:
                size = half
        return low

    def number(self, name: str, context: int, value: int, start: tuple[int, int] = EVEN) -> int:
        k = 0
        while self.bit((name, context, k), int(value + 1 >> k > 1), start):
            k += 1
            if k > 31:
                raise FormatError("labels: number out of range")
        prefix = 1
        for shift in range(k - 1, -1, -1):
            bit = value + 1 >> shift & 1
            known = prefix < 32
            bit = self.bit((name, context, k, prefix), bit) if known else self.split(1, 2, bit)
            prefix = prefix << 1 | bit
        return prefix - 1

    def finish(self) -> bytes:
        """Everything put out. A decoder has put out the same bytes as the encoder."""
        for size in range(1, 5):
            shift = 32 - 8 * size
            tail = -(-self.low >> shift)  # rounded up
            if tail << shift <= self.high:
                break
        return bytes(self.output) + tail.to_bytes(size, "big")
