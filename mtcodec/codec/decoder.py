"""Files to images: every section by the coder that its descriptor names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from mtcodec import threads
from mtcodec.coders import classical, labels
from mtcodec.coders import near_lossless as exact
from mtcodec.coders.candidate import pixel_format_of
from mtcodec.container.mtc import Reader
from mtcodec.container.section import mask_name
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.signals.holes import Mask
from mtcodec.signals.mapping import Array, Window
from mtcodec.signals.signal import PixelFormat

LARGE = 1 << 22  # pixels of images that are decoded one by one: codecs take up to 20 bytes a pixel

Scene = dict[str, Array]
Lost = Callable[[SectionError], None]
"""Called for every task that is lost to damage; without it, the first such error is raised."""
DECODERS: Mapping[str, Callable[[PixelFormat, bytes, int, int], Array]] = {
    "classical": classical.decode,
    "labels": labels.decode,
    "stepped": exact.decode_stepped,
    "raw": exact.decode_raw,
}


def decode(
    readers: Sequence[Reader],
    tasks: Iterable[str] | None,
    networks: Callable[[str], object],
    lost: Lost | None = None,
    window: Window | None = None,
    planar: bool = False,
) -> list[Scene]:
    """Images by task, in the dtypes of the originals.

    Args:
        readers: of files of one size, which have ``tasks`` in codings of the same sort; neural ones share
            passes through the networks.
        tasks: all of the first file's without it.
        networks: gives the networks of a fingerprint; called only if they are needed.
        window: rows and columns that are wanted of the images. Networks then compute little more.
        planar: leave images whose planes lie one by one in memory as they are.

    Raises:
        FormatError: damaged or hostile bytes. WeightsNotFound: from ``networks``.
        UsageError: a task that a file lacks, or files that differ.
    """
    header = readers[0].header
    wanted = list(header.tasks if tasks is None else dict.fromkeys(tasks))
    neural = [name for name in wanted if header.task(name).is_neural]
    for reader in readers[1:]:
        own = reader.header
        alike = [name for name in wanted if own.task(name).is_neural] == neural
        same = (own.height, own.width) == (header.height, header.width)
        if not (alike and same and (not neural or own.fingerprint == header.fingerprint)):
            raise UsageError("files of a batch differ in size, tasks or weights")
    report = lost or _raise
    part = window or (slice(0, header.height), slice(0, header.width))
    large = header.height * header.width > LARGE

    def begin(reader: Reader) -> tuple[dict[str, PixelFormat], Scene, list[SectionError]]:
        errors: list[SectionError] = []
        found = _forms(reader, wanted, errors.append)
        classical = {name: pixel_format for name, pixel_format in found.items() if name not in neural}
        images = _read(reader, classical, errors.append, large)
        return found, {name: image[part] for name, image in images.items()}, errors

    scenes: list[Scene] = []
    pixel_formats: list[dict[str, PixelFormat]] = []
    for found, scene, errors in threads.parallel_map(begin, readers, large):
        for error in errors:
            report(error)
        scenes.append(scene)
        pixel_formats.append({name: found[name] for name in neural if name in found})
    whole = [name for name in neural if all(name in own for own in pixel_formats)]
    if whole:
        known = [{name: own[name] for name in whole} for own in pixel_formats]
        images = _decode_neural(readers, known, networks, report, part)
        for scene, own_images in zip(scenes, images):
            scene |= own_images
    put = (lambda image: image) if planar else _interleaved
    return [{name: put(scene[name]) for name in wanted if name in scene} for scene in scenes]


def _interleaved(image: Array) -> Array:
    """The same with a pixel's channels side by side in memory."""
    if image.flags.c_contiguous:
        return image
    result = np.empty(image.shape, image.dtype)
    for channel in range(image.shape[-1]):  # three times as fast as NumPy's copy
        result[..., channel] = image[..., channel]
    return result


def _raise(error: SectionError) -> None:
    raise error


def _decode_neural(
    readers: Sequence[Reader],
    pixel_formats: Sequence[Mapping[str, PixelFormat]],
    networks: Callable[[str], object],
    report: Lost,
    window: Window,
) -> list[Scene]:
    from mtcodec.coders import neural  # needs onnxruntime
    from mtcodec.networks.engine import Networks

    own = networks(readers[0].header.fingerprint)
    assert isinstance(own, Networks)
    for reader in readers:
        for name in pixel_formats[0]:
            neural.check(reader.header, name, own)
    return neural.decode(own, readers, pixel_formats, report, window)


def _forms(reader: Reader, tasks: Sequence[str], report: Lost) -> dict[str, PixelFormat]:
    """How the samples of tasks stand for values; those whose section of holes is damaged are lost."""
    header, masks = reader.header, dict[int, Mask]()
    found: dict[str, PixelFormat] = {}
    for name in tasks:
        own = header.task(name).attributes
        try:
            if own.mask_index is not None and own.mask_index not in masks:
                payload = reader.payload(mask_name(own.mask_index))
                masks[own.mask_index] = labels.decode_mask(payload, header.height, header.width)
            found[name] = pixel_format_of(own, None if own.mask_index is None else masks[own.mask_index])
        except FormatError as error:
            report(SectionError(f"its holes are lost: {error.reason}", section=name, task=name))
    return found


def _read(reader: Reader, pixel_formats: Mapping[str, PixelFormat], report: Lost, large: bool) -> Scene:
    """The images of sections that no network decodes, without those that are lost."""
    header, payloads = reader.header, dict[str, bytes]()
    for name in pixel_formats:
        try:
            payloads[name] = reader.payload(name)
        except SectionError as error:
            report(error.at(task=name))

    def decode(name: str) -> Array | SectionError:
        try:
            coding = header.task(name).coding
            return DECODERS[coding](pixel_formats[name], payloads[name], header.height, header.width)
        except FormatError as error:
            return SectionError(error.reason, section=name, task=name)

    scene: Scene = {}
    for name, found in zip(payloads, threads.parallel_map(decode, list(payloads), large), strict=True):
        if isinstance(found, SectionError):
            report(found)
        else:
            scene[name] = found
    return scene
