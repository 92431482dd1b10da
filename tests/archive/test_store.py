"""Archives and images in a bucket: whole or not there, whenever a run is killed, and whoever else writes."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from conftest import SCENES

from mtcodec.archive import range_file as ranges
from mtcodec.archive import store as stores
from mtcodec.archive import write
from mtcodec.archive.check import extract, verify
from mtcodec.archive.dataset import Archive
from mtcodec.archive.pack import Job, pack, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.store import Exists, store_at
from mtcodec.archive.unpack import unpack
from mtcodec.codec.request import Request
from mtcodec.container import header
from mtcodec.errors import DependencyError, FormatError, OutputError, SceneError, UsageError
from mtcodec.files.trees.layouts import SceneFiles

pytestmark = pytest.mark.filterwarnings(  # of the clients' own sockets, at their end
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
FAST = ("--coding", "classical", "--effort", "fast")
JOB = Job(None, ("rgb", "depth", "normal", "semantic"), Request(coding="classical", effort="fast"))


def wait_for(what: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.03)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of an S3 server in a process of its own."""
    pytest.importorskip("moto.server", reason="needs moto[server]")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
    code = (
        "from moto.server import ThreadedMotoServer; server = ThreadedMotoServer('127.0.0.1', 0, False); "
        "server.start(); print(server.get_host_and_port()[1], flush=True); server._thread.join()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT")).close()
        s3fs.S3FileSystem.clear_instance_cache()
        yield "s3://bucket"
        s3fs.S3FileSystem.clear_instance_cache()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(params=["memory", "renaming", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place of each sort."""
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    if request.param == "renaming":  # a file system whose files grow while they are written
        monkeypatch.setattr(stores, "OBJECT_PROTOCOLS", ())
    return f"memory://{tmp_path.name}-{request.param}"


def command(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mtcodec", *map(str, words)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def rows(path: str | Path) -> dict[str, dict[str, bytes | None]]:
    """Header and payloads by key; every checksum is checked."""
    found = {}
    for key, parts in ArchiveReader(path).all_entries():
        assert not isinstance(parts, FormatError) and key not in found
        found[key] = {section.name: parts.payload(section.name) for section in parts.header.sections}
    return found


def objects(url: str) -> dict[str, bytes]:
    """All that lies at a URL, by name."""
    place = store_at(url)
    return {
        path.removeprefix(f"{place.root}/"): place.fs.cat_file(path) for path in place.fs.find(place.root)
    }


# --- what a store does ---------------------------------------------------------------------------


def test_a_store_reads_what_it_wrote(place: str) -> None:
    own = store_at(place)
    assert own.names() == [] and own.size("a") == 0
    own.write({"a": b"1234", "deep/er/b": b"56"})
    own.write({"a": b"12"})
    with pytest.raises(Exists, match="exists already"):
        own.write({"a": b"never", "c": b"either"}, new=True)
    own.write({"d": b"new"}, new=True)
    assert own.size("a") == 2 and own.read("deep/er/b") == b"56" and own.read("d") == b"new"
    assert [name for name in own.names() if name in "abd"] == ["a", "d"]
    assert not [name for name in objects(place) if ".tmp" in name]
    with pytest.raises(OutputError, match="nothing: cannot read it: no such file"):
        own.read("nothing")
    own.fs.pipe_file(f"{own.root}/.shard-00000.parquet.x.tmp", b"half")
    with own.locked():
        assert [name for name in own.names() if name.startswith(".")] == []


def test_an_archive_anywhere_is_the_same(place: str, bundled: list[SceneFiles], tmp_path: Path) -> None:
    pack(bundled[:3], f"{place}/a", JOB, workers=1, shard_rows=2)
    assert pack(bundled, f"{place}/a", JOB, workers=1, shard_rows=2).before == 3
    pack(bundled, tmp_path / "a", JOB, workers=1)
    expected = rows(tmp_path / "a")
    assert rows(f"{place}/a") == expected
    assert write.shard_names(f"{place}/a") == [f"shard-{k:05d}.parquet" for k in range(4)]
    others = [name for name in sorted(objects(f"{place}/a")) if not name.startswith("state/")]
    assert others == ["archive.json", *write.shard_names(f"{place}/a")]
    extract(ArchiveReader(f"{place}/a"), f"{place}/b", ["depth"])
    assert [list(own) for own in rows(f"{place}/b").values()] == [["depth"]] * 6
    with pytest.raises(OutputError, match="has an archive already"):
        extract(ArchiveReader(f"{place}/a"), f"{place}/b", ["depth"])
    done = unpack(ArchiveReader(f"{place}/a"), f"{place}/images", ["depth", "semantic"])
    unpack(ArchiveReader(tmp_path / "a"), tmp_path / "images", ["depth", "semantic"])
    files = {p.relative_to(tmp_path / "images").as_posix(): p.read_bytes()
             for p in (tmp_path / "images").rglob("*.png")}  # fmt: skip
    assert objects(f"{place}/images") == files and len(files) == 12
    assert done.written == sum(map(len, files.values()))
    with pytest.raises(OutputError, match=r"images/.*png: exists already \(--force"):
        unpack(ArchiveReader(f"{place}/a"), f"{place}/images", ["depth"])
    assert unpack(ArchiveReader(f"{place}/a"), f"{place}/images", ["depth"], force=True).scenes == 6
    images, first = store_at(f"{place}/images"), next(name for name in files if name.endswith("/depth.png"))
    originals = {first.replace("depth.png", "depth.tif"): b"original", first: b"original"}
    for name, data in originals.items():
        images.write({name: data})
        with pytest.raises(OutputError, match=f"{name}: exists already, and decoding has not written it"):
            unpack(ArchiveReader(f"{place}/a"), f"{place}/images", ["depth"], force=True)
        assert images.read(name) == data
        images.remove(name)
    with pytest.raises(UsageError, match="other weights, tasks or settings"):
        pack(bundled, f"{place}/a", Job(None, JOB.tasks, Request(30, coding="classical")), workers=1)


def test_weights_lie_in_the_bucket(
    bucket: str, bundled: list[SceneFiles], small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive decodes with its own, and is added to with them."""
    from mtcodec.archive.choice import choose_weights

    request = Request(40, coding="neural")
    pack(bundled[:2], f"{bucket}/neural", Job(small_weights, ("rgb", "depth"), request), workers=1)
    monkeypatch.delenv("MTCODEC_WEIGHTS", raising=False)
    reader = ArchiveReader(f"{bucket}/neural")
    assert verify(reader, decoding=True) == {}
    assert reader.weights_size() == small_weights.stat().st_size
    found = choose_weights("auto", bundled, ("rgb", "depth"), request, f"{bucket}/neural")
    assert found is not None and found.read_bytes() == small_weights.read_bytes()
    assert choose_weights("clevr", bundled, ("rgb",), request, f"{bucket}/none") is not None


def test_of_two_runs_one_stops(place: str) -> None:
    """No lock, but a part of a number is written once: nothing is lost, doubled or mixed."""
    manifest = JOB.manifest()
    scene = {"semantic": np.zeros((8, 8), np.uint8)}
    pack_scenes([("s0", scene)], place, JOB)
    one, two = write.Writer(place, manifest), write.Writer(place, manifest)
    file = next(iter(ArchiveReader(place).all_entries()))[1]
    assert not isinstance(file, FormatError)
    whole = header.pack(file.header) + b"".join(file.payload(s.name) for s in file.header.sections)
    one.add("s1", whole)
    two.add("s2", whole)
    one.finish()
    for _ in range(2):
        with pytest.raises(OutputError, match=r"another run has written shard-00001\.parquet meanwhile"):
            two.finish()
    again = write.Writer(place, manifest)  # a write that was answered too late, and tried again
    again.next_number, again.rows = 1, one_row(place, 1)
    again.flush()
    assert list(rows(place)) == ["s0", "s1"]


def one_row(place: str, part: int) -> list[dict[str, Any]]:
    """The rows of a part."""
    table = store_at(place).open(f"shard-{part:05d}.parquet").parquet().read()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@pytest.mark.filterwarnings("ignore:This DataLoader will create", "ignore:.*fork.*:DeprecationWarning")
def test_workers_read_a_bucket_that_their_parent_has_read(bucket: str, bundled: list[SceneFiles]) -> None:
    """Processes that are forked make connections of their own."""
    pack(bundled, f"{bucket}/fork", JOB, workers=1)
    archive = Archive(f"{bucket}/fork", ["semantic"])
    expected = [sample["key"] for sample in archive]
    loader: Any = torch.utils.data.DataLoader(
        archive, batch_size=2, num_workers=2, collate_fn=list, multiprocessing_context="fork"
    )
    assert [sample["key"] for batch in loader for sample in batch] == expected


@pytest.mark.slow
def test_columns_of_large_groups_are_fetched_together(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few requests, and hardly more bytes; of small groups, no byte too many."""
    rng = np.random.default_rng(0)
    noise = {name: rng.integers(0, 255, (64, 64), np.uint8) for name in ("one", "two", "three", "four")}
    job = Job(None, ("one", "two", "three", "four"), Request(coding="classical"))
    pack_scenes([(f"s{k}", noise) for k in range(8)], place, job)
    requests, fetched = [], []
    for least in (1, 1 << 30):
        monkeypatch.setattr(ranges, "PRE_BUFFER_BYTES", least)
        reader = ArchiveReader(place)
        file = reader.shard(0)._source
        before, count = reader.fetched, file.requests
        list(reader.all_entries(["one", "two", "four"]))
        requests.append(file.requests - count)
        fetched.append(reader.fetched - before)
        needed = sum(reader.sizes[name] for name in ("key", "header", "one", "two", "four"))
        assert needed == fetched[-1] or (least == 1 and needed < fetched[-1] < 1.01 * needed)
    assert requests == [3, 5]  # keys and headers; one and two; four


# --- what goes wrong -----------------------------------------------------------------------------


def test_errors_are_one_line(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, code, message in (
        (
            ("pack", SCENES, "-o", "s3://nowhere/a", *FAST),
            1,
            "s3://nowhere/a: cannot write it: The specified",
        ),
        (
            ("info", "s3://nowhere/a"),
            1,
            "s3://nowhere/a: cannot read it: The specified bucket does not exist",
        ),
        (("info", f"{bucket}/none"), 1, f"{bucket}/none: cannot read it: no such file or directory"),
        (("pack", SCENES, "-o", "http://127.0.0.1:9/a", *FAST), 1, "cannot write over HTTP"),
        (("pack", f"{bucket}/images", "-o", tmp_path / "a"), 1, "datasets are read from local directories"),
        (("pack", SCENES, "-o", "what://bucket/a", *FAST), 2, "cannot open it: Protocol not known: what"),
    ):
        done = command(*words)
        assert (done.returncode, done.stdout) == (code, "") and message in done.stderr, done
        assert done.stderr.count("\n") == 1, done.stderr
    client = pytest.importorskip("s3fs").S3FileSystem
    with monkeypatch.context() as patch:  # nobody answers
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patch.setattr(client, "retries", 1)
        client.clear_instance_cache()
        with pytest.raises(SceneError, match="bucket/a: cannot read it: Could not connect"):
            ArchiveReader(f"{bucket}/a")
    client.clear_instance_cache()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(DependencyError, match="install gcsfs"):
        ArchiveReader("gs://bucket/a")


def test_a_store_that_refuses(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library raises is an error of ours, and told before any work."""
    own = store_at(place)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no\ncredentials")

    with monkeypatch.context() as patch:
        for name in ("pipe", "pipe_file", "ls", "cat_file"):
            patch.setattr(own.fs, name, refuse, raising=True)
        for call in (lambda: own.write({"a": b""}), own.names, lambda: own.read("a"), own.locked().__enter__):
            with pytest.raises(OutputError, match=r"cannot (write|read) it: no credentials"):
                call()
        with pytest.raises(SceneError, match="cannot read it: no credentials"):
            ArchiveReader(place)
    pack_scenes([("s0", {"semantic": np.zeros((8, 8), np.uint8)})], place, JOB)
    reader = ArchiveReader(place)
    for least in (0, 1 << 19):
        monkeypatch.setattr(ranges, "PRE_BUFFER_BYTES", least)
        reader = ArchiveReader(place)
        with monkeypatch.context() as patch:
            patch.setattr(reader._fs, "cat_file", refuse)
            with pytest.raises(SceneError, match="cannot read it: no credentials"):  # not damage
                list(reader.all_entries())


# --- interruptions -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(bundled: list[SceneFiles], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of sixteen small scenes."""
    directory = tmp_path_factory.mktemp("many")
    for k in range(16):
        (directory / f"{k:02d}").mkdir()
        for name in ("depth", "semantic"):
            image = imagecodecs.png_decode(Path(str(bundled[k % 3].files[name])).read_bytes())[
                k : k + 90, :90
            ]
            data = imagecodecs.png_encode(np.ascontiguousarray(image))
            (directory / f"{k:02d}" / f"{name}.png").write_bytes(data)
    return directory


def stopped(words: list[str], number: signal.Signals, begun: Any, wait: float) -> None:
    """Start a command, and send it a signal a while after it has begun to do something."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: process.poll() is not None or begun())
    time.sleep(wait)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, -9 if number == signal.SIGKILL else 128 + number), (out, err)
    assert b"Traceback" not in err and (process.returncode == 0 or (out, err) == (b"", b"")), err


def test_pack_goes_on_after_any_signal(bucket: str, many: Path, tmp_path: Path) -> None:
    local, url = tmp_path / "a", f"{bucket}/killed"
    words = ["--shard-scenes", "2", "--workers", "1", "--tasks", "depth,semantic", "--quiet", *FAST]
    assert command("pack", many, "-o", local, *words).returncode == 0
    expected, rng, counts = rows(local), random.Random(0), [0]
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        before = len(write.shard_names(url))
        run = [sys.executable, "-m", "mtcodec", "pack", str(many), "-o", url, *words]
        stopped(run, number, lambda n=before: len(write.shard_names(url)) > n, rng.uniform(0, 0.03))
        found = rows(url)
        assert found.items() <= expected.items() and verify(ArchiveReader(url)) == {}
        counts.append(len(found))
    assert counts == sorted(counts) and 0 < counts[1] < 16
    assert command("pack", many, "-o", url, *words).returncode == 0
    assert rows(url) == expected and list(rows(url)) == list(expected)
    assert not [name for name in objects(url) if name.startswith(".part")]


def test_two_processes_that_pack_into_one_archive(bucket: str, many: Path, tmp_path: Path) -> None:
    local, url = tmp_path / "a", f"{bucket}/rivals"
    words = ["--shard-scenes", "2", "--workers", "1", "--tasks", "depth,semantic", "--quiet", *FAST]
    assert command("pack", many, "-o", local, *words).returncode == 0
    run = [sys.executable, "-m", "mtcodec", "pack", str(many), "-o", url, *words]
    rivals = [subprocess.Popen(run, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [rival.communicate(timeout=300)[1] for rival in rivals]
    ends = sorted((rival.returncode, text) for rival, text in zip(rivals, told, strict=True))
    assert ends[0] == (0, "")
    assert ends[1] == (0, "") or (ends[1][0] == 1 and "another run has written" in ends[1][1])
    assert rows(url) == rows(local) and verify(ArchiveReader(url)) == {}


def test_unpack_leaves_whole_images(bucket: str, many: Path, tmp_path: Path) -> None:
    url = f"{bucket}/whole"
    words = ["--workers", "1", "--tasks", "depth,semantic", "--quiet"]
    assert command("pack", many, "-o", url, *words, *FAST).returncode == 0
    assert command("unpack", url, "-o", tmp_path / "images", "--quiet").returncode == 0
    expected = {p.relative_to(tmp_path / "images").as_posix(): p.read_bytes()
                for p in (tmp_path / "images").rglob("*.png")}  # fmt: skip
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        out = f"{bucket}/unpacked{int(number)}"
        run = [sys.executable, "-m", "mtcodec", "unpack", url, "-o", out, "--force", *words]
        stopped(run, number, lambda own=out: store_at(own).names(), 0.005)
        assert objects(out).items() <= expected.items()
    assert subprocess.run(run, check=False).returncode == 0 and objects(out) == expected
    assert io.BytesIO(expected["07/depth.png"]).read(4) == b"\x89PNG" and len(expected) == 32
