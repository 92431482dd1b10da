"""Scenes to bytes and back: what may be given, subsets, sizes, tasks, holes, damage."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL
from PIL import Image

import mtcodec
from mtcodec import Codec, MtcodecError
from mtcodec.codec.encoded import EncodedGroup
from mtcodec.codec.prepare import Scene
from mtcodec.container.mtc import Reader, build
from mtcodec.errors import FormatError, LimitError, SceneError, SectionError, UsageError, WeightsNotFound
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import lambda_of, to_level
from mtcodec.tasks import USUAL, Task

NEURAL = ("rgb", "depth", "normal")
PLAIN = Codec(())  # without weights


def psnr(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    return float(10 * np.log10(peak**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def codings(data: bytes) -> dict[str, str]:
    return {s.name: s.coding for s in Reader(io.BytesIO(data)).header.sections}


def same(a: Scene, b: Scene) -> bool:
    return sorted(a) == sorted(b) and all(
        a[n].dtype == b[n].dtype and a[n].tobytes() == b[n].tobytes() for n in a
    )


# --- round trips ---------------------------------------------------------------------------------


def test_every_task_comes_back_in_its_dtype_and_range(small: Codec, scene: Scene) -> None:
    data = small.encode(scene, 80)
    back = small.decode(data)
    assert list(back) == list(scene)
    assert codings(data) == {"shared": "neural", **dict.fromkeys(NEURAL, "neural"), "semantic": "labels"}
    for name, image in scene.items():
        assert back[name].dtype == image.dtype and back[name].shape == image.shape
    assert (back["semantic"] == scene["semantic"]).all()
    assert psnr(scene["rgb"], back["rgb"], 255) > 25
    span = float(scene["depth"].max()) - float(scene["depth"].min())
    assert psnr(scene["depth"], back["depth"], span) > 25
    assert back["depth"].min() >= scene["depth"].min() and back["depth"].max() <= scene["depth"].max()


def test_what_was_measured_is_what_is_decoded(small: Codec, scene: Scene) -> None:
    made = small.encode_scene(scene, 40, measures=True, units={"depth": "1mm"})
    assert same(small.decode(made.to_bytes()), made.decoded)
    assert made.psnr["rgb"] == pytest.approx(psnr(scene["rgb"], made.decoded["rgb"], 255))
    told = mtcodec.info(made.to_bytes())["tasks"]
    assert told["depth"]["unit"] == "1mm"
    for name in NEURAL:
        assert told[name]["psnr"] == pytest.approx(made.psnr[name], rel=1e-4)
    assert {"rmse", "max_error", "abs_rel"} <= set(told["depth"]) and "psnr" not in told["semantic"]
    plain = small.encode(scene, 40)
    assert "notes" not in codings(plain) and len(plain) < len(made.to_bytes())


def test_a_subset_gives_the_pixels_of_a_full_decode_and_reads_only_its_sections(
    small: Codec, scene: Scene
) -> None:
    data = small.encode(scene)
    full = small.decode(data)
    reader = Reader(io.BytesIO(data))
    read = []
    original = reader.payload
    reader.payload = lambda name: (read.append(name), original(name))[1]  # type: ignore[method-assign]
    alone = small.decode(reader, ["depth"])
    assert read == ["shared", "depth"]
    assert list(alone) == ["depth"] and (alone["depth"] == full["depth"]).all()
    assert same(small.decode(data, "depth"), alone)
    assert same(small.decode(data, ("semantic", "depth")), {n: full[n] for n in ("semantic", "depth")})
    assert same(small.decode(mtcodec.extract(data, "depth")), alone)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (1, 300), (63, 65), (64, 64), (130, 70)])
@pytest.mark.parametrize("coding", ["auto", "neural", "classical"])
def test_any_size(small: Codec, size: tuple[int, int], coding: str) -> None:
    rng = np.random.default_rng(0)
    height, width = size
    cut = {"rgb": rng.integers(0, 256, (height, width, 3), np.uint8),
           "depth": rng.integers(0, 65536, size).astype(np.uint16)}  # fmt: skip
    back = small.decode(small.encode(cut, 100, coding=coding))
    assert {n: (a.shape, a.dtype) for n, a in back.items()} == {n: (a.shape, a.dtype) for n, a in cut.items()}


@pytest.mark.parametrize("codec", ["small", "clevr"])
def test_tiny_scenes_come_back_exactly(codec: str, scene: Scene, request: pytest.FixtureRequest) -> None:
    """They are no larger that way."""
    tiny = {n: np.ascontiguousarray(image[100:105, 90:93]) for n, image in scene.items()}
    data = request.getfixturevalue(codec).encode(tiny, coding="auto")
    assert same(mtcodec.decode(data), tiny)
    assert len(data) < 250


@pytest.mark.parametrize(
    "names", [["rgb"], ["depth"], ["normal", "semantic"], ["semantic"], ["rgb", "normal"]]
)
def test_absent_tasks_stay_absent(small: Codec, scene: Scene, names: list[str]) -> None:
    data = small.encode({n: scene[n] for n in names})
    assert sorted(small.decode(data)) == sorted(names)
    assert ("shared" in codings(data)) == (names != ["semantic"])


def test_noise_and_constants_survive(small: Codec) -> None:
    rng = np.random.default_rng(1)
    noise = {"rgb": rng.integers(0, 256, (96, 96, 3), np.uint8), "normal": np.full((96, 96, 3), 7, np.uint8),
             "depth": np.full((96, 96), 1234, np.uint16)}  # fmt: skip
    for quality in (0, 37.5, 100):
        for coding in ("neural", "auto"):
            back = small.decode(small.encode(noise, quality, coding=coding))
            assert (back["depth"] == 1234).all()


@pytest.mark.filterwarnings("ignore:.*nobody tells its unit")
@pytest.mark.parametrize("coding", ["neural", "classical"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint32", "float16", "float32", "float64"])
def test_depth_keeps_its_dtype_and_unit(small: Codec, scene: Scene, dtype: str, coding: str) -> None:
    metres = (scene["depth"] / (1.0 if dtype.endswith(("16", "32")) else 1000.0)).astype(dtype)
    back = small.decode(small.encode({"depth": metres}, 100, coding=coding))["depth"]
    assert back.dtype == dtype
    slack = 1e-3 * float(metres.max())
    assert metres.min() - slack <= back.min() and back.max() <= metres.max() + slack
    error = np.abs(back.astype(float) - metres.astype(float))
    assert np.sqrt(np.mean(error**2)) < 0.04 * np.ptp(metres.astype(float))


def test_quality_is_continuous_and_per_task(small: Codec, scene: Scene) -> None:
    sizes = [len(small.encode(scene, q)) for q in (0, 20, 40, 60, 76)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    base, finer = (mtcodec.info(small.encode(scene, 30, task_quality=own)) for own in ({}, {"depth": 70.5}))
    lengths = [{s["name"]: s["bytes"] for s in i["sections"]} for i in (base, finer)]
    assert lengths[0]["depth"] < lengths[1]["depth"] and lengths[0]["rgb"] == lengths[1]["rgb"]
    assert next(s for s in finer["sections"] if s["name"] == "depth")["quality"] == 70.5


# --- what is taken -------------------------------------------------------------------------------


def test_arrays_tensors_and_pictures_are_taken(scene: Scene) -> None:
    part = {"rgb": scene["rgb"][:70, :90], "semantic": scene["semantic"][:70, :90]}
    expected = PLAIN.encode(part)
    given: list[dict[str, Any]] = [
        {name: torch.from_numpy(image.copy()) for name, image in part.items()},
        {"rgb": torch.from_numpy(part["rgb"].copy()), "semantic": part["semantic"][None]},
        {name: Image.fromarray(image) for name, image in part.items()},
        {name: np.asfortranarray(image) for name, image in part.items()},
    ]
    assert all(PLAIN.encode(own) == expected for own in given)
    wide = {"depth": scene["depth"][:70, :90]}
    assert PLAIN.encode({"depth": wide["depth"].astype(">u2")}) == PLAIN.encode(wide)
    weighed = {"albedo": torch.rand(8, 9, 3, requires_grad=True)}
    assert PLAIN.decode(PLAIN.encode(weighed))["albedo"].dtype == np.float32


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "a scene without images"),
    "an array": (np.zeros((4, 4)), "a scene without images"),
    "None": (None, "a scene without images"),
    "a list of numbers": ({"rgb": [[1, 2], [3, 4]]}, "task rgb: not an image but list"),
    "a path": ({"rgb": "rgb.png"}, "task rgb: not an image but str"),
    "no pixels": ({"rgb": np.zeros((0, 4, 3), np.uint8)}, r"task rgb: .*shape \(0, 4, 3\)"),
    "numbers of depth": ({"depth": np.zeros(4)}, "task depth: a row of numbers, but the task has images"),
    "a batch": ({"rgb": np.zeros((2, 4, 4, 3), np.uint8)}, r"task rgb: .*shape \(2, 4, 4, 3\)"),
    "complex numbers": ({"x": np.zeros((4, 4), complex)}, "task x: values of dtype complex128"),
    "objects": ({"x": np.full((4, 4), None)}, "task x: values of dtype object"),
    "two channels": ({"rgb": np.zeros((20, 20, 2), np.uint8)}, "task rgb: 2 channels, but the task has 3"),
    "colours of depth": ({"depth": np.zeros((4, 4, 3), np.uint16)}, "depth: 3 channels, but the task has 1"),
    "floats for colours": ({"rgb": np.full((4, 4, 3), 9.0)}, "task rgb: float colours go from 0 to 1"),
    "floats for labels": ({"semantic": np.zeros((4, 4), np.float32)}, "task semantic: float32 values"),
    "too many channels": ({"x": np.zeros((20, 20, 17), np.uint8)}, "task x: 17 channels"),
    "too large numbers": ({"depth": np.full((9, 9), 1e39)}, "float32 cannot hold"),
    "an upper-case name": ({"RGB": np.zeros((4, 4, 3), np.uint8)}, "not a task name: 'RGB'"),
    "a section's name": ({"shared": np.zeros((4, 4, 3), np.uint8)}, "not a task name: 'shared'"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_refuses_scenes(given: Any, message: str) -> None:
    with pytest.raises((SceneError, UsageError), match=message):
        PLAIN.encode(given)


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "quality above": ({"quality": 101}, "quality must be 0 to 100"),
    "quality below": ({"task_quality": {"rgb": -1}}, "quality must be 0 to 100"),
    "quality of nothing": ({"task_quality": {"smell": 1}}, "a quality for task 'smell'"),
    "quality of labels": ({"task_quality": {"semantic": 1}}, "a quality for task 'semantic'"),
    "quality and bound": ({"task_quality": {"depth": 1}, "max_error": {"depth": 1}}, "a quality for task"),
    "no bound": ({"max_error": {"depth": -1}}, "task depth: not a bound"),
    "holes of labels": ({"invalid": {"semantic": [(0.0,)]}}, "holes of task 'semantic'"),
    "holes of another shape": ({"invalid": {"rgb": [(1.0, 2.0)]}}, "task rgb: a hole of 2 numbers, not 3"),
    "target of nothing": ({"target_psnr": {"smell": 30}}, "a PSNR for task 'smell'"),
    "two targets": ({"target_psnr": {"rgb": 30}, "target_bytes": 9}, "only one of them"),
    "coding": ({"coding": "best"}, "not 'best', but one of auto, neural, classical"),
    "effort": ({"effort": "most"}, "not 'most', but one of fast, normal, best"),
    "unit": ({"units": {"depth": "5"}}, "a unit is a length"),
    "no setting": ({"bitrate": 5}, "no setting 'bitrate'"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "message"), SETTINGS.values(), ids=SETTINGS)
def test_refuses_settings(given: dict[str, Any], message: str, scene: Scene) -> None:
    part = {n: image[:16, :16] for n, image in scene.items()}
    with pytest.raises(UsageError, match=message):
        PLAIN.encode(part, **given)


def test_files_are_taken_in_any_form(tmp_path: Path, scene: Scene) -> None:
    part = {"semantic": scene["semantic"]}
    data, path = PLAIN.encode(part), tmp_path / "scene.mtc"
    path.write_bytes(data)
    forms = [data, bytearray(data), memoryview(data), path, str(path), io.BytesIO(data), Reader(data)]
    for form in forms:
        assert same(mtcodec.decode(form), part)
        assert mtcodec.info(form)["tasks"].keys() == {"semantic"}
    with path.open("rb") as file:
        assert mtcodec.extract(file, ["semantic"]) == data
    with pytest.raises(SceneError, match="No such file"):
        mtcodec.decode(tmp_path / "nothing.mtc")
    with pytest.raises(UsageError, match="not a file but int"):
        mtcodec.decode(5)  # type: ignore[arg-type]
    with pytest.raises(LimitError, match="256×256 pixels are more than the limit of 9"):
        PLAIN.decode(data, max_pixels=9)


def test_functions_and_codecs_give_the_same_bytes(small_weights: Path, scene: Scene) -> None:
    part = {n: image[:70, :70] for n, image in scene.items()}
    data = mtcodec.encode(part, quality=55, weights=small_weights, device="cpu", coding="neural")
    assert data == mtcodec.load(small_weights, "cpu", coding="neural").encode(part, 55)
    assert data == Codec(small_weights, "cpu", coding="neural", quality=55).encode(part)
    assert Codec(small_weights, "cpu").name == "small"


# --- nothing is lost -----------------------------------------------------------------------------


def test_tasks_that_nobody_knows_are_kept_exactly(small: Codec, scene: Scene) -> None:
    rng = np.random.default_rng(2)
    others = {
        "smell": rng.integers(0, 256, (256, 256, 3), np.uint8), "flow": rng.normal(size=(256, 256, 2)),
        "mask": scene["semantic"] > 0, "seed": rng.integers(-(2**62), 2**62, (256, 256)),
        "half": scene["depth"].astype(np.float16),
    }  # fmt: skip
    made = small.encode_scene({**scene, **others}, 30)
    back = small.decode(made.to_bytes())
    assert same({n: back[n] for n in others}, others)
    assert len(made.prepared.messages) == len(others)
    for name in others:
        assert f"{name}: nobody says what it is, so it is kept exactly" in "\n".join(made.prepared.messages)
    assert same(mtcodec.decode(mtcodec.extract(made.to_bytes(), list(others))), others)


def test_declared_tasks_that_no_network_knows_are_coded_classically(small: Codec, scene: Scene) -> None:
    extra = {"albedo": scene["rgb"], "mist": scene["rgb"][..., 0], "smell": scene["rgb"]}
    declared = {**USUAL, "smell": Task("smell", "image")}
    data = small.encode({"rgb": scene["rgb"], **extra}, tasks=declared)
    assert codings(data) == {"shared": "neural", "rgb": "neural", **dict.fromkeys(extra, "classical")}
    back = small.decode(data)
    for name, image in extra.items():
        assert psnr(image, back[name], 255) > 35
    exact = {"albedo": scene["rgb"][..., :2]}  # two channels: no classical codec has them
    assert same(small.decode(small.encode(exact, tasks={"albedo": Task("albedo", "image", 2)})), exact)


def test_gray_and_transparent_pictures_are_kept(scene: Scene) -> None:
    gray = scene["rgb"][..., 1]
    assert psnr(gray, PLAIN.decode(PLAIN.encode({"rgb": gray}))["rgb"], 255) > 35
    four = np.dstack([scene["rgb"], scene["semantic"]])
    assert same(PLAIN.decode(PLAIN.encode({"rgb": four})), {"rgb": four})
    palette = np.array([[0, 0, 0], [200, 30, 7], [9, 255, 128]], np.uint8)[scene["semantic"] % 3]
    assert same(PLAIN.decode(PLAIN.encode({"semantic": palette})), {"semantic": palette})


def test_the_whole_range_of_a_dtype_needs_no_range() -> None:
    image = np.arange(0, 65536, 16).astype(np.uint16).reshape(64, 64)
    for scene in ({"depth": image}, {"depth": (image.astype(int) - 32768).astype(np.int16)}):
        for own in ({"usual_holes": False}, {"usual_holes": False, "max_error": {"depth": 0}}):
            back = PLAIN.decode(PLAIN.encode(scene, 100, **own))["depth"]
            assert abs(back.astype(int) - scene["depth"].astype(int)).max() < 900


def test_the_sky_is_kept_and_surfaces_are_not_blurred() -> None:
    """Surfaces at 2 to 25 m beside sky at 1e10 m come back within 1 % at the default quality."""
    rows, columns = np.mgrid[:240, :320]
    depth = np.minimum(25, 2 + 1500 / (rows - 60.0).clip(1)).astype(np.float32)
    depth += np.float32(0.3) * np.sin(columns / 9).astype(np.float32)
    depth[60:180, 140:170] = 4 + rows[60:180, 140:170] / 300
    sky = (rows < 70) & ~((rows >= 60) & (columns >= 140) & (columns < 170))
    depth = np.where(sky, np.float32(1e10), depth.clip(2, 25))
    assert depth[~sky].min() >= 2 and depth[~sky].max() <= 25
    made = Codec().encode_scene({"depth": depth})
    assert made.prepared.messages == (
        "depth: 1e+10 is taken for a far plane, without measurement (--invalid none)",
    )
    back = mtcodec.decode(made.to_bytes())["depth"]
    assert (back[sky] == np.float32(1e10)).all() and (back[~sky] < 30).all()
    error = np.abs(back - depth)[~sky] / depth[~sky]
    assert error.mean() < 0.01 and np.mean(error < 0.01) > 0.99
    assert made.measures["depth"]["abs_rel"] == pytest.approx(error.mean(), rel=1e-4)
    assert made.measures["depth"]["max_error"] == pytest.approx(np.abs(back - depth)[~sky].max(), rel=1e-4)
    plain = PLAIN.encode_scene({"depth": depth}, usual_holes=False)
    assert plain.prepared.messages == () and plain.masks == []


# --- holes ---------------------------------------------------------------------------------------


def with_holes(scene: Scene, dots: bool = False) -> Scene:
    depth, normal = scene["depth"].copy(), scene["normal"].copy()
    depth[40:90, 30:200] = 0
    if dots:
        depth[100, ::3] = 65535
    normal[40:90, 30:200] = 128
    return {**scene, "depth": depth, "normal": normal}


@pytest.mark.parametrize("coding", ["neural", "classical"])
def test_holes_come_back(small: Codec, scene: Scene, coding: str) -> None:
    broken = with_holes(scene, dots=True)
    data = small.encode(broken, 50, coding=coding)
    names = ["holes0", "holes1", *scene]
    assert list(codings(data)) == (["shared"] if coding == "neural" else []) + names
    for back in (small.decode(data), small.decode(data, ["depth", "normal"])):
        for value in (0, 65535):
            assert np.array_equal(back["depth"] == value, broken["depth"] == value)
        zero = (broken["normal"] == 128).all(axis=-1)
        assert zero.any() and np.array_equal((back["normal"] == 128).all(axis=-1), zero)
    length = np.linalg.norm(back["normal"].astype(float) / 127.5 - 1, axis=-1)
    assert abs(length[~zero] - 1).max() < 0.02


@pytest.mark.parametrize("hole", [np.finfo(np.float64).min, np.finfo(np.float64).max, 3.4028235e38, -1e100])
def test_holes_may_be_larger_than_float32_holds(hole: float) -> None:
    depth = np.linspace(1.2, 3.9, 40 * 50).reshape(40, 50)
    depth[5:15, 5:15] = hole
    for settings in ({"lossless": "depth"}, {"max_error": {"depth": 0.005}}, {}):
        back = PLAIN.decode(PLAIN.encode({"depth": depth}, coding="classical", **settings))["depth"]
        assert back.dtype == np.float64 and np.array_equal(back == hole, depth == hole)
        assert np.abs(back - depth)[depth != hole].max() < 0.2


@pytest.mark.parametrize("coding", ["neural", "classical"])
def test_equal_holes_are_stored_once(small: Codec, scene: Scene, coding: str) -> None:
    broken = with_holes(scene)
    data = small.encode(broken, 50, coding=coding)
    reader = Reader(data)
    shared = ("shared",) if coding == "neural" else ()
    assert [s.name for s in reader.header.sections] == [*shared, "holes0", *scene]
    assert reader.header.needs("depth") == (*shared, "holes0", "depth")
    assert reader.header.needs("normal") == (*shared, "holes0", "normal")
    assert reader.header.needs("rgb") == (*shared, "rgb")
    full = small.decode(data)
    for kept, masks in (("depth", 1), ("rgb", 0), ("semantic", 0)):
        part = mtcodec.extract(data, kept)
        assert sum(name.startswith("holes") for name in codings(part)) == masks
        assert same(small.decode(part), {kept: full[kept]})
    two = mtcodec.extract(small.encode(with_holes(scene, dots=True), 50, coding=coding), ["rgb", "normal"])
    assert sorted(codings(two)) == sorted([*shared, "holes0", "rgb", "normal"])  # holes1 before
    assert np.array_equal(small.decode(two)["normal"][60, 60], [128, 128, 128])


def test_ragged_holes_may_cost_a_little_for_being_quick(small: Codec, scene: Scene) -> None:
    """Bitmaps of a camera's holes decode quickly; they are taken where they are a small part of the file."""
    steps = np.random.default_rng(5).integers(-1, 2, (*scene["depth"].shape[:1], 6))
    edges = 30 * np.arange(1, 7) + np.cumsum(steps, axis=0)
    depth = scene["depth"].copy()
    depth[np.count_nonzero(edges[:, None] <= np.arange(depth.shape[1])[:, None], axis=2) % 2 > 0] = 0
    for bounds, first in (({}, {*range(0xF0)}), ({"rgb": 0}, {0xFD})):
        options = {"quality": 10, "max_error": bounds, "coding": "classical"}
        data = small.encode({"rgb": scene["rgb"], "depth": depth}, **options)
        assert Reader(data).payload("holes0")[0] in first
        assert np.array_equal(small.decode(data)["depth"] == 0, depth == 0)


