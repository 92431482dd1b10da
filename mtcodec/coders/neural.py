"""Sections that networks code: the streams of a scene's shared and task latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtcodec.bitstreams.range_coder import Decoder, Encoder
from mtcodec.coders.candidate import Candidate
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader
from mtcodec.container.section import SHARED
from mtcodec.errors import FormatError, SectionError
from mtcodec.networks.engine import Latents, Networks
from mtcodec.signals.mapping import Array, Window
from mtcodec.signals.signal import PixelFormat, Signal

Lost = Callable[[SectionError], None]
"""Called for every task that is lost to damage."""


@dataclass(frozen=True)
class NeuralScene:
    """What networks make of a scene.

    Attributes:
        shared: payload of the shared section, None where the weights have no such stream.
        tasks: the coding of every task that the networks know.
        quality: step of the shared stream.
    """

    networks: Networks
    shared: bytes | None
    tasks: dict[str, Candidate]
    quality: int


def encode(networks: Networks, signals: Mapping[str, Signal], steps: Mapping[str, int]) -> NeuralScene:
    """All of ``signals``, which the networks must know, in one pass.

    Args:
        steps: quality steps by stream, ``shared`` among them.
    """
    streams = networks.graph.streams
    coders = {name: Encoder(networks.tables) for name in streams if name == SHARED or name in signals}
    latents = networks.encode(signals, steps, lambda name, symbols, index: coders[name].put(symbols, index))
    payloads = {name: coder.finish() for name, coder in coders.items()}
    tasks = {}
    for name, signal in signals.items():
        size = (signal.height, signal.width)

        def decode(
            name: str = name, pixel_format: PixelFormat = signal.pixel_format, size: tuple[int, int] = size
        ) -> Array:
            return pixel_format.restore(networks.synthesise(name, latents, [steps], size)[0])

        own = steps[name] if name in streams and steps[name] != steps[SHARED] else None
        shared = SHARED in networks.graph.reads[name]
        payload = payloads.get(name, b"")  # a mixed codec has no streams of tasks' own
        tasks[name] = Candidate("neural", signal.pixel_format, payload, decode, signal, shared, own)
    return NeuralScene(networks, payloads.get(SHARED), tasks, steps[SHARED])


def steps_of(header: Header, networks: Networks) -> dict[str, int]:
    """Quality steps by stream that a header tells."""
    found = {SHARED: header.level}
    for name in networks.tasks:
        section = header.section(name)
        own = section.attributes.level if section is not None else None
        found[name] = header.level if own is None else own
    return found


def check(header: Header, name: str, networks: Networks) -> None:
    """Raise FormatError where the section of a task is not one that these networks make."""
    section, task = header.task(name), networks.tasks.get(name)
    own, reads = section.attributes, networks.graph.reads.get(name, ())
    fits = task is not None and own.channels == task.channels
    fits = fits and task is not None and (own.range is None or task.scene_range(own.dtype))
    fits = fits and (SHARED in reads) == (SHARED in header.needs(name))
    if not fits or (name not in networks.graph.streams and own.level is not None):
        raise FormatError("does not fit the weights", section=name)


def decode(
    networks: Networks,
    readers: Sequence[Reader],
    pixel_formats: Sequence[Mapping[str, PixelFormat]],
    lost: Lost,
    window: Window,
) -> list[dict[str, Array]]:
    """Images of neural tasks of files of one size; of the whole, those rows and columns in ``window``.

    Args:
        pixel_formats: of each file, the tasks to decode, the same ones in all.
        lost: called for every damaged task (of any of the files).
    """
    header = readers[0].header
    size, names = (header.height, header.width), list(pixel_formats[0])
    steps = [steps_of(reader.header, networks) for reader in readers]
    latents = Latents({}, {})
    images: list[dict[str, Array]] = [{} for _ in readers]
    if any(SHARED in networks.graph.reads[name] for name in names):
        try:
            _decode_stream(networks, readers, SHARED, steps, latents)
        except SectionError as error:
            for name in names:
                lost(SectionError(f"its shared section is lost: {error.reason}", section=name, task=name))
            return images
    for name in names:
        try:
            if name in networks.graph.streams:
                _decode_stream(networks, readers, name, steps, latents)
            elif any(reader.payload(name) for reader in readers):
                raise SectionError("not empty, but the weights have no stream for it", section=name)
        except SectionError as error:
            lost(error.at(task=name))
            continue
        planes = networks.synthesise_part(name, latents, steps, size, window)
        for image, pixel_format, own in zip(images, pixel_formats, planes):
            image[name] = pixel_format[name].crop(window).restore(own)
    return images


def _decode_stream(
    networks: Networks,
    readers: Sequence[Reader],
    name: str,
    steps: Sequence[Mapping[str, int]],
    latents: Latents,
) -> None:
    try:
        coders = [Decoder(networks.tables, reader.payload(name)) for reader in readers]
        size = readers[0].header.height, readers[0].header.width
        networks.decode(name, size, steps, lambda i, index, limit: coders[i].take(index, limit), latents)
        for coder in coders:
            coder.finish()
    except SectionError:
        raise
    except FormatError as error:
        raise SectionError(error.reason, section=name) from error
