"""What files hold, to compare it between machines: symbols of neural sections, values of others, pixels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch
from mtcodec.codec.codec import Codec

from mtcodec.bitstreams.range_coder import Decoder, Encoder, Indexes, Symbols, Tables
from mtcodec.codec import codec as codecs
from mtcodec.files.scene import Scene
from mtcodec.format.container import SHARED, Reader, Section
from mtcodec.models.entropy.integer import IntConv

Steps = list[tuple[Symbols, Indexes]]
"""Of one section: symbols and the numbers of their probability tables, in the order of coding."""
Digests = dict[str, str]  # by section; of a neural one also SECTION.layers: what integer layers computed
LAYERS = ".layers"
EXACT = ("labels", "stepped", "raw")  # codings whose values are the same everywhere


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
def layers_watched(codec: Codec, batch: int) -> Iterator[dict[str, list[str]]]:
    """Afterwards: digests of all outputs of integer layers, by stream, for each scene of a batch.

    They tell differences that rounding would hide here, and perhaps not elsewhere.
    """
    digests: dict[str, list[str]] = {}
    sums = {name: [hashlib.sha256() for _ in range(batch)] for name in codec.model.graph.streams}

    def watch(name: str, layer: IntConv) -> torch.utils.hooks.RemovableHandle:
        def see(module: object, inputs: object, output: torch.Tensor) -> None:
            for own, values in zip(sums[name], output.double().cpu().numpy()):
                own.update(np.ascontiguousarray(values + 0.0).tobytes())  # without negative zeros

        return layer.register_forward_hook(see)

    streams = {name: codec.model.stream(name).modules() for name in sums}
    hooks = [watch(n, m) for n, modules in streams.items() for m in modules if isinstance(m, IntConv)]
    yield digests
    digests |= {name: [own.hexdigest() for own in several] for name, several in sums.items()}
    for hook in hooks:
        hook.remove()


def decode(codec: Codec, files: Sequence[bytes], tasks: Sequence[str] | None = None) -> list[Seen]:
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
    wanted = readers[0].header.tasks if tasks is None else tasks
    with mock.patch.object(codecs, "Decoder", Recorder), layers_watched(codec, len(files)) as computed:
        images = codec.decode_batch(readers, wanted)
    streams = _streams(codec, [n for n in wanted if _section(readers[0], n).neural])
    assert len(coders) == len(streams) * len(files)
    seen = []
    for i, (reader, scene) in enumerate(zip(readers, images)):
        steps = {name: coders[k * len(files) + i].steps for k, name in enumerate(streams)}
        digests = {name: digest_of(own) for name, own in steps.items()}
        digests |= {name + LAYERS: computed[name][i] for name in streams}
        exact = [n for n in wanted if _section(reader, n).coding in EXACT]
        seen.append(Seen(steps, scene, digests | {n: digest_of_values(scene[n]) for n in exact}))
    return seen


def encode(codec: Codec, scenes: Sequence[Scene], quality: float) -> list[tuple[bytes, Digests]]:
    """Files of scenes of one size, encoded as one batch, with digests of what went into them."""
    coders: list[Recorder] = []

    class Recorder(Encoder):
        def __init__(self, tables: Tables) -> None:
            super().__init__(tables)
            coders.append(self)

    with mock.patch.object(codecs, "Encoder", Recorder), layers_watched(codec, len(scenes)) as computed:
        files = codec.encode_batch(scenes, quality)
    streams = _streams(codec, [n for n in codec.tasks if any(n in scene for scene in scenes)])
    found = []
    for i, (data, scene) in enumerate(zip(files, scenes)):
        kept = {s.name: s.coding for s in reader_of(data).header.sections}
        digests = {n: digest_of(coders[k * len(files) + i].steps) for k, n in enumerate(streams) if n in kept}
        digests |= {n + LAYERS: computed[n][i] for n in streams if n in kept}
        digests |= {n: digest_of_values(scene[n]) for n, coding in kept.items() if coding == "labels"}
        found.append((data, digests))
    return found


def _streams(codec: Codec, tasks: Sequence[str]) -> list[str]:
    """Streams of these neural tasks, in the order of coding."""
    reads = {stream for name in tasks for stream in codec.model.graph.reads[name]}
    return [n for n in (SHARED, *tasks) if n in reads]


def _section(reader: Reader, name: str) -> Section:
    section = reader.header.section(name)
    assert section is not None
    return section


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
    integer = images[0].dtype.kind == "u"
    step = 257.0 if images[0].dtype.name == "uint16" else 1.0
    if section.range is not None:
        step = (section.range[1] - section.range[0]) / 4096
        step = max(step, 1.0) if integer else step
    return difference / step if difference else 0.0
