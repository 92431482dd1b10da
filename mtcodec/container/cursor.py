"""Bounded reads of untrusted bytes, and the integers of headers."""

from __future__ import annotations

import struct
from typing import Any

from mtcodec.errors import FormatError

SHORT_BITS, LONG_BITS = 35, 70  # of a varint's bytes without their top bits
TOO_SHORT = "not a whole header: the file ends within it"
MAX_LONG = (1 << 63) - 1
MAX_SIGNED = (1 << 62) - 1  # largest magnitude of a zigzag


def varint(value: int) -> bytes:
    """LEB128 of a number that is not negative."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> bytes:
    """LEB128 of 2n, or of −2n − 1 where n is negative."""
    return varint(2 * value if value >= 0 else -2 * value - 1)


class Cursor:
    """Bounded reads from the start of ``data``; running out of bytes is a FormatError: ``message``."""

    def __init__(self, data: bytes, message: str = TOO_SHORT) -> None:
        self.data, self.position, self.message = data, 0, message

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.data):
            raise FormatError(self.message)
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        return self.take(1)[0]

    def unpack(self, fmt: str) -> tuple[Any, ...]:
        return struct.unpack(fmt, self.take(struct.calcsize(fmt)))

    def varint(self, field: str, limit: int) -> int:
        """A number up to ``limit``, of at most five bytes, or of ten where the limit is that large."""
        value = 0
        for shift in range(0, SHORT_BITS if limit < 1 << SHORT_BITS else LONG_BITS, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if (byte == 0 and shift) or value > limit:
                    break
                return value
        raise FormatError(f"{field} is out of range")

    def zigzag(self, field: str) -> int:
        """A number of at most :data:`MAX_SIGNED` in magnitude."""
        value = self.varint(field, 2 * MAX_SIGNED)
        return -(value + 1 >> 1) if value & 1 else value >> 1

    @property
    def rest(self) -> bytes:
        """What has not been read."""
        return self.data[self.position :]
