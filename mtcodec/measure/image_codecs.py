"""Baselines: image codecs that code one signal to the bytes of an image file and back.

Encoders run inside this process through Pillow and imagecodecs, single-threaded, each at settings that
serve it: 4:4:4 chroma wherever the format has it (WebP is 4:2:0 by nature, and Pillow offers no sharp
conversion), JPEG with optimised Huffman tables, WebP method 6, AVIF speed 4, JPEG XL effort 7.

Two of the families are AVIF. ``avif`` is what Python packages write: 8 bits by Pillow with ``tune=psnr``,
as quality is compared by PSNR, or 10 bits (``avif10``) by imagecodecs, which passes no ``tune`` on, so that
libavif aims at the eye; the better of the two at each PSNR. ``avif-tuned`` has this package's own settings
of the same encoder: what its streams would be as files.

``hyperprior`` is a learned codec, see :mod:`mtcodec.measure.hyperprior`.

Baselines are given for free what ours stores beside its streams: the range and mapping of values, filled
holes, and vectors of length 1. None of it counts in the bytes of their files.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from mtcodec.bitstreams import av1, jxl
from mtcodec.coders.classical import from_samples, to_samples
from mtcodec.coders.coding_modes import Samples
from mtcodec.errors import MtcodecError, UsageError
from mtcodec.measure import hyperprior
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task


class Variant(NamedTuple):
    """A codec at one bit depth, with the qualities that it is measured at.

    These are 0 to 100; of JPEG XL distances (25 to 0.1), of the Scale Hyperprior 1 to 8.
    """

    name: str  # what encode takes
    family: str  # the codec as a user names it
    bits: int  # per sample that it is given
    qualities: tuple[float, ...]  # the usual grid, from few bytes to many


AVIF_SPEED = 4
_AVIF_QUALITIES = (0, 8, 18, 30, 42, 55, 68, 82, 94)
_JXL_DISTANCES = (25, 15, 10, 6, 3.5, 2, 1, 0.5, 0.2)
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("jpeg", "jpeg", 8, (2, 10, 20, 35, 50, 65, 80, 90, 97)),
        Variant("webp", "webp", 8, (0, 10, 25, 40, 55, 70, 80, 90, 97)),
        Variant("avif", "avif", 8, _AVIF_QUALITIES),
        Variant("avif10", "avif", 10, _AVIF_QUALITIES),
        Variant("avif-tuned", "avif-tuned", 10, _AVIF_QUALITIES),
        Variant("jxl", "jxl", 8, _JXL_DISTANCES),
        Variant("jxl16", "jxl", 16, _JXL_DISTANCES),
        Variant(hyperprior.NAME, hyperprior.NAME, 32, hyperprior.QUALITIES),
    )
}
FAMILIES = tuple(dict.fromkeys(variant.family for variant in VARIANTS.values()))
FORMATS = tuple(family for family in FAMILIES if family != hyperprior.NAME)
"""The families that are image file formats, which need nothing but this package's dependencies."""


def known(codec: str, codecs: Collection[str]) -> str:
    """``codec``, which must be one of ``codecs``."""
    if codec not in codecs:
        raise UsageError(f"unknown classical codec {codec!r} (known: {', '.join(codecs)})")
    return codec


def variants(family: str, task: Task, dtype: str) -> list[str]:
    """The variants of ``family`` worth trying for images of ``task`` in ``dtype``.

    JPEG XL computes in floats whatever it is given, so 16 bits are for values that 8 cannot hold.
    """
    known(family, FAMILIES)
    shallow = dtype == "uint8" and not task.uses_scene_range(dtype)
    names = (variant.name for variant in VARIANTS.values() if variant.family == family)
    return [name for name in names if not (shallow and name == "jxl16")]


