"""Classical image codecs as a yardstick: one image of a task to a file's bytes and back.

Encoders run inside this process through Pillow and imagecodecs, single-threaded, each at settings that
serve it: 4:4:4 chroma wherever the format has it (WebP is 4:2:0 by nature, and Pillow offers no sharp
conversion), JPEG with optimised Huffman tables, WebP method 6, AVIF speed 4, JPEG XL effort 7.

Two deserve a word. Quality is compared by PSNR, so 8-bit AVIF is encoded with ``tune=psnr``: libavif's
own default (``tune=iq``) aims at the eye and needs 5 to 15 % more bytes for equal PSNR. ``avif10`` codes
at 10 bits per sample, where YCbCr rounding does not limit PSNR to about 48 dB; imagecodecs offers no
``tune`` for it. The better of the two at each PSNR is what "AVIF" means in the matched bytes ratio.

``hyperprior`` is a learned codec among them, for comparison: see :mod:`mtcodec.evaluation.hyperprior`.

Values that have no fixed range (depth, floats) are mapped from the scene's min..max to the codec's
samples; those two numbers are given to the classical side for free.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtcodec.bitstreams import av1
from mtcodec.errors import MtcodecError, UsageError
from mtcodec.evaluation import hyperprior, overhead
from mtcodec.signal.mapping import Array, value_range
from mtcodec.tasks.task import Task

__all__ = [
    "FAMILIES",
    "FORMATS",
    "VARIANTS",
    "Variant",
    "container_overhead",
    "decode",
    "encode",
    "lossless_webp",
    "variants",
    "versions",
]


@dataclass(frozen=True)
class Variant:
    """One way to run a codec.

    Attributes:
        name: what :func:`encode` takes.
        family: the codec as a user names it.
        bits: bits per sample that it is given.
        qualities: the usual grid, from few bytes to many: 0 to 100, for JPEG XL distances (0.1 to 25),
            for the Scale Hyperprior 1 to 8.
    """

    name: str
    family: str
    bits: int
    qualities: tuple[float, ...]


SPEED = 4  # of AVIF
_AVIF = (0, 8, 18, 30, 42, 55, 68, 82, 94)
_JXL = (25, 15, 10, 6, 3.5, 2, 1, 0.5, 0.2)
VARIANTS = {
    v.name: v
    for v in (
        Variant("jpeg", "jpeg", 8, (2, 10, 20, 35, 50, 65, 80, 90, 97)),
        Variant("webp", "webp", 8, (0, 10, 25, 40, 55, 70, 80, 90, 97)),
        Variant("avif", "avif", 8, _AVIF),
        Variant("avif10", "avif", 10, _AVIF),
        Variant("jxl", "jxl", 8, _JXL),
        Variant("jxl16", "jxl", 16, _JXL),
        Variant(hyperprior.NAME, hyperprior.NAME, 32, hyperprior.QUALITIES),
    )
}
FAMILIES = tuple(dict.fromkeys(v.family for v in VARIANTS.values()))
FORMATS = tuple(family for family in FAMILIES if family != hyperprior.NAME)
"""The families that are image file formats, which need nothing but this package's dependencies."""


def variants(family: str, task: Task, dtype: str) -> list[str]:
    """The variants of ``family`` worth trying for images of ``task`` in ``dtype``.

    JPEG XL computes in floats whatever it is given, so 16 bits are for values that 8 cannot hold.
    """
    if family not in FAMILIES:
        raise UsageError(f"unknown classical codec {family!r} (known: {', '.join(FAMILIES)})")
    shallow = dtype == "uint8" and not task.scene_range(dtype)
    names = (v.name for v in VARIANTS.values() if v.family == family)
    return [name for name in names if not (shallow and name == "jxl16")]


def _library() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise UsageError("classical codecs need imagecodecs: install mtcodec[train]") from error
    return imagecodecs


def _to_samples(task: Task, image: Array, bits: int) -> Array:
    """Stored values to the codec's unsigned samples of ``bits`` bits, same shape."""
    scale, top = value_range(task, image), 2**bits - 1
    factor = top / scale.span if scale.span > 0 else 0.0
    values = np.rint((image.astype(np.float64) - scale.low) * factor)
    samples: Array = np.clip(values, 0, top).astype(np.uint8 if bits == 8 else np.uint16)
    return samples


def _from_samples(task: Task, samples: Array, bits: int, like: Array) -> Array:
    """Decoded samples to values in the dtype and range of ``like``."""
    scale = value_range(task, like)
    values = scale.low + samples.astype(np.float64) * (scale.span / (2**bits - 1))
    if like.dtype.kind != "f":
        values = np.rint(values)
    image: Array = np.clip(values, scale.low, scale.low + scale.span).astype(like.dtype)
    return image


