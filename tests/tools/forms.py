"""One dataset in the forms that people train from.

:func:`make_forms` makes them, and what :func:`readers` returns reads them.

Samples are dicts of tensors (C, H, W) in all of them. Files of a scene are read together, images decoded by
Pillow; over HTTP a folder is read with eight connections a worker, kept alive.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

import mtcodec
from mtcodec.archive import write as archive_write
from mtcodec.archive.decode import scenes as scenes_of
from mtcodec.archive.pack import Job, pack
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import Request
from mtcodec.files.images import write_image
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL

SHARDS = 4  # of tar and Parquet files, so that every worker has some
CONNECTIONS = 8
SAMPLED_IMAGES = 4  # of a task, which decide on the quality of AVIF files
ROW_GROUPS = 8  # of an archive, as many as a large one has for its workers
AVIF_QUALITIES = (5, 10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95)
Images = dict[str, dict[str, Array]]  # by key of the scene and task


# --- AVIF --------------------------------------------------------------------------------------------


def eight_bits(image: Array, original: Array) -> Array:
    """8-bit samples, of what is not 8 bits by the range of the original without zeros."""
    if original.dtype == np.uint8:
        return image
    valid = original[original > 0]
    low, high = float(valid.min()), float(valid.max())
    return np.rint(np.clip((image.astype(float) - low) * (255 / max(high - low, 1)), 0, 255)).astype(np.uint8)


def squared_error(samples: Array, original: Array) -> float:
    """Mean squared error of 8-bit samples where there is a measurement."""
    valid = np.ones(original.shape[:2], bool) if original.ndim == 3 else original > 0
    return float(np.square(samples.astype(float) - eight_bits(original, original))[valid].mean())


def write_avif(samples: Array, quality: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(samples).save(file, "AVIF", quality=quality, speed=6, subsampling="4:4:4", max_threads=1)
    return file.getvalue()


def read_avif(file: bytes, mono: bool) -> Array:
    from PIL import Image

    image = Image.open(io.BytesIO(file))
    return np.asarray(image.convert("L") if mono else image)


def quality_like(originals: list[Array], decoded: list[Array]) -> int:
    """The lowest quality of AVIF with no more error than ``decoded`` has, over a sample of images."""
    sample = slice(None, None, max(1, len(originals) // SAMPLED_IMAGES))
    originals, decoded = originals[sample], decoded[sample]
    pairs = list(zip(decoded, originals, strict=True))
    max_error = float(np.mean([squared_error(eight_bits(d, o), o) for d, o in pairs]))
    low, high = 0, len(AVIF_QUALITIES) - 1
    while low < high:
        middle = (low + high) // 2
        errors = []
        for original in originals:
            file = write_avif(eight_bits(original, original), AVIF_QUALITIES[middle])
            errors.append(squared_error(read_avif(file, original.ndim == 2), original))
        low, high = (low, middle) if np.mean(errors) <= max_error else (middle + 1, high)
    return AVIF_QUALITIES[low]


# --- making ------------------------------------------------------------------------------------------


def make_forms(
    dataset: Path, work: Path, tasks: list[str], limit: int | None, repeat: int, weights: Any,
    request: Request,
) -> str:  # fmt: skip
    """All forms in ``work``, of scenes that are there ``repeat`` times; returns a line about them."""
    once = find_scenes(dataset)[:limit]
    scenes = [replace(scene, key=f"{k}/{scene.key}") for k in range(repeat) for scene in once]
    originals: Images = {str(k): read_scene(scene, USUAL, tasks) for k, scene in enumerate(scenes)}
    archive_write.MAX_GROUP_ROWS = max(1, len(scenes) // ROW_GROUPS)
    pack(scenes, work / "archive", Job(weights, tuple(tasks), request), workers=2)
    decoded = dict(enumerate(scene for _, scene in scenes_of(ArchiveReader(work / "archive"), tasks)))
    png_folder(work, originals)
    qualities = avif_folder(work, originals, decoded, tasks)
    tars(work, originals)
    tables(work, originals)
    png, avif, archive = (
        sum(file.stat().st_size for file in (work / form).rglob(pattern)) / len(scenes)
        for form, pattern in (("png", "*.*"), ("avif", "*.*"), ("archive", "shard-*"))
    )
    settings = ", ".join(f"{name} {quality}" for name, quality in qualities.items())
    return (
        f"{len(scenes)} scenes; bytes a scene: PNG {png:.0f}, AVIF {avif:.0f} (quality {settings}),"
        f" archive {archive:.0f}"
    )


def png_folder(work: Path, originals: Images) -> None:
    for key, scene in originals.items():
        (work / "png" / key).mkdir(parents=True)
        for name, image in scene.items():
            write_image(work / "png" / key / f"{name}.png", image)


def avif_folder(
    work: Path, originals: Images, decoded: Mapping[int, Mapping[str, Array]], tasks: list[str]
) -> dict[str, int]:
    """Files of about the error of ``decoded``; returns their quality by task."""
    qualities = {}
    for name in tasks:
        keys = [key for key in originals if name in originals[key]]
        images = [originals[key][name] for key in keys]
        qualities[name] = quality_like(images, [decoded[int(key)][name] for key in keys])
        for key, image in zip(keys, images, strict=True):
            path = work / "avif" / key / f"{name}.avif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(write_avif(eight_bits(image, image), qualities[name]))
    return qualities


def tars(work: Path, originals: Images) -> None:
    (work / "tar").mkdir()
    for shard in range(SHARDS):
        with tarfile.open(work / "tar" / f"{shard}.tar", "w") as file:
            for key in list(originals)[shard::SHARDS]:
                for name in originals[key]:
                    file.add(work / "png" / key / f"{name}.png", f"{key}.{name}.png")


def tables(work: Path, originals: Images) -> None:
    import datasets
    import pyarrow.parquet as pq

    (work / "parquet").mkdir()
    names = list(next(iter(originals.values())))
    features = datasets.Features({"key": datasets.Value("string"), **{n: datasets.Image() for n in names}})
    for shard in range(SHARDS):
        rows: dict[str, list[Any]] = {"key": list(originals)[shard::SHARDS]}
        for name in names:
            rows[name] = [
                {"bytes": (work / "png" / key / f"{name}.png").read_bytes(), "path": None}
                if name in originals[key] else None
                for key in rows["key"]
            ]  # fmt: skip
        table = datasets.Dataset.from_dict(rows, features).data.table
        pq.write_table(
            table, work / "parquet" / f"{shard}.parquet", row_group_size=max(1, len(rows["key"]) // 2)
        )


# --- reading -----------------------------------------------------------------------------------------


def to_tensor(image: Any, mono: bool = False) -> torch.Tensor:
    values = np.asarray(image.convert("L") if mono and image.mode == "RGB" else image)
    planes = np.ascontiguousarray(values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0))
    return torch.from_numpy(planes.astype(np.int32 if planes.dtype == np.uint16 else planes.dtype))


def from_bytes(data: bytes, mono: bool) -> torch.Tensor:
    from PIL import Image

    return to_tensor(Image.open(io.BytesIO(data)), mono)


class Folder(Dataset[Any]):
    """A directory of image files, or an index of URLs."""

    def __init__(self, root: str, index: list[list[str]]) -> None:
        self.root, self.index = root, index
        self._pool: ThreadPoolExecutor | None = None
        self._connections: Any = None

    def __len__(self) -> int:
        return len(self.index)

    def _bytes(self, name: str) -> bytes:
        if "://" not in self.root:
            return (Path(self.root) / name).read_bytes()
        return bytes(self._connections.request("GET", f"{self.root}/{name}").data)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        names = [name for i in indices for name in self.index[i]]
        if "://" in self.root:
            if self._pool is None:
                import urllib3

                self._connections = urllib3.PoolManager(maxsize=CONNECTIONS, retries=3)
                self._pool = ThreadPoolExecutor(CONNECTIONS)
            files = iter(self._pool.map(self._bytes, names))
        else:
            files = map(self._bytes, names)
        return [
            {Path(n).stem: from_bytes(next(files), Path(n).stem == "depth") for n in self.index[i]}
            for i in indices
        ]


def folder(work: Path, root: str, form: str, tasks: list[str]) -> Folder:
    index = [
        [f"{form}/{scene.name}/{file.name}" for file in sorted(scene.iterdir()) if file.stem in tasks]
        for scene in sorted((work / form).iterdir(), key=lambda path: int(path.name))
    ]
    return Folder(root, index)


class Decoded:
    """Picks and decodes the tasks of a sample of WebDataset or of Hugging Face's."""

    def __init__(self, tasks: list[str]) -> None:
        self.tasks = tasks

    def tar(self, sample: dict[str, Any]) -> Any:
        return {n: from_bytes(sample[f"{n}.png"], False) for n in self.tasks if f"{n}.png" in sample}

    def rows(self, batch: dict[str, list[Any]]) -> Any:
        return {n: [None if image is None else to_tensor(image) for image in batch[n]] for n in self.tasks}


