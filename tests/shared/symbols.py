"""What files hold, to compare it between machines: symbols of neural sections, values of others, pixels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch

from mtcodec import Codec
from mtcodec.bitstreams.range_coder import Decoder, Encoder, Indexes, Symbols, Tables
from mtcodec.codec.prepare import Scene
from mtcodec.coders import neural
from mtcodec.container.mtc import Reader
from mtcodec.container.section import SHARED, Section
from mtcodec.networks.engine import Networks
from mtcodec.networks.onnx import sessions
from mtcodec.networks.onnx.runtime import ort
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.layers import IntConv
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.networks.weights import file as weights

Steps = list[tuple[Symbols, Indexes]]
"""Of one section: symbols and the numbers of their probability tables, in the order of coding."""
Digests = dict[str, str]  # by section; of a neural one also SECTION.layers: what integer layers computed
LAYERS = ".layers"
EXACT = ("labels", "stepped", "raw")  # codings whose values are the same everywhere


class OwnCodec(Codec):
    """A codec of networks of its own, which may be changed: :class:`Codec` shares them with others."""

    def __init__(self, path: Path, own: Networks) -> None:
        super().__init__(path, coding="neural")
        self.own = own

    def networks(self) -> list[Networks]:
        return [self.own]

    def networks_of(self, fingerprint: str) -> Networks:
        return self.own

    def _needed(self, scene: object, request: object) -> list[Networks]:
        return [self.own]


def torch_codec(
    path: Path, device: str = "cpu", prepare: Callable[[MultiTask], object] = lambda model: None
) -> OwnCodec:
    """Networks run by torch, after ``prepare`` has changed them."""
    model, tables = serial.load(path)
    model.to(device)
    prepare(model)
    return OwnCodec(path, TorchNetworks(model, tables, weights.describe(path), device))


def codec(path: Path, options: Callable[[], ort.SessionOptions] = sessions.settings) -> OwnCodec:
    """Networks run by onnxruntime."""
    return OwnCodec(path, sessions.Sessions(weights.load(path), options))


@dataclass
class Seen:
    """A decoded file: its symbols by neural section, its images by task, and digests of what is exact."""

    steps: dict[str, Steps]
    images: Scene
    digests: Digests


def reader_of(data: bytes) -> Reader:
    return Reader(io.BytesIO(data))


def digest_of(steps: Steps) -> str:
    digest = hashlib.sha256()
    for symbols, index in steps:
        digest.update(len(index).to_bytes(4, "little"))
        digest.update(index.astype(np.uint8).tobytes() + symbols.astype("<i4").tobytes())
    return digest.hexdigest()


def digest_of_values(image: npt.NDArray) -> str:
    little = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    return hashlib.sha256(f"{image.dtype.name} {image.shape} ".encode() + little.tobytes()).hexdigest()


@contextmanager
def layers_watched(networks: Networks, batch: int) -> Iterator[dict[str, list[str]]]:
    """Afterwards: digests of all outputs of integer layers, by stream, for each scene of a batch.

    They tell differences that rounding would hide here, and perhaps not elsewhere. Only torch shows them.
    """
    digests: dict[str, list[str]] = {}
    if not isinstance(networks, TorchNetworks):
        yield digests
        return
    model = networks.model
    sums = {name: [hashlib.sha256() for _ in range(batch)] for name in model.graph.streams}

    def watch(name: str, layer: IntConv) -> torch.utils.hooks.RemovableHandle:
        def see(module: object, inputs: object, output: torch.Tensor) -> None:
            for own, values in zip(sums[name], output.double().cpu().numpy()):
                own.update(np.ascontiguousarray(values + 0.0).tobytes())  # without negative zeros

        return layer.register_forward_hook(see)

    streams = {name: model.stream(name).modules() for name in sums}
    hooks = [watch(n, m) for n, modules in streams.items() for m in modules if isinstance(m, IntConv)]
    yield digests
    digests |= {name: [own.hexdigest() for own in several] for name, several in sums.items()}
    for hook in hooks:
        hook.remove()


def decode(codec: OwnCodec, files: Sequence[bytes], tasks: Sequence[str] | None = None) -> list[Seen]:
    """Decode files of one size as one batch."""
    coders: list[Recorder] = []

    class Recorder(Decoder):
        def __init__(self, tables: Tables, payload: bytes) -> None:
            super().__init__(tables, payload)
            self.steps: Steps = []
            coders.append(self)

        def take(self, index: Indexes, limit: int) -> Symbols:
            symbols = super().take(index, limit)
            self.steps.append((symbols, index))
            return symbols

    readers = [reader_of(data) for data in files]
    wanted = list(readers[0].header.tasks if tasks is None else tasks)
    with (
        mock.patch.object(neural, "Decoder", Recorder),
        layers_watched(codec.own, len(files)) as computed,
    ):
        images = codec.decode_batch(readers, wanted)
    streams = _streams(codec, [n for n in wanted if readers[0].header.task(n).is_neural])
    assert len(coders) == len(streams) * len(files)
    seen = []
    for i, (reader, scene) in enumerate(zip(readers, images)):
        steps = {name: coders[k * len(files) + i].steps for k, name in enumerate(streams)}
        digests = {name: digest_of(own) for name, own in steps.items()}
        digests |= {name + LAYERS: computed[name][i] for name in streams if name in computed}
        exact = [n for n in wanted if reader.header.task(n).coding in EXACT]
        seen.append(Seen(steps, scene, digests | {n: digest_of_values(scene[n]) for n in exact}))
    return seen


def same(seen: Digests, written: Digests) -> bool:
    """Are all sections alike, and all layers that both know?"""
    sections, others = ({n for n in own if not n.endswith(LAYERS)} for own in (seen, written))
    return sections == others and all(seen[n] == written[n] for n in seen.keys() & written.keys())


def encode(codec: OwnCodec, scene: Scene, quality: float) -> tuple[bytes, Digests]:
    """The file of a scene, with digests of what went into it."""
    coders: list[Recorder] = []

    class Recorder(Encoder):
        def __init__(self, tables: Tables) -> None:
            super().__init__(tables)
            self.steps: Steps = []
            coders.append(self)

        def put(self, symbols: Symbols, index: Indexes) -> None:
            self.steps.append((symbols, index))
            super().put(symbols, index)

    with mock.patch.object(neural, "Encoder", Recorder), layers_watched(codec.own, 1) as computed:
        data = codec.encode(scene, quality)
    sections = {s.name: s for s in reader_of(data).header.sections}
    streams = [n for n in codec.own.graph.streams if n == SHARED or (n in codec.own.tasks and n in scene)]
    assert len(coders) in (0, len(streams))
    digests = {name: digest_of(own.steps) for name, own in zip(streams, coders)}
    digests |= {name + LAYERS: own[0] for name, own in computed.items() if name in digests}
    digests |= {n: digest_of_values(scene[n]) for n, s in sections.items() if s.coding in EXACT and s.is_task}
    return data, digests


def _streams(codec: OwnCodec, tasks: Sequence[str]) -> list[str]:
    """Streams of these neural tasks, in the order of coding."""
    reads = {stream for name in tasks for stream in codec.own.graph.reads[name]}
    return [n for n in (SHARED, *tasks) if n in reads]


def steps_apart(section: Section, images: Sequence[npt.NDArray]) -> float:
    """Largest difference between any two decoded images of a section, in the steps that they may differ by.

    One of 8 bits, or 1/4096 of the range where there is one, but no less than a stored integer. Infinite
    where NaNs are not in the same places.
    """
    stack = np.stack(images).astype(np.float64)
    missing = np.isnan(stack)
    if (missing.any(axis=0) != missing.all(axis=0)).any():
        return float("inf")
    stack[missing | (stack == stack[0]).all(axis=0)] = 0  # infinite values among them
    difference = float((stack.max(axis=0) - stack.min(axis=0)).max())
    step = 257.0 if images[0].dtype.name == "uint16" else 1.0
    limits = section.attributes.range
    if limits is not None:
        step = (limits[1] - limits[0]) / 4096
        step = max(step, 1.0) if images[0].dtype.kind in "ui" else step
    return difference / step if difference else 0.0
