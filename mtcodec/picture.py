"""Sections that hold a classical code stream: lossy JPEG XL or AV1 instead of the networks' symbols.

::

    image ─ fill holes ─ map to planes ─ samples ─► code stream ─► samples ─► planes ─ as the networks'

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from mtcodec import layers
from mtcodec.container import Section
from mtcodec.data.planes import Array
from mtcodec.entropy import av1, jxl
from mtcodec.errors import FormatError
from mtcodec.layers import Prepared
from mtcodec.metrics import errors
from mtcodec.tasks import Task

JXL, AV1 = range(2)  # the codec byte of a payload; ids for ever


@dataclass(frozen=True)
class Way:
    """One way to code an image.

    Attributes:
        bits: per sample, 8, 10 or 16.
        settings: libavif's qualities, or distances of JPEG XL; from few bytes to many.
        efforts: speeds (AV1) or efforts (JPEG XL): for drafts, for large images, and for others.
    """

    codec: int
    bits: int
    settings: Sequence[float]
    efforts: tuple[int, int, int]


_DISTANCES = tuple(25 * (0.02 / 25) ** (i / 100) for i in range(101))
AV1_8, AV1_10 = (Way(AV1, bits, av1.QUALITIES, (9, 6, 4)) for bits in (8, 10))
JXL_8, JXL_16 = (Way(JXL, bits, _DISTANCES, (3, 5, 7)) for bits in (8, 16))
LARGE = 1 << 20  # pixels; of larger images, drafts see the middle only
WORTH = 1.35  # drafts that need so many times the bytes of the best one are not looked at further


@dataclass(frozen=True)
class Match:
    """A payload that reaches a PSNR with as few bytes as its way allows.

    Attributes:
        at: index of its setting.
        size: bytes, of a draft of the middle those expected for the whole image.
    """

    way: Way
    at: int
    payload: bytes
    size: float


def ways(task: Task, image: Array) -> list[Way]:
    """The ways worth trying for ``image``: 16 bits are for values that 8 cannot hold."""
    if task.channels not in (1, 3) or max(image.shape[:2]) > av1.MAX_SIDE:
        return []
    deep = image.dtype != np.uint8 or task.scene_range(image.dtype.name)
    return [AV1_8, AV1_10, JXL_16 if deep else JXL_8]


def encode(prepared: Prepared, way: Way, setting: float, effort: int) -> bytes:
    """The payload of a prepared image: layers, the codec, its stream."""
    planes = np.moveaxis(prepared.planes, 0, -1)
    planes = planes[..., 0] if planes.shape[2] == 1 else planes
    samples = np.rint(planes * float(2**way.bits - 1)).astype(np.uint8 if way.bits == 8 else np.uint16)
    if way.codec == AV1:
        stream = av1.encode_samples(np.ascontiguousarray(samples), way.bits, int(setting), effort)
    else:
        stream = jxl.encode_lossy(samples, setting, effort)
    return layers.pack(prepared.layers) + bytes([way.codec]) + stream


def decode(task: Task, section: Section, payload: bytes, height: int, width: int) -> Array:
    """The image of a classical section.

    Raises:
        FormatError: damaged.
    """
    if task.scene_range(section.dtype) != (section.range is not None):
        raise FormatError("a range that does not fit the task")
    around, rest = layers.parse(payload, height, width, task.channels, section)
    shape = (height, width) if task.channels == 1 else (height, width, task.channels)
    codec = rest[0] if rest else -1
    if codec == JXL:
        samples = jxl.decode_samples(rest[1:], shape)
        bits = 8 * samples.itemsize
    elif codec == AV1:
        samples, bits = av1.decode_samples(rest[1:], shape)
    else:
        raise FormatError("an unknown classical codec")
    planes = np.moveaxis(samples.reshape(height, width, -1), -1, 0).astype(np.float32) / float(2**bits - 1)
    return layers.restore(task, planes, section, around)


def limits_of(task: Task, prepared: Prepared) -> tuple[float, float] | None:
    """The range that goes into the section's descriptor."""
    scale = prepared.scale
    return (scale.low, scale.high) if task.scene_range(prepared.image.dtype.name) else None


def fidelity(task: Task, image: Array, prepared: Prepared, payload: bytes) -> float:
    """PSNR in dB of what ``payload`` decodes to, over pixels of ``image`` that are no holes."""
    section = Section(task.name, "classical", image.dtype.name, None, limits_of(task, prepared), 0, 0)
    return errors(task, image, decode(task, section, payload, *image.shape[:2]))["psnr"]


def lowest(reaches: Callable[[int], bool], count: int, start: int, stride: int) -> int | None:
    """The lowest of ``count`` indices that ``reaches``, which is monotone; None if none does.

    Looks around ``start`` in growing strides first.
    """
    low, high = -1, count  # low does not reach, high does (or is beyond the end)
    at = min(max(start, 0), count - 1)
    while low < at < high:
        if reaches(at):
            high, at = at, max(at - stride, low)
        else:
            low, at = at, min(at + stride, high)
        stride *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high if high < count else None


def match(
    task: Task, image: Array, prepared: Prepared, way: Way, psnr: float, draft: Match | None = None
) -> Match | None:
    """The smallest payload of ``way`` that reaches ``psnr``: in haste, or thoroughly, starting from a draft.

    None where no setting reaches it.
    """
    effort = way.efforts[0 if draft is None else 1 if _large(image) else 2]
    tried: dict[int, bytes] = {}

    def reaches(at: int) -> bool:
        tried[at] = encode(prepared, way, way.settings[at], effort)
        return fidelity(task, image, prepared, tried[at]) >= psnr

    count = len(way.settings)
    found = lowest(reaches, count, *((draft.at - 1, 2) if draft else (count // 2, 12)))
    return None if found is None else Match(way, found, tried[found], len(tried[found]))


def drafts(task: Task, image: Array, prepared: Prepared, decoded: Array) -> list[Match]:
    """Quick matches of all ways that are as close to ``image`` as ``decoded``, the smallest first."""
    share = 1.0
    if _large(image):
        side = math.isqrt(LARGE)
        window = tuple(slice(max(0, (n - side) // 2), (n - side) // 2 + side) for n in image.shape[:2])
        share = image[window].size / image.size
        image, decoded, prepared = image[window], decoded[window], layers.crop(prepared, window)
    psnr = errors(task, image, decoded)["psnr"]
    found = (match(task, image, prepared, way, psnr) for way in ways(task, image))
    return sorted((replace(m, size=m.size / share) for m in found if m), key=lambda m: m.size)


def best(task: Task, image: Array, prepared: Prepared, psnr: float, quick: Sequence[Match]) -> bytes | None:
    """The smallest payload that reaches ``psnr``, starting from the more promising ones of ``quick``."""
    promising = [m for m in quick if m.size <= WORTH * quick[0].size]
    with ThreadPoolExecutor() as pool:  # codecs release the interpreter's lock
        found = pool.map(lambda m: match(task, image, prepared, m.way, psnr, m), promising)
        return min((m.payload for m in found if m), key=len, default=None)


def _large(image: Array) -> bool:
    return bool(image.shape[0] * image.shape[1] > LARGE)
