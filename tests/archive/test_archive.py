"""Archives: what goes in comes out, whatever happens in between; only what is needed is read."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tools.slow_server import Line, Server, handler

import mtcodec
from mtcodec import Codec
from mtcodec.archive import write
from mtcodec.archive.check import extract, verify
from mtcodec.archive.choice import cheapest_weights, choose_weights, tasks_of
from mtcodec.archive.dataset import Archive
from mtcodec.archive.decode import passes_of
from mtcodec.archive.engines import engine
from mtcodec.archive.manifest import METADATA, Manifest, manifest_of_schema
from mtcodec.archive.pack import Job, Summary, pack, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import row_of
from mtcodec.archive.store import store_at
from mtcodec.archive.unpack import checked_key, unpack
from mtcodec.codec.request import Request
from mtcodec.container import header
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.container.mtc import Reader, SplitReader
from mtcodec.errors import (
    DependencyError,
    FormatError,
    LimitError,
    OutputError,
    SceneError,
    SectionError,
    UsageError,
    WeightsInvalid,
    WeightsNotFound,
)
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.tasks import USUAL, Task, declare

ALL = ("rgb", "depth", "normal", "semantic")


@pytest.fixture(scope="module")
def dataset(bundled: list[SceneFiles], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of two sizes, one of them without normals."""
    directory = tmp_path_factory.mktemp("dataset")
    for k in range(10):
        (directory / f"s{k}").mkdir()
        for name, path in bundled[k % 3].files.items():
            if k != 4 or name != "normal":
                (directory / f"s{k}" / path.name).symlink_to(path)
    (directory / "s9").rename(directory / "other")
    import imagecodecs

    for name in ("rgb", "depth"):
        path = directory / "other" / f"{name}.png"
        image = imagecodecs.png_decode(path.read_bytes())[:70, :90]
        path.unlink()
        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
    for name in ("normal", "semantic"):
        (directory / "other" / f"{name}.png").unlink()
    return directory


@pytest.fixture(scope="module")
def job(small_weights: Path) -> Job:
    return Job(small_weights, ALL, Request(40.0, coding="neural"))


def job_of(**settings: Any) -> Job:
    """One without networks."""
    return Job(None, ALL, Request(**{"coding": "classical", "effort": "fast", **settings}))


