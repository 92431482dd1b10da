"""Training on the bundled scenes: it learns, resumes exactly, and what it exports encodes and decodes."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import SCENES, SMALL, TASKS

import mtcodec
from mtcodec import quality
from mtcodec.cli.values import size_values
from mtcodec.errors import SceneError, UsageError, WeightsInvalid, WeightsNotFound
from mtcodec.files.scene import Scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.networks import costs
from mtcodec.networks.config import ARCHITECTURES, ModelConfig, preset
from mtcodec.networks.entropy.gain_vectors import interpolate
from mtcodec.networks.entropy.integer import ACTIVATION_LIMIT
from mtcodec.networks.entropy.passes import Quantiser, StreamPasses
from mtcodec.networks.layers import Layer
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.layers import IntConv, Net, round_clamp
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.weights import file as weights
from mtcodec.networks.weights import store
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.tasks import USUAL
from mtcodec.train import grow, klt, run
from mtcodec.train.dataset import Scenes
from mtcodec.train.loop import load_checkpoint, train
from mtcodec.train.objective import draw_qualities, objective
from mtcodec.train.optimisation import Optimisation
from mtcodec.train.plan import Plan

FIND = run.on_disk([SCENES])


def model_for(scenes: Scenes, seed: int = 0) -> MultiTask:
    torch.manual_seed(seed)
    model = MultiTask(ModelConfig(TASKS, **SMALL))
    klt.initialise(model, scenes, crops=32)
    return model


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def fixed_loss(model: MultiTask, scenes: Scenes) -> float:
    batch = scenes.batch(8, 64, 0.0, seeded(7))
    levels = torch.full((8, 4), MAX_NETWORK_LEVEL // 2)
    return float(objective(model.eval(), model(batch.planes, batch.present, levels), batch, levels)["loss"])


def losses(log: Path) -> list[float]:
    return [r["loss"] for r in map(json.loads, log.read_text().splitlines()) if "loss" in r]


@pytest.fixture(scope="module")
def scenes(bundled: list[SceneFiles]) -> Scenes:
    return Scenes.read([bundled[:4]], TASKS)


@pytest.mark.training
def test_the_loss_falls_and_the_result_is_a_codec(scenes: Scenes, scene: Scene, tmp_path: Path) -> None:
    model = MultiTask(ModelConfig(TASKS, **SMALL))
    before = fixed_loss(model, scenes)
    plan = Plan(
        steps=60,
        batch=2,
        crop=64,
        log_every=10,
        warmup=5,
        large_crop_share=0.0,
        precision="float32",
        rate=3e-3,
    )
    train(model, scenes, scenes, plan, tmp_path / "a.ckpt",
          lambda m, summary: serial.save(tmp_path / "a.safetensors", m, summary) and None)  # fmt: skip
    assert fixed_loss(model, scenes) < 0.85 * before
    assert len(losses(tmp_path / "a.log.jsonl")) == 6
    info = weights.describe(tmp_path / "a.safetensors")
    assert info.training["steps"] == 60 and set(info.training["validation"]) == {"q10", "q50", "q90"}
    codec = mtcodec.load(tmp_path / "a.safetensors", device="cpu", coding="neural")
    data = codec.encode(scene, 50)
    for subset in (["rgb"], ["depth"], ["normal"], ["rgb", "depth"], ["rgb", "depth", "normal", "semantic"]):
        assert list(codec.decode(data, subset)) == subset


def test_crops_at_the_end_are_no_larger_than_scenes(
    scenes: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenes have 256×256; as many pixels are learned from."""
    seen: list[tuple[int, int]] = []

    def noted(self: Optimisation, count: int, side: int, rate: float) -> None:
        seen.append((count, side))
        self.sums = torch.zeros(9)

    monkeypatch.setattr(Optimisation, "training_step", noted)
    for crop, batch, last in ((64, 8, (2, 128)), (192, 2, (1, 256)), (256, 2, (2, 256))):
        plan = Plan(steps=4, batch=batch, crop=crop, large_crop_share=0.5, precision="float32")
        train(model_for(scenes), scenes, None, plan, tmp_path / "a.ckpt", lambda model, summary: None)
        assert seen == [(batch, crop)] * 2 + [last] * 2
        seen.clear()


