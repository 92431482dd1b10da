"""What Ray Data reads archives by; the one module of archives that imports Ray."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import lru_cache, partial
from typing import Any

import numpy as np
from ray.data import Datasource, ReadTask
from ray.data.block import BlockAccessor, BlockMetadata

from mtcodec import threads
from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.read import Opened
from mtcodec.container.mtc import SplitReader

Piece = tuple[int, int, int]
"""A group, its first row, and the end of its rows."""


class ArchiveDatasource(Datasource):
    """Images of an archive, see :func:`mtcodec.ray.read_archive`."""

    def __init__(self, opened: Opened, tasks: Sequence[str], beside: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._projection_map: dict[str, str] | None = None  # of Ray's: the columns that are kept
        self.place = (opened.path, opened.max_pixels, uuid.uuid4().hex)
        self.tasks, self.beside = list(tasks), list(beside)
        self.empty = empty_images(opened, tasks)
        self.rows = [group.rows for group in opened.groups]
        self.size = bytes_of(opened, tasks) if sum(self.rows) else 0

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all images, as those of the first row group tell."""
        return self.size

    def supports_projection_pushdown(self) -> bool:
        """Columns that are dropped are not decoded."""
        return True

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """About so many tasks of whole groups, or of parts of them where groups are fewer."""
        kept = self._projection_map
        names = [name for name in self.tasks if kept is None or name in kept]
        beside = [name for name in self.beside if kept is None or name in kept]
        beside = beside or ([] if names else ["key"])  # rows without columns would be lost
        limit = {} if per_task_row_limit is None else {"per_task_row_limit": per_task_row_limit}
        tasks = []
        for pieces in shares(self.rows, parallelism):
            facts = dict.fromkeys(field.name for field in fields(BlockMetadata)) | {
                "num_rows": sum(end - first for _, first, end in pieces)
            }
            read = partial(blocks, self.place, pieces, {name: self.empty[name] for name in names}, beside)
            tasks.append(ReadTask(read, BlockMetadata(**facts), **limit))
        return tasks


def shares(rows: Sequence[int], count: int) -> list[list[Piece]]:
    """Groups of so many rows in ``count`` lists; if need be parts of :data:`BATCH` rows and more."""
    each = max(1, -(-count // max(len(rows), 1)))
    pieces: list[Piece] = []
    for group, own in enumerate(rows):
        size = max(BATCH, -(-own // each))
        pieces += [(group, first, min(first + size, own)) for first in range(0, own, size)]
    parts = np.array_split(np.arange(len(pieces)), min(max(count, 1), max(len(pieces), 1)))
    return [[pieces[place] for place in part] for part in parts if len(part)]


def bytes_of(opened: Opened, tasks: Sequence[str]) -> int:
    """Bytes of the images of ``tasks``, from the headers of the first group."""
    total = 0
    for _, parts in opened.entries(opened.groups[0], []):
        if isinstance(parts, SplitReader):
            own = [parts.header.task(name).attributes for name in tasks if name in parts.header.tasks]
            pixel = sum(np.dtype(a.dtype).itemsize * a.channels for a in own)
            total += parts.header.height * parts.header.width * pixel
    return total * opened.rows // max(opened.groups[0].rows, 1)


def empty_images(opened: Opened, tasks: Sequence[str]) -> dict[str, Any]:
    """Images without pixels, of the dtypes and channels that the first group tells."""
    found: dict[str, Any] = {}
    for _, parts in opened.entries(opened.groups[0], []) if opened.groups else ():
        if isinstance(parts, SplitReader):
            for name in set(tasks).intersection(parts.header.tasks).difference(found):
                own = parts.header.task(name).attributes
                found[name] = np.zeros((0, 0, own.channels)[: 2 + (own.channels > 1)], own.dtype)
    return {name: found.get(name, np.zeros((0, 0), np.uint8)) for name in tasks}


def column(images: Sequence[Any], empty: Any) -> Any:
    """Images as Ray takes them: an array if they are alike, else one of objects; ``empty`` for None."""
    own = [empty if image is None else image for image in images]
    if len({(image.shape, image.dtype) for image in own}) == 1:
        return np.stack(own)
    found = np.empty(len(own), object)
    for place, image in enumerate(own):
        found[place] = image
    return found


@lru_cache(maxsize=1)
def _codec(path: str, max_pixels: int, token: str) -> ArchiveCodec:
    """The archive of one dataset and its networks, kept for the next task of a process of Ray."""
    threads.limit(1)
    return ArchiveCodec(Opened(path, max_pixels))


def blocks(
    place: tuple[str, int, str], pieces: Sequence[Piece], empty: dict[str, Any], beside: Sequence[str]
) -> Iterator[Any]:
    """Rows of some groups, a few at a time, as blocks of Arrow; the tasks are those of ``empty``."""
    codec, tasks = _codec(*place), list(empty)
    for number, first, end in pieces:
        entries = codec.opened.entries(codec.opened.groups[number], tasks)[first:end]
        for at in range(0, len(entries), BATCH):
            few = entries[at : at + BATCH]
            made = decode(codec, few, tasks)
            headers = [
                parts.header for _, parts in few if isinstance(parts, SplitReader)
            ]  # damaged ones raised
            facts: dict[str, Any] = {
                "key": np.array([key for key, _ in made]),
                "height": np.array([header.height for header in headers], np.int32),
                "width": np.array([header.width for header in headers], np.int32),
            }
            batch: dict[str, Any] = {name: facts[name] for name in beside}
            batch |= {name: column([scene.get(name) for _, scene in made], empty[name]) for name in tasks}
            yield BlockAccessor.batch_to_block(batch)