def _pillow(samples: Array, format: str, **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(samples).save(file, format, **options)
    return file.getvalue()


def _encode_jxl(samples: Array, quality: float) -> bytes:
    return bytes(_library().jpegxl_encode(samples, distance=quality, effort=7, numthreads=1))


_ENCODERS: dict[str, Callable[[Array, float], bytes]] = {
    "jpeg": lambda s, q: _pillow(s, "JPEG", quality=int(q), subsampling=0, optimize=True),
    "webp": lambda s, q: _pillow(s, "WEBP", quality=q, method=6),
    "avif": lambda s, q: av1.encode_file(s, 8, int(q), SPEED),
    "avif10": lambda s, q: av1.encode_file(s, 10, int(q), SPEED),
    "jxl": _encode_jxl,
    "jxl16": _encode_jxl,
}


def _decode_samples(family: str, payload: bytes) -> Array:
    if family == "avif":
        return np.asarray(_library().avif_decode(payload, numthreads=1))
    if family == "jxl":
        return np.asarray(_library().jpegxl_decode(payload, numthreads=1))
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(payload)))


def _variant(codec: str) -> Variant:
    if codec not in VARIANTS:
        raise UsageError(f"unknown classical codec {codec!r} (known: {', '.join(VARIANTS)})")
    return VARIANTS[codec]


def container_overhead(payload: bytes, codec: str) -> int:
    """Bytes of the file ``payload`` that are not coded picture, see :mod:`mtcodec.evaluation.overhead`."""
    return hyperprior.OVERHEAD if codec == hyperprior.NAME else overhead.container_overhead(payload, codec)


def encode(codec: str, task: Task, image: Array, quality: float, checkpoints: str | None = None) -> bytes:
    """``image`` of ``task``, (H, W) or (H, W, 3), as a file of ``codec``.

    Args:
        codec: a key of :data:`VARIANTS`.
        quality: the codec's own setting, see :class:`Variant`; for ``jxl`` less is better.
        checkpoints: where ``hyperprior`` has its weights from, see its :func:`~hyperprior.checkpoint`.

    Raises:
        UsageError: the codec is unknown or its library missing, or the image has another channel count.
        WeightsError: its weights are missing or damaged.
        MtcodecError: the codec refused the image.
    """
    variant = _variant(codec)
    if image.ndim != 2 and image.shape[2] != 3:
        raise UsageError(f"task {task.name}: classical codecs take 1 or 3 channels, not {image.shape[2]}")
    try:
        if codec == hyperprior.NAME:
            return hyperprior.encode(task, image, quality, checkpoints)
        return _ENCODERS[codec](_to_samples(task, image, variant.bits), quality)
    except MtcodecError:
        raise
    except Exception as error:  # codecs raise whatever their libraries do
        raise MtcodecError(f"task {task.name}: {codec} cannot encode it: {error!r}") from error


def decode(codec: str, task: Task, payload: bytes, like: Array, checkpoints: str | None = None) -> Array:
    """The image in a file of ``codec``, in shape, dtype and value range of the original ``like``."""
    variant = _variant(codec)
    try:
        if codec == hyperprior.NAME:
            return hyperprior.decode(task, payload, like, checkpoints)
        samples = _decode_samples(variant.family, payload)
        if like.ndim == 2 and samples.ndim == 3:  # grey, decoded as three equal channels
            samples = samples[..., 0]
        return _from_samples(task, samples.reshape(like.shape), variant.bits, like)
    except MtcodecError:
        raise
    except Exception as error:
        raise MtcodecError(f"task {task.name}: {codec} cannot decode it: {error!r}") from error


def lossless_webp(labels: Array) -> bytes:
    """(H, W) class ids of 8 or 16 bits as a lossless WebP file, ids above 255 as two channels."""
    wide = labels.astype(np.uint16)
    planes = [(wide & 255).astype(np.uint8), (wide >> 8).astype(np.uint8)]
    image = (
        np.stack([planes[0], planes[1], np.zeros_like(planes[0])], axis=-1) if wide.max() > 255 else planes[0]
    )
    return _pillow(image, "WEBP", lossless=True, quality=100, method=6)


def versions() -> dict[str, str]:
    """Versions of the libraries that do the work, by name."""
    import PIL
    from PIL import features

    library = _library()
    found = {"numpy": np.__version__, "pillow": PIL.__version__, "imagecodecs": str(library.__version__)}
    for name in ("avif", "webp", "libjpeg_turbo"):
        found[f"pillow {name}"] = str(features.version(name))
    for name, version in re.findall(r"(libavif|libjxl)-([^\s,]+)", str(library.version())):
        found[f"imagecodecs {name}"] = version
    return found
