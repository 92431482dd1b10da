"""Lossy streams of classical codecs, AV1 and JPEG XL.

::

    planes ─ transform ─ samples of b bits ─► stream ─► samples ─ inverse transform ─► PixelFormat.restore

Unit vectors are projected to two planes, which lie side by side in one picture
(:mod:`mtcodec.signals.projection`); three channels are rotated for AV1 (:mod:`mtcodec.signals.rotation`). A
payload is a byte that names the codec, the numbers of the projection or rotation, if there is one, then the
codec's stream.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.coders.candidate import Candidate
from mtcodec.coders.coding_modes import CODECS, ClassicalCodec, CodingMode, Samples
from mtcodec.errors import FormatError
from mtcodec.signals.mapping import UNIT_RANGE, Array, row_chunks
from mtcodec.signals.projection import Projection
from mtcodec.signals.rotation import Rotation
from mtcodec.signals.signal import PixelFormat, Signal

Transform = Projection | Rotation | None
LARGE_PIXELS = 1 << 21  # of an image from which on ``medium`` and ``thorough`` are as quick as ``fast``
PROJECTED = 128  # in the byte that names the codec
_PROJECTION, _ROTATION = struct.Struct("<3bB"), struct.Struct("<3b")


def encode(signal: Signal, mode: CodingMode, setting: float, preset: str) -> Candidate:
    """``signal`` coded in one mode, at a setting of its codec."""
    codec = CODECS[mode.codec]
    if preset in ("medium", "thorough") and signal.height * signal.width > LARGE_PIXELS:
        preset = "fast"
    transform = _transform(signal, mode)
    samples = to_samples(signal, _bits(signal, mode), transform)
    stream = codec.encode(samples, setting, preset, signal.task.kind.rd_table)
    decoder = partial(_decode_stream, signal.pixel_format, codec, stream, samples.shape, transform)
    return Candidate("classical", signal.pixel_format, pack_head(codec, transform) + stream, decoder, signal)


def decode(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Array:
    """The image of a classical section.

    Raises:
        FormatError: damaged.
    """
    if pixel_format.channels not in (1, 3):
        raise FormatError("a classical section of neither one nor three channels")
    codec, transform, stream = parse_head(payload, pixel_format)
    shape: tuple[int, ...] = (height, width)
    if isinstance(transform, Projection):
        shape = (height, 2 * width)
    elif pixel_format.channels == 3:
        shape = (height, width, 3)
    return _decode_stream(pixel_format, codec, stream, shape, transform)


def _decode_stream(
    pixel_format: PixelFormat,
    codec: ClassicalCodec,
    stream: bytes,
    shape: tuple[int, ...],
    transform: Transform,
) -> Array:
    samples, bits = codec.decode(stream, shape)
    return from_samples(pixel_format, samples, bits, transform)


def _bits(signal: Signal, mode: CodingMode) -> int:
    """Of samples: JPEG XL gets whole bytes as they are, if the image has its dtype's whole range."""
    dtype = signal.pixel_format.dtype
    whole_bytes = mode.codec == "jxl" and dtype == "uint8" and not signal.task.uses_scene_range(dtype)
    return 8 if whole_bytes else mode.bits


def _transform(signal: Signal, mode: CodingMode) -> Transform:
    if mode.projected:
        return signal.projection
    return signal.rotation if _is_rotated(CODECS[mode.codec], signal.pixel_format) else None


def _is_rotated(codec: ClassicalCodec, pixel_format: PixelFormat) -> bool:
    """Are an image's channels rotated, if it is not projected? JPEG XL has a colour transform of its own."""
    return codec.name == "av1" and pixel_format.channels == 3


# --- samples ---------------------------------------------------------------------------------------------