def test_damaged_holes_cost_the_tasks_that_have_them(small: Codec, scene: Scene) -> None:
    data = small.encode(with_holes(scene), 50)
    section = Reader(data).header.section("holes0")
    assert section is not None
    broken = data[: section.offset] + bytes([data[section.offset] ^ 4]) + data[section.offset + 1 :]
    lost: list[SectionError] = []
    back = small.decode(broken, on_damage=lost.append)
    assert [e.section for e in lost] == ["depth", "normal"] and sorted(back) == ["rgb", "semantic"]
    with pytest.raises(SectionError, match="section depth: its holes are lost"):
        small.decode(broken)


def test_holes_in_batches(small: Codec, scene: Scene) -> None:
    files = [small.encode(own, 50) for own in (scene, with_holes(scene), with_holes(scene, dots=True))]
    for data, back in zip(files, small.decode_batch(files)):
        assert same(back, small.decode(data))
    smaller = small.encode({n: image[:70, :90] for n, image in scene.items()})
    with pytest.raises(UsageError, match="files of a batch differ"):
        small.decode_batch([files[0], smaller], ["depth"])
    with pytest.raises(UsageError, match="no task 'depth' in this file"):
        small.decode_batch([files[0], mtcodec.extract(files[0], "rgb")], ["depth"])


