"""Analyses: bits of channels, reconstructions, what the shared latent holds, prices of subsets."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SCENES, SMALL, TASKS

pytest.importorskip("matplotlib")

from mtcodec import cli
from mtcodec.bitstreams.range_coder import Encoder
from mtcodec.codec.api import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.pytorch.networks import TorchNetworks as Networks
from mtcodec.networks.pytorch.networks import load
from mtcodec.paper import channels, reconstructions, shared, subsets
from mtcodec.paper.latents import code, code_lengths, compare, encode, paint, read_scenes, stored
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.train import klt
from mtcodec.train.dataset import Scenes

NAMES = ("rgb", "depth", "normal")


def make(architecture: str, bundled: list[SceneFiles], folder: Path) -> Path:
    torch.manual_seed(0)
    model = MultiTask(replace(ModelConfig(TASKS, architecture), **SMALL))
    klt.initialise(model, Scenes.read([bundled[:3]], TASKS), crops=16)
    path = folder / f"{architecture}.safetensors"
    serial.save(path, model, {"note": "untrained"})
    return path


@pytest.fixture(scope="module")
def untrained(bundled: list[SceneFiles], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained weights by architecture."""
    folder = tmp_path_factory.mktemp("architectures")
    return {name: make(name, bundled, folder) for name in ("single", "mixed", "disjoint")}


@pytest.fixture(scope="module")
def single(untrained: dict[str, Path]) -> Networks:
    return load(untrained["single"], "cpu")


@pytest.fixture(scope="module")
def conditional(small_weights: Path) -> Networks:
    return load(small_weights, "cpu")


def test_code_lengths_are_those_of_the_coder(conditional: Networks) -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, len(conditional.tables.models), 20_000)
    symbols = np.rint(rng.laplace(0, 2 + 0.01 * index**2)).astype(np.int64)
    assert (np.abs(symbols) > conditional.tables.radius[index]).sum() > 100  # escapes
    coder = Encoder(conditional.tables)
    coder.put(symbols.astype(np.int32), index.astype(np.uint8))
    assert code_lengths(conditional.tables, symbols, index).sum() / 8 == pytest.approx(
        len(coder.finish()), rel=0.001
    )


@pytest.mark.parametrize("architecture", ["conditional", "single", "mixed", "disjoint"])
def test_channels_add_up_to_sections(
    architecture: str, conditional: Networks, untrained: dict[str, Path], scene: Scene
) -> None:
    networks = conditional if architecture == "conditional" else load(untrained[architecture], "cpu")
    scene = {name: scene[name] for name in NAMES}
    coded = code(networks, scene, 60)
    for stream in coded.streams.values():
        assert (stream.bits.sum() + stream.hyper_bits) / 8 == pytest.approx(stream.bytes, rel=0.02, abs=8)
        assert (stream.bits >= 0).all()
    found = channels.bits_of(networks, [coded])
    total = sum(stream["section"] for stream in found["streams"].values())
    assert total + found["header"] == pytest.approx(found["file"])
    for task, reads in networks.graph.reads.items():
        assert list(found["tasks"][task]) == list(reads)
    back = Codec(networks.info.path, "cpu").decode(coded.data)
    for name in NAMES:  # the latents are those of the file; torch and onnxruntime round differently
        painted = stored(coded, name, paint(networks, coded, name)[0]).astype(np.int64)
        assert np.abs(painted - back[name]).max() <= 1


def test_swap_with_itself_changes_nothing(conditional: Networks, bundled: list[SceneFiles]) -> None:
    a, b = (code(conditional, scene, 60) for scene in read_scenes([conditional], bundled[:2]))
    for task in NAMES:
        same = shared.swap(conditional, a, a, task)
        assert same["own"] == same["plain"] == same["shared"]
        swapped = shared.swap(conditional, a, b, task)
        assert swapped["plain"] == same["plain"] and swapped["own"] != same["plain"]
        both = {name: b.streams[name].latent for name in ("shared", task)}
        assert np.array_equal(paint(conditional, a, task, both)[0], paint(conditional, b, task)[0])


def test_ablating_nothing_changes_nothing(conditional: Networks, bundled: list[SceneFiles]) -> None:
    coded = [code(conditional, scene, 60) for scene in read_scenes([conditional], bundled[:3])]
    count = conditional.model.config.shared_latents
    mean = shared.average(coded, "shared", "channel", 0)
    assert torch.allclose(mean, mean[..., :1, :1].expand_as(mean))
    for task in NAMES:
        sets: Sequence[Sequence[int]] = [[], range(count), [1], []]
        errors = shared.ablate(conditional, coded[0], task, mean, sets)
        plain = compare(coded[0], task, paint(conditional, coded[0], task)[0])["mse"]
        without = compare(coded[0], task, paint(conditional, coded[0], task, {"shared": mean})[0])["mse"]
        assert errors[0] == pytest.approx(plain, rel=1e-3) and errors[3] == pytest.approx(plain, rel=1e-3)
        assert errors[1] == pytest.approx(without, rel=1e-3)


