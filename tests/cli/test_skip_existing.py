"""``encode --skip-existing``: a file is left alone if it is whole, and was made of these images so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run, fails, files, image, start, write

import mtcodec
from mtcodec.files.state import STATE_NAME

CLASSICAL = ("--coding", "classical", "--effort", "fast")
Change = Callable[[Path], object]


def sequence(place: Path, seed: int, count: int = 3) -> Path:
    """A dataset whose scenes are called alike, whatever the ``seed``."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        write(place / f"rgb/{k}.png", rng.integers(0, 255, (16, 24, 3), np.uint8))
        write(place / f"depth/{k}.png", rng.integers(500, 900, (16, 24), np.uint16))
    return place


def encoded(directory: Path) -> dict[str, bytes]:
    """The files of scenes by path."""
    return {name: (directory / name).read_bytes() for name in files(directory) if name.endswith(".mtc")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return sequence(tmp_path / "seq-01", 1)


@pytest.fixture
def out(data: Path, tmp_path: Path, run: Run) -> Path:
    assert run("encode", data, "-o", tmp_path / "out", *CLASSICAL, "-q").code == 0
    return tmp_path / "out"


def refused(run: Run, out: Path, reason: str, *words: object, count: int = 3) -> None:
    """All that is there is refused by name with a ``reason``, and left as it is."""
    before = encoded(out)
    result = run("encode", *words, "-o", out, "--skip-existing", "-q")
    assert (result.code, result.out) == (1, b""), result
    lines = result.err.splitlines()
    assert len(lines) == count + (count > 1)
    for line in lines[:count]:
        assert f"{out}/" in line and ".mtc: is there already, but " in line and reason in line
    assert "--force" in lines[-1] and lines[-1].startswith("mtcodec: ")
    assert encoded(out) == before


def test_the_same_again_is_left_alone(data: Path, out: Path, run: Run) -> None:
    before = {name: (out / name).stat().st_mtime_ns for name in encoded(out)}
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert (result.code, result.err) == (0, "") and result.lines[0].endswith("3 were there")
    assert {name: (out / name).stat().st_mtime_ns for name in encoded(out)} == before
    sequence(data, 1, 4)  # writes all images again
    refused(run, out, "made of another depth image", data, *CLASSICAL)


def test_another_sequence_is_refused_by_name_or_replaces_what_is_there(
    out: Path, tmp_path: Path, run: Run
) -> None:
    other = sequence(tmp_path / "seq-02", 2)
    refused(run, out, "made of another depth image", other, *CLASSICAL)
    before = encoded(out)
    result = run("encode", other, "-o", out, *CLASSICAL, "--skip-existing", "--force")
    assert result.code == 0 and result.lines[-1].startswith("3 scenes") and "were there" not in result.err
    assert all(f"note: {out}/{k}.mtc: made anew (made of another" in result.err for k in range(3))
    assert run("encode", other, "-o", tmp_path / "plain", *CLASSICAL, "-q").code == 0
    assert encoded(out) == encoded(tmp_path / "plain") != before
    assert run("encode", other, "-o", out, *CLASSICAL, "--skip-existing").lines[-1].endswith("3 were there")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--lossless", "depth"), "max_error"),
        (("--max-error", "depth=5mm"), "max_error"),
        (("--quality", 20), "quality 65, not 20"),
        (("--quality", "rgb=20"), "task_quality"),
        (("--unit", "depth=0.2mm"), "units"),
        (("--invalid", "depth=700"), "invalid"),
        (("--invalid", "none"), "usual_holes"),
        (("--effort", "normal"), "effort fast, not normal"),
        (("--coding", "auto"), "coding classical, not auto"),
        (("--target-bpp", 9), "target_bpp"),
        (("--target-bytes", 900), "target_bytes"),
        (("--target-psnr", "rgb=20"), "target_psnr"),
        (("--best-effort",), "best_effort"),
        (("--measures",), "measures"),
        (("--task", "depth:data"), "tasks"),
        (("--tasks", "rgb"), "made with tasks depth, "),
    ],
)
def test_other_settings_are_refused(
    words: tuple[object, ...], reason: str, data: Path, out: Path, run: Run
) -> None:
    refused(run, out, reason, data, *CLASSICAL, *words)


def test_what_differs_is_said_in_words_of_the_command_line(data: Path, out: Path, run: Run) -> None:
    result = run("encode", data, "-o", out, *CLASSICAL, "--lossless", "depth", "--skip-existing")
    assert "max_error default, not depth=0\n" in result.err
    state = out / STATE_NAME
    state.write_text(state.read_text().replace('"made_of":{', '"made_of":{"new":1,'))
    refused(run, out, "made by another release", data, *CLASSICAL)


def test_an_image_that_cannot_be_read_any_more_is_said(data: Path, out: Path, run: Run) -> None:
    (data / "depth/1.png").unlink()
    (data / "depth/1.png").symlink_to("nowhere.png")
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert result.code == 1 and "None" not in result.err, result