def _pillow(samples: Samples, format: str, **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(samples).save(file, format, **options)
    return file.getvalue()


def _bt601(samples: Samples) -> Samples:
    """Cr, Y and Cb of 10-bit colours (H, W, 3), as :mod:`mtcodec.bitstreams.av1` orders them; grey stays."""
    if samples.ndim == 2:
        return samples
    red, green, blue = np.moveaxis(samples.astype(np.float32), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = (red - luma) / 1.402 + 512, luma, (blue - luma) / 1.772 + 512
    samples_10: Samples = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 1023).astype(np.uint16)
    return samples_10


_AVIF_OPTIONS = {"speed": AVIF_SPEED, "max_threads": 1, "advanced": {"tune": "psnr"}}
_SUBSAMPLINGS = {2: "4:0:0", 3: "4:4:4"}  # by dimensions of the samples
_ENCODERS: dict[str, Callable[[Samples, float], bytes]] = {
    "jpeg": lambda s, q: _pillow(s, "JPEG", quality=int(q), subsampling=0, optimize=True),
    "webp": lambda s, q: _pillow(s, "WEBP", quality=q, method=6),
    "avif": lambda s, q: _pillow(
        s, "AVIF", quality=int(q), subsampling=_SUBSAMPLINGS[s.ndim], **_AVIF_OPTIONS
    ),
    "avif10": lambda s, q: av1.encode_by_default(s, int(q), AVIF_SPEED, threads=1),
    "avif-tuned": lambda s, q: av1.encode_file(_bt601(s), int(q), AVIF_SPEED, flat=s.ndim == 2),
    "jxl": jxl.encode_lossy,
    "jxl16": jxl.encode_lossy,
}


def _decode_samples(family: str, file: bytes, shape: tuple[int, ...]) -> Samples:
    """The samples in a file; one channel of grey images, which some decoders give as three equal ones."""
    if family == "jxl":
        return jxl.decode_samples(file, shape)
    if family.startswith("avif"):
        import imagecodecs

        samples = np.asarray(imagecodecs.avif_decode(file, numthreads=1))
    else:
        from PIL import Image

        samples = np.asarray(Image.open(io.BytesIO(file)))
    return samples[..., 0] if len(shape) < samples.ndim else samples


def encode(codec: str, signal: Signal, quality: float, checkpoints: str | None = None) -> bytes:
    """``signal``, of 1 or 3 channels, as a file of ``codec``.

    Args:
        codec: a key of :data:`VARIANTS`.
        quality: the codec's own setting, see :class:`Variant`; for ``jxl`` less is better.
        checkpoints: where ``hyperprior`` has its weights from, see
            :func:`mtcodec.measure.hyperprior.checkpoint`.

    Raises:
        UsageError: the codec is unknown, or the image has another channel count.
        DependencyError: its library is missing. WeightsError: its weights are missing or damaged.
        MtcodecError: the codec refused the image.
    """
    bits, channels = VARIANTS[known(codec, VARIANTS)].bits, signal.pixel_format.channels
    if channels not in (1, 3):
        raise UsageError(f"classical codecs take 1 or 3 channels, not {channels}", task=signal.task.name)
    try:
        if codec == hyperprior.NAME:
            return hyperprior.encode(signal, quality, checkpoints)
        return _ENCODERS[codec](to_samples(signal, bits), quality)
    except MtcodecError:
        raise
    except Exception as error:  # codecs raise whatever their libraries do
        raise MtcodecError(f"{codec} cannot encode it: {error!r}", task=signal.task.name) from error


def decode(codec: str, file: bytes, like: Signal, checkpoints: str | None = None) -> Array:
    """The image in a file of ``codec``; shape, dtype, range and holes are those of the original ``like``.

    Raises:
        UsageError: the codec is unknown. MtcodecError: the codec cannot decode the file.
    """
    variant = VARIANTS[known(codec, VARIANTS)]
    try:
        if codec == hyperprior.NAME:
            return hyperprior.decode(file, like, checkpoints)
        samples = _decode_samples(variant.family, file, like.filled.shape)
        return from_samples(like.pixel_format, samples, variant.bits)
    except MtcodecError as error:
        raise error.at(task=like.task.name) from error.__cause__
    except Exception as error:
        raise MtcodecError(f"{codec} cannot decode it: {error!r}", task=like.task.name) from error


def lossless_webp(labels: Array) -> bytes | None:
    """(H, W) class ids as a lossless WebP file, ids above 255 as two channels; None for other images."""
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or not 0 <= labels.min() <= labels.max() < 1 << 16:
        return None
    ids = labels.astype(np.uint16)
    if ids.max() > 255:
        ids = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=-1)
    return _pillow(ids.astype(np.uint8), "WEBP", lossless=True, quality=100, method=6)


def versions() -> dict[str, str]:
    """Versions of the libraries that do the work, by name."""
    import imagecodecs
    import PIL
    from PIL import features

    names = ("avif", "webp", "libjpeg_turbo")
    libraries = re.findall(r"(libavif|libjxl)-([^\s,]+)", str(imagecodecs.version()))
    return {
        "numpy": np.__version__, "pillow": PIL.__version__, "imagecodecs": str(imagecodecs.__version__),
        **{f"pillow {name}": str(features.version(name)) for name in names},
        **{f"imagecodecs {name}": version for name, version in libraries},
    }  # fmt: skip
