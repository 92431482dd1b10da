"""Archives in Ray Data: their images, or their sections undecoded.

::

    import mtcodec.ray

    rows = mtcodec.ray.read_archive("s3://bucket/archive", tasks=["rgb", "depth"])  # a ray.data.Dataset
    for batch in rows.iter_torch_batches(batch_size=32): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec import extras
from mtcodec.archive.manifest import FIXED, HOLES
from mtcodec.archive.names import BESIDE, absolute
from mtcodec.archive.read import Opened, entry
from mtcodec.container.header import MAX_PIXELS
from mtcodec.container.section import SHARED
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from ray.data import Dataset


def read_archive(
    path: str | Path,
    tasks: Sequence[str] | None = None,
    columns: Sequence[str] = BESIDE,
    *,
    max_pixels: int = MAX_PIXELS,
    **options: Any,
) -> Dataset:
    """The scenes of an archive as rows of images (H, W) or (H, W, C) in their stored dtypes.

    Only the tasks are fetched and decoded, of those that ``select_columns`` keeps only these. A column of
    images that differ in size is one of tensors of variable shape, as Ray has them; where a scene lacks a
    task, its image has no pixels, height and width 0, as Ray mixes no tensors with None. A task of Ray
    decodes several row groups, or a part of one where there are few.

    Args:
        path: one that all machines have, or a URL for fsspec.
        tasks: default all.
        columns: what comes beside the images: of ``key``, ``height`` and ``width``.
        max_pixels: scenes of larger images are errors.
        options: for :func:`ray.data.read_datasource`: ``override_num_blocks``, ``concurrency`` and so on.

    Raises:
        DependencyError: Ray or pyarrow is not installed. SceneError: no archive there.
        UsageError: a task or column that it lacks. Damage is an error of the task that meets it.
    """
    ray = extras.load("ray.data", "mtcodec.ray", "ray")
    from mtcodec.archive.ray_source import ArchiveDatasource

    for name in columns:
        if name not in BESIDE:
            raise UsageError(f"columns must be of {', '.join(BESIDE)}, not {name!r}")
    opened = Opened(absolute(path), max_pixels)
    names = list(opened.about.names if tasks is None else tasks)
    opened.about.needs(names)
    source = ArchiveDatasource(opened, names, [name for name in BESIDE if name in columns])
    found: Dataset = ray.read_datasource(source, **options)
    return found


def read_sections(path: str | Path, tasks: Sequence[str] | None = None, **options: Any) -> Dataset:
    """The scenes of an archive as rows of sections, undecoded: to filter and join before decoding.

    Columns are ``key``, ``height``, ``width``, ``bytes``, ``header``, the ranges of depth, and the sections
    that ``tasks`` need (default all). :class:`Decoder` decodes what is left.

    Args:
        options: for :func:`ray.data.read_parquet`.

    Raises:
        as :func:`read_archive`.
    """
    ray = extras.load("ray.data", "mtcodec.ray", "ray")
    import fsspec

    opened = Opened(absolute(path))
    needed = opened.about.needs(list(opened.about.names if tasks is None else tasks))
    sections = [name for name in opened.about.columns if name in needed]
    columns = [*FIXED, *opened.about.ranges, *sections]
    filesystem, _ = fsspec.core.url_to_fs(opened.path)
    found: Dataset = ray.read_parquet(opened.parts, columns=columns, filesystem=filesystem, **options)
    return found


class Decoder:
    """Decodes :func:`read_sections`: ``rows.map_batches(Decoder, fn_constructor_args=(path, tasks))``.

    Columns that are not sections are kept. The archive is read for its tasks and weights only.

    Args:
        path, tasks, max_pixels: as of :func:`read_archive`; a local path is absolute.
    """

    def __init__(
        self, path: str | Path, tasks: Sequence[str] | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        from mtcodec import threads
        from mtcodec.archive.decode import ArchiveCodec
        from mtcodec.archive.ray_source import empty_images

        threads.limit(1)
        self.opened = Opened(path, max_pixels)
        self.tasks = list(self.opened.about.names if tasks is None else tasks)
        self.opened.about.needs(self.tasks)
        self.codec, self.empty = ArchiveCodec(self.opened), empty_images(self.opened, self.tasks)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Images in the place of sections, in a batch of NumPy's format."""
        from mtcodec.archive.decode import decode
        from mtcodec.archive.ray_source import column

        sections = [name for name in (SHARED, HOLES, *self.opened.about.names) if name in batch]
        columns = [[own if isinstance(own, bytes) else None for own in batch[name]] for name in sections]
        rows = zip(batch["key"], batch["header"], *columns)  # without any, Ray has NaN
        entries = [
            entry(self.opened.path, key, header, dict(zip(sections, values)), self.opened.max_pixels)
            for key, header, *values in rows
        ]
        made = decode(self.codec, entries, self.tasks)
        kept = {name: values for name, values in batch.items() if name not in {"header", *sections}}
        return kept | {
            name: column([scene.get(name) for _, scene in made], self.empty[name]) for name in self.tasks
        }
