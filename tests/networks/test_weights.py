"""Weights files of strangers: whatever is wrong with them is one error, which names the file."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, TASKS
from safetensors.numpy import load_file, save
from typer.testing import CliRunner

import mtcodec
from mtcodec import cli
from mtcodec.errors import MtcodecError, WeightsInvalid, WeightsNotFound
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.weights import file as weights
from mtcodec.networks.weights import int8 as grouped
from mtcodec.networks.weights import store

Tensors = dict[str, Any]


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    torch.manual_seed(0)
    serial.save(path, MultiTask(ModelConfig(TASKS, **SMALL)), {})
    return path


def forge(path: Path, config: dict[str, Any], tensors: Tensors) -> None:
    """Weights of any content, with a right fingerprint."""
    text = json.dumps(config)
    fingerprint = weights.digest_of(text, tensors)
    metadata = {"format": weights.FORMAT, "config": text, "training": "{}", "fingerprint": fingerprint}
    path.write_bytes(save(tensors, metadata))


def refused(path: Path, load: Callable[[Path], object], reason: str = "") -> None:
    with pytest.raises(WeightsInvalid) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ") and reason in str(caught.value)


def with_header(path: Path, header: str) -> Path:
    path.write_bytes(len(header.encode()).to_bytes(8, "little") + header.encode())
    return path


def with_metadata(path: Path, **changes: str) -> Path:
    metadata = {"format": weights.FORMAT, "config": "{}", "training": "{}", "fingerprint": "00" * 7}
    return with_header(path, json.dumps({"__metadata__": metadata | changes}))


def test_a_forgery_of_honest_content_loads(random_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.safetensors"
    forge(path, weights.describe(random_weights).config, load_file(random_weights))
    weights.load(path)
    assert weights.describe(path).fingerprint == weights.describe(random_weights).fingerprint


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[]",
        "7",
        '"text"',
        "{",
        "{}",
        "[" * 100_000,
        '{"__metadata__": []}',
        '{"__metadata__": {"format": "x"}}',
    ],
    ids=lambda h: h[:30],
)
def test_refuses_headers(header: str, tmp_path: Path) -> None:
    path = with_header(tmp_path / "bad.safetensors", header)
    for function in (weights.describe, weights.load):
        refused(path, function, "not a weights file of mtcodec")


@pytest.mark.parametrize(
    "changes",
    [{"config": "[]"}, {"config": "null"}, {"config": "{"}, {"config": "[" * 100_000}, {"training": "[]"}],
    ids=lambda c: str(c)[:30],
)
def test_refuses_metadata(changes: dict[str, str], tmp_path: Path) -> None:
    refused(with_metadata(tmp_path / "bad.safetensors", **changes), weights.describe, "damaged header")


@pytest.mark.parametrize("keep", [0, 7, 8, 100, 5000, 100_000])
def test_refuses_truncated_files(keep: int, random_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(random_weights.read_bytes()[:keep])
    refused(path, weights.load)


def test_refuses_endless_headers_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"\xff" * 5000)
    refused(path, weights.load, "implausible size")
    refused(tmp_path, weights.load, "Is a directory")
    with pytest.raises(WeightsNotFound, match="no such weights file"):
        store.find(str(tmp_path / "missing.safetensors"))


def test_several_names_stand_for_the_weights_of_each(
    random_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, each once; a path that is there may have a comma itself."""
    comma = tmp_path / "a,b.safetensors"
    for name in ("one", "two"):
        (tmp_path / f"{name}.safetensors").write_bytes(random_weights.read_bytes())
    monkeypatch.setattr(store, "directories", lambda: [tmp_path])
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    assert store.resolve("auto") == [one, two] and store.resolve(one) == store.resolve("one") == [one]
    assert store.resolve("two,one, two") == [two, one] == store.resolve(f"{two},auto")
    assert store.resolve(f"auto,{random_weights}") == [one, two, random_weights]
    with pytest.raises(WeightsNotFound, match="no weights named 'three'"):
        store.resolve("one,three")
    with pytest.raises(WeightsNotFound, match=r"a,b\.safetensors"):
        store.resolve(comma)
    comma.write_bytes(random_weights.read_bytes())
    assert store.resolve(comma) == store.resolve(str(comma)) == [comma]
    assert mtcodec.Codec("one,two").name == "one,two"


def without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {n: t for n, t in tensors.items() if n != name}


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: change(tensors[name])}


