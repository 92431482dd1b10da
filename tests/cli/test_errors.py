"""What the command line says to those who get it wrong: one line and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, fails, files, start, write

from mtcodec import cli
from mtcodec.container.mtc import Reader, build
from mtcodec.errors import FormatError, MtcodecWarning

SCENE = SCENES / "100020"

ERRORS = [
    ("encode nowhere -o x.mtc", 1, "nowhere: no such directory"),
    ("encode FILE -o x.mtc", 1, "FILE: not a directory"),
    ("encode EMPTY -o x.mtc", 1, "EMPTY: no scenes found"),
    ("encode SCENES -o FILE", 1, "FILE: exists and is not a directory"),
    ("encode SCENE -o FILE/", 1, "exists and is not a directory"),
    ("encode SCENES -o FILE/x --tasks semantic", 1, "cannot make it: Not a directory"),
    ("encode SCENES nowhere -o x", 1, "nowhere: no such directory"),
    ("encode SCENES -o x --tasks depth,glow", 1, "100000: no image of task 'glow'"),
    ("encode SCENES -o x --quality semantic=9", 2, "100000: a quality for task 'semantic'"),
    ("encode SCENES -o x.mtc", 2, "6 scenes go to a directory: if x.mtc is to be one, add a /"),
    ("encode SCENES -o -", 2, "6 scenes do not go to standard output"),
    ("encode SCENE SCENES -o x", 2, "two scenes are called '100020': "),
    ("encode BROKEN -o x.mtc", 1, "BROKEN/depth.png: cannot read it: "),
    ("encode CHANNELS -o x.mtc", 1, "CHANNELS/normal.png: task normal: 1 channels"),
    ("encode SCENE -o x.mtc --invalid depth=1,2", 2, "100020/depth.png: task depth: a hole of 2 numbers"),
    (
        "encode SCENE -o x.mtc --tasks depth --coding classical --effort fast --target-psnr depth=98",
        1,
        "100020: out of reach: depth ",
    ),
    ("evaluate EMPTY", 1, "no scenes found"),
    ("train EMPTY --tasks rgb -o x.safetensors", 1, "no scenes found"),
    ("train nowhere --tasks rgb -o x.safetensors", 1, "nowhere: no such directory"),
    ("analyze channels EMPTY -o x", 1, "no scenes found"),
    ("analyze reconstructions SCENES -o x --scenes 1", 1, "no scene '1'"),
    ("encode SCENE -o x.mtc --tasks depth,glow", 1, "no image of task 'glow'"),
    ("encode SCENE -o no/x.mtc --tasks semantic", 1, "no: no such directory"),
    ("encode SCENE -o EMPTY/x.mtc/y --tasks semantic", 1, "x.mtc: no such directory"),
    ("info nowhere.mtc", 1, "nowhere.mtc: cannot read it: No such file"),
    ("info EMPTY", 1, "cannot read it: Is a directory"),
    ("extract FILE --tasks rgb -o EMPTY", 1, "EMPTY: is a directory"),
    ("extract FILE --tasks rgb -o no/x.mtc", 1, "no/x.mtc: cannot write it: No such file or directory"),
    ("decode LABELS -o FILE/x", 1, "cannot make it: Not a directory"),
    ("decode FILE -o FILE", 1, "exists and is not a directory"),
    ("encode SCENE", 2, "missing -o OUT"),
    ("extract FILE --tasks rgb", 2, "missing -o OUT"),
    ("decode -", 2, "standard input needs -o DIR"),
    ("decode FILE -o -", 2, "images go to a directory"),
    ("decode FILE --tasks smell", 2, "no task 'smell' in this file (it has depth, normal, rgb, semantic)"),
    ("decode FILE --tasks shared", 2, "no task 'shared'"),
    ("extract FILE --tasks rgb,x -o x.mtc", 2, "no task 'x'"),
    ("decode FILE --device abacus", 2, "device must be cpu or cuda"),
    ("info NOTHING", 3, "NOTHING: not an mtc file"),
    ("decode NOISE", 3, "NOISE: not an mtc file"),
    ("info -", 3, "-: not an mtc file"),
    ("extract LONGER --tasks rgb -o x.mtc", 3, "LONGER: 1 bytes after the last section"),
    ("encode SCENE -o x.mtc --weights nope", 4, "no weights named 'nope'"),
    ("decode FILE --weights no/w.safetensors", 4, "no/w.safetensors: no such weights file"),
    ("decode FILE --weights WEIGHTS", 4, "WEIGHTS: not a weights file of mtcodec"),
    ("decode FOREIGN", 4, "needs the weights with fingerprint 00112233"),
    ("weights show nope", 4, "no weights named 'nope'"),
]


def made_with(fingerprint: str, data: bytes) -> bytes:
    """``data`` as if made with other weights, checksums right."""
    reader = Reader(data)
    payloads = {section.name: reader.payload(section.name) for section in reader.header.sections}
    return build(replace(reader.header, fingerprint=fingerprint), payloads)


@pytest.fixture
def places(file: Path, labels: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What the words in capitals of ``ERRORS`` stand for; the working directory is theirs."""
    data, here = file.read_bytes(), file.parent
    monkeypatch.chdir(here)
    noise = np.random.default_rng(0).bytes(5000)
    result = {"SCENE": SCENE, "SCENES": SCENES, "FILE": file, "LABELS": labels}
    result |= {name: here / name.lower() for name in ("EMPTY", "BROKEN", "CHANNELS")}
    for name, content in {
        "NOTHING.mtc": b"",
        "NOISE.mtc": noise,
        "LONGER.mtc": data + b"\n",
        "FOREIGN.mtc": made_with("00112233", data),
        "WEIGHTS.safetensors": noise,
    }.items():
        path = result[name.partition(".")[0]] = here / name.lower()
        path.write_bytes(content)
    result["EMPTY"].mkdir()
    gray, colours = np.zeros((16, 16), np.uint8), np.zeros((16, 32, 3), np.uint8)
    write(result["BROKEN"] / "rgb.png", colours)
    (result["BROKEN"] / "depth.png").write_bytes(noise)
    write(result["CHANNELS"] / "normal.png", gray)
    return result


