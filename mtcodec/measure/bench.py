"""Speed and size on one scene, beside PNG, JPEG XL and AVIF of the same images.

Lossy formats get the setting with the fewest bytes whose PSNR is not below ours, out of a few that are tried;
what is kept exactly, and what we keep without loss, is lossless JPEG XL. They are given images with their
holes filled in, and are spared the bytes of those (:mod:`mtcodec.measure.image_codecs`). What a format cannot
hold is counted as PNG in its sums.
"""

from __future__ import annotations

import math
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import imagecodecs

from mtcodec.bitstreams import jxl
from mtcodec.codec.api import Codec
from mtcodec.codec.encoded import EncodedGroup
from mtcodec.codec.info import summary
from mtcodec.codec.request import Request
from mtcodec.container.mtc import Reader
from mtcodec.measure import image_codecs
from mtcodec.measure.timing import Progress, timed
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import PSNR_CAP, errors
from mtcodec.signals.signal import Signal

FORMATS = ("png", "jxl", "avif")
SEARCH_HALVINGS = 6  # files that the search for a lossy format's setting makes
PNG_LEVEL = 6  # zlib's usual one
JXL_DISTANCES = (0.05, 25.0)  # the best and the worst that are tried
Clock = Callable[[], float]


def median_ms(run: Callable[[], object], runs: int, clock: Clock = time.process_time) -> float:
    """Median milliseconds of ``run`` after a first call that is not counted."""
    run()
    return statistics.median(timed(run, clock)[1] for _ in range(runs))


class FormatCodec(NamedTuple):
    """A file format for one image; the setting of a lossy one is its quality or distance."""

    encode: Callable[[], bytes]
    decode: Callable[[bytes], Array]
    setting: float | None = None


def bench(
    codec: Codec,
    images: Mapping[str, Array],
    request: Request,
    runs: int = 3,
    clock: Clock = time.process_time,
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Time ``codec`` and the formats on one scene.

    Args:
        images: as :func:`mtcodec.files.scene.read_scene` gives them.
        clock: processor time of this process, or the time of the wall where several threads work.

    Returns:
        By ``mtcodec`` and format: ``bytes``, ``encode_ms`` and ``decode_ms`` of the scene (None where even
        PNG cannot hold an image) and, by ``tasks``, the same of each, ``psnr`` in dB (not of exact ones) and
        the ``setting`` of a lossy format; None for a task that a format cannot hold. Of ours a task has the
        bytes and the time that decoding it alone needs, and no ``encode_ms``.
    """
    total = 1 + len(images) * len(FORMATS)
    progress("mtcodec", 0, total)
    ours, encoded = _ours(codec, images, request, runs, clock)
    results, done = {"mtcodec": ours}, 1
    for format in FORMATS:
        rows: dict[str, Any] = {}
        for name, signal in encoded.prepared.signals.items():
            progress(f"{format} {name}", done, total)
            format_codec = _format_codec(format, signal, encoded.psnr.get(name, PSNR_CAP))
            rows[name] = None if format_codec is None else _timed(format_codec, signal, runs, clock)
            done += 1
        results[format] = _sums(rows, results.get("png", {"tasks": rows})["tasks"])
    return results


def _ours(
    codec: Codec, images: Mapping[str, Array], request: Request, runs: int, clock: Clock
) -> tuple[dict[str, Any], EncodedGroup]:
    """Our own row of :func:`bench`, and the scene as it was encoded."""
    encode = partial(codec.encode_stored, images, **vars(request))
    encoded = encode()
    data = encoded.to_bytes()
    described = summary(Reader(data))["tasks"]
    tasks: dict[str, Any] = {}
    for name in images:
        decode_ms = median_ms(partial(codec.decode, data, [name]), runs, clock)
        tasks[name] = {"bytes": described[name]["bytes"], "decode_ms": decode_ms}
        if name in encoded.psnr:
            tasks[name]["psnr"] = encoded.psnr[name]
    row = {
        "bytes": len(data), "encode_ms": median_ms(lambda: encode().to_bytes(), runs, clock),
        "decode_ms": median_ms(lambda: codec.decode(data), runs, clock), "tasks": tasks,
    }  # fmt: skip
    return row, encoded


def _timed(format_codec: FormatCodec, signal: Signal, runs: int, clock: Clock) -> dict[str, Any]:
    """A task's row of :func:`bench` in a format."""
    data = format_codec.encode()
    row: dict[str, Any] = {
        "bytes": len(data), "encode_ms": median_ms(format_codec.encode, runs, clock),
        "decode_ms": median_ms(lambda: format_codec.decode(data), runs, clock),
    }  # fmt: skip
    if not signal.task.exact:
        row["psnr"] = errors(signal, format_codec.decode(data))["psnr"]
    if format_codec.setting is not None:
        row["setting"] = format_codec.setting
    return row


def _sums(rows: Mapping[str, Any], png: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of a format, and their sums with PNG's in the place of those that are missing."""
    counted = [row or png[name] for name, row in rows.items()]
    sums: dict[str, Any] = {}
    for key in ("bytes", "encode_ms", "decode_ms"):
        sums[key] = None if None in counted else sum(row[key] for row in counted)
    return {**sums, "tasks": rows}


def _format_codec(format: str, signal: Signal, psnr: float) -> FormatCodec | None:
    """A format for an image at no less than ``psnr`` dB; None where it cannot hold it so."""
    image: Any = signal.original
    channels, has_samples = signal.pixel_format.channels, image.dtype.name in ("uint8", "uint16")
    if format == "png":
        if not has_samples or channels > 4:
            return None
        return FormatCodec(
            lambda: bytes(imagecodecs.png_encode(image, level=PNG_LEVEL)), imagecodecs.png_decode
        )
    if channels not in (1, 3):
        return None
    if signal.task.exact or psnr >= PSNR_CAP:
        if format != "jxl" or not has_samples:
            return None
        return FormatCodec(partial(jxl.encode_samples, image), partial(jxl.decode_samples, shape=image.shape))
    variant = image_codecs.variants(format, signal.task, image.dtype.name)[-1]
    setting = _search(variant, signal, psnr)
    encode = partial(image_codecs.encode, variant, signal, setting)
    return FormatCodec(encode, partial(image_codecs.decode, variant, like=signal), setting)


def _search(variant: str, signal: Signal, psnr: float) -> float:
    """The worst setting tried that reaches ``psnr``; the best one where none does."""

    def psnr_at(setting: float) -> float:
        file = image_codecs.encode(variant, signal, setting)
        return errors(signal, image_codecs.decode(variant, file, signal))["psnr"]

    settings = _settings(variant)
    return settings[bisect_left(settings, psnr, hi=len(settings) - 1, key=psnr_at)]


def _settings(variant: str) -> list[float]:
    """Settings from worst to best, as many as :data:`SEARCH_HALVINGS` tell apart."""
    last = (1 << SEARCH_HALVINGS) - 1
    if variant.startswith("avif"):
        return [round(100 * k / last) for k in range(last + 1)]
    best, worst = map(math.log, JXL_DISTANCES)
    return [round(math.exp(worst + (best - worst) * k / last), 3) for k in range(last + 1)]