def one_table(tensors: Tensors) -> Tensors:
    length = int(tensors["tables.lengths"][0])
    return tensors | {
        "tables.counts": tensors["tables.counts"][:length],
        "tables.lengths": tensors["tables.lengths"][:1],
    }


FORGERIES = {
    "no tables": (without("tables.counts"), "tables.counts"),
    "one table": (one_table, "1 probability tables, not 64"),
    "signed counts": (changed("tables.counts", lambda c: c.astype(np.int32)), "not lists of uint32"),
    "wrong counts": (changed("tables.counts", lambda c: c + 1), "add up to 2**24"),
    "another tensor": (lambda t: t | {"more": np.zeros(3, np.float16)}, "unexpected tensor more"),
    "other shape": (changed("g_a.all.stem.weight", lambda w: w[:2]), "not float16 or float32"),
    "NaN": (
        changed("g_a.all.stem.weight", lambda w: w * np.float16(np.nan)),
        "g_a.all.stem.weight is not finite",
    ),
    "scales of NaN": (
        changed("g_a.all.down.weight.scales", lambda s: s * np.float16(np.nan)),
        "g_a.all.down.weight is not finite",
    ),
    "scales of other groups": (
        changed("g_a.all.down.weight.scales", lambda s: s[:, :1].copy()),
        "g_a.all.down.weight.scales is float16 (16, 1), not float16 (16, 4)",
    ),
    "bytes without scales": (
        without("g_a.all.down.weight.scales"),
        "tensor g_a.all.down.weight.scales is missing",
    ),
    "scales of floats": (
        changed("g_a.all.down.weight", lambda w: w.astype(np.float16)),
        "unexpected tensor g_a.all.down.weight.scales",
    ),
    "integer layer of floats": (
        changed("streams.shared.e_1.weight", lambda w: w.astype(np.float16)),
        "not int8",
    ),
    "offsets of other channels": (
        changed("streams.rgb.offset", lambda t: t[:, :1].copy()),
        "streams.rgb.offset is int16",
    ),
    "gain of zero": (changed("streams.shared.gain", np.zeros_like), "streams.shared.gain is out of range"),
    "no such table": (
        changed("streams.rgb.z_index", lambda z: z + 64),
        "streams.rgb.z_index is out of range",
    ),
}


