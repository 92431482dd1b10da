"""``mtcodec compare``: measures of what came back, and when it fails."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SCENES
from shared.commands import Run, fails, write

import mtcodec

SCENE = SCENES / "100020"
Pixels = dict[str, np.ndarray]


@pytest.fixture
def pair(tmp_path: Path, pixels: Pixels) -> tuple[Path, Path]:
    """A scene directory, and another whose depth is off by 10 mm, with one hole and one label changed."""
    pixels["depth"][:8] = 0
    for name, image in pixels.items():
        write(tmp_path / "one" / f"{name}.png", image)
    decoded = {name: image.copy() for name, image in pixels.items()}
    decoded["depth"][8:] += 10
    decoded["depth"][0, 0] = 7
    decoded["semantic"][0, 0] += 1
    for name, image in decoded.items():
        write(tmp_path / "two" / f"{name}.png", image)
    return tmp_path / "one", tmp_path / "two"


def test_every_task_has_the_measures_of_its_kind(run: Run, pair: tuple[Path, Path]) -> None:
    result = run("compare", *pair, "--json")
    assert (result.code, result.err) == (0, "")
    facts = json.loads(result.out)
    (row,) = facts["scenes"].values()
    assert list(facts["scenes"]) == ["one"] and list(row) == ["depth", "normal", "rgb", "semantic"]
    depth = row["depth"]
    assert (depth["rmse_mm"], depth["max_error_mm"], depth["unit"]) == (10.0, 10.0, "1mm")
    assert (depth["holes"], depth["holes_differ"]) == (8 * 80, 1)
    assert row["rgb"]["psnr"] == 99 and row["rgb"]["ms_ssim"] == pytest.approx(1)
    assert row["normal"]["angle_deg"] == pytest.approx(0, abs=1e-4)
    assert row["semantic"] == {"exact": 0.0, "differing": pytest.approx(1 / (64 * 80))}
    assert (facts["only_original"], facts["only_decoded"], facts["below"]) == ([], [], {})

    lines = run("compare", *pair).lines
    assert lines[0].split() == ["task", "PSNR", "MS-SSIM", "errors", "holes"]
    assert "RMSE 10 mm, at most 10 mm" in lines[1] and lines[1].endswith("1 pixels differ")
    assert lines[3].split()[:2] == ["rgb", "exact"] and "0.020% of pixels differ" in lines[4]


def test_files_of_scenes_are_originals_too(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        file.add(pair[0], "one")
        file.add(pair[1], "two")
    (tmp_path / "both").mkdir()
    for path in pair:
        path.rename(tmp_path / "both" / path.name)
    facts = json.loads(run("compare", tmp_path / "x.tar", tmp_path / "both", "--json").out)
    assert list(facts["scenes"]) == ["one", "two"] and facts["only_original"] == facts["only_decoded"] == []
    assert facts["summary"]["depth"]["mse"] == 0 and facts["summary"]["semantic"]["exact"] == 1


def test_cells_without_an_image_are_no_images(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    depth, rgb = ((pair[0] / f"{name}.png").read_bytes() for name in ("depth", "rgb"))
    table = pa.table({"depth": pa.array([depth, None]), "rgb": pa.array([rgb, rgb]), "key": ["a", "b"]})
    pq.write_table(table, tmp_path / "x.parquet")
    for tasks in ("depth,rgb", "depth"):
        result = run("compare", *[tmp_path / "x.parquet"] * 2, "--tasks", tasks, "--json")
        assert (result.code, result.err) == (0, "")
        assert json.loads(result.out)["summary"]["depth"]["scenes"] == 1


def test_a_unit_that_is_given_scales_lengths(run: Run, pair: tuple[Path, Path]) -> None:
    facts = json.loads(run("compare", *pair, "--unit", "depth=0.2mm", "--json").out)
    assert facts["summary"]["depth"]["max_error_mm"] == pytest.approx(2.0)
    more = json.loads(run("compare", *pair, "--invalid", "depth=7", "--json", "--tasks", "depth").out)
    assert more["summary"]["depth"]["holes"] == 8 * 80 and list(more["summary"]) == ["depth"]


def test_files_keep_their_unit(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "x.mtc"
    settings = ("--coding", "classical", "--lossless", "depth", "--unit", "depth=2mm", "--effort", "fast")
    assert run("encode", pair[0], "-o", out, *settings, "-q").code == 0
    facts = json.loads(run("compare", out, pair[1], "--tasks", "depth", "--json").out)
    assert facts["summary"]["depth"]["max_error_mm"] == 20.0
    facts = json.loads(run("compare", pair[0], out, "--tasks", "depth", "--json").out)
    assert facts["summary"]["depth"]["mse"] == 0


def test_a_psnr_below_the_bound_fails(run: Run, pair: tuple[Path, Path]) -> None:
    assert run("compare", *pair, "--fail-below", "rgb=98", "--fail-below", "depth=1", "-q").code == 0
    result = run("compare", *pair, "--fail-below", "depth=98", "-q")
    fails(result, 1, "depth has ", " dB, below 98")
    fails(run("compare", *pair, "--fail-below", "semantic=9", "-q"), 2, "no PSNR of task 'semantic'")
    assert json.loads(run("compare", *pair, "--fail-below", "depth=98", "--json").out)["below"]["depth"]


def test_datasets_files_and_archives_are_compared_by_key(run: Run, dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out, archive = tmp_path / "out", tmp_path / "archive"
    how = ("--coding", "classical", "--effort", "fast", "-q")
    assert run("encode", dataset, "-o", out, *how).code == 0
    assert run("pack", dataset, "-o", archive, *how, "--workers", 1).code == 0
    for decoded in (out, archive):
        result = run("compare", dataset, decoded, "--json")
        assert (result.code, result.err) == (0, ""), result
        facts = json.loads(result.out)
        assert list(facts["scenes"]) == ["train/1", "val/2"]
        rgb = facts["summary"]["rgb"]
        psnrs = {key: row["rgb"]["psnr"] for key, row in facts["scenes"].items()}
        assert rgb["scenes"] == 2 and rgb["psnr"] == pytest.approx(sum(psnrs.values()) / 2)
        assert rgb["worst"] == min(psnrs, key=lambda key: psnrs[key]) and psnrs[rgb["worst"]] > 25
        assert facts["summary"]["depth"]["scenes"] == 1 and facts["summary"]["semantic"]["exact"] == 1
    only = json.loads(run("compare", dataset, archive, "--tasks", "depth", "--json").out)
    assert list(only["scenes"]) == ["train/1"]  # the other has none
    result = run("compare", out, archive)
    assert (result.code, result.lines[0]) == (0, "means over 2 scenes")
    assert all("exact" in line for line in result.lines[2:])

    worst = run("compare", dataset, out, "--fail-below", "rgb=90", "-q")
    fails(worst, 1, "rgb is below 90 dB in 2 of 2 scenes, least ")


def test_scenes_and_tasks_of_one_side_are_named(run: Run, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("encode", dataset, "-o", out, "--tasks", "rgb", "--coding", "classical", "-q").code == 0
    result = run("compare", dataset, out)
    assert result.code == 1 and f"only in {dataset}: depth, semantic of train/1\n" in result.err
    assert run("compare", dataset, out, "--tasks", "rgb").code == 0
    (out / "val" / "2.mtc").rename(out / "val" / "3.mtc")
    result = run("compare", dataset, out, "--tasks", "rgb")
    assert result.code == 1
    assert f"only in {dataset}: val/2\n" in result.err and f"only in {out}: val/3\n" in result.err


def test_what_cannot_be_compared_is_an_error(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    original, decoded = pair
    fails(run("compare", original, tmp_path / "nothing"), 1, "no such file or directory")
    fails(run("compare", original, decoded, "--tasks", "flow"), 1, "flow")
    (tmp_path / "empty").mkdir()
    fails(run("compare", original, tmp_path / "empty"), 1, "no scenes found")
    (tmp_path / "bad.mtc").write_bytes(b"no file")
    fails(run("compare", original, tmp_path / "bad.mtc"), 3, "bad.mtc")
    write(decoded / "rgb.png", np.zeros((64, 80, 3), np.uint16))
    fails(run("compare", original, decoded), 1, "task rgb", "uint16", "uint8")


def test_python_compares_arrays(pixels: Pixels) -> None:
    decoded = {"rgb": np.clip(pixels["rgb"], 0, 250) + np.uint8(5)}
    measures = mtcodec.compare({name: pixels[name] for name in ("rgb", "depth")}, decoded)
    assert list(measures) == ["rgb"] and 33 < measures["rgb"]["psnr"] < 36