@pytest.fixture(scope="module")
def archive(dataset: Path, job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "archive"
    summary = pack(find_scenes(dataset), path, job, workers=1, shard_rows=4)
    assert (summary.scenes, summary.before, summary.skipped) == (10, 0, {})
    return path


def content(path: Path) -> dict[str, bytes]:
    """Whole files by key, in order."""
    return {key: joined(parts) for key, parts in ArchiveReader(path).all_entries()}


def joined(parts: SplitReader | FormatError) -> bytes:
    """The file of a row: its header and payloads, one after the other."""
    if isinstance(parts, FormatError):
        raise parts
    payloads = [parts.payload(section.name) for section in parts.header.sections]
    return header.pack(parts.header) + b"".join(payloads)


# --- packing and unpacking ---------------------------------------------------------------------------


def test_rows_are_files(archive: Path, dataset: Path, small: Codec) -> None:
    """Every row is the file that encode makes of the scene, in the order of the dataset."""
    found = content(archive)
    scenes = find_scenes(dataset)
    assert list(found) == [s.key for s in scenes]
    for files in scenes:
        assert found[files.key] == small.encode(read_scene(files), 40), files.key
    assert sorted(p.name for p in archive.glob("*.parquet")) == [f"shard-{k:05d}.parquet" for k in range(3)]
    listed = json.loads((archive / "archive.json").read_text())
    assert [p["row_groups"] for p in listed["shards"]] == [[4], [4], [2]]
    for part in listed["shards"]:
        payloads = sum(part["columns"].values())
        assert 0 < payloads < part["bytes"] == (archive / part["name"]).stat().st_size
    assert listed["shards"][0]["columns"]["depth"] > listed["shards"][2]["columns"]["depth"]
    assert not list(archive.glob(".*"))


def test_anything_that_reads_parquet_reads_it(archive: Path) -> None:
    table = pq.read_table(archive / "shard-00001.parquet")
    sizes = [f"{task}_{side}" for task in ALL for side in ("height", "width")]
    payloads = ["rgb_holes", "rgb", "depth_holes", "depth", "normal_holes", "normal", "semantic"]
    fixed = ["key", "bytes", "header", *sizes, "depth_min", "depth_max", "shared"]
    assert table.column_names == [*fixed, *payloads, "notes"]
    rows = table.to_pylist()
    assert [r["key"] for r in rows][:2] == ["s3", "s4"]
    assert [rows[0][name] for name in sizes] == [256] * 8
    assert rows[1]["normal"] is None and rows[0]["normal"]
    assert rows[1]["normal_height"] is None and rows[1]["rgb_height"] == 256
    manifest = manifest_of_schema(table.schema)
    assert manifest.task_names == ALL and manifest.tasks[1] == USUAL["depth"]
    assert manifest.settings == {"quality": 40.0, "coding": "neural", "effort": "normal"}


def test_parquet_costs_little_beside_the_files(bundled: list[SceneFiles], small: Codec, job: Job) -> None:
    data = [small.encode(read_scene(s), 20) for s in bundled]
    rows = [row_of(f"scene-{k:06d}", data[k % len(data)]) for k in range(2000)]
    size = len(write.to_parquet(rows, job.manifest()))
    files = sum(len(data[k % len(data)]) for k in range(2000))
    assert size < 1.01 * files  # headers compress here, as scenes repeat; results.md has real ones


def test_images_come_back(archive: Path, dataset: Path, small: Codec, tmp_path: Path) -> None:
    from mtcodec.files.images import read_with_alpha

    assert unpack(ArchiveReader(archive), tmp_path / "all").scenes == 10
    found = content(archive)
    for files in find_scenes(dataset):
        directory = tmp_path / "all" / files.key
        assert sorted(p.stem for p in directory.iterdir()) == sorted(files.files)
        expected = small.decode(found[files.key])
        for name, image in expected.items():
            back, _ = read_with_alpha(directory / f"{name}.png", name, USUAL[name])
            assert back.dtype == image.dtype
            assert (
                np.abs(back.astype(int) - image).max() <= 1 + int(np.ptp(image)) // 4096
            )  # a batch rounds differently
    keys = ["s4", "other"]
    assert unpack(ArchiveReader(archive), tmp_path / "some", ["normal", "depth"], keys).scenes == 2
    assert sorted(
        p.relative_to(tmp_path / "some").as_posix() for p in (tmp_path / "some").rglob("*.png")
    ) == [
        "other/depth.png",
        "s4/depth.png",
    ]
    with pytest.raises(OutputError, match="exists already"):
        unpack(ArchiveReader(archive), tmp_path / "some", ["depth"], keys)
    assert unpack(ArchiveReader(archive), tmp_path / "some", ["depth"], keys, force=True).scenes == 2
    with pytest.raises(UsageError, match="no scene 'nobody'"):
        unpack(ArchiveReader(archive), tmp_path / "none", keys=["s4", "nobody"])
    with pytest.raises(UsageError, match="no task 'smell'"):
        unpack(ArchiveReader(archive), tmp_path / "none", ["smell"])
    assert not (tmp_path / "none").exists()


@pytest.mark.processes
def test_processes_give_the_same_bytes(archive: Path, dataset: Path, job: Job, tmp_path: Path) -> None:
    pack(find_scenes(dataset), tmp_path / "a", job, workers=2)
    assert content(tmp_path / "a") == content(archive)
    assert unpack(ArchiveReader(tmp_path / "a"), tmp_path / "out", ["semantic"], workers=2).scenes == 10


def test_extract_drops_columns(archive: Path, small: Codec, tmp_path: Path) -> None:
    for wanted, weights in ((["depth"], True), (["semantic"], False)):
        out = tmp_path / wanted[0]
        count = extract(ArchiveReader(archive), out, wanted)
        reader = ArchiveReader(out)
        assert reader.manifest.task_names == tuple(wanted) and reader.rows == count == (10 if weights else 9)
        assert (out / "weights").exists() == weights  # exact tasks need none
        table = pq.read_table(out / "shard-00000.parquet")
        assert (table["shared"].null_count == count) == (not weights)
        for key, data in content(out).items():
            assert data == mtcodec.extract(content(archive)[key], wanted)
        assert verify(reader, decoding=True) == {}
    with pytest.raises(OutputError, match="already"):
        extract(ArchiveReader(archive), tmp_path / "depth", ["rgb"])


def test_an_archive_decodes_with_its_own_weights(
    archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS", raising=False)
    assert verify(ArchiveReader(archive), decoding=True) == {}
    (weights,) = (archive / "weights").iterdir()
    moved = weights.rename(tmp_path / weights.name)
    try:
        with pytest.raises(WeightsNotFound, match=r"its weights .* are missing"):
            verify(ArchiveReader(archive), decoding=True)
        assert verify(ArchiveReader(archive)) == {}
        assert Archive(archive, ["semantic"])[1].keys() == {"key", "semantic"}  # no networks decode it
        weights.write_bytes((Path(mtcodec.__file__).parent.parent / "weights/clevr.safetensors").read_bytes())
        with pytest.raises(WeightsInvalid, match="not the weights that the archive names"):
            verify(ArchiveReader(archive), decoding=True)
    finally:
        moved.replace(weights)


# --- what pack makes of scenes -----------------------------------------------------------------------


def test_without_networks_an_archive_has_no_weights(bundled: list[SceneFiles], tmp_path: Path) -> None:
    out = tmp_path / "a"
    pack(bundled[:2], out, job_of(), workers=1)
    manifest = ArchiveReader(out).manifest
    assert (
        manifest.fingerprint == NO_WEIGHTS
        and manifest.weights_path is None
        and not (out / "weights").exists()
    )
    assert content(out)[bundled[0].key] == Codec((), coding="classical", effort="fast").encode(
        read_scene(bundled[0])
    )
    assert verify(ArchiveReader(out), decoding=True) == {}


@pytest.mark.parametrize("fingerprint", [NO_WEIGHTS, "11111111"])
def test_scenes_of_weights_that_an_archive_lacks(fingerprint: str, archive: Path, tmp_path: Path) -> None:
    data = content(archive)["s0"]
    own = replace(Reader(data).header, fingerprint=fingerprint)
    manifest = replace(ArchiveReader(archive).manifest, fingerprint=NO_WEIGHTS)
    row = row_of("s0", data) | {"header": header.pack(own)}
    (tmp_path / "shard-00000.parquet").write_bytes(write.to_parquet([row], manifest))
    with pytest.raises(WeightsNotFound, match=fingerprint):
        unpack(ArchiveReader(tmp_path), tmp_path / "out", ["rgb"])
    assert unpack(ArchiveReader(tmp_path), tmp_path / "out", ["semantic"]).scenes == 1


def test_weights_that_no_scene_needs_are_left_out(
    bundled: list[SceneFiles], small_weights: Path, tmp_path: Path
) -> None:
    """Untrained networks lose to AV1, so auto takes none of what they make."""
    out = tmp_path / "a"
    summary = pack(
        bundled[:1], out, Job(small_weights, ("rgb", "semantic"), Request(40, effort="fast")), workers=1
    )
    assert summary.scenes == 1 and summary.columns["shared"] == 0
    assert not (out / "weights").exists() and verify(ArchiveReader(out), decoding=True) == {}


def scene_with_holes(seed: int = 0) -> dict[str, np.ndarray]:
    """Depth and infrared with holes of their own places, ids of unknown meaning, and colours."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:80, :96]
    depth = (2000 + 9 * x + 5 * y).astype(np.uint16)
    depth[10:30, 20:50] = 0
    distance = (900 + 3 * x).astype(np.uint16)
    distance[50:, :9] = 0
    rgb = np.stack([x * 2, y * 3, x + y], axis=-1).astype(np.uint8) + rng.integers(
        0, 5, (80, 96, 3), np.uint8
    )
    return {
        "rgb": rgb,
        "depth": depth,
        "disparity": distance,
        "strange": (x // 9 * 1000 - 7).astype(np.int32),
    }


def test_holes_notes_and_unknown_tasks_are_kept(tmp_path: Path) -> None:
    """Sections of holes lie in columns of their tasks; a task reads those that are its own."""
    out, names = tmp_path / "a", ("rgb", "depth", "disparity", "strange")
    job = replace(job_of(measures=True, units={"depth": "0.5mm"}), tasks=names)
    scenes = {f"s{k}": scene_with_holes(k) for k in range(3)}
    pack_scenes(scenes.items(), out, job)
    reader = ArchiveReader(out)
    assert reader.manifest.tasks[3] == Task("strange", "data", 1, reader.manifest.tasks[3].dtypes)
    codec = Codec((), **vars(job.request))
    for key, data in content(out).items():
        own = Reader(data).header
        assert data == codec.encode(scenes[key]) and own.section("holes1") and own.section("notes")
        columns = row_of(key, data)
        for task in ("depth", "disparity"):
            assert len(columns[f"{task}_holes"]) == own.section(own.task(task).mask).length
    for key, sample in zip(scenes, Archive(out, ["disparity", "strange"]).stream()):
        holes = sample["disparity"][0].numpy() == 0
        assert (holes == (scenes[key]["disparity"] == 0)).all()
        assert (sample["strange"][0].numpy() == scenes[key]["strange"]).all()
    assert extract(reader, tmp_path / "b", ["depth", "strange"]) == 3
    for key, data in content(tmp_path / "b").items():
        assert data == mtcodec.extract(codec.encode(scenes[key]), ["depth", "strange"])
        assert mtcodec.info(data)["tasks"]["depth"]["unit"] == "0.5mm"


def test_a_damaged_column_of_holes_costs_the_task_that_has_it(tmp_path: Path) -> None:
    out = tmp_path / "a"
    pack_scenes([("s", scene_with_holes())], out, replace(job_of(), tasks=tuple(scene_with_holes())))
    for value in (lambda v: v[:-1], lambda v: v + b"\0", lambda v: None, lambda v: bytes(len(v))):
        path = changed(out, tmp_path, "depth_holes", value, 0)
        (error,) = verify(ArchiveReader(path)).values()
        assert isinstance(error, SectionError) and error.section == "holes0" and error.scene == "s"
        assert Archive(path, ["strange", "rgb", "disparity"])[0]["key"] == "s"
        with pytest.raises(FormatError, match="scene s"):
            Archive(path, ["depth"])[0]


def test_a_scene_with_other_tasks_is_refused_or_skipped(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="scene s: has tasks that the archive has not: disparity, strange"):
        pack_scenes([("s", scene_with_holes())], tmp_path / "a", replace(job_of(), tasks=("rgb", "depth")))


def test_alpha_is_a_task_that_only_images_tell(tmp_path: Path) -> None:
    """What a sample shows is a column; without it, a line says that it is left out."""
    import imagecodecs

    image = np.random.default_rng(0).integers(0, 255, (20, 24, 4), np.uint8)
    for k in range(2):
        (tmp_path / "set" / f"{k}").mkdir(parents=True)
        (tmp_path / "set" / f"{k}" / "rgb.png").write_bytes(imagecodecs.png_encode(image))
    scenes = find_scenes(tmp_path / "set")
    assert tasks_of(scenes, USUAL) == ("rgb", "rgb_alpha")
    summary = pack(scenes, tmp_path / "a", replace(job_of(), tasks=("rgb", "rgb_alpha")), workers=1)
    assert summary.notes["rgb: its alpha is kept as a task of its own, rgb_alpha"] == 2
    assert (Archive(tmp_path / "a")[1]["rgb_alpha"][0].numpy() == image[..., 3]).all()
    summary = pack(scenes, tmp_path / "b", replace(job_of(), tasks=("rgb",)), workers=1)
    assert summary.notes["rgb: its alpha, rgb_alpha, is left out"] == 2


def test_settings_tell_what_was_asked_for() -> None:
    request = Request(70, {"depth": 90}, {"rgb": 0.0}, {"depth": [(9999.0,)]}, False, coding="classical")
    manifest = Job(
        None,
        ("rgb", "depth", "albedo", "odd"),
        replace(request, tasks={"albedo": declare("albedo", "image", 4)}),
    ).manifest()
    assert manifest.settings == {
        "quality": 70, "coding": "classical", "effort": "normal", "task_quality": {"depth": 90},
        "max_error": {"rgb": 0.0}, "invalid": {"depth": [[9999.0]]}, "usual_holes": False,
    }  # fmt: skip
    assert [(t.kind.name, t.channels) for t in manifest.tasks] == [
        ("color", 3),
        ("depth", 1),
        ("image", 4),
        ("data", 1),
    ]


@pytest.mark.slow
def test_the_weights_that_suit_the_scenes_are_chosen(
    bundled: list[SceneFiles],
    small_weights: Path,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mtcodec.networks.weights import store

    paths, request = [small_weights, store.find("clevr")], Request(50.0, coding="neural")
    assert (
        cheapest_weights(paths, bundled, ALL, request)
        == paths[1]
        == cheapest_weights(paths[::-1], bundled, ALL, request)
    )
    broken = SceneFiles("x", {"rgb": tmp_path / "none.png"}, "x")
    assert cheapest_weights(paths, [broken, bundled[0]], ALL, request) == paths[1]
    monkeypatch.setattr(store, "resolve", lambda name: paths if name == "auto" else [store.find(name)])
    assert choose_weights("auto", bundled, ALL, request, tmp_path / "new") == paths[1]
    assert choose_weights("clevr", bundled, ALL, request, archive) == paths[1]
    kept = choose_weights("auto", bundled, ALL, request, archive)  # those that it has already
    assert kept is not None and kept.parent == archive / "weights"
    assert choose_weights("auto", bundled, ALL, Request(coding="classical"), archive) is None


@pytest.mark.slow
def test_networks_must_save_more_than_their_file_takes(
    bundled: list[SceneFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtcodec.networks.weights import store

    clevr = store.find("clevr")
    monkeypatch.setattr(store, "resolve", lambda name: [clevr] if name == "auto" else [store.find(name)])
    few, many = bundled[:2], bundled[:2] * 100_000
    tasks, request = ("rgb", "depth"), Request(30.0, effort="fast")
    assert cheapest_weights([clevr], few, tasks, request) is None
    assert cheapest_weights([clevr], many, tasks, request) == clevr
    assert cheapest_weights([clevr], few, tasks, replace(request, coding="neural")) == clevr
    assert choose_weights("auto", few, tasks, request, tmp_path / "a") is None
    assert choose_weights("auto", many, tasks, request, tmp_path / "a") == clevr
    assert choose_weights("clevr", few, tasks, request, tmp_path / "a") == clevr  # as they were asked for
    # what an archive has been made with stays, however many scenes come
    pack(few, tmp_path / "a", Job(None, tasks, request), workers=1)
    assert choose_weights("auto", many, tasks, request, tmp_path / "a") is None
    pack(few, tmp_path / "b", Job(clevr, tasks, request), workers=1)
    kept = choose_weights("auto", few, tasks, request, tmp_path / "b")
    assert kept is not None and kept.read_bytes() == clevr.read_bytes()


@pytest.fixture
def one_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only weights that are installed: ``clevr``."""
    from mtcodec.networks.weights import store

    path = tmp_path / "installed" / "clevr.safetensors"
    path.parent.mkdir()
    path.symlink_to(store.find("clevr").resolve())
    monkeypatch.setattr(store, "directories", lambda: [path.parent])
    return path


def test_several_names_of_weights_compete(
    bundled: list[SceneFiles], small_weights: Path, one_installed: Path, archive: Path, tmp_path: Path
) -> None:
    few, new = bundled[:2], tmp_path / "new"
    neural, auto = Request(50.0, coding="neural"), Request(30.0, effort="fast")
    for names in (f"auto,{small_weights}", f"{small_weights},clevr"):
        assert choose_weights(names, few, ALL, neural, new) == one_installed
        assert choose_weights(names, few, ("rgb", "depth"), auto, new) is None  # the file costs more
        assert choose_weights(names, few * 100_000, ("rgb", "depth"), auto, new) == one_installed
        kept = choose_weights(names, few, ALL, neural, archive)  # those that it has already
        assert kept is not None and kept.parent == archive / "weights"
    assert choose_weights(f"{small_weights},{small_weights}", few, ALL, auto, new) == small_weights
    with pytest.raises(WeightsNotFound, match="no weights named 'nothing'"):
        choose_weights("auto,nothing", few, ALL, auto, new)


def test_commands_take_several_names_of_weights(dataset: Path, small_weights: Path, tmp_path: Path) -> None:
    names = ("--weights", f"clevr,{small_weights}", "--coding", "neural")
    done = command("pack", dataset / "s0", "-o", tmp_path / "a", *names, "--workers", 1)
    assert done.returncode == 0, done.stderr
    done = command("encode", dataset / "s0", "-o", tmp_path / "s0.mtc", *names)
    assert done.returncode == 0, done.stderr
    fingerprint = mtcodec.info(tmp_path / "s0.mtc")["weights"]["fingerprint"]
    assert ArchiveReader(tmp_path / "a").manifest.fingerprint == fingerprint


def test_bytes_of_the_weights_are_told(archive: Path, job: Job, bundled: list[SceneFiles],
                                       tmp_path: Path) -> None:  # fmt: skip
    assert job.weights is not None
    size = job.weights.stat().st_size
    assert ArchiveReader(archive).weights_size() == size
    again = pack(bundled[:1], tmp_path / "a", job, workers=1)
    assert again.weights == size
    assert pack(bundled[:1], tmp_path / "b", job_of(), workers=1).weights == 0
    assert ArchiveReader(tmp_path / "b").weights_size() == 0


# --- going on ----------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was(archive: Path, dataset: Path, job: Job, tmp_path: Path) -> None:
    scenes = find_scenes(dataset)
    out = tmp_path / "a"
    pack(scenes[:5], out, job, workers=1, shard_rows=2)
    (out / ".shard-00003.parquet.x1").write_bytes(b"half a part")
    before = {p.name: p.read_bytes() for p in out.glob("*.parquet")}
    summary = pack(scenes, out, job, workers=1)
    assert (summary.scenes, summary.before) == (5, 5)
    assert content(out) == content(archive) and not list(out.glob(".part*"))
    assert all((out / name).read_bytes() == data for name, data in before.items())
    assert pack(scenes, out, job, workers=1).scenes == 0
    with pytest.raises(UsageError, match="other weights, tasks or settings"):
        pack(scenes, out, replace(job, request=Request(50.0, coding="neural")), workers=1)
    with pytest.raises(UsageError, match="other weights, tasks or settings"):
        pack(scenes, out, replace(job, tasks=(*ALL, "more")), workers=1)
    with pytest.raises(OutputError, match="has scenes of other images or tasks, other, s0, s1"):
        pack(scenes, out, replace(job, tasks=ALL[2:]), workers=1)
    with pytest.raises(UsageError, match="two scenes are called"):
        pack([scenes[0], scenes[0]], tmp_path / "twice", job, workers=1)


def test_scenes_of_another_dataset_are_added_if_asked(dataset: Path, job: Job, tmp_path: Path) -> None:
    scenes, out = find_scenes(dataset), tmp_path / "a"
    pack(scenes[:2], out, job, workers=1)
    before = content(out)
    with pytest.raises(UsageError, match=r"has not \(1, such as 'other'\): --append"):
        pack(scenes[1:3], out, job, workers=1)
    assert content(out) == before and not list(out.glob(".*"))
    summary = pack(scenes[1:3], out, job, workers=1, append=True)
    assert (summary.scenes, summary.before) == (1, 1)
    assert list(content(out)) == [scene.key for scene in scenes[:3]] == ["other", "s0", "s1"]
    assert content(out).items() > before.items() and ArchiveReader(out).rows == 3


def test_unreadable_scenes_stop_the_run_or_are_reported(dataset: Path, job: Job, tmp_path: Path) -> None:
    scenes = find_scenes(dataset)
    broken = tmp_path / "rgb.png"
    broken.write_bytes(b"no image")
    scenes[3] = SceneFiles("s2", {"rgb": broken, "depth": scenes[3].files["depth"]}, "s2")
    with pytest.raises(SceneError, match=re.escape(str(broken))):
        pack(scenes, tmp_path / "a", job, workers=1, shard_rows=2)
    assert set(content(tmp_path / "a")) == {"other", "s0", "s1"}  # what came before it is kept
    summary = pack(scenes, tmp_path / "a", job, workers=1, skip_errors=True)
    assert list(summary.skipped) == ["s2"] and summary.scenes == 6
    assert summary.skipped["s2"].path == broken
    assert "s2" not in content(tmp_path / "a")


def test_two_runs_do_not_mix(dataset: Path, job: Job, tmp_path: Path) -> None:
    with store_at(tmp_path / "a").locked(), pytest.raises(OutputError, match="another run"):
        pack(find_scenes(dataset), tmp_path / "a", job, workers=1)


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_twenty_times(
    bundled: list[SceneFiles], small_weights: Path, small: Codec, tmp_path: Path
) -> None:
    """No scene is lost, doubled or half-written, whenever a run is killed."""
    dataset, out = tmp_path / "dataset", tmp_path / "archive"
    for k in range(400):
        (dataset / f"{k:04d}").mkdir(parents=True)
        for path in bundled[k % 3].files.values():
            (dataset / f"{k:04d}" / path.name).symlink_to(path)
    command = [sys.executable, "-m", "mtcodec", "pack", str(dataset), "-o", str(out), "--quality", "40",
               "--weights", str(small_weights), "--coding", "neural", "--workers", "1", "--shard-scenes", "3",
               "--quiet"]  # fmt: skip
    rng = random.Random(0)
    seen: list[int] = []
    window = 1.0  # grows until runs get somewhere before they are killed, however slow the machine is
    for _ in range(20):
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        patience = time.monotonic() + 60
        while run.poll() is None and not list(out.glob(".lock")) and time.monotonic() < patience:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, window))
        run.send_signal(signal.SIGKILL)
        run.wait()
        keys = ArchiveReader(out).rows if list(out.glob("*.parquet")) else 0
        window = window if keys > (seen or [0])[-1] else min(1.3 * window, 20)
        seen.append(keys)
    assert seen == sorted(seen) and seen[-1] > 0
    assert subprocess.run(command, check=False).returncode == 0
    found = content(out)
    assert list(found) == [f"{k:04d}" for k in range(400)]
    expected = [small.encode(read_scene(bundled[k]), 40) for k in range(3)]
    assert all(found[f"{k:04d}"] == expected[k % 3] for k in range(400))
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


