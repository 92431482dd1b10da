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

from mtcodec.archive.pack import Job, Summary, pack_scenes
from mtcodec.archive.read import Opened
from mtcodec.archive.unpack import codec_of, decode
from mtcodec.codec.choice import Request
from mtcodec.tasks import task as tasks
from mtcodec.weights import store as weights


def pack_dataset(
    rows: Iterable[Mapping[str, Any]],
    output: Path,
    columns: Mapping[str, str],
    *,
    key: str = "",
    name: str = "general",
    quality: float = 60.0,
) -> Summary:
    """Encode ``rows`` into the archive ``output``.

    Args:
        columns: tasks by the name of their Image column.
        key: column of scenes' names; default: their number.
        name: of the weights, or their path.
    """
    declared = tuple(tasks.get(task) for task in columns.values())
    job = Job(weights.find(name), declared, Request(quality, coding="neural"))

    def scenes() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        for number, row in enumerate(rows):
            images = {task: row[column] for column, task in columns.items() if row[column] is not None}
            yield str(row[key]) if key else f"{number:08d}", {t: array(t, i) for t, i in images.items()}

    return pack_scenes(scenes(), output, job, settings={"quality": quality, "coding": "neural"})


def array(task: str, image: Any) -> np.ndarray:
    """Values of a PIL image as the task takes them: Pillow has 16-bit grey as 32 bits at times."""
    values = np.asarray(image)
    if values.dtype == np.int32:
        values = values.astype(np.uint16)
    if tasks.get(task).channels == 3 and (values.ndim == 2 or values.shape[2] != 3):
        values = np.asarray(image.convert("RGB"))
    return values


def to_dataset(path: str | Path, wanted: Sequence[str] | None = None) -> datasets.Dataset:
    """The decoded images of an archive as a dataset of PNG images, with the column ``key``."""
    from PIL import Image

    archive = Opened(path)
    names = [t.name for t in archive.about.tasks] if wanted is None else list(wanted)
    features = {"key": datasets.Value("string"), **{name: datasets.Image() for name in names}}

    def rows() -> Iterator[dict[str, Any]]:
        codec = codec_of(archive)
        for group in archive.groups:
            for key, scene in decode(codec, archive.entries(group, names), names):
                yield {"key": key, **{n: Image.fromarray(scene[n]) if n in scene else None for n in names}}

    found = list(rows())
    columns = {name: [row[name] for row in found] for name in features}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))
