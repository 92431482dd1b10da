"""Where the scenes of a page come from: a file, a directory of files, or an archive; and their originals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.codec.api import Codec
from mtcodec.container.mtc import Reader
from mtcodec.errors import FormatError, MtcodecError, SceneError
from mtcodec.files.trees.search import SceneFiles

if TYPE_CHECKING:
    from mtcodec.archive.read import ArchiveReader

SUFFIX = ".mtc"
Entry = tuple[str, Reader | MtcodecError]
"""The name of a scene, and its file or why it cannot be read."""


@dataclass
class Scenes:
    """Scenes to show.

    Attributes:
        title: what they are called together.
        count: how many scenes there are.
        shown_count: how many of them ``entries`` yields.
        entries: the scenes in order; can be read once.
        codec: decodes them, and knows what tasks mean.
    """

    title: str
    count: int
    shown_count: int
    entries: Iterator[Entry]
    codec: Codec


def of_file(name: str, reader: Reader, codec: Codec) -> Scenes:
    """The only scene of a file."""
    return Scenes(name, 1, 1, iter([(name, reader)]), codec)


def of_directory(directory: Path, codec: Codec, max_pixels: int, limit: int) -> Scenes:
    """The files below a directory, in order of their names.

    Args:
        max_pixels: of an image; files with larger ones are not read.
        limit: so many files at most, 0 for all of them.

    Raises:
        SceneError: there are none.
    """
    paths = sorted(directory.rglob(f"*{SUFFIX}"))
    if not paths:
        raise SceneError(f"no {SUFFIX} files in it", path=directory)
    entries = (
        (path.relative_to(directory).with_suffix("").as_posix(), _open(path, max_pixels))
        for path in islice(paths, limit or None)
    )
    title, count = directory.resolve().name or "scenes", len(paths)
    return Scenes(title, count, min(count, limit or count), entries, codec)


def _open(path: Path, max_pixels: int) -> Reader | MtcodecError:
    try:
        return Reader(path.read_bytes(), max_pixels)
    except FormatError as error:
        return error
    except OSError as error:
        return SceneError(f"cannot read it: {error.strerror or error}")


def of_archive(reader: ArchiveReader, codec: Codec, tasks: Sequence[str] | None, limit: int) -> Scenes:
    """The scenes of an archive, in its order.

    Args:
        tasks: only what these need is read.
        limit: so many scenes at most, 0 for all of them.
    """
    codec.tasks |= {task.name: task for task in reader.manifest.tasks}
    entries: Iterator[Entry] = islice(reader.all_entries(tasks, with_notes=True), limit or None)
    title, count = reader.path.rsplit("/", 1)[-1], reader.rows
    return Scenes(title, count, min(count, limit or count), entries, codec)


def original_of(name: str, originals: Sequence[SceneFiles]) -> SceneFiles | None:
    """The original of a scene: of the same key, else of the same last part of it, if only one has that."""
    for files in originals:
        if files.key == name:
            return files
    last_part = name.rsplit("/", 1)[-1]
    alike = [files for files in originals if files.key.rsplit("/", 1)[-1] == last_part]
    return alike[0] if len(alike) == 1 else None
