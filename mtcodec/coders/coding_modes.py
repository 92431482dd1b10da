"""Coding modes: the ways to use classical codecs, with the setting that suits each λ.

To add a codec, write its bytes in ``bitstreams``, a :class:`ClassicalCodec` in :data:`CODECS`, and a
:class:`CodingMode` with its measured table in :data:`CODING_MODES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import av1, jxl
from mtcodec.quality import MAX_LEVEL, level_of_lambda
from mtcodec.signals.signal import Signal

Samples = npt.NDArray[Any]
AV1_SPEEDS = {"draft": 9, "fast": 6, "medium": 5, "thorough": 4, "best": 3}
"""Of libaom, 0 (slow) to 10, by preset. Speed 5 costs 1 to 2 % more than 4 and takes 0.7 of its time; 6 costs
11 to 14 % more and takes 0.16 (rgb) to 0.25; 7 another 10 (rgb, normals) to 20 % (depth), 0.1 to 0.17."""
JXL_EFFORTS = {"draft": 3, "fast": 5, "medium": 7, "thorough": 7, "best": 7}
"""Of libjxl, 1 (quick) to 10, by preset."""
BEST_AV1_OFFSET = 4.0  # the preset ``best`` tries so much more and less than AV1's usual setting,
BEST_JXL_FACTOR = 1.2  # and so many times JPEG XL's


@dataclass(frozen=True)
class ClassicalCodec:
    """A classical codec.

    Attributes:
        id: its byte in payloads, for ever.
        encode: samples (H, W) or (H, W, 3), setting, preset, name of the table → stream.
        decode: stream, shape → samples and their bits, or FormatError.
        max_side, max_pixels: of images.
    """

    name: str
    id: int
    encode: Callable[[Samples, float, str, str], bytes]
    decode: Callable[[bytes, tuple[int, ...]], tuple[Samples, int]]
    max_side: int
    max_pixels: int


def _encode_av1(samples: Samples, setting: float, preset: str, table: str) -> bytes:
    return av1.encode_samples(samples, round(setting), AV1_SPEEDS[preset], flat=table == "depth")


def _decode_av1(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    return av1.decode_samples(stream, shape), av1.BITS


def _encode_jxl(samples: Samples, setting: float, preset: str, table: str) -> bytes:
    return jxl.encode_lossy(samples, setting, JXL_EFFORTS[preset])


def _decode_jxl(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    samples = jxl.decode_samples(stream, shape)
    return samples, 8 * samples.itemsize


CODECS = {
    codec.name: codec
    for codec in (
        ClassicalCodec("jxl", 0, _encode_jxl, _decode_jxl, 1 << 20, 1 << 28),
        ClassicalCodec("av1", 1, _encode_av1, _decode_av1, av1.MAX_SIDE, av1.MAX_PIXELS),
    )
}


@dataclass(frozen=True)
class CodingMode:
    """One way to use a codec.

    Attributes:
        codec: a key of :data:`CODECS`.
        bits: per sample.
        settings_by_level: by the names of :attr:`mtcodec.tasks.Kind.rd_table`, the codec's setting that costs
            least, at evenly spaced quality levels of λ · weight, linear in between.
        usual: is it worth trying with presets other than ``best``?
        projected: two planes of unit vectors. Its table is over λ · weight · error ratio of the projection.
    """

    codec: str
    bits: int
    settings_by_level: dict[str, Sequence[float]]
    usual: bool = True
    projected: bool = False

    @property
    def name(self) -> str:
        return f"{self.codec}-{self.bits}" + ("-projected" if self.projected else "")

    def setting(self, table: str, level: int) -> float:
        """The codec's setting that costs least at a quality level, before rounding."""
        settings = self.settings_by_level[table]
        return float(np.interp(level, np.linspace(0, MAX_LEVEL, len(settings)), settings))

    def rounded(self, setting: float) -> float:
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


def channels_supported(signal: Signal) -> bool:
    """Can classical codecs code images of so many channels?"""
    return signal.task.channels in (1, 3)


def supports(mode: CodingMode, signal: Signal) -> bool:
    """Can ``signal`` be coded in this mode? Only unit vectors are projected; codecs have largest sizes."""
    if mode.projected and signal.projection is None:
        return False
    height, width = signal.height, signal.width * (2 if mode.projected else 1)
    codec = CODECS[mode.codec]
    return max(height, width) <= codec.max_side and height * width <= codec.max_pixels


def modes_for(signal: Signal, preset: str) -> list[CodingMode]:
    """The modes worth trying for ``signal``."""
    modes = [mode for mode in CODING_MODES if supports(mode, signal)]
    if signal.projection is not None and not signal.projection.has_seam:
        modes = [mode for mode in modes if mode.projected] or modes
    usual = [mode for mode in modes if mode.usual]
    return usual if usual and preset != "best" else modes


def usual_setting(signal: Signal, mode: CodingMode, task_lambda: float) -> float:
    """The setting of a mode's codec that costs least at this λ · weight, by its table."""
    if mode.projected and signal.projection is not None:
        task_lambda *= signal.projection.error_ratio
    return mode.setting(signal.task.kind.rd_table, level_of_lambda(task_lambda))


def settings_worth_trying(signal: Signal, mode: CodingMode, task_lambda: float, preset: str) -> list[float]:
    """The usual setting of a mode at this λ · weight; for the preset ``best`` its neighbours too."""
    usual = usual_setting(signal, mode, task_lambda)
    settings = [usual]
    if preset == "best" and mode.codec == "jxl":
        settings += [usual * BEST_JXL_FACTOR, usual / BEST_JXL_FACTOR]
    elif preset == "best":
        settings += [usual - BEST_AV1_OFFSET, usual + BEST_AV1_OFFSET]
    return list(dict.fromkeys(mode.rounded(setting) for setting in settings))
