"""An archive's scenes to images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.engines import engine
from mtcodec.archive.read import ArchiveReader, RowGroup
from mtcodec.archive.rows import undamaged
from mtcodec.archive.scene_directory import SceneDirectory
from mtcodec.archive.store import Exists, store_at
from mtcodec.container import attachments
from mtcodec.container.header import Header
from mtcodec.container.mtc import SplitReader
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.images import image_bytes, suffix_for
from mtcodec.files.replacing import check_replaceable
from mtcodec.signals.mapping import Array

Work = tuple[RowGroup, Sequence[int]]
"""A row group, and which of its rows."""
Progress = Callable[[int, int], None]
"""Called with scenes done and scenes in all."""


class Unpacked(NamedTuple):
    """What was done."""

    scenes: int = 0
    read: int = 0  # bytes of the sections that were read
    written: int = 0  # bytes of the files that were written


def unpack(
    reader: ArchiveReader,
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
        force: overwrite images that decoding has written.

    Raises:
        UsageError: a task or key that the archive lacks; nothing is written.
        FormatError: a damaged scene. OutputError: an image is there that may not be overwritten.
    """
    names = reader.manifest.select_tasks(tasks)
    work = divide(reader, workers or os.cpu_count() or 1, keys)
    total, done = sum(len(rows) for _, rows in work), Unpacked()
    is_new = not store_at(output).names()
    arguments = (reader.path, reader.max_pixels, names, output, force, is_new)
    with engine(engine_name, workers, Unpacker, arguments) as submit:
        for unpacked in submit(work):
            done = Unpacked(*(before + now for before, now in zip(done, unpacked)))
            progress(done.scenes, total)
    return done


def divide(reader: ArchiveReader, workers: int, keys: Sequence[str] | None = None) -> list[Work]:
    """Whole row groups, each fetched by whoever gets it, or parts of them if they are few.

    Raises:
        UsageError: no scene has one of ``keys``.
    """
    rows_of_group: dict[RowGroup, Sequence[int]] = {group: range(group.rows) for group in reader.row_groups}
    if keys is not None:
        keys_of_group = {row_group: reader.keys(row_group) for row_group in reader.row_groups}
        missing = set(keys).difference(*keys_of_group.values())
        if missing:
            raise UsageError(f"no scene {min(missing)!r}", path=reader.path)
        wanted_keys = set(keys)
        rows_of_group = {
            row_group: [row for row, key in enumerate(group_keys) if key in wanted_keys]
            for row_group, group_keys in keys_of_group.items()
        }
    is_divided = len(reader.row_groups) < 4 * workers
    work: list[Work] = []
    for row_group, rows in rows_of_group.items():
        size = max(BATCH, -(-len(rows) // (4 * workers)) if is_divided else len(rows))
        work += [(row_group, rows[first : first + size]) for first in range(0, len(rows), size)]
    return work


class Unpacker:
    """Writes the images of scenes; one for every process, with an archive that it has opened itself.

    Args:
        is_new: nothing was in ``output`` when the run began, so that no scene's directory is looked at.
    """

    def __init__(
        self, path: str, max_pixels: int, tasks: Sequence[str], output: str | Path, force: bool, is_new: bool
    ) -> None:
        reader = ArchiveReader(path, max_pixels)
        self.tasks, self.store, self.force, self.is_new = tasks, store_at(output), force, is_new
        self.codec = ArchiveCodec(reader)
        self.entries = lru_cache(1)(reader.entries)  # of the last row group

    def __call__(self, work: Work) -> Unpacked:
        """Write the images of some rows of a row group."""
        row_group, rows = work
        entries = self.entries(row_group, tuple(self.tasks), with_notes=True)
        read = written = 0
        for first in range(0, len(rows), BATCH):
            batch = [undamaged(entries[row]) for row in rows[first : first + BATCH]]
            images: dict[str, bytes] = {}
            other_files: dict[str, bytes] = {}
            replaceable: list[str] = []
            for (key, scene_file), (_, scene) in zip(batch, decode(self.codec, batch, self.tasks)):
                attached = _attached_files(key, scene_file)
                directory = SceneDirectory(self.store, checked_key(key))
                if not self.is_new:
                    names = check_replaceable(directory, scene, attached, self.force)
                    replaceable += map(directory.name_of, names)
                images |= {directory.name_of(name): data for name, data in _image_files(scene).items()}
                other_files |= {directory.name_of(name): data for name, data in attached.items()}
                read += _bytes_needed(scene_file.header, self.tasks)
            self._write(images, other_files, replaceable)
            written += sum(map(len, [*images.values(), *other_files.values()]))
        return Unpacked(len(rows), read, written)

    def _write(
        self, images: Mapping[str, bytes], other_files: Mapping[str, bytes], replaceable: Sequence[str]
    ) -> None:
        """Write files by name, images in place of those that are ``replaceable``."""
        try:
            if images:
                self.store.write(images, new=not self.force)
            if other_files:  # where one is there, it was found to be the same
                self.store.write(other_files, new=self.is_new and not self.force)
        except Exists as error:
            raise OutputError("exists already (--force overwrites it)", path=error.path) from None
        for name in replaceable:
            if name not in images:  # the same image in the other format
                self.store.remove(name)


def _image_files(scene: Mapping[str, Array]) -> dict[str, bytes]:
    """Files of a scene's images by name."""
    suffixes = {task: suffix_for(image) for task, image in scene.items()}
    return {task + suffix: image_bytes(scene[task], suffix) for task, suffix in suffixes.items()}


def _attached_files(key: str, scene_file: SplitReader) -> dict[str, bytes]:
    """The files that a scene has beside its images."""
    try:
        return attachments.read(scene_file)
    except FormatError as error:
        raise error.at(scene=key) from None


def _bytes_needed(header: Header, tasks: Sequence[str]) -> int:
    """Bytes of the header, of the sections that ``tasks`` need and of attachments."""
    needed = {name for task in tasks if task in header.tasks for name in header.needs(task)} | {ATTACHMENTS}
    return header.size + sum(section.length for section in header.sections if section.name in needed)


def checked_key(key: str) -> str:
    """The key of a scene, which is a path inside the output.

    Raises:
        FormatError: it is none, as a stranger's archive may have.
    """
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise FormatError(f"a scene is called {key!r}, which is no path inside the output")
    return key