def web_dataset(root: str, tasks: list[str], random: bool) -> Any:
    import webdataset as wds

    far = "://" in root
    urls = [f"pipe:curl -s {root}/tar/{k}.tar" if far else f"{root}/tar/{k}.tar" for k in range(SHARDS)]
    data = wds.WebDataset(urls, shardshuffle=SHARDS if random else False, empty_check=False)
    data = data.shuffle(100) if random else data
    return data.map(Decoded(tasks).tar)


def hugging_face(work: Path, root: str, tasks: list[str], random: bool) -> Any:
    import datasets

    files = [f"{root}/parquet/{k}.parquet" for k in range(SHARDS)]
    if "://" in root:
        rows = datasets.load_dataset(
            "parquet", data_files=files, split="train", streaming=True, columns=tasks
        )
        return Rows(rows.shuffle(seed=0, buffer_size=100) if random else rows)
    table = datasets.Dataset.from_parquet(files, cache_dir=str(work / "cache"), columns=tasks)
    return table.with_transform(Decoded(tasks).rows)


class Rows(torch.utils.data.IterableDataset[Any]):
    """Decoded rows of a streaming dataset."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        for row in self.rows:
            yield {name: None if image is None else to_tensor(image) for name, image in row.items()}


def readers(work: Path, root: str, tasks: list[str], random: bool) -> dict[str, Callable[[], Any]]:
    """Functions that open a dataset of each form, by its name in the table."""

    def archive() -> Any:
        dataset = mtcodec.Archive(f"{root}/archive", tasks)
        return dataset.stream(shuffle=random) if "://" in root or not random else dataset

    return {
        "PNG folder": lambda: folder(work, root, "png", tasks),
        "AVIF folder": lambda: folder(work, root, "avif", tasks),
        "WebDataset, PNG": lambda: web_dataset(root, tasks, random),
        "Hugging Face, PNG": lambda: hugging_face(work, root, tasks, random),
        "mtcodec archive": archive,
    }
