"""How images of datasets are read: all commands do it alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from shared.commands import Run

from mtcodec.files.images import write_image

NOT_TURNED = "rgb: it is not turned as its mark of orientation says, since depth has no such mark"
COLOURS = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
DEPTH = np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) + 1000
KEPT, TURNED = "40×24", "24×40"


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A scene whose colours have a mark of orientation, and whose depth has none."""
    directory = tmp_path / "in" / "scene"
    directory.mkdir(parents=True)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(COLOURS).save(directory / "rgb.png", exif=exif)
    write_image(directory / "depth.png", DEPTH)
    return directory


def test_commands_turn_the_images_of_a_scene_alike(marked: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "scene.mtc"
    result = run("encode", marked, "-o", file, "--lossless", "rgb,depth", "-q")
    assert f"warning: {marked}: {NOT_TURNED}" in result.err
    for command in (
        ("compare", marked, file), ("stats", marked.parent, "--no-estimate"),
        ("view", file, "--original", marked), ("bench", marked, "--runs", 1),
        ("pack", marked.parent, "-o", tmp_path / "archive"),
    ):  # fmt: skip
        result = run(*command)
        assert result.code == 0 and NOT_TURNED in result.err, command
    facts = json.loads(run("compare", marked, file, "--json").out)
    assert facts["scenes"]["scene"]["rgb"]["mse"] == 0
    assert list(json.loads(run("stats", marked.parent, "--no-estimate", "--json").out)["sizes"]) == [KEPT]


def test_training_reads_alike(marked: Path) -> None:
    from mtcodec.files.reading import Reading
    from mtcodec.files.trees.layouts import find_scenes
    from mtcodec.tasks import USUAL
    from mtcodec.train.dataset import Scenes

    tasks = [USUAL["rgb"], USUAL["depth"]]
    lines: list[str] = []
    assert Scenes.read([find_scenes(marked)], tasks, lines.append).sizes.tolist() == [[24, 40]]
    assert lines == [f"{NOT_TURNED} (--exif turn or keep decides)"]
    turned = [find_scenes(marked, reading=Reading("turn"))]
    assert Scenes.read(turned, tasks[:1]).sizes.tolist() == [[40, 24]]


def test_exif_decides(marked: Path, tmp_path: Path, run: Run) -> None:
    for choice, size in (("turn", TURNED), ("keep", KEPT)):
        result = run("stats", marked.parent, "--no-estimate", "--json", "--tasks", "rgb", "--exif", choice)
        assert list(json.loads(result.out)["sizes"]) == [size] and NOT_TURNED not in result.err
    file = tmp_path / "rgb.mtc"
    assert (
        run("encode", marked, "-o", file, "--tasks", "rgb", "--lossless", "rgb", "--exif", "turn").code == 0
    )
    facts = json.loads(run("compare", marked, file, "--tasks", "rgb", "--exif", "turn", "--json").out)
    assert facts["scenes"]["scene"]["rgb"]["mse"] == 0
    result = run("encode", marked, "-o", file, "--exif", "sideways")
    assert result.code == 2 and "exif must be auto, turn or keep, not 'sideways'" in result.err


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Scenes as CARLA writes them: 24 bits of depth, R lowest."""
    directory = tmp_path / "carla"
    for key in ("a", "b"):
        (directory / key).mkdir(parents=True)
        write_image(directory / key / "rgb.png", COLOURS)
        values = PACKED_DEPTH
        write_image(directory / key / "depth.png", np.dstack([values & 255, values >> 8 & 255, values >> 16])
                    .astype(np.uint8))  # fmt: skip
    return directory


METRES = np.linspace(2, 90, 24 * 40).reshape(24, 40)
PACKED_DEPTH = np.rint(METRES / 1000 * (2**24 - 1)).astype(np.uint32)
CARLA = ("--unpack", "depth=bgr24:0..1000m")


@pytest.mark.parametrize("bound", ["--lossless depth", "--max-error depth=5mm", "-q"])
def test_packed_depth_goes_through_all_commands(packed: Path, bound: str, tmp_path: Path, run: Run) -> None:
    file, decoded = tmp_path / "a.mtc", tmp_path / "decoded"
    result = run("encode", packed / "a", "-o", file, *CARLA, *bound.split())
    assert result.code == 0, result.err
    assert run("decode", file, "-o", decoded).code == 0
    depth = np.load(decoded / "depth.npy")
    assert depth.dtype == np.uint32
    error = np.abs(depth.astype(np.float64) - PACKED_DEPTH).max() * 1000 / (2**24 - 1)
    assert error == 0 if "lossless" in bound else error <= 0.005 or bound == "-q"
    for side in (file, decoded):
        result = run("compare", packed / "a", side, *CARLA, "--json")
        assert result.code == 0 and "its unit" not in result.err
        measures = json.loads(result.out)["scenes"]
        (measures,) = measures.values()
        assert measures["depth"].get("max_error_mm", 0) == pytest.approx(1000 * error, rel=1e-3)
    assert run("view", file, "--original", packed / "a", *CARLA).code == 0


def test_archives_and_stats_unpack_alike(packed: Path, tmp_path: Path, run: Run) -> None:
    facts = json.loads(run("stats", packed, *CARLA, "--no-estimate", "--json").out)["tasks"]["depth"]
    assert (
        facts["images"] == {"uint32": 2}
        and facts["unit"].startswith("5.96")
        and facts["unit"].endswith("e-05m")
    )
    archive = tmp_path / "archive"
    assert run("pack", packed, "-o", archive, *CARLA, "--lossless", "depth,rgb").code == 0
    assert json.loads(run("compare", packed, archive, *CARLA, "--json").out)["summary"]["depth"]["mse"] == 0
    assert run("pack", packed, "-o", archive, *CARLA, "--lossless", "depth,rgb").code == 0
    other = ("--unpack", "depth=rgb24", "--lossless", "depth,rgb")
    assert "unpack" in run("pack", packed, "-o", archive, *other, "--append").err


def test_wrong_forms_are_refused(packed: Path, tmp_path: Path, run: Run) -> None:
    output = ("-o", tmp_path / "a.mtc")
    result = run("encode", packed / "a", *output)
    assert result.code == 1 and "3 channels, but the task has 1; values packed in colours are" in result.err
    assert run("encode", packed / "a", *output, "--unpack", "depth=rgb").code == 2
    assert run("encode", packed / "a", *output, "--unpack", "depth").code == 2
    result = run("encode", packed / "a", *output, "--unpack", "disparity=rgb24")
    assert result.code == 2 and "no scene has an image of it to unpack" in result.err


def test_a_pattern_goes_through_all_commands(tmp_path: Path, run: Run) -> None:
    """Of two sides that are compared it is the original's: decoding writes a directory a scene."""
    data, out = tmp_path / "data", tmp_path / "out"
    for run_name in "ab":
        for task in ("rgb", "semantic"):
            for frame in range(2):
                path = data / run_name / f"{task}-x" / f"{frame}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.full((16, 20, 3) if task == "rgb" else (16, 20), 60 * frame + 9, np.uint8)
                PIL.Image.fromarray(pixels).save(path)
    pattern = ("--pattern", "{run}/{task}-{camera}/{frame}.{ext}")
    assert run("encode", data, "-o", out, *pattern, "-q").code == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.mtc")) == [
        f"{run_name}/x/{frame}.mtc" for run_name in "ab" for frame in range(2)
    ]
    assert run("decode", out, "-o", tmp_path / "back", "-q").code == 0
    for decoded in (out, tmp_path / "back"):
        facts = json.loads(run("compare", data, decoded, *pattern, "--json").out)
        assert len(facts["scenes"]) == 4 and facts["summary"]["semantic"]["exact"]
    assert json.loads(run("stats", data, *pattern, "--no-estimate", "--json").out)["scenes"] == 4
    assert run("pack", data, "-o", tmp_path / "archive", *pattern, "-q").code == 0
