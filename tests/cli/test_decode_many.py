"""``mtcodec decode`` of several files and of directories of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from shared.commands import Run, fails, files

QUICK = ("--coding", "classical", "--effort", "fast", "-q")


@pytest.fixture
def encoded(dataset: Path, tmp_path: Path, run: Run) -> Path:
    assert run("encode", dataset, "-o", tmp_path / "in", *QUICK).code == 0
    return tmp_path / "in"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_directory_becomes_a_dataset(jobs: int, encoded: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    result = run("decode", encoded, "-o", out, "-j", jobs)
    images = [
        "train/1/depth.png",
        "train/1/rgb.png",
        "train/1/semantic.png",
        "val/2/rgb.png",
        "val/2/semantic.png",
    ]
    assert (result.code, result.err, files(out)) == (0, "", images)
    assert sorted(result.lines[:-1]) == [str(out / name) for name in images]
    read = sum(path.stat().st_size for path in encoded.rglob("*.mtc"))
    assert result.lines[-1].startswith(f"2 scenes, {read / 1000:.3g} kB → ")
    fails(run("decode", encoded, "-o", out, "-q"), 1, "exists already")
    assert run("decode", encoded, "-o", out, "-q", "--force") == (0, b"", "")


def test_files_are_decoded_beside_themselves_or_into_directories_of_their_names(
    encoded: Path, tmp_path: Path, run: Run
) -> None:
    first, second = encoded / "train" / "1.mtc", encoded / "val" / "2.mtc"
    assert run("decode", first, second, "--tasks", "rgb", "-q").code == 0
    assert (first.with_suffix(".decoded") / "rgb.png").is_file() and (
        second.with_suffix(".decoded") / "rgb.png"
    ).is_file()
    assert run("decode", first, second, "--tasks", "rgb", "-q", "-o", tmp_path / "out").code == 0
    assert files(tmp_path / "out") == ["1/rgb.png", "2/rgb.png"]


def test_files_that_fail_stop_a_run_or_are_listed_at_its_end(encoded: Path, tmp_path: Path, run: Run) -> None:
    (encoded / "train" / "1.mtc").write_bytes(b"no file")
    out = tmp_path / "out"
    fails(run("decode", encoded, "-o", out), 3, "train/1.mtc")
    assert not out.exists()
    result = run("decode", encoded, "-o", out, "--skip-errors")
    assert (
        result.code == 3 and "skipped: " in result.err and "1 of 2 files could not be decoded" in result.err
    )
    assert files(out) == ["val/2/rgb.png", "val/2/semantic.png"] and result.lines[-1].endswith(", 1 failed")


def test_files_that_go_to_one_directory_are_refused(encoded: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "1.mtc").write_bytes((encoded / "train" / "1.mtc").read_bytes())
    paths = (encoded / "train" / "1.mtc", tmp_path / "1.mtc")
    fails(run("decode", *paths, "-o", tmp_path / "out"), 2, "both go to")
    (tmp_path / "empty").mkdir()
    fails(run("decode", tmp_path / "empty"), 1, "no .mtc files in it")
    fails(
        run("decode", "-", paths[0], "-o", tmp_path / "out"), 2, "standard input needs -o DIR, and no other"
    )
