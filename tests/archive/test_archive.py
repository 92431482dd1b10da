"""Archives: what goes in comes out, whatever happens in between; only what is needed is read."""

from __future__ import annotations

import functools
import http.server
import io
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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from conftest import TASKS

import mtcodec
from mtcodec.archive import pack as packing
from mtcodec.archive import write
from mtcodec.archive.dataset import Archive
from mtcodec.archive.layout import METADATA, About, about_of, together
from mtcodec.archive.pack import Job, pack
from mtcodec.archive.read import Opened
from mtcodec.archive.unpack import extract, safe, unpack, verify
from mtcodec.codec.choice import Request
from mtcodec.codec.codec import Codec
from mtcodec.errors import FormatError, OutputError, SceneError, SectionError, UsageError
from mtcodec.files.layouts import SceneFiles, find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.format import container
from mtcodec.tasks import task as tasks

ALL = (*TASKS, tasks.SEMANTIC)
SETTINGS = {"quality": 40.0}


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


@pytest.fixture(scope="module")
def archive(dataset: Path, job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "archive"
    summary = pack(find_scenes(dataset), path, job, settings=SETTINGS, workers=1, part_rows=4)
    assert (summary.scenes, summary.before, summary.skipped) == (10, 0, {})
    return path


def content(path: Path) -> dict[str, bytes]:
    """Whole files by key, in order."""
    return {key: container.join(parts) for key, parts in Opened(path).all_entries()}


# --- packing and unpacking ---------------------------------------------------------------------------


def test_rows_are_files(archive: Path, dataset: Path, small: Codec) -> None:
    """Every row is the file that encode makes of the scene, in the order of the dataset."""
    found = content(archive)
    scenes = find_scenes(dataset)
    assert list(found) == [s.key for s in scenes]
    for files in scenes:
        assert found[files.key] == small.encode(read_scene(files, ALL), 40), files.key
    assert sorted(p.name for p in archive.glob("*.parquet")) == [f"part-{k:05d}.parquet" for k in range(3)]
    listed = json.loads((archive / "archive.json").read_text())
    assert [p["rows"] for p in listed["parts"]] == [4, 4, 2]
    assert not list(archive.glob(".*"))


def test_anything_that_reads_parquet_reads_it(archive: Path) -> None:
    table = pq.read_table(archive / "part-00001.parquet")
    assert table.column_names == [
        "key",
        "height",
        "width",
        "header",
        "shared",
        "rgb",
        "depth",
        "normal",
        "semantic",
    ]
    rows = table.to_pylist()
    assert [(r["key"], r["height"], r["width"]) for r in rows][:2] == [("s3", 256, 256), ("s4", 256, 256)]
    assert rows[1]["normal"] is None and rows[0]["normal"]
    about = about_of(table.schema, "it")
    assert about.tasks == ALL and about.settings == SETTINGS


def test_parquet_costs_little_beside_the_files(bundled: list[SceneFiles], small: Codec) -> None:
    data = [small.encode(read_scene(s, ALL), 20) for s in bundled]
    rows = [write.row(f"scene-{k:06d}", data[k % len(data)]) for k in range(2000)]
    rows = [r | write.dimensions(r["header"]) for r in rows]
    about = replace(about_for_test(small), settings=SETTINGS)
    size = len(write.to_parquet(rows, about))
    files = sum(len(data[k % len(data)]) for k in range(2000))
    assert size < 1.01 * files  # headers compress here, as scenes repeat; results.md has real ones


def about_for_test(codec: Codec) -> Any:
    return packing.about_for(Job(codec.info.path, ALL, Request()), {})


def test_images_come_back(archive: Path, dataset: Path, small: Codec, tmp_path: Path) -> None:
    from mtcodec.files.images import read_image

    assert unpack(Opened(archive), tmp_path / "all") == 10
    found = content(archive)
    for files in find_scenes(dataset):
        directory = tmp_path / "all" / files.key
        assert sorted(p.stem for p in directory.iterdir()) == sorted(files.files)
        expected = small.decode(found[files.key])
        for name, image in expected.items():
            back = read_image(directory / f"{name}.png", tasks.get(name))
            assert back.dtype == image.dtype
            assert (
                np.abs(back.astype(int) - image).max() <= 1 + int(np.ptp(image)) // 4096
            )  # a batch rounds differently
    keys = ["s4", "other"]
    assert unpack(Opened(archive), tmp_path / "some", ["normal", "depth"], keys) == 2
    assert sorted(
        p.relative_to(tmp_path / "some").as_posix() for p in (tmp_path / "some").rglob("*.png")
    ) == [
        "other/depth.png",
        "s4/depth.png",
    ]
    with pytest.raises(OutputError, match="exists already"):
        unpack(Opened(archive), tmp_path / "some", ["depth"], keys)
    assert unpack(Opened(archive), tmp_path / "some", ["depth"], keys, force=True) == 2
    with pytest.raises(UsageError, match="no scene 'nobody'"):
        unpack(Opened(archive), tmp_path / "none", keys=["nobody"])
    with pytest.raises(UsageError, match="no task 'smell'"):
        unpack(Opened(archive), tmp_path / "none", ["smell"])


def test_processes_give_the_same_bytes(archive: Path, dataset: Path, job: Job, tmp_path: Path) -> None:
    pack(find_scenes(dataset), tmp_path / "a", job, settings=SETTINGS, workers=2)
    assert content(tmp_path / "a") == content(archive)
    assert unpack(Opened(tmp_path / "a"), tmp_path / "out", ["semantic"], workers=2) == 10


def test_extract_drops_columns(archive: Path, small: Codec, tmp_path: Path) -> None:
    for wanted, columns in ((["depth"], ["shared", "depth"]), (["semantic"], ["semantic"])):
        out = tmp_path / wanted[0]
        count = extract(Opened(archive), out, wanted)
        opened = Opened(out)
        assert list(opened.about.streams) == columns and opened.rows == count == (
            10 if "depth" in wanted else 9
        )
        assert opened.about.weights is None or (out / opened.about.weights).exists()
        for key, data in content(out).items():
            assert data == mtcodec.extract(content(archive)[key], wanted)
        assert verify(opened, decoding=True).damaged == {}
    with pytest.raises(OutputError, match="already"):
        extract(Opened(archive), tmp_path / "depth", ["rgb"])


def test_an_archive_decodes_with_its_own_weights(
    archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS", raising=False)
    assert verify(Opened(archive), decoding=True).damaged == {}
    (weights,) = (archive / "weights").iterdir()
    moved = weights.rename(tmp_path / weights.name)
    try:
        with pytest.raises(SceneError, match=r"its weights .* are missing"):
            verify(Opened(archive), decoding=True)
        assert verify(Opened(archive)).damaged == {}
    finally:
        moved.rename(weights)


def test_the_weights_that_suit_the_scenes_are_chosen(bundled: list[SceneFiles], small_weights: Path) -> None:
    names = [str(small_weights), "clevr"]
    assert packing.most_suitable(names, bundled, ALL, Request(50.0)) == "clevr"


# --- going on ----------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was(archive: Path, dataset: Path, job: Job, tmp_path: Path) -> None:
    scenes = find_scenes(dataset)
    out = tmp_path / "a"
    pack(scenes[:5], out, job, settings=SETTINGS, workers=1, part_rows=2)
    (out / ".part-00003.parquet.x1").write_bytes(b"half a part")
    before = {p.name: p.read_bytes() for p in out.glob("*.parquet")}
    summary = pack(scenes, out, job, settings=SETTINGS, workers=1)
    assert (summary.scenes, summary.before) == (5, 5)
    assert content(out) == content(archive) and not list(out.glob(".part*"))
    assert all((out / name).read_bytes() == data for name, data in before.items())
    assert pack(scenes, out, job, settings=SETTINGS, workers=1).scenes == 0
    with pytest.raises(UsageError, match="other weights, tasks or settings"):
        pack(scenes, out, job, settings={"quality": 50.0}, workers=1)
    with pytest.raises(UsageError, match="two scenes are called"):
        pack([scenes[0], scenes[0]], tmp_path / "twice", job, settings=SETTINGS, workers=1)


def test_unreadable_scenes_stop_the_run_or_are_reported(dataset: Path, job: Job, tmp_path: Path) -> None:
    scenes = find_scenes(dataset)
    broken = tmp_path / "rgb.png"
    broken.write_bytes(b"no image")
    scenes[3] = SceneFiles("s2", {"rgb": broken, "depth": scenes[3].files["depth"]}, "s2")
    with pytest.raises(SceneError, match=re.escape(str(broken))):
        pack(scenes, tmp_path / "a", job, settings=SETTINGS, workers=1, part_rows=2)
    assert set(content(tmp_path / "a")) == {"other", "s0", "s1"}  # what came before it is kept
    summary = pack(scenes, tmp_path / "a", job, settings=SETTINGS, workers=1, skip_errors=True)
    assert list(summary.skipped) == ["s2"] and summary.scenes == 6
    assert "s2" not in content(tmp_path / "a")


def test_two_runs_do_not_mix(dataset: Path, job: Job, tmp_path: Path) -> None:
    with write.locked(tmp_path / "a"), pytest.raises(OutputError, match="another run"):
        pack(find_scenes(dataset), tmp_path / "a", job, settings=SETTINGS, workers=1)


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
               "--weights", str(small_weights), "--workers", "1", "--part-scenes", "3",
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
        keys = Opened(out).rows if list(out.glob("*.parquet")) else 0
        window = window if keys > (seen or [0])[-1] else min(1.3 * window, 20)
        seen.append(keys)
    assert seen == sorted(seen) and seen[-1] > 0
    assert subprocess.run(command, check=False).returncode == 0
    found = content(out)
    assert list(found) == [f"{k:04d}" for k in range(400)]
    expected = [small.encode(read_scene(bundled[k], ALL), 40) for k in range(3)]
    assert all(found[f"{k:04d}"] == expected[k % 3] for k in range(400))
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


# --- Ray ---------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


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
    archive: Path, bundled: list[SceneFiles], job: Job, small: Codec, cluster: None, tmp_path: Path
) -> None:
    scenes = [SceneFiles(f"{k:03d}", bundled[k % 3].files, f"{k}") for k in range(160)]
    killed: list[int] = []

    def kill_one(summary: packing.Summary, total: int) -> None:
        running = actors()
        if not killed and running:
            killed.append(running[0])
            os.kill(running[0], signal.SIGKILL)

    summary = pack(
        scenes, tmp_path / "a", job, settings=SETTINGS, engine_name="ray", workers=2, progress=kill_one
    )
    assert killed and summary.scenes == 160
    expected = [small.encode(read_scene(bundled[k], ALL), 40) for k in range(3)]
    found = content(tmp_path / "a")
    assert list(found) == [s.key for s in scenes]
    assert all(found[s.key] == expected[k % 3] for k, s in enumerate(scenes))
    assert unpack(Opened(tmp_path / "a"), tmp_path / "images", ["semantic"], engine_name="ray") == 160
    with pytest.raises(OutputError, match="exists already"):
        unpack(Opened(tmp_path / "a"), tmp_path / "images", ["semantic"], engine_name="ray")


# --- reading -----------------------------------------------------------------------------------------


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves ranges and counts bytes."""

    sent = 0

    def send_head(self) -> Any:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return None
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
            part = data[start : end + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(data)}")
        else:
            part = data
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "GET":
            type(self).sent += len(part)
        return io.BytesIO(part)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def served(archive: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    Handler.sent = 0
    handler = functools.partial(Handler, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{archive.name}"
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_only_the_columns_of_a_task_travel(served: str, archive: Path, monkeypatch: pytest.MonkeyPatch,
                                           small_weights: Path) -> None:  # fmt: skip
    monkeypatch.setenv("MTCODEC_WEIGHTS", str(small_weights.parent))
    remote, local = Archive(served, ["depth"]), Archive(archive, ["depth"])
    footers = Handler.sent
    for a, b in zip(remote.stream(), local.stream()):
        assert a["key"] == b["key"] and torch.equal(a["depth"], b["depth"])
    columns = [sum(g.sizes[n] for n in ("key", "header", "shared", "depth")) for g in remote.groups]
    assert Handler.sent - footers <= 1.05 * sum(columns)
    assert Handler.sent == remote.opened.fetched + (archive / "archive.json").stat().st_size


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
    assert Archive(archive, ["semantic"]).codec is None
    doubled = Archive(archive, ["depth"], transform=lambda s: s["depth"].float() * 2)
    assert torch.equal(doubled[4], sample["depth"].float() * 2)
    with pytest.raises(UsageError, match="no task"):
        Archive(archive, ["smell"])


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
    table = pq.read_table(archive / "part-00000.parquet")
    values = table[column].to_pylist()
    values[row] = value(values[row])
    kind = table.schema.field(column)
    table = table.set_column(table.schema.get_field_index(column), kind, pa.array(values, kind.type))
    out = tmp_path / "changed"
    out.mkdir()
    (out / "part-00000.parquet").write_bytes(write.table_to_parquet(table))
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
    found = verify(Opened(path)).damaged
    assert list(found) == ["s0"] and re.search(message, found["s0"])
    with pytest.raises(FormatError, match=r"s0"):
        unpack(Opened(path), tmp_path / "out")
    if column == "rgb":  # what does not need it is there
        assert unpack(Opened(path), tmp_path / "out2", ["depth", "semantic"]) == 4


@pytest.mark.parametrize("key", ["../up", "/root", "a/../../b", "", ".", "a//b", "..\\x"])
def test_keys_stay_inside_the_output(archive: Path, tmp_path: Path, key: str) -> None:
    path = changed(archive, tmp_path, "key", lambda v: key)
    with pytest.raises(FormatError, match="no path inside the output"):
        unpack(Opened(path), tmp_path / "out" / "deep")
    assert safe(Path("out"), "a/b.c") == Path("out/a/b.c")


def test_larger_images_than_wanted_are_damage(archive: Path, tmp_path: Path) -> None:
    limit = 1000
    assert len(verify(Opened(archive, limit)).damaged) == Opened(archive).rows
    for workers in (1, 2):
        with pytest.raises(FormatError, match="more than the limit of 1000"):
            unpack(Opened(archive, limit), tmp_path / "out", workers=workers)
    with pytest.raises(FormatError, match="more than the limit of 1000"):
        mtcodec.Archive(archive, max_pixels=limit)[0]


def test_large_scenes_do_not_share_the_networks() -> None:
    for pixels, groups in ((1, [5]), (1 << 20, [2, 2, 1]), (1 << 24, [1] * 5)):
        assert [len(few) for few in together(range(5), pixels)] == groups


def test_tasks_are_not_called_like_columns() -> None:
    with pytest.raises(UsageError, match="cannot be called 'height'"):
        About("00" * 7, (tasks.Task("height", "image"),), False)


def test_what_is_no_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no parts"):
        (tmp_path / "empty").mkdir()
        Opened(tmp_path / "empty")
    with pytest.raises(SceneError, match="cannot read it"):
        Opened(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"a": [1]}), other / "part-00000.parquet")
    with pytest.raises(FormatError, match="not a part of an archive"):
        Opened(other)
    data = (archive / "part-00000.parquet").read_bytes()
    for bad in (b"", b"PAR1", data[:-1], data[:-12] + b"\xff\xff\xff\x7f" + data[-8:], bytes(len(data))):
        (other / "part-00000.parquet").write_bytes(bad)
        with pytest.raises(FormatError):
            Opened(other)
    schema = pq.read_schema(archive / "part-00000.parquet")
    facts = json.loads(schema.metadata[METADATA])
    for change in (
        {"format": "mtcodec-archive-9"},
        {"tasks": 3},
        {"fingerprint": "zz"},
        {"tasks": [{"name": "!"}]},
    ):
        forged = schema.with_metadata({METADATA: json.dumps(facts | change)})
        with pytest.raises(FormatError):
            about_of(forged, "it")
    with pytest.raises(FormatError, match="lacks columns: header"):
        about_of(schema.remove(3), "it")


def test_flipped_bytes_of_a_part_are_errors_or_right(archive: Path, tmp_path: Path) -> None:
    """No flip crashes the reader, and none gives other sections than were written."""
    data = (archive / "part-00000.parquet").read_bytes()
    whole = dict(list(content(archive).items())[:4])
    out = tmp_path / "a"
    out.mkdir()
    rng = random.Random(0)
    outcomes = {"refused": 0, "damaged": 0, "right": 0}
    for _ in range(250):
        at = rng.randrange(len(data)) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(1500)
        (out / "part-00000.parquet").write_bytes(
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        )
        try:
            entries = list(Opened(out).all_entries())
            for key, parts in entries:
                if isinstance(parts, FormatError):
                    raise parts
                if container.join(parts) not in whole.values():
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


def test_commands(dataset: Path, small_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    done = command("pack", dataset, "-o", out, "--weights", small_weights, "--quality", 40, "--workers", 1)
    assert done.returncode == 0 and done.stderr == "" and f"{out}: 10 scenes in" in done.stdout
    assert re.search(r"in all +\d+ bytes", done.stdout)
    again = command(
        "pack", dataset, "-o", out, "--weights", small_weights, "--quality", 40, "--json", "--workers", 1
    )
    facts = json.loads(again.stdout)
    assert (facts["scenes"], facts["before"]) == (0, 10)
    other = command("pack", dataset, "-o", out, "--weights", small_weights, "--quality", 41, "--workers", 1)
    assert other.returncode == 2 and other.stderr.count("\n") == 1
    shown = json.loads(command("info", out, "--json").stdout)
    assert shown["scenes"] == 10 and shown["settings"] == {"quality": 40.0, "coding": "neural"}
    assert command("extract", out, "--tasks", "depth", "-o", tmp_path / "b").returncode == 0
    assert "to decode depth" in command("info", tmp_path / "b").stdout
    assert "mtcodec unpack" in command("decode", out).stderr and not list(out.glob(".*"))
    files = tmp_path / "keys"
    files.write_text("s1\n\ns3\n")
    done = command("unpack", tmp_path / "b", "-o", tmp_path / "c", "--keys", f"@{files}", "--workers", 1)
    assert done.returncode == 0 and sorted(p.name for p in (tmp_path / "c").iterdir()) == ["s1", "s3"]
    single = tmp_path / "one.mtc"
    single.write_bytes(next(iter(content(out).values())))
    env = {"MTCODEC_WEIGHTS": str(small_weights.parent)}
    done = command("verify", out, tmp_path / "b", single, "--decode", env=env)
    assert done.returncode == 0 and done.stdout.count("undamaged") == 3
    single.write_bytes(single.read_bytes()[:-1] + b"?")
    done = command("verify", out, single, env=env)
    assert done.returncode == 3 and "section" in done.stderr
