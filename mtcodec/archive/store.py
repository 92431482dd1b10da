"""Where archives and images are written: a local directory, or a place that fsspec opens, such as a bucket.

A file is there whole or not at all, whenever a run is killed. Of two runs of one archive at the same time the
second stops: a local directory has a lock, and elsewhere a shard is only written where there is none of its
number.
"""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import DefaultSelector
from typing import Any
from weakref import WeakValueDictionary

from mtcodec import extras
from mtcodec.archive.range_file import RangeFile, reason
from mtcodec.errors import DependencyError, MtcodecError, OutputError, SceneError, UsageError
from mtcodec.files.output import write_atomic

OBJECT_PROTOCOLS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
"""Protocols of stores that show what is put whole or not at all; others get a temporary file, renamed."""
EXISTS_ERRNOS = (errno.EINVAL, errno.EBUSY)  # what s3fs makes of the statuses 412 and 409
TEMPORARY_PREFIX = ".shard-"  # of temporary files of shards
_connected: WeakValueDictionary[int, Any] = WeakValueDictionary()  # file systems in use


class Exists(OutputError):
    """There is a file of this name."""


def _renew_selectors() -> None:
    """In a forked process: give the event loops that it has inherited a selector of their own.

    Those of the parent are shared with it: when this process forgets inherited connections, their sockets
    would be taken out of the parent's selector, whose next request would wait for ever (fsspec issue 1298).
    """
    loops: set[Any] = {getattr(fs, "_loop", None) for fs in _connected.values()}
    for loop in loops:
        if hasattr(loop, "_selector"):
            loop._selector = DefaultSelector()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_selectors)


def connect(path: str | Path) -> tuple[Any, str]:
    """The file system of fsspec for a path or URL, and the path in it.

    Raises:
        UsageError: a path that cannot be. SceneError: its store does not answer, or wants to know who asks.
        DependencyError: fsspec, or what it needs for the path, is not installed.
    """
    fsspec = extras.load("fsspec", "an archive", "archive")
    try:
        fs, root = fsspec.core.url_to_fs(str(path), use_listings_cache=False)
    except ImportError as error:  # it says which library a URL needs
        raise DependencyError(f"cannot open it: {error}", path=path) from error
    except ValueError as error:
        raise UsageError(f"cannot open it: {error}", path=path) from error
    except Exception as error:
        raise SceneError(f"cannot read it: {reason(error)}", path=path) from error
    _connected[id(fs)] = fs
    return fs, str(root).rstrip("/")


def store_at(path: str | Path) -> Store:
    """The store at a path or URL; see :func:`connect` for its errors."""
    text = str(path).rstrip("/") or "/"
    fs, root = connect(text)
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
    return Directory(text, fs, root) if "file" in protocols else Store(text, fs, root, protocols)