# --- engines ----------------------------------------------------------------------------------------


class Adder:
    """A worker of its own number."""

    def __init__(self, number: int, failing: bool = False) -> None:
        if failing:
            raise WeightsNotFound("no worker", path="here")
        self.number = number

    def __call__(self, item: int) -> int:
        if item < 0:
            raise SceneError("negative", scene="s")
        return self.number + item


@pytest.mark.processes
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_results_in_order_and_errors_whole(workers: int) -> None:
    with engine("local", workers, Adder, (10,)) as submit:
        assert list(submit(range(20))) == list(range(10, 30))
        with pytest.raises(SceneError) as caught:
            list(submit([1, -1]))
        assert (caught.value.reason, caught.value.scene) == ("negative", "s")
    with (
        pytest.raises(WeightsNotFound, match="here: no worker"),
        engine("local", workers, Adder, (1, True)) as submit,
    ):
        list(submit([1]))
    with pytest.raises(UsageError, match="engine must be"):
        engine("slurm", 1, Adder, (1,))


@pytest.mark.parametrize("name", ["pyarrow", "fsspec", "ray"])
def test_missing_libraries_are_named(
    archive: Path, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match=r"pip install 'mtcodec\[(archive|ray)\]'"):
        if name == "ray":
            pack([], tmp_path / "a", job, engine_name="ray")
        ArchiveReader(archive)


