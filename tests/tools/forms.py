"""One dataset in the forms that people train from: made by :func:`make`, read by what :func:`readers` gives.

Samples are dicts of tensors (C, H, W) in all of them. Files of a scene are read together, images decoded by
Pillow; over HTTP a folder is read with eight connections a worker, kept alive.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
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
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL

SHARDS = 4  # of tar and Parquet files, so that every worker has some
CONNECTIONS = 8
SAMPLE = 4  # images of a task that decide on the quality of AVIF files
Images = dict[str, dict[str, Array]]
QUALITIES = (5, 10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95)


def scaled(image: Array, original: Array) -> Array:
    """8-bit samples, of what is not 8 bits by the range of the original without zeros."""
    if original.dtype == np.uint8:
        return image
    valid = original[original > 0]
    low, high = float(valid.min()), float(valid.max())
    return np.rint(np.clip((image.astype(float) - low) * (255 / max(high - low, 1)), 0, 255)).astype(np.uint8)


def error(image: Array, original: Array) -> float:
    """Mean squared error where there is a measurement."""
    valid = np.ones(original.shape[:2], bool) if original.ndim == 3 else original > 0
    return float(np.square(image.astype(float) - scaled(original, original))[valid].mean())


def write(image: Array, quality: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "AVIF", quality=quality, speed=6, subsampling="4:4:4", max_threads=1)
    return file.getvalue()


def read(file: bytes, mono: bool) -> Array:
    from PIL import Image

    image = Image.open(io.BytesIO(file))
    return np.asarray(image.convert("L") if mono else image)


def files_like(originals: list[Array], decoded: list[Array]) -> tuple[int, list[bytes]]:
    """AVIF files of about the error of ``decoded``, and their quality, which a sample of images decides."""
    some = slice(None, None, max(1, len(originals) // SAMPLE))
    every, originals, decoded = originals, originals[some], decoded[some]
    pairs = zip(decoded, originals, strict=True)
    wanted = float(np.mean([error(scaled(own, original), original) for own, original in pairs]))
    low, high = 0, len(QUALITIES) - 1
    while low < high:
        middle = (low + high) // 2
        files = [write(scaled(own, own), QUALITIES[middle]) for own in originals]
        errors = [error(read(f, o.ndim == 2), o) for f, o in zip(files, originals, strict=True)]
        low, high = (low, middle) if np.mean(errors) <= wanted else (middle + 1, high)
    quality = QUALITIES[low]
    return quality, [write(scaled(own, own), quality) for own in every]


def make(
    dataset: Path, work: Path, tasks: list[str], limit: int | None, repeat: int, weights: Any,
    request: Request,
) -> str:  # fmt: skip
    """All forms in ``work``, of scenes that are there ``repeat`` times; returns what was made, a line."""
    once = find_scenes(dataset)[:limit]
    found = [replace(scene, key=f"{k}/{scene.key}") for k in range(repeat) for scene in once]
    originals: Images = {str(k): read_scene(own, USUAL, tasks) for k, own in enumerate(found)}
    archive_write.MAX_GROUP_ROWS = max(
        1, len(found) // 8
    )  # as many groups as a large archive has for its workers
    pack(found, work / "archive", Job(weights, tuple(tasks), request), workers=2)
    decoded = dict(enumerate(scene for _, scene in scenes_of(ArchiveReader(work / "archive"), tasks)))
    ours = sum(f.stat().st_size for f in (work / "archive").glob("part-*")) / len(found)
    for key, scene in originals.items():
        (work / "png" / key).mkdir(parents=True)
        (work / "avif" / key).mkdir(parents=True)
        for name, image in scene.items():
            write_image(work / "png" / key / f"{name}.png", image)
    notes = []
    for name in tasks:
        keys = [key for key in originals if name in originals[key]]
        quality, files = files_like([originals[k][name] for k in keys], [decoded[int(k)][name] for k in keys])
        notes.append(f"{name} {quality}")
        for key, data in zip(keys, files, strict=True):
            (work / "avif" / key / f"{name}.avif").write_bytes(data)
    sizes = {form: sum(f.stat().st_size for f in (work / form).rglob("*.*")) / len(found)
             for form in ("png", "avif")}  # fmt: skip
    tars(work, originals)
    tables(work, originals)
    return (f"{len(found)} scenes; bytes a scene: PNG {sizes['png']:.0f}, AVIF {sizes['avif']:.0f}"
            f" (quality {', '.join(notes)}), archive {ours:.0f}")  # fmt: skip


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
    kinds = datasets.Features({"key": datasets.Value("string"), **{n: datasets.Image() for n in names}})
    for shard in range(SHARDS):
        rows: dict[str, list[Any]] = {"key": list(originals)[shard::SHARDS]}
        for name in names:
            rows[name] = [
                {"bytes": (work / "png" / key / f"{name}.png").read_bytes(), "path": None}
                if name in originals[key] else None
                for key in rows["key"]
            ]  # fmt: skip
        table = datasets.Dataset.from_dict(rows, kinds).data.table
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
        self.root, self.index, self.pool = root, index, None
        self._get: Any = None

    def __len__(self) -> int:
        return len(self.index)

    def _bytes(self, name: str) -> bytes:
        if "://" not in self.root:
            return (Path(self.root) / name).read_bytes()
        return bytes(self._get.request("GET", f"{self.root}/{name}").data)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        names = [name for i in indices for name in self.index[i]]
        if "://" in self.root:
            if self._get is None:
                import urllib3

                self._get = urllib3.PoolManager(maxsize=CONNECTIONS, retries=3)
                self.pool = ThreadPoolExecutor(CONNECTIONS)
            files = iter(self.pool.map(self._bytes, names))
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
        far = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True, columns=tasks)
        return Rows(far.shuffle(seed=0, buffer_size=100) if random else far)
    near = datasets.Dataset.from_parquet(files, cache_dir=str(work / "cache"), columns=tasks)
    return near.with_transform(Decoded(tasks).rows)


class Rows(torch.utils.data.IterableDataset[Any]):
    """Decoded rows of a streaming dataset."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        for row in self.rows:
            yield {name: None if image is None else to_tensor(image) for name, image in row.items()}


def readers(work: Path, root: str, tasks: list[str], random: bool) -> dict[str, Callable[[], Any]]:
    """What makes a dataset of each form, by its name in the table."""

    def archive() -> Any:
        own = mtcodec.Archive(f"{root}/archive", tasks)
        return own.stream(shuffle=random) if "://" in root or not random else own

    return {
        "PNG folder": lambda: folder(work, root, "png", tasks),
        "AVIF folder": lambda: folder(work, root, "avif", tasks),
        "WebDataset, PNG": lambda: web_dataset(root, tasks, random),
        "Hugging Face, PNG": lambda: hugging_face(work, root, tasks, random),
        "mtcodec archive": archive,
    }
