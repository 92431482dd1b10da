"""AV1 still pictures without the AVIF boxes around them, which are most of a small picture.

A *stream* is a sequence header OBU and a frame OBU of a reduced still picture, full range, either monochrome
or 4:4:4, of 10 bits. Channels 0, 1 and 2 are its planes V, Y and U, which libavif gives as red, green and
blue where no matrix is applied: colours are turned elsewhere. The boxes are put back for libavif to decode
it; the stream's own header is read before that, so that a picture of another size is refused before anything
is allocated.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import libavif
from mtcodec.errors import FormatError, MtcodecWarning

Samples = npt.NDArray[Any]  # uint16

BITS = 10
_YUV = 1, 2, 0  # channels that are Y, U and V
_PLANES = 2, 0, 1  # of Y, U and V, for each channel
QUALITIES = tuple(q for q in range(101) if not q or (6350 - 63 * q) // 100 != (6413 - 63 * q) // 100)
"""libavif's that differ: it makes 64 quantisers of them."""
MAX_SIDE, MAX_PIXELS = 1 << 15, 1 << 28  # that libavif decodes unless it is told otherwise
MANY, THREADS = 1 << 17, 4  # pixels from which so many threads encode an image
_DELIMITER, _SEQUENCE, _FRAME = b"\x12\x00", 0x0A, 0x32  # OBU headers with a size field
_OPTIONS = {"tune": "psnr", "enable-cdef": "1"}  # libaom leaves CDEF out of still pictures otherwise
_FLAT = {"tune-content": "screen", "enable-intrabc": "0"}  # palettes, for what is smooth between edges


def encode_file(samples: Samples, quality: int, speed: int, flat: bool = False) -> bytes:
    """An AVIF file of (H, W) or (H, W, 3) samples.

    Args:
        quality: libavif's, 0 to 100.
        speed: 0 (best) to 10.
        flat: the picture is smooth between edges, as depth is.

    Large images are encoded by several threads. The bytes depend on there being more than one, so that it is
    the size that decides, not the machine.
    """
    threads = THREADS if samples.shape[0] * samples.shape[1] >= MANY else 1
    planes = [samples] if samples.ndim == 2 else [samples[..., channel] for channel in _YUV]
    options = _OPTIONS | _FLAT if flat else _OPTIONS
    file = libavif.encode(planes, BITS, quality, speed, threads, options)
    if file is not None:
        return file
    warnings.warn(
        "libavif's functions are not found: AV1 needs about a fifth more bytes", MtcodecWarning, stacklevel=2
    )
    return encode_by_default(samples, quality, speed, threads, matrix=0)


def encode_samples(samples: Samples, quality: int, speed: int, flat: bool = False) -> bytes:
    """A stream of samples; see :func:`encode_file`."""
    stream = unwrap(encode_file(samples, quality, speed, flat))
    assert parse(stream).mono == (samples.ndim == 2), "libavif made another kind of picture"
    return stream


def encode_by_default(
    samples: Samples, quality: int, speed: int, threads: int, matrix: int | None = None
) -> bytes:
    """An AVIF file by libavif's defaults; ``matrix`` 0: colours are planes as they are, None: YCbCr."""
    import imagecodecs

    grey = samples.ndim == 2
    if grey:  # imagecodecs codes a plain 2-D array losslessly, whatever the quality
        samples = np.repeat(samples[..., None], 3, axis=2)
    quality = min(quality, 98)  # 100 makes another kind of picture
    pixels, matrix = ("400", None) if grey else ("444", matrix)
    file = imagecodecs.avif_encode(
        samples,
        quality,
        speed=speed,
        pixelformat=pixels,
        bitspersample=BITS,
        matrix=matrix,
        numthreads=threads,
    )
    return bytes(file)


def decode_samples(stream: bytes, shape: tuple[int, ...]) -> Samples:
    """Samples of ``stream``, which must have ``shape``, (H, W) or (H, W, 3).

    Raises:
        FormatError: damaged, or anything but a picture of that shape.
    """
    import imagecodecs

    header = parse(stream)
    if (header.height, header.width) != shape[:2] or header.mono != (len(shape) == 2):
        raise FormatError("AV1 picture of another shape")
    file = wrap(stream, header)
    try:
        planes = libavif.decode(file, BITS, shape[:2], (0,) if header.mono else _PLANES)
        if planes is not None:
            return planes[0] if header.mono else np.moveaxis(planes, 0, -1)
        samples = np.asarray(imagecodecs.avif_decode(file, numthreads=1))
    except Exception as error:  # whatever libavif's binding raises
        raise FormatError("damaged AV1 picture") from error
    if header.mono and samples.ndim == 3:  # grey, decoded as equal channels
        samples = np.ascontiguousarray(samples[..., 0])
    if samples.shape != shape or samples.dtype != np.uint16:
        raise FormatError("AV1 picture of another shape")
    return samples


@dataclass(frozen=True)
class Picture:
    """What the sequence header of a stream says."""

    profile: int
    level: int
    height: int
    width: int
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
    for i, byte in enumerate(stream[at + 1 : at + 5]):
        size |= (byte & 127) << 7 * i
        start = at + 2 + i
        if byte < 128:
            if start + size > len(stream):
                break
            return start, start + size
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
    if not bits.take(1):
        raise FormatError("AV1 picture: not of 10 bits")
    if profile == 0 and not bits.take(1):
        raise FormatError("AV1 picture: subsampled colours")
    return Picture(profile, level, height, width, mono=profile == 0)


# --- the boxes of AVIF (ISO/IEC 14496-12 and 23000-22) ----------------------------------------------


def _box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def wrap(stream: bytes, picture: Picture) -> bytes:
    """An AVIF file of ``stream``."""
    channels = 1 if picture.mono else 3
    flags = 0x40 | (0x1C if picture.mono else 0)  # 10 bits
    zero = bytes(4)  # version and flags of a full box
    properties = _box(
        b"ipco",
        _box(b"ispe", zero, struct.pack(">II", picture.width, picture.height)),
        _box(b"pixi", zero, bytes([channels, *[BITS] * channels])),
        _box(b"av1C", bytes([0x81, picture.profile << 5 | picture.level, flags, 0])),
        _box(b"colr", b"nclx", struct.pack(">HHHB", 2, 2, 6 * picture.mono, 0x80)),  # no matrix, full range
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
