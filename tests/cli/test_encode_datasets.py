"""``mtcodec encode`` of datasets: layouts, outputs by key, failures, several processes, dry runs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Run, codings, fails, files, image, write

from mtcodec.cli.report import amount
from mtcodec.codec import api
from mtcodec.container.mtc import Reader

SCENE = SCENES / "100020"
FAST = ("--coding", "classical", "--effort", "fast")
Pixels = dict[str, np.ndarray]


def tasks(path: Path) -> tuple[str, ...]:
    return Reader(path.read_bytes()).header.tasks


def test_scenes_of_any_layout_become_files_by_key(
    dataset: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs, codec = [], api.Codec
    monkeypatch.setattr(api, "Codec", lambda *args, **named: codecs.append(args) or codec(*args, **named))
    out = tmp_path / "new" / "out"
    result = run("encode", dataset, SCENE, "-o", out, "--threads", 1)
    assert (result.code, result.err, len(codecs)) == (0, "", 1)
    assert files(out) == ["100020.mtc", "train/1.mtc", "val/2.mtc"]
    total = 0
    for line, name in zip(result.lines, ("train/1.mtc", "val/2.mtc", "100020.mtc")):  # as they were given
        size, pixels = (out / name).stat().st_size, 65536 if name == "100020.mtc" else 64 * 80
        assert line.startswith(f"{out / name}  {size} bytes  {size * 8 / pixels:.4f} bpp  ")
        assert line.endswith(" dB")
        total += size
    read = sum(p.stat().st_size for place in (dataset, SCENE) for p in place.rglob("*.png"))
    sums = f"3 scenes, {amount(read)} → {amount(total)} ({total / read:.1%}), "
    assert result.lines[3].startswith(sums)
    assert re.fullmatch(r"[\d.]+ s, [\d.]+ scenes/s", result.lines[3].removeprefix(sums))
    assert tasks(out / "val/2.mtc") == ("rgb", "semantic")
    again = tmp_path / "again.mtc"
    assert run("encode", SCENE, "-o", again, "--threads", 1, "--quiet") == (0, b"", "")
    assert again.read_bytes() == (out / "100020.mtc").read_bytes()

    result = run("encode", dataset, "-o", out, "--tasks", "semantic", "--force", "--json")
    facts = [json.loads(line) for line in result.lines]
    assert [f["file"] for f in facts] == [str(out / name) for name in ("train/1.mtc", "val/2.mtc")]
    assert [list(f["tasks"]) for f in facts] == [["semantic"]] * 2


def test_every_directory_of_a_dataset_is_kept(
    dataset: Path, tmp_path: Path, pixels: Pixels, run: Run
) -> None:
    """One that is called like another task's usual name, too, and one that nobody knows."""
    write(dataset / "color" / "train" / "1.png", pixels["rgb"][:, ::-1])
    write(dataset / "smell" / "val" / "2.png", pixels["depth"])
    (dataset / "README").write_text("all of it")
    out = tmp_path / "out"
    done = run("encode", dataset, "-o", out, *FAST)
    assert done.code == 0 and done.err.splitlines() == [
        f"mtcodec: note: {dataset}: color keeps its name, as rgb is there: rgb",
        f"mtcodec: warning: {dataset}: left out, as they are no images: 1 file without a suffix (README)",
        f"mtcodec: note: {dataset}: scene train/1: color: nobody says what it is, so it is kept exactly "
        "(--task color:image)",
        f"mtcodec: note: {dataset}: scene val/2: smell: nobody says what it is, so it is kept exactly "
        "(--task smell:image)",
    ]
    assert tasks(out / "train/1.mtc") == ("color", "depth", "rgb", "semantic")
    assert run("decode", out / "train/1.mtc", "--tasks", "color", "-o", tmp_path / "back").code == 0
    assert np.array_equal(image(tmp_path / "back/color.png"), pixels["rgb"][:, ::-1])
    assert run("decode", out / "val/2.mtc", "--tasks", "smell", "-o", tmp_path / "back").code == 0
    assert np.array_equal(image(tmp_path / "back/smell.png"), pixels["depth"])

    settings = ("--task", "color:image", "--rename", "smell=disparity", "--force")
    assert "kept exactly" not in run("encode", dataset, "-o", out, *FAST, *settings).err
    assert codings(out / "train/1.mtc")["color"] == codings(out / "val/2.mtc")["disparity"] == "classical"
    quiet = run("encode", dataset, "-o", out, *FAST, "--force", "-q")
    assert quiet == (
        0,
        b"",
        f"mtcodec: warning: {dataset}: left out, as they are no images: 1 file without a suffix (README)\n",
    )


