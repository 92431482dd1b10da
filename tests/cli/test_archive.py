"""``mtcodec archive``: what its commands print, and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run, fails

from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import Request


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "a"
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    job = Job(None, ("semantic",), Request(coding="classical"))
    pack_scenes(((f"s{k}", {"semantic": image + np.uint8(k)}) for k in range(6)), path, job)
    return path


def test_check_is_verify(run: Run, archive: Path) -> None:
    assert run("archive", "check", archive) == run("verify", archive)
    assert run("verify", archive).lines == [f"{archive}: 6 scenes, undamaged"]


def test_merge_split_and_sample(run: Run, archive: Path, tmp_path: Path) -> None:
    done = run("archive", "sample", archive, "-o", tmp_path / "s", "--scenes", 4, "--json")
    (facts,) = json.loads(done.out)["archives"]
    size = sum(path.stat().st_size for path in (tmp_path / "s").iterdir())
    assert facts == {"archive": str(tmp_path / "s"), "scenes": 4, "bytes": size}
    done = run("archive", "merge", tmp_path / "s", archive, "-o", tmp_path / "m", "--skip-existing")
    assert done.code == 0 and done.lines[0].startswith(f"{tmp_path / 'm'}: 6 scenes, ") and done.err == ""
    fails(run("archive", "merge", tmp_path / "s", archive, "-o", tmp_path / "n"), 2, "is there twice")
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    job = Job(None, ("semantic",), Request(coding="classical"))
    pack_scenes([("s1", {"semantic": image + np.uint8(1)}), ("s2", {"semantic": image})], tmp_path / "x", job)
    done = run("archive", "merge", archive, tmp_path / "x", "-o", tmp_path / "y", "--skip-existing", "-q")
    left_out = "left out, as an earlier archive has other scenes of these names: s2"  # s1 is the same
    assert (done.code, done.err) == (0, f"mtcodec: warning: {tmp_path / 'x'}: {left_out}\n")
    fails(run("archive", "merge", archive, "-o", tmp_path / "m"), 1, "--force replaces it")
    assert run("archive", "merge", archive, "-o", tmp_path / "m", "--force", "-q") == (0, b"", "")
    (tmp_path / "train.txt").write_text("s1\n\ns5\n")
    (tmp_path / "val.txt").write_text("s2\n")
    lists = [word for name in ("train", "val") for word in ("--keys", tmp_path / f"{name}.txt")]
    done = run("archive", "split", archive, "-o", tmp_path / "d", *lists)
    assert [line.split(", ")[0] for line in done.lines] == [
        f"{tmp_path / 'd' / 'train'}: 2 scenes",
        f"{tmp_path / 'd' / 'val'}: 1 scene",
    ]
    assert ArchiveReader(tmp_path / "d" / "train").rows == 2
    for wrong in ([], ["--parts", 2, "--scenes", 3]):
        fails(run("archive", "split", archive, "-o", tmp_path / "e", *wrong), 2, "one of --parts, --scenes")
    fails(run("archive", "sample", archive, "--scenes", 2), 2, "missing -o")


def test_extract_replaces_archives_only_if_asked(run: Run, archive: Path, tmp_path: Path) -> None:
    command = ("extract", archive, "--tasks", "semantic", "-o", tmp_path / "x")
    assert run(*command).code == 0
    fails(run(*command), 1, "has an archive already (--force replaces it)")
    assert run(*command, "--force").code == 0 and ArchiveReader(tmp_path / "x").rows == 6