@pytest.mark.parametrize(("command", "code", "message"), ERRORS, ids=[e[0] for e in ERRORS])
def test_errors_are_one_line_and_a_code(
    command: str, code: int, message: str, places: dict[str, Path], run: Run, tmp_path: Path
) -> None:
    before = files(tmp_path)
    words = [word.partition("/") for word in command.split()]
    for name in sorted(places, key=len, reverse=True):
        message = message.replace(name, str(places[name]))
    fails(run(*(f"{places.get(word, word)}{slash}{rest}" for word, slash, rest in words)), code, message)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        "",
        "weights",
        "frobnicate",
        "decode",
        "info",
        "info a b",
        "extract x.mtc --tasks",
        "encode x -o",
        "encode x -o y --frobnicate",
        "encode x -o y --jobs -1",
        "encode x -o y --target-bpp nan",
        "encode x -o y --target-bytes 0",
        "encode x -o y --target-bytes many",
        "decode x --threads -1",
        "decode x --threads 100000",
        "decode x --threads many",
        "train x --tasks rgb --crop 8",
    ],
)
def test_usage_errors_return_2(command: str, run: Run) -> None:
    result = run(*command.split())
    assert result.code == 2
    if command in ("", "weights"):  # show what there is
        assert result.lines and not result.err
    else:
        assert result.out == b"" and "Error" in result.err and "Traceback" not in result.err


def test_debug_shows_tracebacks(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_bytes(b"no")
    environment = {**os.environ, "MTCODEC_DEBUG": "1"}
    done = start("info", file, env=environment)
    assert done.returncode == 1 and done.stderr.startswith(b"Traceback (most recent call last)")
    assert f"FormatError: {file}: not an mtc file".encode() in done.stderr
    monkeypatch.setenv("MTCODEC_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["mtcodec", "info", str(file)])
    with pytest.raises(FormatError, match="not an mtc file"):
        cli.main()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_directory_is_one_line(labels: Path, run: Run) -> None:
    labels.parent.chmod(0o500)
    try:
        fails(run("decode", labels), 1, "cannot make it: Permission denied")
        command = ("extract", labels, "--tasks", "semantic", "-o", labels.with_name("x"))
        fails(run(*command), 1, "cannot write it: Permission denied")
    finally:
        labels.parent.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_streams_that_fail_are_one_line(labels: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        for command in (("info", labels), ("extract", labels, "--tasks", "semantic", "-o", "-")):
            done = start(*command, stdout=full)
            assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
            assert done.stderr.startswith(b"mtcodec: ") and b"No space left" in done.stderr
    closed = subprocess.run(
        f"'{sys.executable}' -m mtcodec info - <&-", shell=True, capture_output=True, check=False
    )
    assert (closed.returncode, closed.stderr) == (1, b"mtcodec: standard input is closed\n")


def test_output_that_fits_in_part_is_an_error_without_buffers_too(file: Path, tmp_path: Path) -> None:
    """``PYTHONUNBUFFERED``, as containers have it: a disk that fills took a part, with exit code 0."""
    place, limit = tmp_path / "cut", 100
    for command in (f"extract '{file}' --tasks rgb -o -", f"info --json '{file}'"):
        script = (
            f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
            f"import shlex; sys.argv = ['mtcodec', *shlex.split(sys.argv[1])]; "
            "from mtcodec.__main__ import main; main()"
        )
        with place.open("wb") as cut:
            done = subprocess.run(
                [sys.executable, "-u", "-c", script, command], stdout=cut, stderr=subprocess.PIPE, check=False
            )
        assert place.stat().st_size == limit
        assert done.returncode == 1, done.stderr
        assert done.stderr == b"mtcodec: cannot write standard output: File too large\n"


def test_warnings_of_the_package_are_lines_and_others_are_as_ever(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warns(path: str) -> bool:
        warnings.warn("it takes\nlonger", MtcodecWarning, stacklevel=2)
        warnings.warn("of a library", UserWarning, stacklevel=2)
        return False

    monkeypatch.setattr("mtcodec.cli.files.is_archive", warns)
    with pytest.warns(UserWarning, match="of a library") as others:
        result = run("info", file)
    assert (result.code, result.err, len(others)) == (0, "mtcodec: warning: it takes longer\n", 1)
