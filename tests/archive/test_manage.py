"""Archives merged, split and sampled: the same bytes of every scene, and nothing half-made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtcodec.archive import manage, write
from mtcodec.archive.check import extract, verify
from mtcodec.archive.copying import file_bytes
from mtcodec.archive.manifest import Manifest
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import Request
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.container.mtc import SplitReader
from mtcodec.errors import FormatError, OutputError, UsageError
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.tasks import USUAL, declare


def pack(path: Path, keys: range, tasks: tuple[str, ...] = ("rgb", "semantic"), **settings: Any) -> Path:
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    scenes = []
    for k in keys:
        every = {"rgb": np.stack([image + np.uint8(k)] * 3, -1), "semantic": image % 5,
                 "depth": image.astype(np.uint16) + 500}  # fmt: skip
        scenes.append((f"s{k:02d}", {name: every[name] for name in tasks}))
    request = Request(**{"coding": "classical", "effort": "fast", **settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "MAX_GROUP_ROWS", 3)
        pack_scenes(scenes, path, Job(None, tasks, request), shard_rows=7)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("manage") / "a", range(20))


def content(path: str | Path) -> dict[str, bytes]:
    """Files by key, in order, of an undamaged archive that has an index and nothing beside."""
    reader = ArchiveReader(path)
    assert verify(reader) == {} and Path(path, "archive.json").is_file()
    found = {}
    for key, scene_file in reader.all_entries():
        assert isinstance(scene_file, SplitReader)
        found[key] = file_bytes(reader, key, scene_file)
    return found


def clean(directory: Path, *names: str) -> None:
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)


# --- merge -------------------------------------------------------------------------------------------


def test_merge(archive: Path, tmp_path: Path) -> None:
    other = pack(tmp_path / "b", range(18, 25), ("depth", "semantic"))
    out = tmp_path / "c"
    with pytest.raises(UsageError, match=r"b: scene 's18' is there twice \(--skip-existing keeps"):
        manage.merge([ArchiveReader(archive), ArchiveReader(other)], out)
    clean(tmp_path, "b")
    done = manage.merge([ArchiveReader(archive), ArchiveReader(other)], out, skip_existing=True)
    assert (done.path, done.scenes) == (str(out), 25)
    assert done.bytes == sum(path.stat().st_size for path in out.iterdir())
    assert content(out) == {**content(other), **content(archive)}
    assert list(content(out)) == [f"s{k:02d}" for k in range(25)]
    assert ArchiveReader(out).manifest.task_names == ("rgb", "semantic", "depth")
    with pytest.raises(OutputError, match=r"has an archive already \(--force replaces it\)"):
        manage.merge([ArchiveReader(archive)], out)
    assert manage.merge([ArchiveReader(archive)], out, force=True).scenes == 20 and content(out) == content(
        archive
    )
    with pytest.raises(OutputError, match="is what is read"):
        manage.merge([ArchiveReader(archive), ArchiveReader(out)], out, True, force=True)
    clean(tmp_path, "b", "c")


def manifest_of(**fields: Any) -> Manifest:
    return Manifest(
        **{"fingerprint": NO_WEIGHTS, "tasks": (USUAL["rgb"],), "settings": {"quality": 40}, **fields}
    )


def reader_of(manifest: Manifest) -> ArchiveReader:
    reader = ArchiveReader.__new__(ArchiveReader)
    reader.manifest, reader.path = manifest, "x"
    return reader


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (manifest_of(settings={"quality": 50}), "x: was encoded with another quality, 50, than x, 40"),
        (manifest_of(settings={"quality": 40, "units": {"depth": "1cm"}}), "another units, .*1cm.*default"),
        (manifest_of(tasks=(declare("rgb", "image", 4),)), "task 'rgb' is another one than in x"),
        (manifest_of(fingerprint="22222222"), r"other weights \(22222222, not 11111111\)"),
    ],
)
def test_what_cannot_be_merged(other: Manifest, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        manage.merged_manifest([reader_of(manifest_of(fingerprint="11111111")), reader_of(other)])


def test_what_has_no_weights_goes_with_any() -> None:
    own, other = manifest_of(fingerprint="11111111"), manifest_of(tasks=(USUAL["depth"],))
    for pair in ((own, other), (other, own)):
        found = manage.merged_manifest([reader_of(one) for one in pair])
        assert found.fingerprint == "11111111" and set(found.task_names) == {"rgb", "depth"}


def test_weights_go_where_a_scene_needs_them(
    bundled: list[SceneFiles], small_weights: Path, tmp_path: Path
) -> None:
    request = Request(40.0, coding="neural")
    one, two = read_scene(bundled[0]), read_scene(bundled[1])
    job = Job(small_weights, ("rgb", "semantic"), request)
    pack_scenes([("net", {"rgb": one["rgb"]}), ("plain", {"semantic": one["semantic"]})], tmp_path / "a", job)
    pack_scenes([("more", {"rgb": two["rgb"]})], tmp_path / "b", job)
    sizes = small_weights.stat().st_size
    manage.merge([ArchiveReader(tmp_path / "a"), ArchiveReader(tmp_path / "b")], tmp_path / "c")
    assert ArchiveReader(tmp_path / "c").weights_size() == sizes
    assert verify(ArchiveReader(tmp_path / "c"), decoding=True) == {}
    source = ArchiveReader(tmp_path / "c")
    made = manage.split(source, tmp_path / "d", manage.by_keys(source, {"n": ["net"], "p": ["plain"]}))
    assert [ArchiveReader(own.path).weights_size() for own in made] == [sizes, 0]
    assert verify(ArchiveReader(tmp_path / "d" / "n"), decoding=True) == {}


# --- split and sample --------------------------------------------------------------------------------


def test_split(archive: Path, tmp_path: Path) -> None:
    source, every, out = ArchiveReader(archive), content(archive), tmp_path / "out"
    seen: list[tuple[int, int]] = []
    for how, sizes in (({"parts": 3}, [6, 7, 7]), ({"scenes": 8}, [8, 8, 4]), ({"scenes": 50}, [20])):
        seen.clear()
        made = manage.split(source, out, manage.evenly(source, **how), True, lambda k, n: seen.append((k, n)))
        assert [own.scenes for own in made] == sizes and seen == [(k, 20) for k in range(1, 21)]
        clean(out, *(f"{k:05d}" for k in range(len(sizes))))
        assert [pair for own in made for pair in content(own.path).items()] == list(every.items())
    lists = {"train": ["s03", "s19", "s01"], "val": ["s02"]}
    manage.split(source, out, manage.by_keys(source, lists), force=True)
    clean(out, "train", "val")
    assert list(content(out / "train")) == ["s01", "s03", "s19"]
    assert content(out / "val") == {"s02": every["s02"]}
    with pytest.raises(UsageError, match="21 parts of 20 scenes"):
        manage.evenly(source, parts=21)
    for bad, message in (({"a": ["s01"], "b": ["s01"]}, "scene 's01' is in the lists a and b"),
                         ({"a": ["no"]}, "no scene 'no'"), ({"a": []}, "the list a is empty")):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            manage.by_keys(source, bad)


def test_samples_depend_on_the_seed_alone(archive: Path, tmp_path: Path) -> None:
    every, found = content(archive), []
    for seed in (0, 0, 1):
        manage.sample(ArchiveReader(archive), tmp_path / "s", 6, seed, force=True)
        own = content(tmp_path / "s")
        assert len(own) == 6 and list(own) == sorted(own) and own.items() <= every.items()
        found.append(list(own))
    assert found[0] == found[1] != found[2]
    assert manage.sample(ArchiveReader(archive), tmp_path / "all", 20).scenes == 20
    assert content(tmp_path / "all") == every
    with pytest.raises(UsageError, match="has 20 scenes, not 21"):
        manage.sample(ArchiveReader(archive), tmp_path / "x", 21)


# --- whole or not at all -----------------------------------------------------------------------------


def test_what_is_interrupted_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 15:
            raise KeyboardInterrupt

    out, source = tmp_path / "out", ArchiveReader(archive)
    manage.sample(source, out, 2)
    before = content(out)
    makers: list[Callable[[], object]] = [
        lambda: manage.merge([source], out, force=True, progress=stop),
        lambda: manage.split(source, out, manage.evenly(source, 2), True, stop),
        lambda: extract(source, out, ["semantic"], stop, force=True),
    ]
    for make in makers:
        with pytest.raises(KeyboardInterrupt):
            make()
        clean(tmp_path, "out")
        assert content(out) == before


def test_what_is_no_archive_stays(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert manage.sample(ArchiveReader(archive), tmp_path / "out", 2).scenes == 2  # it was empty
    (tmp_path / "out" / "notes.txt").write_text("mine")
    for place in (tmp_path / "out", tmp_path / "out" / "notes.txt", tmp_path):
        with pytest.raises(OutputError, match="is there already, and is no archive"):
            manage.sample(ArchiveReader(archive), place, 2, force=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_damaged_scenes_are_not_copied(archive: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(archive / "shard-00000.parquet")
    values = table["rgb"].to_pylist()
    values[1] = values[1][:-1] + bytes([values[1][-1] ^ 1])
    wrong = table.set_column(table.schema.get_field_index("rgb"), table.schema.field("rgb"), pa.array(values))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "shard-00000.parquet").write_bytes(write.table_to_parquet(wrong))
    with pytest.raises(FormatError, match="bad: scene s01: section rgb: damaged"):
        manage.merge([ArchiveReader(tmp_path / "bad")], tmp_path / "out")
    clean(tmp_path, "bad")
