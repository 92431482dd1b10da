"""Full disks, read-only directories, signals and rivals: the old output stays, or the new one is there."""

from __future__ import annotations

import inspect
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES

import mtcodec
from mtcodec.codec.api import Codec
from mtcodec.errors import OutputError
from mtcodec.files import output
from mtcodec.files.state import STATE_NAME

pytestmark = pytest.mark.processes

SCENE = SCENES / "100020"
FAST = ("--coding", "classical", "--effort", "fast")
MTCODEC = (sys.executable, "-m", "mtcodec")
Mounted = Callable[..., "subprocess.CompletedProcess[str]"]


def files(directory: Path) -> dict[str, bytes]:
    paths = (p for p in directory.iterdir() if p.is_file() and p.name != STATE_NAME)
    return {p.name: p.read_bytes() for p in paths}


# --- file systems that refuse --------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    """Run a command with a file system of its own on ``tmp_path / "disk"``, prepared by shell commands.

    Standard output ends in the names and sizes of all files there.
    """
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(
        command: str, *, size: str, prepare: str = "true", freeze: bool = False
    ) -> subprocess.CompletedProcess[str]:
        where = shlex.quote(str(disk))
        read_only = f"mount -o remount,ro {where};" if freeze else ""
        script = (
            f"mount -t tmpfs -o size={size} none {where} || exit 99; cd {where}; {prepare}; {read_only} "
            f"{command}; code=$?; find . -type f -printf '%P %s\\n' | sort; exit $code"
        )
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 99 or "unshare" in done.stderr:
            pytest.skip("may not mount a file system here")
        return done

    return run


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory, small: Codec) -> Path:
    """A file of 300 kB, of which most needs no networks."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    path = tmp_path_factory.mktemp("encoded") / "noise.mtc"
    path.write_bytes(small.encode({"rgb": noise, "semantic": noise[..., 0] // 128}, max_error={"rgb": 0}))
    return path


def command(*words: object) -> str:
    return shlex.join([*MTCODEC, *map(str, words)])


def test_a_full_disk_leaves_the_old_output(mounted: Mounted, encoded: Path) -> None:
    for words in (
        ("extract", encoded, "--tasks", "rgb", "-o", "old", "--force"),
        ("encode", SCENE, "--tasks", "semantic,depth", "--lossless", "depth", "-o", "old", "--force"),
    ):
        done = mounted(
            command(*words), size="12k", prepare="echo kept > old; head -c 8192 /dev/zero > ballast"
        )
        assert done.returncode == 1, done
        assert done.stderr == "mtcodec: old: cannot write it: No space left on device\n"
        assert done.stdout == "ballast 8192\nold 5\n"


def test_a_full_disk_keeps_the_images_that_are_whole(mounted: Mounted, encoded: Path) -> None:
    done = mounted(command("decode", encoded, "-o", "images"), size="64k")
    assert done.returncode == 1 and done.stderr.endswith("cannot write it: No space left on device\n")
    assert done.stdout in ("", "images/semantic.png")


def test_a_full_disk_stops_packing(mounted: Mounted, small_weights: Path) -> None:
    done = mounted(
        command("pack", SCENES, "--weights", small_weights, "--workers", "1", "-o", "archive"), size="16k"
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr and ".tmp" not in done.stdout


def test_a_read_only_directory_keeps_what_it_has(mounted: Mounted, encoded: Path) -> None:
    words = ("extract", encoded, "--tasks", "rgb", "-o", "old", "--force")
    done = mounted(command(*words), size="1m", prepare="echo kept > old", freeze=True)
    assert (done.returncode, done.stdout) == (1, "old 5\n")
    assert done.stderr == "mtcodec: old: cannot write it: Read-only file system\n"


def test_a_limit_of_file_sizes_leaves_the_old_output(tmp_path: Path, encoded: Path) -> None:
    """What a full disk does, on systems that may not mount one."""
    (tmp_path / "old").write_text("kept")
    words = command("extract", encoded, "--tasks", "rgb", "-o", "old", "--force")
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 8; {words}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "mtcodec: old: cannot write it: File too large\n")
    assert files(tmp_path) == {"old": b"kept"}


def test_devices_and_links_are_written_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    output.write_atomic(link, b"through")
    assert link.is_symlink() and target.read_bytes() == b"through"
    output.write_atomic(Path("/dev/null"), b"nothing")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match="cannot write it"):
        output.write_atomic(tmp_path / "missing" / "file", b"")


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    output.write_atomic(tmp_path / "a", b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


# --- signals -------------------------------------------------------------------------------------


def version(k: int) -> bytes:
    """One of four contents of a file, of different lengths."""
    return bytes([k % 4]) * (3_000_000 + 100_000 * (k % 4))


VERSIONS = [version(k) for k in range(4)]
REWRITE = f"""
import itertools, sys
from pathlib import Path
from mtcodec.cli import app, main
from mtcodec.files.output import write_atomic
{inspect.getsource(version)}
@app.command()
def rewrite(path: Path) -> None:
    print("ready", flush=True)
    for k in itertools.count():
        write_atomic(path, version(k))
main()
"""


def rewriting(path: Path) -> subprocess.Popen[bytes]:
    """A process of our command line that writes ``path`` again and again."""
    words = [sys.executable, "-c", REWRITE, "rewrite", str(path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n", process.communicate()
    return process


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_whole_file(number: signal.Signals, code: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(VERSIONS[0])
    rng = np.random.default_rng(int(number))
    for _ in range(6):
        process = rewriting(path)
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (code, b"", b"")
        assert path.read_bytes() in VERSIONS
        left = [p for p in tmp_path.iterdir() if p != path]
        if number == signal.SIGKILL:  # which nothing can clean up after
            assert len(left) <= 1 and all(p.name.startswith(".file.") and p.suffix == ".tmp" for p in left)
            for temporary in left:
                temporary.unlink()
        else:
            assert left == []


def test_ctrl_c_is_quiet_at_any_time(tmp_path: Path) -> None:
    for wait in (0.2, 0.3, 0.5, 0.8):
        (tmp_path / "out.mtc").unlink(missing_ok=True)  # a quick machine was done before the last signal
        words = [*MTCODEC, "encode", str(SCENE), "-o", str(tmp_path / "out.mtc"), "--quiet"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode == -signal.SIGINT:  # before Python could do anything
            continue
        assert (process.returncode, out) in ((130, b""), (0, b"")) and b"Traceback" not in err
        assert [p.name for p in tmp_path.iterdir()] in ([], ["out.mtc"])


def test_ctrl_c_stops_all_processes_of_a_run_which_then_goes_on(tmp_path: Path) -> None:
    """A terminal sends SIGINT to the whole group; files that are there are whole."""
    out = tmp_path / "out"
    words = [*MTCODEC, "encode", str(SCENES), "-o", f"{out}/", "-j", "2", *FAST]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 60
    while not list(out.glob("*.mtc")) and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    written = files(out)
    assert 0 < len(written) < 6 and all(name.endswith(".mtc") for name in written)
    again = subprocess.run([*words, "--skip-existing"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1].endswith(f" {len(written)} were there")
    assert len(files(out)) == 6 and written.items() <= files(out).items()
    for data in files(out).values():
        assert set(mtcodec.decode(data)) == {"rgb", "depth", "normal", "semantic"}


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    """Nothing that it has written is unknown to the next run, and none of it is made again."""
    out = tmp_path / "out"
    words = [*MTCODEC, "encode", str(SCENES), "-o", f"{out}/", *FAST, "--skip-existing", "-q"]
    counts = [0]
    for _ in range(6):
        process = subprocess.Popen(words, stderr=subprocess.PIPE)
        while len(list(out.glob("*.mtc"))) == counts[-1] and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        _, err = process.communicate(timeout=60)
        assert err == b""
        counts.append(len(list(out.glob("*.mtc"))))
    assert counts == sorted(counts) and counts[-1] > 0
    written = {name: data for name, data in files(out).items() if name.endswith(".mtc")}
    last = subprocess.run([*words[:-1], "--json"], capture_output=True, text=True, check=False)
    assert (last.returncode, last.stderr) == (0, "")
    assert len(last.stdout.splitlines()) == 6 - len(written)
    assert written.items() <= files(out).items() and len(list(out.glob("*.mtc"))) == 6


# --- rivals --------------------------------------------------------------------------------------


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(VERSIONS[0])
    rivals = [rewriting(path), rewriting(path)]
    end = time.monotonic() + 2
    seen = set()
    while time.monotonic() < end:
        data = path.read_bytes()
        assert data in VERSIONS
        seen.add(data[0])
    for process in rivals:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
        process.communicate()
    assert len(seen) > 1 and list(tmp_path.iterdir()) == [path]
