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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import imagecodecs
import numpy as np

from mtcodec.bitstreams import jxl
from mtcodec.codec.api import Codec
from mtcodec.codec.encoded import EncodedScene
from mtcodec.codec.info import summary
from mtcodec.codec.request import Request
from mtcodec.container.mtc import Reader
from mtcodec.measure import image_codecs as classical
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import PSNR_CAP, errors
from mtcodec.signals.signal import Signal

FORMATS = ("png", "jxl", "avif")
TRIES = 6  # settings of a lossy format
PNG_LEVEL = 6  # zlib's usual one
DISTANCES = (0.05, 25.0)  # of JPEG XL
Clock = Callable[[], float]
Progress = Callable[[str, int, int], None]


def median_ms(run: Callable[[], object], runs: int, clock: Clock = time.process_time) -> float:
    """Median milliseconds of ``run`` after a first call that is not counted."""
    run()
    times = []
    for _ in range(runs):
        start = clock()
        run()
        times.append(clock() - start)
    return 1000 * statistics.median(times)


@dataclass(frozen=True)
class Way:
    """How a format keeps an image: calls that make a file and read it, and the setting, if there is one."""

    encode: Callable[[], bytes]
    decode: Callable[[bytes], Array]
    setting: float | None = None


def bench(
    codec: Codec,
    images: Mapping[str, Array],
    request: Request,
    runs: int = 3,
    clock: Clock = time.process_time,
    progress: Progress = lambda what, done, total: None,
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
    steps = 1 + len(images) * len(FORMATS)
    progress("mtcodec", 0, steps)
    ours, encoded = _ours(codec, images, request, runs, clock)
    found, done = {"mtcodec": ours}, 1
    for format in FORMATS:
        rows: dict[str, Any] = {}
        for name, signal in encoded.prepared.signals.items():
            progress(f"{format} {name}", done, steps)
            way = _way(format, signal, encoded.psnr.get(name, PSNR_CAP))
            rows[name] = None if way is None else _timed(way, signal, runs, clock)
            done += 1
        found[format] = _sums(rows, found.get("png", {"tasks": rows})["tasks"])
    return found


def _ours(
    codec: Codec, images: Mapping[str, Array], request: Request, runs: int, clock: Clock
) -> tuple[dict[str, Any], EncodedScene]:
    """Our own row of :func:`bench`, and the scene as it was encoded."""
    encode = partial(codec.encode_scene, images, **vars(request))
    encoded = encode()
    data = encoded.to_bytes()
    told = summary(Reader(data))["tasks"]
    tasks: dict[str, Any] = {}
    for name in images:
        spent = median_ms(partial(codec.decode, data, [name]), runs, clock)
        tasks[name] = {"bytes": told[name]["bytes"], "decode_ms": spent}
        if name in encoded.psnr:
            tasks[name]["psnr"] = encoded.psnr[name]
    row = {
        "bytes": len(data), "encode_ms": median_ms(lambda: encode().to_bytes(), runs, clock),
        "decode_ms": median_ms(lambda: codec.decode(data), runs, clock), "tasks": tasks,
    }  # fmt: skip
    return row, encoded


def _timed(way: Way, signal: Signal, runs: int, clock: Clock) -> dict[str, Any]:
    data = way.encode()
    row: dict[str, Any] = {
        "bytes": len(data), "encode_ms": median_ms(way.encode, runs, clock),
        "decode_ms": median_ms(lambda: way.decode(data), runs, clock),
    }  # fmt: skip
    if not signal.task.exact:
        row["psnr"] = errors(signal, way.decode(data))["psnr"]
    return row | ({} if way.setting is None else {"setting": way.setting})


def _sums(rows: Mapping[str, Any], png: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of a format, and their sums with PNG's in the place of those that are missing."""
    whole = [own or png[name] for name, own in rows.items()]
    keys = ("bytes", "encode_ms", "decode_ms")
    return {k: None if None in whole else sum(row[k] for row in whole) for k in keys} | {"tasks": rows}


def _way(format: str, signal: Signal, psnr: float) -> Way | None:
    """How ``format`` keeps an image at no less than ``psnr`` dB; None where it cannot."""
    image, channels = signal.original, signal.pixel_format.channels
    whole = image.dtype.name in ("uint8", "uint16")
    if format == "png":
        if not whole or channels > 4:
            return None
        return Way(lambda: bytes(imagecodecs.png_encode(image, level=PNG_LEVEL)), _png)
    if channels not in (1, 3):
        return None
    if signal.task.exact or psnr >= PSNR_CAP:
        if format != "jxl" or not whole:
            return None
        samples: Any = image
        return Way(lambda: jxl.encode_samples(samples), lambda data: jxl.decode_samples(data, image.shape))
    variant = classical.variants(format, signal.task, image.dtype.name)[-1]
    setting = _search(variant, signal, psnr)
    return Way(
        lambda: classical.encode(variant, signal, setting),
        lambda data: classical.decode(variant, data, signal), setting,
    )  # fmt: skip


def _png(data: bytes) -> Array:
    return np.asarray(imagecodecs.png_decode(data))


def _search(variant: str, signal: Signal, psnr: float) -> float:
    """The worst setting tried that reaches ``psnr``; the best one where none does."""
    settings = list(_settings(variant))
    low, high = 0, len(settings) - 1
    while low < high:
        middle = (low + high) // 2
        decoded = classical.decode(variant, classical.encode(variant, signal, settings[middle]), signal)
        if errors(signal, decoded)["psnr"] < psnr:
            low = middle + 1
        else:
            high = middle
    return settings[low]


def _settings(variant: str) -> Iterator[float]:
    """Settings from worst to best, as many as :data:`TRIES` halvings tell apart."""
    count = (1 << TRIES) - 1
    for k in range(count + 1):
        if variant.startswith("avif"):
            yield round(100 * k / count)
        else:
            best, worst = map(math.log, DISTANCES)
            yield round(math.exp(worst + (best - worst) * k / count), 3)