# --- Ray ---------------------------------------------------------------------------------------------


def actors() -> list[int]:
    """Processes of Ray's workers that have work."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            name = (directory / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"_Actor" in name:
            found.append(int(directory.name))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_ray_makes_the_same_archive_even_if_a_worker_is_killed(
    bundled: list[SceneFiles], job: Job, small: Codec, cluster: None, tmp_path: Path
) -> None:
    scenes = [SceneFiles(f"{k:03d}", bundled[k % 3].files, f"{k}") for k in range(160)]
    killed: list[int] = []

    def kill_one(summary: Summary, total: int) -> None:
        running = actors()
        if not killed and running:
            killed.append(running[0])
            os.kill(running[0], signal.SIGKILL)

    summary = pack(scenes, tmp_path / "a", job, engine_name="ray", workers=2, progress=kill_one)
    assert killed and summary.scenes == 160
    expected = [small.encode(read_scene(bundled[k]), 40) for k in range(3)]
    found = content(tmp_path / "a")
    assert list(found) == [s.key for s in scenes]
    assert all(found[s.key] == expected[k % 3] for k, s in enumerate(scenes))
    assert (
        unpack(ArchiveReader(tmp_path / "a"), tmp_path / "images", ["semantic"], engine_name="ray").scenes
        == 160
    )
    with pytest.raises(OutputError, match="exists already"):
        unpack(ArchiveReader(tmp_path / "a"), tmp_path / "images", ["semantic"], engine_name="ray")


# --- reading -----------------------------------------------------------------------------------------


class Served(NamedTuple):
    """An archive over HTTP: its URL, and what counts the bytes that are sent."""

    url: str
    line: Line


@pytest.fixture
def served(archive: Path) -> Iterator[Served]:
    pytest.importorskip("aiohttp")
    line = Line()
    with Server(("127.0.0.1", 0), handler(archive.parent.resolve(), line)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Served(f"http://127.0.0.1:{server.server_port}/{archive.name}", line)
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_only_the_columns_of_a_task_travel(served: Served, archive: Path, monkeypatch: pytest.MonkeyPatch,
                                           small_weights: Path) -> None:  # fmt: skip
    monkeypatch.setenv("MTCODEC_WEIGHTS", str(small_weights.parent))
    remote, local = Archive(served.url, ["depth"]), Archive(archive, ["depth"])
    for part in range(len(remote.reader.shards)):
        remote.reader.shard(part)
    footers = served.line.sent
    for a, b in zip(remote.stream(), local.stream()):
        assert a["key"] == b["key"] and torch.equal(a["depth"], b["depth"])
    columns = sum(local.reader.sizes[name] for name in ("key", "header", "shared", "depth_holes", "depth"))
    assert served.line.sent - footers <= 1.05 * columns
    assert served.line.sent == remote.reader.fetched + (archive / "archive.json").stat().st_size


FORK = """
import gc, os, sys
from mtcodec import Archive

