"""Lossless coding of class-id images (``semantic.png``): boundaries are followed from row to row.

A payload does not tell height, width and sample type (8 or 16 bits): the container does. The first byte says
what the payload is:

============  =========================================================
0x00 to 0xEF  a *contour stream*; this byte is the first of the stream
0xF0 to 0xFE  reserved, refused
0xFF          the bytes that follow are one *zstd frame*
============  =========================================================

**Zstd frame** (RFC 8878) without its four magic bytes. The frame header descriptor is 0x00: no content size,
checksum or dictionary. The window descriptor follows; the window is at most max(1024, twice the image's
bytes). The frame holds the samples, row by row, 16-bit ones little-endian, and nothing follows it.

**Range coder.** ``low`` = 0 and ``high`` = 0xEFFFFFFF are unsigned 32-bit integers. A bit of odds a:b (zero
to one) splits at middle = low + (high - low) * a // (a + b): a zero keeps low..middle, a one keeps
middle + 1..high. While the top bytes of both are equal, that byte is put out and both shift left by 8 bits;
``high`` gets 0xFF from the right. The end is the smallest value of the fewest bytes (1 to 4) that, with zeros
after it, lies in low..high. A reader supplies zeros after the payload's end, and refuses any payload but the
one that a writer of the same bits puts out.

- *Adaptive bit* ``name(context)``: each name and context has its own odds, at first 1:1 unless stated below.
  After each bit the count of its value rises by 2; if both exceed 254 together, both are halved, rounding up.
- *Uniform value* below n: while n > 1, a bit of odds n // 2 : n - n // 2 chooses the lower or the upper part,
  whose size is the new n.
- *Number* ``name[context]``, n >= 0: n + 1 has k <= 31 bits after its leading one. For i = 0, 1, .. k the
  adaptive bit ``name(context, i)`` is one if i < k. The k bits follow, highest first: where p is the bits
  from the leading one to here, the next is the adaptive bit ``name(context, k, p)`` if p < 32, else a bit of
  odds 1:1.

**Contour stream.** A *boundary* is an x and the label of the run of pixels that begins there; left of x = 0,
and everywhere above the first row, labels are 0. ``last`` and ``older`` are its movements in the two rows
before. bits(n) is the number of binary digits of n. A row is coded as

1. ``event(min(bits(smallest gap), 4))``, at first 16:1 in context 4: do boundaries end or begin in this row?
   Gaps are those from each boundary above to the next one, and from the last one to x = width; if there are
   no boundaries, the gap is the width.
2. For each boundary above, from left to right:

   a. If event: ``dies(same, min(bits(its gap), 4))``, where same tells whether its label is that of the
      boundary placed before (or 0 if none is); at first 1:16 if same, otherwise 16:1 in context 4. If one,
      the boundary ends here.
   b. If last < 0, or last = 0 and older < 0: ``last``, ``older`` and the movement are negated in this step.
      Context c is *edge* if x = 0, otherwise (min(last, 2), sign of older). ``moves(c)``, at first 16:1 if
      x = 0, otherwise 1:16 if last >= 2. If one: ``back(c)``, at first 16:1 unless last = older = 0, is one
      for a negative movement, and ``size[9 if back, otherwise min(last, 8)]`` is its magnitude less one; the
      bits ``size(context, i)`` are at first 16:1 if back or last < 2.
   c. If event: boundaries that begin before the place it has moved to, see 4.
   d. It is placed there; ``older`` becomes ``last``, ``last`` the movement.

3. If event: boundaries that begin before x = width, see 4.
4. While there is room, that is pixels between the boundary placed before (at first, x = -1) and the place:
   ``begins(bits(room))``, at first 16:1; if zero, stop. A uniform value below the room: how many pixels are
   left free before the new boundary; its ``label[0]``; ``length[0]``. If the length is not 0, a second one
   that far to the right of the first returns to the label before it (that of the boundary placed before, or
   0). ``last`` = ``older`` = -8 for the first, 8 for the second.

The boundaries of a row have ascending x within the image, and each changes the label. Together, the rows and
boundaries of an image are at most 2**17 and at most height + 64 + height * width // 16; others are coded as a
zstd frame. What breaks these rules is refused. All arithmetic is on integers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from mtcodec.errors import FormatError

SAMPLES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2")}
FIRST_RESERVED, ZSTD = 0xF0, 0xFF  # values of the first byte
MASK = 0xFFFFFFFF
COUNT_LIMIT = 254
WORK_LIMIT = 2**17  # rows and boundaries of a contour stream, see _work_limit
NEW = 8  # movement ascribed to a boundary that has just begun
EVEN, RARE, USUAL = (1, 1), (16, 1), (1, 16)  # odds zero : one
REACH = 64  # the encoder looks this far for where a boundary went (no part of the format)
LEVEL = 15


class _Edge(NamedTuple):
    """A boundary and its history."""

    x: int
    label: int
    last: int = 0
    older: int = 0


class _Fate(NamedTuple):
    """What an encoder has decided about a boundary."""

    dies: bool = False
    moved: int = 0
    begins: tuple[tuple[int, int, int], ...] = ()  # what begins before it: x, label, length


_UNKNOWN = _Fate()


class _Coder:
    """Range coder. It encodes the values given; over a payload it ignores them, and returns those decoded."""

    def __init__(self, payload: bytes | None = None) -> None:
        self.low, self.high = 0, (FIRST_RESERVED << 24) - 1
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


def _work_limit(height: int, width: int) -> int:
    return min(WORK_LIMIT, height + 64 + height * width // 16)


class _Contours:
    """The rows of a contour stream, one after the other."""

    def __init__(self, coder: _Coder, height: int, width: int, highest: int) -> None:
        self.coder, self.width, self.highest = coder, width, highest
        self.above: list[_Edge] = []
        self.work_left = _work_limit(height, width)

    def code(
        self, fates: Iterable[_Fate] = repeat(_UNKNOWN), right: _Fate = _UNKNOWN, event: int = 0
    ) -> None:
        """One row: ``fates`` of the boundaries above, ``right`` of the edge. A decoder passes nothing."""
        above, self.above, self.end, self.label = self.above, [], 0, 0
        self.spend()
        gaps = [b - a for a, b in pairwise([*[edge.x for edge in above], self.width])]
        narrow = min(min(gaps, default=self.width).bit_length(), 4)
        event = self.coder.bit(("event", narrow), event, RARE if narrow == 4 else EVEN)
        for edge, gap, fate in zip(above, gaps, fates, strict=False):
            if event and self.dies(edge, gap, fate):
                continue
            moved = self.movement(edge, fate.moved)
            if event:
                self.begin(edge.x + moved, fate)
            self.place(_Edge(edge.x + moved, edge.label, moved, edge.last))
        if event:
            self.begin(self.width, right)

    def dies(self, edge: _Edge, gap: int, fate: _Fate) -> int:
        same, bits = edge.label == self.label, min(gap.bit_length(), 4)
        start = USUAL if same else RARE if bits == 4 else EVEN
        return self.coder.bit(("dies", same, bits), fate.dies, start)

    def movement(self, edge: _Edge, moved: int) -> int:
        last, older = edge.last, edge.older
        sign = -1 if last < 0 or (last == 0 and older < 0) else 1
        last, older, moved = sign * last, sign * older, sign * moved
        context = (min(last, 2), (older > 0) - (older < 0)) if edge.x else ("edge",)
        start = RARE if edge.x == 0 else USUAL if last >= 2 else EVEN
        if not self.coder.bit(("moves", *context), int(moved != 0), start):
            return 0
        back = self.coder.bit(("back", *context), int(moved < 0), RARE if last or older else EVEN)
        start = RARE if back or last < 2 else EVEN
        size = 1 + self.coder.number("size", 9 if back else min(last, NEW), abs(moved) - 1, start)
        return -sign * size if back else sign * size

    def begin(self, stop: int, fate: _Fate) -> None:
        """Boundaries that begin between the last one placed and ``stop``."""
        waiting = iter(fate.begins)
        while (room := stop - self.end) > 0:
            new = next(waiting, None)
            if not self.coder.bit(("begins", room.bit_length()), new is not None, RARE):
                break
            x, label, length = new or (0, 0, 0)
            x = self.end + self.coder.uniform(room, x - self.end)
            label = self.coder.number("label", 0, label)
            length = self.coder.number("length", 0, length)
            before = self.label
            self.place(_Edge(x, label, -NEW, -NEW))
            if length:
                self.place(_Edge(x + length, before, NEW, NEW))

    def place(self, edge: _Edge) -> None:
        if not self.end <= edge.x < self.width or edge.label == self.label or edge.label > self.highest:
            raise FormatError("labels: impossible boundary")
        self.spend()
        self.above.append(edge)
        self.end, self.label = edge.x + 1, edge.label

    def spend(self) -> None:
        self.work_left -= 1
        if self.work_left < 0:
            raise FormatError("labels: too many boundaries")


def _nearest(x: int, label: int, edges: list[_Edge], first: int) -> int:
    """Index of the edge of this label nearest to ``x``, at least ``first``; -1 if none is within reach."""
    best, distance = -1, REACH + 1
    for i in range(bisect_left(edges, _Edge(x - REACH, -1), first), len(edges)):
        if edges[i].x - x >= distance:
            break
        if edges[i].label == label and abs(edges[i].x - x) < distance:
            best, distance = i, abs(edges[i].x - x)
    return best


def _fates(above: list[_Edge], row: list[_Edge], width: int) -> list[_Fate]:
    """The encoder's choice, and last that for the right edge of the image.

    A boundary goes on as the nearest one of its label, if it is the nearest to that one too.
    """
    moved = [now.x - edge.x for edge, now in zip(above, row, strict=False) if edge.label == now.label]
    if len(moved) == len(above) == len(row) and max(map(abs, moved), default=0) <= REACH:
        return [*(_Fate(False, m) for m in moved), _UNKNOWN]
    fates, first, label = [], 0, 0
    for j, edge in enumerate([*above, _Edge(width, -1)]):
        i = _nearest(edge.x, edge.label, row, first) if j < len(above) else len(row)
        if i < 0 or (i < len(row) and _nearest(row[i].x, edge.label, above, j) != j):
            fates.append(_Fate(dies=True))
            continue
        begins = []
        while first < i:
            x, begun = row[first][:2]
            closes = first + 1 < i and row[first + 1].label == label
            begins.append((x, begun, row[first + 1].x - x if closes else 0))
            label = label if closes else begun
            first += 2 if closes else 1
        fates.append(_Fate(False, row[i].x - edge.x if i < len(row) else 0, tuple(begins)))
        first, label = i + 1, edge.label
    return fates


def _encode_contours(image: NDArray[Any], changes: NDArray[np.bool_]) -> bytes:
    height, width = image.shape
    coder = _Coder()
    contours = _Contours(coder, height, width, 65535)
    columns, labels = np.nonzero(changes)[1].tolist(), image[changes].tolist()
    edges = [_Edge(x, label) for x, label in zip(columns, labels, strict=True)]
    ends = np.cumsum(np.count_nonzero(changes, axis=1)).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        *fates, right = _fates(contours.above, edges[start:end], width)
        event = any(fate.dies or fate.begins for fate in [*fates, right])
        contours.code(fates, right, event)
    return coder.finish()


def _decode_contours(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    coder = _Coder(payload)
    contours = _Contours(coder, height, width, int(np.iinfo(dtype).max))
    starts, labels = array("q"), array("H")  # of all runs, the first of a row possibly empty
    for start in range(0, height * width, width):
        contours.code()
        starts.extend([start, *(start + edge.x for edge in contours.above)])
        labels.extend([0, *(edge.label for edge in contours.above)])
    if coder.finish() != payload:
        raise FormatError("labels: contour stream does not end where its payload ends")
    starts.append(height * width)
    bounds = np.frombuffer(starts, np.int64)
    runs = np.frombuffer(labels, np.uint16).astype(dtype)
    return np.repeat(runs, bounds[1:] - bounds[:-1]).reshape(height, width)


def _encode_zstd(raw: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, source_size=len(raw), write_content_size=0, write_checksum=0, write_dict_id=0
    )
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(raw)
    return bytes([ZSTD]) + frame.removeprefix(zstandard.FRAME_HEADER)


def _decode_zstd(frame: bytes, size: int) -> bytes:
    """``size`` bytes, refusing a frame that holds another number of them or wants more memory."""
    if len(frame) < 2 or frame[0] != 0:
        raise FormatError("labels: zstd frame of an unexpected kind")
    if (8 + (frame[1] & 7)) << (7 + (frame[1] >> 3)) > max(1024, 2 * size):
        raise FormatError("labels: zstd frame of too large a window")
    try:
        raw = zstandard.ZstdDecompressor().decompress(
            zstandard.FRAME_HEADER + frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise FormatError("labels: damaged zstd frame") from error
    if len(raw) != size:
        raise FormatError("labels: zstd frame is too short")
    return raw


def encode_labels(image: NDArray[Any]) -> bytes:
    """Payload of a class-id image: uint8 or uint16, shape (H, W), at least one pixel; else ``ValueError``."""
    if image.ndim != 2 or image.size == 0 or image.dtype.name not in SAMPLES:
        raise ValueError(f"labels must be a uint8 or uint16 image, not {image.dtype} {image.shape}")
    raw = image.astype(SAMPLES[image.dtype.name]).tobytes()
    changes = np.diff(image, axis=1, prepend=image.dtype.type(0)) != 0
    payload = None
    if len(image) + np.count_nonzero(changes) <= _work_limit(len(image), image.shape[1]):
        payload = _encode_contours(image, changes)
    if payload is None or len(payload) > len(raw) // 32:
        payload = min(filter(None, [payload, _encode_zstd(raw)]), key=len)
    return payload


def decode_labels(payload: bytes, height: int, width: int, dtype: str) -> NDArray[Any]:
    """Image of shape (``height``, ``width``); ``dtype`` is "uint8" or "uint16".

    Takes a small multiple of the image's memory. ``FormatError``: the payload is not exactly one such image.
    """
    if dtype not in SAMPLES or height < 1 or width < 1:
        raise FormatError(f"labels: cannot be a {dtype} image of {width} by {height}")
    if not payload:
        raise FormatError("labels: empty payload")
    if payload[0] < FIRST_RESERVED:
        return _decode_contours(payload, height, width, dtype)
    if payload[0] != ZSTD:
        raise FormatError(f"labels: unknown method {payload[0]}")
    raw = _decode_zstd(payload[1:], height * width * SAMPLES[dtype].itemsize)
    return np.frombuffer(raw, SAMPLES[dtype]).astype(dtype).reshape(height, width)
