"""Archives in Ray Data: their images, or their sections undecoded.

::

    import mtcodec.ray

    rows = mtcodec.ray.read_archive("s3://bucket/archive", tasks=["rgb", "depth"])  # a ray.data.Dataset
    for batch in rows.iter_torch_batches(batch_size=32): ...
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtcodec import extras, threads
from mtcodec.archive.decode import BATCH, ArchiveCodec, decode
from mtcodec.archive.manifest import FIXED, Manifest, size_columns_of
from mtcodec.archive.names import absolute
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import make_entry, undamaged
from mtcodec.container.header import Header
from mtcodec.container.mtc import SplitReader
from mtcodec.container.section import MAX_PIXELS, array_shape
from mtcodec.errors import UsageError
from mtcodec.signals.mapping import Array

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["Decoder", "read_archive", "read_sections"]

TASK_ROWS = 4 * BATCH  # scenes that a task of Ray decodes
Batch = dict[str, Any]
"""Arrays of the rows of a batch by column, as Ray has them with ``batch_format="numpy"``."""


def read_archive(
    path: str | Path,
    tasks: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    concurrency: int | None = None,
    **options: Any,
) -> Dataset:
    """The scenes of an archive as rows of images and numbers, as they were encoded.

    Only the tasks are fetched and decoded; ``select_columns`` afterwards spares neither. A column of images
    that differ in size is one of tensors of variable shape, as Ray has them. Where a scene lacks a task, its
    image has no pixels, height and width 0, as Ray mixes no tensors with None; a single number is None.

    A task of Ray decodes :data:`TASK_ROWS` scenes of a Parquet file; an archive of fewer is decoded by one.

    Args:
        path: one that all machines have, or a URL for fsspec.
        tasks: default all.
        columns: what comes beside the images: of ``key`` and, of each of the tasks, ``<task>_height`` and
            ``<task>_width``, which are 0 where a scene lacks the task; default all.
        max_pixels: scenes of larger images are errors.
        concurrency: tasks of Ray that decode at the same time, at most.
        options: for :func:`ray.data.read_parquet`: ``override_num_blocks`` and so on.

    Raises:
        DependencyError: Ray or pyarrow is not installed. SceneError: no archive there.
        UsageError: a task or column that it lacks. Damage is an error of the task of Ray that meets it.
    """
    extras.load("ray.data", "mtcodec.ray", "ray")
    path = absolute(path)
    names = ArchiveReader(path, max_pixels).manifest.select_tasks(tasks)
    possible = ["key", *(column for name in names for column in size_columns_of(name))]
    kept = possible if columns is None else list(columns)
    for name in kept:
        if name not in possible:
            raise UsageError(f"columns must be of {', '.join(possible)}, not {name!r}")
    sections = read_sections(path, names, **options).repartition(target_num_rows_per_block=TASK_ROWS)
    # A function rather than the class: actors would hold cores that reading waits for.
    images = sections.map_batches(
        _decode_batch,
        fn_args=(uuid.uuid4().hex, path, tuple(names), max_pixels),
        batch_size=BATCH,
        batch_format="numpy",
        concurrency=concurrency,
    )
    return images.select_columns([*(name for name in possible if name in kept), *names])


def read_sections(path: str | Path, tasks: Sequence[str] | None = None, **options: Any) -> Dataset:
    """The scenes of an archive as rows of sections, undecoded: to filter and join before decoding.

    Columns are ``key``, ``bytes``, ``header``, of each of the archive's tasks ``<task>_height`` and
    ``<task>_width``, the ranges of depth, and the sections that ``tasks`` need (default all). Holes of other
    tasks come along: they may be those of ``tasks``, too. :class:`Decoder` decodes what is left.

    Args:
        options: for :func:`ray.data.read_parquet`.

    Raises:
        DependencyError, SceneError, UsageError: see :func:`read_archive`.
    """
    ray_data = extras.load("ray.data", "mtcodec.ray", "ray")
    import fsspec

    reader = ArchiveReader(absolute(path))
    manifest = reader.manifest
    columns = [*FIXED, *manifest.size_columns, *manifest.range_columns, *_payload_columns(manifest, tasks)]
    filesystem, _ = fsspec.core.url_to_fs(reader.path)
    rows: Dataset = ray_data.read_parquet(reader.shards, columns=columns, filesystem=filesystem, **options)
    return rows


def _payload_columns(manifest: Manifest, tasks: Sequence[str] | None) -> list[str]:
    """Columns of payloads that scenes may need, before their headers are known."""
    wanted = manifest.columns_for(tasks)
    may_share_holes = manifest.holes_columns if set(wanted) & set(manifest.holes_columns) else ()
    return [name for name in manifest.payload_columns if name in (*wanted, *may_share_holes)]


class Decoder:
    """Decodes :func:`read_sections`: ``rows.map_batches(Decoder, fn_constructor_args=(path, tasks))``.

    Columns that are not sections are kept. The archive is read for its tasks and weights only.

    Args:
        path, tasks, max_pixels: as of :func:`read_archive`; a local path is absolute.
    """

    def __init__(
        self, path: str | Path, tasks: Sequence[str] | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.reader = ArchiveReader(path, max_pixels)
        self.tasks = self.reader.manifest.select_tasks(tasks)
        self.codec = ArchiveCodec(self.reader)
        self.empty_images = _empty_images(self.reader, self.tasks)

    def __call__(self, batch: Batch) -> Batch:
        """Images in the place of sections; they are decoded with one thread.

        Raises:
            FormatError: damage.
        """
        names = [name for name in self.reader.manifest.payload_columns if name in batch]
        # where a column has no payload at all, Ray has NaN
        payloads = [[data if isinstance(data, bytes) else None for data in batch[name]] for name in names]
        entries = [
            make_entry(self.reader.path, key, header, dict(zip(names, row)), self.reader.max_pixels)
            for key, header, *row in zip(batch["key"], batch["header"], *payloads)
        ]
        with threads.limited(1):
            scenes = [scene for _, scene in decode(self.codec, entries, self.tasks)]
        columns = {name: values for name, values in batch.items() if name not in {"header", *names}}
        headers = [scene_file.header for _, scene_file in map(undamaged, entries)]
        columns |= {name: values for name, values in self._sizes(headers).items() if name in columns}
        for task in self.tasks:
            columns[task] = _column([scene.get(task) for scene in scenes], self.empty_images[task])
        return columns

    def _sizes(self, headers: Sequence[Header]) -> dict[str, Array]:
        """Columns of heights and widths, which Ray would make floats of where one is null: 0 there."""
        columns: dict[str, Array] = {}
        for task in self.reader.manifest.task_names:
            sizes = [header.size_of(task) if task in header.tasks else (0, 0) for header in headers]
            columns |= zip(size_columns_of(task), np.array(sizes, np.int32).T)
        return columns


@lru_cache(maxsize=1)
def _decoder(dataset_id: str, *arguments: Any) -> Decoder:
    """The decoder of one dataset, kept with its networks for the next task of a process of Ray."""
    return Decoder(*arguments)


def _decode_batch(batch: Batch, *arguments: Any) -> Batch:
    return _decoder(*arguments)(batch)


def _empty_images(reader: ArchiveReader, tasks: Sequence[str]) -> dict[str, Array]:
    """Images without pixels by task, of the dtypes and channels that the first row group has."""
    images: dict[str, Array] = {}
    for _, scene_file in reader.entries(reader.row_groups[0], []) if reader.row_groups else ():
        if not isinstance(scene_file, SplitReader):
            continue
        for task in set(tasks).intersection(scene_file.header.tasks).difference(images):
            attributes = scene_file.header.task(task).attributes
            images[task] = np.zeros(
                array_shape(attributes.shape, (0, 0), attributes.channels), attributes.dtype
            )
    return {task: images.get(task, np.zeros((0, 0), np.uint8)) for task in tasks}


def _column(images: Sequence[Array | None], empty_image: Array) -> Array:
    """Images as Ray takes them: one array if they are alike, else an array of objects.

    Of single numbers it takes None, too.
    """
    if empty_image.ndim == 0 and any(image is None for image in images):
        return np.array([None if image is None else image[()] for image in images], object)
    filled = [empty_image if image is None else image for image in images]
    if len({(image.shape, image.dtype) for image in filled}) == 1:
        return np.stack(filled)
    column = np.empty(len(filled), object)
    for row, image in enumerate(filled):
        column[row] = image
    return column