def test_batches_keep_the_sizes_of_every_scene(scene: Scene) -> None:
    """Only networks need one size: the first scene's says nothing of the others."""
    smaller = {n: image[:70, :90] for n, image in scene.items()}
    files = [PLAIN.encode(own, 40, effort="fast", lossless=["semantic"]) for own in (smaller, scene, smaller)]
    for own, back in zip((smaller, scene, smaller), PLAIN.decode_batch(files)):
        assert {n: image.shape for n, image in back.items()} == {n: image.shape for n, image in own.items()}
        assert np.array_equal(back["semantic"], own["semantic"])


def test_holes_that_a_user_names(small: Codec, scene: Scene) -> None:
    depth = scene["depth"].copy()
    depth[:9] = 4321
    back = small.decode(small.encode({"depth": depth}, invalid={"depth": [(4321.0,)]}))["depth"]
    assert (back[:9] == 4321).all()


def test_an_image_of_nothing_but_holes(small: Codec) -> None:
    empty = {"depth": np.zeros((70, 80), np.uint16), "rgb": np.zeros((70, 80, 3), np.uint8)}
    for coding in ("auto", "neural", "classical"):
        assert (small.decode(small.encode(empty, coding=coding))["depth"] == 0).all()


# --- exact and bounded tasks ---------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*nobody tells its unit")
def test_files_mix_networks_and_exact_tasks(small: Codec, scene: Scene) -> None:
    data = small.encode(scene, 50, max_error={"depth": "5mm", "normal": 0.0})
    assert codings(data) == {
        "shared": "neural", "rgb": "neural", "semantic": "labels",
        "depth": "near-lossless", "normal": "near-lossless",
    }  # fmt: skip
    assert Reader(data).header.needs("depth") == ("depth",)
    back = small.decode(data)
    assert np.array_equal(back["normal"], scene["normal"])
    assert 0 < abs(back["depth"].astype(int) - scene["depth"]).max() <= 5
    without = {n: i for n, i in scene.items() if n not in ("depth", "normal")}
    assert np.array_equal(back["rgb"], small.decode(small.encode(without, 50))["rgb"])


