"""Rows of archives into new ones: sections are copied, and an archive appears when all of it is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from mtcodec.archive.names import INDEX, SHARD_PATTERN, STATE, WEIGHTS
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.rows import Row, undamaged
from mtcodec.archive.store import Directory, store_at
from mtcodec.archive.write import Writer, shard_names
from mtcodec.container import header
from mtcodec.container.mtc import SplitReader
from mtcodec.errors import FormatError, OutputError


def rows_at(reader: ArchiveReader, places: Sequence[Place]) -> Iterator[Row]:
    """Keys and sections of the rows at ``places``. Neighbours in a row group are read together.

    Raises:
        FormatError: a damaged header.
    """
    entries = lru_cache(1)(reader.entries)
    for row_group, row in places:
        yield undamaged(entries(row_group)[row])


def file_bytes(reader: ArchiveReader, key: str, scene_file: SplitReader) -> bytes:
    """The ``.mtc`` file of a row, its checksums verified.

    Raises:
        FormatError: damaged.
    """
    try:
        payloads = [scene_file.payload(section.name) for section in scene_file.header.sections]
    except FormatError as error:
        raise error.at(path=reader.path, scene=key) from None
    return header.pack(scene_file.header) + b"".join(payloads)


def add(writer: Writer, reader: ArchiveReader, key: str, data: bytes) -> None:
    """Add a scene's file from another archive, and that one's weights if it needs them.

    Raises:
        WeightsNotFound: they are missing.
    """
    manifest = reader.manifest
    if header.parse(data).fingerprint == manifest.fingerprint and manifest.weights_path is not None:
        writer.keep_weights(reader.weights_bytes)
    writer.add(key, data)


@contextmanager
def new_archive(output: str | Path, sources: Sequence[ArchiveReader], force: bool) -> Iterator[str | Path]:
    """A directory that is renamed to ``output`` at the end, and removed if something comes in between.

    For a URL it is ``output`` itself.

    Raises:
        OutputError: something is there already, and is no archive, or is not to be replaced.
    """
    store = store_at(output)
    if not isinstance(store, Directory):
        if shard_names(store):
            raise OutputError("has an archive already", path=output)
        with store.locked():
            yield output
        return
    output = Path(store.root).absolute()
    if any("://" not in s.path and Path(s.path).resolve() == output.resolve() for s in sources):
        raise OutputError("is what is read", path=output)
    if output.exists():
        _check_replaceable(output, force)
    temporary = output.with_name(f".{output.name[:200]}.{os.urandom(6).hex()}.tmp")
    old = temporary.with_suffix(".old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if output.exists():
            _check_replaceable(output, force)  # somebody else may have made it meanwhile
            output.rename(old)
        temporary.rename(output)
    except OSError as error:
        raise OutputError(f"cannot write it: {error.strerror or error}", path=output) from error
    finally:
        if old.exists() and not output.exists():
            old.rename(output)
        for directory in (temporary, old):
            shutil.rmtree(directory, ignore_errors=True)


def _check_replaceable(output: Path, force: bool) -> None:
    """Raise OutputError unless ``output`` is an empty directory, or archives that are to be replaced."""
    if not output.is_dir() or not _holds_archives_only(output):
        raise OutputError("is there already, and is no archive", path=output)
    if any(output.iterdir()) and not force:
        raise OutputError("has an archive already (--force replaces it)", path=output)


def _holds_archives_only(directory: Path) -> bool:
    """Does it hold files of one archive and nothing else, or directories that do?"""
    return all(
        any(path.glob(SHARD_PATTERN)) and _holds_archives_only(path)
        if path.is_dir() and path.name not in (STATE, WEIGHTS)
        else path.name in (INDEX, STATE, WEIGHTS) or path.match(SHARD_PATTERN)
        for path in directory.iterdir()
    )
