"""The command line: what it writes, prints and returns, and what it says to those who get it wrong."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pytest
import typer
from conftest import SCENES

import mtcodec
from mtcodec import cli
from mtcodec.errors import FormatError
from mtcodec.format.container import Reader, parse_header
from mtcodec.weights.store import CANDIDATES

SCENE = SCENES / "100020"
NAMES = ("rgb", "depth", "normal", "semantic")


class Result(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command line within this process."""
    monkeypatch.delenv("MTCODEC_DEBUG", raising=False)

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["mtcodec", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        captured = capsysbinary.readouterr()
        return Result(caught.value.code, captured.out, captured.err.decode())

    return run


def start(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command line as a process of its own."""
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, **{**streams, **options}, check=False)


def fails(result: Result, code: int, *fragments: str) -> None:
    """One line on standard error, nothing on standard output."""
    assert (result.code, result.out) == (code, b"")
    assert result.err.startswith("mtcodec: ") and result.err.count("\n") == 1
    for fragment in fragments:
        assert fragment in result.err


def image(path: Path) -> np.ndarray:
    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


def names(directory: Path) -> set[str]:
    return {p.name for p in directory.iterdir()}


@pytest.fixture(scope="module", autouse=True)
def shadow(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Small weights, installed in front of the shipped ones of the same names."""
    directory = tmp_path_factory.mktemp("installed")
    for name in CANDIDATES:
        shutil.copy(small_weights, directory / f"{name}.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTCODEC_WEIGHTS", str(directory))
        yield


@pytest.fixture(scope="module")
def data(shadow: None, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundled scene as a file, encoded by a process of its own."""
    path = tmp_path_factory.mktemp("encoded") / "scene.mtc"
    done = start("encode", SCENE, "-o", path, "--coding", "neural")
    assert (done.returncode, done.stderr) == (0, b"")
    first = done.stdout.decode().splitlines()[0]
    assert first.startswith(f"{path}: {path.stat().st_size} bytes, ") and "256×256, quality 60" in first
    return path.read_bytes()


@pytest.fixture
def file(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "scene.mtc"
    path.write_bytes(data)
    return path


@pytest.fixture
def labels(data: bytes, tmp_path: Path) -> Path:
    """The part of the file that needs no networks."""
    path = tmp_path / "labels.mtc"
    path.write_bytes(mtcodec.extract(data, ["semantic"]))
    return path


# --- round trip ----------------------------------------------------------------------------------


def test_a_file_decodes_to_images_like_the_originals(file: Path, run: Run) -> None:
    done = start("decode", file)  # beside the file, under its name
    directory = file.with_suffix("")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [str(directory / f"{t}.png") for t in NAMES]
    assert names(directory) == {f"{t}.png" for t in NAMES}
    for task in NAMES:
        old, new = image(SCENE / f"{task}.png"), image(directory / f"{task}.png")
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
    assert np.array_equal(image(directory / "semantic.png"), image(SCENE / "semantic.png"))

    part = file.with_name("part")
    assert run("decode", file, "--tasks", "semantic, depth", "-o", part, "--quiet") == (0, b"", "")
    assert names(part) == {"semantic.png", "depth.png"}
    whole, alone = image(directory / "depth.png"), image(part / "depth.png")
    assert np.abs(whole.astype(int) - alone).max() <= 1 + np.ptp(whole) // 10_000  # threads round differently


def test_encode_takes_tasks_and_qualities_and_prints_what_info_does(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "small.mtc"
    result = run("encode", SCENE, "-o", path, "--tasks", "depth,semantic", "--quality", 20, "--quality",
                 "depth=80", "--json", "--coding", "neural", "--threads", 1, "--device", "cpu")  # fmt: skip
    assert result.code == 0
    facts = json.loads(result.out)
    assert list(facts.pop("psnr")) == ["depth"]
    assert facts == json.loads(run("info", path, "--json").out)
    assert list(facts["tasks"]) == ["depth", "semantic"] and facts["quality"] == 20
    assert [s.get("quality") for s in facts["sections"]] == [None, 80, None]


def test_bounds_holes_and_lossless_tasks(tmp_path: Path, run: Run) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(SCENE, scene)
    depth = image(scene / "depth.png").copy()
    depth[10:60, 20:90], depth[0, :5] = 0, 9999
    (scene / "depth.png").write_bytes(imagecodecs.png_encode(depth))
    out = tmp_path / "scene.mtc"
    options = ["--max-error", "depth=1mm", "--unit", "depth=0.25mm", "--invalid", "depth=9999"]
    assert run("encode", scene, "-o", out, *options, "--lossless", "normal", "--coding", "neural").code == 0
    shown = run("info", out, "--json")
    codings = {s["name"]: s["coding"] for s in json.loads(shown.out)["sections"]}
    assert (codings["depth"], codings["normal"], codings["rgb"]) == ("stepped", "stepped", "neural")
    assert run("decode", out, "--tasks", "depth,normal", "-o", tmp_path / "back").code == 0
    back = image(tmp_path / "back" / "depth.png")
    for value in (0, 9999):
        assert np.array_equal(back == value, depth == value)
    assert 0 < abs(back.astype(int) - depth).max() <= 4
    assert np.array_equal(image(tmp_path / "back" / "normal.png"), image(SCENE / "normal.png"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--max-error depth", "not a bound: 'depth'"),
        ("--max-error depth=far", "not a number, or a length"),
        ("--max-error rgb=5mm", "task rgb: has no lengths"),
        ("--max-error albedo=1", "which the scene lacks"),
        ("--max-error depth=1 --lossless depth", "cannot be lossless and have a bound"),
        ("--max-error depth=1mm --unit depth=3", "a step is a length"),
        ("--lossless semantic", "stores losslessly"),
        ("--invalid depth=x", "not the value of a hole"),
        ("--invalid depth=1,2", "a hole of 2 numbers"),
        ("--invalid semantic=0", "stores losslessly"),
        ("--target-psnr rgb", "not a PSNR: 'rgb'"),
        ("--target-psnr rgb=high", "not a PSNR in dB"),
        ("--target-psnr semantic=40", "stores losslessly"),
        ("--target-bytes 900 --quality 50", "only one of them"),
    ],
)
def test_refuses_bounds_and_holes(options: str, message: str, tmp_path: Path, run: Run) -> None:
    fails(run("encode", SCENE, "-o", tmp_path / "x.mtc", *options.split()), 2, message)
    assert not (tmp_path / "x.mtc").exists()


def test_targets_are_reached_or_said_to_be_out_of_reach(tmp_path: Path, run: Run) -> None:
    def encode(*options: str) -> dict[str, Any]:
        done = run(
            "encode", SCENE, "-o", tmp_path / "x.mtc", "--force", "--json", "--coding", "neural", *options
        )
        assert done.code == 0
        return {**json.loads(done.out), "warned": done.err}

    low, high = encode("--quality", "0"), encode("--quality", "100")
    middle = (low["bytes"] + high["bytes"]) // 2
    found = encode("--target-bytes", str(middle))
    assert 0.8 * middle < found["bytes"] <= middle and 0 < found["quality"] < 100
    assert encode("--target-bpp", f"{8 * middle / 256**2}")["bytes"] == found["bytes"]
    wanted = (low["psnr"]["rgb"] + high["psnr"]["rgb"]) / 2
    found = encode("--target-psnr", f"rgb={wanted}")
    assert wanted <= found["psnr"]["rgb"] < wanted + 1
    assert "out of reach" not in found["warned"]
    assert "out of reach" in encode("--target-bytes", "9")["warned"]
    assert encode("--target-psnr", "rgb=99")["quality"] == 100


def test_encode_warns_of_images_that_come_back_as_mush(tmp_path: Path, run: Run) -> None:
    scene = tmp_path / "noise"
    scene.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    (scene / "rgb.png").write_bytes(imagecodecs.png_encode(noise))
    done = run("encode", scene, "-o", tmp_path / "x.mtc")
    assert done.code == 0 and "hardly usable: rgb" in done.err and "--max-error" in done.err
    assert "rgb" in done.out.decode().split("PSNR")[1]


def test_streams_take_the_place_of_files(file: Path, run: Run) -> None:
    data = file.read_bytes()
    encoded = run("encode", SCENE, "--tasks", "semantic", "-o", "-")
    assert encoded == (0, mtcodec.extract(data, ["semantic"]), "")
    extracted = run("extract", "-", "--tasks", "semantic", "-o", "-", stdin=data)
    assert extracted == encoded
    assert run("info", "-", stdin=extracted.out).lines[0].startswith("-: ")
    assert json.loads(run("info", "-", "--json", stdin=data).out)["file"] == "-"
    output = file.with_name("decoded")
    assert run("decode", "-", "-o", output, stdin=extracted.out).lines == [str(output / "semantic.png")]


def test_extract_keeps_what_tasks_need(file: Path, run: Run) -> None:
    path = file.with_name("part.mtc")
    assert run("extract", file, "--tasks", "depth,semantic", "-o", path) == (0, b"", "")
    assert path.read_bytes() == mtcodec.extract(file.read_bytes(), ["depth", "semantic"])
    assert Reader(io.BytesIO(path.read_bytes())).header.tasks == ("depth", "semantic")


def test_info_tells_sizes_and_what_each_task_needs(file: Path, labels: Path, run: Run) -> None:
    header, size = parse_header(file.read_bytes()), file.stat().st_size
    facts = json.loads(run("info", file, "--json").out)
    expected = {
        "file": str(file), "bytes": size, "height": 256, "width": 256, "quality": 60.0,
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
    assert facts["tasks"]["depth"] == {"bytes": both, "bpp": bpp, "sections": ["shared", "depth"]}
    assert facts["tasks"]["semantic"]["sections"] == ["semantic"]

    text = run("info", file).lines
    assert f"{size} bytes" in text[0] and f"weights clevr ({header.fingerprint})" in text[0]
    assert f"  to decode depth: {both} bytes (shared + depth)" in text
    assert "weights" not in run("info", labels).lines[0]  # it needs none


def test_existing_output_is_overwritten_only_with_force(labels: Path, run: Run) -> None:
    output = labels.with_name("out.mtc")
    directory = labels.with_name("out")
    for path, command in (
        (output, ("encode", SCENE, "--tasks", "semantic", "-o", output)),
        (output, ("extract", labels, "--tasks", "semantic", "-o", output)),
        (directory / "semantic.png", ("decode", labels, "-o", directory)),
    ):
        directory.mkdir(exist_ok=True)
        path.write_bytes(b"precious")
        fails(run(*command), 1, f"{path}: exists already (--force overwrites it)")
        assert path.read_bytes() == b"precious"
        assert run(*command, "--force").code == 0
        assert path.read_bytes() != b"precious"
    assert names(directory) == {"semantic.png"}


# --- several scenes ------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two scenes in directories by task, the second without depth, with small images."""
    for name, tasks in (("train/1", ("depth", "rgb", "semantic")), ("val/2", ("rgb", "semantic"))):
        for task in tasks:
            path = tmp_path / "data" / task / f"{name}.png"
            path.parent.mkdir(parents=True)
            whole = image(SCENE / f"{task}.png")
            path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(whole[:64, :80])))
    return tmp_path / "data"


def files(directory: Path) -> list[str]:
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def test_scenes_of_any_layout_become_files_by_key(
    dataset: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, load = [], cli.common.load_codec
    monkeypatch.setattr(cli.encode, "load_codec", lambda *given: loaded.append(given) or load(*given))
    out = tmp_path / "new" / "out"
    result = run("encode", dataset, SCENE, "-o", out, "--threads", 1)
    assert (result.code, result.err, len(loaded)) == (0, "", len(CANDIDATES))
    assert files(out) == ["100020.mtc", "train/1.mtc", "val/2.mtc"]
    for line, name in zip(result.lines, ("train/1.mtc", "val/2.mtc", "100020.mtc")):  # as they were given
        size, pixels = (out / name).stat().st_size, 65536 if name == "100020.mtc" else 64 * 80
        assert line.startswith(
            f"{out / name}  {size} bytes  {size * 8 / pixels:.4f} bpp  "
        ) and line.endswith(" dB")
    assert Reader(io.BytesIO((out / "val/2.mtc").read_bytes())).header.tasks == ("rgb", "semantic")
    again = tmp_path / "again.mtc"
    assert run("encode", SCENE, "-o", again, "--threads", 1, "--quiet") == (0, b"", "")
    assert again.read_bytes() == (out / "100020.mtc").read_bytes()

    result = run("encode", dataset, "-o", out, "--tasks", "semantic", "--force", "--json")
    facts = [json.loads(line) for line in result.lines]
    assert [f["file"] for f in facts] == [str(out / name) for name in ("train/1.mtc", "val/2.mtc")]
    assert [list(f["tasks"]) for f in facts] == [["semantic"]] * 2
    assert facts == [json.loads(run("info", f["file"], "--json").out) for f in facts]


def test_larger_images_than_max_pixels_are_refused(file: Path, tmp_path: Path, run: Run) -> None:
    fails(run("decode", file, "-o", tmp_path / "x", "--max-pixels", 65535), 3, "more than the limit")
    assert run("decode", file, "-o", tmp_path / "x", "--max-pixels", 65536, "--quiet").code == 0


def test_scenes_come_from_a_list(tmp_path: Path, run: Run) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{SCENE}\n\n{SCENES / '100060'}\n")
    options = ("--tasks", "semantic", "-o", tmp_path / "out", "--quiet", "--force")
    assert run("encode", "--files-from", listed, *options) == (0, b"", "")
    assert files(tmp_path / "out") == ["100020.mtc", "100060.mtc"]
    shutil.rmtree(tmp_path / "out")
    assert (
        run("encode", SCENE, "--files-from", "-", *options, stdin=f"{SCENES / '100060'}\n".encode()).code == 0
    )
    assert files(tmp_path / "out") == ["100020.mtc", "100060.mtc"]
    fails(run("encode", *options), 2, "no scenes or datasets given")
    fails(run("encode"), 2, "missing -o OUT")
    fails(run("encode", "--files-from", tmp_path / "no", *options), 1, "cannot read it")


def test_a_file_or_a_directory(dataset: Path, tmp_path: Path, run: Run) -> None:
    options = ("--tasks", "semantic", "--quiet", "-o")
    for output, expected in (
        ("file", ["file"]),
        ("new/", ["new/100020.mtc"]),
        ("dotted.mtc/", ["dotted.mtc/100020.mtc"]),
        ("there", ["there/100020.mtc"]),
    ):
        place = tmp_path / "outputs"
        (place / "there").mkdir(parents=True)
        assert run("encode", SCENE, *options, f"{place}/{output}") == (0, b"", "")
        assert files(place) == expected
        shutil.rmtree(place)
    shutil.rmtree(dataset / "rgb" / "val")
    shutil.rmtree(dataset / "semantic" / "val")  # leaves one scene
    assert run("encode", dataset, *options, tmp_path / "one.mtc") == (0, b"", "")
    assert (tmp_path / "one.mtc").is_file()
    assert run("encode", dataset, *options, "-").out == (tmp_path / "one.mtc").read_bytes()


def test_existing_files_and_unreadable_images_stop_a_run(dataset: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    command = ("encode", dataset, "--tasks", "semantic", "--quiet", "-o", out)
    (out / "val").mkdir(parents=True)
    (out / "val" / "2.mtc").write_bytes(b"precious")
    fails(run(*command), 1, f"{out}/val/2.mtc: exists already (--force overwrites it)")
    assert (out / "val" / "2.mtc").read_bytes() == b"precious"
    assert files(out) == ["train/1.mtc", "val/2.mtc"]  # what came before is kept
    assert run(*command, "--force") == (0, b"", "")
    assert (out / "val" / "2.mtc").read_bytes() != b"precious"

    shutil.rmtree(out)
    broken = dataset / "semantic" / "val" / "2.png"
    broken.write_bytes(b"no image")
    fails(run(*command), 1, f"{broken}: cannot read it")
    assert files(out) == ["train/1.mtc"]
    shutil.rmtree(out)
    fails(run("encode", dataset, "--tasks", "depth", "-o", out), 1, "scene val/2: no image of task 'depth'")
    assert not out.exists()


def test_keys_stay_within_the_output(
    dataset: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scene" / "below").mkdir(parents=True)
    shutil.copy(SCENE / "semantic.png", tmp_path / "scene")
    monkeypatch.chdir(tmp_path / "scene" / "below")
    assert run("encode", "..", "-o", tmp_path / "out/", dataset, "--tasks", "semantic", "-q").code == 0
    assert files(tmp_path / "out") == ["scene.mtc", "train/1.mtc", "val/2.mtc"]


def test_images_without_a_partner_are_warned_of(tmp_path: Path, run: Run) -> None:
    plane = image(SCENE / "depth.png")[:64, :64].copy()
    colours = image(SCENE / "rgb.png")[:64, :64].copy()
    for task, pixels, times in (
        ("rgb", colours, ("5.10", "6.10")),
        ("depth", plane, ("5.11", "6.20", "7.30")),
    ):
        (tmp_path / "tum" / task).mkdir(parents=True)
        for time in times:
            (tmp_path / "tum" / task / f"{time}.png").write_bytes(imagecodecs.png_encode(pixels))
    result = run("encode", tmp_path / "tum", "-o", f"{tmp_path}/out/")
    assert result.code == 0 and files(tmp_path / "out") == ["5.10.mtc"]
    warning = f"mtcodec: warning: {tmp_path}/tum: 3 images have no partner in time and are left out\n"
    assert result.err == warning
    training = run("train", tmp_path / "tum", "--tasks", "rgb,depth", "-o", tmp_path / "x.safetensors")
    assert training.code == 1 and training.err.startswith(warning) and "1 scenes, of which 24" in training.err


def test_datasets_of_any_layout_are_analysed(dataset: Path, tmp_path: Path, run: Run) -> None:
    for key in ("train/1", "val/2"):
        for task in ("depth", "normal"):
            path = dataset / task / f"{key}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(imagecodecs.png_encode(image(SCENE / f"{task}.png")[:64, :80].copy()))
    command = ("analyze", "reconstructions", dataset, "-o", tmp_path / "report", "--bpp", 2, "--json")
    results = json.loads(run(*command, "--scenes", "val/2").out)
    assert results["scenes"] == ["val/2"]
    assert set(results["targets"][0]["weights"]["clevr"]["scenes"]) == {"val/2"}
    results = json.loads(run("evaluate", dataset, "--against", "", "--quality", 50, "--json").out)
    assert results["scenes"] == ["train/1", "val/2"]


# --- errors --------------------------------------------------------------------------------------

ERRORS = [
    ("encode nowhere -o x.mtc", 1, "nowhere: no such directory"),
    ("encode FILE -o x.mtc", 1, "not a directory"),
    ("encode EMPTY -o x.mtc", 1, "no scenes found"),
    ("encode SCENES -o FILE", 1, "exists and is not a directory"),
    ("encode SCENE -o FILE/", 1, "exists and is not a directory"),
    ("encode SCENES -o FILE/x --tasks semantic", 1, "cannot make it: Not a directory"),
    ("encode SCENES nowhere -o x", 1, "nowhere: no such directory"),
    ("encode SCENES -o x --tasks depth,glow:image", 1, "100000: no image of task 'glow'"),
    ("encode SCENES -o x --quality semantic=9", 2, "100000: a quality for task 'semantic'"),
    ("encode SCENES -o x.mtc", 2, "6 scenes go to a directory: if x.mtc is to be one, add a /"),
    ("encode SCENES -o -", 2, "6 scenes do not go to standard output"),
    ("encode SCENE SCENES -o x", 2, "two scenes are called '100020': "),
    ("evaluate EMPTY", 1, "no scenes found"),
    ("train EMPTY --tasks rgb -o x.safetensors", 1, "no scenes found"),
    ("analyze channels EMPTY -o x", 1, "no scenes found"),
    ("analyze reconstructions SCENES -o x --scenes 1", 1, "no scene '1'"),
    ("encode SCENE -o x.mtc --tasks depth,glow:image", 1, "no image of task 'glow'"),
    ("encode SCENE -o no/x.mtc --tasks semantic", 1, "no/x.mtc: cannot write it: No such file or directory"),
    ("info nowhere.mtc", 1, "nowhere.mtc: cannot read it: No such file"),
    ("info EMPTY", 1, "cannot read it: Is a directory"),
    ("extract FILE --tasks rgb -o EMPTY", 1, "is a directory"),
    ("decode LABELS -o FILE/x", 1, "cannot make it: Not a directory"),
    ("decode FILE -o FILE", 1, "exists and is not a directory"),
    ("encode SCENE", 2, "missing -o OUT"),
    ("extract FILE --tasks rgb", 2, "missing -o OUT"),
    ("decode -", 2, "standard input needs -o DIR"),
    ("decode FILE -o -", 2, "images go to a directory"),
    ("decode BARE", 2, "has no suffix to leave out"),
    ("encode SCENE -o x.mtc --quality 101", 2, "quality must be 0 to 100, not 101"),
    ("encode SCENE -o x.mtc --quality nan", 2, "quality must be 0 to 100, not nan"),
    ("encode SCENE -o x.mtc --quality depth=-1", 2, "quality must be 0 to 100, not -1"),
    ("encode SCENE -o x.mtc --quality good", 2, "not a quality: 'good'"),
    ("encode SCENE -o x.mtc --quality 1 --quality 2", 2, "more than one general quality"),
    ("encode SCENE -o x.mtc --quality semantic=9", 2, "a quality for task 'semantic'"),
    ("encode SCENE -o x.mtc --tasks smell", 2, "unknown task 'smell'"),
    ("encode SCENE -o x.mtc --tasks rgb,rgb", 2, "a task is named twice"),
    ("decode FILE --tasks smell", 2, "no task 'smell' in this file (it has rgb, depth, normal, semantic)"),
    ("decode FILE --tasks shared", 2, "no task 'shared'"),
    ("extract FILE --tasks rgb,x -o x.mtc", 2, "no task 'x'"),
    ("decode FILE --device abacus", 2, "device must be auto, cpu or cuda"),
    ("info NOTHING", 3, "not an mtc file"),
    ("decode NOISE", 3, "not an mtc file"),
    ("info -", 3, "-: not an mtc file"),
    ("extract LONGER --tasks rgb -o x.mtc", 3, "1 bytes after the last section"),
    ("encode SCENE -o x.mtc --weights nope", 4, "no weights named 'nope'"),
    ("decode FILE --weights no/w.safetensors", 4, "no such weights file"),
    ("decode FILE --weights NOISE", 4, "not a weights file of mtcodec"),
    ("decode FOREIGN", 4, "needs the weights with fingerprint 00112233445566"),
    ("weights show nope", 4, "no weights named 'nope'"),
]


def made_with(fingerprint: bytes, data: bytes) -> bytes:
    """``data`` as if made with other weights, checksums right."""
    size = parse_header(data).size
    head = data[:4] + fingerprint + data[11 : size - 4]
    return head + zlib.crc32(head).to_bytes(4, "little") + data[size:]


@pytest.fixture
def places(file: Path, labels: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What the words in capitals of ``ERRORS`` stand for; the working directory is theirs."""
    data, here = file.read_bytes(), file.parent
    monkeypatch.chdir(here)
    result = {
        "SCENE": SCENE,
        "SCENES": SCENES,
        "FILE": file,
        "LABELS": labels,
        "EMPTY": here / "empty",
        "BARE": here / "bare",
    }
    for name, content in {
        "NOTHING": b"",
        "NOISE": np.random.default_rng(0).bytes(5000),
        "LONGER": data + b"\n",
        "FOREIGN": made_with(bytes.fromhex("00112233445566"), data),
    }.items():
        result[name] = here / f"{name.lower()}.mtc"
        result[name].write_bytes(content)
    result["BARE"].write_bytes(data)
    result["EMPTY"].mkdir()
    return result


@pytest.mark.parametrize(("command", "code", "message"), ERRORS, ids=[e[0] for e in ERRORS])
def test_errors_are_one_line_and_a_code(
    command: str, code: int, message: str, places: dict[str, Path], run: Run, tmp_path: Path
) -> None:
    before = names(tmp_path)
    words = [word.partition("/") for word in command.split()]
    fails(run(*(f"{places.get(word, word)}{slash}{rest}" for word, slash, rest in words)), code, message)
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        "",
        "weights",
        "frobnicate",
        "decode",
        "info",
        "info a b",
        "extract x.mtc -o y.mtc",
        "encode x -o",
        "encode x -o y --frobnicate",
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
    monkeypatch.setenv("MTCODEC_DEBUG", "1")
    file.write_bytes(b"no")
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


# --- damage --------------------------------------------------------------------------------------


def test_a_damaged_task_is_named_and_the_others_are_written(file: Path, run: Run) -> None:
    data = bytearray(file.read_bytes())
    section = parse_header(bytes(data)).section("depth")
    assert section is not None
    data[section.offset + section.length // 2] ^= 1
    file.write_bytes(data)
    result = run("decode", file)
    assert result.code == 3
    directory = file.with_suffix("")
    assert names(directory) == {"rgb.png", "normal.png", "semantic.png"}
    assert set(result.lines) == {str(p) for p in directory.iterdir()}
    assert result.err.splitlines() == [
        f"mtcodec: warning: {file}: task depth is lost: section depth: damaged (checksum)",
        f"mtcodec: {file}: damaged; 3 of 4 tasks decoded",
    ]
    assert np.array_equal(image(directory / "semantic.png"), image(SCENE / "semantic.png"))
    assert run("decode", file, "--tasks", "semantic", "-o", file.with_name("part")).code == 0
    fails(run("extract", file, "--tasks", "depth", "-o", "x"), 3, f"{file}: section depth: damaged")


def test_a_damaged_shared_section_costs_all_tasks_but_labels(file: Path, run: Run) -> None:
    data = bytearray(file.read_bytes())
    data[parse_header(bytes(data)).size] ^= 128
    file.write_bytes(data)
    result = run("decode", file)
    assert (result.code, names(file.with_suffix(""))) == (3, {"semantic.png"})
    assert [line.split(" is lost")[0] for line in result.err.splitlines()[:3]] == [
        f"mtcodec: warning: {file}: task {task}" for task in ("rgb", "depth", "normal")
    ]


def test_truncated_files_return_3(file: Path, run: Run) -> None:
    data = file.read_bytes()
    header = parse_header(data)
    for end in (0, 1, 3, 4, 20, header.size - 1):
        file.write_bytes(data[:end])
        for command in (("info", file), ("decode", file), ("extract", file, "--tasks", "rgb", "-o", "x.mtc")):
            fails(run(*command), 3, f"{file}: not a")
    for end in (header.size, header.sections[1].offset - 1):
        file.write_bytes(data[:end])
        result = run("decode", file)
        assert (result.code, result.out) == (3, b"")
        assert result.err.endswith(f"mtcodec: {file}: damaged; 0 of 4 tasks decoded\n")
        assert not file.with_suffix("").exists()
        told = run("info", file)
        assert told.code == 0 and told.err.endswith("the file ends before its last section does\n")


# --- start-up and help ---------------------------------------------------------------------------


def test_info_and_lossless_decoding_import_no_torch(file: Path, labels: Path) -> None:
    script = f"""
import sys
from mtcodec.cli import main
for arguments in (["info", {str(file)!r}], ["info", {str(file)!r}, "--json"], ["decode", {str(labels)!r}]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
heavy = {{"torch", "compressai", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    assert names(labels.with_suffix("")) == {"semantic.png"}


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command line without arguments, and the command it calls."""
    below = getattr(command, "commands", {}).items()
    return [(path, command), *(found for name, sub in below for found in commands(sub, (*path, name)))]


COMMANDS = commands(typer.main.get_command(cli.app))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(p) for p, _ in COMMANDS])
def test_help_has_a_line_for_every_option(
    path: tuple[str, ...], command: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run(*path, "--help")
    assert (result.code, result.err) == (0, "")
    text = [" ".join(re.sub(r"\x1b\[[0-9;]*m", "", line).split()) for line in result.lines]
    for parameter in command.params:
        assert parameter.help, parameter.name
        name = max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.metavar
        assert any(name in line and parameter.help[:30] in line for line in text), name
    assert run(*path, "-h").out == result.out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"mtcodec {mtcodec.__version__}\n".encode(), "")


def test_the_shipped_weights_are_the_default(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS")
    path = tmp_path / "scene.mtc"
    assert "weights clevr (" in run("encode", SCENE, "-o", path, "--coding", "neural").lines[0]
    assert run("decode", path, "--tasks", "depth").lines == [str(tmp_path / "scene" / "depth.png")]


def test_installed_weights_are_listed_and_a_broken_file_does_not_hide_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = parse_header(run("encode", SCENE, "--coding", "neural", "-o", "-").out)
    listed = json.loads(run("weights", "list", "--json").out)
    clevr = next(e for e in listed if e["name"] == "clevr")
    assert clevr["fingerprint"] == header.fingerprint and clevr["bytes"] == Path(clevr["path"]).stat().st_size
    assert header.fingerprint in run("weights", "show", "clevr").out.decode()
    assert json.loads(run("weights", "show", clevr["path"], "--json").out)["name"] == "clevr"

    deep = b"[" * 100_000
    (tmp_path / "deep.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    (tmp_path / "cut.safetensors").write_bytes(Path(clevr["path"]).read_bytes()[:5000])
    monkeypatch.setenv("MTCODEC_WEIGHTS", str(tmp_path), prepend=os.pathsep)
    result = run("weights", "list")
    assert result.code == 0 and "clevr" in result.out.decode()
    assert result.err.count("not a weights file of mtcodec") == result.err.count("mtcodec: warning: ") == 2
    for name in ("deep", "cut"):
        fails(run("weights", "show", name), 4, "not a weights file of mtcodec")