archive = Archive(sys.argv[1], ["depth"], numpy=True)
if not os.fork():  # what a worker does: it opens the archive anew and forgets what it has inherited
    archive.reader
    gc.collect()
    os._exit(0)
os.wait()
print(len(archive.keys()), len(Archive(sys.argv[1])))
"""


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_leaves_its_parents_connections_alone(served: Served) -> None:
    """They share what tells of events; without care the parent's next request never ends."""
    command = [sys.executable, "-c", FORK, served.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "10 10\n"


def test_samples(archive: Path, dataset: Path, small: Codec) -> None:
    every = Archive(archive)
    assert len(every) == 10 and every.keys() == [s.key for s in find_scenes(dataset)]
    sample = every[4]
    assert (
        sample["key"] == "s3" and sample["rgb"].shape == (3, 256, 256) and sample["rgb"].dtype == torch.uint8
    )
    assert sample["depth"].dtype == torch.int32 and sample["semantic"].shape == (1, 256, 256)
    expected = small.decode(content(archive)["s3"])["depth"]
    assert (sample["depth"][0].numpy() == expected).all()
    assert "normal" not in every[5] and every[-1]["key"] == every.keys()[-1]
    with pytest.raises(IndexError):
        every[10]
    assert mtcodec.Archive is Archive
    doubled = Archive(archive, ["depth"], transform=lambda s: s["depth"].float() * 2)
    assert torch.equal(doubled[4], sample["depth"].float() * 2)
    with pytest.raises(UsageError, match="no task"):
        Archive(archive, ["smell"])


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on one core
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders(archive: Path, workers: int) -> None:
    """By index and as a stream, every scene comes once; batches decode together."""
    some = (
        Archive(archive, ["depth"], transform=lambda s: s["key"])
        if not workers
        else Archive(archive, ["depth"])
    )
    keys = sorted(some.keys())
    options: dict[str, Any] = {"num_workers": workers, "batch_size": 3, "collate_fn": list}
    if workers:
        options["multiprocessing_context"] = "spawn"
    for source in (some, some.stream(), some.stream(shuffle=True, seed=3)):
        batches = list(torch.utils.data.DataLoader(source, **options))
        got = [s["key"] if workers else s for batch in batches for s in batch]
        assert sorted(got) == keys
    stream = some.stream(shuffle=True)
    first = [s if isinstance(s, str) else s["key"] for s in stream]
    stream.set_epoch(1)
    assert [s if isinstance(s, str) else s["key"] for s in stream] != first


# --- damage ------------------------------------------------------------------------------------------


def changed(archive: Path, tmp_path: Path, column: str, value: Any, row: int = 1) -> Path:
    """A copy of the archive's first part with one value changed."""
    table = pq.read_table(archive / "shard-00000.parquet")
    values = table[column].to_pylist()
    values[row] = value(values[row])
    kind = table.schema.field(column)
    table = table.set_column(table.schema.get_field_index(column), kind, pa.array(values, kind.type))
    out = tmp_path / "changed"
    out.mkdir(exist_ok=True)
    (out / "shard-00000.parquet").write_bytes(write.table_to_parquet(table))
    if (archive / "weights").exists():
        (out / "weights").symlink_to(archive / "weights")
    return out


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("depth", lambda v: v[:-1] + bytes([v[-1] ^ 1]), r"section depth: damaged"),
        ("depth", lambda v: v[:-1], r"section depth: missing, or of another length"),
        ("rgb", lambda v: None, r"section rgb: missing"),
        ("shared", lambda v: bytes(len(v)), r"section shared: damaged"),
        ("header", lambda v: v[:9] + b"?" + v[10:], r"header is damaged|out of range"),
        ("header", lambda v: v + b"\0", r"bytes after the header"),
    ],
)
def test_damage_is_named(archive: Path, tmp_path: Path, column: str, value: Any, message: str) -> None:
    path = changed(archive, tmp_path, column, value)
    found = verify(ArchiveReader(path))
    assert list(found) == ["s0"] and re.search(message, str(found["s0"]))
    assert (found["s0"].path, found["s0"].scene) == (str(path), "s0")
    with pytest.raises(FormatError, match=r"s0"):
        unpack(ArchiveReader(path), tmp_path / "out")
    if column == "rgb":  # what does not need it is there
        assert unpack(ArchiveReader(path), tmp_path / "out2", ["depth", "semantic"]).scenes == 4


