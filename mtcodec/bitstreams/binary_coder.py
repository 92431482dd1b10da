"""Adaptive binary range coder for the few, irregular decisions of contour streams.

Integers only, in a decoder below 2**30, which Python computes fastest. The arithmetic is specified in
``docs/format.md`` ("Labels payload").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping

from mtcodec.errors import FormatError

FIRST_BYTE_LIMIT = 0xF0  # the first byte of a stream is below this
SPAN, MIN_SPAN = FIRST_BYTE_LIMIT << 16, 1 << 22  # of an interval: at first, and when the next bit is coded
PROBABILITY_BITS = 12  # of a probability
MAX_UNIFORM = 1 << 16  # uniform values are coded in parts below this
MAX_COUNTS = 254  # of a context's bits; then they are halved

Odds = list[int] | MutableMapping[int, int]
"""Contexts: counts of zeros · 256 + counts of ones, by number."""

EVEN, RARE, USUAL = 1 << 8 | 1, 16 << 8 | 1, 1 << 8 | 16  # odds of a zero against a one

TRANSITIONS: list[tuple[int, int, int] | None] = [None] * 65536
"""By odds: the probability of a zero, and the odds after a zero and after a one; None until it is needed."""


def transition_of(odds: int) -> tuple[int, int, int]:
    """What :data:`TRANSITIONS` then has."""
    zeros, ones = odds >> 8, odds & 255
    transition = (
        (zeros << PROBABILITY_BITS) // (zeros + ones),
        _counted(zeros + 2, ones),
        _counted(zeros, ones + 2),
    )
    TRANSITIONS[odds] = transition
    return transition


def _counted(zeros: int, ones: int) -> int:
    if zeros + ones > MAX_COUNTS:
        zeros, ones = (zeros + 1) // 2, (ones + 1) // 2
    return zeros << 8 | ones


class _Coder(ABC):
    """What encoder and decoder have in common. A decoder ignores the values it is given."""

    span = SPAN  # length of the interval that is left

    @abstractmethod
    def bit(self, odds: Odds, context: int, value: int = 0) -> int:
        """Code a bit with the adaptive odds ``odds[context]``."""

    @abstractmethod
    def _part(self, size: int, value: int) -> int: ...

    def uniform(self, size: int, value: int = 0) -> int:
        """Code a value below ``size``."""
        if size <= MAX_UNIFORM:
            return self._part(size, value)
        first = self.uniform((size + MAX_UNIFORM - 1) // MAX_UNIFORM, value // MAX_UNIFORM) * MAX_UNIFORM
        return first + self._part(min(MAX_UNIFORM, size - first), value - first)


class Encoder(_Coder):
    """Codes what it is given; :meth:`finish` returns the bytes."""

    def __init__(self) -> None:
        self._low = 0  # where the interval begins, of 32 bits; a carry goes into what was put out
        self._output = bytearray()

    def bit(self, odds: Odds, context: int, value: int = 0) -> int:
        counts = odds[context]
        share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
        zero = (self.span >> PROBABILITY_BITS) * share
        if value:
            self._low += zero
            self.span -= zero
            odds[context] = after_one
        else:
            self.span = zero
            odds[context] = after_zero
        self._settle()
        return value

    def number(self, odds: MutableMapping[int, int], value: int) -> None:
        """Code a number. ``odds``: made so far, by the number's length, and by length and leading bits."""
        length, prefix = (value + 1).bit_length() - 1, 1
        for k in range(length + 1):
            odds.setdefault(k, EVEN)
            self.bit(odds, k, k < length)
        for left in range(length, 0, -1):
            if prefix >= 32:
                self.uniform(1 << left, value + 1 & (1 << left) - 1)
                return
            context = 32 * length + prefix
            odds.setdefault(context, EVEN)
            prefix = prefix << 1 | self.bit(odds, context, value + 1 >> left - 1 & 1)

    def _part(self, size: int, value: int) -> int:
        self.span //= size
        self._low += self.span * value
        self._settle()
        return value

    def _settle(self) -> None:
        while self.span < MIN_SPAN:
            self._put(self._low >> 24)
            self._low = self._low << 8 & 0xFFFFFFFF
            self.span <<= 8

    def _put(self, byte: int) -> None:
        if byte > 255:
            last = len(self._output) - 1
            while self._output[last] == 255:
                self._output[last] = 0
                last -= 1
            self._output[last] += 1
        self._output.append(byte & 255)

    def finish(self) -> bytes:
        size, tail = _tail(self._low, self.span)
        self._put(tail >> 24)
        self._output += (tail & 0xFFFFFF).to_bytes(3, "big")[: size - 1]
        return bytes(self._output[1:]) or b"\0"  # the first interval has three bytes