def test_averages_leave_the_scene_out(conditional: Networks, bundled: list[SceneFiles]) -> None:
    coded = [code(conditional, scene, 60) for scene in read_scenes([conditional], bundled[:2])]
    assert torch.equal(shared.average(coded, "rgb", "position", 0), coded[1].streams["rgb"].latent)


def test_search_meets_its_target(conditional: Networks, bundled: list[SceneFiles]) -> None:
    scenes = read_scenes([conditional], bundled[:1])
    ends = [8 * len(encode(conditional, scenes[0], q).to_bytes()) / 256**2 for q in (0, 100)]
    target = sum(ends) / 2
    found = reconstructions.search(conditional, scenes, target)
    assert found.bpp == pytest.approx(target, rel=0.02) and 0 < found.quality < 100
    assert [file.to_bytes() for file in found.files] == [
        encode(conditional, scenes[0], found.quality).to_bytes()
    ]
    assert reconstructions.search(conditional, scenes, 2 * ends[1]).level == MAX_NETWORK_LEVEL
    assert reconstructions.search(conditional, scenes, ends[0] / 2).level == 0


def test_subsets_are_real_files(conditional: Networks, single: Networks, bundled: list[SceneFiles]) -> None:
    scenes = read_scenes([conditional, single], bundled[:1])
    row = subsets.measure(conditional, scenes, 50)
    assert len(row["subsets"]) == 7
    assert (
        row["subsets"]["rgb+depth+normal"]["file"]
        == row["file"]
        == len(encode(conditional, scenes[0], 50).to_bytes())
    )
    sizes = {name: entry["payload"] for name, entry in row["subsets"].items()}
    common = sizes["rgb"] + sizes["depth"] - sizes["rgb+depth"]  # the shared section, counted twice
    assert common == code(conditional, scenes[0], 50).streams["shared"].bytes
    curve = [subsets.measure(single, scenes, q) for q in (20, 50, 80)]
    itself = subsets.prices(curve[1], curve)
    assert len(itself) == 7
    assert all(price["payload"] == pytest.approx(1) for price in itself.values())
    assert all(price["files"] < 1 for name, price in itself.items() if "+" in name)  # one header for many
    assert itself["rgb"]["files"] == pytest.approx(1)
    beyond = row | {"psnr": {**row["psnr"], "rgb": 98.0}}
    price = subsets.prices(beyond, curve)
    assert price["rgb"]["payload"] is None and price["rgb+depth"]["files"] is None


def test_bytes_are_interpolated_in_logarithms() -> None:
    line = [(400.0, 40.0), (100.0, 30.0)]
    assert subsets.bytes_at(line, 35) == pytest.approx(200)
    assert subsets.bytes_at(line, 30) == pytest.approx(100) and subsets.bytes_at(line, 40.1) is None


def test_what_does_not_fit_is_refused(
    conditional: Networks,
    single: Networks,
    untrained: dict[str, Path],
    bundled: list[SceneFiles],
    tmp_path: Path,
) -> None:
    for name in ("single", "mixed", "disjoint"):
        codec = load(untrained[name], "cpu")
        with pytest.raises(UsageError, match=f"{name}.*needs a shared stream"):
            shared.analyse({name: codec}, bundled[:2], 60)
    with pytest.raises(UsageError, match="two scenes"):
        shared.analyse({"small": conditional}, bundled[:1], 60)
    with pytest.raises(UsageError, match="not single"):
        subsets.analyse({"single": single}, conditional, bundled[:1], [50])
    (tmp_path / "rgb.png").write_bytes(bundled[0].files["rgb"].read_bytes())
    with pytest.raises(SceneError, match="depth"):
        read_scenes([conditional], find_scenes(tmp_path))
    with pytest.raises(UsageError, match="at least one scene"):
        read_scenes([conditional], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "pictures"),
    [
        ("channels", ["channels.png", "channels-tasks.png"]),
        ("reconstructions --bpp 0.5", ["reconstructions-0.5.png"]),
        ("shared", ["shared-swap-small.png", "shared-average-small.png", "shared-ablation-small.png"]),
        ("subsets --single SINGLE --quality 40,60", ["subsets.png"]),
    ],
)
def test_commands(
    command: str,
    pictures: list[str],
    small_weights: Path,
    untrained: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(untrained["single"]) if word == "SINGLE" else word for word in command.split()]
    options = ["--weights", str(small_weights), "--limit", "2", "-o", str(tmp_path / "a" / "b")]
    for last in ([], ["--json"]) if words[0] == "channels" else ([],):
        monkeypatch.setattr(
            sys, "argv", ["mtcodec", "analyze", words[0], str(SCENES), *words[1:], *options, *last]
        )
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 0
        out = capsys.readouterr().out
        stored = json.loads((tmp_path / "a" / "b" / f"{words[0]}.json").read_text())
        assert "small" in stored["weights"] and stored["scenes"] == ["100000", "100020"]
        assert (json.loads(out) == stored) if last else ("small" in out)
    for name in pictures:
        assert (tmp_path / "a" / "b" / name).read_bytes().startswith(b"\x89PNG")
