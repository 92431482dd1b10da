"""Scenes to bytes and back: round trips, subsets, sizes, tasks, damage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

import mtcodec
from mtcodec.codec import codec as codecs
from mtcodec.codec.codec import Codec
from mtcodec.errors import FormatError, SceneError, SectionError, UsageError, WeightsNotFound
from mtcodec.files.scene import Scene
from mtcodec.format.container import Reader
from mtcodec.models.config import ModelConfig
from mtcodec.models.multitask import MultiTask
from mtcodec.tasks import task as tasks
from mtcodec.weights import store as weights

NEURAL = ("rgb", "depth", "normal")


def psnr(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    return float(10 * np.log10(peak**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


# --- round trips ---------------------------------------------------------------------------------


def test_every_task_comes_back_in_its_dtype_and_range(small: Codec, scene: Scene) -> None:
    back = small.decode(small.encode(scene, 80))
    assert list(back) == [*NEURAL, "semantic"]
    for name, image in scene.items():
        assert back[name].dtype == image.dtype and back[name].shape == image.shape
    assert (back["semantic"] == scene["semantic"]).all()
    assert psnr(scene["rgb"], back["rgb"], 255) > 25
    span = float(scene["depth"].max()) - float(scene["depth"].min())
    assert psnr(scene["depth"], back["depth"], span) > 25
    assert back["depth"].min() >= scene["depth"].min() and back["depth"].max() <= scene["depth"].max()


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
    assert (small.decode(mtcodec.extract(data, ["depth"]))["depth"] == full["depth"]).all()


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (1, 300), (63, 65), (64, 64), (130, 70)])
def test_any_size(small: Codec, scene: Scene, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    height, width = size
    cut = {"rgb": rng.integers(0, 256, (height, width, 3), np.uint8),
           "depth": rng.integers(0, 65536, size).astype(np.uint16)}  # fmt: skip
    back = small.decode(small.encode(cut, 100))
    assert {n: (a.shape, a.dtype) for n, a in back.items()} == {n: (a.shape, a.dtype) for n, a in cut.items()}


@pytest.mark.parametrize(
    "names", [["rgb"], ["depth"], ["normal", "semantic"], ["semantic"], ["rgb", "normal"]]
)
def test_absent_tasks_stay_absent(small: Codec, scene: Scene, names: list[str]) -> None:
    data = small.encode({n: scene[n] for n in names})
    assert sorted(small.decode(data)) == sorted(names)
    sections = [s["name"] for s in mtcodec.format.info(data)["sections"]]
    assert ("shared" in sections) == (names != ["semantic"])


def test_noise_and_constants_survive(small: Codec) -> None:
    rng = np.random.default_rng(1)
    noise = {"rgb": rng.integers(0, 256, (96, 96, 3), np.uint8), "normal": np.full((96, 96, 3), 7, np.uint8),
             "depth": np.full((96, 96), 1234, np.uint16)}  # fmt: skip
    for quality in (0, 37.5, 100):
        back = small.decode(small.encode(noise, quality))
        assert (back["depth"] == 1234).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_depth_keeps_its_dtype_and_unit(small: Codec, scene: Scene, dtype: str) -> None:
    metres = (scene["depth"] / 1000.0).astype(dtype)
    back = small.decode(small.encode({"depth": metres}, 100))["depth"]
    assert back.dtype == dtype
    assert metres.min() - 1e-3 <= back.min() and back.max() <= metres.max() + 1e-3


def test_quality_is_continuous_and_per_task(small: Codec, scene: Scene) -> None:
    sizes = [len(small.encode(scene, q)) for q in (0, 25, 50, 75, 100)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    base, finer = (mtcodec.format.info(small.encode(scene, 30, own)) for own in ({}, {"depth": 90}))
    lengths = [{s["name"]: s["bytes"] for s in i["sections"]} for i in (base, finer)]
    assert lengths[0]["depth"] < lengths[1]["depth"] and lengths[0]["rgb"] == lengths[1]["rgb"]
    assert next(s for s in finer["sections"] if s["name"] == "depth")["quality"] == 90


# --- a fifth task --------------------------------------------------------------------------------


def test_a_task_is_added_by_declaring_it(scene: Scene, tmp_path: Path) -> None:
    albedo = tasks.Task("albedo", "image", 2, ("uint8", "float32"))
    model = MultiTask(ModelConfig((tasks.RGB, albedo), **SMALL))
    weights.save(tmp_path / "five.safetensors", model, {})
    weights.declare_tasks(str(tmp_path / "five.safetensors"))
    assert tasks.get("albedo") == albedo
    codec = codecs.load(tmp_path / "five.safetensors", device="cpu")
    two = {"rgb": scene["rgb"], "albedo": scene["rgb"][..., :2].astype(np.float32) / 7 - 3}
    data = codec.encode(two)
    back = codec.decode(data, ["albedo"])["albedo"]
    assert back.shape == (256, 256, 2) and back.dtype == np.float32
    assert back.min() >= two["albedo"].min() and back.max() <= two["albedo"].max()
    assert list(mtcodec.format.info(data)["tasks"]) == ["rgb", "albedo"]


# --- refusals ------------------------------------------------------------------------------------


def test_refuses_what_it_cannot_encode(small: Codec, scene: Scene) -> None:
    rgb = scene["rgb"]
    cases = [
        ({}, "without images"),
        ({"rgb": rgb, "depth": scene["depth"][:-1]}, "256×255"),
        ({"rgb": rgb[..., :2]}, "2 channels"),
        ({"rgb": rgb.astype(np.float32)}, "float32"),
        ({"depth": np.full((9, 9), 1e39)}, "float32 cannot hold"),
    ]
    for bad, message in cases:
        with pytest.raises(SceneError, match=message):
            small.encode(bad)
    with pytest.raises(UsageError, match="unknown task"):
        small.encode({"nonsense": rgb})
    with pytest.raises(UsageError, match="quality"):
        small.encode(scene, 101)


def test_refuses_other_weights_and_missing_tasks(small: Codec, clevr: Codec, scene: Scene) -> None:
    data = small.encode({"rgb": scene["rgb"]})
    with pytest.raises(WeightsNotFound, match="made with weights"):
        clevr.decode(data)
    with pytest.raises(UsageError, match="depth"):
        small.decode(data, ["depth"])


# --- damage --------------------------------------------------------------------------------------


def test_a_damaged_section_costs_its_task_only(small: Codec, scene: Scene) -> None:
    data = small.encode(scene)
    whole = small.decode(data)
    for section in Reader(io.BytesIO(data)).header.sections:
        if not section.length:
            continue
        bad = bytearray(data)
        bad[section.offset + section.length // 2] ^= 0x10
        lost: list[SectionError] = []
        back = small.decode(bytes(bad), on_damage=lost.append)
        expected = set(NEURAL) if section.name == "shared" else {section.name}
        assert {e.section for e in lost} == expected and set(back) == set(whole) - expected
        assert all((back[n] == whole[n]).all() for n in back)
        with pytest.raises(SectionError):
            small.decode(bytes(bad))


def test_no_truncation_and_no_flipped_byte_gives_wrong_pixels(small: Codec, scene: Scene) -> None:
    """Every prefix, and every byte changed: an error, or the undamaged tasks as they were."""
    data = small.encode({n: a[96:160, 96:160] for n, a in scene.items()}, 20)
    whole = small.decode(data)
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:i] + bytes([data[i] ^ 1 << i % 8]) + data[i + 1 :] for i in range(len(data))]
    refused = partial = 0
    for bad in damaged:
        lost: list[SectionError] = []
        try:
            back = small.decode(bad, on_damage=lost.append)
        except FormatError:
            refused += 1
            continue
        partial += 1
        assert {e.section for e in lost} == set(whole) - set(back) != set()
        assert all((back[n] == whole[n]).all() for n in back)
    assert refused > 58 and partial > 58


def test_forged_payloads_end_in_an_error_or_in_pixels(small: Codec, scene: Scene) -> None:
    """Payloads with right checksums that no encoder wrote."""
    from dataclasses import replace

    from mtcodec.format import container

    data = small.encode({n: scene[n][:64, :64] for n in NEURAL})
    header = Reader(io.BytesIO(data)).header
    rng = np.random.default_rng(3)
    ends = {"error": 0, "pixels": 0}
    for _ in range(40):
        payloads = {s.name: rng.bytes(int(rng.integers(0, 400))) for s in header.sections}
        forged = container.build(replace(header), payloads)
        try:
            back = small.decode(forged)
            assert all(image.shape[:2] == (64, 64) for image in back.values())
            ends["pixels"] += 1
        except FormatError:
            ends["error"] += 1
    assert ends["error"] > 0
