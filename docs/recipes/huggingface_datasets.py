"""Hugging Face ``datasets`` with Image columns to an archive and back.

    from huggingface_datasets import pack_dataset, to_dataset

    rows = datasets.load_dataset("sayakpaul/nyu_depth_v2", split="train", streaming=True)
    pack_dataset(rows, Path("archive"), {"image": "rgb", "depth_map": "depth"})
    to_dataset("archive", ["depth"]).push_to_hub(...)

An archive is Parquet: ``load_dataset("parquet", data_files="archive/*.parquet")`` gives its rows undecoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from mtcodec.archive.decode import scenes
from mtcodec.archive.pack import Job, Summary, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import Request
from mtcodec.networks.weights import store
from mtcodec.tasks import USUAL


def pack_dataset(
    rows: Iterable[Mapping[str, Any]],
    output: Path,
    columns: Mapping[str, str],
    *,
    key: str = "",
    weights: str = "general",
    **settings: Any,
) -> Summary:
    """Encode ``rows`` into the archive ``output``.

    Args:
        columns: tasks by the name of their Image column.
        key: column of scenes' names; default: their number.
        weights: their name or path.
        settings: of :class:`mtcodec.codec.request.Request`: ``quality`` and so on.
    """
    job = Job(store.find(weights), tuple(columns.values()), Request(**settings))

    return pack_scenes(scenes_of(rows, columns, key), output, job)


def scenes_of(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], key: str
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Keys and arrays by task; where the column ``key`` is empty, keys are the numbers of rows."""
    for number, row in enumerate(rows):
        images = {task: row[column] for column, task in columns.items() if row[column] is not None}
        yield str(row[key]) if key else f"{number:08d}", {t: array(t, i) for t, i in images.items()}


def array(task: str, image: Any) -> np.ndarray:
    """Values of a PIL image as the task takes them: Pillow has 16-bit grey as 32 bits at times."""
    values = np.asarray(image)
    if values.dtype == np.int32:
        values = values.astype(np.uint16)
    if task in USUAL and USUAL[task].channels == 3 and (values.ndim == 2 or values.shape[2] != 3):
        values = np.asarray(image.convert("RGB"))
    return values


def to_dataset(path: str | Path, tasks: Sequence[str] | None = None) -> datasets.Dataset:
    """The decoded images of an archive as a dataset of PNG images, with the column ``key``."""
    from PIL import Image

    reader = ArchiveReader(path)
    names = reader.manifest.select_tasks(tasks)
    features = {"key": datasets.Value("string"), **{name: datasets.Image() for name in names}}
    columns: dict[str, list[Any]] = {name: [] for name in features}
    for key, scene in scenes(reader, names):
        columns["key"].append(key)
        for name in names:
            columns[name].append(Image.fromarray(scene[name]) if name in scene else None)
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))
