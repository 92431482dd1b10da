"""AV1 still pictures without the AVIF boxes around them, which are most of a small picture.

A *stream* is a sequence header OBU and a frame OBU of a reduced still picture, full range, YCbCr of BT.601,
either monochrome or 4:4:4, of 8 or 10 bits. The boxes are put back for libavif to decode it; the stream's
own header is read before that, so that a picture of another size is refused before anything is allocated.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.errors import FormatError

Samples = npt.NDArray[Any]  # uint8 or uint16

QUALITIES = {
    8: tuple(q for q in range(101) if not q or (6350 - 63 * q) // 100 != (6413 - 63 * q) // 100),
    10: tuple(range(0, 99, 2)),
}  # libavif's that differ: it makes 64 quantisers of them, those of 10 bits in another way, where 100 makes
# another kind of picture
MAX_SIDE = 1 << 16
MANY, THREADS = 1 << 17, 4  # pixels from which on so many threads encode an image
_DELIMITER, _SEQUENCE, _FRAME = b"\x12\x00", 0x0A, 0x32  # OBU headers with a size field


def encode_file(samples: Samples, bits: int, quality: int, speed: int) -> bytes:
    """An AVIF file of (H, W) or (H, W, 3) samples.

    Args:
        bits: 8 (uint8 samples) or 10 (uint16). Of 8 bits, the encoder is tuned for PSNR.
        quality: libavif's, 0 to 100.
        speed: 0 (best) to 10.

    Large images are encoded by several threads. The bytes depend on there being more than one, so that it is
    the size that decides, not the machine.
    """
    threads = THREADS if samples.shape[0] * samples.shape[1] >= MANY else 1
    if bits == 8:
        from PIL import AvifImagePlugin, Image  # noqa: F401  (saving would import all plugins)

        file = io.BytesIO()
        Image.fromarray(samples).save(
            file, "AVIF", quality=quality, speed=speed, max_threads=threads, advanced={"tune": "psnr"},
            subsampling="4:4:4" if samples.ndim == 3 else "4:0:0",
        )  # fmt: skip
        return file.getvalue()
    import imagecodecs

    grey = samples.ndim == 2
    if grey:  # imagecodecs codes a plain 2-D array losslessly, whatever the quality
        samples = np.repeat(samples[..., None], 3, axis=2)
    pixels = "400" if grey else "444"
    data = imagecodecs.avif_encode(
        samples, quality, speed=speed, pixelformat=pixels, bitspersample=bits, numthreads=threads
    )
    return bytes(data)


def encode_samples(samples: Samples, bits: int, quality: int, speed: int) -> bytes:
    """A stream of samples; see :func:`encode_file`."""
    stream = unwrap(encode_file(samples, bits, quality, speed))
    header = parse(stream)
    assert (header.bits, header.mono) == (bits, samples.ndim == 2), "libavif made another kind of picture"
    return stream


def decode_samples(stream: bytes, shape: tuple[int, ...]) -> tuple[Samples, int]:
    """Samples of ``stream``, which must have ``shape``, (H, W) or (H, W, 3), and their bits.

    Raises:
        FormatError: damaged, or anything but a picture of that shape.
    """
    import imagecodecs

    header = parse(stream)
    if (header.height, header.width) != shape[:2] or header.mono != (len(shape) == 2):
        raise FormatError("AV1 picture of another shape")
    try:
        samples = np.asarray(imagecodecs.avif_decode(wrap(stream, header), numthreads=1))
    except Exception as error:  # whatever libavif's binding raises
        raise FormatError("damaged AV1 picture") from error
    if header.mono and samples.ndim == 3:  # grey, decoded as equal channels
        samples = np.ascontiguousarray(samples[..., 0])
    if samples.shape != shape or samples.dtype != (np.uint8 if header.bits == 8 else np.uint16):
        raise FormatError("AV1 picture of another shape")
    return samples, header.bits


@dataclass(frozen=True)
class Picture:
    """What the sequence header of a stream says."""

    profile: int
    level: int
    height: int
    width: int
    bits: int
    mono: bool


class _Bits:
    """Bits of an OBU, highest first; running out of them is a FormatError."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise FormatError("AV1 picture: its header is cut off")
        return self.value >> self.left & ((1 << count) - 1)


