"""Remote files read by byte ranges, of which only what is asked for is fetched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mtcodec.archive.manifest import arrow
from mtcodec.errors import FormatError, SceneError

if TYPE_CHECKING:
    import pyarrow as pa

TAIL_BYTES = 8  # at the end of a Parquet file: the footer's length and the magic number
MAX_FOOTER_BYTES = 1 << 28
PRE_BUFFER_BYTES = 1 << 19
"""Mean size of row groups from which pyarrow fetches columns with one request that are neighbours, or have
less than 8 KiB between them. In smaller row groups the bytes in between would be more than a few per cent.
Threads of Arrow do that, so it is not done for files of this machine, which gain nothing by it."""


class RangeFile(io.RawIOBase):
    """A remote file of which exactly what is asked for is fetched; at first only its size is.

    Attributes:
        fetched: bytes so far. requests: how many it took.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs, self._path, self._size = fs, path, int(fs.size(path))
        self._position = self.fetched = self.requests = 0

    def _fetch(self, start: int, end: int) -> bytes:
        self.fetched += end - start
        self.requests += 1
        try:
            return bytes(self._fs.cat_file(self._path, start=start, end=end))
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self._path) from error

    def metadata(self) -> pa.parquet.FileMetaData:
        """The parsed footer of a Parquet file; nothing else is fetched.

        Raises:
            FormatError: no Parquet file.
        """
        tail = self._fetch(max(0, self._size - TAIL_BYTES), self._size)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length + TAIL_BYTES > min(self._size, MAX_FOOTER_BYTES):
            raise FormatError("not a Parquet file", path=self._path)
        footer = self._fetch(self._size - TAIL_BYTES - length, self._size - TAIL_BYTES) + tail
        pyarrow = arrow()
        return pyarrow.parquet.read_metadata(pyarrow.BufferReader(footer))

    def parquet(self) -> pa.parquet.ParquetFile:
        """The file as pyarrow reads it; the footer is fetched now."""
        pyarrow = arrow()
        metadata = self.metadata()
        is_large = self._size >= PRE_BUFFER_BYTES * max(1, metadata.num_row_groups)
        pre_buffer = is_large and "file" not in self._fs.protocol
        file = pyarrow.PythonFile(self, "r")
        return pyarrow.parquet.ParquetFile(file, metadata=metadata, pre_buffer=pre_buffer)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, count: int | None = -1) -> bytes:
        end = self._size if count is None or count < 0 else min(self._size, self._position + count)
        start, self._position = self._position, max(self._position, end)
        return self._fetch(start, end) if start < end else b""


def reason(error: Exception) -> str:
    """What a library says is wrong, in one line of at most 200 characters."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, FileNotFoundError) and " " not in message:  # a mere path
        message = "no such file or directory"
    return " ".join(message.split())[:200] or type(error).__name__
