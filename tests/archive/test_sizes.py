"""Scenes whose tasks differ in size, channels and shape, through everything that reads archives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from shared.commands import start
from shared.samples import wave

import mtcodec
from mtcodec import Codec
from mtcodec.archive.check import extract, verify
from mtcodec.archive.crops import crop_sizes
from mtcodec.archive.dataset import Archive
from mtcodec.archive.decode import scenes
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.rows import make_entry, row_of
from mtcodec.archive.unpack import unpack
from mtcodec.codec.request import Request
from mtcodec.codec.timeline import Timeline
from mtcodec.container.mtc import split
from mtcodec.errors import FormatError, SceneError
from mtcodec.tasks import declare
from mtcodec.train.archives import sources
from mtcodec.train.dataset import Scenes

NUMBERS = ("pose", "gains", "seconds")
SIZES = {"rgb": (968, 1296), "depth": (480, 640), "labels": (484, 648)}


def scannet(scale: int, shift: float, holes: bool = True) -> dict[str, Any]:
    """A colour camera, a smaller one of depth, and labels of half the size, all by ``scale`` smaller."""
    sizes = {name: (height // scale, width // scale) for name, (height, width) in SIZES.items()}
    depth = np.rint(2000 + 1500 * wave(*sizes["depth"], shift)).astype(np.uint16)
    near = np.rint(900 + 300 * wave(*sizes["rgb"], shift)).astype(np.uint16)
    if holes:
        depth[: depth.shape[0] // 4, :9] = 0
        near[-5:, 3:] = 0
    planes = [wave(*sizes["rgb"], shift + k) for k in range(3)]
    return {
        "rgb": np.rint(np.stack(planes, axis=-1) * 255).astype(np.uint8),
        "depth": depth,
        "near": near,
        "labels": (wave(*sizes["labels"], shift) * 5).astype(np.uint8),
        "infrared": np.rint(wave(*sizes["depth"], shift)[..., None] * 255).astype(np.uint8),
        "pose": np.eye(4) * (1 + shift),
        "gains": np.arange(3, dtype=np.float32) + np.float32(shift),
        "seconds": np.asarray(shift),
    }


def job(**settings: Any) -> Job:
    tasks = {"labels": declare("labels", "categories"), "infrared": declare("infrared", "image", 1),
             "near": declare("near", "depth")}  # fmt: skip
    settings = {"coding": "classical", "effort": "fast", "tasks": tasks, "numbers": ("pose",), **settings}
    return Job(None, tuple(scannet(16, 0.0)), Request(**settings))


COUNT = 5


@pytest.fixture(scope="module")
def images() -> dict[str, dict[str, Any]]:
    """The third scene has no holes, the last no colours and numbers; it and its neighbour are larger."""
    made = {f"s{k}": scannet(8 if k > 2 else 16, k / 3, holes=k != 2) for k in range(COUNT)}
    for name in ("rgb", *NUMBERS):
        del made["s4"][name]
    return made


@pytest.fixture(scope="module")
def archive(images: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sizes") / "a"
    pack_scenes(images.items(), path, job())
    return path


@pytest.fixture(scope="module")
def decoded(images: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the files of the scenes decode to."""
    codec = Codec((), **vars(job().request))
    return {key: codec.decode(codec.encode(scene)) for key, scene in images.items()}


def planes(name: str, array: Any) -> Any:
    """How samples have an array."""
    if name in NUMBERS:
        return array
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


# --- rows ------------------------------------------------------------------------------------------------


def test_rows_tell_the_size_of_every_task(archive: Path, images: dict[str, dict[str, Any]]) -> None:
    assert verify(ArchiveReader(archive), decoding=True) == {}
    for row, scene in zip(pq.read_table(archive / "shard-00000.parquet").to_pylist(), images.values()):
        for name in scannet(16, 0.0):
            shape = (*scene[name].shape[:2], 1, 1)[:2] if name in scene else (None, None)
            shape = (1, 3) if name == "gains" and name in scene else shape
            assert (row[f"{name}_height"], row[f"{name}_width"]) == shape, name