@pytest.mark.training
def test_a_resumed_run_is_the_run(scenes: Scenes, tmp_path: Path) -> None:
    plan = Plan(steps=8, batch=2, crop=64, log_every=1, warmup=2, large_crop_share=0.5, precision="float32")

    class Stop(Exception):
        pass

    def stop(record: dict[str, object]) -> None:
        if record.get("step") == 5 and "loss" in record:
            raise Stop

    nothing = lambda model, summary: None  # noqa: E731
    model = model_for(scenes)
    train(model, scenes, None, plan, tmp_path / "whole.ckpt", nothing)
    halves = Plan(**{**plan.__dict__, "save_minutes": 0.0})
    other = model_for(scenes)
    with pytest.raises(Stop):
        train(other, scenes, None, halves, tmp_path / "parts.ckpt", nothing, stop)
    state = load_checkpoint(tmp_path / "parts.ckpt")
    again = MultiTask(ModelConfig.from_json(state["config"]))
    train(again, scenes, None, plan, tmp_path / "parts.ckpt", nothing, state=state)
    whole, parts = (torch.load(tmp_path / f"{n}.ckpt", weights_only=True) for n in ("whole", "parts"))
    assert parts["step"] == 8
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name


def test_what_is_trained_is_what_is_shipped(small_model: MultiTask, small_weights: Path) -> None:
    """The integer networks give the same symbols' parameters before export, after it, and thawed again."""
    loaded, _ = serial.load(small_weights)
    level = torch.tensor([700])
    y = torch.randn(1, SMALL["latents"], 8, 8)
    z = torch.randn(1, SMALL["hyper"], 2, 2) * 3
    outcomes = []
    for model in (small_model.eval(), loaded):
        stream = model.stream("rgb")
        gains = stream.gain_vectors(level)
        condition = torch.arange(SMALL["latents"] * 64.0).reshape(1, -1, 8, 8) % 255
        quantiser, coded = Quantiser(stream, y, z, gains), []
        for coding_pass in StreamPasses(stream, gains, (1, 8, 8), condition):
            coding_pass.symbols = quantiser.symbols(coding_pass)
            coded.append(coding_pass)
        outcomes.append(coded)
    for before, after in zip(outcomes[0][1:], outcomes[1][1:]):
        assert torch.equal(before.mean, after.mean) and torch.equal(before.table_indexes, after.table_indexes)
    assert outcomes[0][1].table_indexes.unique().numel() > 3  # not a trivial case


# --- pieces --------------------------------------------------------------------------------------


def test_integer_layers_are_exact_in_any_order() -> None:
    torch.manual_seed(1)
    layer = IntConv(Layer(96, 64, "integer"))
    x = torch.randint(-ACTIVATION_LIMIT, ACTIVATION_LIMIT + 1, (2, 96, 9, 9)).float()
    order = torch.randperm(96)
    with torch.no_grad():
        weight, bias = layer.quantised()
        direct = layer(x)
        shuffled = torch.nn.functional.conv2d(x[:, order], weight[:, order], bias)
        exact = torch.nn.functional.conv2d(x.double(), weight.double(), bias.double())
    assert torch.equal(direct, shuffled) and torch.equal(direct.double(), exact)


def test_export_refuses_sums_that_float32_cannot_hold(small_model: MultiTask) -> None:
    model = copy.deepcopy(small_model)
    with torch.no_grad():
        model.stream("rgb").leaves["e_1"].bias.fill_(1e9)  # clamped to 2**20
        serial.to_tensors(model)
        model.stream("rgb").leaves["e_1"].weight = torch.nn.Parameter(torch.ones(16, 2048, 1, 1))
    with pytest.raises(AssertionError, match="2\\*\\*24"):
        serial.to_tensors(model)


def test_rounding_passes_gradients_inside_the_range_only() -> None:
    x = torch.tensor([-1.0, 0.4, 254.6, 300.0], requires_grad=True)
    y = round_clamp(x, 0, 255)
    y.sum().backward()
    assert y.tolist() == [0, 0, 255, 255] and x.grad is not None and x.grad.tolist() == [0, 1, 1, 0]


