"""The frames of a group: their names and times, and payloads of several frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from mtcodec.container.cursor import MAX_LONG, MAX_SIGNED, Cursor, varint, zigzag
from mtcodec.errors import FormatError

MAX_FRAMES = 64  # of a group
MAX_RATE = 10**9  # ticks a second
MAX_NAME = 100  # bytes
MAX_DIGITS = 9  # of a numbered name's number
NUMBERED, LISTED = 0, 1  # forms of names, for ever
_NAME = re.compile(r"(?!\.)[^\x00-\x1f\x7f/\\]+")
_DIGITS = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True)
class Frames:
    """Names and times of the frames of a group.

    Attributes:
        names: no two are equal.
        rate: ticks a second; 0: frames have no times.
        ticks: by frame, its time; none without a rate. They do not descend.
    """

    names: tuple[str, ...]
    rate: int = 0
    ticks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def common_factor(self, delays: Sequence[int]) -> int:
        """What the rate, all times and ``delays`` of tasks could be divided by: 1 of a header."""
        return gcd(self.rate, *self.ticks, *delays)


def is_name(name: str) -> bool:
    """Can a frame have this name?"""
    try:
        return _NAME.fullmatch(name) is not None and len(name.encode()) <= MAX_NAME
    except UnicodeEncodeError:
        return False


# --- in headers ----------------------------------------------------------------------------------------


def pack(frames: Frames) -> bytes:
    """The frames of a header."""
    out = bytes([len(frames)]) + varint(frames.rate)
    if frames.rate:
        steps = [after - before for before, after in zip(frames.ticks, frames.ticks[1:])]
        out += zigzag(frames.ticks[0])
        if steps:
            least, differ = min(steps), min(steps) < max(steps)
            out += varint(2 * least + differ)
            out += b"".join(varint(step - least) for step in steps) if differ else b""
    numbering = _numbering(frames.names)
    if numbering is None:
        return out + bytes([LISTED]) + _pack_listed(frames.names)
    prefix, width, first, step = numbering
    packed_prefix = prefix.encode()
    return (
        out
        + bytes([NUMBERED, len(packed_prefix)])
        + packed_prefix
        + bytes([width])
        + varint(first)
        + varint(step)
    )


def parse(cursor: Cursor) -> Frames:
    """The frames of a header.

    Raises:
        FormatError: damaged, or not the one form of bytes.
    """
    count = cursor.byte()
    if not 1 <= count <= MAX_FRAMES:
        raise FormatError("number of frames is out of range")
    start = cursor.position
    rate = cursor.varint("rate of frames", MAX_RATE)
    ticks = _parse_ticks(cursor, count) if rate else ()
    form = cursor.byte()
    if form > LISTED:
        raise FormatError("reserved form of names")
    names = _parse_numbered(cursor, count) if form == NUMBERED else _parse_listed(cursor, count)
    frames = Frames(names, rate, ticks)
    if len(set(names)) < count or not all(map(is_name, names)):
        raise FormatError("names of frames that are none, or repeat")
    if pack(frames)[1:] != cursor.data[start : cursor.position]:
        raise FormatError("frames in another form than theirs")
    return frames


def _parse_ticks(cursor: Cursor, count: int) -> tuple[int, ...]:
    ticks = [cursor.zigzag("time of a frame")]
    if count > 1:
        field = cursor.varint("step of frames", MAX_LONG)
        least, differ = field >> 1, field & 1
        for _ in range(count - 1):
            step = least + (cursor.varint("step of frames", MAX_LONG) if differ else 0)
            ticks.append(ticks[-1] + step)
    if ticks[-1] > MAX_SIGNED:
        raise FormatError("time of a frame is out of range")
    return tuple(ticks)


def _numbering(names: Sequence[str]) -> tuple[str, int, int, int] | None:
    """Prefix, width, first number and step of names that count up by their last digits; else None."""
    endings = [_DIGITS.search(name) for name in names[:2]]
    if len(endings) < 2 or endings[0] is None or endings[1] is None:
        return None
    digits = endings[0].group()
    prefix, width, first = names[0][: -len(digits)], len(digits), int(digits)
    step = int(endings[1].group()) - first
    is_counted = step > 0 and list(names) == _numbered(prefix, width, first, step, len(names))
    return (prefix, width, first, step) if is_counted else None


def _numbered(prefix: str, width: int, first: int, step: int, count: int) -> list[str]:
    return [f"{prefix}{first + step * i:0{width}}" for i in range(count)]


def _parse_numbered(cursor: Cursor, count: int) -> tuple[str, ...]:
    prefix, width = _text(cursor.take(cursor.byte())), cursor.byte()
    largest = 10**MAX_DIGITS
    first, step = cursor.varint("number of a frame", largest), cursor.varint("step of numbers", largest)
    if not 1 <= width <= MAX_DIGITS:
        raise FormatError("width of numbers is out of range")
    return tuple(_numbered(prefix, width, first, step, count))


def _pack_listed(names: Sequence[str]) -> bytes:
    out, before = b"", b""
    for name in map(str.encode, names):
        same = next((i for i, (a, b) in enumerate(zip(name, before)) if a != b), min(len(name), len(before)))
        out += bytes([same, len(name) - same]) + name[same:]
        before = name
    return out


def _parse_listed(cursor: Cursor, count: int) -> tuple[str, ...]:
    names, before = [], b""
    for _ in range(count):
        same = cursor.byte()
        if same > len(before):
            raise FormatError("a name of a frame that shares more than there is")
        before = before[:same] + cursor.take(cursor.byte())
        if len(before) > MAX_NAME:
            raise FormatError("name of a frame is too long")
        names.append(_text(before))
    return tuple(names)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError("name of a frame is not UTF-8") from error


# --- payloads ------------------------------------------------------------------------------------------


def join(payloads: Sequence[bytes]) -> bytes:
    """The payload of several frames, of those of each."""
    return b"".join(varint(len(payload)) for payload in payloads[:-1]) + b"".join(payloads)


def split(payload: bytes, count: int) -> list[bytes]:
    """Payloads by frame, of that of ``count`` frames.

    Raises:
        FormatError: it is too short for the lengths that it tells.
    """
    cursor = Cursor(payload, "the section ends within its frames")
    lengths = [cursor.varint("length of a frame", len(payload)) for _ in range(count - 1)]
    return [*(cursor.take(length) for length in lengths), cursor.rest]
