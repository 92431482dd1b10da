"""Archives as datasets of Hugging Face: what decodes, what does not, and what is wrong."""

from __future__ import annotations

import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import mtcodec.huggingface
from mtcodec.archive import dataset as archive_dataset
from mtcodec.archive.dataset import Archive
from mtcodec.errors import DependencyError, SceneError, UsageError

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks that were decoded, one by one."""
    found: list[str] = []
    decode = archive_dataset.decode

    def counted(codec: Any, entries: Any, tasks: Any, *rest: Any, **settings: Any) -> Any:
        found.extend([*tasks] * len(entries))
        return decode(codec, entries, tasks, *rest, **settings)

    monkeypatch.setattr(archive_dataset, "decode", counted)
    return found


@pytest.fixture(scope="module")
def samples(two_sizes: Path) -> dict[str, Any]:
    return {sample["key"]: sample for sample in Archive(two_sizes, numpy=True)}


def same(row: Any, sample: Any) -> bool:
    """Equal images of equal dtypes; None where the sample has none."""
    for name in ("rgb", "depth"):
        image, expected = row[name], sample.get(name)
        assert (image is None) == (expected is None)
        if expected is not None:
            assert isinstance(image, np.ndarray) and image.dtype == expected.dtype
            assert (image == expected).all()
    return bool(row["key"] == sample["key"])


def test_rows_are_scenes(two_sizes: Path, samples: dict[str, Any]) -> None:
    rows = mtcodec.huggingface.dataset(two_sizes)
    sizes = ["rgb_height", "rgb_width", "depth_height", "depth_width"]
    assert rows.column_names == ["key", *sizes, "rgb", "depth"]
    assert list(rows["key"]) == list(samples)
    for row, sample in zip(rows, samples.values(), strict=True):
        assert same(row, sample)
        for task in ("rgb", "depth"):
            size = sample[task].shape[1:] if task in sample else (None, None)
            assert (row[f"{task}_height"], row[f"{task}_width"]) == size
    batch = rows[[11, 2, 2]]
    assert batch["rgb_height"] == [12, 9, 9] and batch["rgb_width"] == [20, 14, 14]
    for i, key in enumerate(("s11", "s2", "s2")):
        assert same({name: values[i] for name, values in batch.items()}, samples[key])


def test_only_what_is_read_is_decoded(two_sizes: Path, decoded: list[str]) -> None:
    rows = mtcodec.huggingface.dataset(two_sizes)
    large = rows.filter(lambda height: height == 12, input_columns="rgb_height")
    few = large.shuffle(seed=1).select(range(5)).train_test_split(2, seed=0)["train"]
    keys = list(few["key"])
    assert not decoded and len(large) == 7 and len({*keys}) == 3 and set(few["rgb_height"]) == {12}
    assert rows["depth"][1].shape == (1, 12, 20) and rows[3]["key"] == "s3"
    assert decoded.count("depth") == 2
    decoded.clear()
    sizes = ["depth_height", "depth_width"]
    alone = mtcodec.huggingface.dataset(two_sizes, ["depth"])
    one = alone.rename_column("depth", "target")[3]
    assert sorted(one) == [*sizes, "key", "target"] and one["target"].dtype == np.uint16
    assert alone[0].keys() == {"key", *sizes, "depth"}
    assert decoded == ["depth", "depth"]


def test_map_keeps_what_it_does_not_change(two_sizes: Path, samples: dict[str, Any]) -> None:
    rows = mtcodec.huggingface.dataset(two_sizes)
    means = rows.map(lambda image: {"mean": image.mean()}, input_columns="rgb")
    for row in means:
        assert same(row, samples[row["key"]]) and row["mean"] == row["rgb"].mean()
    halves = rows.select([1, 3]).map(lambda row: {"depth": row["depth"] // 2})
    assert (
        halves[1]["depth"] == (rows[3]["depth"] // 2).tolist() and (halves[1]["rgb"] == rows[3]["rgb"]).all()
    )
    seen = rows.with_transform(lambda batch: {"half": [image // 2 for image in batch["rgb"]]})
    assert (seen[2]["half"] == rows[2]["rgb"] // 2).all()


def test_tensors_and_batches(two_sizes: Path, samples: dict[str, Any]) -> None:
    rows = mtcodec.huggingface.dataset(two_sizes)
    tensor = rows.with_format("torch")[3]["depth"]
    assert isinstance(tensor, torch.Tensor) and (tensor.numpy() == samples["s3"]["depth"]).all()
    small = rows.filter(lambda height: height == 9, input_columns="rgb_height").select_columns(["rgb"])
    for batch in DataLoader(small, batch_size=7):
        assert batch["rgb"].shape == (7, 3, 9, 14) and batch["rgb"].dtype == torch.uint8
    batches = list(DataLoader(rows, batch_size=4, collate_fn=mtcodec.collate, num_workers=1))
    assert [key for batch in batches for key in batch["key"]] == list(samples)
    assert batches[1]["depth"][0] is None and (batches[0]["depth"][3] == samples["s3"]["depth"]).all()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_iterable(two_sizes: Path, samples: dict[str, Any], workers: int) -> None:
    rows = mtcodec.huggingface.dataset(two_sizes)
    stream = rows.to_iterable_dataset(num_shards=4)
    assert all(same(row, samples[row["key"]]) for row in stream)
    shuffled = stream.shuffle(seed=1, buffer_size=3)
    loader: DataLoader[Any] = DataLoader(
        shuffled, batch_size=4, num_workers=workers, collate_fn=mtcodec.collate
    )
    found = {key: image for batch in loader for key, image in zip(batch["key"], batch["rgb"], strict=True)}
    assert sorted(found) == sorted(samples) and list(found) != list(samples)
    assert all((image == samples[key]["rgb"]).all() for key, image in found.items())


def test_other_processes_and_places(
    two_sizes: Path, samples: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path holds elsewhere, too, and an archive that is made anew is read anew."""
    shutil.copytree(two_sizes, tmp_path / "archive")
    monkeypatch.chdir(tmp_path)
    rows = mtcodec.huggingface.dataset("archive")
    monkeypatch.chdir(two_sizes)
    assert same(pickle.loads(pickle.dumps(rows))[5], samples["s5"])
    rows.save_to_disk(str(tmp_path / "saved"))
    assert same(datasets.load_from_disk(str(tmp_path / "saved"))[5], samples["s5"])
    (tmp_path / "archive" / "shard-00000.parquet").unlink()
    (tmp_path / "archive" / "archive.json").unlink()
    rows = mtcodec.huggingface.dataset(tmp_path / "archive")
    assert len(rows) == 5 and same(rows[0], samples["s9"])


def test_what_is_wrong(two_sizes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no task 'x'"):
        mtcodec.huggingface.dataset(two_sizes, ["x"])
    with pytest.raises(SceneError, match="no archive"):
        mtcodec.huggingface.dataset(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match=r"pip install 'mtcodec\[huggingface\]'"):
        mtcodec.huggingface.dataset(two_sizes)