def to_samples(signal: Signal, bits: int, transform: Transform = None) -> Samples:
    """Planes as unsigned samples of ``bits`` bits: (H, W), (H, W, 3), or projected (H, 2 · W)."""
    height, width = signal.height, signal.width
    shape: tuple[int, ...] = (height, width) if signal.task.channels == 1 else signal.filled.shape
    if isinstance(transform, Projection):
        shape = (height, 2 * width)
    samples = np.empty(shape, np.uint8 if bits == 8 else np.uint16)
    for rows in row_chunks(height, width):
        planes = _transformed(signal, rows, transform)
        codes = np.rint(np.moveaxis(planes, 0, -1) * float(2**bits - 1))
        samples[rows] = codes[..., 0] if samples.ndim == 2 else codes
    return samples


def _transformed(signal: Signal, rows: slice, transform: Transform) -> npt.NDArray[Any]:
    """Some rows of the planes that a codec codes, (C, rows, W) in [0, 1]; projected (1, rows, 2 · W)."""
    if isinstance(transform, Projection):
        return np.concatenate(transform.forward(signal.vectors(rows)), axis=1)[None]
    planes = signal.rows(rows)
    return planes if transform is None else transform.forward(planes)


def from_samples(
    pixel_format: PixelFormat, samples: Samples, bits: int, transform: Transform = None
) -> Array:
    """Stored values of decoded samples; the inverse of :func:`to_samples`."""
    max_code = float(2**bits - 1)
    if isinstance(transform, Projection):
        return _from_projected(pixel_format, samples, max_code, transform)
    if isinstance(transform, Rotation):
        return _from_rotated(pixel_format, samples, max_code, transform)
    if not pixel_format.unit_vectors:
        return pixel_format.look_up(np.arange(2**bits, dtype=np.float32) / np.float32(max_code), samples)

    def planes_of(rows: slice) -> npt.NDArray[Any]:
        return np.moveaxis(samples[rows].astype(np.float32) / np.float32(max_code), -1, 0)

    return pixel_format.restore_rows(samples.shape[:2], planes_of)


def _from_projected(
    pixel_format: PixelFormat, samples: Samples, max_code: float, projection: Projection
) -> Array:
    height, width = samples.shape[0], samples.shape[1] // 2

    def planes_of(rows: slice) -> npt.NDArray[Any]:
        planes = samples[rows].astype(np.float32) / np.float32(max_code)
        return projection.inverse(np.stack(np.split(planes, 2, axis=1))) * 0.5 + 0.5

    return pixel_format.restore_rows((height, width), planes_of)


def _from_rotated(pixel_format: PixelFormat, samples: Samples, max_code: float, rotation: Rotation) -> Array:
    size, value_range = samples.shape[:2], pixel_format.value_range
    if pixel_format.unit_vectors or not value_range.fits_float32(pixel_format.dtype):
        return pixel_format.restore_rows(
            size, lambda rows: rotation.inverse(samples[rows], max_code, UNIT_RANGE)
        )
    return pixel_format.store_rows(
        size, lambda rows: value_range.clip(rotation.inverse(samples[rows], max_code, value_range))
    )


# --- the head of a payload -------------------------------------------------------------------------------


def pack_head(codec: ClassicalCodec, transform: Transform) -> bytes:
    """What a payload begins with: the codec, and the projection or rotation."""
    if isinstance(transform, Projection):
        return bytes([codec.id | PROJECTED]) + _PROJECTION.pack(*transform.direction, transform.scale)
    return bytes([codec.id]) + (b"" if transform is None else _ROTATION.pack(*transform.vector))


def parse_head(payload: bytes, pixel_format: PixelFormat) -> tuple[ClassicalCodec, Transform, bytes]:
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
    if not _is_rotated(codec, pixel_format):
        return codec, None, payload[1:]
    if len(payload) < 1 + _ROTATION.size:
        raise FormatError("a rotation that is cut off")
    b, c, d = _ROTATION.unpack_from(payload, 1)
    if -128 in (b, c, d):
        raise FormatError("a rotation beyond its numbers")
    return codec, Rotation((b, c, d)), payload[1 + _ROTATION.size :]