def test_other_weights_and_releases_are_refused(
    tmp_path: Path, data: Path, run: Run, small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, words = tmp_path / "out", (*CLASSICAL[2:], "--weights")
    assert run("encode", data, "-o", out, *words, "clevr", "-q").code == 0
    assert (
        run("encode", data, "-o", out, *words, small_weights, "-q", "--skip-existing").code == 0
    )  # the same
    monkeypatch.setenv("MTCODEC_WEIGHTS", "")
    refused(run, out, "weights", data, *words, "clevr")
    monkeypatch.setattr(mtcodec, "__version__", "9.9")
    refused(run, out, "mtcodec 0.", data, *words, small_weights)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it has 0 bytes, not 1"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "it has 1"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "its checksum"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "it has 1"),
    ],
)
def test_what_is_damaged_is_not_done(
    change: Change, reason: str, data: Path, out: Path, tmp_path: Path, run: Run
) -> None:
    whole = encoded(out)
    change(out / "1.mtc")
    refused(run, out, f"damaged or changed since: {reason}", data, *CLASSICAL, count=1)
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing", "--force")
    assert result.code == 0 and result.lines[-1].endswith("2 were there") and encoded(out) == whole


def test_what_nothing_is_known_of_is_refused(data: Path, out: Path, run: Run) -> None:
    (out / STATE_NAME).unlink()
    refused(run, out, "nothing tells what it was made of", data, *CLASSICAL)
    assert run("encode", data, "-o", out, *CLASSICAL, "--force", "-q").code == 0
    assert run("encode", data, "-o", out, *CLASSICAL, "--skip-existing").lines[-1].endswith("3 were there")


@pytest.mark.parametrize("rest", [b"", b"{", b"[]\n", b"\0\xff\n", b"{}\n", b"null\n" * 3, b'{"file": 1}\n'])
def test_a_state_that_is_cut_off_or_garbled_costs_what_it_lost_only(
    rest: bytes, data: Path, out: Path, run: Run
) -> None:
    lines = (out / STATE_NAME).read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["file"] for line in lines] == ["0.mtc", "1.mtc", "2.mtc"]
    (out / STATE_NAME).write_bytes(lines[0] + lines[1] + lines[2][:-9] + rest)
    refused(run, out, "nothing tells", data, *CLASSICAL, count=1)
    assert run("encode", data, "-o", out, *CLASSICAL, "--skip-existing", "--force", "-q").code == 0
    assert run("encode", data, "-o", out, *CLASSICAL, "--skip-existing").lines[-1].endswith("3 were there")


def test_the_state_does_not_grow_where_nothing_changes(data: Path, out: Path, run: Run) -> None:
    before = (out / STATE_NAME).read_bytes()
    assert run("encode", data, "-o", out, *CLASSICAL, "--force", "-q").code == 0
    assert (out / STATE_NAME).read_bytes() == before and (out / STATE_NAME).is_file()


def test_an_image_that_changes_without_its_size_and_one_that_comes_are_seen(
    data: Path, out: Path, run: Run
) -> None:
    path = data / "depth/1.png"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    refused(run, out, "made of another depth image: 1.png had another time", data, *CLASSICAL, count=1)
    write(data / "normal/2.png", np.full((16, 24, 3), 128, np.uint8))
    shutil.copy2(out / "0.mtc", out / "1.mtc")
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert result.code == 1 and "2.mtc: is there already, but made with tasks depth, " in result.err
    assert "1.mtc: is there already, but damaged or changed since" in result.err and "0.mtc" not in result.err


def test_images_of_one_size_and_time_are_told_apart(data: Path, out: Path, run: Run) -> None:
    for k in range(3):
        path = data / f"depth/{k}.png"
        time, content = path.stat().st_mtime_ns, path.read_bytes()
        path.write_bytes(content[:-20] + bytes(20))
        os.utime(path, ns=(time, time))
    refused(run, out, ".png had another content", data, *CLASSICAL)


def test_a_dataset_that_moved_is_the_same(data: Path, out: Path, tmp_path: Path, run: Run) -> None:
    moved = shutil.move(data, tmp_path / "elsewhere")
    shutil.move(out, tmp_path / "far")
    result = run("encode", moved, "-o", tmp_path / "far", *CLASSICAL, "--skip-existing")
    assert result.code == 0 and result.lines[-1].endswith("3 were there")


def test_new_scenes_are_added(data: Path, out: Path, run: Run) -> None:
    for task in ("rgb", "depth"):
        shutil.copy2(data / task / "0.png", data / task / "3.png")
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert result.code == 0 and result.lines[-1].endswith("3 were there") and len(encoded(out)) == 4


