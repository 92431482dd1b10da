"""Start-up, help, and the list of weights: what is imported, and what is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import SCENES
from shared.commands import Run, fails, files

import mtcodec
from mtcodec import cli
from mtcodec.container.header import parse

SCENE = SCENES / "100020"
HEAVY = {"torch", "compressai", "matplotlib", "ray", "scipy", "pyarrow", "pandas", "tifffile",
         "OpenEXR", "multiprocessing"}  # fmt: skip
OF_ARCHIVES = {"pyarrow", "pandas", "multiprocessing"}  # pyarrow imports pandas where that is installed
LIGHT = """
import sys
sys.argv[1:] = {arguments!r}
from mtcodec.cli import main
try:
    main()
except SystemExit as end:
    print("exit code", end.code)
heavy = {heavy!r} & set(sys.modules)
assert not heavy, heavy
"""


def light(code: int, *arguments: object, heavy: set[str] = HEAVY) -> None:
    """Run the command line as a process that imports nothing ``heavy``."""
    script = LIGHT.format(arguments=list(map(str, arguments)), heavy=heavy)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"exit code {code}".encode()), done


@pytest.mark.processes
def test_looking_into_files_imports_no_arrays(file: Path, labels: Path, tmp_path: Path) -> None:
    for arguments in (
        ("info", file),
        ("info", file, "--json"),
        ("info", labels),
        ("extract", file, "--tasks", "depth", "-o", tmp_path / "depth.mtc"),
        ("verify", file, labels),
        ("weights", "list"),
        ("--version",),
    ):
        light(0, *arguments, heavy={*HEAVY, "numpy", "rich", "PIL", "imagecodecs"})


@pytest.mark.processes
def test_help_imports_no_arrays() -> None:
    for arguments in (("--help",), ("encode", "--help"), ("compare", "--help"), ("train", "--help")):
        light(0, *arguments, heavy={*HEAVY, "numpy", "PIL", "imagecodecs", "onnxruntime"})


@pytest.mark.processes
def test_importing_the_package_imports_no_arrays() -> None:
    script = "import sys, mtcodec; assert 'encode' in dir(mtcodec) and 'numpy' not in sys.modules"
    script += "; from mtcodec import *; assert load and 'numpy' in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'smell'"):
        mtcodec.smell  # noqa: B018


@pytest.mark.processes
@pytest.mark.parametrize("coding", ["classical", "neural", "auto"])
def test_commands_of_files_import_no_torch(coding: str, tmp_path: Path) -> None:
    path, part = tmp_path / "x.mtc", tmp_path / "part.mtc"
    light(0, "encode", SCENE, "-o", path, "--coding", coding, "--effort", "fast")
    light(0, "decode", path)
    assert files(tmp_path / "x.decoded") == ["depth.png", "normal.png", "rgb.png", "semantic.png"]
    light(0, "extract", path, "--tasks", "depth", "-o", part)
    light(0, "decode", part, "-o", tmp_path / "y")
    light(0, "verify", path, part, "--decode")
    light(0, "view", path, "--original", SCENE)


@pytest.mark.processes
@pytest.mark.parametrize("coding", ["classical", "neural", "auto"])
def test_commands_of_archives_import_no_torch(coding: str, tmp_path: Path) -> None:
    archive, heavy = tmp_path / "archive", HEAVY - OF_ARCHIVES
    more = ("--coding", coding, "--effort", "fast", "--workers", 1)
    light(0, "pack", SCENE, "-o", archive, *more, heavy=heavy)
    light(0, "info", archive, heavy=heavy)
    light(0, "verify", archive, "--decode", heavy=heavy)
    light(0, "extract", archive, "--tasks", "depth", "-o", tmp_path / "part", heavy=heavy)
    light(0, "unpack", archive, "-o", tmp_path / "images", "--workers", 1, heavy=heavy)
    assert len(files(tmp_path / "images")) == 4


@pytest.mark.processes
def test_parts_without_networks_are_decoded_without_torch(file: Path, labels: Path, tmp_path: Path) -> None:
    light(0, "decode", labels)
    assert files(labels.with_suffix(".decoded")) == ["semantic.png"]
    light(0, "decode", file, "--tasks", "semantic", "-o", tmp_path / "part")


@pytest.mark.parametrize(
    ("library", "message", "arguments"),
    [
        ("torch", "training needs torch: pip install 'mtcodec[train]'",
         ("train", SCENES, "--tasks", "rgb", "-o", "x.safetensors")),
        ("torch", "an analysis needs torch: pip install 'mtcodec[train,evaluate]'",
         ("analyze", "channels", SCENES, "-o", "x")),
        ("matplotlib", "an analysis needs matplotlib: pip install 'mtcodec[train,evaluate]'",
         ("analyze", "subsets", SCENES, "-o", "x", "--single", "clevr")),
        ("scipy.interpolate", "a BD-rate needs scipy: pip install 'mtcodec[evaluate]'",
         ("evaluate", SCENES, "--coding", "classical")),
        ("matplotlib", "drawing needs matplotlib: pip install 'mtcodec[evaluate]'",
         ("evaluate", SCENES, "--coding", "classical", "--against", "", "-o", "x")),
        ("pyarrow", "an archive needs pyarrow: pip install 'mtcodec[archive]'", ("pack", SCENES, "-o", "x")),
        ("fsspec", "an archive needs fsspec: pip install 'mtcodec[archive]'", ("info", "memory://x")),
    ],
)  # fmt: skip
def test_missing_libraries_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, message: str,
    arguments: tuple[object, ...],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    fails(run(*arguments), 1, message)
    assert files(tmp_path) == []


@pytest.mark.processes
def test_inputs_are_checked_before_anything_heavy_is_imported(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "x.mtc"
    for code, arguments in (
        (1, ("encode", "nowhere", "-o", new)),
        (1, ("encode", SCENE, "-o", file)),
        (1, ("encode", SCENE, "-o", tmp_path / "no" / "x.mtc")),
        (2, ("encode", SCENE, "-o", new, "--quality", "101")),
        (2, ("encode", SCENE, "-o", new, "--coding", "psychic")),
        (2, ("encode", SCENE, "-o", new, "--device", "auto")),
        (2, ("encode", SCENE, "-o", new, "--max-error", "albedo=3")),
        (4, ("encode", SCENE, "-o", new, "--weights", "nope")),
        (0, ("encode", SCENES, "-o", f"{tmp_path}/out", "--dry-run")),
        (1, ("decode", "nowhere.mtc")),
        (2, ("decode", file, "--tasks", "smell")),
        (1, ("view", "nowhere.mtc")),
        (2, ("view", file, "--tasks", "smell")),
        (1, ("view", file, "--original", "nowhere")),
        (1, ("pack", "nowhere", "-o", tmp_path / "archive")),
        (1, ("train", "nowhere", "--tasks", "rgb", "-o", tmp_path / "x.safetensors")),
        (1, ("evaluate", "nowhere")),
        (1, ("stats", "nowhere")),
        (1, ("bench", "nowhere")),
        (2, ("compare", SCENE, "nowhere", "--fail-below", "rgb")),
    ):
        light(code, *arguments)
    assert files(tmp_path) == ["scene.mtc"]


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command line without arguments, and the command it calls."""
    named = [(path, command)]
    for name in getattr(command, "commands", {}):
        named += commands(command.get_command(None, name), (*path, name))
    return named


