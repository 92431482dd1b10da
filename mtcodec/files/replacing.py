"""What decoding may replace where it writes: images that it has written itself, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from mtcodec.errors import OutputError
from mtcodec.files.formats import SUFFIXES
from mtcodec.files.marks import HEAD_BYTES, has_mark
from mtcodec.files.notes import ignore
from mtcodec.files.trees.naming import Naming, clean_name
from mtcodec.tasks import USUAL

ADVICE = "choose another directory"


class OutputDirectory(Protocol):
    """A place, local or not, where the files of one scene are to be written.

    Raises:
        OutputError: by all methods, where it cannot be read.
    """

    def names(self) -> list[str]:
        """Names of what lies in it; none where there is no such directory."""

    def head(self, name: str) -> tuple[bytes, int]:
        """The first HEAD_BYTES of a file, and how many it has in all; nothing of what is no file."""

    def read(self, name: str) -> bytes:
        """A whole file; nothing of what is no file."""

    def path(self, name: str) -> object:
        """What messages call a file."""


class LocalDirectory:
    """A local :class:`OutputDirectory`. Devices and pipes count as absent: they are written to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> list[str]:
        try:
            paths = sorted(self._directory.iterdir()) if self._directory.is_dir() else []
            return [path.name for path in paths if path.is_file() or path.is_dir()]
        except OSError as error:
            raise OutputError(f"cannot list it: {error.strerror}", path=self._directory) from error

    def head(self, name: str) -> tuple[bytes, int]:
        return self._read(self.path(name), HEAD_BYTES)

    def read(self, name: str) -> bytes:
        return self._read(self.path(name), -1)[0]

    def path(self, name: str) -> Path:
        return self._directory / name

    def remove(self, name: str) -> None:
        """Remove a file."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove it: {error.strerror}", path=self.path(name)) from error

    @staticmethod
    def _read(path: Path, count: int) -> tuple[bytes, int]:
        """The first ``count`` bytes (-1: all), and how many there are."""
        if path.is_dir():
            return b"", 0
        try:
            with path.open("rb") as file:
                return file.read(count), os.fstat(file.fileno()).st_size
        except OSError as error:
            raise OutputError(f"exists already, and cannot be read: {error.strerror}", path=path) from error


def check_replaceable(
    directory: OutputDirectory, tasks: Collection[str], attached: Mapping[str, bytes], force: bool
) -> list[str]:
    """Names of images that decoding may replace in ``directory``: its own, of ``tasks``, for ``force``.

    Args:
        attached: files that are to be written besides images, by name. Only those that are there with the
            same content may be written again, as nothing tells whose they are.

    Raises:
        OutputError: an image of one of ``tasks`` in any format, or a file called like an attached one, is
            there and may not be replaced. Nothing is changed.
    """
    replaceable = []
    for name in directory.names():
        if name in attached:
            if directory.read(name) != attached[name]:
                raise OutputError(f"exists already, with other content: {ADVICE}", path=directory.path(name))
        elif Path(name).suffix.lower() in SUFFIXES and _may_replace(directory, name, tasks, force):
            replaceable.append(name)
    return replaceable


def _may_replace(directory: OutputDirectory, name: str, tasks: Collection[str], force: bool) -> bool:
    """May this image be replaced? An image of another task stays as it is."""
    stem, path = Path(name).stem, directory.path(name)
    task = next((task for task in _possible_tasks(stem) if task in tasks), None)
    if task is None:
        return False
    if not has_mark(*directory.head(name)):
        what = "" if stem == task else f" as an image of {task}"
        raise OutputError(f"exists already{what}, and decoding has not written it: {ADVICE}", path=path)
    if stem == task and not force:
        raise OutputError("exists already (--force overwrites it)", path=path)
    return stem == task  # ours by another name is of another task


def _possible_tasks(stem: str) -> tuple[str, ...]:
    """Tasks whose image may have this name: ``depthmap`` is read as depth."""
    return stem, clean_name(stem), Naming(USUAL, {}, ignore).meaning(stem)[1]
