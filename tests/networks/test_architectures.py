"""Every architecture on every backbone: trained, shipped, coded, taken apart; and what they are made of."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from conftest import SMALL, TASKS

import mtcodec
from mtcodec.codec.prepare import Scene
from mtcodec.container import mtc as container
from mtcodec.container.header import Header
from mtcodec.container.section import Attributes, Section
from mtcodec.errors import FormatError, UsageError
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES, ModelConfig, preset
from mtcodec.networks.entropy.passes import StreamPasses
from mtcodec.networks.entropy.stream import canonical
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.structure import Latents
from mtcodec.networks.weights import file as weights
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.train import klt
from mtcodec.train.dataset import Scenes
from mtcodec.train.loop import Plan, train
from mtcodec.train.objective import objective

NAMES = tuple(t.name for t in TASKS)
SUBSETS = [list(s) for n in (1, 2, 3) for s in combinations(NAMES, n)]
SECTIONS = {  # that rgb needs
    "single": ["rgb"],
    "disjoint": ["rgb"],
    "mixed": ["shared", "rgb"],
    "shared": ["shared", "rgb"],
    "conditional": ["shared", "rgb"],
}


def tiny(architecture: str, backbone: str = "fast") -> ModelConfig:
    return replace(ModelConfig(TASKS, architecture, backbone, head=6), **SMALL)


@pytest.fixture(scope="module")
def scenes(bundled: list[SceneFiles]) -> Scenes:
    return Scenes.read([bundled[:4]], TASKS)


@torch.no_grad()
def fixed_loss(model: MultiTask, scenes: Scenes) -> float:
    batch = scenes.batch(8, 64, generator=torch.Generator().manual_seed(7))
    levels = torch.full((8, 4), MAX_NETWORK_LEVEL // 2)
    return float(objective(model.eval(), model(batch.planes, batch.present, levels), batch, levels)["loss"])


@pytest.mark.training
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_learns_and_codes(
    architecture: str, backbone: str, scenes: Scenes, scene: Scene, tmp_path: Path
) -> None:
    """A few steps lower the loss; the weights encode, and every subset decodes to the same pixels."""
    torch.manual_seed(0)
    model = MultiTask(tiny(architecture, backbone))
    before = fixed_loss(model, scenes)
    plan = Plan(
        steps=28, batch=2, crop=64, warmup=3, large_crop_share=0.0, precision="float32", rate=1e-2, ema=0.5
    )
    path = tmp_path / "w.safetensors"
    train(model, scenes, None, plan, tmp_path / "w.ckpt", lambda m, s: serial.save(path, m, s) and None)
    codec = mtcodec.load(path, device="cpu", coding="neural")
    trained, _ = serial.load(path)
    assert trained.config == model.config
    after = fixed_loss(trained, scenes)
    assert after < 0.9 * before  # seen: 0.44 to 0.81
    scene = {name: image[64:160, 64:160] for name, image in scene.items()}
    data = codec.encode(scene, 90)
    whole = codec.decode(data)
    assert set(whole) == {*NAMES, "semantic"}
    for subset in SUBSETS:
        back = codec.decode(mtcodec.extract(data, subset), subset)
        assert list(back) == subset and all((back[n] == whole[n]).all() for n in subset)
    facts = mtcodec.info(data)
    assert facts["tasks"]["rgb"]["sections"] == SECTIONS[architecture]
    sizes = {s["name"]: s["bytes"] for s in facts["sections"]}
    assert sizes.get("shared", 1) > 0
    assert all((sizes[n] > 0) == (architecture != "mixed") for n in NAMES)


def test_sizes_of_the_architectures() -> None:
    """``fast``: equal within 2 %; ``scale-hyperprior``: about 5 M, with the paper's channels."""

    def count(architecture: str, backbone: str) -> int:
        model = MultiTask(preset(TASKS, architecture, backbone))
        return sum(p.numel() for p in model.parameters())

    fast = [count(a, "fast") for a in ARCHITECTURES]
    assert max(fast) / min(fast) < 1.02 and 4.5e6 < fast[0] < 4.7e6
    paper = {a: preset(TASKS, a, "scale-hyperprior") for a in ARCHITECTURES}
    for architecture, config in paper.items():
        assert 4.8e6 < count(architecture, "scale-hyperprior") < 5.6e6
        latents = sum(config.channels(n) for n in config.graph.streams)
        assert latents == (900 if architecture == "single" else 300)
    assert [paper[a].head for a in ARCHITECTURES] == [48, 32, 42, 42, 42]