def test_shapes_come_back_as_they_were(
    archive: Path, images: dict[str, dict[str, Any]], decoded: dict[str, dict[str, Any]]
) -> None:
    for key, scene in scenes(ArchiveReader(archive)):
        assert list(scene) == list(Archive(archive).manifest.select_tasks(None)) or key == "s4"
        for name, array in scene.items():
            original = images[key][name]
            assert (array.shape, array.dtype) == (original.shape, original.dtype), name
            assert (array == decoded[key][name]).all()
        for name in {"labels", *NUMBERS}.intersection(scene):
            assert (scene[name] == images[key][name]).all()


@pytest.mark.parametrize("numpy", [True, False])
def test_samples_have_images_of_their_own_size_and_numbers(
    archive: Path, decoded: dict[str, dict[str, Any]], numpy: bool
) -> None:
    kind = np.ndarray if numpy else torch.Tensor
    for source in (Archive(archive, numpy=numpy), Archive(archive, numpy=numpy).stream(batch=2)):
        for sample in source:
            for name, array in decoded[sample["key"]].items():
                expected = planes(name, array)
                assert isinstance(sample[name], kind) and sample[name].shape == expected.shape
                assert (np.asarray(sample[name]) == expected).all(), name
    shuffled = [sample["key"] for sample in Archive(archive, ["depth"], numpy=numpy).stream(shuffle=True)]
    assert sorted(shuffled) == sorted(decoded)


def test_batches(archive: Path) -> None:
    batch = mtcodec.collate([Archive(archive)[k] for k in (0, 1)])
    assert batch["rgb"].shape == (2, 3, 60, 81) and batch["depth"].shape == (2, 1, 30, 40)
    assert batch["infrared"].shape == (2, 1, 30, 40) and batch["pose"].shape == (2, 4, 4)
    assert batch["gains"].shape == (2, 3) and batch["seconds"].shape == (2,)
    mixed = mtcodec.collate([Archive(archive)[k] for k in (0, 3)])
    assert isinstance(mixed["rgb"], list) and mixed["pose"].shape == (2, 4, 4)
    loader: Any = torch.utils.data.DataLoader(
        Archive(archive, crop=32), batch_size=4, collate_fn=mtcodec.collate
    )
    first, _ = list(loader)
    assert first["rgb"].shape == (4, 3, 32, 32) and first["near"].shape == (4, 1, 32, 32)


# --- crops -----------------------------------------------------------------------------------------------


def test_a_crop_is_a_part_of_the_scene() -> None:
    """c · m / n, to nearest, halves up: 256 of 1296 are 126.4 of 640, 256 of 968 are 126.9 of 480."""
    assert crop_sizes(SIZES, (256, 256)) == {"rgb": (256, 256), "depth": (127, 126), "labels": (128, 128)}
    assert crop_sizes(SIZES, (484, 648)) == {"rgb": (484, 648), "depth": (240, 320), "labels": (242, 324)}
    assert crop_sizes({"a": (4, 4), "b": (2, 8)}, (3, 3)) == {
        "a": (3, 3),
        "b": (2, 6),
    }  # the first of equal ones
    assert crop_sizes({"a": (1000, 1000), "b": (10, 10)}, (20, 1)) == {"a": (20, 1), "b": (1, 1)}
    assert crop_sizes({"a": (30, 40), "b": (15, 20)}, (60, 50)) == {"a": (60, 50), "b": (30, 25)}
    assert crop_sizes({}, (3, 3)) == {}


