"""Files below a directory, in one pass and without asking for the state of any."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.formats import SUFFIXES

URL = re.compile(r"[a-z][a-z0-9+.-]+:/")  # what becomes of one as a path

Files = dict[str, str]
"""Paths of image files by the key of their scene, or by task."""


@dataclass
class Listing:
    """What lies in a directory, in order of name; without what is hidden.

    Attributes:
        path: of the directory.
        images: stems and paths of image files.
        directories: by name, what lies in directories, which may be links.
        other_files: paths of files that are no images, and, ending in ``/``, of links to directories around.
    """

    path: str
    images: list[tuple[str, str]] = field(default_factory=list)
    directories: dict[str, Listing] = field(default_factory=dict)
    other_files: list[str] = field(default_factory=list)

    def add(self, name: str, path: str) -> None:
        """A file; what has the suffix of an image counts as one, so that reading it tells what is wrong."""
        stem, dot, suffix = name.rpartition(".")
        if stem and dot + suffix.lower() in SUFFIXES:
            self.images.append((stem, path))
        else:
            self.other_files.append(path)

    def sort(self) -> None:
        """Put everything in order, here and below."""
        self.images.sort(key=lambda image: image[1])
        self.other_files.sort()
        self.directories = dict(sorted(self.directories.items()))
        for directory in self.directories.values():
            directory.sort()

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Listing]]:
        """This directory and all below it: the path within this one, empty or ending in ``/``, and each."""
        yield prefix, self
        for name, directory in self.directories.items():
            yield from directory.walk(f"{prefix}{name}/")


def add_file(files: Files, key: str, path: str, task: str) -> None:
    """Put ``path`` into ``files``; an image of ``task`` that is there already is a :class:`SceneError`."""
    if key in files:
        first = Path(files[key])
        shown = first.name if first.parent == Path(path).parent else first
        raise SceneError(f"a second file for task {task!r}, beside {shown}", path=path)
    files[key] = path


def read_tree(directory: str) -> Listing:
    """What lies in ``directory`` and below.

    Raises:
        SceneError: something cannot be listed.
    """
    listing = Listing(directory)
    _read(listing, (os.path.realpath(directory),))
    listing.sort()
    return listing


def _read(listing: Listing, around: tuple[str, ...]) -> None:
    """Fill ``listing``; ``around``: its real path, and those of the directories around it."""
    subdirectories: list[os.DirEntry[str]] = []
    try:
        with os.scandir(listing.path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.name.lower().endswith(SUFFIXES) and entry.is_dir():
                    subdirectories.append(entry)
                else:
                    listing.add(entry.name, entry.path)
            for entry in subdirectories:
                path = os.path.realpath(entry.path) if entry.is_symlink() else f"{around[0]}/{entry.name}"
                if path in around:
                    listing.other_files.append(f"{entry.path}/")
                    continue
                listing.directories[entry.name] = Listing(entry.path)
                _read(listing.directories[entry.name], (path, *around))
    except OSError as error:
        raise SceneError(f"cannot list it: {error.strerror}", path=error.filename or listing.path) from error


def require_directory(path: Path) -> None:
    """Raise :class:`SceneError` unless ``path`` is a directory."""
    if not path.is_dir():
        if URL.match(str(path)):
            raise SceneError("datasets are read from local directories, not from URLs", path=path)
        raise SceneError("not a directory" if path.exists() else "no such directory", path=path)