@pytest.mark.parametrize("key", ["../up", "/root", "a/../../b", "", ".", "a//b", "..\\x"])
def test_keys_stay_inside_the_output(archive: Path, tmp_path: Path, key: str) -> None:
    path = changed(archive, tmp_path, "key", lambda v: key)
    with pytest.raises(FormatError, match="no path inside the output"):
        unpack(ArchiveReader(path), tmp_path / "out" / "deep")
    assert checked_key("a/b.c") == "a/b.c"


def test_larger_images_than_wanted_are_damage(archive: Path, tmp_path: Path) -> None:
    limit = 1000
    assert len(verify(ArchiveReader(archive, limit))) == ArchiveReader(archive).rows
    for workers in (1, 2):
        with pytest.raises(LimitError, match=r"scene other: .*more than the limit of 1000"):
            unpack(ArchiveReader(archive, limit), tmp_path / "out", workers=workers)
    with pytest.raises(LimitError, match="more than the limit of 1000"):
        mtcodec.Archive(archive, max_pixels=limit)[0]


def test_large_scenes_do_not_share_the_networks() -> None:
    for pixels, groups in ((1, [5]), (1 << 17, [2, 2, 1]), (1 << 24, [1] * 5)):
        assert [len(few) for few in passes_of(range(5), pixels)] == groups


