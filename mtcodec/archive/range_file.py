"""SplitReader of a remote file, fetched as they are asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mtcodec.archive.manifest import arrow
from mtcodec.errors import FormatError, SceneError

if TYPE_CHECKING:
    import pyarrow as pa

TAIL = 8  # bytes at the end of a Parquet file: length of the footer, magic
MAX_FOOTER = 1 << 28
TOGETHER = 1 << 19
"""Bytes of a row group from which its columns that are neighbours, or have less than 8 KiB between them, are
fetched with one request. Of smaller groups so many bytes too many would be more than a few per cent."""


class RangeFile(io.RawIOBase):
    """A remote file of which exactly what is asked for is fetched.

    Attributes:
        fetched: bytes so far. requests: their number.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path = fs, path
        self._size = int(fs.size(path))
        self._at = 0
        self.fetched = self.requests = 0

    def _fetch(self, start: int, end: int) -> bytes:
        self.fetched += end - start
        self.requests += 1
        try:
            return bytes(self._fs.cat_file(self._path, start=start, end=end))
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self._path) from error

    def footer(self) -> bytes:
        """The end of the file that describes its columns, fetched without what is before it."""
        tail = self._fetch(max(0, self._size - TAIL), self._size)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length + TAIL > min(self._size, MAX_FOOTER):
            raise FormatError("not a Parquet file", path=self._path)
        return self._fetch(self._size - TAIL - length, self._size - TAIL) + tail

    def metadata(self) -> pa.parquet.FileMetaData:
        """What the footer says."""
        pa = arrow()
        return pa.parquet.read_metadata(pa.BufferReader(self.footer()))

    def parquet(self) -> pa.parquet.ParquetFile:
        """The file as pyarrow reads it, its footer read."""
        pa = arrow()
        metadata = self.metadata()
        together = self._size >= TOGETHER * max(1, metadata.num_row_groups)
        return pa.parquet.ParquetFile(pa.PythonFile(self, "r"), metadata=metadata, pre_buffer=together)

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


def reason(error: Exception) -> str:
    """What a library says is wrong, in short."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, FileNotFoundError) and " " not in told:  # a mere path
        told = "no such file or directory"
    return " ".join(told.split())[:200] or type(error).__name__
