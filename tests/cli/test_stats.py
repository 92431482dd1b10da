"""``mtcodec stats``: what a dataset holds, and what encoding it would give."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shared.commands import Run, fails, write

from mtcodec.cli.report import amount, columns, duration
from mtcodec.files.sample import spread


def test_tasks_sizes_and_bytes_are_told(run: Run, dataset: Path, pixels: dict[str, np.ndarray]) -> None:
    holes = pixels["depth"].copy()
    holes[:32] = 0
    write(dataset / "depth" / "train" / "1.png", holes)
    result = run("stats", dataset, "--no-estimate", "--json")
    assert (result.code, result.err) == (0, "")
    facts = json.loads(result.out)
    assert (facts["scenes"], facts["sizes"], facts["encoded"], facts["failed"]) == (2, {"80×64": 2}, [], {})
    assert list(facts["tasks"]) == ["depth", "rgb", "semantic"]
    depth, rgb = facts["tasks"]["depth"], facts["tasks"]["rgb"]
    assert (depth["kind"], depth["scenes"], depth["unit"], depth["holes"]) == ("depth", 1, "1mm", 0.5)
    assert (depth["images"], rgb["images"]) == ({"uint16": 1}, {"3×uint8": 2})
    sizes = [path.stat().st_size for path in (dataset / "rgb").rglob("*.png")]
    assert (rgb["bytes"], rgb["estimated"], rgb["holes"]) == (sum(sizes), False, 0)
    assert "holes" not in facts["tasks"]["semantic"]

    lines = run("stats", dataset, "--no-estimate", "--unit", "depth=0.2mm").lines
    assert lines[0].startswith(f"{dataset}: 2 scenes, ") and lines[-1] == "  sizes: 80×64"
    assert lines[2].split()[:6] == ["depth", "depth", "1", "uint16", "0.2mm", "50.00%"]


def test_the_sample_is_encoded_at_every_quality(run: Run, dataset: Path) -> None:
    how = ("--coding", "classical", "--effort", "fast", "--quality", "20,70")
    facts = json.loads(run("stats", dataset, *how, "--json").out)
    low, high = facts["encoded"]
    assert (low["quality"], high["quality"], facts["sample"]) == (20, 70, ["train/1", "val/2"])
    assert high["scene_bytes"] > low["scene_bytes"] > 50 and high["psnr"]["rgb"] > low["psnr"]["rgb"] > 20
    assert low["bytes"] == round(2 * low["scene_bytes"])
    assert low["seconds"] == pytest.approx(2 * low["scene_seconds"] / low["cores"])
    lines = run("stats", dataset, *how, "--sample", 1).lines
    assert lines[-2].split()[0] == "20" and "holes and the estimate are those of 1" in lines[-5]
    fails(run("stats", dataset, "--quality", "x"), 2, "not a quality")
    fails(run("stats", dataset, "--tasks", "flow"), 1, "no scene has an image of task 'flow'")


def test_a_tar_file_holds_what_its_directory_does(run: Run, dataset: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        file.add(dataset, ".")
    inside, there = (
        json.loads(run("stats", path, "--no-estimate", "--json").out)
        for path in (tmp_path / "x.tar", dataset)
    )
    assert inside.pop("dataset") != there.pop("dataset") and inside == there


def test_cells_without_an_image_count_for_nothing(run: Run, dataset: Path, tmp_path: Path) -> None:
    png = (dataset / "depth" / "train" / "1.png").read_bytes()
    table = pa.table({"depth": pa.array([png, None]), "semantic": pa.array([png, png])})
    pq.write_table(table, tmp_path / "x.parquet")
    facts = json.loads(run("stats", tmp_path / "x.parquet", "--no-estimate", "--json").out)
    depth, semantic = facts["tasks"]["depth"], facts["tasks"]["semantic"]
    assert (depth["scenes"], depth["bytes"], depth["images"]) == (1, len(png), {"uint16": 1})
    assert (semantic["scenes"], semantic["bytes"], facts["failed"]) == (2, 2 * len(png), {})


def test_a_broken_scene_is_named_and_left_out(run: Run, dataset: Path) -> None:
    (dataset / "rgb" / "val" / "2.png").write_bytes(b"no image at all, but long enough for a header")
    result = run("stats", dataset, "--no-estimate", "--json")
    assert result.code == 0 and "scene val/2 is not counted" in result.err
    assert list(json.loads(result.out)["failed"]) == ["val/2"]


def test_samples_are_spread() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread("ab", 5) == ["a", "b"]


def test_amounts_and_times_are_short() -> None:
    assert [amount(n) for n in (0, 882, 999.6, 1234, 5.678e7, 4e15)] == [
        "0 B", "882 B", "1 kB", "1.23 kB", "56.8 MB", "4e+03 TB",
    ]  # fmt: skip
    assert [duration(s) for s in (1.8e-5, 0.25, 3.14, 42.3, 89, 720, 4800)] == [
        "0 s", "0.25 s", "3.1 s", "42 s", "89 s", "12 min", "1 h 20 min",
    ]  # fmt: skip
    assert list(columns([["a", "b", "c"], ["1", "", "333"]])) == ["a  c", "1  333"]