class Store:
    """A place that fsspec opens. Names of files are relative to it, with ``/`` between directories.

    Attributes:
        path: as the user gave it. fs: the file system of fsspec. root: the path in it.

    Raises:
        OutputError: by all methods, where the store refuses or does not answer.
    """

    def __init__(self, path: str, fs: Any, root: str, protocols: tuple[str, ...] = ()) -> None:
        self.path, self.fs, self.root = path, fs, root
        self._writes_whole = any(name in OBJECT_PROTOCOLS for name in protocols)
        if "http" in protocols or "https" in protocols:
            raise OutputError("cannot write over HTTP", path=path)

    def names(self, directory: str = "") -> list[str]:
        """Names of what lies directly in it, or in a ``directory`` of it, in order; none if there is none."""
        with self._failing("cannot read it", directory):
            try:
                paths = self.fs.ls(self._path_of(directory).rstrip("/"), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in paths)

    def size(self, name: str) -> int:
        """Bytes of a file; 0 where there is none."""
        with self._failing("cannot read it", name):
            try:
                return int(self.fs.size(self._path_of(name)) or 0)
            except FileNotFoundError:
                return 0

    def read(self, name: str) -> bytes:
        """A whole file."""
        with self._failing("cannot read it", name):
            return bytes(self.fs.cat_file(self._path_of(name)))

    def head(self, name: str, count: int) -> tuple[bytes, int]:
        """The first ``count`` bytes of a file, and how many it has; nothing of a directory."""
        with self._failing("cannot read it", name):
            path, size = self._path_of(name), self.size(name)
            if not size or not self.fs.isfile(path):
                return b"", 0
            return bytes(self.fs.cat_file(path, start=0, end=min(count, size))), size

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._failing("cannot remove it", name):
            self.fs.rm_file(self._path_of(name))

    def open(self, name: str) -> RangeFile:
        """A file that is read piece by piece."""
        with self._failing("cannot read it", name):
            return RangeFile(self.fs, self._path_of(name))

    def write(self, files: Mapping[str, bytes], new: bool = False) -> None:
        """Write whole files by name.

        Args:
            new: only where there are none of these names. Of those who try at the same time, one succeeds, if
                the store has conditional writes, as S3 and Google Storage do.

        Raises:
            Exists: there is one, for ``new``; others may have been written.
        """
        with self._failing("cannot write it", next(iter(files)) if len(files) == 1 else ""):
            data_by_path = {self._path_of(name): data for name, data in files.items()}
            conditional = new and self._conditional()
            if new and not conditional:
                self._refuse_existing(files)
            if not self._writes_whole:
                self._write_renamed(data_by_path)
                return
            try:
                self.fs.pipe(data_by_path, **({"mode": "create"} if conditional else {}))
            except OSError as error:
                if conditional and (isinstance(error, FileExistsError) or error.errno in EXISTS_ERRNOS):
                    self._refuse_existing(files)
                raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make sure, before long work, that it can be written."""
        name = f".probe.{os.urandom(6).hex()}"
        try:
            self.write({name: b"mtcodec"})
        except OutputError as error:
            error.path = self.path
            raise
        with suppress(Exception):  # who may write need not be allowed to delete
            for leftover in [name, *(n for n in self.names() if n.startswith(TEMPORARY_PREFIX))]:
                self.fs.rm_file(self._path_of(leftover))
        yield

    def _path_of(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _conditional(self) -> bool:
        """Can it write a file on condition that there is none?"""
        put = getattr(self.fs, "_pipe_file", self.fs.pipe_file)
        return self._writes_whole and "mode" in inspect.signature(put).parameters

    def _refuse_existing(self, names: Iterable[str]) -> None:
        """Raise Exists if any of these files is there."""
        for name in names:
            if self.fs.exists(self._path_of(name)):
                raise Exists("exists already", path=f"{self.path}/{name}")

    def _write_renamed(self, files: Mapping[str, bytes]) -> None:
        """Write files by path under another name first, where a write may be cut off."""
        for path, data in files.items():
            parent, _, name = path.rpartition("/")
            temporary = f"{parent}/.{name}.{os.urandom(6).hex()}.tmp"
            self.fs.makedirs(parent, exist_ok=True)
            self.fs.pipe_file(temporary, data)
            if self.fs.exists(path):  # not every file system renames over a file
                self.fs.rm_file(path)
            self.fs.mv(temporary, path)

    @contextmanager
    def _failing(self, message: str, name: str = "") -> Iterator[None]:
        """Whatever a library raises within is an OutputError."""
        try:
            yield
        except MtcodecError:
            raise
        except Exception as error:
            path = f"{self.path}/{name}" if name else self.path
            raise OutputError(f"{message}: {reason(error)}", path=path) from error


class Directory(Store):
    """A local directory, which is made when something is written."""

    def write(self, files: Mapping[str, bytes], new: bool = False) -> None:
        for name, data in files.items():
            path = self._local_path(name)
            if new and path.exists():
                raise Exists("exists already", path=path)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot make it: {error.strerror}", path=path.parent) from error
            write_atomic(path, data)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out, and clean up after one that was killed.

        Raises:
            OutputError: another run is writing it.
        """
        import fcntl

        directory = self._local_path()
        path = directory / ".lock"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with path.open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    alone = path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino
                except BlockingIOError:
                    alone = False
                if not alone:
                    raise OutputError("another run is writing it", path=directory)
                try:
                    for leftover in directory.glob(f"{TEMPORARY_PREFIX}*.parquet.*"):
                        leftover.unlink()
                    yield
                finally:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write it: {error.strerror or error}", path=directory) from error

    def _local_path(self, name: str = "") -> Path:
        """The path as the user gave it, which messages show."""
        return Path(self.root if "://" in self.path else self.path) / name
