"""Lines about losses are warnings: ``-q`` does not hide them, and ``--strict`` makes any of them exit 1."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import typer
from conftest import SCENES
from shared.commands import Run, write

import mtcodec
from mtcodec import cli, errors

SCENE = SCENES / "100020"
FAST = ("--coding", "classical", "--effort", "fast")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene with a file that is no image, and with an image of two pages."""
    scene = tmp_path / "scene"
    scene.mkdir()
    shutil.copy(SCENE / "rgb.png", scene / "rgb.png")
    (scene / "poses.txt").write_text("1 0 0")
    with tifffile.TiffWriter(scene / "depth.tif") as file:
        for size in (256, 128):
            file.write(np.full((size, size), 1000, np.uint16), photometric="minisblack")
    return scene


def losses(place: Path, label: str) -> tuple[str, str]:
    return (
        f"mtcodec: warning: {place}: left out, as they are no images: 1 .txt file (poses.txt)",
        f"mtcodec: warning: {label}depth: only the first of its 2 images is read",
    )


def test_quiet_commands_tell_of_losses(run: Run, scene: Path, tmp_path: Path) -> None:
    for extra in ((), ("-q",)):
        encoded = run("encode", scene, "-o", tmp_path / "x.mtc", *FAST, "--force", *extra)
        assert encoded.code == 0 and encoded.err.splitlines() == [*losses(scene, f"{scene}: ")]
    packed = run("pack", scene, "-o", tmp_path / "archive", *FAST, "-q")
    left_out, first = losses(scene, "")
    assert packed.code == 0 and packed.err.splitlines() == [left_out, f"{first} (1 scene)"]
    for command in (("compare", scene, tmp_path / "x.mtc"), ("stats", scene, "--no-estimate")):
        assert run(*command, "-q").err.splitlines()[0] == left_out


def test_quiet_hides_what_is_no_loss(run: Run, tmp_path: Path) -> None:
    for task in ("depth", "smell"):
        write(tmp_path / "scene" / f"{task}.png", np.ones((20, 30), np.uint8))
    for extra, err in (((), "mtcodec: note: "), (("-q",), "")):
        unit = ("--unit", "depth=1mm")
        result = run("encode", tmp_path / "scene", "-o", tmp_path / "x.mtc", "--force", *unit, *extra)
        assert result.code == 0 and result.err.startswith(err) and bool(result.err) == bool(err)


@pytest.mark.parametrize("command", ["encode", "encode --dry-run", "pack", "stats --no-estimate"])
def test_strict_makes_losses_exit_1(command: str, run: Run, scene: Path, tmp_path: Path) -> None:
    name, *extra = command.split()
    output = () if name == "stats" else ("-o", tmp_path / "out")
    arguments = (name, scene, *output, *extra, *FAST, "-q")
    assert run(*arguments).code == 0
    if (tmp_path / "out").is_dir():
        shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").unlink(missing_ok=True)
    strict = run(*arguments, "--strict")
    count = 1 if command == "encode --dry-run" else 2  # which reads no images
    assert strict.code == 1
    plural = "s" * (count != 1)
    assert strict.err.splitlines()[-1] == f"mtcodec: {count} warning{plural}, which --strict makes an error"
    assert (tmp_path / "out").exists() == (command in ("encode", "pack"))  # what could be done is there


def test_strict_is_content_without_losses(run: Run, tmp_path: Path) -> None:
    for task in ("depth", "smell"):
        write(tmp_path / "scene" / f"{task}.png", np.ones((20, 30), np.uint8))
    file = tmp_path / "x.mtc"
    unit = ("--unit", "depth=1mm")
    assert run("encode", tmp_path / "scene", "-o", file, *unit, "--strict").code == 0  # a note is no warning
    assert run("decode", file, "-o", tmp_path / "back", "--strict").code == 0
    original = ("--original", tmp_path / "scene")
    assert run("view", file, "-o", tmp_path / "page.html", *original, "--strict").code == 0


def test_strict_views_warn_of_originals_that_are_left_out(run: Run, scene: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.mtc"
    run("encode", scene, "-o", file, *FAST)
    result = run("view", file, "-o", tmp_path / "page.html", "--original", scene, "-q", "--strict")
    assert result.code == 1 and all(line in result.err for line in losses(scene, ""))


def test_every_command_has_strict() -> None:
    """One option for all of them: whatever a command warns of, now or later, it can be made an error."""
    to_look_at: dict[tuple[str, ...], Any] = {(): typer.main.get_command(cli.app)}
    while to_look_at:
        path, command = to_look_at.popitem()
        inner = getattr(command, "commands", {})
        to_look_at |= {(*path, name): command.get_command(None, name) for name in inner}
        assert inner or any("--strict" in parameter.opts for parameter in command.params), path


@pytest.mark.parametrize("name", ["pack", "encode"])
def test_assumed_units_are_told_always(name: str, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "scene" / "depth.png", np.arange(1, 601, dtype=np.uint16).reshape(20, 30))
    arguments = (name, tmp_path / "scene", "--max-error", "depth=5mm", *FAST, "-q")
    told = run(*arguments, "-o", tmp_path / "one")
    assert told.code == 0 and told.err.startswith("mtcodec: warning: ")
    assert "depth: nobody tells its unit" in told.err and told.err.count("\n") == 1
    strict = run(*arguments, "-o", tmp_path / "two", "--strict")
    assert strict.code == 1 and strict.err == told.err.replace("one", "two") + (
        "mtcodec: 1 warning, which --strict makes an error\n"
    )
    assert run(*arguments, "-o", tmp_path / "three", "--strict", "--unit", "depth=1mm").code == 0


def test_evaluations_tell_of_losses(run: Run, scene: Path, tmp_path: Path) -> None:
    """Also of those that are found while images are read."""
    words = ("evaluate", scene, "--coding", "classical", "--quality", "10", "--against", "")
    result = run(*words, "-o", tmp_path / "results.json", "--strict")
    assert result.code == 1, result.err
    assert all(line in result.err for line in losses(scene, ""))


def test_python_warns_of_an_assumed_unit() -> None:
    depth = np.arange(1, 601, dtype=np.uint16).reshape(20, 30)
    with pytest.warns(errors.MtcodecWarning, match="depth: nobody tells its unit.*5mm"):
        mtcodec.encode({"depth": depth}, max_error="depth=5mm", coding="classical")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mtcodec.encode({"depth": depth}, max_error="depth=5mm", units="depth=1mm", coding="classical")
        mtcodec.encode({"depth": depth}, max_error={"depth": 5}, coding="classical")
