"""``mtcodec bench``: bytes, times and PSNR beside file formats."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from shared.commands import Run, fails, write

from mtcodec.measure.bench import median_ms

HOW = ("--coding", "classical", "--effort", "fast", "--runs", 1)


@pytest.fixture
def scene(tmp_path: Path, pixels: dict[str, np.ndarray]) -> Path:
    for name, image in pixels.items():
        write(tmp_path / "scene" / f"{name}.png", image)
    return tmp_path / "scene"


def test_formats_reach_our_psnr_and_sums_count_png_for_what_they_cannot_hold(run: Run, scene: Path) -> None:
    result = run("bench", scene, *HOW, "--json")
    assert (result.code, result.err) == (0, "")
    facts = json.loads(result.out)
    codecs = facts["codecs"]
    assert (facts["width"], facts["height"], facts["runs"], facts["threads"]) == (80, 64, 1, 1)
    assert list(codecs) == ["mtcodec", "png", "jxl", "avif"]
    ours = codecs["mtcodec"]
    assert len(run("encode", scene, *HOW[:4], "-o", "-").out) == ours["bytes"]
    for codec in codecs.values():
        assert codec["encode_ms"] > 0 and codec["decode_ms"] > 0
        assert set(codec["tasks"]) == {"rgb", "depth", "normal", "semantic"}
    for name in ("rgb", "depth", "normal"):
        for codec in ("jxl", "avif"):
            row = codecs[codec]["tasks"][name]
            assert row["psnr"] >= ours["tasks"][name]["psnr"] and row["setting"] > 0
        assert codecs["png"]["tasks"][name]["psnr"] == 99
    image = imagecodecs.png_decode((scene / "rgb.png").read_bytes())
    assert codecs["png"]["tasks"]["rgb"]["bytes"] == len(imagecodecs.png_encode(image, level=6))
    avif, png = codecs["avif"], codecs["png"]
    assert avif["tasks"]["semantic"] is None and "psnr" not in codecs["jxl"]["tasks"]["semantic"]
    lossy = sum(measures["bytes"] for measures in avif["tasks"].values() if measures is not None)
    assert avif["bytes"] == lossy + png["tasks"]["semantic"]["bytes"]


def test_the_table_has_a_row_for_every_task_and_codec(run: Run, scene: Path) -> None:
    result = run("bench", scene, *HOW, "--tasks", "depth", "--lossless", "depth")
    rows = [line.split() for line in result.lines]
    assert rows[0][-2:] == ["processor", "time"] and rows[1][:2] == ["task", "codec"]
    assert [row[:2] for row in rows[2:]] == [
        [task, codec] for task in ("depth", "all") for codec in ("mtcodec", "PNG", "JPEG", "AVIF")
    ]
    assert [row[-1] for row in rows[2:6]] == ["exact", "exact", "exact", "–"]


def test_what_png_cannot_hold_has_no_row(run: Run, scene: Path) -> None:
    (scene / "depth.png").unlink()
    np.save(scene / "depth.npy", np.linspace(1, 9, 64 * 80, dtype=np.float32).reshape(64, 80))
    codecs = json.loads(run("bench", scene, *HOW, "--tasks", "depth", "--json").out)["codecs"]
    assert codecs["png"]["tasks"]["depth"] is None and codecs["png"]["bytes"] is None
    assert codecs["avif"]["bytes"] == codecs["avif"]["tasks"]["depth"]["bytes"]


def test_bench_takes_one_scene(run: Run, dataset: Path) -> None:
    fails(run("bench", dataset), 2, "holds 2 scenes: name one of them")


def test_the_median_leaves_out_the_first_call() -> None:
    times = iter([0.0, 1.0, 5.0, 7.0, 20.0, 23.0])
    calls: list[int] = []
    assert median_ms(lambda: calls.append(1), 3, lambda: next(times)) == 2000
    assert len(calls) == 4
