"""The same symbols everywhere: what is written in any setting is read in every other one.

Settings of onnxruntime and torch (threads, batches, memory formats, libraries, dtypes) are tried in this
process, those of the environment (instruction sets) in others; ``docs/determinism.md`` says what is
promised. ``tests/tools/determinism.py`` does the same between machines and releases of the libraries.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from shared import symbols
from shared.symbols import Digests, OwnCodec, same, torch_codec
from tools import determinism
from tools.determinism import COARSE, CUDA, RELEASED, SETTINGS, Result

from mtcodec.networks.entropy.integer import ACTIVATION_LIMIT, BIAS_UNIT, EXACT, WEIGHT_UNIT, worst_sum
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.layers import IntConv
from mtcodec.networks.weights import store as weights

ENVIRONMENTS = {  # torch reads them
    "no vectors": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX-512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OMP_NUM_THREADS": "2"},
}


class Elsewhere:
    """Another process, which carries out commands of ``determinism.py`` in a setting of its own."""

    def __init__(self, environment: dict[str, str], setting: str, python: str = sys.executable) -> None:
        self.setting = setting
        self.process = subprocess.Popen(
            [python, determinism.__file__, "serve"],
            env={**os.environ, "PYTHONPATH": str(determinism.TESTS.parent), **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\t".join(map(str, (*words, self.setting))) + "\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[dict[str, Elsewhere]]:
    processes = {name: Elsewhere(environment, "torch") for name, environment in ENVIRONMENTS.items()}
    pythons = os.environ.get("MTCODEC_OTHER_PYTHON", "").split(os.pathsep)  # with other releases of libraries
    processes |= {
        f"other {i}, {setting}": Elsewhere({}, setting, python)
        for i, python in enumerate(pythons)
        for setting in ("plain", "torch")
        if python
    }
    yield processes
    for process in processes.values():
        process.end()


@dataclass
class Matrix:
    """Attributes:
    files: all different ones, by name.
    written: digests of what went into them.
    writers: settings that wrote them; several where they wrote the same bytes.
    results: what is read, by setting.
    """

    path: Path  # of the weights
    files: dict[str, bytes]
    written: dict[str, Digests]
    writers: dict[str, list[str]]
    results: dict[str, Result]

    def add(self, setting: str, files: dict[str, tuple[bytes, Digests]]) -> None:
        for data, digests in files.values():
            name = hashlib.sha256(data).hexdigest()[:16]
            self.files[name] = data
            self.writers.setdefault(name, []).append(setting)
            before = self.written.setdefault(name, {})
            assert not before or symbols.same(digests, before)
            before |= digests


@pytest.fixture(scope="module", params=["small", "general"])
def matrix(
    request: pytest.FixtureRequest, elsewhere: dict[str, Elsewhere], tmp_path_factory: pytest.TempPathFactory
) -> Matrix:
    path: Path = (
        request.getfixturevalue("small_weights") if request.param == "small" else weights.find("general")
    )
    directory = tmp_path_factory.mktemp("elsewhere")
    for name, process in elsewhere.items():
        process.start("write", directory / "written" / name, path)
    codecs = {name: setting.load(path) for name, setting in SETTINGS.items()}
    result = Matrix(path, {}, {}, {}, {})
    for name, setting in SETTINGS.items():
        with setting.around():
            result.add(name, determinism.encode(codecs[name]))
    for name, process in elsewhere.items():
        process.wait()
        _, files, (digests, _) = determinism.restore(directory / "written" / name)
        result.add(name, {n: (data, digests[n]) for n, data in files.items()})
    determinism.store(directory / "all", codecs["plain"], result.files, (result.written, {}))
    for name, process in elsewhere.items():
        process.start("read", directory / "all", directory / "read" / name, path)
    for name, setting in SETTINGS.items():
        with setting.around():
            result.results[name] = determinism.decode(codecs[name], result.files, setting.batch)
    for name, process in elsewhere.items():
        process.wait()
        result.results[name] = determinism.restore(directory / "read" / name)[2]
    return result


@pytest.mark.slow
def test_symbols_are_those_that_were_written(matrix: Matrix) -> None:
    assert len(matrix.files) > 2 * len(next(iter(determinism.scenes())))  # other networks wrote other files
    for reader, (digests, _) in matrix.results.items():
        for name, written in matrix.written.items():
            assert written and same(digests[name], written), (matrix.writers[name], reader)


@pytest.mark.slow
def test_pixels_differ_by_a_step_at_most(matrix: Matrix) -> None:
    fine = [images for reader, (_, images) in matrix.results.items() if reader not in COARSE]
    apart = determinism.spread(matrix.files, fine)
    print({task: round(value, 3) for task, value in apart.items()})
    assert apart["semantic"] == 0 and max(apart.values()) <= 1


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_and_reads_the_same(matrix: Matrix) -> None:
    cuda, plain = CUDA.load(matrix.path), SETTINGS["plain"].load(matrix.path)
    digests, images = determinism.decode(cuda, matrix.files, CUDA.batch)
    assert all(same(digests[name], written) for name, written in matrix.written.items())
    assert max(determinism.spread(matrix.files, [images, matrix.results["plain"][1]]).values()) <= 1
    encoded = determinism.encode(cuda)
    digests, _ = determinism.decode(plain, {name: data for name, (data, _) in encoded.items()})
    assert digests == {name: written for name, (_, written) in encoded.items()}


def test_a_layer_that_is_not_exact_is_noticed(small_weights: Path) -> None:
    """Weights beside their grid: float32 and float64 then differ."""

    def digests(setting: str, by: float) -> dict[str, Digests]:
        codec = SETTINGS[setting].load(small_weights)
        layer = codec.own_networks.model.stream("rgb").leaves["e_3"]
        assert layer.frozen is not None
        layer.frozen = layer.frozen[0] * by, layer.frozen[1]
        return {name: written for name, (_, written) in determinism.encode(codec).items()}

    for by, equal in ((1.0, True), (1.001, False)):
        assert (digests("torch", by) == digests("float64 entropy networks", by)) == equal


# --- why it holds --------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["small", *(path.stem for path in RELEASED)])
def codec(request: pytest.FixtureRequest, small_weights: Path) -> OwnCodec:
    path = small_weights if request.param == "small" else weights.find(request.param)
    return torch_codec(path)


def layers_of(codec: OwnCodec) -> dict[str, IntConv]:
    return {name: m for name, m in codec.own_networks.model.named_modules() if isinstance(m, IntConv)}


def test_partial_sums_fit_float32(codec: OwnCodec) -> None:
    tensors = serial.to_tensors(codec.own_networks.model)
    worst = max(worst_sum(tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in layers_of(codec))
    print(f"{codec.own_networks.info.name}: {worst:.0f} = 2**{np.log2(worst):.1f}")
    assert worst < EXACT


def test_factors_fit_bfloat16(codec: OwnCodec) -> None:
    """So libraries may round factors to it (or to TF32), as long as they add in float32."""
    activations = torch.arange(-ACTIVATION_LIMIT, ACTIVATION_LIMIT + 1).float()
    assert (activations.bfloat16().float() == activations).all()
    for layer in layers_of(codec).values():
        weight, _ = layer.quantised()
        assert (weight.bfloat16().float() == weight).all()


def test_sums_of_the_worst_kind_are_exact_in_any_order(codec: OwnCodec) -> None:
    """Activations of 255 wherever the weight is positive, in float32 and shuffled, against integers."""
    rng = np.random.default_rng(0)
    for layer in layers_of(codec).values():
        if layer.groups > 1:
            continue
        weight, bias = layer.quantised()
        integers = (weight[:, :, 0, 0] / WEIGHT_UNIT).long(), (bias / WEIGHT_UNIT).long()
        order = torch.from_numpy(rng.permutation(weight.shape[1]))
        worst = (weight[:, :, 0, 0] > 0).float() * ACTIVATION_LIMIT
        expected = (integers[0] @ worst.long().T) + integers[1][:, None]
        for dtype in (torch.float32, torch.float64):
            shuffled = weight[:, order].to(dtype)
            x = worst[:, order].T[None, :, :, None].to(dtype)
            sums = torch.nn.functional.conv2d(x, shuffled, bias.to(dtype))[0, :, :, 0]
            assert (sums / WEIGHT_UNIT == expected).all()


def test_integers_follow_the_networks_to_devices_and_keep_their_digits(small_weights: Path) -> None:
    model = torch_codec(small_weights).own_networks.model
    layer, stream = model.stream("rgb").leaves["e_1"], model.stream("rgb")
    before = layer.frozen
    assert before is not None and BIAS_UNIT == 32.0
    model.bfloat16()
    assert layer.frozen is not None and all((a == b).all() for a, b in zip(before, layer.frozen))
    assert {t.dtype for t in (*layer.frozen, *stream.frozen.values())} == {torch.float32}
    model.to("meta")
    assert {t.device.type for t in (*layer.frozen, *stream.frozen.values())} == {"meta"}
