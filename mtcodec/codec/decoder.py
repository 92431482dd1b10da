"""Files to images: every section by the coder that its descriptor names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mtcodec import threads
from mtcodec.coders import classical, labels, near_lossless, raw
from mtcodec.coders.candidate import pixel_format_of
from mtcodec.container.frame_reader import FrameReader, frame_readers
from mtcodec.container.mtc import Reader
from mtcodec.container.section import Section, Size, array_shape
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.signals.holes import Mask
from mtcodec.signals.mapping import Array, Window
from mtcodec.signals.signal import PixelFormat

if TYPE_CHECKING:
    from mtcodec.networks.engine import Networks

MAX_PARALLEL_PIXELS = 1 << 22  # of images that are decoded side by side: codecs take up to 20 bytes a pixel

Scene = dict[str, Array]
OnDamage = Callable[[SectionError], None]
"""Called for every task that is lost to damage; without it, the first such error is raised."""
LoadNetworks = Callable[[str], "Networks"]
"""Gives the networks of a fingerprint."""
DECODERS: Mapping[str, Callable[[PixelFormat, bytes, int, int], Array]] = {
    "classical": classical.decode,
    "labels": labels.decode,
    near_lossless.CODING: near_lossless.decode,
    "raw": raw.decode,
}
"""By coding, all but ``neural``: networks decode the streams of several files together."""


@dataclass
class _Decoding:
    """A file while it is decoded: pixel formats and images by task, and errors of tasks that are lost."""

    reader: Reader
    pixel_formats: dict[str, PixelFormat] = field(default_factory=dict)
    images: Scene = field(default_factory=dict)
    errors: list[SectionError] = field(default_factory=list)


def decode(
    readers: Sequence[Reader],
    tasks: Iterable[str] | None,
    load_networks: LoadNetworks,
    on_damage: OnDamage | None = None,
    windows: Mapping[str, Window] = {},
    planar: bool = False,
) -> list[Scene]:
    """Images by task, in the dtypes and shapes of the originals.

    Args:
        readers: of scenes, or frames of groups, that have ``tasks`` in codings of the same sort. Their neural
            tasks are of one size, and share passes through the networks.
        tasks: all of the first file's without it.
        load_networks: called only if networks are needed.
        windows: by task, rows and columns that are wanted of the images. Networks then compute little more.
        planar: leave images whose planes lie one by one in memory as they are.

    Raises:
        FormatError: damaged or hostile bytes. WeightsNotFound: from ``load_networks``.
        UsageError: a task that a file lacks, or files that differ.
    """
    header = readers[0].header
    names = list(header.tasks if tasks is None else dict.fromkeys(tasks))
    neural_names = [name for name in names if header.task(name).is_neural]
    _check_alike(readers, names, neural_names)
    on_damage = on_damage or _raise
    sizes = (reader.header.size_of(name) for reader in readers for name in names)
    run_serially = max(map(math.prod, sizes), default=0) > MAX_PARALLEL_PIXELS

    def decode_without_networks(reader: Reader) -> _Decoding:
        decoding = _Decoding(reader)
        _decode_masks(decoding, names)
        _decode_non_neural(decoding, [name for name in names if name not in neural_names], run_serially)
        for name in decoding.images.keys() & windows.keys():
            decoding.images[name] = decoding.images[name][windows[name]]
        return decoding

    decodings = threads.parallel_map(decode_without_networks, readers, serial=run_serially)
    for decoding in decodings:
        for error in decoding.errors:
            on_damage(error)
    decodable = [name for name in neural_names if all(name in one.pixel_formats for one in decodings)]
    if decodable:
        window = windows.get(decodable[0]) or whole_window((header.height, header.width))
        _decode_neural(decodings, decodable, load_networks, on_damage, window)
    return [
        {
            name: _as_array(decoding.images[name], decoding.reader.header.task(name), planar)
            for name in names
            if name in decoding.images
        }
        for decoding in decodings
    ]


def decode_frames(
    reader: Reader,
    tasks: Iterable[str] | None,
    frames: Iterable[int] | None,
    load_networks: LoadNetworks,
    on_damage: OnDamage | None = None,
) -> list[Scene]:
    """Images by task for some frames of a group, or for all of them; a frame may lack tasks.

    Frames that have the same tasks are decoded together, a few at a time. For arguments and errors see
    :func:`decode`; ``on_damage`` is called for frames that are lost.
    """
    names = list(reader.header.tasks if tasks is None else dict.fromkeys(tasks))
    for name in names:
        reader.header.task(name)
    files = frame_readers(reader, frames)
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, file in enumerate(files):
        alike.setdefault(tuple(name for name in names if name in file.header.tasks), []).append(number)
    scenes: list[Scene] = [{} for _ in files]
    for present, numbers in alike.items():
        pixels = max(
            (math.prod(reader.header.size_of(name)) for name in present), default=MAX_PARALLEL_PIXELS
        )
        count = max(1, MAX_PARALLEL_PIXELS // pixels)
        for start in range(0, len(numbers) if present else 0, count):
            part = numbers[start : start + count]
            decoded = decode([files[number] for number in part], present, load_networks, on_damage)
            for number, scene in zip(part, decoded):
                scenes[number] = scene
    return scenes


def whole_window(size: Size) -> Window:
    """All rows and columns."""
    return slice(0, size[0]), slice(0, size[1])


def _as_array(image: Array, section: Section, planar: bool) -> Array:
    """An image in the shape of the task's arrays."""
    attributes, (height, width) = section.attributes, image.shape[:2]
    array = image.reshape(array_shape(attributes.shape, (height, width), attributes.channels))
    return array if planar else _interleaved(array)