def test_a_file_without_networks_names_no_weights(small: Codec, scene: Scene) -> None:
    data = small.encode({"depth": scene["depth"], "semantic": scene["semantic"]}, max_error={"depth": 0})
    assert set(Reader(data).header.fingerprint) == {"0"} and mtcodec.info(data)["weights"] is None
    assert same(mtcodec.decode(data), {n: scene[n] for n in ("depth", "semantic")})  # any weights will do


# --- a fifth task --------------------------------------------------------------------------------


def test_a_task_is_added_by_declaring_it(scene: Scene, tmp_path: Path) -> None:
    heat = Task("heat", "image", 2, ("uint8", "float32"))
    model = MultiTask(ModelConfig((USUAL["rgb"], heat), **SMALL))
    serial.save(tmp_path / "five.safetensors", model, {})
    codec = mtcodec.load(tmp_path / "five.safetensors", device="cpu", coding="neural")
    assert codec.tasks["heat"] == heat and "heat" not in USUAL
    two = {"rgb": scene["rgb"], "heat": scene["rgb"][..., :2].astype(np.float32) / 7 - 3}
    data = codec.encode(two)
    back = codec.decode(data, "heat")["heat"]
    assert back.shape == (256, 256, 2) and back.dtype == np.float32
    assert back.min() >= two["heat"].min() and back.max() <= two["heat"].max()
    assert list(mtcodec.info(data)["tasks"]) == ["rgb", "heat"]