@pytest.mark.parametrize(("forgery", "reason"), FORGERIES.values(), ids=FORGERIES)
def test_refuses_tensors(
    forgery: Callable[[Tensors], Tensors], reason: str, random_weights: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.safetensors"
    forge(path, weights.describe(random_weights).config, forgery(load_file(random_weights)))
    refused(path, weights.load, reason)


def test_refuses_a_missing_tensor(random_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    tensors = without("g_a.all.stem.weight")(load_file(random_weights))
    forge(path, weights.describe(random_weights).config, tensors)
    refused(path, weights.load, "g_a.all.stem.weight")


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": []},
        {"tasks": [{"name": "../x", "kind": "image", "dtypes": ["uint8"]}]},
        {"architecture": "another"},
        {"latents": 1 << 30},
        {"latents": "12"},
        {"encoder_8": [16, 1000]},
        {"encoder_8": 16},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_refuses_configurations(change: dict[str, Any], random_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    forge(path, weights.describe(random_weights).config | change, load_file(random_weights))
    refused(path, weights.load)


def test_networks_larger_than_the_file_are_refused_before_they_are_made(
    random_weights: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.safetensors"
    huge = {"latents": 1024, "encoder_16": [1024, 32], "decoder_8": [1024, 32], "entropy_width": 1024}
    forge(path, weights.describe(random_weights).config | huge, load_file(random_weights))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, weights.load, "is int8")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_mutated_files_are_refused_or_load(random_weights: Path, tmp_path: Path) -> None:
    whole, rng = random_weights.read_bytes(), random.Random(3)
    path, loaded = tmp_path / "mutated.safetensors", 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4))):
            data[rng.randrange(rng.choice((8, 3000, len(data))))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            weights.load(path)
            loaded += 1
        except WeightsInvalid as error:
            assert str(error).startswith(str(path))
    assert loaded < 10  # a flip in what is only said about the training


@pytest.mark.fuzz
def test_forged_content_is_refused_or_codes(random_weights: Path, tmp_path: Path) -> None:
    """Networks of a stranger may be bad ones; then images or errors are what comes of them, not crashes."""
    rng, path = np.random.default_rng(5), tmp_path / "forged.safetensors"
    config, honest = weights.describe(random_weights).config, load_file(random_weights)
    scene = {
        "rgb": rng.integers(0, 256, (64, 80, 3), np.uint8),
        "depth": rng.integers(1, 9999, (64, 80), np.uint16),
    }
    ends = {"refused": 0, "error": 0, "coded": 0}
    for _ in range(80):
        tensors = dict(honest)
        for name in rng.choice(sorted(tensors), rng.choice((1, 3))):
            tensor = tensors[name].copy()
            words = tensor.reshape(-1).view(np.uint8)
            at = rng.integers(0, len(words), rng.choice((1, 20, len(words))))
            words[at] = rng.integers(0, 256, len(at), np.uint8)
            tensors[name] = tensor
        forge(path, config, tensors)
        try:
            codec = mtcodec.load(path, "cpu", coding="neural")
        except WeightsInvalid:
            ends["refused"] += 1
            continue
        try:
            assert codec.decode(codec.encode(scene, 90))["rgb"].shape == scene["rgb"].shape
            ends["coded"] += 1
        except MtcodecError:
            ends["error"] += 1
    assert ends["refused"] > 5 and ends["coded"] > 5


def test_only_weights_that_encoding_may_choose_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTCODEC_WEIGHTS", raising=False)

    def listed(*options: str) -> set[str]:
        result = CliRunner().invoke(cli.app, ["weights", "list", "--json", *options])
        return {entry["name"] for entry in json.loads(result.stdout)}

    assert listed() == {"clevr", "general"}
    assert listed("--paper") - listed() == {
        f"clevr-{name}" for name in ("single", "mixed", "disjoint", "shared", "conditional")
    }


def test_weights_are_listed_without_torch() -> None:
    code = (
        "import sys; from mtcodec.cli.weights import weights_list; weights_list(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.processes
def test_loading_imports_no_compiler(random_weights: Path) -> None:
    """Some operations on tensors without memory import ``torch._dynamo``, which takes a second."""
    code = (
        "import sys, torch; from pathlib import Path; from mtcodec.networks.pytorch import serial; "
        "before = set(sys.modules); serial.load(Path(sys.argv[1])); "
        "assert 'torch._dynamo' not in set(sys.modules) - before"
    )
    subprocess.run([sys.executable, "-c", code, str(random_weights)], check=True, capture_output=True)


@pytest.mark.parametrize("shape", [(3, 32, 1, 1), (5, 37), (2, 4, 5, 5)], ids=str)
@pytest.mark.parametrize("size", [1e-7, 1e-3, 1.0, 1e4])
def test_matrices_come_back_within_half_a_step(shape: tuple[int, ...], size: float) -> None:
    values = np.random.default_rng(7).normal(0, size, shape).astype(np.float32)
    values.reshape(len(values), -1)[0, :16] = 0
    stored = grouped.pack({"x.weight": values})
    assert stored["x.weight"].dtype == np.int8 and stored["x.weight"].shape == shape
    assert stored["x.weight.scales"].shape == grouped.scales_shape(shape)
    back = grouped.unpack(stored)["x.weight"]
    flat, off = values.reshape(len(values), -1), (back - values).reshape(len(values), -1)
    for start in range(0, flat.shape[1], 16):
        largest = np.abs(flat[:, start : start + 16]).max(1)
        bound = largest / 127 * 0.51 + largest / 2048 + 6e-8  # half a step, and the rounding of a scale
        assert (np.abs(off[:, start : start + 16]).max(1) <= bound).all()
    again = grouped.pack({"x.weight": back})
    assert all((again[name] == stored[name]).all() for name in stored)


def test_small_matrices_and_vectors_stay_as_they_are() -> None:
    tensors = {
        "x.weight": np.ones((64, 1, 3, 3), np.float16),
        "x.bias": np.ones(64, np.float16),
        "integer.weight": np.ones((4, 64), np.int8),
        "gamma_root": np.ones((64, 64), np.float16),
    }
    assert grouped.pack(tensors) == tensors and grouped.unpack(tensors) == tensors


def test_integer_layers_too_wide_to_be_exact_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wide.safetensors"
    wide = ModelConfig(TASKS[:1], **{**SMALL, "shared_latents": 1024, "hyper": 2})
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr("mtcodec.networks.pytorch.serial.EXACT", 2.0**62)
        model = MultiTask(wide)
        model.stream("rgb").leaves["e_1"].weight.fill_(10.0)
        serial.save(path, model, {})
    refused(path, weights.load, "exceed 2**24")