def _check_alike(readers: Sequence[Reader], names: Sequence[str], neural_names: Sequence[str]) -> None:
    """Raise UsageError unless files have the same neural tasks and, for these, one size and weights.

    Raises:
        FormatError: several frames, which no scene has.
    """
    first = readers[0].header
    for reader in readers:
        if reader.header.frame_count > 1:
            raise FormatError(f"a group of {reader.header.frame_count} frames, not a scene")
    for reader in readers[1:]:
        header = reader.header
        same_neural = [name for name in names if header.task(name).is_neural] == neural_names
        same_networks = (header.height, header.width, header.fingerprint) == (
            first.height, first.width, first.fingerprint,
        )  # fmt: skip
        if not same_neural or (neural_names and not same_networks):
            raise UsageError("files of a batch differ in size, tasks or weights")


def _raise(error: SectionError) -> None:
    raise error


def _interleaved(image: Array) -> Array:
    """The same with a pixel's channels side by side in memory."""
    if image.flags.c_contiguous:
        return image
    result = np.empty(image.shape, image.dtype)
    for channel in range(image.shape[-1]):  # three times as fast as NumPy's copy
        result[..., channel] = image[..., channel]
    return result


def _decode_masks(decoding: _Decoding, names: Sequence[str]) -> None:
    """How the samples of tasks stand for values; those whose mask of holes is damaged are lost."""
    reader, masks = decoding.reader, dict[str, Mask]()
    header = reader.header
    for name in names:
        mask_name = header.task(name).mask
        try:
            if mask_name is not None and mask_name not in masks:
                payload = reader.payload(mask_name)
                masks[mask_name] = labels.decode_mask(payload, *header.size_of(mask_name))
            mask = None if mask_name is None else masks[mask_name]
            decoding.pixel_formats[name] = pixel_format_of(header.task(name).attributes, mask)
        except FormatError as error:
            reason = f"its holes are lost: {error.reason}"
            decoding.errors.append(SectionError(reason, section=name, task=name))


def _decode_non_neural(decoding: _Decoding, names: Sequence[str], run_serially: bool) -> None:
    """The images of sections that no network decodes, without those that are lost."""
    reader, payloads, readable = decoding.reader, dict[str, bytes](), list[str]()
    header = reader.header
    for name in names:
        if name in decoding.pixel_formats:
            try:
                if not (isinstance(reader, FrameReader) and header.task(name).is_joint):
                    payloads[name] = reader.payload(name)
                readable.append(name)
            except SectionError as error:
                decoding.errors.append(error.at(task=name))

    def decode_section(name: str) -> Array | SectionError:
        decoder, pixel_format = DECODERS[header.task(name).coding], decoding.pixel_formats[name]
        height, width = header.size_of(name)

        def decode_images(payload: bytes, count: int = 1) -> Array:
            return decoder(pixel_format, payload, count * height, width)

        try:
            if not isinstance(reader, FrameReader) or name in payloads:
                return decode_images(payloads[name])
            images, index = reader.joint(name, decode_images)
            return images if len(images) == height else images[index * height :][:height].copy()
        except FormatError as error:
            return SectionError(error.reason, section=name, task=name)

    results = threads.parallel_map(decode_section, readable, serial=run_serially)
    for name, result in zip(readable, results):
        if isinstance(result, SectionError):
            decoding.errors.append(result)
        else:
            decoding.images[name] = result


def _decode_neural(
    decodings: Sequence[_Decoding],
    names: Sequence[str],
    load_networks: LoadNetworks,
    on_damage: OnDamage,
    window: Window,
) -> None:
    """Add the images of neural tasks, which all files have, in one pass through the networks."""
    from mtcodec.coders import neural  # needs onnxruntime

    readers = [decoding.reader for decoding in decodings]
    networks = load_networks(readers[0].header.fingerprint)
    for reader in readers:
        for name in names:
            neural.check(reader.header, name, networks)
    pixel_formats = [{name: one.pixel_formats[name] for name in names} for one in decodings]
    images = neural.decode(networks, readers, pixel_formats, on_damage, window)
    for decoding, images_of_file in zip(decodings, images):
        decoding.images |= images_of_file
