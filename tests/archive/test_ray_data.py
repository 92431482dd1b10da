"""Archives in Ray Data: images, sections, columns that are dropped, and what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtcodec.ray
from mtcodec.archive.decode import scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.errors import DependencyError, UsageError

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]  # Ray's own


def test_images_are_those_of_the_archive(two_sizes: Path, cluster: None) -> None:
    expected = dict(scenes(ArchiveReader(two_sizes)))
    rows: list[Any] = mtcodec.ray.read_archive(two_sizes, override_num_blocks=3).take_all()
    assert {row["key"] for row in rows} == set(expected) and len(rows) == 14
    for row in rows:
        scene = expected[row["key"]]
        for task in ("rgb", "depth"):
            size = scene[task].shape[:2] if task in scene else (0, 0)
            assert (row[f"{task}_height"], row[f"{task}_width"]) == size
        assert row["rgb"].dtype == np.uint8 and (row["rgb"] == scene["rgb"]).all()
        assert row["depth"].dtype == np.uint16
        if "depth" in scene:
            assert (row["depth"] == scene["depth"]).all()
        else:
            assert row["depth"].shape == (0, 0)


def test_only_what_is_asked_for(two_sizes: Path, cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_sizes.parent)  # where workers are not
    rows = mtcodec.ray.read_archive(two_sizes.name, ["rgb"], ["key"])
    assert rows.count() == 14 and sorted(rows.take(1)[0]) == ["key", "rgb"]
    sizes = mtcodec.ray.read_archive(two_sizes).select_columns(["rgb_height"]).take_all()
    assert sorted(row["rgb_height"] for row in sizes) == [9] * 7 + [12] * 7


def test_sections_are_filtered_before_they_are_decoded(two_sizes: Path, cluster: None) -> None:
    rows = mtcodec.ray.read_sections(two_sizes, ["rgb"])
    sizes = [f"{task}_{side}" for task in ("rgb", "depth") for side in ("height", "width")]
    beside = ["key", *sizes, "bytes", "depth_min", "depth_max"]
    sections = [
        "header",
        "shared",
        "rgb_holes",
        "depth_holes",
        "rgb",
    ]  # rgb's holes may be those of depth, too
    assert sorted(rows.schema().names) == sorted([*beside, *sections])
    small = rows.filter(lambda row: row["rgb_height"] == 9).take_batch(9, batch_format="numpy")
    found, expected = mtcodec.ray.Decoder(two_sizes, ["rgb"])(small), dict(scenes(ArchiveReader(two_sizes)))
    assert sorted(found) == sorted([*beside, "rgb"]) and found["rgb"].shape == (7, 9, 14, 3)
    for key, image in zip(found["key"], found["rgb"], strict=True):
        assert (image == expected[key]["rgb"]).all()


def test_tasks_of_ray_share_the_scenes(
    two_sizes: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mtcodec.ray, "TASK_ROWS", 4)
    monkeypatch.setattr(mtcodec.ray, "BATCH", 4)
    rows = mtcodec.ray.read_archive(two_sizes, ["rgb"]).materialize()
    assert rows.num_blocks() >= 4 and rows.count() == 14


def test_what_is_not_there(two_sizes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no task 'x'"):
        mtcodec.ray.read_archive(two_sizes, ["x"])
    with pytest.raises(UsageError, match="columns must be"):
        mtcodec.ray.read_archive(two_sizes, columns=["rgb"])
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'mtcodec\[ray\]'"):
        mtcodec.ray.read_archive(two_sizes)
