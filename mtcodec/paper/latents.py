"""Scenes through networks: their real bytes, the latents in them, and the bits of every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.bitstreams.range_coder import MAX_BITS, PRECISION, Decoder, Tables
from mtcodec.codec import encoder
from mtcodec.codec.encoded import EncodedGroup
from mtcodec.codec.prepare import Scene
from mtcodec.codec.request import Request
from mtcodec.coders import neural
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.networks.structure import Latents
from mtcodec.signals.mapping import Array, to_planes
from mtcodec.signals.measures import errors
from mtcodec.signals.signal import Signal

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass
class StreamCode:
    """What one section holds."""

    latent: Tensor  # decoded, as the synthesis reads it: float, (1, N, H/16, W/16)
    bits: Floats  # exact code length by latent channel, (N,)
    hyper_bits: float  # the same for all hyper-latents together
    bytes: int  # the section's real length


@dataclass
class CodedScene:
    """A scene, its file, and what the file's sections hold."""

    signals: dict[str, Signal]  # the networks' tasks only
    data: bytes
    header: Header
    levels: Tensor  # quality levels, (1, 1 + T)
    streams: dict[str, StreamCode]

    @property
    def pixels(self) -> int:
        return self.header.pixels


def read_scenes(networks: Sequence[TorchNetworks], sources: Sequence[SceneFiles]) -> list[Scene]:
    """The images of ``sources``, with exactly the tasks of ``networks``, which must agree on them.

    Raises:
        UsageError: no scene, or networks of different tasks. SceneError: a scene that lacks a task.
    """
    tasks = networks[0].tasks
    if not sources:
        raise UsageError("an analysis needs at least one scene")
    for system in networks:
        if list(system.tasks.values()) != list(tasks.values()):
            names = f"{networks[0].info.name!r} and {system.info.name!r}"
            raise UsageError(f"weights {names} are for different tasks")
    scenes = []
    for source in sources:
        scene = read_scene(source, tasks, list(tasks))
        for name in tasks:
            if name not in scene:
                raise SceneError("no image, which an analysis needs", path=source.label, task=name)
        scenes.append({name: scene[name] for name in tasks})
    return scenes


def about(networks: Mapping[str, TorchNetworks], sources: Sequence[SceneFiles]) -> dict[str, Any]:
    """What every analysis says of its input: ``weights`` by label and names of ``scenes``."""
    weights = {}
    for label, system in networks.items():
        info, config = system.info, system.model.config
        weights[label] = {"path": str(info.path), "fingerprint": info.fingerprint,
                          "architecture": config.architecture, "backbone": config.backbone}  # fmt: skip
    return {"weights": weights, "scenes": [source.key for source in sources]}


def code_lengths(tables: Tables, symbols: Integers, table_indexes: Integers) -> Floats:
    """Bits of every symbol under its integer probability table, escapes included; any shape."""
    starts = np.concatenate([[0], np.cumsum(tables.lengths[:-1].astype(np.int64))])
    radius = tables.radius[table_indexes].astype(np.int64)
    magnitude = np.abs(symbols)
    escaped = magnitude > radius
    letters = np.where(escaped, 2 * radius + 1, 2 * magnitude - (symbols < 0))
    bits: Floats = PRECISION - np.log2(tables.counts[starts[table_indexes] + letters].astype(np.float64))
    excess = 2 * (magnitude - radius - 1) + (symbols < 0)
    suffix = np.floor(np.log2(np.maximum(excess + 1, 1)))
    return bits + np.where(escaped, np.log2(MAX_BITS + 1) + suffix, 0.0)


# --- files ---------------------------------------------------------------------------------------


def encode(networks: TorchNetworks, scene: Scene, quality: float) -> EncodedGroup:
    """``scene`` as a file, all of whose tasks these networks code.

    Raises:
        SceneError: a task that they do not know, or a scene so small that it is stored exactly.
    """
    request = Request(quality, coding="neural", tasks=networks.tasks)
    encoded = encoder.encode([scene], [networks], request)
    for name, coded in encoded.chosen.items():
        if coded.coding != "neural":
            raise SceneError(f"is not coded by networks but {coded.coding}", task=name)
    return encoded


