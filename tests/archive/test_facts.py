"""Columns of numbers: they bound what is decoded, and engines leave out row groups by their statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import mtcodec
from mtcodec.archive import write
from mtcodec.archive.check import verify
from mtcodec.archive.dataset import Archive
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import row_of
from mtcodec.codec.request import Request
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.errors import UsageError
from mtcodec.tasks import Task, declare

COUNT = 30


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ever larger scenes of ever larger depth, with a hole, in groups of five; the last three have none."""
    path = tmp_path_factory.mktemp("facts") / "a"
    ramp = np.arange(12 * 16).reshape(12, 16)
    scenes = []
    for k in range(COUNT):
        depth = (1000 * (k + 1) + np.pad(ramp, ((0, k), (0, 0)), mode="edge")).astype(np.uint16)
        depth[0, 0] = 0
        scene = {"depth": depth, "laser": depth.astype(np.float32)}
        if k >= COUNT - 3:
            scene = {"semantic": np.zeros((12, 16), np.uint8)}
        scenes.append((f"s{k:03d}", scene))
    tasks = {"depth": declare("depth", "depth"), "laser": declare("laser", "depth"),
             "semantic": declare("semantic", "categories")}  # fmt: skip
    request = Request(coding="classical", effort="fast", tasks=tasks, units={"depth": "0.5mm"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "MAX_GROUP_ROWS", 5)
        pack_scenes(scenes, path, Job(None, ("depth", "laser", "semantic"), request))
    return path


def test_ranges_bound_what_is_decoded(archive: Path) -> None:
    rows = pq.read_table(archive / "shard-00000.parquet").to_pylist()
    for k, (row, sample) in enumerate(zip(rows, Archive(archive, numpy=True), strict=True)):
        sizes = [len(value) for value in row.values() if isinstance(value, bytes)]
        assert row["bytes"] == sum(sizes) and row["depth_height" if k < COUNT - 3 else "semantic_height"] == (
            12 + k if k < COUNT - 3 else 12
        )
        if k >= COUNT - 3:
            assert [row[f"{t}_{end}"] for t in ("depth", "laser") for end in ("min", "max")] == [None] * 4
            continue
        for name, step in (("depth", 0.0005), ("laser", 1.0)):
            metres = sample[name][sample[name] != 0].astype(np.float64) * step
            low, high = row[f"{name}_min"], row[f"{name}_max"]
            assert low <= metres.min() and metres.max() <= high, name
            assert low == pytest.approx((1000 * (k + 1) + 1) * step)
            assert high == pytest.approx((1000 * (k + 1) + 191) * step)


def test_statistics_leave_row_groups_out(archive: Path) -> None:
    meta = pq.read_metadata(archive / "shard-00000.parquet")
    place = {meta.schema.column(j).path: j for j in range(meta.num_columns)}
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    assert len(groups) == 6
    told = {name for name, j in place.items() if groups[0].column(j).is_stats_set}
    sizes = {f"{task}_{side}" for task in ("depth", "laser", "semantic") for side in ("height", "width")}
    assert told == {"key", *sizes, "bytes", "depth_min", "depth_max", "laser_min", "laser_max"}
    keys = [groups[g].column(place["key"]).statistics for g in range(6)]
    assert [(s.min, s.max) for s in keys][1] == ("s005", "s009")
    tops = [groups[g].column(place["depth_max"]).statistics for g in range(6)]
    assert all(s.min <= s.max for s in tops) and tops[0].max == pytest.approx(5191 * 0.0005)
    assert tops[5].null_count == 3
    (fragment,) = ds.dataset(archive / "shard-00000.parquet", format="parquet").get_fragments()
    for condition, left in (
        (ds.field("depth_max") < 2.5, 2), (ds.field("depth_height") > 34, 2), (ds.field("key") == "s012", 1),
        (ds.field("laser_min") > 20500.0, 2), (ds.field("laser_width") > 16, 0),
    ):  # fmt: skip
        own = list(fragment.split_by_row_group(condition))  # groups with nulls stay
        assert len(own) == left, condition
    rows = ds.dataset(archive, format="parquet", exclude_invalid_files=True)
    near = rows.to_table(columns=["key"], filter=ds.field("depth_max") < 2.5)["key"].to_pylist()
    assert near == ["s000", "s001", "s002", "s003"]


def test_little_archives_have_groups_too() -> None:
    assert write.rows_of_group(8192, 8192 * 800) == write.rows_of_group(10**6, 10**9) == 1024
    assert write.rows_of_group(400, 400 * 40_000) == 50
    assert write.rows_of_group(17, 17 * 38_000) == 7  # of 256 kB
    assert write.rows_of_group(400, 400 * 50) == 1024 and write.rows_of_group(1, 0) == 1024


def test_columns_that_do_not_tell_what_headers_do_are_damage(archive: Path, tmp_path: Path) -> None:
    assert verify(ArchiveReader(archive)) == {}
    table = pq.read_table(archive / "shard-00000.parquet")
    for name, value in (("depth_max", 1.0), ("bytes", 7), ("depth_height", 1)):
        kind = table.schema.field(name)
        values = [value, *table[name].to_pylist()[1:]]
        wrong = table.set_column(table.schema.get_field_index(name), kind, pa.array(values, kind.type))
        (tmp_path / "shard-00000.parquet").write_bytes(write.table_to_parquet(wrong))
        damaged = verify(ArchiveReader(tmp_path))
        assert list(damaged) == ["s000"] and "not those of its header" in str(damaged["s000"])


def test_tasks_are_not_called_like_them() -> None:
    from mtcodec.archive.manifest import Manifest

    depth = declare("depth", "depth")
    for tasks in ((Task("bytes", "image"),), (depth, Task("depth_max", "image"))):
        with pytest.raises(UsageError, match="cannot be called"):
            Manifest(NO_WEIGHTS, tasks)
    assert Manifest(NO_WEIGHTS, (Task("depth_max", "image"),)).range_columns == ()


@pytest.mark.parametrize(
    ("hole", "dtype", "told"),
    [
        (0, "uint16", {"max"}),
        (65535, "uint16", {"min"}),
        (-1, "int32", {"max"}),
        (1200, "uint16", {"min", "max"}),
    ],
)
def test_ranges_of_exact_depth_leave_holes_out(hole: int, dtype: str, told: set[str]) -> None:
    """An end of the range that is a hole's value is not told; the others are those of measurements."""
    depth = np.arange(1200, 3200).reshape(40, 50).astype(dtype)
    depth[0, :30] = hole
    codec = mtcodec.Codec((), coding="classical")
    columns = row_of("a", codec.encode({"depth": depth}, lossless="depth", units="depth=1mm"))
    ends = {name.removeprefix("depth_"): columns[name] for name in columns if name.startswith("depth_m")}
    assert set(ends) == told
    valid = depth[depth != hole] if hole != 1200 else depth
    expected = {"min": valid.min() / 1000, "max": valid.max() / 1000}
    assert all(abs(value - expected[end]) < 1e-6 for end, value in ends.items())
