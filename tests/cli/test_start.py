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
from tools.commands import Run, fails, files

import mtcodec
from mtcodec import cli
from mtcodec.format.header import parse

SCENE = SCENES / "100020"
WITHOUT_TORCH = """
import sys
sys.argv[1:] = {arguments!r}
from mtcodec.cli import main
try:
    main()
except SystemExit as end:
    print("exit code", end.code)
heavy = {{"torch", "compressai", "matplotlib", "ray", "scipy", "pyarrow", "pandas"}} & set(sys.modules)
assert not heavy, heavy
"""


def light(code: int, *arguments: object) -> None:
    """Run the command line as a process that imports nothing heavy."""
    script = WITHOUT_TORCH.format(arguments=list(map(str, arguments)))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"exit code {code}".encode()), done


def test_reading_what_needs_no_networks_imports_no_torch(file: Path, labels: Path, tmp_path: Path) -> None:
    light(0, "info", file)
    light(0, "info", file, "--json")
    light(0, "decode", labels)
    assert files(labels.with_suffix("")) == ["semantic.png"]
    light(0, "extract", file, "--tasks", "depth", "-o", tmp_path / "depth.mtc")
    light(0, "verify", file, tmp_path / "depth.mtc")
    light(0, "decode", file, "--tasks", "semantic", "-o", tmp_path / "part")
    light(0, "weights", "list")


def test_inputs_are_checked_before_anything_heavy_is_imported(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "x.mtc"
    for code, arguments in (
        (1, ("encode", "nowhere", "-o", new)),
        (1, ("encode", SCENE, "-o", file)),
        (1, ("encode", SCENE, "-o", tmp_path / "no" / "x.mtc")),
        (2, ("encode", SCENE, "-o", new, "--quality", "101")),
        (2, ("encode", SCENE, "-o", new, "--coding", "psychic")),
        (2, ("encode", SCENE, "-o", new, "--device", "abacus")),
        (2, ("encode", SCENE, "-o", new, "--max-error", "albedo=3")),
        (4, ("encode", SCENE, "-o", new, "--weights", "nope")),
        (0, ("encode", SCENES, "-o", f"{tmp_path}/out", "--dry-run")),
        (1, ("decode", "nowhere.mtc")),
        (2, ("decode", file, "--tasks", "smell")),
        (1, ("pack", "nowhere", "-o", tmp_path / "archive")),
        (1, ("train", "nowhere", "--tasks", "rgb", "-o", tmp_path / "x.safetensors")),
        (1, ("evaluate", "nowhere")),
    ):
        light(code, *arguments)
    assert files(tmp_path) == ["scene.mtc"]


def test_decoding_classical_sections_imports_no_torch(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "x.mtc"
    assert run("encode", SCENE, "-o", path, "--coding", "classical", "--effort", "fast", "-q").code == 0
    light(0, "decode", path)
    assert files(tmp_path / "x") == ["depth.png", "normal.png", "rgb.png", "semantic.png"]
    light(0, "verify", path, "--decode")


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command line without arguments, and the command it calls."""
    below = getattr(command, "commands", {}).items()
    return [(path, command), *(found for name, sub in below for found in commands(sub, (*path, name)))]


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
