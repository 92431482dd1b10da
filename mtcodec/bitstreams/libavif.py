"""libavif, called for what Python packages do not pass on: libaom's options for 10 bits, planes as they are.

imagecodecs brings the library, and encodes with its defaults, which aim at the eye: at equal PSNR they need
a fifth more bytes of colours. Pillow has options, but 8 bits alone, which need 11 % more of colours and 28 %
more of depth (``docs/choices.md``). So the library's C interface is called here (``avif/avif.h``; within its
major version structures only grow at the end, so that the first fields stay where they are, and defaults of
theirs are compared). Where a build hides its functions, :func:`encode` and :func:`decode` return None.

imagecodecs decodes the same, but turns planes to interleaved pixels, grey ones to three equal channels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.errors import MtcodecError

Plane = npt.NDArray[np.uint16]
_MAJOR = b"1."
_YUV444, _YUV400 = 1, 4
_PLANES_YUV = 1


class _Encoder(ctypes.Structure):
    """The first fields of ``avifEncoder``."""

    _fields_ = [
        ("codec", ctypes.c_int), ("threads", ctypes.c_int), ("speed", ctypes.c_int),
        ("keyframe_interval", ctypes.c_int), ("timescale", ctypes.c_uint64),
        ("repetitions", ctypes.c_int), ("extra_layers", ctypes.c_uint32), ("quality", ctypes.c_int),
    ]  # fmt: skip


_DEFAULTS = {"codec": 0, "threads": 1, "speed": -1, "keyframe_interval": 0, "timescale": 1, "extra_layers": 0}


class _Image(ctypes.Structure):
    """The first fields of ``avifImage``."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("width", "height", "depth", "format")]


class _Data(ctypes.Structure):
    """``avifRWData``."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]


@cache
def _library() -> Any:
    """The library that imagecodecs' extension is linked to; None if there is none of a known interface."""
    try:
        import imagecodecs._avif as extension

        library = ctypes.CDLL(extension.__file__)  # names are looked up in what it depends on, too
        pointer, number, unsigned = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32
        for name, result, arguments in (
            ("avifVersion", ctypes.c_char_p, []),
            ("avifResultToString", ctypes.c_char_p, [number]),
            ("avifImageCreate", pointer, [unsigned, unsigned, unsigned, number]),
            ("avifImageCreateEmpty", pointer, []),
            ("avifDecoderCreate", pointer, []),
            ("avifDecoderReadMemory", number, [pointer, pointer, ctypes.c_char_p, ctypes.c_size_t]),
            ("avifDecoderDestroy", None, [pointer]),
            ("avifImageAllocatePlanes", number, [pointer, unsigned]),
            ("avifImagePlane", pointer, [pointer, number]),
            ("avifImagePlaneRowBytes", unsigned, [pointer, number]),
            ("avifImageDestroy", None, [pointer]),
            ("avifEncoderCreate", ctypes.POINTER(_Encoder), []),
            ("avifEncoderSetCodecSpecificOption", number, [pointer, ctypes.c_char_p, ctypes.c_char_p]),
            ("avifEncoderWrite", number, [pointer, pointer, ctypes.POINTER(_Data)]),
            ("avifEncoderDestroy", None, [pointer]),
            ("avifRWDataFree", None, [ctypes.POINTER(_Data)]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (ImportError, OSError, AttributeError):
        return None
    encoder = library.avifEncoderCreate()
    try:
        fields = encoder.contents
        same_defaults = all(getattr(fields, name) == value for name, value in _DEFAULTS.items())
    finally:
        library.avifEncoderDestroy(encoder)
    return library if same_defaults and library.avifVersion().startswith(_MAJOR) else None


def encode(
    planes: Sequence[Plane], bits: int, quality: int, speed: int, threads: int, options: Mapping[str, str]
) -> bytes | None:
    """An AVIF file of one plane, or of Y, Cb and Cr in full resolution; MtcodecError: the library refuses.

    None where the library cannot be called.

    Args:
        planes: (H, W) samples of ``bits`` bits, more than 8.
        quality: libavif's, 0 to 100. speed: 0 (best) to 10.
        options: of libaom, by name.
    """
    library = _library()
    if library is None:
        return None
    height, width = planes[0].shape
    image = library.avifImageCreate(width, height, bits, _YUV400 if len(planes) == 1 else _YUV444)
    encoder, out = library.avifEncoderCreate(), _Data()
    try:
        if not image or not encoder:
            raise MemoryError
        _check(library, library.avifImageAllocatePlanes(image, _PLANES_YUV))
        for channel, plane in enumerate(planes):
            _plane(library, image, channel, height)[:, :width] = plane
        fields = encoder.contents
        fields.quality, fields.speed, fields.threads = quality, speed, threads
        for name, value in options.items():
            _check(library, library.avifEncoderSetCodecSpecificOption(encoder, name.encode(), value.encode()))
        _check(library, library.avifEncoderWrite(encoder, image, ctypes.byref(out)))
        return ctypes.string_at(out.data, out.size)
    finally:
        library.avifRWDataFree(ctypes.byref(out))
        library.avifEncoderDestroy(encoder)
        library.avifImageDestroy(image)


def decode(file: bytes, bits: int, size: tuple[int, ...], order: Sequence[int]) -> Plane | None:
    """Planes (C, H, W) of an AVIF file of one, or of Y, Cb and Cr in full resolution.

    None where the library cannot be called; MtcodecError: damaged, or of another shape.

    Args:
        bits: of its samples, more than 8.
        size: height and width; the file has been found to tell the same.
        order: in which the planes are wanted; 0 is Y.
    """
    library = _library()
    if library is None:
        return None
    height, width = size
    image, decoder = library.avifImageCreateEmpty(), library.avifDecoderCreate()
    try:
        if not image or not decoder:
            raise MemoryError
        _check(library, library.avifDecoderReadMemory(decoder, image, file, len(file)), "decode")
        decoded = _Image.from_address(image)
        expected = (width, height, bits, _YUV400 if len(order) == 1 else _YUV444)
        if (decoded.width, decoded.height, decoded.depth, decoded.format) != expected:
            raise MtcodecError("of another shape")
        return np.stack([_plane(library, image, channel, height)[:, :width] for channel in order])
    finally:
        library.avifDecoderDestroy(decoder)
        library.avifImageDestroy(image)


def _plane(library: Any, image: int, channel: int, height: int) -> Plane:
    """Rows of a plane, and what is behind them, in the library's memory."""
    stride = library.avifImagePlaneRowBytes(image, channel)
    memory = (ctypes.c_uint8 * (stride * height)).from_address(library.avifImagePlane(image, channel))
    rows: Plane = np.frombuffer(memory, np.uint16).reshape(height, stride // 2)
    return rows


def _check(library: Any, result: int, work: str = "encode") -> None:
    if result:
        raise MtcodecError(f"libavif cannot {work} it: {library.avifResultToString(result).decode()}")