# --- weights -------------------------------------------------------------------------------------


def test_files_are_decoded_with_the_weights_that_made_them(small: Codec, clevr: Codec, scene: Scene) -> None:
    part = {"rgb": scene["rgb"]}
    data = small.encode(part)
    with pytest.raises(WeightsNotFound, match="needs the weights with fingerprint"):
        clevr.decode(data)
    data = clevr.encode(part)
    back = clevr.decode(data)
    assert same(small.decode(data), back) and same(mtcodec.decode(data), back)  # they are installed
    with pytest.raises(UsageError, match="no task 'depth' in this file"):
        small.decode(data, "depth")
    both = Codec([small.paths[0], "clevr"], "cpu", coding="neural")
    chosen = both.encode(scene, 50)
    assert Reader(chosen).header.fingerprint == clevr.networks()[0].info.fingerprint
    assert same(both.decode(chosen), clevr.decode(chosen))


def cost(made: EncodedGroup) -> float:
    """What the mode decision minimises: bits + λ · weight · squared error."""
    lam = float(lambda_of(to_level(made.quality)))
    signals = made.prepared.quality_coded()
    return 8 * len(made.to_bytes()) + sum(
        lam * signals[name].task.weight * coded.squared_error()
        for name, coded in made.chosen.items()
        if name in signals
    )


