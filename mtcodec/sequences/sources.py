"""Where sequences are read from: bytes, local files, URLs. All can be used in threads and other processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mtcodec.container.sequence import RandomAccess
from mtcodec.errors import MtcodecError, SceneError


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.label, self.size, self.known_size = data, "-", len(data), len(data)

    def tail(self, count: int) -> bytes:
        return self.data[max(0, self.size - count) :]

    def read_at(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]


class FileSource:
    """A local file, which is opened for each piece.

    Raises:
        SceneError: by all methods, where it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()  # whatever the directory is when it is read
        self.label = str(path)

    @property
    def known_size(self) -> int:
        return self.size

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise self._error(error) from error

    def tail(self, count: int) -> bytes:
        return self.read_at(max(0, self.size - count), count)

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> SceneError:
        return SceneError(f"cannot read it: {error.strerror or error}", path=self.label)


class UrlSource:
    """A file that fsspec opens, of which only what is asked for is fetched.

    Attributes:
        requests, fetched: so far; fetched in bytes.

    Raises:
        SceneError: by all methods, where the store does not answer. DependencyError: fsspec is missing.
    """

    def __init__(self, url: str) -> None:
        self.label, self.requests, self.fetched = url, 0, 0
        self.known_size: int | None = None
        self._process: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Connections are made anew elsewhere."""
        return {**self.__dict__, "_process": None, "_connection": None}

    @property
    def _place(self) -> tuple[Any, str]:
        """File system and path. A process that was forked connects anew."""
        from mtcodec.archive.store import connect

        if self._process != os.getpid():
            self._connection, self._process = connect(self.label), os.getpid()
        return self._connection

    @property
    def size(self) -> int:
        if self.known_size is None:
            fs, path = self._place
            self.requests += 1
            self.known_size = int(self._answer(lambda: fs.size(path)))
        return self.known_size

    def tail(self, count: int) -> bytes:
        data = self._fetch(-count, None)
        if len(data) < count:
            self.known_size = len(data)
        return data

    def read_at(self, offset: int, count: int) -> bytes:
        return self._fetch(offset, offset + count) if count else b""

    def _fetch(self, start: int, end: int | None) -> bytes:
        fs, path = self._place
        self.requests += 1
        data: bytes = self._answer(lambda: bytes(fs.cat_file(path, start=start, end=end)))
        self.fetched += len(data)
        return data

    def _answer(self, ask: Any) -> Any:
        from mtcodec.archive.range_file import reason

        try:
            return ask()
        except MtcodecError:
            raise
        except Exception as error:  # file systems raise whatever their libraries do
            raise SceneError(f"cannot read it: {reason(error)}", path=self.label) from error


Source = BytesSource | FileSource | UrlSource


def source_of(data: bytes | bytearray | memoryview | str | Path) -> Source:
    """The source of bytes, a path or a URL."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return BytesSource(bytes(data))
    return UrlSource(data) if isinstance(data, str) and "://" in data else FileSource(data)


def label_of(source: RandomAccess) -> str:
    """What errors call a source."""
    return str(getattr(source, "label", "-"))
