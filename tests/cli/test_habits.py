"""Habits of command lines: version, completion, words for qualities, colours, progress on terminals alone."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, fails

import mtcodec
from mtcodec.cli.progress import bar
from mtcodec.cli.report import batch_summary
from mtcodec.cli.values import quality_list
from mtcodec.codec.texts import qualities
from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT, WORDS

SCENE = SCENES / "100020"


def on_terminal(code: str, **environment: str) -> tuple[bytes, bytes]:
    """Standard output, a pipe, and standard error, a terminal, of some Python."""
    main, child = pty.openpty()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=child, env={**env, **environment}
    )
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal so
        while part := os.read(main, 4096):
            seen += part
    assert process.stdout is not None
    out = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    os.close(main)
    return out, seen


def test_the_short_version(run: Run) -> None:
    assert run("-V") == run("--version") == (0, f"mtcodec {mtcodec.__version__}\n".encode(), "")


def test_words_stand_for_qualities(run: Run, tmp_path: Path) -> None:
    assert qualities(["high", "depth=low", "rgb=12.5"]) == (
        WORDS["high"],
        {"depth": WORDS["low"], "rgb": 12.5},
    )
    assert qualities(["depth=visually-lossless"]) == (DEFAULT, {"depth": WORDS["visually-lossless"]})
    assert quality_list("low, 70") == [WORDS["low"], 70.0]
    assert list(WORDS.values()) == sorted(WORDS.values()) and WORDS["medium"] == DEFAULT
    for bad in ("higher", "depth=", "101", "nan"):
        with pytest.raises(UsageError, match="quality"):
            qualities([bad])
    fails(run("encode", SCENE, "-o", tmp_path / "x", "--quality", "depth=best"), 2, "not a quality: 'best'")
    gray = np.arange(4096, dtype=np.uint8).reshape(64, 64)
    scene = {"rgb": np.stack([gray] * 3, axis=-1)}
    how = {"coding": "classical", "effort": "fast"}
    assert mtcodec.encode(scene, "low", **how) == mtcodec.encode(scene, WORDS["low"], **how)


@pytest.mark.parametrize(
    ("words", "last", "expected"),
    [
        ("mtcodec en", 1, ["encode"]),
        ("mtcodec encode --eff", 2, ["--effort"]),
        ("mtcodec encode --quality ", 3, list(WORDS)),
        ("mtcodec bench --coding c", 3, ["classical"]),
        ("mtcodec analyze ch", 2, ["channels"]),
    ],
)
def test_a_shell_completes(
    words: str, last: int, expected: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MTCODEC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(last))
    assert [line for line in run().lines if line] == expected


def test_completion_can_be_installed(run: Run) -> None:
    text = run("--help").out.decode()
    assert "--install-completion" in text and "--show-completion" in text


def test_defaults_that_mean_off_are_no_zeros(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in ("encode", "decode", "pack", "unpack", "verify", "train", "evaluate", "stats", "bench"):
        text = run(command, "--help").out.decode()
        assert "[default: 0]" not in text and ".0]" not in text, command


def test_help_is_in_groups_with_the_usual_options_first(run: Run) -> None:
    text = run("encode", "--help").out.decode()
    titles = [line.strip("╭─╮ ") for line in text.splitlines() if line.startswith("╭")]
    assert titles[:3] == ["Arguments", "Options", "Many scenes"] and titles[-1] == "Machine"
    assert text.index("--output") < text.index("--quality") < text.index("--jobs") < text.index("--weights")


def test_the_last_line_of_a_batch() -> None:
    assert batch_summary(2, 1000, 250, 4.0) == "2 scenes, 1 kB → 250 B (25.0%), 4 s, 0.5 scenes/s"
    assert batch_summary(1, 250, 1000, 4.0) == "1 scene, 250 B → 1 kB (×4), 4 s, 0.25 scenes/s"
    line = batch_summary(0, 0, 0, 0.5, there=3, failed=1)
    assert line == "0 scenes, 0 B → 0 B, 0.5 s, 3 were there, 1 failed"


WORK = """
import json, sys, time
from mtcodec.cli import progress
from mtcodec.cli.common import progress_bar
progress.PATIENCE = {patience}
with progress_bar({quiet}) as bar:
    for k in range(3):
        print(json.dumps(k), flush=True)
        bar("working hard", k, 3)
        time.sleep(0.2)
"""


@pytest.mark.processes
def test_progress_is_for_terminals_and_leaves_piped_output_alone() -> None:
    out, seen = on_terminal(WORK.format(patience=0.0, quiet=False))
    assert [json.loads(line) for line in out.splitlines()] == [0, 1, 2]
    assert b"working hard" in seen and b"\x1b[3" in seen
    out, seen = on_terminal(WORK.format(patience=0.0, quiet=False), NO_COLOR="1")
    assert b"working hard" in seen and b"\x1b[38;5" not in seen and b"\x1b[3" not in seen
    for quiet, patience in ((True, 0.0), (False, 60.0)):  # -q, and work that is done before that
        assert on_terminal(WORK.format(patience=patience, quiet=quiet))[1] == b""


def test_no_terminal_sees_no_progress(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtcodec.cli.progress.PATIENCE", 0.0)
    assert run("encode", SCENE, "-o", tmp_path / "x.mtc", "--effort", "fast", "--json").err == ""


def test_a_bar_that_fails_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtcodec.cli.progress.PATIENCE", 0.01)
    with pytest.raises(ValueError, match="broken"), bar():
        time.sleep(0.05)
        raise ValueError("broken")