def test_quality_steps() -> None:
    assert [quality.to_level(q) for q in (0, 50, 100, 60)] == [0, 1344, 2688, 1613]
    assert quality.from_level(1613) == 60.0 and quality.MAX_LEVEL > MAX_NETWORK_LEVEL == 2048
    table = torch.arange(9.0)[:, None] * 256
    steps = torch.tensor([0, 1, 300, 2047, 2048])
    assert interpolate(Net({}), table, steps).flatten().tolist() == [0, 1, 300, 2047, 2048]
    assert float(quality.lambda_of(torch.tensor(0.0))) == pytest.approx(2e-4)
    drawn = draw_qualities(200, 3, 0.5)
    assert drawn.min() >= 0 and drawn.max() <= MAX_NETWORK_LEVEL and (drawn[:, :1] == drawn).all(1).any()


def test_crops_mirror_the_x_component_of_normals(scenes: Scenes) -> None:
    zero, both = torch.zeros(2, dtype=torch.long), torch.ones(2, 3, dtype=torch.bool)
    crops = scenes.crops(zero, zero + 10, zero + 20, 64, torch.tensor([False, True]), both)
    plain, mirrored = ({n: p[i] for n, p in crops.planes.items()} for i in range(2))
    assert torch.equal(plain["rgb"].flip(2), mirrored["rgb"])
    assert torch.allclose(plain["normal"][0].flip(1), 1 - mirrored["normal"][0])
    assert torch.equal(plain["normal"][1:].flip(2), mirrored["normal"][1:])
    batch = scenes.batch(64, 64, 0.5, seeded(0))
    absent = batch.present.sum(1)
    assert absent.min() >= 1 and (absent < 3).any() and (absent == 3).any()
    assert all((batch.planes[t.name][batch.present[:, i] == 0] == 0).all() for i, t in enumerate(TASKS))


def test_costs_are_counted() -> None:
    parts = {p.name: p for p in costs.table(ModelConfig(TASKS))}
    model = MultiTask(ModelConfig(TASKS))
    assert parts["all encoding"].kmac < 30 and parts["all decoding"].kmac < 30
    assert parts["decoding depth"].kmac < 0.5 * parts["all decoding"].kmac
    single = [p for p in parts.values() if p.used]
    assert sum(p.parameters for p in single) == sum(p.numel() for p in model.parameters()) - 2


# --- weights files -------------------------------------------------------------------------------


