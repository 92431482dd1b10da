"""How the process of a command ends, whatever threads of libraries do, and whenever it is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SCENES

from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.range_file import RangeFile
from mtcodec.codec.request import Request
from mtcodec.errors import UsageError

FAST = ("--coding", "classical", "--effort", "fast")
STOPS = pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
BEGIN = """
import atexit, sys, time
from mtcodec.__main__ import main
def wait():
    print("ready", flush=True)
    time.sleep(60)
"""
SLOW_IMPORT = f"""{BEGIN}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            wait()
sys.meta_path.insert(0, Finder())
main()
"""
SLOW_END = f"{BEGIN}\natexit.register(wait)\nmain()"
FINALISED = f"""{BEGIN}
class Late:
    def __del__(self):
        print("Python came to its own end")
sys.late = Late()  # goes with the modules, when threads may not ask for Python's lock any more
atexit.register(print, "registered", end=" ")
main()
"""

IN_A_DESTRUCTOR = f"""{BEGIN}
from mtcodec.cli import app
class Slow:
    def __del__(self):
        wait()
@app.command()
def rewrite():
    Slow()
    time.sleep(60)
main()
"""


def begun(script: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.processes
@STOPS
@pytest.mark.parametrize("script", [SLOW_IMPORT, SLOW_END], ids=["before a command", "after it"])
def test_signals_around_a_command(script: str, number: signal.Signals, code: int) -> None:
    process = begun(script, "--version")
    assert process.stdout is not None
    assert any("ready" in line for line in process.stdout)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.processes
@STOPS
def test_signals_during_a_destructor(number: signal.Signals, code: int) -> None:
    """Whose exceptions Python drops, with a message of its own."""
    process = begun(IN_A_DESTRUCTOR, "rewrite")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.processes
@pytest.mark.parametrize("words, code", [(["--version"], 0), (["info", "nowhere.mtc"], 1), (["encode"], 2)])
def test_the_process_ends_before_python_takes_its_lock_from_threads(words: list[str], code: int) -> None:
    process = begun(FINALISED, *words)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code and out.endswith("registered "), out


@pytest.mark.processes
def test_output_that_cannot_be_written_at_the_end() -> None:
    script = f"{BEGIN}\natexit.register(lambda: sys.stdout.write('late'))\nmain()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script, "--version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1, done.stderr


def test_keys_of_an_archive_are_read_by_the_thread_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of Arrow that hold what was read when Python ends would end the process (exit code 134)."""
    scenes: list[tuple[str, Any]] = [(f"s{k}", {"one": np.zeros((8, 8), np.uint8)}) for k in range(8)]
    job = Job(None, ("one",), Request(coding="classical"))
    pack_scenes(scenes, tmp_path, job)
    fetch, readers = RangeFile._fetch, set[int]()

    def recorded(file: RangeFile, start: int, end: int) -> bytes:
        readers.add(threading.get_ident())
        return fetch(file, start, end)

    monkeypatch.setattr(RangeFile, "_fetch", recorded)
    monkeypatch.setattr("mtcodec.archive.range_file.PRE_BUFFER_BYTES", 0)  # as if they were large
    with pytest.raises(UsageError, match="other weights, tasks or settings"):
        pack_scenes(scenes, tmp_path, Job(None, ("one",), Request(quality=9, coding="classical")))
    assert readers == {threading.get_ident()}


@pytest.mark.processes
@pytest.mark.slow
def test_refused_commands_end_with_their_code(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mtcodec", "pack", str(SCENES), "-o", str(tmp_path), *FAST, "--quiet"]
    assert subprocess.run([*words, "--workers", "1"], check=False).returncode == 0
    for _ in range(10):
        done = subprocess.run([*words, "--quality", "20"], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
