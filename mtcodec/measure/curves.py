"""Rate-distortion curves of baselines over many scenes, measured once and cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec.files.output import write_atomic
from mtcodec.measure import image_codecs
from mtcodec.measure.timing import timed
from mtcodec.signals.measures import errors
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task

CACHE_VERSION = 5
"""Raised when the encoders' settings or the meaning of a point change."""


@dataclass(frozen=True)
class Point:
    """One codec at one quality setting: means over the images of one task."""

    codec: str  # a key of mtcodec.measure.image_codecs.VARIANTS
    task: str
    quality: float  # the codec's own setting
    images: int  # how many the means are over
    bytes: float  # of the whole file
    bpp: float  # bits of the whole file per pixel of the scene's largest image
    psnr: float  # dB
    mse: float  # of values scaled to 0..255
    encode_ms: float  # median, one thread
    decode_ms: float


def _measure(
    signal: Signal, pixels: int, codec: str, qualities: Sequence[float], checkpoints: str | None
) -> list[list[float]]:
    """One image at every quality: rows of bytes, bpp, PSNR, MSE, encode and decode ms."""
    rows = []
    for quality in qualities:
        file, encode_ms = timed(partial(image_codecs.encode, codec, signal, quality, checkpoints))
        decoded, decode_ms = timed(partial(image_codecs.decode, codec, file, signal, checkpoints))
        measures = errors(signal, decoded)
        size = len(file)
        rows.append([size, 8 * size / pixels, measures["psnr"], measures["mse"], encode_ms, decode_ms])
    return rows


@contextmanager
def workers_pool(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A function like ``map``, which works in ``workers`` processes (1: in this one).

    The processes are spawned, not forked: a parent that holds threads must not be forked.
    """
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def curve(
    codec: str,
    images: Sequence[Signal],
    qualities: Sequence[float],
    checkpoints: str | None = None,
    mapper: Callable[..., Iterator[Any]] = map,
    tick: Callable[[int], None] = lambda done: None,
    pixels: Sequence[int] = (),
) -> list[Point]:
    """The curve of one codec for one task, one point per quality.

    Args:
        codec: a key of :data:`mtcodec.measure.image_codecs.VARIANTS`.
        images: of one task, each of 1 or 3 channels.
        checkpoints: see :func:`mtcodec.measure.image_codecs.encode`.
        mapper: of :func:`workers_pool`.
        tick: called after each image with how many are done.
        pixels: that bits per pixel are counted by, of each image; without them its own.
    """
    measure = partial(_measure, codec=codec, qualities=qualities, checkpoints=checkpoints)
    rows = []
    for row in mapper(measure, images, pixels or _own_pixels(images)):
        rows.append(row)
        tick(len(rows))
    table = np.asarray(rows, dtype=np.float64)  # images x qualities x 6
    mean, median = table.mean(0).tolist(), np.median(table, axis=0).tolist()
    return [
        Point(codec, images[0].task.name, quality, len(images), *mean[k][:4], *median[k][4:])
        for k, quality in enumerate(qualities)
    ]


def _own_pixels(images: Sequence[Signal]) -> list[int]:
    return [signal.height * signal.width for signal in images]


def fingerprint(images: Sequence[Signal], pixels: Sequence[int] = ()) -> str:
    """Hash of what a curve depends on besides the codec: the task's kind, every pixel, and ``pixels``."""
    digest = hashlib.sha256(f"{CACHE_VERSION} {images[0].task.kind.name}".encode())
    if pixels and list(pixels) != _own_pixels(images):
        digest.update(f" {list(pixels)}".encode())
    for signal in images:
        image = signal.original
        digest.update(f" {image.dtype} {image.shape} ".encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:32]


class CurveCache:
    """Curves by images, codec, grid and library versions, kept in one JSON file.

    Args:
        path: the file; None: nothing is kept. One that is missing or unreadable counts as empty.
        identities: by codec, what else its curves depend on, such as the weights it uses.
    """

    def __init__(self, path: Path | None, identities: Mapping[str, str] | None = None) -> None:
        self.path, self.identities = path, identities or {}
        self.curves: dict[str, list[dict[str, object]]] = {}
        if path is not None:
            with suppress(OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
                stored = json.loads(path.read_text(encoding="utf-8"))
                if stored["version"] == CACHE_VERSION:
                    self.curves = dict(stored["curves"])

    def _key(self, images_hash: str, codec: str, qualities: Sequence[float]) -> str:
        encoders = " ".join(f"{name} {version}" for name, version in sorted(image_codecs.versions().items()))
        encoders += self.identities.get(codec, "")
        measured = f"{images_hash} {list(map(float, qualities))} {encoders}"
        return f"{codec}-{hashlib.sha256(measured.encode()).hexdigest()[:24]}"

    def get(self, images_hash: str, task: Task, codec: str, qualities: Sequence[float]) -> list[Point] | None:
        """The curve measured before on images of that :func:`fingerprint`, or None."""
        stored = self.curves.get(self._key(images_hash, codec, qualities))
        if stored is None:
            return None
        try:
            return [Point(**{**point, "task": task.name}) for point in stored]  # type: ignore[arg-type]
        except TypeError:
            return None

    def put(self, images_hash: str, codec: str, qualities: Sequence[float], points: Sequence[Point]) -> None:
        """Keep a curve, and write the file anew."""
        self.curves[self._key(images_hash, codec, qualities)] = [asdict(point) for point in points]
        if self.path is not None:
            text = json.dumps({"version": CACHE_VERSION, "curves": self.curves}, indent=1)
            write_atomic(self.path, text.encode())