@pytest.mark.slow
@pytest.mark.parametrize("quality", [20, 50, 80])
@pytest.mark.parametrize("name", ["small", "clevr"])
def test_the_choice_costs_least(
    name: str, quality: float, scene: Scene, request: pytest.FixtureRequest
) -> None:
    codec: Codec = request.getfixturevalue(name)
    made = {
        coding: codec.encode_scene(scene, quality, coding=coding)
        for coding in ("auto", "neural", "classical")
    }
    chosen = codings(made["auto"].to_bytes())
    assert ("shared" in chosen) == (name == "clevr") or quality > 50
    assert cost(made["auto"]) <= 1.02 * min(cost(made["neural"]), cost(made["classical"]))
    assert same(codec.decode(made["auto"].to_bytes()), made["auto"].decoded)
    if name == "clevr":
        assert cost(made["auto"]) < 0.9 * cost(made["classical"]) or quality > 50


def test_more_effort_costs_less(scene: Scene) -> None:
    part = {n: np.ascontiguousarray(image[64:192, 64:192]) for n, image in scene.items()}
    costs = [cost(PLAIN.encode_scene(part, 60, effort=effort)) for effort in ("best", "normal", "fast")]
    assert costs[0] <= costs[1] <= costs[2] * 1.02


# --- damage --------------------------------------------------------------------------------------


