"""An archive's scenes to images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.engines import engine
from mtcodec.archive.read import Entry, Opened
from mtcodec.archive.store import Exists, store
from mtcodec.container import attachments
from mtcodec.container.header import Header
from mtcodec.container.mtc import SplitReader
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.images import image_bytes, suffix_for

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
    output: str | Path,
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
        output: a path, or a URL for fsspec (``s3://``).
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

    def __init__(
        self, path: str, max_pixels: int, tasks: Sequence[str], output: str | Path, force: bool
    ) -> None:
        self.opened, self.tasks = Opened(path, max_pixels), tasks
        self.store, self.force = store(output), force
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
            files: dict[str, bytes] = {}
            for (_, parts), (key, scene) in zip(few, decode(self.codec, few, self.tasks)):
                assert isinstance(parts, SplitReader)
                suffixes = {name: suffix_for(image) for name, image in scene.items()}
                made = {n + suffix: image_bytes(scene[n], suffix) for n, suffix in suffixes.items()}
                files |= {
                    f"{safe(key)}/{name}": data for name, data in {**made, **_beside(key, parts)}.items()
                }
                read += _size(parts.header, self.tasks)
            self._write(files)
            written += sum(map(len, files.values()))
        return Unpacked(len(rows), read, written)

    def _write(self, files: dict[str, bytes]) -> None:
        if not files:
            return
        try:
            self.store.write(files, new=not self.force)
        except Exists as error:
            raise OutputError("exists already (--force overwrites it)", path=error.path) from None


def _beside(key: str, parts: SplitReader) -> dict[str, bytes]:
    """The files that a scene has beside its images."""
    try:
        return attachments.read(parts)
    except FormatError as error:
        raise error.at(scene=key) from None


def _size(header: Header, tasks: Sequence[str]) -> int:
    """Bytes of the header, of the sections that ``tasks`` need and of attached files."""
    needed = {part for name in tasks if name in header.tasks for part in header.needs(name)} | {ATTACHMENTS}
    return header.size + sum(section.length for section in header.sections if section.name in needed)


def safe(key: str) -> str:
    """The key of a scene as a path, which that of a stranger's archive cannot move out of the output."""
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise FormatError(f"a scene is called {key!r}, which is no path inside the output")
    return key
