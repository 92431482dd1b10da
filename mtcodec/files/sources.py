"""Where an image lies: a path, or a source, which is read like a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, Protocol

MAX_IMAGE_BYTES = 1 << 30  # of an image in a file of many


class MissingSource(Exception):
    """A source turns out to hold nothing."""


class UnreadableImage(ValueError):
    """An image cannot be read; its words are for people. What libraries say is not."""


class Source(Protocol):
    """A member of a tar file, a cell of a table, or a layer of an EXR file.

    ``str()`` of it is what messages call it.
    """

    @property
    def file(self) -> Path:
        """The file on disk that holds it."""

    @property
    def name(self) -> str:
        """What it is called, with its suffix."""

    @property
    def suffix(self) -> str:
        """Its format, as a file's suffix: ``.png``. It may read the source, and raise what that raises."""

    def read_bytes(self) -> bytes:
        """All of it; raises OSError or UnreadableImage, or MissingSource."""

    @property
    def size(self) -> int:
        """Bytes that it takes in its file; raises the same."""


ImageSource = Path | Source


def size_of(source: ImageSource) -> int:
    """Bytes on disk.

    Raises:
        OSError, ValueError: it cannot be read. MissingSource: there is none.
    """
    return source.stat().st_size if isinstance(source, Path) else source.size


def is_present(source: ImageSource) -> bool:
    """Is there anything? What cannot be read counts: reading it tells what is wrong."""
    try:
        size_of(source)
    except MissingSource:
        return False
    except (OSError, ValueError):
        pass
    return True


def open_source(source: ImageSource) -> BinaryIO:
    """A file of its bytes; of a path only those that are asked for are read."""
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source.read_bytes())


def is_safe_path(name: str) -> bool:
    """Is it a path that stays inside the directory it is put into?"""
    parts = name.split("/")
    return all(part not in ("", ".", "..") and "\\" not in part and "\0" not in part for part in parts)
