"""Archives copied: several to one, one to several, a sample. Sections are copied, nothing is encoded anew.

What is made locally appears when all of it is there (:func:`mtcodec.archive.copying.new_archive`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from mtcodec.archive.copying import add, file_bytes, new_archive, rows_at
from mtcodec.archive.manifest import Manifest
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.state import checksum
from mtcodec.archive.store import connect
from mtcodec.archive.unpack import Progress
from mtcodec.archive.write import Writer
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.errors import UsageError
from mtcodec.files.notes import Note, ignore, list_names
from mtcodec.messages import Loss

Rows = tuple[ArchiveReader, Sequence[Place]]
"""An archive, and which of its rows."""


@dataclass(frozen=True)
class Copied:
    """A new archive: its path, number of scenes, and bytes on disk with weights and index."""

    path: str
    scenes: int
    bytes: int


def _ignore(done: int, total: int) -> None:
    """Progress that nobody sees."""


def _copy(
    sources: Sequence[ArchiveReader], output: str | Path, manifest: Manifest,
    archives: Mapping[str, Sequence[Rows]], force: bool, progress: Progress,
) -> list[Copied]:  # fmt: skip
    """Copy rows into the new archives ``output``/<name>; one without a name is ``output`` itself."""
    total, done = sum(len(places) for archive in archives.values() for _, places in archive), count(1)
    with new_archive(output, sources, force) as directory:
        for name, archive in archives.items():
            writer = Writer(f"{directory}/{name}" if name else directory, manifest)
            for reader, places in archive:
                for key, scene_file in rows_at(reader, places):
                    add(writer, reader, key, file_bytes(reader, key, scene_file))
                    progress(next(done), total)
            writer.finish()
    copied: list[Copied] = []
    for name, archive in archives.items():
        path = f"{output}/{name}" if name else str(output)
        fs, root = connect(path)
        copied.append(Copied(path, sum(len(places) for _, places in archive), int(fs.du(root))))
    return copied


def merge(
    archives: Sequence[ArchiveReader], output: str | Path, skip_existing: bool = False, force: bool = False,
    progress: Progress = _ignore, note: Note = ignore,
) -> Copied:  # fmt: skip
    """All scenes of ``archives``, in their order, in one.

    Args:
        skip_existing: leave scenes out whose key an earlier archive has; ``note`` takes a line about those
            that are not the same to the byte.
        output: a path, or a URL for fsspec (``s3://``).
        force: replace an archive that is there.

    Raises:
        UsageError: other weights or settings, or tasks of other declarations; a key twice.
        OutputError: something is there already. FormatError: a damaged scene.
    """
    manifest = merged_manifest(archives)
    first_headers: dict[str, bytes] = {}
    rows: list[Rows] = []
    for reader in archives:
        places: list[Place] = []
        others: list[str] = []
        for key, header, place in _headers(reader):
            if key not in first_headers:
                places.append(place)
            elif not skip_existing:
                raise UsageError(f"scene {key!r} is there twice (--skip-existing keeps the first)",
                                 path=reader.path)  # fmt: skip
            elif checksum(header) != first_headers[key]:
                others.append(key)
            first_headers.setdefault(key, checksum(header))
        rows.append((reader, places))
        if others:
            reason = "left out, as an earlier archive has other scenes of these names"
            note(Loss(f"{reader.path}: {reason}: {list_names(others)}"))
    total = sum(reader.rows for reader in archives)
    return _copy(archives, output, manifest, {"": rows}, force, lambda done, _: progress(done, total))[0]


def _headers(reader: ArchiveReader) -> Iterator[tuple[str, bytes, Place]]:
    """Keys, headers, which have checksums of all sections, and places of all scenes, in order."""
    for row_group in reader.row_groups:
        table = reader.read_columns(row_group, ["key", "header"])
        for row, (key, header) in enumerate(zip(table["key"].to_pylist(), table["header"].to_pylist())):
            yield key or "", header or b"", (row_group, row)


def merged_manifest(archives: Sequence[ArchiveReader]) -> Manifest:
    """What holds for the scenes of all ``archives``.

    Raises:
        UsageError: their weights, settings or declarations of a task differ; it says in what.
    """
    first = archives[0]
    merged = first.manifest
    for reader in archives[1:]:
        manifest = reader.manifest
        if len({manifest.fingerprint, merged.fingerprint} - {NO_WEIGHTS}) > 1:
            raise UsageError(
                f"has other weights ({manifest.fingerprint}, not {merged.fingerprint})", path=reader.path
            )
        for name in sorted({*manifest.settings, *merged.settings}):
            if manifest.settings.get(name) != merged.settings.get(name):
                raise UsageError(
                    f"was encoded with another {name}, {manifest.settings.get(name, 'default')}, than"
                    f" {first.path}, {merged.settings.get(name, 'default')}", path=reader.path,
                )  # fmt: skip
        tasks = {task.name: task for task in merged.tasks}
        for task in manifest.tasks:
            if tasks.setdefault(task.name, task) != task:
                raise UsageError(f"task {task.name!r} is another one than in {first.path}",
                                 path=reader.path)  # fmt: skip
        fingerprint = manifest.fingerprint if merged.fingerprint == NO_WEIGHTS else merged.fingerprint
        merged = replace(merged, fingerprint=fingerprint, tasks=tuple(tasks.values()))
    return merged


def split(
    reader: ArchiveReader, output: str | Path, places_by_name: Mapping[str, Sequence[Place]],
    force: bool = False, progress: Progress = _ignore,
) -> list[Copied]:  # fmt: skip
    """Some scenes of an archive in the archive ``output``/<name> each (:func:`evenly`, :func:`by_keys`)."""
    archives = {name: [(reader, places)] for name, places in places_by_name.items()}
    return _copy([reader], output, reader.manifest, archives, force, progress)


def evenly(reader: ArchiveReader, parts: int = 0, scenes: int = 0) -> dict[str, list[Place]]:
    """Scenes in their order, in so many parts of nearly equal numbers, or in parts of so many ``scenes``.

    Raises:
        UsageError: fewer scenes than parts.
    """
    if parts > reader.rows:
        raise UsageError(f"{parts} parts of {reader.rows} scenes", path=reader.path)
    number = parts or -(-reader.rows // scenes)
    ends = [reader.rows * k // number if parts else scenes * k for k in range(number + 1)]
    places = reader.places()
    return {f"{k:05d}": places[ends[k] : ends[k + 1]] for k in range(number)}


def by_keys(reader: ArchiveReader, lists: Mapping[str, Sequence[str]]) -> dict[str, list[Place]]:
    """Scenes by the list that has their key; those of no list are left out.

    Raises:
        UsageError: a key that no scene has, or in two lists; an empty list.
    """
    list_of_key: dict[str, str] = {}
    for name, keys in lists.items():
        for key in keys:
            if list_of_key.setdefault(key, name) != name:
                raise UsageError(f"scene {key!r} is in the lists {list_of_key[key]} and {name}")
        if not keys:
            raise UsageError(f"the list {name} is empty")
    places: dict[str, list[Place]] = {name: [] for name in lists}
    for key, place in reader.keyed_places():
        if key in list_of_key:
            places[list_of_key.pop(key)].append(place)
    if list_of_key:
        raise UsageError(f"no scene {min(list_of_key)!r}", path=reader.path)
    return places


def sample(
    reader: ArchiveReader,
    output: str | Path,
    scenes: int,
    seed: int = 0,
    force: bool = False,
    progress: Progress = _ignore,
) -> Copied:
    """A random subset of so many scenes, in the archive's order; it depends on ``seed`` alone.

    Raises:
        UsageError: the archive has fewer. OutputError, FormatError: see :func:`merge`.
    """
    if scenes > reader.rows:
        raise UsageError(f"has {reader.rows} scenes, not {scenes}", path=reader.path)
    every_place = reader.places()
    places = [every_place[index] for index in sorted(random.Random(seed).sample(range(reader.rows), scenes))]
    return _copy([reader], output, reader.manifest, {"": [(reader, places)]}, force, progress)[0]