class Decoder(_Coder):
    """Decodes the bits of a stream.

    Attributes:
        span, code: length of the interval that is left, and where the stream lies in it.
        data, at: the stream and the bytes that may follow it, and what has been read of them.
    """

    def __init__(self, payload: bytes) -> None:
        self.data, self.at = payload + bytes(3), 3
        self.code = int.from_bytes(self.data[:3], "big")
        if self.code >= SPAN:
            raise FormatError("labels: not a contour stream")

    def bit(self, odds: Odds, context: int, value: int = 0) -> int:
        counts = odds[context]
        share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
        zero = (self.span >> PROBABILITY_BITS) * share
        if self.code < zero:
            self.span = zero
            odds[context] = after_zero
            value = 0
        else:
            self.code -= zero
            self.span -= zero
            odds[context] = after_one
            value = 1
        if self.span < MIN_SPAN:
            self.more()
        return value

    def number(self, odds: MutableMapping[int, int]) -> int:
        """Decode a number, its bits in place. IndexError: the stream is truncated."""
        span, code, at, data = self.span, self.code, self.at, self.data
        k, one = 0, True
        while one:
            counts = odds.get(k, EVEN)
            share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
            zero = (span >> PROBABILITY_BITS) * share
            one = code >= zero
            if one:
                span, code, odds[k] = span - zero, code - zero, after_one
                k += 1
                if k > 31:
                    raise FormatError("labels: number out of range")
            else:
                span, odds[k] = zero, after_zero
            while span < MIN_SPAN:
                span, code, at = span << 8, code << 8 | data[at], at + 1
        left, prefix = k, 1
        while left and prefix < 32:
            context = 32 * k + prefix
            counts = odds.get(context, EVEN)
            share, after_zero, after_one = TRANSITIONS[counts] or transition_of(counts)
            zero = (span >> PROBABILITY_BITS) * share
            if code < zero:
                span, odds[context], prefix = zero, after_zero, prefix << 1
            else:
                span, code, odds[context] = span - zero, code - zero, after_one
                prefix = prefix << 1 | 1
            while span < MIN_SPAN:
                span, code, at = span << 8, code << 8 | data[at], at + 1
            left -= 1
        self.span, self.code, self.at = span, code, at
        return (prefix << left) + (self.uniform(1 << left) if left else 0) - 1

    def _part(self, size: int, value: int) -> int:
        self.span //= size
        value = self.code // self.span
        if value >= size:
            raise FormatError("labels: contour stream has no such value")
        self.code -= value * self.span
        self.more()
        return value

    def more(self) -> None:
        """Read bytes until the interval is long enough."""
        try:
            while self.span < MIN_SPAN:
                self.span <<= 8
                self.code = self.code << 8 | self.data[self.at]
                self.at += 1
        except IndexError:
            raise FormatError("labels: contour stream is truncated") from None

    def finish(self) -> None:
        """Raise FormatError if an encoder would have ended the stream otherwise."""
        window = int.from_bytes((b"\0" + self.data)[self.at - 3 : self.at + 1], "big")
        low = window - self.code & 0xFFFFFFFF
        size, tail = _tail(low, self.span)
        if self.code != tail - low or len(self.data) - 3 != max(1, self.at - 4 + size):
            raise FormatError("labels: contour stream does not end where its payload ends")


def _tail(low: int, span: int) -> tuple[int, int]:
    """The fewest bytes (1 to 4) that, with zeros after them, lie in an interval, and their value."""
    for size in range(1, 5):
        unit = 1 << 32 - 8 * size
        tail = -(-low // unit) * unit
        if tail - low < span:
            break
    return size, tail