def test_tasks_are_not_called_like_columns() -> None:
    """Nor like those that another task has; ``height`` is none of them."""
    lengths = declare("range", "depth")
    rgb = USUAL["rgb"]
    for tasks in (("bytes",), ("rgb_height",), ("rgb_width",), ("rgb_holes",), ("range_max",)):
        other = tuple(Task(name, "image") for name in tasks)
        with pytest.raises(UsageError, match=f"cannot be called '{tasks[0]}'.*--rename"):
            Manifest(NO_WEIGHTS, (rgb, lengths, *other))
    kept = Manifest(
        NO_WEIGHTS, (Task("height", "image"), rgb, USUAL["semantic"], Task("semantic_holes", "image"))
    )
    names = (*kept.size_columns, *kept.payload_columns)
    assert len(names) == len(set(names))


def test_what_is_no_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no shards"):
        (tmp_path / "empty").mkdir()
        ArchiveReader(tmp_path / "empty")
    with pytest.raises(SceneError, match="cannot read it"):
        ArchiveReader(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"a": [1]}), other / "shard-00000.parquet")
    with pytest.raises(FormatError, match="not a shard of an archive"):
        ArchiveReader(other)
    data = (archive / "shard-00000.parquet").read_bytes()
    for bad in (b"", b"PAR1", data[:-1], data[:-12] + b"\xff\xff\xff\x7f" + data[-8:], bytes(len(data))):
        (other / "shard-00000.parquet").write_bytes(bad)
        with pytest.raises(FormatError):
            ArchiveReader(other)
    schema = pq.read_schema(archive / "shard-00000.parquet")
    facts = json.loads(schema.metadata[METADATA])
    for change in (
        {"format": "mtcodec-archive-9"},
        {"tasks": 3},
        {"fingerprint": "zz"},
        {"tasks": [{"name": "!"}]},
    ):
        forged = schema.with_metadata({METADATA: json.dumps(facts | change)})
        with pytest.raises(FormatError):
            manifest_of_schema(forged)
    with pytest.raises(FormatError, match="lacks columns: header"):
        manifest_of_schema(schema.remove(schema.get_field_index("header")))