def test_a_damaged_section_costs_its_task_only(small: Codec, scene: Scene) -> None:
    data = small.encode(scene, measures=True)
    whole = small.decode(data)
    for section in Reader(data).header.sections:
        bad = bytearray(data)
        bad[section.offset + section.length // 2] ^= 0x10
        lost: list[SectionError] = []
        back = small.decode(bytes(bad), on_damage=lost.append)
        expected = {"shared": set(NEURAL), "notes": set()}.get(section.name, {section.name})
        assert {e.task for e in lost} == expected and set(back) == set(whole) - expected
        assert all((back[n] == whole[n]).all() for n in back)
        if expected:
            with pytest.raises(SectionError):
                small.decode(bytes(bad))
        else:
            assert "psnr" not in mtcodec.info(bytes(bad))["tasks"]["rgb"]


def test_no_truncation_and_no_flipped_byte_gives_wrong_pixels(small: Codec, scene: Scene) -> None:
    """Prefixes, and changed bytes: an error, or the undamaged tasks as they were."""
    part = {n: a[96:160, 96:160] for n, a in scene.items()}
    part["depth"], part["normal"] = part["depth"].copy(), part["normal"].copy()
    part["depth"][:9], part["normal"][:9] = 0, 128
    data = small.encode(part, 20)
    whole = small.decode(data)
    size = Reader(data).header.size
    places = [*range(size), *range(size, len(data), 9)]
    damaged = [data[:n] for n in places]
    damaged += [data[:i] + bytes([data[i] ^ 1 << i % 8]) + data[i + 1 :] for i in places]
    refused = partial = 0
    for bad in damaged:
        lost: list[SectionError] = []
        try:
            back = small.decode(bad, on_damage=lost.append)
        except FormatError:
            refused += 1
            continue
        partial += 1
        assert {e.task for e in lost} == set(whole) - set(back) != set()
        assert all((back[n] == whole[n]).all() for n in back)
    assert refused == 2 * size and partial == len(damaged) - refused > 40


def test_forged_payloads_end_in_an_error_or_in_pixels(small: Codec, scene: Scene) -> None:
    """Payloads with right checksums that no encoder wrote."""
    data = small.encode({n: scene[n][:64, :64] for n in NEURAL})
    header = Reader(data).header
    rng = np.random.default_rng(3)
    ends = {"error": 0, "pixels": 0}
    for _ in range(40):
        payloads = {s.name: rng.bytes(int(rng.integers(0, 400))) for s in header.sections}
        try:
            back = small.decode(build(replace(header), payloads))
            assert all(image.shape[:2] == (64, 64) for image in back.values())
            ends["pixels"] += 1
        except FormatError:
            ends["error"] += 1
    assert ends["error"] > 0


def test_errors_say_where() -> None:
    error = MtcodecError("it is wrong", task="rgb").at(path="a.mtc", task="depth")
    assert str(error) == "a.mtc: task rgb: it is wrong" and error.task == "rgb"


def test_classical_scenes_need_no_torch() -> None:
    code = (
        "import sys, numpy as np, mtcodec\n"
        "data = mtcodec.encode({'rgb': np.zeros((128, 128, 3), np.uint8)}, coding='classical')\n"
        "mtcodec.decode(data), mtcodec.info(data)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
