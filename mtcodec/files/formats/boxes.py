"""Boxes of ISO media files (ISO/IEC 14496-12), in which AVIF, JPEG 2000 and JPEG XL keep their pictures."""

from __future__ import annotations

from collections.abc import Iterator


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Boxes of ``data`` from ``start`` to ``end``: their kind, and where their contents begin and end.

    The last one may be cut off.
    """
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind, header = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], 8
        if size == 1:  # a longer one follows
            size, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = start + size if size else end
        if stop < start + header:
            return
        yield kind, start + header, min(stop, end)
        start = stop


def find(data: bytes, *path: bytes, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
    """Where the contents of the first box at ``path`` begin and end: ``find(data, b"jp2h", b"ihdr")``."""
    for kind, first, last in boxes(data, start, end):
        if kind == path[0]:
            if len(path) == 1:
                return first, last
            return find(data, *path[1:], start=first + 4 * (kind == b"meta"), end=last)
    return None
