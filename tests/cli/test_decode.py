"""``mtcodec decode``, ``extract`` and ``info``: whole files, parts of them, and damaged ones."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, fails, files, image, start

import mtcodec
from mtcodec.container.header import parse
from mtcodec.container.mtc import Reader

SCENE = SCENES / "100020"
NAMES = ("depth", "normal", "rgb", "semantic")
NEURAL = ("depth", "normal", "rgb")


def test_a_file_decodes_to_images_like_the_originals(file: Path, run: Run) -> None:
    done = start("decode", file)  # beside the file
    directory = file.with_suffix(".decoded")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [str(directory / f"{t}.png") for t in NAMES]
    assert files(directory) == [f"{t}.png" for t in NAMES]
    for task in NAMES:
        old, new = image(SCENE / f"{task}.png"), image(directory / f"{task}.png")
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
    assert np.array_equal(image(directory / "semantic.png"), image(SCENE / "semantic.png"))

    part = file.with_name("part")
    assert run("decode", file, "--tasks", "semantic, depth", "-o", part, "--quiet") == (0, b"", "")
    assert files(part) == ["depth.png", "semantic.png"]
    whole, alone = image(directory / "depth.png"), image(part / "depth.png")
    assert np.abs(whole.astype(int) - alone).max() <= 1 + np.ptp(whole) // 10_000  # threads round differently


def test_streams_take_the_place_of_files(file: Path, run: Run) -> None:
    data = file.read_bytes()
    extracted = run("extract", "-", "--tasks", "semantic", "-o", "-", stdin=data)
    assert extracted == (0, mtcodec.extract(data, ["semantic"]), "")
    assert run("info", "-", stdin=extracted.out).lines[0].startswith("-: ")
    assert json.loads(run("info", "-", "--json", stdin=data).out)["file"] == "-"
    output = file.with_name("decoded")
    assert run("decode", "-", "-o", output, stdin=extracted.out).lines == [str(output / "semantic.png")]


def test_extract_keeps_what_tasks_need(file: Path, run: Run) -> None:
    path = file.with_name("part.mtc")
    assert run("extract", file, "--tasks", "depth,semantic", "-o", path) == (0, b"", "")
    assert path.read_bytes() == mtcodec.extract(file.read_bytes(), ["depth", "semantic"])
    assert Reader(io.BytesIO(path.read_bytes())).header.tasks == ("depth", "semantic")


def test_larger_images_than_max_pixels_are_refused(file: Path, tmp_path: Path, run: Run) -> None:
    fails(run("decode", file, "-o", tmp_path / "x", "--max-pixels", 65535), 3, "more than the limit")
    assert run("decode", file, "-o", tmp_path / "x", "--max-pixels", 65536, "--quiet").code == 0


def test_existing_output_is_overwritten_only_with_force(labels: Path, run: Run) -> None:
    path = labels.with_name("out.mtc")
    for command in (
        ("encode", SCENE, "--tasks", "semantic", "-o", path),
        ("extract", labels, "--tasks", "semantic", "-o", path),
    ):
        path.write_bytes(b"precious")
        fails(run(*command), 1, f"{path}: exists already (--force overwrites it)")
        assert path.read_bytes() == b"precious"
        assert run(*command, "--force").code == 0
        assert path.read_bytes() != b"precious"


# --- info ---------------------------------------------------------------------------------------


def test_info_tells_sizes_and_what_each_task_needs(file: Path, labels: Path, run: Run) -> None:
    header, size = parse(file.read_bytes()), file.stat().st_size
    facts = json.loads(run("info", file, "--json").out)
    expected = {
        "file": str(file), "bytes": size, "height": 256, "width": 256, "quality": 45.0, "complete": True,
        "weights": {"name": "clevr", "fingerprint": header.fingerprint}, "overhead_bytes": header.size,
    }  # fmt: skip
    assert expected.items() <= facts.items()
    lengths = {s.name: s.length for s in header.sections}
    assert {s["name"]: s["bytes"] for s in facts["sections"]} == lengths
    assert all(s["bpp"] == pytest.approx(s["bytes"] / 8192, abs=1e-6) for s in facts["sections"])
    assert facts["overhead_bytes"] + sum(lengths.values()) == facts["bytes"]
    assert list(facts["tasks"]) == list(NAMES)
    both = lengths["shared"] + lengths["depth"]
    bpp = pytest.approx(both / 8192, abs=1e-6)
    assert facts["tasks"]["depth"] == {
        "height": 256, "width": 256, "bytes": both, "bpp": bpp, "sections": ["shared", "depth"],
    }  # fmt: skip
    assert facts["tasks"]["semantic"]["sections"] == ["semantic"]

    text = run("info", file).lines
    assert f"{size} bytes" in text[0] and f"weights clevr ({header.fingerprint})" in text[0]
    assert f"  to decode depth: {both} bytes (shared + depth)" in text
    assert "weights" not in run("info", labels).lines[0]  # it needs none


def test_weights_that_are_not_there_are_named(
    file: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS")
    fingerprint = parse(file.read_bytes()).fingerprint
    assert f"weights not installed ({fingerprint})" in run("info", file).lines[0]
    fails(run("decode", file), 4, f"needs the weights with fingerprint {fingerprint}", "--weights")
    assert not file.with_suffix(".decoded").exists()


def test_weights_are_given_to_decode(
    file: Path, small_weights: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS")
    assert run("decode", file, "--weights", small_weights, "--tasks", "depth", "-q") == (0, b"", "")
    assert files(file.with_suffix(".decoded")) == ["depth.png"]


# --- damage -------------------------------------------------------------------------------------


def flip(file: Path, name: str) -> None:
    """Change a bit of a section's payload."""
    data = bytearray(file.read_bytes())
    section = parse(bytes(data)).section(name)
    assert section is not None
    data[section.offset + section.length // 2] ^= 1
    file.write_bytes(data)


def test_a_damaged_task_is_named_and_the_others_are_written(file: Path, run: Run) -> None:
    flip(file, "depth")
    result = run("decode", file)
    assert result.code == 3
    directory = file.with_suffix(".decoded")
    assert files(directory) == ["normal.png", "rgb.png", "semantic.png"]
    assert set(result.lines) == {str(p) for p in directory.iterdir()}
    assert result.err.splitlines() == [
        f"mtcodec: warning: {file}: task depth is lost: section depth: damaged (checksum)",
        f"mtcodec: {file}: damaged; 3 of 4 tasks decoded",
    ]
    assert np.array_equal(image(directory / "semantic.png"), image(SCENE / "semantic.png"))
    assert run("decode", file, "--tasks", "semantic", "-o", file.with_name("part")).code == 0
    fails(run("extract", file, "--tasks", "depth", "-o", "x"), 3, f"{file}: section depth: damaged")
    assert run("verify", file) == (
        3, b"", f"mtcodec: {file}: section depth: damaged (checksum)\nmtcodec: 1 damaged\n",
    )  # fmt: skip


def test_a_damaged_shared_section_costs_all_tasks_but_labels(file: Path, run: Run) -> None:
    flip(file, "shared")
    result = run("decode", file)
    assert (result.code, files(file.with_suffix(".decoded"))) == (3, ["semantic.png"])
    assert [line.split(" is lost")[0] for line in result.err.splitlines()[:3]] == [
        f"mtcodec: warning: {file}: task {task}" for task in NEURAL
    ]


@pytest.mark.parametrize("end", [0, 1, 3, 4, 10, -1])
def test_files_without_a_whole_header_return_3(end: int, file: Path, run: Run) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: end if end >= 0 else parse(data).size + end])
    for command in (("info", file), ("decode", file), ("extract", file, "--tasks", "rgb", "-o", "x.mtc")):
        fails(run(*command), 3, f"{file}: not a")


def test_truncated_files_return_3_and_info_tells_what_it_knows(file: Path, run: Run) -> None:
    data = file.read_bytes()
    header = parse(data)
    whole = run("info", file).lines
    for end in (header.size, header.sections[1].offset - 1, len(data) - 1):
        file.write_bytes(data[:end])
        result = run("info", file)
        assert (result.code, result.lines[1:]) == (3, whole[1:])
        assert result.lines[0].startswith(f"{file}: {end} bytes, ")
        assert result.err == f"mtcodec: {file}: the file ends before its last section does\n"
        result = run("info", file, "--json")
        facts = json.loads(result.out)
        assert result.code == 3 and not facts["complete"] and list(facts["tasks"]) == list(NAMES)
        if end < len(data) - 1:
            result = run("decode", file)
            assert (result.code, result.out) == (3, b"")
            assert result.err.endswith(f"mtcodec: {file}: damaged; 0 of 4 tasks decoded\n")
            assert not file.with_suffix(".decoded").exists()
