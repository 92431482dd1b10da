"""Lossy code streams of classical codecs instead of the networks' symbols.

::

    planes ─ samples of b bits ─► code stream ─► samples ─► planes ─ Form.restore

Unit vectors are projected to two planes, which lie side by side in one picture
(:mod:`mtcodec.signal.projection`). A payload is a byte that names the codec, the projection, if there is one,
then the codec's stream. To add a codec, write its bytes in ``bitstreams``
and add it to :data:`CODECS`, with its settings by λ in :data:`WAYS`. Imports no torch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import av1, jxl
from mtcodec.coders.coded import Coded
from mtcodec.errors import FormatError
from mtcodec.format.quality import STEPS, step_of
from mtcodec.signal.mapping import Array, parts
from mtcodec.signal.projection import Projection
from mtcodec.signal.signal import Form, Signal

Samples = npt.NDArray[Any]
SPEEDS = {"draft": 9, "fast": 7, "normal": 5, "thorough": 4, "best": 3}
"""By effort, of libaom: 0 (slow) to 10. Speed 5 costs 2 % more than 4 and takes 0.65 of its time; 6 costs 7
% (rgb, normals) to 12 % (depth) more and takes 0.2."""
LARGE = 1 << 21  # pixels of an image from which on the speed is that of ``fast``


@dataclass(frozen=True)
class Codec:
    """A classical codec.

    Attributes:
        id: its byte in payloads, for ever.
        encode: samples (H, W) or (H, W, 3), bits, setting, effort → stream.
        decode: stream, shape → samples and bits, or FormatError.
        max_side: of images, in pixels.
    """

    name: str
    id: int
    encode: Callable[[Samples, int, float, str], bytes]
    decode: Callable[[bytes, tuple[int, ...]], tuple[Samples, int]]
    max_side: int


def _encode_av1(samples: Samples, bits: int, setting: float, effort: str) -> bytes:
    return av1.encode_samples(samples, bits, round(setting), SPEEDS[effort])


_JXL_EFFORTS = {"draft": 3, "fast": 5, "normal": 7, "thorough": 7, "best": 7}


def _encode_jxl(samples: Samples, bits: int, setting: float, effort: str) -> bytes:
    return jxl.encode_lossy(samples, setting, _JXL_EFFORTS[effort])


def _decode_jxl(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    samples = jxl.decode_samples(stream, shape)
    return samples, 8 * samples.itemsize


CODECS = {
    codec.name: codec
    for codec in (
        Codec("jxl", 0, _encode_jxl, _decode_jxl, 1 << 20),
        Codec("av1", 1, _encode_av1, av1.decode_samples, av1.MAX_SIDE),
    )
}


@dataclass(frozen=True)
class Way:
    """One way to use a codec.

    Attributes:
        bits: per sample.
        settings: the codec's setting that costs least, at every 192nd quality step of λ · weight, linear in
            between; by columns, of which :attr:`mtcodec.tasks.Kind.settings` names one.
        steps: where it has been seen to cost less than the others for some pictures, by columns.
        projected: of unit vectors, two planes of them. Its table is over λ · weight · gain of the projection.
    """

    codec: str
    bits: int
    settings: dict[str, Sequence[float]]
    steps: dict[str, tuple[int, int]]
    projected: bool = False

    @property
    def name(self) -> str:
        return f"{self.codec}-{self.bits}" + "-projected" * self.projected

    def setting(self, column: str, step: int) -> float:
        points = self.settings[column]
        return float(np.interp(step, np.linspace(0, STEPS, len(points)), points))

    def round(self, setting: float) -> float:
        """The nearest setting that the codec has."""
        if self.codec == "av1":
            return float(min(max(round(setting), 0), av1.QUALITIES[self.bits][-1]))
        return min(max(float(f"{setting:.2g}"), 0.01), 25.0)


# Measured on 17 pictures of training scenes (docs/results.md): the setting that costs least for all of them
# together, at most 384×384 pixels of each, AV1 at speed 4 and JPEG XL at effort 7; projected vectors on 15 at
# speed 6.
WAYS = (
    Way(
        "av1", 8,
        {
            "color": (0, 2, 4, 12, 20, 29.5, 37, 46.5, 53, 63, 74, 83, 88, 92.5, 95),
            "depth": (0, 0, 2, 5, 10, 24, 35.5, 43.5, 54.5, 61.5, 70.5, 82.5, 85.5, 90.5, 94.5),
            "vectors": (0, 0, 3, 6, 16, 22, 32, 40.5, 50.5, 58.5, 69.5, 79.5, 85, 90, 94),
        },
        {"color": (0, 2304), "depth": (0, 1728), "vectors": (0, 2304)},
    ),
    Way(
        "av1", 10,
        {
            "color": (0, 0, 1, 9, 18, 29, 38.5, 46.5, 58.5, 67, 76, 86, 90.5, 93, 95),
            "depth": (0, 0, 0, 4, 10, 21.5, 31, 40.5, 48, 54.5, 67, 74, 81.5, 85, 91),
            "vectors": (0, 0, 1, 6, 14.5, 26, 33, 45, 54.5, 66.5, 76, 86.5, 91, 93, 94.5),
        },
        {"color": (960, STEPS), "depth": (960, STEPS), "vectors": (960, STEPS)},
    ),
    Way(
        "av1", 8,
        {"vectors": (0, 1, 6, 11, 22, 30, 38, 47, 55, 68, 77, 84, 90, 93, 95)}, {"vectors": (0, 2304)},
        projected=True,
    ),
    Way(
        "av1", 10,
        {"vectors": (0, 0, 1, 8, 16, 29, 36, 48, 56, 68, 76, 82, 88, 90, 92)}, {"vectors": (768, STEPS)},
        projected=True,
    ),
    Way(
        "jxl", 16,
        {
            "color": (25, 25, 22, 17, 12.4, 9.2, 6, 3.8, 2.2, 1.6, 0.95, 0.7, 0.4, 0.23, 0.15),
            "depth": (25, 25, 25, 25, 22, 16, 8.5, 6.1, 4.9, 2.9, 2, 1.74, 1.1, 0.76, 0.5),
            "vectors": (25, 25, 22, 16, 10.5, 8.1, 5.9, 3.95, 2.3, 1.54, 0.9, 0.79, 0.43, 0.28, 0.2),
        },
        {"color": (1, 0), "depth": (1, 0), "vectors": (1, 0)},
    ),
)  # fmt: skip
NEIGHBOURS = 4.0  # AV1's settings that the effort ``best`` tries beside the usual one
PROJECTED = 128  # in the byte that names the codec
_PROJECTION = struct.Struct("<3bB")


def possible(signal: Signal) -> bool:
    """Can classical codecs code images of this shape?"""
    return signal.task.channels in (1, 3)


def ways(signal: Signal, lam: float, effort: str) -> list[Way]:
    """The ways worth trying at this λ · weight."""
    column, projection = signal.task.rules.settings, signal.projection
    able = [way for way in WAYS if suits(way, signal)]
    if projection is not None and not projection.torn:
        able = [way for way in able if way.projected] or able
    usual = [way for way in able if way.steps[column][0] <= _step(way, signal, lam) <= way.steps[column][1]]
    return usual if usual and effort != "best" else able


def suits(way: Way, signal: Signal) -> bool:
    """Can ``signal`` be coded in this way?"""
    if way.projected and signal.projection is None:
        return False
    sides = signal.height, signal.width * (1 + way.projected)
    return max(sides) <= CODECS[way.codec].max_side


def _step(way: Way, signal: Signal, lam: float) -> int:
    """Where in its table a way is at this λ · weight."""
    projection = signal.projection if way.projected else None
    return step_of(lam if projection is None else lam * projection.gain)


def settings(signal: Signal, way: Way, lam: float, effort: str) -> list[float]:
    """Settings of a way at this λ · weight: the usual one, for the effort ``best`` its neighbours too."""
    own = way.setting(signal.task.rules.settings, _step(way, signal, lam))
    tried = [own]
    if effort == "best":
        tried += [own * 1.2, own / 1.2] if way.codec == "jxl" else [own - NEIGHBOURS, own + NEIGHBOURS]
    return list(dict.fromkeys(way.round(setting) for setting in tried))


def encode(signal: Signal, way: Way, setting: float, effort: str) -> Coded:
    """``signal`` coded in one way, at a setting of its codec."""
    codec = CODECS[way.codec]
    if effort in ("normal", "thorough") and signal.height * signal.width > LARGE:
        effort = "fast"
    bits = 8 if way.codec == "jxl" and signal.form.dtype == "uint8" and not _ranged(signal) else way.bits
    projection = signal.projection if way.projected else None
    samples = to_samples(signal, bits, projection)
    head = bytes([codec.id]) if projection is None else pack_projection(codec.id, projection)
    stream = codec.encode(samples, bits, setting, effort)

    shape = samples.shape  # the samples themselves are not kept

    def decode() -> Array:
        return from_samples(signal.form, *codec.decode(stream, shape), projection)

    return Coded("classical", signal.form, head + stream, decode, signal.squared_error)


def _ranged(signal: Signal) -> bool:
    return signal.task.scene_range(signal.form.dtype)


def to_samples(signal: Signal, bits: int, projection: Projection | None = None) -> Samples:
    """Planes as unsigned samples of ``bits`` bits, (H, W), (H, W, 3), or projected (H, 2 · W)."""
    height, width = signal.height, signal.width
    shape = (height, 2 * width) if projection else signal.image.shape
    samples = np.empty(shape if signal.task.channels > 1 else shape[:2], np.uint8 if bits == 8 else np.uint16)
    for rows in parts(height, width):
        if projection is not None:
            planes = np.concatenate(projection.to_planes(signal.vectors(rows)), axis=1)[None]
        else:
            planes = signal.rows(rows)
        own = np.rint(np.moveaxis(planes, 0, -1) * float(2**bits - 1))
        samples[rows] = own[..., 0] if samples.ndim == 2 else own
    return samples


def from_samples(form: Form, samples: Samples, bits: int, projection: Projection | None = None) -> Array:
    """Stored values of decoded samples."""
    planes = np.moveaxis(samples.reshape(*samples.shape[:2], -1), -1, 0).astype(np.float32)
    planes /= float(2**bits - 1)
    if projection is not None:
        halves = np.stack(np.split(planes[0], 2, axis=1))
        planes = np.empty((3, *halves.shape[1:]), np.float32)
        for rows in parts(*halves.shape[1:]):
            planes[:, rows] = projection.to_vectors(halves[:, rows]) * 0.5 + 0.5
    return form.restore(planes)


def pack_projection(codec: int, projection: Projection) -> bytes:
    """Codec and projection as a payload begins with them."""
    return bytes([codec | PROJECTED]) + _PROJECTION.pack(*projection.direction, projection.scale)


def parse_projection(payload: bytes, form: Form) -> Projection:
    """The projection of a payload that has one.

    Raises:
        FormatError: damaged.
    """
    if len(payload) < 1 + _PROJECTION.size or not form.unit_vectors:
        raise FormatError("a projection of what is no unit vectors")
    *direction, scale = _PROJECTION.unpack_from(payload, 1)
    if not any(direction):
        raise FormatError("a projection around no direction")
    return Projection((direction[0], direction[1], direction[2]), scale)


def decode(form: Form, payload: bytes, height: int, width: int) -> Array:
    """The image of a classical section.

    Raises:
        FormatError: damaged.
    """
    if form.channels not in (1, 3):
        raise FormatError("a classical section of neither one nor three channels")
    first = payload[0] if payload else 255
    codec = next((c for c in CODECS.values() if c.id == first & ~PROJECTED), None)
    if codec is None:
        raise FormatError("an unknown classical codec")
    if first & PROJECTED:
        projection, stream = parse_projection(payload, form), payload[1 + _PROJECTION.size :]
        return from_samples(form, *codec.decode(stream, (height, 2 * width)), projection)
    shape = (height, width) if form.channels == 1 else (height, width, form.channels)
    return from_samples(form, *codec.decode(payload[1:], shape))
