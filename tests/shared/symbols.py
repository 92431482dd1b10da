"""What files hold, to compare it between machines: symbols of neural sections, values of others, pixels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch

from mtcodec import Codec
from mtcodec.bitstreams.range_coder import Decoder, Encoder, Indexes, Symbols, Tables
from mtcodec.codec.prepare import Scene
from mtcodec.codec.timeline import Timeline
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

CodedPasses = list[tuple[Symbols, Indexes]]
"""Of one section: symbols of every coding pass, and the indexes of their probability tables."""
Digests = dict[str, str]  # by section; of a neural one also SECTION.layers: what integer layers computed
LAYERS = ".layers"
FRAME = "@"  # between the name of a section and the number of a frame
EXACT = ("labels", "near-lossless", "raw")  # codings whose values are the same everywhere


class OwnCodec(Codec):
    """A codec of networks of its own, which may be changed: :class:`Codec` shares them with others."""

    def __init__(self, path: Path, own_networks: Networks) -> None:
        super().__init__(path, coding="neural")
        self.own_networks = own_networks

    def networks_of(self, fingerprint: str) -> Networks:
        return self.own_networks

    def _load_networks(self, paths: Sequence[Path]) -> list[Networks]:
        return [self.own_networks for _ in paths]


def torch_codec(
    path: Path, device: str = "cpu", prepare: Callable[[MultiTask], object] = lambda model: None
) -> OwnCodec:
    """Networks run by torch, after ``prepare`` has changed them."""
    model, tables = serial.load(path)
    model.to(device)
    prepare(model)
    return OwnCodec(path, TorchNetworks(model, tables, weights.describe(path), device))


def codec(path: Path, options: Callable[[], ort.SessionOptions] = sessions.session_options) -> OwnCodec:
    """Networks run by onnxruntime."""
    return OwnCodec(path, sessions.Sessions(weights.load(path), options))


@dataclass
class Seen:
    """A decoded file: its symbols by neural section, its images by task, and digests of what is exact."""

    passes: dict[str, CodedPasses]
    images: Scene
    digests: Digests


def reader_of(data: bytes) -> Reader:
    return Reader(io.BytesIO(data))


def digest_of(coded_passes: CodedPasses) -> str:
    digest = hashlib.sha256()
    for symbols, table_indexes in coded_passes:
        digest.update(len(table_indexes).to_bytes(4, "little"))
        digest.update(table_indexes.astype(np.uint8).tobytes() + symbols.astype("<i4").tobytes())
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
            for digest, values in zip(sums[name], output.double().cpu().numpy()):
                digest.update(np.ascontiguousarray(values + 0.0).tobytes())  # without negative zeros

        return layer.register_forward_hook(see)

    streams = {name: model.stream(name).modules() for name in sums}
    hooks = [watch(n, m) for n, modules in streams.items() for m in modules if isinstance(m, IntConv)]
    yield digests
    digests |= {name: [digest.hexdigest() for digest in by_scene] for name, by_scene in sums.items()}
    for hook in hooks:
        hook.remove()


class RecordingDecoder(Decoder):
    """A range decoder that keeps what it decodes."""

    def __init__(self, tables: Tables, payload: bytes) -> None:
        super().__init__(tables, payload)
        self.passes: CodedPasses = []

    def take(self, table_indexes: Indexes, max_abs: int) -> Symbols:
        symbols = super().take(table_indexes, max_abs)
        self.passes.append((symbols, table_indexes))
        return symbols


class RecordingEncoder(Encoder):
    """A range encoder that keeps what it encodes."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.passes: CodedPasses = []

    def put(self, symbols: Symbols, table_indexes: Indexes) -> None:
        self.passes.append((symbols, table_indexes))
        super().put(symbols, table_indexes)


C = TypeVar("C", RecordingDecoder, RecordingEncoder)


@contextmanager
def recorded(name: str, coder: Callable[..., C]) -> Iterator[list[C]]:
    """Inside, sections are coded with ``coder`` instead of the range coder ``name``; all that are made so."""
    coders: list[C] = []

    def make(*arguments: object) -> C:
        coders.append(coder(*arguments))
        return coders[-1]

    with mock.patch.object(neural, name, make):
        yield coders


