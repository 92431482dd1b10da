"""Rows of archives into new ones: sections are copied, and what is made is there when all of it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from mtcodec.archive.names import INDEX, WEIGHTS
from mtcodec.archive.read import Opened
from mtcodec.archive.store import Directory, store
from mtcodec.archive.write import Writer, part_names
from mtcodec.container import header
from mtcodec.container.mtc import SplitReader
from mtcodec.errors import FormatError, OutputError

Place = tuple[int, int]
"""A group of rows of an archive, and a row of it."""


def rows(opened: Opened, places: Sequence[Place]) -> Iterator[tuple[str, SplitReader]]:
    """Keys and sections of some rows, in order; every group is read once.

    Raises:
        FormatError: a damaged header.
    """
    for k, own in groupby(places, key=lambda place: place[0]):
        entries = opened.entries(opened.groups[k])
        for _, row in own:
            key, parts = entries[row]
            if isinstance(parts, FormatError):
                raise parts
            yield key, parts


def whole(opened: Opened, key: str, parts: SplitReader) -> bytes:
    """The file of a row, its checksums verified.

    Raises:
        FormatError: damaged.
    """
    try:
        payloads = [parts.payload(section.name) for section in parts.header.sections]
    except FormatError as error:
        raise error.at(path=opened.path, scene=key) from None
    return header.pack(parts.header) + b"".join(payloads)


def add(writer: Writer, opened: Opened, key: str, data: bytes) -> None:
    """Add a scene's file from another archive, and that one's weights if it needs them.

    Raises:
        WeightsNotFound: they are missing.
    """
    if header.parse(data).fingerprint == opened.about.fingerprint and opened.about.weights is not None:
        writer.keep_weights(opened.weights_bytes)
    writer.add(key, data)


@contextmanager
def made(output: str | Path, sources: Sequence[Opened], force: bool) -> Iterator[str | Path]:
    """A directory that is renamed to ``output`` at the end, and removed if something comes in between.

    Of a URL, ``output`` itself.

    Raises:
        OutputError: something is there already, and is no archive, or is not to be replaced.
    """
    there = store(output)
    if not isinstance(there, Directory):
        if part_names(there):
            raise OutputError("has an archive already", path=output)
        with there.locked():
            yield output
        return
    output = Path(there.root).absolute()
    if any("://" not in s.path and Path(s.path).resolve() == output.resolve() for s in sources):
        raise OutputError("is what is read", path=output)
    if output.exists():
        _refuse(output, force)
    place = output.with_name(f".{output.name[:200]}.{os.urandom(6).hex()}.tmp")
    old = place.with_suffix(".old")
    try:
        place.mkdir(parents=True)
        yield place
        if output.exists():
            _refuse(output, force)  # somebody else may have made it meanwhile
            output.rename(old)
        place.rename(output)
    except OSError as error:
        raise OutputError(f"cannot write it: {error.strerror or error}", path=output) from error
    finally:
        if old.exists() and not output.exists():
            old.rename(output)
        for left in (place, old):
            shutil.rmtree(left, ignore_errors=True)


def _refuse(output: Path, force: bool) -> None:
    """Raise OutputError unless ``output`` is an empty directory, or archives that are to be replaced."""
    if not output.is_dir() or not _replaceable(output):
        raise OutputError("is there already, and is no archive", path=output)
    if any(output.iterdir()) and not force:
        raise OutputError("has an archive already (--force replaces it)", path=output)


def _replaceable(directory: Path) -> bool:
    """Does it hold an archive and nothing else, or directories that do?"""

    def own(path: Path) -> bool:
        if path.is_dir() and path.name != WEIGHTS:
            return any(path.glob("part-*.parquet")) and _replaceable(path)
        return path.name in (INDEX, WEIGHTS) or (path.name.startswith("part-") and path.suffix == ".parquet")

    return all(own(path) for path in directory.iterdir())
