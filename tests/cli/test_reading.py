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
        ("compare", marked, file), ("stats", marked.parent, "--no-estimate"), ("view", file, "--original", marked),
        ("pack", marked.parent, "-o", tmp_path / "archive"), ("bench", marked, "--runs", 1),
    ):  # fmt: skip
        result = run(*command)
        assert result.code == 0 and NOT_TURNED in result.err, command
    facts = json.loads(run("compare", marked, file, "--json").out)
    assert facts["scenes"]["scene"]["rgb"]["mse"] == 0
    assert list(json.loads(run("stats", marked.parent, "--no-estimate", "--json").out)["sizes"]) == [KEPT]


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
