"""Archives in Ray Data: images, sections, columns that are dropped, and what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tools.documents import ROOT, blocks

import mtcodec.ray
from mtcodec.archive import write
from mtcodec.archive.decode import scenes
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import Opened
from mtcodec.codec.request import Request
from mtcodec.errors import DependencyError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of two sizes, every fifth without depth, in groups of three rows."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("archives") / "a"
    made = []
    for k in range(14):
        size = (12, 20) if k % 2 else (9, 14)
        scene = {"depth": (random.random(size) * 500 + 300).astype(np.uint16),
                 "rgb": random.integers(0, 255, (*size, 3)).astype(np.uint8)}  # fmt: skip
        if k % 5 == 4:
            del scene["depth"]
        made.append((f"s{k}", scene))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "GROUP_ROWS", 3)
        pack_scenes(made, path, Job(None, ("rgb", "depth"), Request(coding="classical", effort="fast")))
    return path


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def test_images_are_those_of_the_archive(archive: Path, cluster: None) -> None:
    expected = dict(scenes(Opened(archive)))
    rows: list[Any] = mtcodec.ray.read_archive(archive, override_num_blocks=3).take_all()
    assert {row["key"] for row in rows} == set(expected) and len(rows) == 14
    for row in rows:
        scene = expected[row["key"]]
        assert (row["height"], row["width"]) == scene["rgb"].shape[:2]
        assert row["rgb"].dtype == np.uint8 and (row["rgb"] == scene["rgb"]).all()
        assert row["depth"].dtype == np.uint16
        if "depth" in scene:
            assert (row["depth"] == scene["depth"]).all()
        else:
            assert row["depth"].shape == (0, 0)


def test_only_what_is_asked_for(archive: Path, cluster: None) -> None:
    rows = mtcodec.ray.read_archive(archive, ["rgb"], ["key"])
    assert rows.count() == 14 and sorted(rows.take(1)[0]) == ["key", "rgb"]
    sizes = mtcodec.ray.read_archive(archive).select_columns(["height"]).take_all()
    assert sorted(row["height"] for row in sizes) == [9] * 7 + [12] * 7


def test_sections_are_filtered_before_they_are_decoded(archive: Path, cluster: None) -> None:
    rows = mtcodec.ray.read_sections(archive, ["rgb"])
    assert rows.schema().names == ["key", "height", "width", "header", "shared", "holes", "rgb"]
    small = rows.filter(lambda row: row["height"] == 9).map_batches(
        mtcodec.ray.Decoder, fn_constructor_args=(str(archive), ["rgb"]), batch_size=4, concurrency=1
    )
    shapes = [
        tuple(batch["rgb"].shape) for batch in small.select_columns(["rgb"]).iter_torch_batches(batch_size=7)
    ]
    assert shapes == [(7, 9, 14, 3)]


def test_groups_are_shared(archive: Path) -> None:
    pytest.importorskip("ray")
    from mtcodec.archive.ray_source import ArchiveDatasource, shares

    assert shares([3, 3, 2], 2) == [[(0, 0, 3), (1, 0, 3)], [(2, 0, 2)]]
    assert shares([40], 2) == [[(0, 0, 20)], [(0, 20, 40)]]
    assert shares([40], 99) == [[(0, 0, 16)], [(0, 16, 32)], [(0, 32, 40)]] and shares([], 2) == []
    source = ArchiveDatasource(Opened(archive), ["rgb", "depth"], ["key"])
    assert source.estimate_inmemory_data_size() == 5 * (2 * 9 * 14 + 12 * 20) * 14 // 3
    assert sum(task.metadata.num_rows for task in source.get_read_tasks(4)) == 14


def test_what_is_not_there(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no task 'x'"):
        mtcodec.ray.read_archive(archive, ["x"])
    with pytest.raises(UsageError, match="columns must be"):
        mtcodec.ray.read_archive(archive, columns=["rgb"])
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'mtcodec\[ray\]'"):
        mtcodec.ray.read_archive(archive)


def test_the_block_of_the_documents_runs(
    archive: Path, cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = (b for b in blocks(ROOT / "docs" / "archives.md") if "mtcodec.ray" in b.text and b.language)
    text = block.text.replace("s3://bucket/archive", str(archive))
    exec(compile(text, str(block), "exec"), {})
    assert "torch.Size([4, 9, 14, 3])" in capsys.readouterr().out
