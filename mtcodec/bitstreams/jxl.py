"""JPEG XL code streams of integer samples, through libjxl.

The headers of the stream and of its frame are read before libjxl sees them, so that nothing is allocated for
a stream of another size: one frame that covers the picture, without further channels, colour profile or crop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.errors import FormatError

Samples = npt.NDArray[np.unsignedinteger[Any]]

DEFAULT_EFFORT = 7
MAX_EFFORTS_WITHOUT_PATCHES = (6, 4)
"""Up to these, lossy and lossless, repeated patches, as of text, have no frame of their own."""
SIGNATURE = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height


def encode_samples(samples: Samples, effort: int = DEFAULT_EFFORT) -> bytes:
    """A lossless code stream of (H, W) or (H, W, 3) samples, uint8 or uint16."""
    return _encode(samples, effort, lossless=True)


def encode_lossy(samples: Samples, distance: float, effort: int = DEFAULT_EFFORT) -> bytes:
    """A code stream of (H, W) or (H, W, 3) samples, uint8 or uint16, at ``distance`` 0.01 to 25 (worst)."""
    return _encode(samples, effort, distance=distance)


def _encode(samples: Samples, effort: int, **parameters: Any) -> bytes:
    """A code stream of a single frame, at a lower effort where libjxl makes more."""
    import imagecodecs

    for allowed in dict.fromkeys(min(effort, limit) for limit in (effort, *MAX_EFFORTS_WITHOUT_PATCHES)):
        data = imagecodecs.jpegxl_encode(
            np.ascontiguousarray(samples), effort=allowed, numthreads=1, **parameters
        )
        stream = _code_stream(bytes(data))
        try:
            size = _parse(stream)
        except FormatError:
            continue
        assert size == samples.shape[:2], "libjxl made a picture of another size"
        return stream
    raise AssertionError("libjxl does not make a single frame")


def decode_samples(stream: bytes, shape: tuple[int, ...]) -> Samples:
    """The samples of ``stream``, which must have ``shape``, uint8 or uint16.

    Raises:
        FormatError: damaged, or anything but an image of that shape.
    """
    import imagecodecs

    if _parse(stream) != shape[:2]:
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


class Bits:
    """Bits of a code stream's headers, lowest first; zeros follow the end."""

    def __init__(self, data: bytes) -> None:
        self.value, self.at = int.from_bytes(data, "little"), 0

    def take(self, count: int) -> int:
        self.at += count
        return self.value >> (self.at - count) & ((1 << count) - 1)

    def choose(self, *widths: int) -> int:
        """One of four widths, chosen by two bits, and that many bits."""
        return self.take(widths[self.take(2)])

    def zero(self, count: int, feature: str) -> None:
        """``count`` bits that are zero; else a FormatError that the stream has ``feature``."""
        if self.take(count):
            raise FormatError(f"JPEG XL stream with {feature}")

    def one(self, feature: str) -> None:
        """A bit that is set; else a FormatError that the stream has ``feature``."""
        if not self.take(1):
            raise FormatError(f"JPEG XL stream with {feature}")


def _parse(stream: bytes) -> tuple[int, int]:
    """(height, width) of a code stream of one frame, its headers checked (ISO/IEC 18181-1, annexes D and F).

    Raises:
        FormatError: anything but a still picture in a single frame of that size.
    """
    if stream[:2] != SIGNATURE:
        raise FormatError("not a JPEG XL code stream")
    bits = Bits(stream[2:66])
    size = read_size(bits)
    xyb = _metadata(bits)
    bits.one("a colour transform of its own")
    bits.at += -bits.at % 8
    _frame(bits, xyb)
    return size


def read_size(bits: Bits) -> tuple[int, int]:
    """(height, width): the size header of a code stream."""
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choose(9, 13, 18, 30) + 1

    height, ratio = side(), bits.take(3)
    if not ratio:
        return height, side()
    over, under = _RATIOS[ratio - 1]
    return height, height * over // under


def _metadata(bits: Bits) -> bool:
    """Are colours XYB?"""
    if bits.take(1):  # all default
        return True
    bits.zero(1, "orientation, preview or animation")
    bits.zero(1, "floats")
    sample_bits = (8, 10, 12, None)[bits.take(2)] or bits.take(6) + 1
    if sample_bits not in (8, 16):
        raise FormatError(f"JPEG XL stream with samples of {sample_bits} bits")
    bits.take(1)  # are buffers of 16 bits enough?
    bits.zero(2, "extra channels")
    xyb = bool(bits.take(1))
    if not bits.take(1):  # colours that are not sRGB
        bits.zero(1, "a colour profile")
        grey = read_enumerated(bits) == 1
        for _ in range(1 if grey else 2):  # white point, primaries
            if read_enumerated(bits) == 2:
                raise FormatError("JPEG XL stream with colours of its own")
        if bits.take(1):
            bits.take(24)  # gamma
        else:
            read_enumerated(bits)
        read_enumerated(bits)  # rendering intent
    bits.zero(2, "extensions")
    return xyb


def read_enumerated(bits: Bits) -> int:
    """A value of an enumeration."""
    choice = bits.take(2)
    return choice if choice < 2 else 2 + bits.take(4) if choice == 2 else 18 + bits.take(6)


def _frame(bits: Bits, xyb: bool) -> None:
    """The header of a frame: regular, of the picture's size, in one pass, the last one."""
    if bits.take(1):  # all default
        return
    bits.zero(2, "a frame of another kind")
    modular = bits.take(1)
    flags = bits.take(2)  # noise, patches, splines
    if flags == 3:
        raise FormatError("JPEG XL stream with reserved flags")
    bits.take(4 * flags)
    if not xyb:
        bits.zero(1, "YCbCr")
    bits.take(2)  # by how much the frame is enlarged, 1 to 8
    bits.take(2 if modular else 6 if xyb else 0)  # size of groups, scales of quantisation
    bits.zero(2, "several passes")
    bits.zero(1, "a frame of another size")
    bits.zero(2, "blended frames")
    bits.one("several frames")
