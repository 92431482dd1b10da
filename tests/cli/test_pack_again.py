"""``pack`` goes on where it was: with the same images, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, fails, start, write

import mtcodec
from mtcodec.archive.names import STATE
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.codec.request import Request
from mtcodec.errors import OutputError

CLASSICAL = ("--coding", "classical", "--effort", "fast", "--workers", 1)


def sequence(place: Path, seed: int, count: int = 4) -> Path:
    """A dataset whose scenes are called alike, whatever the ``seed``."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        write(place / f"rgb/{k}.png", rng.integers(0, 255, (16, 24, 3), np.uint8))
        write(place / f"depth/{k}.png", rng.integers(500, 900, (16, 24), np.uint16))
    return place


def content(archive: Path) -> dict[str, bytes]:
    """Shards by name."""
    return {path.name: path.read_bytes() for path in archive.glob("*.parquet")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return sequence(tmp_path / "seq-01", 1)


@pytest.fixture
def archive(data: Path, tmp_path: Path, run: Run) -> Path:
    out = tmp_path / "archive"
    assert run("pack", data, "-o", out, *CLASSICAL, "--shard-scenes", 2, "-q").code == 0
    return out


def refused(run: Run, archive: Path, reason: str, *words: object) -> None:
    """It is refused in one line, and the archive stays as it is."""
    before = content(archive)
    fails(run("pack", *words, "-o", archive, *CLASSICAL, "-q"), 1, f"{archive}: ", reason)
    assert content(archive) == before


def test_it_goes_on(data: Path, archive: Path, tmp_path: Path, run: Run) -> None:
    whole = content(archive)
    (archive / "shard-00001.parquet").unlink()
    (archive / "archive.json").unlink()
    moved = shutil.move(data, tmp_path / "elsewhere")
    result = run("pack", moved, "-o", archive, *CLASSICAL, "--shard-scenes", 2, "--json")
    facts = json.loads(result.out)
    assert (result.code, facts["scenes"], facts["before"]) == (0, 2, 2) and content(archive) == whole
    facts = json.loads(run("pack", moved, "-o", archive, *CLASSICAL, "--json").out)
    assert (facts["scenes"], facts["before"]) == (0, 4) and content(archive) == whole


def test_another_dataset_is_refused_by_name(archive: Path, tmp_path: Path, run: Run) -> None:
    other = sequence(tmp_path / "seq-02", 2)
    refused(run, archive, "has scenes of other images or tasks, 0, 1, 2, 3: ", other)
    refused(run, archive, "has scenes of other images or tasks, 0, 1, 2, 3: ", other, "--append")
    longer = sequence(tmp_path / "seq-03", 3, 6)
    refused(run, archive, "has scenes of other images or tasks, 0, 1, 2, 3: ", longer)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.utime(path, ns=(0, 1)),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.rename(path.with_name("1.PNG")),
        lambda path: path.unlink(),
    ],
)
def test_an_image_that_changed_is_refused_by_name(
    change: Callable[[Path], object], data: Path, archive: Path, run: Run
) -> None:
    change(data / "depth" / "1.png")
    refused(run, archive, "has scenes of other images or tasks, 1: ", data)


def test_fewer_tasks_and_other_attached_files_are_refused(data: Path, tmp_path: Path, run: Run) -> None:
    archive, words = tmp_path / "archive", (data, "--attach", "camera.json")
    (data / "camera.json").write_text("{}")
    assert run("pack", *words, "-o", archive, *CLASSICAL, "-q").code == 0
    refused(run, archive, "has scenes of other images or tasks, 0, 1, 2, 3: ", *words, "--tasks", "rgb")
    (data / "camera.json").write_text('{"f": 1}')
    refused(run, archive, "has scenes of other images or tasks, 0, 1, 2, 3: ", *words)


def test_what_nothing_is_known_of_is_refused(data: Path, archive: Path, run: Run) -> None:
    [*states] = (archive / STATE).iterdir()
    assert len(states) == 2
    states[0].write_bytes(states[0].read_bytes()[:-3])
    fails(run("pack", data, "-o", archive, *CLASSICAL), 1, "nothing tells what they were made of, ")
    shutil.rmtree(archive / STATE)
    refused(run, archive, "nothing tells what they were made of, 0, 1, 2, 3: ", data)