@torch.no_grad()
def coded_streams(
    model: MultiTask, y: dict[str, torch.Tensor], levels: torch.Tensor
) -> dict[str, StreamPasses]:
    """All streams of a scene by name, coded in their order."""
    latents, coded = Latents(), dict[str, StreamPasses]()
    for stream in model.graph.streams:
        _, _, height, width = y[stream].shape
        coded[stream] = model.passes(stream, levels, (1, height, width), latents)
        quantiser = coded[stream].quantiser(y[stream])
        for coding_pass in coded[stream]:
            coding_pass.symbols = quantiser.symbols(coding_pass)
        latents.add(stream, coded[stream])
    return coded


def test_conditioning_is_all_that_tells_shared_from_conditional(scenes: Scenes) -> None:
    batch = scenes.batch(1, 64, generator=torch.Generator().manual_seed(0))
    levels = torch.full((1, 4), 900)
    for architecture in ("shared", "conditional"):
        torch.manual_seed(3)
        model = MultiTask(tiny(architecture)).eval()
        klt.initialise(model, scenes, crops=16)
        with torch.no_grad():
            y = model.analyse(batch.planes, batch.present, levels)
        coded = coded_streams(model, y, levels)
        assert list(coded) == ["shared", *NAMES] and coded["shared"].condition is None
        for name in NAMES:
            assert (coded[name].condition is not None) == (architecture == "conditional")
            assert (model.stream(name).structure.conditions > 0) == (architecture == "conditional")
        if architecture == "conditional":
            shared = coded["shared"]
            expected = canonical(model.stream("rgb"), shared.y_hat, shared.gains)
            assert torch.equal(coded["rgb"].condition, expected)


def test_a_mixed_codec_has_one_quality(scenes: Scenes, scene: Scene, tmp_path: Path) -> None:
    serial.save(tmp_path / "m.safetensors", MultiTask(tiny("mixed")), {})
    codec = mtcodec.load(tmp_path / "m.safetensors", device="cpu", coding="neural")
    with pytest.raises(UsageError, match="one quality for all tasks"):
        codec.encode(scene, 50, task_quality={"depth": 80})


def forge(path: Path, sections: dict[str, bytes]) -> bytes:
    fingerprint = weights.describe(path).fingerprint
    needs = {name: ("shared",) if "shared" in sections and name != "shared" else () for name in sections}
    descriptors = tuple(Section(n, "neural", Attributes("uint8", 3, None), needs[n]) for n in sections)
    return container.build(Header(fingerprint, 64, 64, 500, descriptors), sections)


def test_sections_that_do_not_fit_the_architecture_are_refused(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("mixed", "disjoint", "conditional")}
    for architecture, path in paths.items():
        serial.save(path, MultiTask(tiny(architecture)), {})
    cases = [
        ("mixed", {"shared": b"", "rgb": b"1"}, "not empty"),
        ("mixed", {"rgb": b""}, "does not fit the weights"),
        ("disjoint", {"shared": b"", "rgb": b""}, "does not fit the weights"),
        ("conditional", {"rgb": b""}, "does not fit the weights"),
    ]
    for architecture, sections, message in cases:
        with pytest.raises(FormatError, match=message):
            mtcodec.load(paths[architecture], "cpu").decode(forge(paths[architecture], sections))
