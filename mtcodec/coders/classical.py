"""Sections that hold a classical code stream: lossy JPEG XL or AV1 instead of the networks' symbols.

::

    image ─ fill holes ─ map to planes ─ samples ─► code stream ─► samples ─► planes ─ as the networks'

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtcodec.bitstreams import av1, jxl
from mtcodec.errors import FormatError
from mtcodec.format.container import Section
from mtcodec.signal import layers
from mtcodec.signal.layers import Prepared
from mtcodec.signal.mapping import Array
from mtcodec.signal.measures import errors
from mtcodec.tasks.task import Task

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
AV1_8, AV1_10 = (Way(AV1, bits, av1.QUALITIES[bits], (9, 6, 4)) for bits in (8, 10))
JXL_8, JXL_16 = (Way(JXL, bits, _DISTANCES, (3, 5, 7)) for bits in (8, 16))
LARGE = 1 << 20  # pixels; of larger images, drafts see the middle only
SLOPE = 0.3  # dB that a setting usually brings
CLOSE = 0.1  # dB above what is asked for, about 1 % of the bytes
PATIENCE = 8  # tries before settings are halved instead
WORTH = 1.3  # drafts of JPEG XL that need so many times the bytes of the best one are not looked at further
NEAR = 1.1  # so it is with any way, by what its first thorough encodings make expect
AHEAD = 0.08  # of its settings, by which a thorough encoding needs less than a draft
GROWTH = 0.11  # of the logarithm of bytes, for a dB


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


def lowest(psnr_at: Callable[[int], float], goal: float, count: int, start: int) -> int | None:
    """The lowest of ``count`` settings whose PSNR, which grows with them, reaches ``goal``; None if none.

    One whose PSNR is less than CLOSE above is good enough. Begins with ``start`` and goes on where a straight
    line through what is known reaches the goal: encoding is slow.
    """
    low, high, seen = -1, count, dict[int, float]()  # low does not reach, high does (or is beyond the end)
    at = min(max(start, 0), count - 1)
    while high - low > 1:
        seen[at] = psnr_at(at)
        low, high = (low, at) if seen[at] >= goal else (at, high)
        if 0 <= seen[at] - goal < CLOSE:
            return at
        if len(seen) > PATIENCE:  # no line
            at = (low + high) // 2
            continue
        near = sorted(seen, key=lambda known: abs(seen[known] - goal))[:2]
        slope = (seen[near[0]] - seen[near[-1]]) / (near[0] - near[-1]) if len(near) > 1 else SLOPE
        at = near[0] + math.ceil((goal - seen[near[0]]) / max(slope, SLOPE / 10))
        at = min(max(at, low + 1), high - 1)
    return high if high < count else None


class Trials:
    """Encodings of an image in one way with one effort, each made once."""

    def __init__(self, task: Task, image: Array, prepared: Prepared, way: Way, effort: int) -> None:
        self.task, self.image, self.prepared = task, image, prepared
        self.way, self.effort = way, effort
        self.payloads: dict[int, bytes] = {}
        self.psnrs: dict[int, float] = {}

    def psnr(self, at: int) -> float:
        """PSNR at the setting of index ``at``."""
        if at not in self.psnrs:
            self.payloads[at] = encode(self.prepared, self.way, self.way.settings[at], self.effort)
            self.psnrs[at] = fidelity(self.task, self.image, self.prepared, self.payloads[at])
        return self.psnrs[at]

    def expected(self, psnr: float, start: int) -> float:
        """About how many bytes ``psnr`` needs, after encodings at ``start`` and where that points to."""
        off = psnr - self.psnr(start)
        at = min(max(start + math.ceil(off / SLOPE), 0), len(self.way.settings) - 1)
        better = psnr - self.psnr(at)
        return len(self.payloads[at]) * math.exp(better * GROWTH)

    def match(self, psnr: float, start: int) -> Match | None:
        """The smallest payload that reaches ``psnr``; None where no setting does."""
        at = lowest(self.psnr, psnr, len(self.way.settings), start)
        return None if at is None else Match(self.way, at, self.payloads[at], len(self.payloads[at]))


def drafts(task: Task, image: Array, prepared: Prepared, decoded: Array) -> list[Match]:
    """Quick matches of all ways that are as close to ``image`` as ``decoded``, the smallest first."""
    share = 1.0
    if large(image):
        side = math.isqrt(LARGE)
        window = tuple(slice(max(0, (n - side) // 2), (n - side) // 2 + side) for n in image.shape[:2])
        share = image[window].size / image.size
        image, decoded, prepared = image[window], decoded[window], layers.crop(prepared, window)
    psnr = errors(task, image, decoded)["psnr"]
    trials = [Trials(task, image, prepared, way, way.efforts[0]) for way in ways(task, image)]
    found = [one.match(psnr, len(one.way.settings) // 2) for one in trials]
    return sorted((replace(m, size=m.size / share) for m in found if m), key=lambda m: m.size)


def best(task: Task, image: Array, prepared: Prepared, psnr: float, quick: Sequence[Match]) -> bytes | None:
    """The smallest payload that reaches ``psnr``, starting from the more promising ones of ``quick``.

    Of large images, from the first one only.
    """
    promising = [m for m in quick if m.way.codec == AV1 or m.size <= WORTH * quick[0].size]
    promising = promising[: 1 if large(image) else None]
    starts = [max(0, m.at - round(AHEAD * len(m.way.settings))) for m in promising]
    trials = [
        Trials(task, image, prepared, m.way, m.way.efforts[1 if large(image) else 2]) for m in promising
    ]
    if len(trials) > 1:
        sizes = [one.expected(psnr, at) for one, at in zip(trials, starts)]
        near = [i for i, size in enumerate(sizes) if size <= NEAR * min(sizes)]
        trials, starts = [trials[i] for i in near], [starts[i] for i in near]
    found = [one.match(psnr, at) for one, at in zip(trials, starts)]
    return min((m.payload for m in found if m), key=len, default=None)


def large(image: Array) -> bool:
    """Is encoding it slow enough to be spared?"""
    return bool(image.shape[0] * image.shape[1] > LARGE)
