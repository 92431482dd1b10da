"""Image files below a directory, in one pass and without asking for the state of any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.images import SUFFIXES

Files = dict[str, str]
"""Paths of image files by the key of their scene, or by stem."""


def add(files: Files, key: str, path: str, task: str) -> None:
    """Put ``path`` into ``files``; an image of ``task`` that is there already is a :class:`SceneError`."""
    if key in files:
        other, here = Path(files[key]), Path(path).parent
        beside = other.name if other.parent == here else other
        raise SceneError(f"{path}: a second file for task {task!r}, beside {beside}")
    files[key] = path


def scan(directory: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Stems and paths of image files, and names of directories, both in order of name.

    What has the suffix of an image counts as one, so that reading it tells what is wrong with it; what is
    hidden is left out. Directories may be links.
    """
    images, directories = [], []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                stem, dot, suffix = entry.name.rpartition(".")
                if entry.name.startswith("."):
                    continue
                if stem and dot + suffix.lower() in SUFFIXES:
                    images.append((stem, entry.path))
                elif entry.is_dir():
                    directories.append(entry.name)
    except OSError as error:
        raise SceneError(f"{error.filename or directory}: cannot list it: {error.strerror}") from error
    return sorted(images, key=lambda image: image[1]), sorted(directories)


def walk(directory: str, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Directory within the first ``directory`` (empty or ending in ``/``), stem and path of every image."""
    images, directories = scan(directory)
    for stem, path in images:
        yield prefix, stem, path
    for name in directories:
        yield from walk(f"{directory}/{name}", f"{prefix}{name}/")


def require_directory(path: Path) -> None:
    """Raise :class:`SceneError` unless ``path`` is a directory."""
    if not path.is_dir():
        raise SceneError(f"{path}: {'not a directory' if path.exists() else 'no such directory'}")
