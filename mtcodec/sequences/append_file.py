"""The file of a sequence while it is written, in place: what was written survives a kill."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mtcodec.container.sequence import BEGINNING
from mtcodec.errors import OutputError


class AppendFile:
    """A locked file that grows by whole pieces.

    A piece that cannot be written is taken off again, so that the next one follows the last whole one.

    Args:
        force: empty a file that is there; without it, it is kept.

    Attributes:
        end: bytes so far. was_there: it had bytes, which are kept.

    Raises:
        OutputError: by all methods, where it cannot be written; another process writes it.
    """

    def __init__(self, path: Path, force: bool) -> None:
        self.path, self._process = path, os.getpid()
        try:
            is_there = path.exists()
            self._file = path.open("r+b" if is_there else "x+b", buffering=0)
        except OSError as error:
            raise self._error(error) from error
        try:
            _lock(self._file, path)
            self.end = 0 if force else self._file.seek(0, os.SEEK_END)
            self.was_there = self.end > 0
            if not self.was_there:
                self.cut(0)
                self.write(BEGINNING)
        except BaseException:
            self._file.close()
            raise

    def cut(self, end: int) -> None:
        """Take off what follows ``end``."""
        try:
            self._file.truncate(end)
            self._file.seek(end)
        except OSError as error:
            raise self._error(error) from error
        self.end = end

    def write(self, data: bytes) -> None:
        """Put it on the disk, whole or not at all."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OutputError):
                self.cut(self.end)
            raise self._error(error) from error
        self.end += len(data)

    def close(self) -> None:
        """Let others write it."""
        with suppress(OSError):
            _unlock(self._file)
        self._file.close()

    @property
    def is_inherited(self) -> bool:
        """Is this a process that was forked while another one writes?"""
        return os.getpid() != self._process

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write it: {error.strerror or error}", path=self.path)


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep others from writing the file while it is open.

    Raises:
        OutputError: another process writes it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError("another process is writing it", path=path) from error


def _unlock(file: BinaryIO) -> None:
    """Also for processes that were forked and still have it open."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_UN)