def test_settings_of_tasks_that_only_some_scenes_have(dataset: Path, tmp_path: Path, run: Run) -> None:
    settings = ("--quality", "depth=30", "--unit", "depth=2mm", "--invalid", "depth=3")
    assert run("encode", dataset, "-o", tmp_path / "out", *FAST, *settings, "-q") == (0, b"", "")
    facts = json.loads(run("info", tmp_path / "out/train/1.mtc", "--json").out)
    assert facts["tasks"]["depth"]["unit"] == "2mm"
    settings = ("--max-error", "depth=3mm", "--unit", "depth=1mm", "--force")
    assert run("encode", dataset, "-o", tmp_path / "out", *FAST, *settings, "-q") == (0, b"", "")
    assert codings(tmp_path / "out/train/1.mtc")["depth"] == "near-lossless"
    refused = run("encode", dataset, "-o", tmp_path / "other", *FAST, "--quality", "normal=30")
    fails(refused, 2, "settings for task 'normal', which no scene has")
    assert not (tmp_path / "other").exists()
    refused = run("encode", dataset, "--tasks", "depth", "-o", tmp_path / "other")
    fails(refused, 1, "scene val/2: no image of task 'depth'")
    assert not (tmp_path / "other").exists()


def test_bits_per_pixel_count_the_pixels_of_each_scene(
    dataset: Path, tmp_path: Path, pixels: Pixels, run: Run
) -> None:
    for task in ("rgb", "semantic"):
        write(dataset / task / "val/2.png", pixels[task][:32])
    facts = run("encode", dataset, "-o", tmp_path / "out", *FAST, "--target-bpp", 0.8, "--json")
    assert [json.loads(line)["height"] for line in facts.lines] == [64, 32]
    for line in facts.lines:
        facts_of_scene = json.loads(line)
        assert (
            0.8 * 0.7 < facts_of_scene["bpp"] <= 0.8
            and facts_of_scene["bytes"] <= 0.8 * facts_of_scene["height"] * 80 / 8
        )


# --- runs that are stopped, and those that go on ------------------------------------------------


