"""Where an image lies: a path, or a source, which is read like a file."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

MAX_IMAGE_BYTES = 1 << 30  # of an image in a file of many


class MissingSource(Exception):
    """A source turns out to hold nothing."""


class UnreadableImage(ValueError):
    """An image cannot be read; its words are for people. What libraries say is not."""


class Source(Protocol):
    """A member of a tar file, a cell of a table, or an image of a file of several.

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


@dataclass(frozen=True)
class Layer:
    """One image of a file that holds several, as a source: a layer of EXR, a page of TIFF, an array.

    Attributes:
        source: what holds it.
        sort: what messages call it: layer, page or array.
        layer: its name there, ``ViewLayer.Depth``.
        place: where the reader of its format finds it.
        share: of the bytes of the file, 0 to 1.
        is_float: are its values floats?
    """

    source: ImageSource
    sort: str
    layer: str
    place: Hashable
    share: float
    is_float: bool

    @property
    def name(self) -> str:
        return f"{self.source.name}:{self.layer}"

    @property
    def file(self) -> Path:
        return self.source if isinstance(self.source, Path) else self.source.file

    @property
    def suffix(self) -> str:
        return self.source.suffix

    @property
    def size(self) -> int:
        """Its share of the file."""
        return round(self.share * size_of(self.source))

    def read_bytes(self) -> bytes:
        """All of the file."""
        return self.source.read_bytes()

    def __str__(self) -> str:
        return f"{self.source}: {self.sort} {self.layer}"


def short_names(layers: list[Layer]) -> list[str]:
    """The last parts of names, ``Depth`` of ``ViewLayer.Depth``, where these differ."""
    names = [layer.layer for layer in layers]
    last_parts = [name.replace("/", ".").rpartition(".")[2] for name in names]
    counts = Counter(last_parts)
    return [last if counts[last] == 1 else name for name, last in zip(names, last_parts)]


def printable(name: str) -> str:
    """A name out of a file, for lines: control characters are escaped, so that it stays one line."""
    return name if name.isprintable() else ascii(name)[1:-1]


def directory_of(source: ImageSource) -> Path:
    """The directory that holds a source."""
    return directory_of(source.source) if isinstance(source, Layer) else Path(str(source)).parent


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
    """A file of its bytes, of a layer those of its file; of a path only those that are asked for are read."""
    source = source.source if isinstance(source, Layer) else source
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source.read_bytes())


def is_safe_path(name: str) -> bool:
    """Is it a path that stays inside the directory it is put into?"""
    parts = name.split("/")
    return all(part not in ("", ".", "..") and "\\" not in part and "\0" not in part for part in parts)
