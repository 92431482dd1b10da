"""Archives as datasets of Hugging Face: rows by key and sizes, whose images are decoded when they are read.

::

    import mtcodec.huggingface

    rows = mtcodec.huggingface.dataset("s3://bucket/archive", tasks=["rgb", "depth"])  # a datasets.Dataset
    rows.shuffle(seed=0)[0]["depth"]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtcodec import extras
from mtcodec.archive.manifest import arrow, size_columns_of
from mtcodec.archive.names import absolute
from mtcodec.archive.read import ArchiveReader
from mtcodec.container.section import MAX_PIXELS

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["dataset"]


def dataset(path: str | Path, tasks: Sequence[str] | None = None, *, max_pixels: int = MAX_PIXELS) -> Dataset:
    """The scenes of an archive: ``key``, and by task its height, width, and image, decoded when it is read.

    Columns are ``key``, ``<task>_height``, ``<task>_width`` and ``<task>``. Images are NumPy arrays (C, H, W)
    in their stored dtypes, numbers arrays as they were encoded; None where a scene lacks the task.
    ``with_format`` gives tensors. Keys and sizes of all scenes are read at once and kept in memory. Columns
    of images hold numbers of rows: what is saved to disk, or pushed to the hub, needs the archive.

    Args:
        path: local, or a URL for fsspec (``s3://``, ``https://``).
        tasks: default all.
        max_pixels: scenes of larger images are errors; to set for archives of strangers.

    Raises:
        DependencyError: datasets or pyarrow is not installed. SceneError: no archive there.
        UsageError: a task that it lacks. FormatError: damaged; of images, when they are read.
    """
    datasets = extras.load("datasets", "mtcodec.huggingface", "huggingface")
    reader, pa = ArchiveReader(absolute(path), max_pixels), arrow()
    from mtcodec.archive import feature

    names = reader.manifest.select_tasks(tasks)
    feature.forget_archives()  # this path may have had another one before
    types = {"key": "string"} | dict.fromkeys(
        (column for name in names for column in size_columns_of(name)), "int32"
    )
    features = datasets.Features({name: datasets.Value(type_) for name, type_ in types.items()})
    schema = features.arrow_schema.remove_metadata()
    tables = [
        reader.read_columns(row_group, list(types)).select(list(types)).cast(schema)
        for row_group in reader.row_groups
    ]
    table = pa.concat_tables([schema.empty_table(), *tables])
    numbers = pa.array(np.arange(len(table)))
    for name in names:
        table = table.append_column(name, numbers)
        features[name] = feature.ArchiveImage(reader.path, name, max_pixels)
    rows: Dataset = datasets.Dataset(table.cast(features.arrow_schema))
    return rows
