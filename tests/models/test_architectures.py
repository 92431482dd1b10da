"""Every architecture on every backbone: trained, shipped, coded, taken apart; and what they are made of."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, TASKS

import mtcodec
from mtcodec.codec import codec as codecs
from mtcodec.codec.codec import Codec
from mtcodec.errors import FormatError, UsageError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import Scene
from mtcodec.format import container, quality
from mtcodec.format.container import Section
from mtcodec.models.backbones import scale_hyperprior as gdn
from mtcodec.models.config import ARCHITECTURES, BACKBONES, ModelConfig, preset
from mtcodec.models.multitask import MultiTask
from mtcodec.training import klt
from mtcodec.training.dataset import Batch, Scenes
from mtcodec.training.loop import Plan, train
from mtcodec.training.objective import Balance, draw_qualities, objective, step_of
from mtcodec.weights import store as weights

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
    return Scenes([bundled[:4]], TASKS)


@torch.no_grad()
def fixed_loss(model: MultiTask, scenes: Scenes) -> float:
    batch = scenes.batch(8, 64, 0.0, random.Random(7))
    steps = torch.full((8, 4), quality.STEPS // 2)
    return float(objective(model.eval(), model(batch.planes, batch.present, steps), batch, steps)["loss"])


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_learns_and_codes(
    architecture: str, backbone: str, scenes: Scenes, scene: Scene, tmp_path: Path
) -> None:
    """A few steps lower the loss; the weights encode, and every subset decodes to the same pixels."""
    torch.manual_seed(0)
    model = MultiTask(tiny(architecture, backbone))
    before = fixed_loss(model, scenes)
    plan = Plan(steps=28, batch=2, crop=64, warmup=3, full=0.0, precision="float32", rate=1e-2, ema=0.5)
    path = tmp_path / "w.safetensors"
    train(model, scenes, None, plan, tmp_path / "w.ckpt", lambda m, s: weights.save(path, m, s) and None)
    codec = codecs.load(path, device="cpu")
    assert codec.model.config == model.config
    after = fixed_loss(codec.model, scenes)
    assert after < 0.9 * before  # seen: 0.44 to 0.81
    scene = {name: image[64:160, 64:160] for name, image in scene.items()}
    data = codec.encode(scene, 90)
    whole = codec.decode(data)
    assert list(whole) == [*NAMES, "semantic"]
    for subset in SUBSETS:
        back = codec.decode(mtcodec.extract(data, subset), subset)
        assert list(back) == subset and all((back[n] == whole[n]).all() for n in subset)
    facts = mtcodec.format.info(data)
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


def test_conditioning_is_all_that_tells_shared_from_conditional(scenes: Scenes) -> None:
    batch = scenes.batch(1, 64, 0.0, random.Random(0))
    steps = torch.full((1, 4), 900)
    for architecture in ("shared", "conditional"):
        torch.manual_seed(3)
        model = MultiTask(tiny(architecture)).eval()
        klt.initialise(model, scenes, crops=16)
        with torch.no_grad():
            y = model.analyse(batch.planes, batch.present, steps)
            stream, shared = model.stream("rgb"), model.stream("shared")
            rows = shared.rows(shared.tables(), steps[:, 0])
            y_hat = shared.encode(y["shared"], shared.h_a(y["shared"]), rows, None, lambda *_: None)
            given = model.condition("rgb", shared.canonical(y_hat, rows))
        assert model.condition("shared", y_hat) is None
        assert (given is not None) == (architecture == "conditional") == (stream.conditions > 0)


def test_a_mixed_codec_has_one_quality(scenes: Scenes, scene: Scene, tmp_path: Path) -> None:
    weights.save(tmp_path / "m.safetensors", MultiTask(tiny("mixed")), {})
    codec = codecs.load(tmp_path / "m.safetensors", device="cpu")
    with pytest.raises(UsageError, match="one quality for all tasks"):
        codec.encode(scene, 50, {"depth": 80})


def forge(codec: Codec, sections: dict[str, bytes]) -> bytes:
    header = container.Header(
        codec.info.fingerprint, 64, 64, 500,
        tuple(Section(n, "neural", "uint8", None, None, 0, 0) for n in sections),
    )  # fmt: skip
    return container.build(header, sections)


def test_sections_that_do_not_fit_the_architecture_are_refused(tmp_path: Path) -> None:
    codec = {}
    for architecture in ("mixed", "disjoint", "conditional"):
        weights.save(tmp_path / f"{architecture}.safetensors", MultiTask(tiny(architecture)), {})
        codec[architecture] = codecs.load(tmp_path / f"{architecture}.safetensors", device="cpu")
    cases = [
        ("mixed", {"shared": b"", "rgb": b"1"}, "not empty"),
        ("mixed", {"rgb": b""}, "shared"),
        ("disjoint", {"shared": b"", "rgb": b""}, "shared"),
        ("conditional", {"rgb": b""}, "shared"),
    ]
    for architecture, sections, message in cases:
        with pytest.raises(FormatError, match=message):
            codec[architecture].decode(forge(codec[architecture], sections))


# --- the paper's backbone ------------------------------------------------------------------------


def test_gdn_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    for inverse in (False, True):
        layer = gdn.GDN(5, inverse)
        with torch.no_grad():
            layer.beta_root.uniform_(0.5, 1.5)
            layer.gamma_root.uniform_(-0.5, 0.5)
            x = torch.randn(2, 5, 3, 4)
            beta, gamma = layer.beta_root**2 + gdn.BETA_MIN, layer.gamma_root**2
            root = (beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x**2)).sqrt()
            assert torch.allclose(layer(x), x * root if inverse else x / root, rtol=1e-5)


def test_transforms_equal_those_of_compressai() -> None:
    """With the same weights, one task's transforms give what compressai's ScaleHyperprior gives."""
    zoo = pytest.importorskip("compressai.models")
    torch.manual_seed(0)
    theirs = zoo.ScaleHyperprior(12, 20).eval()
    analysis, synthesis = gdn.Analysis([3], 20, 12).eval(), gdn.Synthesis(20, 3, 12, 12).eval()
    ours_a = [*analysis.heads[0], *analysis.trunk]
    with torch.no_grad():
        for ours, other in [*zip(ours_a, theirs.g_a), *zip(synthesis.layers, theirs.g_s)]:
            if isinstance(ours, gdn.GDN):
                other.beta.uniform_(0.7, 1.3)
                other.gamma.uniform_(0.0, 0.4)
                ours.beta_root.copy_((other.beta_reparam(other.beta) - gdn.BETA_MIN).sqrt())
                ours.gamma_root.copy_(other.gamma_reparam(other.gamma).sqrt())
            else:
                ours.load_state_dict(other.state_dict())
        x = torch.rand(2, 3, 64, 128)
        y = theirs.g_a(x)
        assert torch.allclose(analysis(x, torch.empty(0)), y, atol=1e-5)
        assert torch.allclose(synthesis(y, torch.empty(0)), theirs.g_s(y), atol=1e-5)


# --- objective -----------------------------------------------------------------------------------


def test_fixed_lambdas_are_drawn() -> None:
    for lam in (0.001, 0.01, 0.1):
        assert quality.lambda_of(float(step_of(lam))) == pytest.approx(lam, rel=3e-3)
    steps = draw_qualities(300, 3, 0.0, (0.001, 0.1))
    assert set(steps.unique().tolist()) == {step_of(0.001), step_of(0.1)}
    assert (steps == steps[:, :1]).all()


def test_uncertainty_weights_become_inverse_to_the_errors() -> None:
    model = MultiTask(tiny("disjoint"))
    balance = Balance(model, "uncertainty")
    declared = torch.tensor([t.weight for t in TASKS])
    assert torch.allclose(balance.weights(), declared.log().mean().exp())
    for k in range(50):
        balance.update(torch.tensor([40.0, 2.0, 10.0 if k % 3 else 0.0]))  # the third is absent at times
    weights = balance.weights()
    assert torch.allclose(weights * torch.tensor([40.0, 2.0, 10.0]), weights[0] * 40, rtol=1e-4)
    assert weights.log().mean() == pytest.approx(float(declared.log().mean()), abs=1e-4)
    assert torch.equal(Balance(model, "declared").weights(), declared)
    assert torch.allclose(Balance(model, "equal").weights(), declared.log().mean().exp())


def test_the_weight_of_the_shared_stream_counts_its_bits() -> None:
    model = MultiTask(tiny("conditional")).eval()
    planes = {t.name: torch.rand(1, t.channels, 64, 64) for t in TASKS}
    batch = Batch(planes, torch.ones(1, 3), {})
    steps = torch.full((1, 4), quality.STEPS // 2)
    with torch.no_grad():
        out = model(planes, batch.present, steps)
        one, three = (objective(model, out, batch, steps, None, w) for w in (1.0, 3.0))
    assert float(three["loss"] - one["loss"]) == pytest.approx(2 * float(one["bpp_shared"]), rel=1e-3)
    assert np.isclose(float(one["bpp_shared"]), float(out.bits["shared"] / 64**2))
