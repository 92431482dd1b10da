"""``archive.json``: it is all that opening reads, and nothing that it tells is believed for long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtcodec.archive import read, write
from mtcodec.archive.dataset import Archive
from mtcodec.archive.index import parse_index
from mtcodec.archive.names import INDEX
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.shard import Shard
from mtcodec.codec.request import Request
from mtcodec.errors import FormatError, SceneError
from mtcodec.train.archives import sources

COUNT = 40


def make(path: Path, count: int = COUNT, quality: float = 50) -> Path:
    """Scenes in shards of 2, in row groups of one."""
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    scenes = ((f"s{k:03d}", {"semantic": image + np.uint8(k)}) for k in range(count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "MAX_GROUP_ROWS", 1)
        job = Job(None, ("semantic",), Request(quality, coding="classical"))
        pack_scenes(scenes, path, job, shard_rows=2)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("index") / "a")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return make(tmp_path / "copy", 6)


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of shards whose footers are read."""
    names: list[str] = []
    original = Shard.__init__

    def counted(self: Shard, fs: Any, path: str) -> None:
        names.append(Path(path).name)
        original(self, fs, path)

    monkeypatch.setattr(Shard, "__init__", counted)
    return names


def test_opening_reads_no_shard(archive: Path, opens: list[str]) -> None:
    every = Archive(archive, numpy=True)
    assert len(every) == COUNT and len(every.row_groups) == COUNT and len(every.reader.shards) == COUNT // 2
    assert every.reader.sizes["semantic"] > 0 and not opens
    assert every[33]["key"] == "s033" and opens == ["shard-00016.parquet"]
    assert every.reader.keys(every.row_groups[32]) == ["s032"] and len(opens) == 1


def test_few_shards_are_open_at_a_time(archive: Path, opens: list[str]) -> None:
    reader = ArchiveReader(archive)
    assert [key for group in reader.row_groups for key in reader.keys(group)] == [
        f"s{k:03d}" for k in range(40)
    ]
    assert len(opens) == 20 and len(reader._open_shards) == read.MAX_OPEN_SHARDS < 20
    fetched = reader.fetched
    reader.shard(19)
    assert len(opens) == 20 and reader.fetched == fetched
    reader.shard(0)
    assert len(opens) == 21 and fetched < reader.fetched < 1.2 * fetched


def test_without_an_index_shards_tell_themselves(copy: Path, opens: list[str]) -> None:
    told = ArchiveReader(copy)
    (copy / INDEX).unlink()
    found = ArchiveReader(copy)
    assert (found.row_groups, found.manifest, found.rows) == (
        told.row_groups,
        told.manifest,
        6,
    ) and not found.sizes
    assert len(opens) == 3 and found.fetched > 0
    assert [key for key, _ in found.all_entries()] == [key for key, _ in told.all_entries()]


def _shard(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda facts: facts["shards"][1].update(fields)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str, bool]] = {
    "bytes": (_shard(bytes=9999), "shard-00001.parquet: has other bytes than archive.json tells", True),
    "more rows than bytes": (_shard(row_groups=[1, 10**9]), "number of scenes that cannot be", True),
    "no such shard": (_shard(name="shard-00009.parquet"), "lists a shard that is not there", True),
    "no shards": (lambda facts: facts.update(shards=[]), "it has no shards", True),
    "another version": (lambda facts: facts.update(format="mtcodec-archive-9"), "this release reads", True),
    "numbers of scenes": (_shard(row_groups=[2]), "other numbers of scenes", False),
    "more row groups": (_shard(row_groups=[1, 1, 1]), "other numbers of scenes", False),
    "settings": (lambda facts: facts["settings"].update(quality=51), "weights, tasks or settings", False),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message", "at_once"), WRONG.values(), ids=WRONG)
def test_an_index_that_is_wrong(
    copy: Path, change: Callable[[dict[str, Any]], None], message: str, at_once: bool
) -> None:
    facts = json.loads((copy / INDEX).read_text())
    change(facts)
    (copy / INDEX).write_text(json.dumps(facts))
    if not at_once:
        reader = ArchiveReader(copy)
        with pytest.raises(FormatError, match=message):
            reader.keys(next(group for group in reader.row_groups if group.shard == 1))
        with pytest.raises(FormatError, match=message):
            sources(reader)
        return
    with pytest.raises((FormatError, SceneError), match=message):
        ArchiveReader(copy)


def test_a_shard_that_another_took_the_place_of(copy: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", 6, quality=51)
    name = "shard-00002.parquet"
    assert (other / name).stat().st_size == (copy / name).stat().st_size
    (copy / name).write_bytes((other / name).read_bytes())
    reader = ArchiveReader(copy)
    assert reader.keys(reader.row_groups[0]) == ["s000"]
    with pytest.raises(FormatError, match=r"shard-00002.parquet: has other weights, tasks or settings"):
        reader.keys(reader.row_groups[-1])
    (copy / INDEX).unlink()
    with pytest.raises(FormatError, match="of another archive than the first shard"):
        ArchiveReader(copy)


def test_an_index_of_too_many_row_groups_is_refused(archive: Path) -> None:
    told = json.loads((archive / "archive.json").read_text())
    told["shards"][0] |= {"bytes": 1 << 30, "row_groups": [0] * 1_000_000}
    assert len(parse_index(json.dumps(told).encode())[1]) == len(told["shards"])
    told["shards"][0]["row_groups"] *= 2
    with pytest.raises(FormatError, match="more than 1048576 row groups"):
        parse_index(json.dumps(told).encode())
