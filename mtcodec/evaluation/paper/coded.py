"""Scenes through a codec: their real bytes, the latents in them, and the bits of every channel."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.bitstreams.range_coder import MAX_BITS, PRECISION, Decoder, Tables
from mtcodec.codec.codec import Codec
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import Scene, read_scene
from mtcodec.format.container import Header, Reader
from mtcodec.format.quality import to_step
from mtcodec.models.config import SHARED
from mtcodec.models.entropy.stream import SYMBOL_LIMIT, Z_LIMIT, Step, StreamModel
from mtcodec.signal.layers import Layers, range_of, restore
from mtcodec.signal.mapping import Array, Range
from mtcodec.signal.measures import errors

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

    scene: Scene  # the codec's tasks only
    data: bytes
    header: Header
    steps: Tensor  # quality steps, (1, 1 + T)
    streams: dict[str, StreamCode]
    layers: dict[str, Layers]  # by task

    @property
    def pixels(self) -> int:
        return self.header.height * self.header.width


def read_scenes(codecs: Sequence[Codec], sources: Sequence[SceneFiles]) -> list[Scene]:
    """The images of ``sources``, with exactly the tasks of ``codecs``, which must agree on them.

    Raises:
        UsageError: no scene, or codecs of different tasks. SceneError: a scene that lacks a task.
    """
    tasks = list(codecs[0].tasks.values())
    if not sources:
        raise UsageError("an analysis needs at least one scene")
    for codec in codecs:
        if list(codec.tasks.values()) != tasks:
            raise UsageError(
                f"weights {codecs[0].info.name!r} and {codec.info.name!r} are for different tasks"
            )
    scenes = []
    for source in sources:
        scene = read_scene(source, tasks)
        missing = [t.name for t in tasks if t.name not in scene]
        if missing:
            raise SceneError(f"{source.label}: no image of task {missing[0]!r}, which an analysis needs")
        scenes.append(scene)
    return scenes


def about(codecs: Mapping[str, Codec], sources: Sequence[SceneFiles]) -> dict[str, Any]:
    """What every analysis says of its input: ``weights`` by label and names of ``scenes``."""
    weights = {
        label: {
            "path": str(codec.info.path),
            "fingerprint": codec.info.fingerprint,
            "architecture": codec.model.config.architecture,
            "backbone": codec.model.config.backbone,
        }
        for label, codec in codecs.items()
    }
    return {"weights": weights, "scenes": [source.key for source in sources]}


# --- code lengths --------------------------------------------------------------------------------


def code_lengths(tables: Tables, symbols: Integers, index: Integers) -> Floats:
    """Bits of every symbol under its integer probability table, escapes included; any shape."""
    starts = np.concatenate([[0], np.cumsum(tables.lengths[:-1].astype(np.int64))])
    radius = tables.radius[index].astype(np.int64)
    magnitude = np.abs(symbols)
    escaped = magnitude > radius
    letters = np.where(escaped, 2 * radius + 1, 2 * magnitude - (symbols < 0))
    bits: Floats = PRECISION - np.log2(tables.counts[starts[index] + letters].astype(np.float64))
    excess = 2 * (magnitude - radius - 1) + (symbols < 0)
    suffix = np.floor(np.log2(np.maximum(excess + 1, 1)))
    return bits + np.where(escaped, np.log2(MAX_BITS + 1) + suffix, 0.0)


# --- files ---------------------------------------------------------------------------------------


def code(codec: Codec, scene: Scene, quality: float) -> CodedScene:
    """Encode ``scene`` and read its file back, stream by stream."""
    return read(codec, scene, codec.encode(scene, quality), quality)


@torch.inference_mode()
def read(codec: Codec, scene: Scene, data: bytes, quality: float) -> CodedScene:
    """The streams in the file ``data`` of ``scene``, which holds all of the codec's tasks at ``quality``."""
    reader, model = Reader(io.BytesIO(data)), codec.model
    step = torch.tensor([to_step(quality)], device=codec.device)
    streams: dict[str, StreamCode] = {}
    shared: Tensor | None = None
    for name in model.graph.streams:
        stream, payload = model.stream(name), codec.unwrap(reader, name)[1]
        rows = stream.rows(stream.tables(), step)
        coder, lengths = Decoder(codec.tables, payload), []
        limits = iter((Z_LIMIT, SYMBOL_LIMIT, SYMBOL_LIMIT))

        def take(request: Step) -> Tensor:
            mask = request.mask.cpu().numpy()
            index = request.index[0].cpu().numpy().astype(np.int64)
            symbols = np.zeros(index.shape, np.int64)
            symbols[mask] = coder.take(index[mask].astype(np.uint8), next(limits))  # noqa: B023
            bits = code_lengths(codec.tables, symbols, index) * mask
            lengths.append(bits.sum(axis=(1, 2)))  # noqa: B023
            return torch.from_numpy(symbols[None].astype(np.float32)).to(codec.device)

        height, width = (-(-side // 64) * 4 for side in (reader.header.height, reader.header.width))
        y_hat = stream.decode(rows, (1, height, width), model.condition(name, shared), take)
        coder.finish()
        if name == SHARED:
            shared = StreamModel.canonical(y_hat, rows)
        hyper, first, second = lengths
        latent = StreamModel.latent(y_hat, rows)
        streams[name] = StreamCode(latent, first + second, float(hyper.sum()), len(payload))
    steps = step[:, None].expand(1, 1 + len(codec.tasks))
    around = {name: codec.unwrap(reader, name)[0] for name in codec.tasks}
    return CodedScene({n: scene[n] for n in codec.tasks}, data, reader.header, steps, streams, around)


# --- pictures from latents -----------------------------------------------------------------------


def image_range(coded: CodedScene, task: str) -> Range:
    """Stored values of ``task`` that planes 0 and 1 stand for in this scene."""
    section = coded.header.section(task)
    assert section is not None
    return range_of(section, coded.layers[task])


@torch.inference_mode()
def paint(
    codec: Codec, coded: CodedScene, task: str, latents: Mapping[str, Tensor] | None = None
) -> list[Array]:
    """Planes of ``task`` as the scene's file gives them, with some streams' latents replaced.

    Args:
        latents: by stream, (B, N, h, w); others stay those of the file.

    Returns:
        B arrays (C, H, W), about [0, 1].
    """
    chosen = {name: coded.streams[name].latent for name in codec.model.graph.reads[task]}
    chosen |= {name: latent for name, latent in (latents or {}).items() if name in chosen}
    batch = max(len(latent) for latent in chosen.values())
    chosen = {name: latent.expand(batch, -1, -1, -1) for name, latent in chosen.items()}
    planes = codec.model.synthesise(task, chosen, coded.steps.expand(batch, -1)).cpu().numpy()
    return list(planes[:, :, : coded.header.height, : coded.header.width])


def stored(codec: Codec, coded: CodedScene, task: str, planes: Array) -> Array:
    """The image that decoding gives for these planes of ``task``."""
    section = coded.header.section(task)
    assert section is not None
    return restore(codec.tasks[task], planes, section, coded.layers[task])


def compare(codec: Codec, coded: CodedScene, task: str, planes: Array) -> dict[str, float]:
    """``mse`` (of values scaled to 0..255) and ``psnr`` in dB of planes against a scene's original."""
    return errors(codec.tasks[task], coded.scene[task], stored(codec, coded, task, planes))