def _obu(stream: bytes, at: int, kind: int) -> tuple[int, int]:
    """Start and end of the payload of the OBU of ``kind`` at ``at``."""
    if at >= len(stream) or stream[at] != kind:
        raise FormatError("AV1 picture: not the expected parts")
    size = 0
    for i in range(4):
        at += 1
        if at >= len(stream):
            break
        size |= (stream[at] & 127) << 7 * i
        if stream[at] < 128:
            if at + 1 + size > len(stream):
                break
            return at + 1, at + 1 + size
    raise FormatError("AV1 picture: cut off")


def parse(stream: bytes) -> Picture:
    """The sequence header of a stream (AV1 specification, 5.5), checked with the order of its OBUs.

    Raises:
        FormatError: not a stream.
    """
    start, end = _obu(stream, 0, _SEQUENCE)
    if _obu(stream, end, _FRAME)[1] != len(stream):
        raise FormatError("AV1 picture: more than one frame")
    bits = _Bits(stream[start:end])
    profile = bits.take(3)
    if profile > 1 or bits.take(2) != 3:  # a still picture with a reduced header
        raise FormatError("AV1 picture: not a still picture of a known profile")
    level = bits.take(5)
    widths = bits.take(4) + 1, bits.take(4) + 1
    width, height = (bits.take(n) + 1 for n in widths)
    bits.take(6)  # superblocks, intra filters, super-resolution, CDEF, restoration
    deep, mono = bits.take(1), profile == 0 and bool(bits.take(1))
    if bool(profile) == mono or (profile == 0 and not mono):
        raise FormatError("AV1 picture: subsampled colours")
    return Picture(profile, level, height, width, 10 if deep else 8, mono)


# --- the boxes of AVIF (ISO/IEC 14496-12 and 23000-22) ----------------------------------------------


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def wrap(stream: bytes, picture: Picture) -> bytes:
    """An AVIF file of ``stream``."""
    channels = 1 if picture.mono else 3
    flags = (picture.bits == 10) << 6 | (0x1C if picture.mono else 0)
    zero = bytes(4)  # version and flags of a full box
    properties = _box(
        b"ipco",
        _box(b"ispe", zero, struct.pack(">II", picture.width, picture.height)),
        _box(b"pixi", zero, bytes([channels, *[picture.bits] * channels])),
        _box(b"av1C", bytes([0x81, picture.profile << 5 | picture.level, flags, 0])),
        _box(b"colr", b"nclx", struct.pack(">HHHB", 1, 13, 6, 0x80)),  # BT.709, sRGB, BT.601, full range
    )
    associations = _box(b"ipma", zero, struct.pack(">IHB4B", 1, 1, 4, 1, 2, 0x83, 4))
    entry = _box(b"infe", b"\x02\0\0\0", struct.pack(">HH4s", 1, 0, b"av01"), b"\0")

    def meta(offset: int) -> bytes:
        where = struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, offset, len(stream))
        return _box(
            b"meta",
            zero,
            _box(b"hdlr", zero, zero, b"pict", bytes(13)),
            _box(b"pitm", zero, struct.pack(">H", 1)),
            _box(b"iloc", zero, where),
            _box(b"iinf", zero, struct.pack(">H", 1), entry),
            _box(b"iprp", properties, associations),
        )

    front = _box(b"ftyp", b"avif", zero, b"avifmif1miaf")
    offset = len(front) + len(meta(0)) + 8
    return front + meta(offset) + _box(b"mdat", stream)


def unwrap(file: bytes) -> bytes:
    """The stream in an AVIF file that libavif made: the content of its ``mdat`` box."""
    at = 0
    while at < len(file):
        size, kind = struct.unpack(">I4s", file[at : at + 8])
        if kind == b"mdat":
            return file[at + 8 : at + size].removeprefix(_DELIMITER)
        at += size
    raise AssertionError("an AVIF file without a picture")