def test_attached_files_count(data: Path, tmp_path: Path, run: Run) -> None:
    out, words = tmp_path / "out", (*CLASSICAL, "--attach", "camera.json")
    (data / "camera.json").write_text("{}")
    assert run("encode", data, "-o", out, *words, "-q").code == 0
    assert run("encode", data, "-o", out, *words, "--skip-existing").lines[-1].endswith("3 were there")
    (data / "camera.json").write_text('{"f": 1}')
    refused(run, out, "made of another attached file: camera.json had 2 bytes, not 8", data, *words)
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert result.code == 1 and result.err.count("made with the attached files camera.json, not none") == 3


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_scenes_of_one_file(kind: str, data: Path, tmp_path: Path, run: Run) -> None:
    def made(name: str, root: Path) -> Path:
        path = tmp_path / f"{name}.{kind}"
        if kind == "tar":
            return Path(shutil.make_archive(str(path.with_suffix("")), "tar", root))
        arrow = pytest.importorskip("pyarrow")
        images = {
            task: [(root / task / f"{k}.png").read_bytes() for k in range(3)] for task in ("rgb", "depth")
        }
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table({**images, "key": list("012")}), path)
        return path

    path, out = made("shard", data), tmp_path / "out"
    assert run("encode", path, "-o", out, *CLASSICAL, "-q").code == 0
    assert run("encode", path, "-o", out, *CLASSICAL, "--skip-existing").lines[-1].endswith("3 were there")
    made("shard", sequence(tmp_path / "seq-02", 2))
    refused(run, out, "made of another depth image: shard", path, *CLASSICAL)


def test_one_file(data: Path, tmp_path: Path, run: Run) -> None:
    """The state of a single file lies beside it, if --skip-existing is used for it."""
    scenes = [tmp_path / name / "scene" for name in ("a", "b")]
    for k, scene in enumerate(scenes):
        for task in ("rgb", "depth"):
            write(scene / f"{task}.png", image(data / task / f"{k}.png"))
    out = tmp_path / "out"
    out.mkdir()
    command = ("-o", out / "x.mtc", *CLASSICAL, "-q")
    assert run("encode", scenes[0], *command).code == 0 and [path.name for path in out.iterdir()] == ["x.mtc"]
    fails(
        run("encode", scenes[0], *command, "--skip-existing"), 1, "x.mtc: is there already, but nothing tells"
    )
    assert run("encode", scenes[0], *command, "--skip-existing", "--force").code == 0
    assert [path.name for path in sorted(out.iterdir())] == [STATE_NAME, "x.mtc"]
    done = run("encode", scenes[0], *command[:-1], "--skip-existing")
    assert done == (0, b"", f"mtcodec: note: {out}/x.mtc: is there already\n")
    fails(
        run("encode", scenes[1], *command, "--skip-existing"), 1, "x.mtc: is there already, but made of ano"
    )
    assert run("encode", scenes[1], *command, "--force").code == 0  # remembered, as there is a state
    assert run("encode", scenes[1], *command, "--skip-existing").code == 0
    assert run("encode", scenes[1], "-o", "/dev/null", *CLASSICAL, "-q", "--skip-existing").code == 0
    assert not Path("/dev", STATE_NAME).exists()


def test_a_dry_run_tells_what_would_be_refused(out: Path, data: Path, tmp_path: Path, run: Run) -> None:
    words = ("-o", out, *CLASSICAL, "--skip-existing", "--dry-run")
    assert run("encode", data, *words).lines[-1] == "0 scenes to encode, 3 there already"
    result = run("encode", sequence(tmp_path / "seq-02", 2), *words)
    assert result.code == 1 and "0.mtc: is there already, but made of another" in result.err
    assert run("encode", tmp_path / "seq-02", *words, "--force").code == 0


def test_many_that_are_refused_are_counted(tmp_path: Path, run: Run) -> None:
    data, out = sequence(tmp_path / "data", 1, 30), tmp_path / "out"
    out.mkdir()
    for k in range(30):
        (out / f"{k}.mtc").write_bytes(b"precious")
    result = run("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert result.code == 1 and len(result.err.splitlines()) == 22
    assert "and 10 more such files" in result.err and "mtcodec: 30 files" in result.err


@pytest.mark.processes
def test_runs_side_by_side_remember_all(tmp_path: Path) -> None:
    """Processes of one run, and two runs of other scenes into one directory."""
    import subprocess
    import sys

    data, out = sequence(tmp_path / "data", 1, 40), tmp_path / "out"
    halves = [tmp_path / f"half{k}" for k in range(2)]
    for k in range(40):
        for task in ("rgb", "depth"):
            path = halves[k % 2] / task / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(data / task / f"{k}.png", path)
    command = [sys.executable, "-m", "mtcodec", "encode"]
    words = ["-o", f"{out}/", *CLASSICAL, "-q", "-j", "2"]
    runs = [subprocess.Popen([*command, str(half), *words]) for half in halves]
    assert [process.wait(timeout=120) for process in runs] == [0, 0]
    done = start("encode", data, "-o", out, *CLASSICAL, "--skip-existing")
    assert done.returncode == 0 and done.stdout.decode().endswith("40 were there\n"), done


@pytest.fixture(autouse=True)
def _no_other_state() -> Iterator[None]:
    yield
    assert not Path(STATE_NAME).exists()
