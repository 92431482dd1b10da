"""Image files below a directory, in one pass and without asking for the state of any."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mtcodec.errors import SceneError
from mtcodec.files.readers import SUFFIXES

URL = re.compile(r"[a-z][a-z0-9+.-]+:/")  # what becomes of one as a path

Files = dict[str, str]
"""Paths of image files by the key of their scene, or by task."""


class Listing(NamedTuple):
    """What lies in a directory, in order of name; without what is hidden.

    Attributes:
        images: stems and paths of image files.
        directories: names of directories, which may be links.
        others: paths of other files.
    """

    images: list[tuple[str, str]]
    directories: list[str]
    others: list[str]

    def add(self, name: str, path: str) -> None:
        """A file; what has the suffix of an image counts as one, so that reading it tells what is wrong."""
        stem, dot, suffix = name.rpartition(".")
        if stem and dot + suffix.lower() in SUFFIXES:
            self.images.append((stem, path))
        else:
            self.others.append(path)

    def ordered(self) -> Listing:
        return Listing(sorted(self.images, key=lambda i: i[1]), sorted(self.directories), sorted(self.others))


Scan = Callable[[str], Listing]
"""What lies in a directory."""


def add(files: Files, key: str, path: str, task: str) -> None:
    """Put ``path`` into ``files``; an image of ``task`` that is there already is a :class:`SceneError`."""
    if key in files:
        other, here = Path(files[key]), Path(path).parent
        beside = other.name if other.parent == here else other
        raise SceneError(f"a second file for task {task!r}, beside {beside}", path=path)
    files[key] = path


def scan(directory: str) -> Listing:
    """What lies in ``directory``.

    Raises:
        SceneError: it cannot be listed.
    """
    found = Listing([], [], [])
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                image = entry.name.lower().endswith(SUFFIXES)
                if not image and entry.is_dir():
                    found.directories.append(entry.name)
                else:
                    found.add(entry.name, entry.path)
    except OSError as error:
        raise SceneError(f"cannot list it: {error.strerror}", path=error.filename or directory) from error
    return found.ordered()


def walk(scan: Scan, directory: str, others: list[str], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Directory within the first ``directory`` (empty or ending in ``/``), stem and path of every image.

    Paths of files that are no images are put into ``others``.
    """
    found = scan(directory)
    others += found.others
    for stem, path in found.images:
        yield prefix, stem, path
    for name in found.directories:
        yield from walk(scan, f"{directory}/{name}", others, f"{prefix}{name}/")


def require_directory(path: Path) -> None:
    """Raise :class:`SceneError` unless ``path`` is a directory."""
    if not path.is_dir():
        if URL.match(str(path)):
            raise SceneError("datasets are read from local directories, not from URLs", path=path)
        raise SceneError("not a directory" if path.exists() else "no such directory", path=path)
