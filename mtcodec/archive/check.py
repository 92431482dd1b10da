"""Archives checked, and tasks of them copied; nothing is encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from mtcodec.archive.copying import add, new_archive
from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import statistics_of, undamaged
from mtcodec.archive.unpack import Progress
from mtcodec.archive.write import Writer
from mtcodec.container import mtc as container
from mtcodec.container.damage import damage_of
from mtcodec.container.mtc import SplitReader
from mtcodec.errors import FormatError


def extract(
    reader: ArchiveReader,
    output: str | Path,
    tasks: Sequence[str],
    progress: Progress = lambda done, total: None,
    force: bool = False,
) -> int:
    """Copy the columns of ``tasks`` into a new archive; nothing is decoded.

    Scenes that have none of them are left out. Returns the number of scenes.

    Raises:
        UsageError: a task that the archive lacks. OutputError: something is there already.
        FormatError: damage to what is kept.
    """
    reader.manifest.select_tasks(tasks)
    with new_archive(output, [reader], force) as directory:
        writer = Writer(directory, reader.manifest.restricted_to(tasks))
        for done, entry in enumerate(reader.all_entries(tasks, with_notes=True), 1):
            key, scene_file = undamaged(entry)
            names = [name for name in tasks if name in scene_file.header.tasks]
            try:
                if names:
                    add(writer, reader, key, container.extract(scene_file, names))
            except FormatError as error:
                raise error.at(path=reader.path, scene=key) from error.__cause__
            progress(done, reader.rows)
        writer.finish()
        return len(writer.keys)


def verify(
    reader: ArchiveReader,
    decoding: bool = False,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> dict[str, FormatError]:
    """Check every checksum of an archive and, if ``decoding``, decode everything: what is wrong, by key.

    Raises:
        WeightsNotFound, WeightsInvalid: for ``decoding``.
    """
    damaged: dict[str, FormatError] = {}
    codec, done = ArchiveCodec(reader, device), count(1)
    names = reader.manifest.statistics_columns
    for row_group in reader.row_groups:
        rows_of_statistics = reader.read_columns(row_group, names).to_pylist()
        for entry, statistics in zip(reader.entries(row_group), rows_of_statistics):
            try:
                _, scene_file = undamaged(entry)
                _check_row(reader, scene_file, statistics)
                if decoding:
                    decode(codec, [entry], scene_file.header.tasks)
            except FormatError as error:
                damaged[entry[0]] = error.at(path=reader.path, scene=entry[0])
            progress(next(done), reader.rows)
    return damaged


def _check_row(reader: ArchiveReader, scene_file: SplitReader, statistics: dict[str, Any]) -> None:
    """Raise FormatError for damage to a row's payloads, or where its numbers are not those of its header."""
    for error in damage_of(scene_file):
        raise error
    names = reader.manifest.statistics_columns
    if statistics != dict.fromkeys(names) | statistics_of(scene_file, reader.manifest.tasks):
        raise FormatError(f"{', '.join(names)} are not those of its header")