def test_scenes_are_bound_to_what_is_stored_of_them(
    data: Path, archive: Path, tmp_path: Path, run: Run
) -> None:
    """A shard of another archive under the same name is not what the state speaks of."""
    other = tmp_path / "other"
    assert (
        run("pack", sequence(tmp_path / "b", 2), "-o", other, *CLASSICAL, "--shard-scenes", 2, "-q").code == 0
    )
    for name in ("shard-00000.parquet", "archive.json"):
        shutil.copy(other / name, archive / name)
    refused(run, archive, "nothing tells what they were made of, 0, 1: ", data)


def test_new_scenes_are_added_and_the_state_stays_small(data: Path, archive: Path, run: Run) -> None:
    for task in ("rgb", "depth"):
        shutil.copy2(data / task / "0.png", data / task / "4.png")
    facts = json.loads(run("pack", data, "-o", archive, *CLASSICAL, "--json").out)
    assert (facts["scenes"], facts["before"]) == (1, 4)
    assert sum(path.stat().st_size for path in (archive / STATE).iterdir()) == 5 * 16
    assert run("verify", archive, "--decode").code == 0


def test_managed_archives_replace_those_with_a_state(archive: Path, tmp_path: Path, run: Run) -> None:
    copy = tmp_path / "copy"
    assert run("extract", archive, "--tasks", "depth", "-o", copy).code == 0
    shutil.copytree(archive / STATE, copy / STATE)
    assert run("archive", "sample", archive, "--scenes", 2, "-o", copy, "--force").code == 0
    assert not (copy / STATE).exists() and len(mtcodec.Archive(copy, numpy=True)) == 2


def test_arrays_of_a_program_are_told_apart(tmp_path: Path) -> None:
    job = Job(None, ("rgb",), Request(coding="classical", effort="fast"))
    images = np.random.default_rng(0).integers(0, 255, (3, 16, 24, 3), np.uint8)
    scenes = [(f"{k}", {"rgb": image}) for k, image in enumerate(images)]
    assert pack_scenes(scenes[:2], tmp_path / "a", job).scenes == 2
    again = pack_scenes(scenes, tmp_path / "a", job)
    assert (again.scenes, again.before) == (1, 2)
    with pytest.raises(OutputError, match="has scenes of other images or tasks, 0: "):
        pack_scenes([("0", {"rgb": images[1]})], tmp_path / "a", job)


def test_bundled_scenes_go_on_in_memory(run: Run) -> None:
    for before in (0, 6):
        facts = json.loads(run("pack", SCENES, "-o", "memory://again/a", *CLASSICAL, "--json").out)
        assert facts["before"] == before


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_a_scene_whose_name_is_no_text_is_one_line_and_can_be_skipped(tmp_path: Path, run: Run) -> None:
    data = sequence(tmp_path / "data", 1, count=2)
    for task in ("rgb", "depth"):
        source = data / task / "1.png"
        source.rename(source.with_name(os.fsdecode(b"bad\xff.png")))
    command = ("pack", data, "-o", tmp_path / "archive", *CLASSICAL)
    refused = start(*command, "-q")
    assert refused.returncode == 1 and refused.stderr.count(b"\n") == 1, refused.stderr
    assert b"its name is no UTF-8" in refused.stderr
    skipped = start(*command, "--skip-errors")
    assert skipped.returncode == 1 and b"Traceback" not in skipped.stderr, skipped.stderr
    assert b"its name is no UTF-8" in skipped.stderr
    assert run("verify", tmp_path / "archive").out.endswith(b"1 scene, undamaged\n")
    strict = {**os.environ, "PYTHONIOENCODING": "latin-1:strict"}  # as a locale of another encoding gives
    encoded = start("encode", data, "-o", tmp_path / "out", *CLASSICAL[:4], env=strict)
    assert encoded.returncode == 0 and b"bad\\udcff.mtc" in encoded.stdout, encoded