def test_flipped_bytes_of_a_part_are_errors_or_right(archive: Path, tmp_path: Path) -> None:
    """No flip crashes the reader, and none gives other sections than were written."""
    data = (archive / "shard-00000.parquet").read_bytes()
    whole = dict(list(content(archive).items())[:4])
    out = tmp_path / "a"
    out.mkdir()
    rng = random.Random(0)
    outcomes = {"refused": 0, "damaged": 0, "right": 0}
    for _ in range(250):
        at = rng.randrange(len(data)) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(1500)
        (out / "shard-00000.parquet").write_bytes(
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        )
        try:
            entries = list(ArchiveReader(out).all_entries())
            for key, parts in entries:
                if joined(parts) not in whole.values():
                    pytest.fail(f"{key}: wrong content")
            outcomes["right"] += 1
        except SectionError:
            outcomes["damaged"] += 1
        except (FormatError, SceneError):
            outcomes["refused"] += 1
    assert outcomes["refused"] and outcomes["damaged"]


# --- the commands ------------------------------------------------------------------------------------


def command(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mtcodec", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, **(env or {})},
    )  # fmt: skip


@pytest.mark.processes
def test_commands(dataset: Path, small_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    options = ("--weights", small_weights, "--coding", "neural", "--workers", 1)
    done = command("pack", dataset, "-o", out, *options, "--quality", 40)
    assert done.returncode == 0 and done.stderr == "" and f"{out}: 10 scenes, " in done.stdout
    assert re.search(r"in all +\d+ bytes", done.stdout)
    size = small_weights.stat().st_size
    assert re.search(r"→ \S+ kB( \(\S+\))? and \S+ [kM]?B of weights, ", done.stdout)
    told = command("info", out).stdout
    assert re.search(rf"weights +{size} bytes for all scenes\n", told)
    assert json.loads(command("info", out, "--json").stdout)["weights_bytes"] == size
    again = command("pack", dataset, "-o", out, *options, "--quality", 40, "--json")
    facts = json.loads(again.stdout)
    assert (facts["scenes"], facts["before"], facts["weights_bytes"]) == (0, 10, size)
    other = command("pack", dataset, "-o", out, *options, "--quality", 41)
    assert other.returncode == 2 and other.stderr.count("\n") == 1
    shown = json.loads(command("info", out, "--json").stdout)
    assert shown["scenes"] == 10 and shown["settings"] == {
        "quality": 40.0,
        "coding": "neural",
        "effort": "normal",
    }
    assert command("extract", out, "--tasks", "depth", "-o", tmp_path / "b").returncode == 0
    assert "to decode depth" in command("info", tmp_path / "b").stdout
    assert "mtcodec unpack" in command("decode", out).stderr and not list(out.glob(".*"))
    files = tmp_path / "keys"
    files.write_text("s1\n\ns3\n")
    done = command("unpack", tmp_path / "b", "-o", tmp_path / "c", "--keys", f"@{files}", "--workers", 1)
    assert done.returncode == 0 and sorted(p.name for p in (tmp_path / "c").iterdir()) == ["s1", "s3"]
    written = sum(path.stat().st_size for path in (tmp_path / "c").rglob("*.png"))
    assert "c: 2 scenes, " in done.stdout and f" → {written / 1000:.3g} kB (" in done.stdout
    done = command("unpack", tmp_path / "b", "-o", tmp_path / "d", "--keys", "s1,nope", "--workers", 1)
    assert done.returncode == 2 and "no scene 'nope'" in done.stderr and not (tmp_path / "d").exists()
    single = tmp_path / "one.mtc"
    single.write_bytes(next(iter(content(out).values())))
    env = {"MTCODEC_WEIGHTS": str(small_weights.parent)}
    done = command("verify", out, tmp_path / "b", single, "--decode", env=env)
    assert done.returncode == 0 and done.stdout.count("undamaged") == 3
    single.write_bytes(single.read_bytes()[:-1] + b"?")
    done = command("verify", out, single, env=env)
    assert done.returncode == 3 and "section" in done.stderr


def test_the_command_reports_what_it_skips(dataset: Path, tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / "set" / name).mkdir(parents=True)
    (tmp_path / "set" / "good" / "rgb.png").symlink_to(dataset / "s0" / "rgb.png")
    (tmp_path / "set" / "bad" / "rgb.png").write_bytes(b"no image")
    options = ("--coding", "classical", "--effort", "fast", "--workers", 1)
    done = command("pack", tmp_path / "set", "-o", tmp_path / "a", *options, "--skip-errors", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 1 and facts["scenes"] == 1 and "cannot read it" in facts["skipped"]["bad"]
    assert "skipped: " in done.stderr and "1 of 2 scenes could not be encoded" in done.stderr
    done = command("pack", tmp_path / "set", "-o", tmp_path / "b", *options, "--tasks", "smell")
    assert done.returncode == 1 and "no scene has an image of task 'smell'" in done.stderr