COMMANDS = commands(typer.main.get_command(cli.app))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(p) for p, _ in COMMANDS])
def test_help_has_a_line_for_every_option(
    path: tuple[str, ...], command: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(*path, "--help")
    assert (result.code, result.err) == (0, "")
    text = [" ".join(re.sub(r"\x1b\[[0-9;]*m", "", line).split()) for line in result.lines]
    for parameter in command.params:
        assert parameter.help, parameter.name
        name = max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.metavar
        assert any(name in line and parameter.help[:30] in line for line in text), name
    assert run(*path, "-h").out == result.out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"mtcodec {mtcodec.__version__}\n".encode(), "")


def test_installed_weights_are_listed_and_a_broken_file_does_not_hide_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = parse(run("encode", SCENE, "--coding", "neural", "-o", "-").out)
    listed = json.loads(run("weights", "list", "--json").out)
    clevr = next(e for e in listed if e["name"] == "clevr")
    assert clevr["fingerprint"] == header.fingerprint and clevr["bytes"] == Path(clevr["path"]).stat().st_size
    assert header.fingerprint in run("weights", "show", "clevr").out.decode()
    assert json.loads(run("weights", "show", clevr["path"], "--json").out)["name"] == "clevr"

    deep = b"[" * 100_000
    (tmp_path / "deep.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    (tmp_path / "cut.safetensors").write_bytes(Path(clevr["path"]).read_bytes()[:5000])
    monkeypatch.setenv("MTCODEC_WEIGHTS", str(tmp_path), prepend=os.pathsep)
    result = run("weights", "list")
    assert result.code == 0 and "clevr" in result.out.decode()
    assert result.err.count("not a weights file of mtcodec") == result.err.count("mtcodec: warning: ") == 2
    for name in ("deep", "cut"):
        fails(run("weights", "show", name), 4, "not a weights file of mtcodec")
