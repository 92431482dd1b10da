"""Bounded reads of untrusted bytes, and the integers of headers."""

from __future__ import annotations

import struct
from typing import Any

from mtcodec.errors import FormatError


def varint(value: int) -> bytes:
    """LEB128 of a number below 2**35."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Cursor:
    """Bounded reads from the start of ``data``; running out of bytes is a FormatError: ``message``."""

    def __init__(self, data: bytes, message: str = "not a whole header: the file ends within it") -> None:
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
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if (byte == 0 and shift) or value > limit:
                    break
                return value
        raise FormatError(f"{field} is out of range")

    @property
    def rest(self) -> bytes:
        """What has not been read."""
        return self.data[self.position :]
