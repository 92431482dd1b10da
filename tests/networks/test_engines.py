"""onnxruntime and torch compute the same: exactly where integers are, to rounding elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from conftest import SMALL, TASKS

from mtcodec.errors import UsageError
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES, ModelConfig
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.stream import canonical
from mtcodec.networks.onnx import sessions
from mtcodec.networks.onnx.arrays import Arrays
from mtcodec.networks.onnx.graph import Graph
from mtcodec.networks.onnx.sessions import Sessions
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.structure import Structure, key
from mtcodec.networks.weights import file, store

Array = np.ndarray[Any, Any]


class Pair:
    """The same weights in both engines."""

    def __init__(self, path: Path) -> None:
        self.sessions, (self.model, _) = Sessions(file.load(path)), serial.load(path)


@pytest.fixture(scope="module", params=[(a, b) for a in ARCHITECTURES for b in BACKBONES])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    torch.manual_seed(0)
    architecture, backbone = request.param
    model = MultiTask(replace(ModelConfig(TASKS, architecture, backbone, head=6), **SMALL))
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # nothing stays zero
            if parameter.ndim and not name.startswith("streams"):
                parameter.add_(0.05 * torch.randn_like(parameter))
        for stream in model.streams.values():
            for layer in order.OUTPUTS:
                stream.leaves[layer].weight.normal_(0, 0.3)
            stream.log_gain.add_(0.3 * torch.randn_like(stream.log_gain))
            stream.q_bias.normal_()
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    serial.save(path, model, {})
    return Pair(path)


@pytest.fixture(scope="module", params=["clevr", "general"])
def released(request: pytest.FixtureRequest) -> Pair:
    return Pair(store.find(request.param))


@torch.inference_mode()
def same_integers(pair: Pair, name: str) -> None:
    """All coding passes of a stream from random decoded symbols, at three qualities."""
    rng = np.random.default_rng(0)
    session, module = pair.sessions.streams[name], pair.model.stream(name)
    structure, levels = session.structure, np.array([0, 700, 2048])
    gains, torch_gains = session.gain_vectors(levels), module.gain_vectors(torch.from_numpy(levels))
    for field, values in vars(gains).items():
        assert np.array_equal(values, getattr(torch_gains, field).numpy()), field
    z_hat = rng.integers(-31, 32, (3, structure.hyper, 2, 3)).astype(np.float32)
    y_hat = rng.integers(-(2**18), 2**18, (3, structure.channels, 8, 12)).astype(np.float32)
    condition = None
    if structure.conditions:
        condition = rng.integers(-255, 256, (3, structure.conditions, 8, 12)).astype(np.float32)
    torch_condition = None if condition is None else torch.from_numpy(condition)
    first = session.first(z_hat, gains, condition)
    torch_first = module.first(torch.from_numpy(z_hat), torch_gains, torch_condition)
    assert len(first) == 3 and all(np.array_equal(a, b.numpy()) for a, b in zip(first, torch_first))
    assert len(np.unique(first[2])) > 3  # not a trivial case
    for k in range(1, order.PASSES):
        following = session.following(k, first[0], y_hat, gains)
        torch_following = module.following(k, torch_first[0], torch.from_numpy(y_hat), torch_gains)
        assert all(np.array_equal(a, b.numpy()) for a, b in zip(following, torch_following))
    small = np.rint(y_hat / 256)
    torch_canonical = canonical(module, torch.from_numpy(small), torch_gains)
    assert np.array_equal(canonical(Arrays(), small, gains), torch_canonical.numpy())


@torch.inference_mode()
def same_floats(pair: Pair) -> None:
    rng = np.random.default_rng(1)
    graph, config = pair.sessions.graph, pair.sessions.config

    def vector(count: int) -> Array:
        return rng.uniform(-0.5, 0.5, (2, count, 1, 1)).astype(np.float32)

    def close(name: str, net: torch.nn.Module, structure: Any, x: Array, v: Array, add: float = 0.0) -> None:
        (result,) = pair.sessions.transform(name)(x, v)
        expected = structure(net, torch.from_numpy(x), torch.from_numpy(v)).numpy() + add
        assert result.shape == expected.shape
        assert np.abs(result - expected).max() < 1e-4 * max(1.0, np.abs(expected).max()), name

    structure = pair.sessions.structure
    for tasks, streams in graph.analyses:
        x = rng.uniform(-0.5, 0.5, (2, sum(config.task(n).channels for n in tasks), 64, 128))
        net, v = pair.model.g_a[key(tasks)], vector(len(tasks) + len(streams))
        close(f"g_a.{key(tasks)}", net, structure.analyses[key(tasks)], x.astype(np.float32), v)
    for task, reads in graph.reads.items():
        y = 3 * rng.standard_normal((2, sum(config.channels(n) for n in reads), 4, 8))
        v = vector(len(reads))
        close(f"g_s.{task}", pair.model.g_s[task], structure.syntheses[task], y.astype(np.float32), v, 0.5)
    for name, stream in pair.sessions.streams.items():
        y = (3 * rng.standard_normal((2, stream.structure.channels, 4, 8))).astype(np.float32)
        z = stream.hyper_analysis(y)
        expected = pair.model.stream(name).hyper_analysis(torch.from_numpy(y)).numpy()
        assert np.abs(z - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())


def test_integer_networks_are_equal(pair: Pair) -> None:
    for name in pair.sessions.streams:
        same_integers(pair, name)


def test_integer_networks_of_released_weights_are_equal(released: Pair) -> None:
    for name in released.sessions.streams:
        same_integers(released, name)


def test_transforms_are_equal_but_for_rounding(pair: Pair) -> None:
    same_floats(pair)


def test_transforms_of_released_weights_are_equal_but_for_rounding(released: Pair) -> None:
    same_floats(released)


def test_graphs_are_what_the_format_asks_for(released: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package onnx reads them, and finds no fault."""
    graphs: list[Graph] = []
    monkeypatch.setattr(sessions, "session", lambda graph, options: graphs.append(graph))
    fresh = Sessions(file.load(released.sessions.info.path))
    fresh.transform("g_s.rgb"), fresh.transform("g_a.all")
    assert fresh.streams["rgb"]._first is None and fresh.streams["rgb"]._hyper_analysis is None
    assert len(graphs) == 4
    for graph in graphs:
        model = onnx.load_from_string(graph.to_bytes())
        onnx.checker.check_model(model, full_check=True)
        weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        for layer, node in zip(graph.layers.values(), convolutions):
            assert node.input[1] in weights and layer.kind in ("conv", "dense", "integer")


def test_structures_are_those_of_the_modules() -> None:
    for architecture in ARCHITECTURES:
        for backbone in BACKBONES:
            config = replace(ModelConfig(TASKS, architecture, backbone, head=6), **SMALL)
            names = {name for name, _ in MultiTask(config).named_parameters()}
            for name, layer in Structure(config).layers.items():
                assert {f"{name}.{parameter}" for parameter in layer.shapes} <= names


def test_an_unknown_device_is_refused(small_weights: Path) -> None:
    from mtcodec.networks.engine import load

    with pytest.raises(UsageError, match="cpu or cuda"):
        load(small_weights, "tpu")
