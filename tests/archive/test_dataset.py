"""Archives as datasets: batches of scenes of several sizes, streams that go on, and both without torch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from shared.samples import two_sizes
from torch.utils.data import DataLoader

import mtcodec
from mtcodec import threads
from mtcodec.archive import dataset as datasets
from mtcodec.archive import decode as decoding
from mtcodec.archive import stream as streams
from mtcodec.archive.crops import center_window, padded
from mtcodec.archive.dataset import Archive
from mtcodec.archive.read import ArchiveReader, RowGroup
from mtcodec.archive.rows import Entry
from mtcodec.errors import UsageError

COUNT = 26


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of two sizes, every fifth without depth, in groups of three rows."""
    path = two_sizes(tmp_path_factory.mktemp("archives") / "a", COUNT)
    assert len(Archive(path).row_groups) == 9
    return path


def same(a: Any, b: Any) -> bool:
    """Equal batches, with tensors, lists, keys and None in them."""
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    return bool(a == b)


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core
def test_batches_of_several_sizes_are_the_same_with_any_number_of_workers(archive: Path) -> None:
    for crop in (None, (10, 16)):
        every, found = Archive(archive, crop=crop), []
        for workers in (0, 1, 4):
            loader: DataLoader[Any] = DataLoader(
                every, batch_size=4, num_workers=workers, shuffle=True, collate_fn=mtcodec.collate,
                generator=torch.Generator().manual_seed(5),
            )  # fmt: skip
            found.append(list(loader))
        assert same(found[0], found[1]) and same(found[0], found[2])
        assert sorted(key for batch in found[0] for key in batch["key"]) == sorted(every.keys())
        for batch in found[0]:
            missing = [image is None for image in batch["depth"]]
            assert missing == [int(key[1:]) % 5 == 4 for key in batch["key"]]
            if crop:
                assert batch["rgb"].shape == (len(missing), 3, 10, 16)
            if crop and not any(missing):
                assert batch["depth"].shape == (len(missing), 1, 10, 16)


