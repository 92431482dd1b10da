"""Archives copied: several to one, one to several, a sample. Sections are copied, nothing is encoded anew.

What is made locally is there when all of it is (:func:`mtcodec.archive.copying.made`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mtcodec.archive.copying import Place, add, made, rows, whole
from mtcodec.archive.manifest import About
from mtcodec.archive.read import Opened
from mtcodec.archive.store import connect
from mtcodec.archive.unpack import Progress
from mtcodec.archive.write import PART_ROWS, Writer
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.errors import UsageError


@dataclass(frozen=True)
class Copied:
    """An archive that was made: its path, scenes and bytes on disk, weights among them."""

    path: str
    scenes: int
    bytes: int


def _none(done: int, total: int) -> None:
    """Progress that nobody sees."""


def merge(
    archives: Sequence[Opened], output: str | Path, skip_existing: bool = False, force: bool = False,
    progress: Progress = _none,
) -> Copied:  # fmt: skip
    """All scenes of ``archives``, in their order, in one.

    Args:
        skip_existing: leave scenes out whose key an earlier archive has.
        output: a path, or a URL for fsspec (``s3://``).
        force: replace an archive that is there.

    Raises:
        UsageError: other weights or settings, or tasks of other declarations; a key twice.
        OutputError: something is there already. FormatError: a damaged scene.
    """
    about, seen, total = union(archives), set[str](), sum(opened.rows for opened in archives)
    chosen: list[list[Place]] = []
    for opened in archives:
        chosen.append([])
        for k, group in enumerate(opened.groups):
            for row, key in enumerate(opened.keys(group)):
                if key not in seen:
                    chosen[-1].append((k, row))
                elif not skip_existing:
                    raise UsageError(f"scene {key!r} is there twice (--skip-existing keeps the first)",
                                     path=opened.path)  # fmt: skip
                seen.add(key)
    with made(output, archives, force) as place:
        writer, done = Writer(place, about, PART_ROWS), 0
        for opened, places in zip(archives, chosen):
            for key, parts in rows(opened, places):
                add(writer, opened, key, whole(opened, key, parts))
                done += 1
                progress(done, total)
        writer.finish()
    return _copied(output, len(seen))


def union(archives: Sequence[Opened]) -> About:
    """What holds for the scenes of all ``archives``.

    Raises:
        UsageError: nothing does; it says what differs.
    """
    about = archives[0].about
    for opened in archives[1:]:
        own = opened.about
        if NO_WEIGHTS not in (own.fingerprint, about.fingerprint) and own.fingerprint != about.fingerprint:
            raise UsageError(
                f"has other weights ({own.fingerprint}, not {about.fingerprint})", path=opened.path
            )
        for name in sorted({*own.settings, *about.settings}):
            if own.settings.get(name) != about.settings.get(name):
                raise UsageError(
                    f"was encoded with another {name}, {own.settings.get(name, 'default')}, than"
                    f" {archives[0].path}, {about.settings.get(name, 'default')}", path=opened.path,
                )  # fmt: skip
        known = {task.name: task for task in about.tasks}
        for task in own.tasks:
            if known.setdefault(task.name, task) != task:
                raise UsageError(f"task {task.name!r} is another one than in {archives[0].path}",
                                 path=opened.path)  # fmt: skip
        fingerprint = own.fingerprint if about.fingerprint == NO_WEIGHTS else about.fingerprint
        about = replace(about, fingerprint=fingerprint, tasks=tuple(known.values()))
    return about


def split(
    opened: Opened, output: str | Path, divided: Mapping[str, Sequence[Place]], force: bool = False,
    progress: Progress = _none,
) -> list[Copied]:  # fmt: skip
    """Some scenes of an archive in the archive ``output``/<name> each (:func:`evenly`, :func:`by_keys`)."""
    total, done = sum(map(len, divided.values())), 0
    with made(output, [opened], force) as place:
        for name, places in divided.items():
            _copy(opened, f"{place}/{name}", places, partial(_shifted, progress, done, total))
            done += len(places)
    return [_copied(f"{output}/{name}", len(places)) for name, places in divided.items()]


def evenly(opened: Opened, parts: int = 0, scenes: int = 0) -> dict[str, list[Place]]:
    """Scenes in their order, in so many parts of nearly equal numbers, or in parts of so many ``scenes``.

    Raises:
        UsageError: fewer scenes than parts.
    """
    if parts > opened.rows:
        raise UsageError(f"{parts} parts of {opened.rows} scenes", path=opened.path)
    count = parts or -(-opened.rows // scenes)
    ends = [opened.rows * k // count if parts else scenes * k for k in range(count + 1)]
    every = [(k, row) for k, group in enumerate(opened.groups) for row in range(group.rows)]
    return {f"{k:05d}": every[ends[k] : ends[k + 1]] for k in range(count)}


def by_keys(opened: Opened, lists: Mapping[str, Sequence[str]]) -> dict[str, list[Place]]:
    """Scenes by the list that has their key; those of none are left out.

    Raises:
        UsageError: a key that no scene has, or in two lists; an empty list.
    """
    name_of: dict[str, str] = {}
    for name, keys in lists.items():
        for key in keys:
            if name_of.setdefault(key, name) != name:
                raise UsageError(f"scene {key!r} is in the lists {name_of[key]} and {name}")
        if not keys:
            raise UsageError(f"the list {name} is empty")
    divided: dict[str, list[Place]] = {name: [] for name in lists}
    for k, group in enumerate(opened.groups):
        for row, key in enumerate(opened.keys(group)):
            if key in name_of:
                divided[name_of.pop(key)].append((k, row))
    if name_of:
        raise UsageError(f"no scene {min(name_of)!r}", path=opened.path)
    return divided


def sample(
    opened: Opened,
    output: str | Path,
    scenes: int,
    seed: int = 0,
    force: bool = False,
    progress: Progress = _none,
) -> Copied:
    """A random subset of so many scenes, in the archive's order; it depends on ``seed`` alone.

    Raises:
        UsageError: the archive has fewer. OutputError, FormatError: see :func:`merge`.
    """
    if scenes > opened.rows:
        raise UsageError(f"has {opened.rows} scenes, not {scenes}", path=opened.path)
    chosen = iter(sorted(random.Random(seed).sample(range(opened.rows), scenes)))
    places, start, index = list[Place](), 0, next(chosen, -1)
    for k, group in enumerate(opened.groups):
        while start <= index < start + group.rows:
            places.append((k, index - start))
            index = next(chosen, -1)
        start += group.rows
    with made(output, [opened], force) as place:
        _copy(opened, place, places, progress)
    return _copied(output, scenes)


def _shifted(progress: Progress, before: int, total: int, done: int, own: int) -> None:
    """Progress of one of several archives."""
    progress(before + done, total)


def _copy(opened: Opened, place: str | Path, places: Sequence[Place], progress: Progress) -> None:
    writer = Writer(place, opened.about, PART_ROWS)
    for done, (key, parts) in enumerate(rows(opened, places), 1):
        add(writer, opened, key, whole(opened, key, parts))
        progress(done, len(places))
    writer.finish()


def _copied(path: str | Path, scenes: int) -> Copied:
    fs, root = connect(path)
    return Copied(str(path), scenes, int(fs.du(root)))
