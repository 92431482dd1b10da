"""An archive's scenes to images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.engines import engine
from mtcodec.archive.read import Entry, Opened
from mtcodec.codec.decoder import Scene
from mtcodec.coders import attached
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.images import suffix_for, write_image
from mtcodec.files.output import write_atomic
from mtcodec.format.container import Parts
from mtcodec.format.header import Header
from mtcodec.format.section import ATTACHED

Work = tuple[int, Sequence[int]]
"""A group, and which of its rows."""
Progress = Callable[[int, int], None]
"""Called with scenes done and scenes in all."""


class Unpacked(NamedTuple):
    """What was done: scenes, the bytes of their streams, and those of the files written."""

    scenes: int = 0
    read: int = 0
    written: int = 0


def unpack(
    opened: Opened,
    output: Path,
    tasks: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    engine_name: str = "local",
    workers: int = 1,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Unpacked:
    """Write images to ``output``/<key>/<task>.png (or .npy).

    Args:
        tasks, keys: all without them.
        engine_name, workers: see :func:`mtcodec.archive.engines.engine`.
        force: overwrite images.

    Raises:
        UsageError: a task or key that the archive lacks; nothing is written.
        FormatError: a damaged scene. OutputError: an image is there already.
    """
    names = list(opened.about.names if tasks is None else tasks)
    opened.about.needs(names)
    work = work_of(opened, workers or os.cpu_count() or 1, keys)
    total, done = sum(len(rows) for _, rows in work), Unpacked()
    arguments = (opened.path, opened.max_pixels, names, output, force)
    with engine(engine_name, workers, Unpacker, arguments) as submit:
        for part in submit(work):
            done = Unpacked(*(old + new for old, new in zip(done, part)))
            progress(done.scenes, total)
    return done


def work_of(opened: Opened, workers: int, keys: Sequence[str] | None = None) -> list[Work]:
    """Whole groups, each fetched by whoever gets it, or parts of them if they are few.

    Raises:
        UsageError: no scene has one of ``keys``.
    """
    rows: list[Sequence[int]] = [range(group.rows) for group in opened.groups]
    if keys is not None:
        named = [opened.keys(group) for group in opened.groups]
        chosen, known = set(keys), {key for own in named for key in own}
        if chosen - known:
            raise UsageError(f"no scene {min(chosen - known)!r}", path=opened.path)
        rows = [[i for i, key in enumerate(own) if key in chosen] for own in named]
    few = len(opened.groups) < 4 * workers
    work: list[Work] = []
    for index, own in enumerate(rows):
        size = max(BATCH, -(-len(own) // (4 * workers)) if few else len(own))
        work += [(index, own[first : first + size]) for first in range(0, len(own), size)]
    return work


class Unpacker:
    """Writes the images of scenes; one for every process."""

    def __init__(self, path: str, max_pixels: int, tasks: Sequence[str], output: Path, force: bool) -> None:
        self.opened, self.tasks = Opened(path, max_pixels), tasks
        self.output, self.force = output, force
        self.codec = ArchiveCodec(self.opened)
        self.group, self.entries = -1, list[Entry]()

    def __call__(self, work: Work) -> Unpacked:
        """Write the images of some rows of a group."""
        index, rows = work
        if self.group != index:
            self.group = index
            self.entries = self.opened.entries(self.opened.groups[index], self.tasks, beside=True)
        read = written = 0
        for first in range(0, len(rows), BATCH):
            few = [self.entries[row] for row in rows[first : first + BATCH]]
            for (_, parts), (key, scene) in zip(few, decode(self.codec, few, self.tasks)):
                assert isinstance(parts, Parts)
                beside = _beside(key, parts)
                directory = safe(self.output, key)
                written += write_images(directory, scene, self.force)
                written += write_files(directory, beside, self.force)
                read += _size(parts.header, self.tasks)
        return Unpacked(len(rows), read, written)


def _beside(key: str, parts: Parts) -> dict[str, bytes]:
    """The files that a scene has beside its images."""
    try:
        return attached.read(parts)
    except FormatError as error:
        raise error.at(scene=key) from None


def _size(header: Header, tasks: Sequence[str]) -> int:
    """Bytes of the header, of the sections that ``tasks`` need and of attached files."""
    needed = {part for name in tasks if name in header.tasks for part in header.needs(name)} | {ATTACHED}
    return header.size + sum(section.length for section in header.sections if section.name in needed)


def write_images(directory: Path, scene: Scene, force: bool) -> int:
    """Write the images of a scene, under the names of their tasks; returns their bytes on disk."""
    written = 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make it: {error.strerror}", path=directory) from error
    for name, image in scene.items():
        path = directory / f"{name}{suffix_for(image)}"
        _check_new(path, force)
        write_image(path, image)
        written += path.stat().st_size
    return written


def write_files(directory: Path, files: Mapping[str, bytes], force: bool) -> int:
    """Write what a scene has beside its images; returns the bytes."""
    for name, content in files.items():
        _check_new(directory / name, force)
        write_atomic(directory / name, content)
    return sum(map(len, files.values()))


def _check_new(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise OutputError("exists already (--force overwrites it)", path=path)


def safe(output: Path, key: str) -> Path:
    """The directory of a scene, which a key of a stranger's archive cannot move out of ``output``."""
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise FormatError(f"a scene is called {key!r}, which is no path inside the output")
    return output.joinpath(*parts)
