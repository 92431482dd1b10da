"""Sections that networks code: the streams of a scene's shared and task latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mtcodec.bitstreams.range_coder import Decoder, Encoder
from mtcodec.coders.candidate import Candidate
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader
from mtcodec.container.section import SHARED
from mtcodec.errors import FormatError, SectionError
from mtcodec.networks.engine import Levels, Networks
from mtcodec.networks.structure import Latents
from mtcodec.signals.mapping import Array, Window
from mtcodec.signals.signal import PixelFormat, Signal

OnDamage = Callable[[SectionError], None]
"""Called for every task that is lost to damage."""


@dataclass(frozen=True)
class NeuralCandidates:
    """What networks make of a scene.

    Attributes:
        shared: payload of the shared section, None where the weights have no such stream.
        tasks: the candidate of every task that the networks know.
        level: quality level of the shared stream.
    """

    networks: Networks
    shared: bytes | None
    tasks: dict[str, Candidate]
    level: int


# --- encoding ------------------------------------------------------------------------------------


def encode(networks: Networks, signals: Mapping[str, Signal], levels: Levels) -> NeuralCandidates:
    """All of ``signals``, which the networks must know, in one pass."""
    payloads, latents = _encode_streams(networks, signals, levels)
    tasks = {}
    for name, signal in signals.items():
        pixel_format, size = signal.pixel_format, (signal.height, signal.width)
        payload = payloads.get(name, b"")  # with the architecture `mixed`, tasks have no streams of their own
        decoder = partial(_decoded_image, networks, name, latents, levels, size, pixel_format)
        uses_shared = SHARED in networks.graph.reads[name]
        differs = name in networks.graph.streams and levels[name] != levels[SHARED]
        level = levels[name] if differs else None
        tasks[name] = Candidate("neural", pixel_format, payload, decoder, signal, uses_shared, level)
    return NeuralCandidates(networks, payloads.get(SHARED), tasks, levels[SHARED])


def _encode_streams(
    networks: Networks, signals: Mapping[str, Signal], levels: Levels
) -> tuple[dict[str, bytes], Latents]:
    """Payloads by stream, and what decoding them gives."""
    signal = next(iter(signals.values()))
    size = signal.height, signal.width
    payloads: dict[str, bytes] = {}
    latents = Latents()
    with networks.inference():
        y = networks.analyse(signals, levels)
        for stream in networks.streams_of(signals):
            range_encoder = Encoder(networks.tables)
            passes = networks.passes(stream, size, [levels], latents)
            quantiser = passes.quantiser(y[stream])
            for coding_pass in passes:
                coding_pass.symbols = quantiser.symbols(coding_pass)
                places = networks.places(coding_pass)
                (symbols,) = networks.gather(coding_pass.symbols, places, np.int32)
                (table_indexes,) = networks.gather(coding_pass.table_indexes, places, np.uint8)
                range_encoder.put(symbols, table_indexes)
            latents.add(stream, passes)
            payloads[stream] = range_encoder.finish()
    return payloads, latents


def _decoded_image(
    networks: Networks,
    task: str,
    latents: Latents,
    levels: Levels,
    size: tuple[int, int],
    pixel_format: PixelFormat,
) -> Array:
    """Stored values of a task as decoding its file gives them."""
    return pixel_format.restore(networks.synthesise(task, latents, [levels], size)[0])


# --- decoding ------------------------------------------------------------------------------------


def levels_of(header: Header, networks: Networks) -> dict[str, int]:
    """Quality levels by stream that a header tells."""
    levels = {SHARED: header.level}
    for name in networks.tasks:
        section = header.section(name)
        level = section.attributes.level if section is not None else None
        levels[name] = header.level if level is None else level
    return levels


def check(header: Header, name: str, networks: Networks) -> None:
    """Raise FormatError where the section of a task is not one that these networks make."""
    section, task = header.task(name), networks.tasks.get(name)
    attributes, reads = section.attributes, networks.graph.reads.get(name, ())
    fits = task is not None and attributes.channels == task.channels
    fits = fits and task is not None and (attributes.range is None or task.uses_scene_range(attributes.dtype))
    fits = fits and (SHARED in reads) == (SHARED in header.needs(name))
    if not fits or (name not in networks.graph.streams and attributes.level is not None):
        raise FormatError("does not fit the weights", section=name)


def decode(
    networks: Networks,
    readers: Sequence[Reader],
    pixel_formats: Sequence[Mapping[str, PixelFormat]],
    on_damage: OnDamage,
    window: Window,
) -> list[dict[str, Array]]:
    """Images of neural tasks of files of one size; of the whole, those rows and columns in ``window``.

    Args:
        pixel_formats: of each file, the tasks to decode, the same ones in all.
        on_damage: called for every damaged task (of any of the files).
    """
    header = readers[0].header
    size, names = (header.height, header.width), list(pixel_formats[0])
    levels = [levels_of(reader.header, networks) for reader in readers]
    latents = Latents()
    images: list[dict[str, Array]] = [{} for _ in readers]
    if any(SHARED in networks.graph.reads[name] for name in names):
        try:
            _decode_stream(networks, readers, SHARED, levels, latents)
        except SectionError as error:
            reason = f"its shared section is lost: {error.reason}"
            for name in names:
                on_damage(SectionError(reason, section=name, task=name))
            return images
    for name in names:
        try:
            if name in networks.graph.streams:
                _decode_stream(networks, readers, name, levels, latents)
            elif any(reader.payload(name) for reader in readers):
                raise SectionError("not empty, but the weights have no stream for it", section=name)
        except SectionError as error:
            on_damage(error.at(task=name))
            continue
        planes = networks.synthesise_part(name, latents, levels, size, window)
        for image_by_task, format_by_task, planes_of_file in zip(images, pixel_formats, planes):
            image_by_task[name] = format_by_task[name].crop(window).restore(planes_of_file)
    return images


def _decode_stream(
    networks: Networks,
    readers: Sequence[Reader],
    stream: str,
    levels: Sequence[Levels],
    latents: Latents,
) -> None:
    """Add a stream of all files to ``latents``.

    Raises:
        SectionError: damaged in any of the files.
    """
    size = readers[0].header.height, readers[0].header.width
    try:
        range_decoders = [Decoder(networks.tables, reader.payload(stream)) for reader in readers]
        with networks.inference():
            passes = networks.passes(stream, size, levels, latents)
            for coding_pass in passes:
                places = networks.places(coding_pass)
                table_indexes = networks.gather(coding_pass.table_indexes, places, np.uint8)
                symbols = (
                    range_decoder.take(indexes_of_file, coding_pass.max_abs)
                    for range_decoder, indexes_of_file in zip(range_decoders, table_indexes)
                )
                coding_pass.symbols = networks.scatter(symbols, places, coding_pass.table_indexes.shape)
        for range_decoder in range_decoders:
            range_decoder.finish()
    except SectionError:
        raise
    except FormatError as error:
        raise SectionError(error.reason, section=stream) from error
    latents.add(stream, passes)