def code(networks: TorchNetworks, scene: Scene, quality: float) -> CodedScene:
    """Encode ``scene`` and read its file back, stream by stream."""
    return read(networks, encode(networks, scene, quality))


@torch.inference_mode()
def read(networks: TorchNetworks, encoded: EncodedGroup) -> CodedScene:
    """The streams in the file of a scene, which has all tasks of ``networks`` at one quality."""
    data = encoded.to_bytes()
    reader = Reader(data)
    latents = Latents()
    streams = {name: _read_stream(networks, reader, name, latents) for name in networks.graph.streams}
    levels = networks.from_numpy(networks.level_array([neural.levels_of(reader.header, networks)]))
    return CodedScene(encoded.prepared.quality_coded(), data, reader.header, levels, streams)


def _read_stream(networks: TorchNetworks, reader: Reader, stream: str, latents: Latents) -> StreamCode:
    """What the section of a stream holds; adds the stream to ``latents``."""
    header, payload = reader.header, reader.payload(stream)
    range_decoder = Decoder(networks.tables, payload)
    levels = neural.levels_of(header, networks)
    passes = networks.passes(stream, (header.height, header.width), [levels], latents)
    bits_by_pass: list[Floats] = []
    for coding_pass in passes:
        places = networks.places(coding_pass)
        (table_indexes,) = networks.gather(coding_pass.table_indexes, places, np.uint8)
        symbols = range_decoder.take(table_indexes, coding_pass.max_abs)
        coding_pass.symbols = networks.scatter([symbols], places, coding_pass.table_indexes.shape)
        every_symbol, every_index, mask = (
            networks.to_numpy(maps).astype(np.int64)
            for maps in (coding_pass.symbols[0], coding_pass.table_indexes[0], coding_pass.mask)
        )
        bits = code_lengths(networks.tables, every_symbol, every_index) * mask
        bits_by_pass.append(bits.sum(axis=(1, 2)))
    range_decoder.finish()
    latents.add(stream, passes)
    hyper, *of_latents = bits_by_pass
    return StreamCode(latents.floats(stream), np.sum(of_latents, axis=0), float(hyper.sum()), len(payload))


# --- pictures from latents -----------------------------------------------------------------------


def original(coded: CodedScene, task: str) -> Array:
    """Planes of the original image, in the range of its values without holes."""
    signal = coded.signals[task]
    return to_planes(signal.original, signal.pixel_format.value_range)


@torch.inference_mode()
def paint(
    networks: TorchNetworks, coded: CodedScene, task: str, latents: Mapping[str, Tensor] | None = None
) -> list[Array]:
    """Planes of ``task`` as the scene's file gives them, with some streams' latents replaced.

    Args:
        latents: by stream, (B, N, h, w); others stay those of the file.

    Returns:
        B arrays (C, H, W), about [0, 1].
    """
    read_latents = {name: coded.streams[name].latent for name in networks.graph.reads[task]}
    read_latents |= {name: latent for name, latent in (latents or {}).items() if name in read_latents}
    batch = max(len(latent) for latent in read_latents.values())
    read_latents = {name: latent.expand(batch, -1, -1, -1) for name, latent in read_latents.items()}
    planes = networks.model.synthesise(task, read_latents, coded.levels.expand(batch, -1)).cpu().numpy()
    return list(planes[:, :, : coded.header.height, : coded.header.width])


def stored(coded: CodedScene, task: str, planes: Array) -> Array:
    """The image that decoding gives for these planes of ``task``."""
    return coded.signals[task].pixel_format.restore(planes)


def compare(coded: CodedScene, task: str, planes: Array) -> dict[str, float]:
    """``mse`` (of values scaled to 0..255) and ``psnr`` in dB of planes against a scene's original."""
    return errors(coded.signals[task], stored(coded, task, planes))