def test_weights_are_verified(small_weights: Path, tmp_path: Path) -> None:
    data = bytearray(small_weights.read_bytes())
    for position in (9, len(data) // 2, len(data) - 3):
        bad = bytearray(data)
        bad[position] ^= 4
        path = tmp_path / "bad.safetensors"
        path.write_bytes(bad)
        with pytest.raises(WeightsInvalid, match=r"bad\.safetensors"):
            weights.load(path)
    (tmp_path / "short.safetensors").write_bytes(data[:1000])
    with pytest.raises(WeightsInvalid):
        weights.load(tmp_path / "short.safetensors")
    with pytest.raises(WeightsNotFound, match="nosuch"):
        mtcodec.load("nosuch")


def test_weights_are_found_by_name_and_fingerprint(
    small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTCODEC_WEIGHTS", str(small_weights.parent))
    assert store.find("small") == small_weights
    assert store.find_fingerprint(weights.describe(small_weights).fingerprint) == small_weights


@pytest.mark.training
def test_train_weights_end_to_end(tmp_path: Path) -> None:
    settings = {"steps": 2, "batch": 1, "crop": 64, "precision": "float32", "device": "cpu"}
    out = tmp_path / "w.safetensors"
    run.train_weights(FIND, TASKS, out, settings=settings, held_out=2)
    run.train_weights(FIND, TASKS, tmp_path / "x.safetensors", settings=settings, held_out=0, init=str(out))
    assert weights.describe(tmp_path / "x.safetensors").training["init"] == out.stem
    with pytest.raises(UsageError, match="categories"):
        run.train_weights(FIND, [USUAL["semantic"]], out, settings=settings)
    with pytest.raises(SceneError, match="held out"):
        run.train_weights(FIND, TASKS, out, settings=settings, held_out=6)


@pytest.mark.training
def test_a_run_is_resumed_from_its_checkpoint_alone(tmp_path: Path) -> None:
    """Model and settings come from there; others that are given must not contradict the model."""
    out = tmp_path / "w.safetensors"
    first = {
        "steps": 2,
        "batch": 1,
        "crop": 64,
        "precision": "float32",
        "device": "cpu",
        "rate": 1e-3,
        "task_quality_prob": 0.0,
    }
    run.train_weights(FIND, TASKS[:2], out, settings=first, held_out=0, architecture="shared",
                      sizes=SMALL)  # fmt: skip
    run.train_weights(FIND, (), out, settings={"steps": 3}, resume=True)  # held_out as before
    info = weights.describe(out)
    assert weights.model_config(info) == replace(preset(TASKS[:2], "shared"), **SMALL)
    assert info.training["steps"] == 3 and (info.training["rate"], info.training["task_quality_prob"]) == (
        1e-3,
        0.0,
    )
    state = load_checkpoint(tmp_path / "w.ckpt")
    assert state["step"] == 3 and Plan(**state["plan"]).steps == 3
    for wrong in ({"tasks": TASKS}, {"architecture": "mixed"}, {"sizes": {"latents": 14}}):
        with pytest.raises(UsageError, match="the checkpoint has"):
            run.train_weights(
                run.on_disk([SCENES]),
                wrong.pop("tasks", ()),
                out,
                settings={},
                resume=True,
                held_out=0,
                **wrong,
            )
    del state["config"], state["plan"]  # of a version that kept neither
    torch.save(state, tmp_path / "w.ckpt")
    run.train_weights(FIND, TASKS[:2], out, settings={**first, "steps": 4}, resume=True, held_out=0,
                      architecture="shared", sizes=SMALL)  # fmt: skip
    assert weights.describe(out).training["steps"] == 4


@pytest.mark.training
def test_a_run_without_an_end_gives_weights_when_they_are_wanted(scenes: Scenes, tmp_path: Path) -> None:
    """It holds its rate and exports nothing; a decay does, and leaves the checkpoint to the run."""
    plan = Plan(batch=2, crop=64, log_every=1, warmup=2, precision="float32", save_minutes=0.0, rate=1e-3)
    checkpoint, exported = tmp_path / "w.ckpt", []

    class Stop(Exception):
        pass

    def stop(record: dict[str, object]) -> None:
        if record.get("step") == 6 and "loss" in record:
            raise Stop

    def export(model: MultiTask, summary: dict[str, object]) -> None:
        exported.append(summary["steps"])

    with pytest.raises(Stop):
        train(model_for(scenes), scenes, None, plan, checkpoint, export, stop)
    log = [json.loads(line) for line in (tmp_path / "w.log.jsonl").read_text().splitlines()]
    rates = [entry["rate"] for entry in log if "rate" in entry]
    assert rates == [5e-4, *[1e-3] * 5] and not exported
    before, state = checkpoint.read_bytes(), load_checkpoint(checkpoint)
    decaying = Plan(**{**plan.__dict__, "decay": 0.03, "save_minutes": 5.0})
    train(
        MultiTask(ModelConfig.from_json(state["config"])),
        scenes,
        None,
        decaying,
        checkpoint,
        export,
        state=state,
    )
    assert checkpoint.read_bytes() == before and len(exported) == 1 and exported[0] > 5
    log = [json.loads(line) for line in (tmp_path / "w.decay.jsonl").read_text().splitlines()]
    rates = [entry["rate"] for entry in log if "rate" in entry]
    assert rates == sorted(rates, reverse=True) and rates[0] < 1e-3 and len(set(rates)) > 1
    with pytest.raises(UsageError, match="decays from a checkpoint"):
        train(model_for(scenes), scenes, None, decaying, tmp_path / "x.ckpt", export)


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    with pytest.raises(UsageError, match=r"w\.ckpt: no checkpoint"):
        run.train_weights(FIND, TASKS, out, settings={"steps": 1}, resume=True)
    for state, message in (
        (
            {"plan": {"steps": 1, "gamma": 2, "alpha": 3}},
            "of another version, with the settings alpha, gamma",
        ),
        ([1, 2], "not a checkpoint"),
    ):
        torch.save(state, tmp_path / "w.ckpt")
        with pytest.raises(UsageError, match=message):
            run.train_weights(FIND, TASKS, out, settings={"steps": 1}, resume=True)
    (tmp_path / "w.ckpt").write_bytes(b"nothing of the kind")
    with pytest.raises(UsageError, match="not a checkpoint"):
        run.train_weights(FIND, TASKS, out, settings={"steps": 1}, resume=True)


@pytest.mark.training
def test_crops_come_from_every_dataset_equally_often(bundled: list[SceneFiles]) -> None:
    scenes = Scenes.read([bundled[:1], bundled[1:4]], TASKS)
    assert scenes.sizes[0].tolist() == [256, 256]
    whole = scenes.middles(torch.zeros(1, dtype=torch.long), 256).planes["rgb"][0]
    only = [whole, whole.flip(2)]
    drawn = scenes.batch(200, 256, generator=seeded(0)).planes["rgb"]
    share = sum(any((image == one).all() for one in only) for image in drawn) / len(drawn)
    assert 0.4 < share < 0.6


def test_held_out_scenes_come_from_every_dataset(bundled: list[SceneFiles]) -> None:
    datasets = [run.Dataset("a", bundled[:3]), run.Dataset("b", bundled[3:6])]
    training, held_out = run.split(datasets, 3)
    assert [len(s) for s in training] == [1, 2] and held_out == [bundled[1:3], bundled[5:6]]
    with pytest.raises(SceneError, match="a: 3 scenes, of which 3"):
        run.split(datasets, 6)
    assert run.on_disk([SCENES])(())[0].name == "tests/scenes"


# --- growing -------------------------------------------------------------------------------------

LARGER = {
    "latents": 20, "shared_latents": 16, "hyper": 6, "entropy_width": 24,
    "encoder_8": (24, 2), "encoder_16": (20, 2), "decoder_8": (20, 1), "decoder_16": (24, 3),
}  # fmt: skip


@pytest.mark.training
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_grown_networks_compute_what_the_small_ones_did(architecture: str, scenes: Scenes) -> None:
    torch.manual_seed(1)
    old = MultiTask(ModelConfig(TASKS, architecture, **SMALL))
    klt.initialise(old, scenes, crops=32)
    with torch.no_grad():
        for parameter in old.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    widened = {k: v for k, v in LARGER.items() if k not in ("latents", "shared_latents", "hyper")}
    batch, steps = scenes.batch(2, 64, 0.0, seeded(1)), torch.full((2, 4), 1000)
    for sizes, same_bits in ((widened, True), (LARGER, False)):
        new = MultiTask(replace(old.config, **sizes))
        klt.initialise(new, scenes, crops=32)
        grow.transplant(old, new)
        with torch.no_grad():
            before, after = (m.eval()(batch.planes, batch.present, steps) for m in (old, new))
        for name, planes in before.planes.items():
            assert torch.allclose(planes, after.planes[name], atol=1e-4)
        if same_bits:
            assert all(torch.allclose(b, after.bits[n], rtol=1e-4) for n, b in before.bits.items())


@pytest.mark.training
def test_new_latents_take_up_what_is_lost(small_model: MultiTask, scenes: Scenes) -> None:
    config = replace(small_model.config, latents=60)
    new = grow.grown(small_model, config, scenes)
    batch, steps = scenes.batch(8, 64, 0.0, seeded(2)), torch.full((8, 4), grow.START_LEVEL)
    with torch.no_grad():
        before, after = (m.eval()(batch.planes, batch.present, steps) for m in (small_model, new))
    for name, planes in batch.planes.items():
        assert (after.planes[name] - planes).square().mean() < 0.7 * (
            before.planes[name] - planes
        ).square().mean()


def test_weights_do_not_shrink(small_model: MultiTask, scenes: Scenes) -> None:
    assert grow.grown(small_model, small_model.config, scenes) is small_model
    with pytest.raises(UsageError, match="grow only to larger sizes"):
        grow.grown(small_model, replace(small_model.config, latents=10), scenes)


@pytest.mark.parametrize("text, message", [
    ("latents", "not a size"), ("latents=x", "not a size"), ("latents=3x3", "not a size: latents"),
    ("encoder_8=12", "not a size: encoder_8"), ("encoder_8=1x2x3", "not a size"),
    ("tasks=3", "not a size: tasks"), ("latents=13", "even numbers"),
    ("latents=4000", "even numbers"),
])  # fmt: skip
def test_sizes_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run.resized(ModelConfig(TASKS), size_values(text))


def test_sizes_are_read() -> None:
    config = run.resized(ModelConfig(TASKS), size_values("latents=192,encoder_16=256x5"))
    assert (config.latents, config.encoder_16, config.decoder_8) == (192, (256, 5), (128, 3))