def test_existing_files_are_refused_before_anything_is_encoded(
    dataset: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = ("encode", dataset, "--tasks", "semantic", "-o", out)
    (out / "val").mkdir(parents=True)
    (out / "val" / "2.mtc").write_bytes(b"precious")
    fails(run(*command), 1, f"{out}/val/2.mtc: exists already (--force overwrites it)")
    assert files(out) == ["val/2.mtc"] and (out / "val" / "2.mtc").read_bytes() == b"precious"

    unknown = f"{out}/val/2.mtc: is there already, but nothing tells what it was made of (--force"
    fails(run(*command, "--skip-existing"), 1, unknown)
    assert files(out) == ["val/2.mtc"] and (out / "val" / "2.mtc").read_bytes() == b"precious"
    (out / "val" / "2.mtc").unlink()
    assert run(*command, "-q").code == 0
    (out / "train" / "1.mtc").unlink()
    before = (out / "val" / "2.mtc").stat().st_mtime_ns
    result = run(*command, "--skip-existing")
    assert (result.code, result.err) == (0, "")
    assert files(out) == ["train/1.mtc", "val/2.mtc"]
    assert (out / "val" / "2.mtc").stat().st_mtime_ns == before
    size = (out / "train/1.mtc").stat().st_size
    assert result.lines[0].startswith(f"{out}/train/1.mtc  {size} bytes")
    assert result.lines[1].startswith("1 scene, ") and f" → {size} B (" in result.lines[1]
    assert result.lines[1].endswith("1 were there")
    before = (out / "train/1.mtc").stat().st_mtime_ns
    result = run(*command, "--skip-existing")
    assert len(result.lines) == 1 and result.lines[0].startswith("0 scenes, 0 B → 0 B, ")
    assert result.lines[0].endswith("2 were there") and (out / "train/1.mtc").stat().st_mtime_ns == before

    (out / "val" / "2.mtc").write_bytes(b"precious")
    assert run(*command, "--force", "--quiet") == (0, b"", "")
    assert (out / "val" / "2.mtc").read_bytes() != b"precious"
    single = ("encode", SCENE, "-o", out / "val" / "2.mtc", "--skip-existing")
    fails(run(*single), 1, f"{out}/val/2.mtc: is there already, but made of scene val/2, not {SCENE.name}")


@pytest.mark.parametrize("jobs", [1, 2])
def test_scenes_that_fail_stop_a_run_or_are_listed_at_its_end(
    jobs: int, dataset: Path, tmp_path: Path, pixels: Pixels, run: Run
) -> None:
    broken, odd = dataset / "semantic" / "train" / "1.png", dataset / "rgb" / "val" / "3.png"
    broken.write_bytes(b"no image")
    odd.write_bytes(b"no image either")
    write(dataset / "semantic" / "val" / "3.png", pixels["semantic"])
    out = tmp_path / "out"
    command = ("encode", dataset, "-o", out, *FAST, "-j", jobs)
    fails(run(*command, "--quiet"), 1, f"{broken}: cannot read it")
    assert jobs > 1 or not out.exists()  # several processes are ahead

    result = run(*command, "--skip-errors", "--force")
    assert (result.code, files(out)) == (1, ["val/2.mtc"])
    assert len(result.lines) == 2 and result.lines[0].startswith(f"{out}/val/2.mtc  ")
    assert re.fullmatch(r"1 scene, [\d.]+ kB → .* s, [\d.]+ scenes/s, 2 failed", result.lines[1])
    first, second, last = result.err.splitlines()
    assert first.startswith(f"mtcodec: warning: skipped: {broken}: cannot read it: ")
    assert second.startswith(f"mtcodec: warning: skipped: {odd}: cannot read it: ")
    assert last == "mtcodec: 2 of 3 scenes could not be encoded"


def test_what_came_before_a_failure_is_kept(dataset: Path, tmp_path: Path, run: Run) -> None:
    broken = dataset / "semantic" / "val" / "2.png"
    broken.write_bytes(b"no image")
    command = ("encode", dataset, "-o", tmp_path / "out", "--tasks", "semantic", "-q")
    fails(run(*command), 1, f"{broken}: cannot read it")
    assert files(tmp_path / "out") == ["train/1.mtc"]


@pytest.mark.processes
def test_several_processes_give_the_same_bytes(tmp_path: Path, run: Run, dataset: Path) -> None:
    write(dataset / "smell" / "train" / "1.png", np.arange(64 * 80, dtype=np.uint16).reshape(64, 80))
    printed = []
    for jobs in (1, 2):
        out = tmp_path / f"jobs{jobs}"
        result = run("encode", dataset, SCENE, "-o", out, "-j", jobs, "--coding", "neural")
        assert result.code == 0
        printed.append((result.err, [line.replace(str(out), "") for line in result.lines[:-1]]))
    assert printed[0] == printed[1] and "smell" in printed[0][0]
    assert (
        files(tmp_path / "jobs1") == files(tmp_path / "jobs2") == ["100020.mtc", "train/1.mtc", "val/2.mtc"]
    )
    for name in files(tmp_path / "jobs1"):
        assert (tmp_path / "jobs1" / name).read_bytes() == (tmp_path / "jobs2" / name).read_bytes()


def test_a_dry_run_lists_what_would_be_done(dataset: Path, tmp_path: Path, run: Run) -> None:
    (dataset / "notes").mkdir()
    (dataset / "notes" / "todo.txt").write_text("nothing")
    out = tmp_path / "out"
    command = ("encode", dataset, "-o", out, "--tasks", "rgb,semantic", "--dry-run")
    result = run(*command)
    assert result.code == 0 and not out.exists()
    left_out = f"mtcodec: warning: {dataset}: left out, as they are no images: 1 .txt file (notes/todo.txt)\n"
    assert result.err == left_out
    assert [line.split() for line in result.lines] == [
        ["file", "task", "image", "size", "values", "kind"],
        [f"{out}/train/1.mtc", "depth", "1.png", "left", "out"],
        ["rgb", "1.png", "80×64", "uint8", "×3", "color"],
        ["semantic", "1.png", "80×64", "uint8", "categories"],
        [f"{out}/val/2.mtc", "rgb", "2.png", "80×64", "uint8", "×3", "color"],
        ["semantic", "2.png", "80×64", "uint8", "categories"],
        ["2", "scenes", "to", "encode"],
    ]
    (out / "val").mkdir(parents=True)
    (out / "val/2.mtc").write_bytes(b"precious")
    result = run(*command, "-q")
    assert result.code == 1 and "val/2.mtc: exists already" in result.err  # as without --dry-run
    result = run(*command, "-q", "--skip-existing")
    assert result.code == 1 and "val/2.mtc: is there already, but nothing tells" in result.err
    assert run(*command[:-1], "-q", "--force").code == 0
    (out / "train/1.mtc").unlink()
    result = run(*command, "-q", "--skip-existing")
    assert (result.code, result.err) == (0, left_out)
    assert result.lines[-2].split() == [f"{out}/val/2.mtc", "is", "there", "already"]
    assert result.lines[-1] == "1 scene to encode, 1 there already"
    facts = [json.loads(line) for line in run(*command, "--skip-existing", "--json").lines]
    assert facts[0] == {
        "scene": "train/1", "file": f"{out}/train/1.mtc", "there": False,
        "images": {task: f"{dataset}/{task}/train/1.png" for task in ("rgb", "semantic")},
        "left_out": ["depth"], "attached": {}, "units": {},
    }  # fmt: skip
    assert [f["there"] for f in facts] == [False, True]
    assert files(out) == ["val/2.mtc"]
    assert run("encode", dataset, "--dry-run").lines[-1] == "2 scenes to encode"  # needs no output
    shutil.rmtree(dataset / "notes")
    fails(run(*command, "-q", "--quality", "normal=3"), 2, "settings for task 'normal'")


# --- where scenes come from, and go to ----------------------------------------------------------


def test_scenes_come_from_a_list(tmp_path: Path, run: Run) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{SCENE}\n\n{SCENES / '100060'}\n")
    options = ("--tasks", "semantic", "-o", tmp_path / "out", "--quiet", "--force")
    assert run("encode", "--files-from", listed, *options) == (0, b"", "")
    assert files(tmp_path / "out") == ["100020.mtc", "100060.mtc"]
    shutil.rmtree(tmp_path / "out")
    more = f"{SCENES / '100060'}\n".encode()
    assert run("encode", SCENE, "--files-from", "-", *options, stdin=more).code == 0
    assert files(tmp_path / "out") == ["100020.mtc", "100060.mtc"]
    fails(run("encode", *options), 2, "no scenes or datasets given")
    fails(run("encode"), 2, "missing -o OUT")
    fails(run("encode", "--files-from", tmp_path / "no", *options), 1, f"{tmp_path}/no: cannot read it")


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


def test_keys_stay_within_the_output(
    dataset: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scene" / "below").mkdir(parents=True)
    shutil.copy(SCENE / "semantic.png", tmp_path / "scene")
    monkeypatch.chdir(tmp_path / "scene" / "below")
    assert run("encode", "..", "-o", tmp_path / "out/", dataset, "--tasks", "semantic", "-q").code == 0
    assert files(tmp_path / "out") == ["scene.mtc", "train/1.mtc", "val/2.mtc"]


def test_images_without_a_partner_are_told(tmp_path: Path, pixels: Pixels, run: Run) -> None:
    for task, times in (("rgb", ("5.10", "6.10")), ("depth", ("5.11", "6.20", "7.30"))):
        for time in times:
            write(tmp_path / "tum" / task / f"{time}.png", pixels[task])
    result = run("encode", tmp_path / "tum", "-o", f"{tmp_path}/out/", *FAST)
    assert result.code == 0 and files(tmp_path / "out") == ["5.10.mtc"]
    message = (
        f"mtcodec: warning: {tmp_path}/tum: left out, as they have no partner in time: 3 images "
        "(depth/6.20.png, depth/7.30.png, rgb/6.10.png)\n"
    )
    assert result.err == message
    training = run("train", tmp_path / "tum", "--tasks", "rgb,depth", "-o", tmp_path / "x.safetensors")
    assert training.code == 1 and training.err.startswith(message) and "1 scenes, of which 24" in training.err


def test_datasets_of_any_layout_are_analysed(dataset: Path, tmp_path: Path, pixels: Pixels, run: Run) -> None:
    for key in ("train/1", "val/2"):
        for task in ("depth", "normal"):
            write(dataset / task / f"{key}.png", pixels[task])
    command = ("analyze", "reconstructions", dataset, "-o", tmp_path / "report", "--bpp", 2, "--json")
    results = json.loads(run(*command, "--scenes", "val/2").out)
    assert results["scenes"] == ["val/2"]
    assert set(results["targets"][0]["weights"]["clevr"]["scenes"]) == {"val/2"}
    results = json.loads(run("evaluate", dataset, "--against", "", "--quality", 50, "--json").out)
    assert results["scenes"] == ["train/1", "val/2"]


def test_notes_that_are_the_same_for_many_scenes_are_counted(
    tmp_path: Path, pixels: Pixels, run: Run
) -> None:
    for key in "abc":
        write(tmp_path / "data" / key / "rgb.png", pixels["rgb"])
        write(tmp_path / "data" / key / "smell.png", pixels["depth"])
    note = "smell: nobody says what it is, so it is kept exactly (--task smell:image)"
    assert run("encode", tmp_path / "data", "-o", f"{tmp_path}/out/", *FAST).err.splitlines() == [
        f"mtcodec: note: {tmp_path}/data/a: {note}",
        f"mtcodec: note: 2 scenes more: {note}",
    ]
