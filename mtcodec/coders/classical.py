"""Lossy code streams of classical codecs instead of the networks' symbols.

::

    planes ─ samples of b bits ─► code stream ─► samples ─► planes ─ Form.restore

A payload is a byte that names the codec, then its stream. To add a codec, write its bytes in ``bitstreams``
and add it to :data:`CODECS`, with its settings by λ in :data:`WAYS`. Imports no torch.
"""

from __future__ import annotations

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
    """

    codec: str
    bits: int
    settings: dict[str, Sequence[float]]
    steps: dict[str, tuple[int, int]]

    def setting(self, column: str, step: int) -> float:
        points = self.settings[column]
        return float(np.interp(step, np.linspace(0, STEPS, len(points)), points))

    def round(self, setting: float) -> float:
        """The nearest setting that the codec has."""
        if self.codec == "av1":
            return float(min(max(round(setting), 0), 100))
        return min(max(float(f"{setting:.2g}"), 0.01), 25.0)


# Measured on 17 pictures of training scenes (docs/results.md): the setting that costs least for all of them
# together, at most 384×384 pixels of each, AV1 at speed 4 and JPEG XL at effort 7.
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


def possible(signal: Signal) -> bool:
    """Can classical codecs code images of this shape?"""
    return signal.task.channels in (1, 3)


def ways(signal: Signal, lam: float, effort: str) -> list[Way]:
    """The ways worth trying at this λ · weight."""
    column, step = signal.task.rules.settings, step_of(lam)
    able = [way for way in WAYS if max(signal.height, signal.width) <= CODECS[way.codec].max_side]
    usual = [way for way in able if way.steps[column][0] <= step <= way.steps[column][1]]
    return usual if usual and effort != "best" else able


def settings(signal: Signal, way: Way, lam: float, effort: str) -> list[float]:
    """Settings of a way at this λ · weight: the usual one, for the effort ``best`` its neighbours too."""
    own = way.setting(signal.task.rules.settings, step_of(lam))
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
    samples = to_samples(signal, bits)
    stream = codec.encode(samples, bits, setting, effort)

    shape = samples.shape  # the samples themselves are not kept

    def decode() -> Array:
        return from_samples(signal.form, *codec.decode(stream, shape))

    return Coded("classical", signal.form, bytes([codec.id]) + stream, decode, signal.squared_error)


def _ranged(signal: Signal) -> bool:
    return signal.task.scene_range(signal.form.dtype)


def to_samples(signal: Signal, bits: int) -> Samples:
    """Planes as unsigned samples of ``bits`` bits, (H, W) or (H, W, 3)."""
    shape = signal.image.shape[:2] if signal.task.channels == 1 else signal.image.shape
    samples = np.empty(shape, np.uint8 if bits == 8 else np.uint16)
    for rows in parts(signal.height, signal.width):
        planes = np.moveaxis(signal.rows(rows), 0, -1)
        own = np.rint(planes * float(2**bits - 1))
        samples[rows] = own[..., 0] if samples.ndim == 2 else own
    return samples


def from_samples(form: Form, samples: Samples, bits: int) -> Array:
    """Stored values of decoded samples."""
    planes = np.moveaxis(samples.reshape(*samples.shape[:2], -1), -1, 0).astype(np.float32)
    return form.restore(planes / float(2**bits - 1))


def decode(form: Form, payload: bytes, height: int, width: int) -> Array:
    """The image of a classical section.

    Raises:
        FormatError: damaged.
    """
    if form.channels not in (1, 3):
        raise FormatError("a classical section of neither one nor three channels")
    codec = next((c for c in CODECS.values() if c.id == (payload[0] if payload else -1)), None)
    if codec is None:
        raise FormatError("an unknown classical codec")
    shape = (height, width) if form.channels == 1 else (height, width, form.channels)
    return from_samples(form, *codec.decode(payload[1:], shape))
