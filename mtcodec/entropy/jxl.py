"""JPEG XL code streams of integer samples, through libjxl.

The stream's own header is read before libjxl sees it, so that a stream of another size or with further
channels is refused before anything is allocated for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.errors import FormatError

Samples = npt.NDArray[np.unsignedinteger[Any]]

EFFORT = 7
SIGNATURE = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height


def encode_samples(samples: Samples) -> bytes:
    """A lossless code stream of (H, W) or (H, W, 3) samples, uint8 or uint16."""
    import imagecodecs

    data = imagecodecs.jpegxl_encode(np.ascontiguousarray(samples), lossless=True, effort=EFFORT)
    return _code_stream(bytes(data))


def encode_lossy(samples: Samples, distance: float, effort: int = EFFORT) -> bytes:
    """A code stream of (H, W) or (H, W, 3) samples, uint8 or uint16, at ``distance`` 0.01 to 25 (worst)."""
    import imagecodecs

    data = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(samples), distance=distance, effort=effort, numthreads=1
    )
    return _code_stream(bytes(data))


def decode_samples(stream: bytes, shape: tuple[int, ...]) -> Samples:
    """The samples of ``stream``, which must have ``shape``, uint8 or uint16.

    Raises:
        FormatError: damaged, or anything but an image of that shape.
    """
    import imagecodecs

    if _size(stream) != shape[:2]:
        raise FormatError("JPEG XL stream of another size")
    try:
        samples = np.asarray(imagecodecs.jpegxl_decode(stream))
    except Exception as error:  # whatever libjxl's binding raises
        raise FormatError("damaged JPEG XL stream") from error
    if samples.shape != shape or samples.dtype not in (np.uint8, np.uint16):
        raise FormatError("JPEG XL stream of another shape")
    return samples


def _code_stream(data: bytes) -> bytes:
    """``data`` without boxes around it, which libjxl needs for 16-bit samples."""
    at = 0
    while data[:2] != SIGNATURE and at < len(data):
        size = int.from_bytes(data[at : at + 4], "big") or len(data) - at
        if data[at + 4 : at + 8] == b"jxlc":
            return data[at + 8 : at + size]
        at += size
    assert data[:2] == SIGNATURE, "libjxl splits its code stream"
    return data


class _Bits:
    """Bits of a code stream's header, lowest first; zeros follow the end."""

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        bits = self.value & ((1 << count) - 1)
        self.value >>= count
        return bits

    def choose(self, *widths: int) -> int:
        """One of four widths, chosen by two bits, and that many bits."""
        return self.take(widths[self.take(2)])


def _size(stream: bytes) -> tuple[int, int]:
    """(height, width) from the header of a still image without extra channels; else FormatError."""
    if stream[:2] != SIGNATURE:
        raise FormatError("not a JPEG XL code stream")
    bits = _Bits(stream[2:34])
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choose(9, 13, 18, 30) + 1

    height, ratio = side(), bits.take(3)
    if ratio:
        over, under = _RATIOS[ratio - 1]
        width = height * over // under
    else:
        width = side()
    if not bits.take(1):  # not all default
        if bits.take(1):
            raise FormatError("JPEG XL stream with orientation, preview or animation")
        if bits.take(1):
            raise FormatError("JPEG XL stream of floats")
        if bits.take(2) == 3:  # bits per sample: 8, 10, 12 or another number
            bits.take(6)
        bits.take(1)
        if bits.take(2):
            raise FormatError("JPEG XL stream with extra channels")
    return height, width
