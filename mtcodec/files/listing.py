"""Image files below a directory, in one pass and without asking for the state of any."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.formats import SUFFIXES

URL = re.compile(r"[a-z][a-z0-9+.-]+:/")  # what becomes of one as a path

Files = dict[str, str]
"""Paths of image files by the key of their scene, or by task."""


@dataclass(frozen=True)
class Listing:
    """What lies in a directory, in order of name; without what is hidden.

    Attributes:
        images: stems and paths of image files.
        directories: names of directories, which may be links.
        other_files: paths of files that are no images.
    """

    images: list[tuple[str, str]] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)

    def add(self, name: str, path: str) -> None:
        """A file; what has the suffix of an image counts as one, so that reading it tells what is wrong."""
        stem, dot, suffix = name.rpartition(".")
        if stem and dot + suffix.lower() in SUFFIXES:
            self.images.append((stem, path))
        else:
            self.other_files.append(path)

    def ordered(self) -> Listing:
        images = sorted(self.images, key=lambda image: image[1])
        return Listing(images, sorted(self.directories), sorted(self.other_files))


Scan = Callable[[str], Listing]
"""Gives what lies in a directory, by its path."""


def add_file(files: Files, key: str, path: str, task: str) -> None:
    """Put ``path`` into ``files``; an image of ``task`` that is there already is a :class:`SceneError`."""
    if key in files:
        first = Path(files[key])
        shown = first.name if first.parent == Path(path).parent else first
        raise SceneError(f"a second file for task {task!r}, beside {shown}", path=path)
    files[key] = path


def list_directory(directory: str) -> Listing:
    """What lies in ``directory``.

    Raises:
        SceneError: it cannot be listed.
    """
    listing = Listing()
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.name.lower().endswith(SUFFIXES) and entry.is_dir():
                    listing.directories.append(entry.name)
                else:
                    listing.add(entry.name, entry.path)
    except OSError as error:
        raise SceneError(f"cannot list it: {error.strerror}", path=error.filename or directory) from error
    return listing.ordered()


def walk(scan: Scan, directory: str, prefix: str = "") -> Iterator[tuple[str, Listing]]:
    """``directory`` and all directories below it: the path within it, and what lies there.

    Paths are empty or end in ``/``; a directory comes before those that it holds.
    """
    listing = scan(directory)
    yield prefix, listing
    for name in listing.directories:
        yield from walk(scan, f"{directory}/{name}", f"{prefix}{name}/")


def require_directory(path: Path) -> None:
    """Raise :class:`SceneError` unless ``path`` is a directory."""
    if not path.is_dir():
        if URL.match(str(path)):
            raise SceneError("datasets are read from local directories, not from URLs", path=path)
        raise SceneError("not a directory" if path.exists() else "no such directory", path=path)