def decode(
    codec: OwnCodec, files: Sequence[bytes | Reader], tasks: Sequence[str] | None = None
) -> list[Seen]:
    """Decode scenes of one size as one batch: files, or frames of groups."""
    readers = [reader_of(file) if isinstance(file, bytes) else file for file in files]
    names = list(readers[0].header.tasks if tasks is None else tasks)
    with (
        recorded("Decoder", RecordingDecoder) as coders,
        layers_watched(codec.own_networks, len(files)) as computed,
    ):
        images = codec.decode_batch(readers, names)
    streams = _streams(codec, [n for n in names if readers[0].header.task(n).is_neural])
    assert len(coders) == len(streams) * len(files)
    decoded = []
    for i, (reader, scene) in enumerate(zip(readers, images)):
        passes = {name: coders[k * len(files) + i].passes for k, name in enumerate(streams)}
        digests = {name: digest_of(coded_passes) for name, coded_passes in passes.items()}
        digests |= {name + LAYERS: computed[name][i] for name in streams if name in computed}
        exact = [n for n in names if reader.header.task(n).coding in EXACT]
        decoded.append(Seen(passes, scene, digests | {n: digest_of_values(scene[n]) for n in exact}))
    return decoded


def same(read: Digests, written: Digests) -> bool:
    """Are all sections alike, and all layers that both know?"""
    read_sections, written_sections = ({n for n in d if not n.endswith(LAYERS)} for d in (read, written))
    alike = all(read[n] == written[n] for n in read.keys() & written.keys())
    return read_sections == written_sections and alike


def encode(codec: OwnCodec, scene: Scene, quality: float) -> tuple[bytes, Digests]:
    """The file of a scene, with digests of what went into it."""
    networks = codec.own_networks
    with (
        recorded("Encoder", RecordingEncoder) as coders,
        layers_watched(networks, 1) as computed,
    ):
        data = codec.encode(scene, quality)
    sections = {s.name: s for s in reader_of(data).header.sections}
    streams = [n for n in networks.graph.streams if n == SHARED or (n in networks.tasks and n in scene)]
    assert len(coders) in (0, len(streams))
    digests = {name: digest_of(coder.passes) for name, coder in zip(streams, coders)}
    digests |= {name + LAYERS: by_scene[0] for name, by_scene in computed.items() if name in digests}
    digests |= {n: digest_of_values(scene[n]) for n, s in sections.items() if s.coding in EXACT and s.is_task}
    return data, digests


def encode_group(
    codec: OwnCodec, frames: Sequence[Scene], timeline: Timeline, quality: float
) -> tuple[bytes, Digests]:
    """The file of a group, with digests of what went into it, those of a frame by ``SECTION@FRAME``."""
    networks = codec.own_networks
    with recorded("Encoder", RecordingEncoder) as coders:
        data = codec.encode_group(frames, timeline, quality=quality).to_bytes()
    streams = [
        of_frame(n, k)
        for k, frame in enumerate(frames)
        for n in networks.graph.streams
        if n in frame or (n == SHARED and not networks.tasks.keys().isdisjoint(frame))
    ]
    assert len(coders) == len(streams)
    digests = {name: digest_of(coder.passes) for name, coder in zip(streams, coders)}
    header = reader_of(data).header
    exact = [n for n in header.tasks if header.task(n).coding in EXACT]
    return data, digests | {
        of_frame(n, k): digest_of_values(frame[n])
        for k, frame in enumerate(frames)
        for n in exact
        if n in frame
    }


def of_frame(section: str, frame: int) -> str:
    """The name of what a group holds of a frame."""
    return f"{section}{FRAME}{frame}"


def _streams(codec: OwnCodec, tasks: Sequence[str]) -> list[str]:
    """Streams of these neural tasks, in the order of coding."""
    reads = {stream for name in tasks for stream in codec.own_networks.graph.reads[name]}
    return [n for n in (SHARED, *tasks) if n in reads]


def steps_apart(section: Section, images: Sequence[npt.NDArray]) -> float:
    """Largest difference between any two decoded images of a section, in the steps that they may differ by.

    A step is one of 8 bits, or 1/4096 of the range where there is one, but no less than a stored integer.
    Infinite where NaNs are not in the same places.
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
