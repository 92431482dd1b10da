"""``--attach``: small files go with a scene through every command."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from shared.commands import Run, fails, files, write

import mtcodec
from mtcodec.archive.read import ArchiveReader
from mtcodec.cli.report import amount
from mtcodec.container.mtc import SplitReader
from mtcodec.view import texts

QUICK = ("--coding", "classical", "--effort", "fast")
CAMERA = b'{"fx": 525.0}'


def size(directory: Path) -> int:
    """Bytes of all files in it."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def scenes(tmp_path: Path, pixels: dict[str, np.ndarray]) -> Path:
    """Two directories of scenes with a camera's file."""
    for name in ("a", "b"):
        for task in ("depth", "semantic"):
            write(tmp_path / "data" / name / f"{task}.png", pixels[task])
        (tmp_path / "data" / name / "camera.json").write_bytes(CAMERA + name.encode())
    return tmp_path / "data"


def test_encode_info_extract_verify_decode(run: Run, scenes: Path, tmp_path: Path) -> None:
    listed = run("encode", scenes, "--attach", "camera.json", "--dry-run")
    assert [line.split() for line in listed.lines[:4]] == [
        ["file", "task", "image", "size", "values", "kind", "unit"],
        ["a.mtc", "depth", "depth.png", "80×64", "uint16", "depth", "1mm,", "assumed"],
        ["semantic", "semantic.png", "80×64", "uint8", "categories"],
        ["+camera.json"],
    ]
    (facts, _) = map(
        json.loads, run("encode", scenes, "--attach", "camera.json", "--dry-run", "--json").lines
    )
    assert facts["attached"] == {"camera.json": str(scenes / "a" / "camera.json")}
    out = tmp_path / "out"
    done = run("encode", scenes, "-o", out, "--attach", "camera.json")
    assert done.code == 0 and "camera.json" not in done.err
    assert mtcodec.attachments(out / "b.mtc") == {"camera.json": CAMERA + b"b"}
    assert "  attached camera.json: 14 bytes" in run("info", out / "b.mtc").lines
    part = tmp_path / "part.mtc"
    assert run("extract", out / "b.mtc", "--tasks", "semantic", "-o", part).code == 0
    assert run("verify", part).code == 0
    images = tmp_path / "images"
    assert run("decode", part, "-o", images).lines == [
        str(images / n) for n in ("semantic.png", "camera.json")
    ]
    assert (images / "camera.json").read_bytes() == CAMERA + b"b"
    (images / "semantic.png").unlink()
    (images / "camera.json").write_bytes(b"mine")
    for force in ((), ("--force",)):
        fails(run("decode", part, "-o", images, *force), 1, f"{images / 'camera.json'}: exists already, with")
    assert files(images) == ["camera.json"]
    (images / "camera.json").write_bytes(CAMERA + b"b")
    assert run("decode", part, "-o", images).code == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_decoding_many_writes_and_counts_them(jobs: int, run: Run, scenes: Path, tmp_path: Path) -> None:
    out, images = tmp_path / "out", tmp_path / "images"
    assert run("encode", scenes, "-o", out, "--attach", "camera.json", *QUICK).code == 0
    done = run("decode", out, "-o", images, "-j", jobs)
    assert done.code == 0 and (images / "b" / "camera.json").read_bytes() == CAMERA + b"b"
    names = ["depth.png", "semantic.png", "camera.json"]
    assert sorted(done.lines[:-1]) == sorted(str(images / key / name) for key in "ab" for name in names)
    assert f" → {amount(size(images))} (" in done.lines[-1]
    for path in images.rglob("*.png"):
        path.unlink()
    (images / "a" / "camera.json").write_bytes(b"mine")
    fails(run("decode", out, "-o", images, "-q"), 1, f"{images / 'a' / 'camera.json'}: exists already")
    (images / "a" / "camera.json").unlink()
    file = out / "b.mtc"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    done = run("decode", out, "-o", images, "--skip-errors", "--force")
    assert done.code == 3 and f"{file}: what is attached is lost: section files: damaged" in done.err
    assert "depth.png" in files(images / "b") and done.lines[-1].endswith(", 1 failed")


def test_help_has_it_among_the_usual_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in ("encode", "pack"):
        text = run(command, "--help").out.decode()
        assert text.index("--tasks") < text.index("--attach") < text.index("Many scenes"), command


def test_a_page_shows_their_bytes(run: Run, scenes: Path, tmp_path: Path) -> None:
    out, archive, shard = tmp_path / "out", tmp_path / "archive", tmp_path / "x.tar"
    assert run("encode", scenes, "-o", out, "--attach", "camera.json", *QUICK).code == 0
    assert run("pack", scenes, "-o", archive, "--attach", "camera.json", *QUICK, "--workers", 1).code == 0
    with tarfile.open(shard, "w") as file:
        file.add(scenes, ".")
    before = "instead of " + texts.size(sum(p.stat().st_size for p in scenes.rglob("*.png")))
    for place in (out, archive):
        done = run("view", place, "-o", "-", "--original", shard)
        page = done.out.decode()
        assert done.code == 0 and page.count("<b>files</b>") == 2 and before in page


def test_damage_to_them_costs_no_image(run: Run, scenes: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.mtc"
    assert run("encode", scenes / "a", "-o", file, "--attach", "camera.json").code == 0
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    done = run("decode", file)
    assert done.code == 3 and files(tmp_path / "a.decoded") == ["depth.png", "semantic.png"]
    assert "what is attached is lost: section files: damaged (checksum)" in done.err
    assert "section files: damaged (checksum)" in run("verify", file).err
    fails(run("extract", file, "--tasks", "depth", "-o", "-"), 3, "section files: damaged (checksum)")
    assert run("info", file).code == 0


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("nowhere.json", 1, "cannot attach it: No such file or directory"),
        ("de pth.txt", 2, "not a plain file name: 'de pth.txt'"),
        ("depth.png", 2, "depth.png is what an image of the scene is called"),
    ],
)
def test_refuses(name: str, code: int, message: str, run: Run, scenes: Path, tmp_path: Path) -> None:
    (scenes / "a" / "de pth.txt").write_text("")
    fails(run("encode", scenes / "a", "-o", tmp_path / "x.mtc", "--attach", name, "-q"), code, message)
    assert not (tmp_path / "x.mtc").exists()


def test_archives(run: Run, scenes: Path, tmp_path: Path) -> None:
    archive, part = tmp_path / "archive", tmp_path / "part"
    arguments = ("--coding", "classical", "--workers", 1)
    assert run("pack", scenes, "-o", archive, "--attach", "camera.json", *arguments).code == 0
    assert "attach ['camera.json']" in run("info", archive).lines[0]
    assert run("extract", archive, "--tasks", "semantic", "-o", part).code == 0
    for place in (archive, part):
        out = tmp_path / f"from-{place.name}"
        assert run("verify", place).code == 0
        done = run("unpack", place, "-o", out, "--workers", 1)
        read = sum(
            content.header.file_size
            for _, content in ArchiveReader(place).all_entries()
            if isinstance(content, SplitReader)
        )
        assert done.code == 0 and f" {amount(read)} → {amount(size(out))} (" in done.lines[-1]
        assert (out / "b" / "camera.json").read_bytes() == CAMERA + b"b"
    fails(run("unpack", part, "-o", out, "--workers", 1), 1, "exists already")
    fails(run("pack", scenes, "-o", archive, *arguments, "-q"), 2, "with other weights, tasks or settings")