def test_a_worker_decodes_with_one_thread_and_changes_nothing_else(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    def decode(*arguments: Any, **settings: Any) -> Any:
        used.append(len(set(threads.parallel_map(lambda _: threading.get_ident(), range(2)))))
        return decoding.decode(*arguments, **settings)

    monkeypatch.setattr(datasets, "decode", decode)
    monkeypatch.setattr(threads, "_limit", 2)
    monkeypatch.setattr(datasets, "worker_info", lambda: "a worker")
    before = dict(os.environ)
    sample = Archive(archive, ["rgb"])[0]
    assert used == [1] and threads._limit == 2 and dict(os.environ) == before
    monkeypatch.setattr(datasets, "worker_info", lambda: None)
    assert torch.equal(Archive(archive, ["rgb"])[0]["rgb"], sample["rgb"]) and len(used) == 2


def test_from_afar_the_next_group_is_fetched_while_one_is_used(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the next one; and what is read is the same."""
    fs = fsspec.filesystem("memory")
    fs.put(str(archive), "/afar", recursive=True)
    fetched, second = list[int](), threading.Event()
    entries = ArchiveReader.entries

    def noted(self: ArchiveReader, group: RowGroup, *rest: Any) -> list[Entry]:
        fetched.append(group.shard)
        if len(fetched) == 2:
            second.set()
        return entries(self, group, *rest)

    monkeypatch.setattr(ArchiveReader, "entries", noted)
    near, far = Archive(archive, tasks=["rgb"]), Archive("memory://afar", tasks=["rgb"])
    samples = iter(far.stream(batch=1))
    first = next(samples)
    assert second.wait(10) and len(fetched) == 2
    assert same([first, *samples], list(near))
    fetched.clear()
    samples = iter(far)
    next(samples)
    samples.close()  # type: ignore[attr-defined]
    assert len(fetched) <= 2
    assert [thread for thread in threading.enumerate() if "ThreadPool" in thread.name] == []
    fs.rm("/afar", recursive=True)


def test_collate() -> None:
    a, b = {"key": "a", "x": np.zeros((1, 2), "u2")}, {"key": "b", "x": np.ones((1, 2), "u2"), "y": 3}
    both = mtcodec.collate([a, b])
    assert both["key"] == ["a", "b"] and both["y"] == [None, 3]
    assert both["x"].dtype == np.uint16 and both["x"].tolist() == [[[0, 0]], [[1, 1]]]
    assert isinstance(mtcodec.collate([a, {**b, "x": np.ones((1, 2), "u1")}])["x"], list)
    assert torch.equal(mtcodec.collate([torch.ones(2), torch.zeros(2)]), torch.tensor([[1.0, 1], [0, 0]]))
    assert mtcodec.collate(["k", "l"]) == ["k", "l"] and mtcodec.collate([]) == []


class Unlike(torch.utils.data.Dataset[Any]):
    """Tensors of several sizes and dtypes, empty ones, single numbers, and none."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            "size": torch.full((index, 2), index, dtype=torch.int16),  # the first is empty
            "dtype": torch.zeros(2, dtype=torch.int32 if index == 1 else torch.int64),
            "missing": None if index % 3 == 0 else torch.arange(index * 4).view(4, index).T,
            "scalar": torch.tensor(float(index)),
            "word": "ab"[index % 2],
        }


def replaced(samples: list[Any]) -> Any:
    """A batch whose list somebody has changed."""
    batch = mtcodec.collate(samples)
    batch["size"][1] = torch.ones(7)
    batch["missing"].append("more")
    return batch


@pytest.mark.parametrize("collate", [mtcodec.collate, replaced])
def test_workers_send_lists_as_they_are(collate: Any) -> None:
    here, there = (
        list(DataLoader(Unlike(), batch_size=3, num_workers=count, collate_fn=collate)) for count in (0, 1)
    )
    assert same(here, there) and len(here) == 2
    if collate is mtcodec.collate:
        memory = {image.untyped_storage().data_ptr() for image in there[1]["size"]}
        assert len(memory) == 1 and type(there[1]["size"]) is list


def test_crops_are_middles(archive: Path) -> None:
    image = np.arange(30).reshape(5, 6)
    assert image[center_window(image.shape, (3, 2))].tolist() == [[8, 9], [14, 15], [20, 21]]
    high = image[..., None][center_window(image.shape, (7, 2))]
    assert padded(high, (7, 2))[..., 0].tolist() == [*image[:, 2:4].tolist(), [0, 0], [0, 0]]
    whole, part = Archive(archive)[1]["rgb"], Archive(archive, crop=8)[1]["rgb"]
    assert torch.equal(part, whole[:, 2:10, 6:14])
    for crop in (0, (4,), (3, -1)):
        with pytest.raises(UsageError, match="crop must be"):
            Archive(archive, crop=crop)  # type: ignore[arg-type]


def keys(found: Any) -> list[str]:
    return [sample["key"] for sample in found]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_stream_goes_on_where_it_was(archive: Path, shuffle: bool) -> None:
    every = Archive(archive)
    whole = keys(every.stream(shuffle=shuffle, seed=2))
    for count in (0, 1, 3, 7, COUNT - 1, COUNT):
        first = every.stream(shuffle=shuffle, seed=2, batch=4)
        steps = iter(first)
        seen = keys(next(steps) for _ in range(count))
        later = Archive(archive).stream(shuffle=shuffle, seed=2)
        later.load_state_dict(first.state_dict())
        later.set_epoch(first.epoch)
        assert later.state_dict() == first.state_dict()
        assert seen + keys(later) == whole
        assert keys(later) == whole  # the next time it begins anew
    later.load_state_dict({**first.state_dict(), "given": 20})
    later.set_epoch(1)
    assert later.state_dict()["given"] == 0 and len(keys(later)) == COUNT


def test_states_of_other_streams_are_refused(archive: Path) -> None:
    stream = Archive(archive).stream(shuffle=True)
    state = stream.state_dict()
    for changed in ({}, {**state, "given": "x"}, {**state, "seed": 1}, {**state, "scenes": 7}):
        with pytest.raises(UsageError, match="state of"):
            stream.load_state_dict(changed)
    stream.load_state_dict({**state, "place": 1, "places": 2})
    with pytest.raises(UsageError, match="another number"):
        next(iter(stream))


def test_every_scene_comes_once_over_ranks_and_workers(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every one of them stops in the middle and goes on; scenes of a group keep their order."""
    stream = Archive(archive).stream(shuffle=True, seed=3)
    whole = keys(stream)
    assert whole != keys(Archive(archive)) and sorted(whole) == sorted(keys(Archive(archive)))
    for places in (2, 4, 12):
        found: list[str] = []
        for place in range(places):
            monkeypatch.setattr(streams, "share", lambda own=(place, places): own)
            begun = Archive(archive).stream(shuffle=True, seed=3)
            part = [sample["key"] for sample, _ in zip(begun, range(4), strict=False)]
            stream.load_state_dict({**begun.state_dict(), "given": len(part)})
            part += keys(stream)
            assert part == [key for key in whole if key in part]
            found += part
        assert Counter(found) == Counter(whole)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_share_a_stream(archive: Path) -> None:
    stream = Archive(archive, ["rgb"]).stream(shuffle=True)
    for workers in (0, 1, 4):
        loader: DataLoader[Any] = DataLoader(
            stream, batch_size=4, num_workers=workers, collate_fn=mtcodec.collate
        )
        assert sorted(key for batch in loader for key in batch["key"]) == sorted(stream.archive.keys())


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_give_streams_batch_by_batch_in_turns(archive: Path) -> None:
    """The order is that of one process for one worker, and the same in every run."""
    for workers in (1, 4):
        orders = []
        for _ in range(2):
            stream = Archive(archive, ["rgb"], crop=8).stream(shuffle=True, seed=1)
            loader: DataLoader[Any] = DataLoader(
                stream, batch_size=4, num_workers=workers, collate_fn=mtcodec.collate
            )
            orders.append([batch["key"] for batch in loader])
        assert orders[0] == orders[1]
    alone = keys(stream)
    assert sorted(key for batch in orders[0] for key in batch) == sorted(alone)
    one: DataLoader[Any] = DataLoader(stream, batch_size=None, num_workers=1)
    assert keys(one) == alone


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_that_persist_are_told_the_epoch(archive: Path, workers: int, context: str) -> None:
    stream = Archive(archive, ["rgb"], crop=8).stream(shuffle=True)
    loader: DataLoader[Any] = DataLoader(
        stream, batch_size=2, num_workers=workers, collate_fn=mtcodec.collate,
        persistent_workers=workers > 0, multiprocessing_context=context if workers else None,
    )  # fmt: skip
    found = []
    for epoch in (0, 1, 2, 1):
        stream.set_epoch(epoch)
        own = [key for batch in loader for key in batch["key"]]
        found.append(own)
        assert sorted(own) == sorted(stream.archive.keys())
    assert found[0] != found[1] != found[2] and found[1] == found[3]
    if workers == 0:
        anew = Archive(archive, ["rgb"]).stream(shuffle=True)
        anew.set_epoch(2)
        assert keys(anew) == found[2]
    with pytest.raises(UsageError, match="from 0 on"):
        stream.set_epoch(-1)


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")  # torchdata
@pytest.mark.parametrize("kind", ["stream", "index"])
def test_a_stateful_loader_goes_on_in_the_middle_of_an_epoch(archive: Path, workers: int, kind: str) -> None:
    """Exactly the missing scenes follow, in the same order, and the next epoch is whole."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def make() -> tuple[Any, Any]:
        every = Archive(archive, ["rgb"], crop=8)
        data: Any = every.stream(shuffle=True, seed=4) if kind == "stream" else every
        options: Any = {"batch_size": 4, "num_workers": workers, "collate_fn": mtcodec.collate}
        if kind == "index":
            options |= {"shuffle": True, "generator": torch.Generator().manual_seed(4)}
        return data, stateful.StatefulDataLoader(data, **options)

    def epoch_of(data: Any, loader: Any, epoch: int) -> list[list[str]]:
        if kind == "stream":
            data.set_epoch(epoch)
        return [batch["key"] for batch in loader]

    data, loader = make()
    first, second, third = (epoch_of(data, loader, epoch) for epoch in range(3))
    assert first != second != third
    for count in (1, 3, 5):
        data, loader = make()
        assert epoch_of(data, loader, 0) == first
        if kind == "stream":
            data.set_epoch(1)
        seen = [batch["key"] for _, batch in zip(range(count), loader, strict=False)]
        state = loader.state_dict()
        assert seen == second[:count]
        for told in (True, False):
            data, loader = make()
            loader.load_state_dict(state)
            if told and kind == "stream":
                data.set_epoch(1)
            assert [batch["key"] for batch in loader] == second[count:]
        last = epoch_of(data, loader, 2)
        assert Counter(key for batch in last for key in batch) == Counter(
            key for batch in third for key in batch
        )
        assert kind == "index" or last == third  # torchdata's sampler draws another order


def test_arrays(archive: Path) -> None:
    arrays, tensors = Archive(archive, numpy=True), Archive(archive)
    for own, other in zip(arrays, tensors, strict=True):
        assert list(own) == list(other)
        for name in own.keys() - {"key"}:
            assert isinstance(own[name], np.ndarray) and (own[name] == other[name].numpy()).all()
    assert arrays[0]["depth"].dtype == np.uint16 and tensors[0]["depth"].dtype == torch.int32


def test_without_torch(archive: Path) -> None:
    """Nothing imports it, and iteration, indexing and batches give arrays."""
    code = f"""
import sys
sys.modules["torch"] = None
import mtcodec
from mtcodec.errors import DependencyError
archive = mtcodec.Archive({str(archive)!r}, crop=8)
first = next(iter(archive))
assert type(first["depth"]).__name__ == "ndarray" and first["depth"].dtype == "uint16", first
assert (archive[0]["rgb"] == first["rgb"]).all()
stream = archive.stream(shuffle=True)
assert mtcodec.collate(list(stream))["rgb"].shape == ({COUNT}, 3, 8, 8)
try:
    mtcodec.Archive({str(archive)!r}, numpy=False)
except DependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "tensors need torch: pip install 'mtcodec[train]'\n"