def test_crops_of_scenes(archive: Path, decoded: dict[str, dict[str, Any]]) -> None:
    """The middle, of each image in its own pixels; numbers stay whole, and tasks of one size fit together."""
    for sample in Archive(archive, crop=(20, 30), numpy=True):
        scene = decoded[sample["key"]]
        whole = scene.get("rgb", scene["near"]).shape[:2]
        for name, array in scene.items():
            expected = planes(name, array)
            if name not in NUMBERS:
                sides = [int(c * m / n + 0.5) for c, m, n in zip((20, 30), array.shape, whole)]
                top, left = ((m - side) // 2 for m, side in zip(array.shape, sides))
                expected = expected[:, top : top + sides[0], left : left + sides[1]]
            assert sample[name].shape == expected.shape and (sample[name] == expected).all(), name
        assert sample["rgb" if "rgb" in scene else "near"].shape[1:] == (20, 30)
    alone = Archive(archive, ["depth", "pose"], crop=20, numpy=True)[0]
    assert alone["depth"].shape == (1, 20, 20) and alone["pose"].shape == (4, 4)


def test_crops_of_small_scenes_get_zeros(archive: Path, decoded: dict[str, dict[str, Any]]) -> None:
    sample = Archive(archive, crop=(120, 81))[0]
    assert sample["rgb"].shape == (3, 120, 81) and sample["depth"].shape == (1, 60, 40)
    assert (sample["depth"][0, :30].numpy() == decoded["s0"]["depth"]).all() and not sample["depth"][
        0, 30:
    ].any()
    assert sample["seconds"].shape == ()


# --- holes -----------------------------------------------------------------------------------------------


def test_holes_of_other_tasks_are_not_fetched(archive: Path) -> None:
    """Depth costs its own columns, to the byte, whatever holes others have."""
    table = pq.read_table(archive / "shard-00000.parquet")
    assert table["near_holes"].null_count == table["depth_holes"].null_count == 1
    assert table["rgb_holes"].null_count == COUNT and "labels_holes" not in table.column_names
    reader = ArchiveReader(archive)
    names: list[str] = []
    read = reader.read_columns
    reader.read_columns = lambda group, columns: (names.extend(columns), read(group, columns))[1]  # type: ignore
    reader.entries(reader.row_groups[0], ["depth"])
    assert names == ["key", "header", "depth_holes", "depth"]


def test_tasks_that_share_holes_find_them_with_the_first(tmp_path: Path) -> None:
    """Also where a scene has its tasks in another order than the archive, and after columns are copied."""
    depth = np.rint(2000 + 900 * wave(40, 50)).astype(np.uint16)
    depth[5:20, 7:30] = 0
    both = {"near": depth // 2, "depth": depth}
    made = {"a": both, "b": dict(reversed(both.items())), "c": {"depth": depth}}
    request = Request(coding="classical", effort="fast", tasks={"near": declare("near", "depth")})
    pack_scenes(made.items(), tmp_path / "a", Job(None, ("depth", "near"), request))
    reader = ArchiveReader(tmp_path / "a")
    rows = [{k for k, v in row.items() if v is not None} for row in reader.read_columns(
        reader.row_groups[0], ["depth_holes", "near_holes"]).to_pylist()]  # fmt: skip
    assert rows == [{"near_holes"}, {"depth_holes"}, {"depth_holes"}]
    for task in ("depth", "near"):
        alone = list(scenes(reader, [task]))
        extract(reader, tmp_path / task, [task])
        copied = ArchiveReader(tmp_path / task)
        assert verify(copied, decoding=True) == {}
        for (key, scene), (same_key, same) in (
            zip(alone, scenes(copied)) if task == "depth" else zip(alone[:2], scenes(copied))
        ):
            assert key == same_key and (scene[task] == same[task]).all()
            assert ((scene[task] == 0) == (made[key][task] == 0)).all()


# --- what reads archives ---------------------------------------------------------------------------------


def test_unpack_writes_every_task_in_its_size(
    archive: Path, decoded: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    import imagecodecs

    assert unpack(ArchiveReader(archive), tmp_path / "out").scenes == COUNT
    for key, scene in decoded.items():
        for path in (tmp_path / "out" / key).iterdir():
            array = scene[path.stem]
            back = np.load(path) if path.suffix == ".npy" else imagecodecs.png_decode(path.read_bytes())
            assert (back.reshape(array.shape) == array).all(), path
        assert len(list((tmp_path / "out" / key).iterdir())) == len(scene)


def test_extract_keeps_sizes(archive: Path, decoded: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    wanted = ["depth", "labels", "pose"]
    assert extract(ArchiveReader(archive), tmp_path / "b", wanted) == COUNT
    assert verify(ArchiveReader(tmp_path / "b"), decoding=True) == {}
    for key, scene in scenes(ArchiveReader(tmp_path / "b")):
        assert list(scene) == (wanted if key != "s4" else wanted[:2]) and all(
            (scene[n] == decoded[key][n]).all() for n in scene
        )
    index = json.loads((tmp_path / "b" / "archive.json").read_text())
    assert index["shards"][0]["row_groups"] == [COUNT] and "near_height" not in index["shards"][0]["columns"]


def test_huggingface(archive: Path, decoded: dict[str, dict[str, Any]]) -> None:
    pytest.importorskip("datasets")
    import mtcodec.huggingface

    rows = mtcodec.huggingface.dataset(archive)
    for row in rows:
        for name in scannet(16, 0.0):
            expected = decoded[row["key"]].get(name)
            if expected is None:
                assert row[name] is None and row[f"{name}_height"] is None
                continue
            assert (row[name] == planes(name, expected)).all() and row[name].shape == planes(
                name, expected
            ).shape
    tensors = rows.with_format("torch")[0]
    assert tensors["pose"].shape == (4, 4) and tensors["seconds"].shape == ()
    assert tensors["infrared"].shape == (1, 30, 40)
    wide = rows.filter(lambda width: width is not None and width > 100, input_columns="rgb_width")
    assert list(wide["key"]) == ["s3"]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rows_at_once", [1, 16])
def test_ray(
    archive: Path, decoded: dict[str, dict[str, Any]], cluster: None, rows_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where a part of the rows has no number at all."""
    import mtcodec.ray

    monkeypatch.setattr(mtcodec.ray, "TASK_ROWS", rows_at_once)
    monkeypatch.setattr(mtcodec.ray, "BATCH", rows_at_once)
    rows: list[Any] = mtcodec.ray.read_archive(archive).take_all()
    assert {row["key"] for row in rows} == set(decoded)
    for row in rows:
        for name in scannet(16, 0.0):
            expected = decoded[row["key"]].get(name)
            if expected is None:
                assert row[name] is None if name == "seconds" else row[name].size == 0
                assert row[f"{name}_height"] == row[f"{name}_width"] == 0
                continue
            assert np.shape(row[name]) == expected.shape and (row[name] == expected).all(), name
    near = mtcodec.ray.read_archive(archive, ["near"], ["key", "near_width"]).take_all()
    assert sorted(row["near_width"] for row in near) == [81] * 3 + [162] * 2


def test_training_takes_the_tasks_of_one_size(archive: Path, decoded: dict[str, dict[str, Any]]) -> None:
    """The size that most have, as networks code them together; what is left out is told, once a task."""
    tasks = [mtcodec.tasks.USUAL["rgb"], mtcodec.tasks.USUAL["depth"], declare("near", "depth")]
    lines: list[Any] = []
    read = Scenes.read([sources(ArchiveReader(archive))], tasks, lines.append)
    assert read.sizes.tolist() == [[60, 81]] * 3 + [[121, 162]] + [[121, 162]]
    assert read.has_task(torch.arange(COUNT)).tolist() == [[True, False, True]] * 4 + [[False, False, True]]
    assert len(lines) == 1 and "depth" in lines[0]
    batch = read.middles(torch.tensor([0]), 40)
    rgb = decoded["s0"]["rgb"][10:50, 20:60] / 255
    assert np.allclose(batch.planes["rgb"][0].permute(1, 2, 0).numpy(), rgb, atol=1e-6)


# --- what is no scene ------------------------------------------------------------------------------------


def test_frames_of_sequences_are_refused(tmp_path: Path) -> None:
    frames = [{"depth": np.full((9, 11), 700 + k, np.uint16)} for k in range(2)]
    data = Codec((), coding="classical").encode_group(frames, Timeline(("a", "b"))).to_bytes()
    with pytest.raises(FormatError, match="2 frames of a sequence"):
        row_of("s", data)
    header, _ = split(data)
    _, refused = make_entry("archive", "s", header, {})
    assert isinstance(refused, FormatError) and "scene s: a group of 2 frames of a sequence" in str(refused)


def test_files_are_no_archives(tmp_path: Path) -> None:
    """Nor are they packed: one line says what they are."""
    for name, data in {
        "clip.mtc": Codec((), coding="classical").encode_group(
            [{"depth": np.full((9, 11), 700 + k, np.uint16)} for k in range(2)], Timeline(("a", "b"))
        ).to_bytes(),
        "one.mtc": Codec((), coding="classical").encode({"depth": np.full((9, 11), 700, np.uint16)}),
    }.items():  # fmt: skip
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(SceneError, match="a file, but an archive is a directory"):
            Archive(path)
        done = start("pack", path, "-o", tmp_path / "a")
        line = f"mtcodec: {path}: is encoded already: an archive is packed of images, as decode writes\n"
        assert (done.returncode, done.stderr.decode()) == (1, line)
