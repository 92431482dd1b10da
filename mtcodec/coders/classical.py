"""Lossy code streams of classical codecs instead of the networks' symbols.

::

    planes ─ samples of b bits ─► code stream ─► samples ─► planes ─ PixelFormat.restore

Unit vectors are projected to two planes, which lie side by side in one picture
(:mod:`mtcodec.signals.projection`), three channels are turned for AV1 (:mod:`mtcodec.signals.rotation`). A
payload is a byte that names the codec, the projection or rotation, if there is one, then the codec's stream.
To add a codec, write its bytes in ``bitstreams`` and add it to :data:`CODECS`, with its settings by λ in
:data:`CODING_MODES`. Imports no torch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import av1, jxl
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import FormatError
from mtcodec.quality import MAX_LEVEL, level_of_lambda
from mtcodec.signals.mapping import UNIT_RANGE, Array, row_chunks
from mtcodec.signals.projection import Projection
from mtcodec.signals.rotation import Rotation
from mtcodec.signals.signal import PixelFormat, Signal

Samples = npt.NDArray[Any]
SPEEDS = {"draft": 9, "fast": 6, "normal": 5, "thorough": 4, "best": 3}
"""By effort, of libaom: 0 (slow) to 10. Speed 5 costs 1 to 2 % more than 4 and takes 0.7 of its time; 6 costs
11 to 14 % more and takes 0.16 (rgb) to 0.25; 7 another 10 (rgb, normals) to 20 % (depth), 0.1 to 0.17."""
LARGE = 1 << 21  # pixels of an image from which on the speed is that of ``fast``


@dataclass(frozen=True)
class Codec:
    """A classical codec.

    Attributes:
        id: its byte in payloads, for ever.
        encode: samples (H, W) or (H, W, 3), bits, setting, effort, column of settings → stream.
        decode: stream, shape → samples and bits, or FormatError.
        max_side, max_pixels: of images.
    """

    name: str
    id: int
    encode: Callable[[Samples, int, float, str, str], bytes]
    decode: Callable[[bytes, tuple[int, ...]], tuple[Samples, int]]
    max_side: int
    max_pixels: int


def _encode_av1(samples: Samples, bits: int, setting: float, effort: str, column: str) -> bytes:
    return av1.encode_samples(samples, round(setting), SPEEDS[effort], flat=column == "depth")


_JXL_EFFORTS = {"draft": 3, "fast": 5, "normal": 7, "thorough": 7, "best": 7}


def _encode_jxl(samples: Samples, bits: int, setting: float, effort: str, column: str) -> bytes:
    return jxl.encode_lossy(samples, setting, _JXL_EFFORTS[effort])


def _decode_av1(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    return av1.decode_samples(stream, shape), av1.BITS


def _decode_jxl(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    samples = jxl.decode_samples(stream, shape)
    return samples, 8 * samples.itemsize


CODECS = {
    codec.name: codec
    for codec in (
        Codec("jxl", 0, _encode_jxl, _decode_jxl, 1 << 20, 1 << 28),
        Codec("av1", 1, _encode_av1, _decode_av1, av1.MAX_SIDE, av1.MAX_PIXELS),
    )
}


@dataclass(frozen=True)
class CodingMode:
    """One way to use a codec.

    Attributes:
        bits: per sample.
        settings: the codec's setting that costs least, at every 192nd quality step of λ · weight, linear in
            between; by columns, of which :attr:`mtcodec.tasks.Kind.settings` names one.
        usual: does it cost least of the ways that suit some pictures?
        projected: of unit vectors, two planes of them. Its table is over λ · weight · gain of the projection.
    """

    codec: str
    bits: int
    settings: dict[str, Sequence[float]]
    usual: bool = True
    projected: bool = False

    @property
    def name(self) -> str:
        return f"{self.codec}-{self.bits}" + "-projected" * self.projected

    def setting(self, column: str, step: int) -> float:
        points = self.settings[column]
        return float(np.interp(step, np.linspace(0, MAX_LEVEL, len(points)), points))

    def round(self, setting: float) -> float:
        """The nearest setting that the codec has."""
        if self.codec == "av1":
            return float(min(max(round(setting), 0), 100))
        return min(max(float(f"{setting:.2g}"), 0.01), 25.0)


# Measured (docs/choices.md, tests/tools/settings.py): the setting that costs least for all pictures together,
# at most 384×384 pixels of each; AV1 at speed 7, JPEG XL at effort 7.
CODING_MODES = (
    CodingMode(
        "av1", 10,
        {
            "color": (3, 6, 9, 16, 25, 31, 41, 47, 57, 66, 76, 82, 85, 89, 93),
            "depth": (0, 3, 9, 16, 25, 38, 44, 51, 60, 66, 79, 82, 89, 92, 93),
            "vectors": (3, 4, 9, 12, 22, 28, 38, 47, 54, 63, 73, 79, 85, 89, 93),
        },
    ),
    CodingMode(
        "av1", 10, {"vectors": (3, 6, 9, 19, 25, 35, 44, 48, 60, 70, 79, 82, 89, 92, 93)}, projected=True
    ),
    CodingMode(
        "jxl", 16,
        {
            "color": (25, 25, 22, 17, 12.4, 9.2, 6, 3.8, 2.2, 1.6, 0.95, 0.7, 0.4, 0.23, 0.15),
            "depth": (25, 25, 25, 25, 22, 16, 8.5, 6.1, 4.9, 2.9, 2, 1.74, 1.1, 0.76, 0.5),
            "vectors": (25, 25, 22, 16, 10.5, 8.1, 5.9, 3.95, 2.3, 1.54, 0.9, 0.79, 0.43, 0.28, 0.2),
        },
        usual=False,
    ),
)  # fmt: skip
NEIGHBOURS = 4.0  # AV1's settings that the effort ``best`` tries beside the usual one
PROJECTED = 128  # in the byte that names the codec
_PROJECTION, _ROTATION = struct.Struct("<3bB"), struct.Struct("<3b")
Transform = Projection | Rotation | None


def possible(signal: Signal) -> bool:
    """Can classical codecs code images of this shape?"""
    return signal.task.channels in (1, 3)


def ways(signal: Signal, effort: str) -> list[CodingMode]:
    """The ways worth trying."""
    projection = signal.projection
    able = [way for way in CODING_MODES if suits(way, signal)]
    if projection is not None and not projection.has_seam:
        able = [way for way in able if way.projected] or able
    usual = [way for way in able if way.usual]
    return usual if usual and effort != "best" else able


def suits(way: CodingMode, signal: Signal) -> bool:
    """Can ``signal`` be coded in this way?"""
    if way.projected and signal.projection is None:
        return False
    sides = signal.height, signal.width * (1 + way.projected)
    codec = CODECS[way.codec]
    return max(sides) <= codec.max_side and sides[0] * sides[1] <= codec.max_pixels


def _step(way: CodingMode, signal: Signal, lam: float) -> int:
    """Where in its table a way is at this λ · weight."""
    projection = signal.projection if way.projected else None
    return level_of_lambda(lam if projection is None else lam * projection.error_ratio)


def settings(signal: Signal, way: CodingMode, lam: float, effort: str) -> list[float]:
    """Settings of a way at this λ · weight: the usual one, for the effort ``best`` its neighbours too."""
    own = way.setting(signal.task.kind.rd_table, _step(way, signal, lam))
    tried = [own]
    if effort == "best":
        tried += [own * 1.2, own / 1.2] if way.codec == "jxl" else [own - NEIGHBOURS, own + NEIGHBOURS]
    return list(dict.fromkeys(way.round(setting) for setting in tried))


def encode(signal: Signal, way: CodingMode, setting: float, effort: str) -> Candidate:
    """``signal`` coded in one way, at a setting of its codec."""
    codec = CODECS[way.codec]
    if effort in ("normal", "thorough") and signal.height * signal.width > LARGE:
        effort = "fast"
    bits = (
        8 if way.codec == "jxl" and signal.pixel_format.dtype == "uint8" and not _ranged(signal) else way.bits
    )
    transform = _transform(signal, way)
    samples = to_samples(signal, bits, transform)
    stream = codec.encode(samples, bits, setting, effort, signal.task.kind.rd_table)
    shape = samples.shape  # the samples themselves are not kept

    def decode() -> Array:
        return from_samples(signal.pixel_format, *codec.decode(stream, shape), transform)

    payload = pack_head(codec.id, transform) + stream
    return Candidate("classical", signal.pixel_format, payload, decode, signal.squared_error)


def _transform(signal: Signal, way: CodingMode) -> Transform:
    if way.projected:
        return signal.projection
    return signal.rotation if way.codec == "av1" and signal.pixel_format.channels == 3 else None


def _ranged(signal: Signal) -> bool:
    return signal.task.scene_range(signal.pixel_format.dtype)


def to_samples(signal: Signal, bits: int, transform: Transform = None) -> Samples:
    """Planes as unsigned samples of ``bits`` bits, (H, W), (H, W, 3), or projected (H, 2 · W)."""
    height, width = signal.height, signal.width
    projected = isinstance(transform, Projection)
    shape = (height, 2 * width) if projected else signal.image.shape
    samples = np.empty(shape if signal.task.channels > 1 else shape[:2], np.uint8 if bits == 8 else np.uint16)
    for rows in row_chunks(height, width):
        if isinstance(transform, Projection):
            planes = np.concatenate(transform.forward(signal.vectors(rows)), axis=1)[None]
        else:
            planes = signal.rows(rows) if transform is None else transform.forward(signal.rows(rows))
        own = np.rint(np.moveaxis(planes, 0, -1) * float(2**bits - 1))
        samples[rows] = own[..., 0] if samples.ndim == 2 else own
    return samples


def from_samples(
    pixel_format: PixelFormat, samples: Samples, bits: int, transform: Transform = None
) -> Array:
    """Stored values of decoded samples."""
    top = float(2**bits - 1)
    if transform is None and not pixel_format.unit_vectors:
        return pixel_format.look_up(np.arange(2**bits, dtype=np.float32) / np.float32(top), samples)
    height, width = samples.shape[:2]
    turned = transform if isinstance(transform, Rotation) else None
    if turned and pixel_format.value_range.fits_float32(pixel_format.dtype) and not pixel_format.unit_vectors:

        def values_of(rows: slice) -> npt.NDArray[Any]:
            return pixel_format.value_range.clip(turned.inverse(samples[rows], top, pixel_format.value_range))

        return pixel_format.store_rows((height, width), values_of)

    def planes_of(rows: slice) -> npt.NDArray[Any]:
        if turned:
            return turned.inverse(samples[rows], top, UNIT_RANGE)
        own = samples[rows].astype(np.float32) / np.float32(top)
        if isinstance(transform, Projection):
            return transform.inverse(np.stack(np.split(own, 2, axis=1))) * 0.5 + 0.5
        return np.moveaxis(own, -1, 0)

    return pixel_format.restore_rows((height, width // (1 + isinstance(transform, Projection))), planes_of)


def pack_head(codec: int, transform: Transform) -> bytes:
    """What a payload begins with: the codec, and the projection or rotation."""
    if isinstance(transform, Projection):
        return bytes([codec | PROJECTED]) + _PROJECTION.pack(*transform.direction, transform.scale)
    return bytes([codec]) + (b"" if transform is None else _ROTATION.pack(*transform.vector))


def parse_head(payload: bytes, pixel_format: PixelFormat) -> tuple[Codec, Transform, bytes]:
    """Codec, projection or rotation, and stream of a payload.

    Raises:
        FormatError: damaged.
    """
    first = payload[0] if payload else 255
    codec = next((c for c in CODECS.values() if c.id == first & ~PROJECTED), None)
    if codec is None:
        raise FormatError("an unknown classical codec")
    if first & PROJECTED:
        if len(payload) < 1 + _PROJECTION.size or not pixel_format.unit_vectors:
            raise FormatError("a projection of what is no unit vectors")
        x, y, z, scale = _PROJECTION.unpack_from(payload, 1)
        if not (x or y or z):
            raise FormatError("a projection around no direction")
        return codec, Projection((x, y, z), scale), payload[1 + _PROJECTION.size :]
    if codec.name != "av1" or pixel_format.channels == 1:
        return codec, None, payload[1:]
    if len(payload) < 1 + _ROTATION.size:
        raise FormatError("a rotation that is cut off")
    b, c, d = _ROTATION.unpack_from(payload, 1)
    if -128 in (b, c, d):
        raise FormatError("a rotation beyond its numbers")
    return codec, Rotation((b, c, d)), payload[1 + _ROTATION.size :]


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a classical section.

    Raises:
        FormatError: damaged.
    """
    if pixel_format.channels not in (1, 3):
        raise FormatError("a classical section of neither one nor three channels")
    codec, transform, stream = parse_head(payload, pixel_format)
    if isinstance(transform, Projection):
        shape: tuple[int, ...] = (height, 2 * width)
    else:
        shape = (height, width) if pixel_format.channels == 1 else (height, width, pixel_format.channels)
    return from_samples(pixel_format, *codec.decode(stream, shape), transform)
