"""Scenes whose tasks have different sizes, and numbers: what commands say of them.

Bits per pixel are those of the whole file, or of a part of it, over the pixels of the largest image.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run, write

import mtcodec

CHEAP = ("--coding", "classical", "--effort", "fast")
PIXELS = 64 * 96  # of rgb, the largest


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    """Depth comes first, and is small; labels have half the size of rgb."""
    rows, columns = np.mgrid[:64, :96]
    noise = np.random.default_rng(0).normal(size=(64, 96, 4))
    rgb = np.stack([rows * 3, columns * 2, rows + columns], -1) + 3 * noise[..., :3]
    depth = 1000 + 20 * rows[:30, :40] + 5 * columns[:30, :40] + 3 * noise[:30, :40, 3]
    depth[:6, :10] = 0
    labels = ((columns > 20).astype(np.uint8) + (columns > 40))[::2, ::2]
    return {
        "depth": depth.astype(np.uint16), "rgb": rgb.clip(0, 255).astype(np.uint8), "semantic": labels,
    }  # fmt: skip


@pytest.fixture(scope="module")
def scene(images: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sizes") / "scene"
    for name, image in images.items():
        write(directory / f"{name}.png", image)
    return directory


@pytest.fixture(scope="module")
def numbers_file(images: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with numbers of every shape; one of them has more values than the largest image has pixels."""
    numbers = {"pose": np.eye(4), "accel": np.array([0.5, 9.75, np.nan]), "seconds": np.float32(21.5),
               "lidar": np.arange(2 * PIXELS, dtype=np.float32)}  # fmt: skip
    data = mtcodec.encode({**images, **numbers}, numbers="pose", coding="classical", effort="fast")
    path = tmp_path_factory.mktemp("numbers") / "scene.mtc"
    path.write_bytes(data)
    return path


def test_info_tells_sizes_where_tasks_differ(run: Run, scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "scene.mtc"
    assert run("encode", scene, "-o", path, *CHEAP, "-q").code == 0
    facts = json.loads(run("info", path, "--json").out)
    assert (facts["height"], facts["width"]) == (64, 96)
    assert facts["bpp"] == pytest.approx(8 * path.stat().st_size / PIXELS, abs=1e-6)
    sizes = {name: (task["height"], task["width"]) for name, task in facts["tasks"].items()}
    assert sizes == {"depth": (30, 40), "rgb": (64, 96), "semantic": (32, 48)}
    sections = {section["name"]: section for section in facts["sections"]}
    assert all((sections[n]["height"], sections[n]["width"]) == size for n, size in sizes.items())
    assert (sections["holes0"]["height"], sections["holes0"]["width"]) == (30, 40)
    for part in (*facts["sections"], *facts["tasks"].values()):
        assert part["bpp"] == pytest.approx(8 * part["bytes"] / PIXELS, abs=1e-6)

    lines = run("info", path).lines
    assert ", up to 96×64" in lines[0]
    shown = {line.split()[0]: line for line in lines[1:5]}
    assert "  40×30  " in shown["depth"] and "  96×64  " in shown["rgb"] and "  48×32  " in shown["semantic"]
    columns = {line.index(size) for line, size in zip(lines[1:5], ("40×30", "40×30", "96×64", "48×32"))}
    assert len(columns) == 1


def test_info_of_tasks_of_one_size_tells_it_once(run: Run, scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "scene.mtc"
    run("encode", scene, "-o", path, *CHEAP, "-q", "--tasks", "depth")
    lines = run("info", path).lines
    assert ", 40×30" in lines[0] and "up to" not in lines[0] and not any("×" in line for line in lines[1:])


def test_info_tells_what_numbers_are(run: Run, numbers_file: Path) -> None:
    facts = json.loads(run("info", numbers_file, "--json").out)
    assert facts["bpp"] == pytest.approx(8 * facts["bytes"] / PIXELS, abs=1e-6)
    assert (facts["height"], facts["width"]) == (64, 96)
    shapes = {name: task.get("shape") for name, task in facts["tasks"].items()}
    assert shapes == {"depth": None, "rgb": None, "semantic": None, "pose": "table", "accel": "row",
                      "seconds": "number", "lidar": "row"}  # fmt: skip
    lines = run("info", numbers_file).lines
    text = "\n".join(lines)
    assert "up to 96×64" in lines[0] and "4×4 numbers" in text and "3 numbers" in text and "1 number " in text


def test_a_target_in_bits_per_pixel_counts_the_largest_image(run: Run, scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "scene.mtc"
    result = run("encode", scene, "-o", path, *CHEAP, "--target-bpp", 1.5, "--json")
    assert result.code == 0, result
    assert 0.6 * 1.5 < json.loads(result.out)["bpp"] <= 1.5
    assert path.stat().st_size <= 1.5 * PIXELS / 8


def test_commands_agree_on_bits_per_pixel(run: Run, scene: Path, tmp_path: Path) -> None:
    data = run("encode", scene, "-o", "-", *CHEAP, "--quality", 65).out
    bpp = pytest.approx(8 * len(data) / PIXELS, abs=1e-5)
    facts = json.loads(run("stats", scene, *CHEAP, "--quality", 65, "--json").out)
    assert facts["encoded"][0]["bpp"] == bpp
    packed = run("pack", scene, "-o", tmp_path / "archive", *CHEAP, "--quality", 65, "--json")
    assert json.loads(packed.out)["bpp"] == bpp


def test_stats_tells_the_sizes_of_every_task(run: Run, scene: Path) -> None:
    facts = json.loads(run("stats", scene, "--no-estimate", "--json").out)
    sizes = {name: task["sizes"] for name, task in facts["tasks"].items()}
    assert sizes == {"depth": {"40×30": 1}, "rgb": {"96×64": 1}, "semantic": {"48×32": 1}}
    assert facts["sizes"] == {"96×64": 1}
    lines = run("stats", scene, "--no-estimate").lines
    assert lines[1].split()[:5] == ["task", "kind", "scenes", "images", "size"]
    assert lines[2].split()[:5] == ["depth", "depth", "1", "uint16", "40×30"]
    assert not any(line.startswith("  sizes: ") for line in lines)


def test_bench_tells_the_size_of_every_task(run: Run, scene: Path) -> None:
    result = run("bench", scene, *CHEAP, "--runs", 1, "--json")
    facts = json.loads(result.out)
    assert (facts["width"], facts["height"]) == (96, 64)
    sizes = {name: (task["width"], task["height"]) for name, task in facts["tasks"].items()}
    assert sizes == {"depth": (40, 30), "rgb": (96, 64), "semantic": (48, 32)}
    lines = run("bench", scene, *CHEAP, "--runs", 1).lines
    assert "up to 96×64" in lines[0] and lines[2].split()[:3] == ["depth", "40×30", "mtcodec"]


def test_files_are_compared_with_their_originals(run: Run, scene: Path, tmp_path: Path) -> None:
    path = tmp_path / "scene.mtc"
    run("encode", scene, "-o", path, *CHEAP, "-q")
    facts = json.loads(run("compare", scene, path, "--json").out)
    (row,) = facts["scenes"].values()
    assert list(row) == ["depth", "rgb", "semantic"] and row["semantic"]["exact"] == 1
    assert row["depth"]["holes"] == 60 and row["depth"]["holes_differ"] == 0 and row["rgb"]["psnr"] > 30
