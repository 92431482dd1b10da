"""Parts of a remote file, fetched as they are asked for."""

from __future__ import annotations

import io
from typing import Any

from mtcodec.errors import FormatError

TAIL = 8  # bytes at the end of a Parquet file: length of the footer, magic
MAX_FOOTER = 1 << 28


class RangeFile(io.RawIOBase):
    """A remote file of which exactly what is asked for is fetched.

    Attributes:
        fetched: bytes so far.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path = fs, path
        self._size = int(fs.size(path))
        self._at = 0
        self.fetched = 0

    def _fetch(self, start: int, end: int) -> bytes:
        self.fetched += end - start
        return bytes(self._fs.cat_file(self._path, start=start, end=end))

    def footer(self) -> bytes:
        """The end of the file that describes its columns, fetched without what is before it."""
        tail = self._fetch(max(0, self._size - TAIL), self._size)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length + TAIL > min(self._size, MAX_FOOTER):
            raise FormatError("not a Parquet file", path=self._path)
        return self._fetch(self._size - TAIL - length, self._size - TAIL) + tail

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._size, self._at + count)
        start, self._at = self._at, max(self._at, end)
        if start >= end:
            return b""
        return self._fetch(start, end)
