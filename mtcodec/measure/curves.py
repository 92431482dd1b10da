"""Rate-distortion curves of baselines over many scenes, measured once and cached."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mtcodec.errors import UsageError
from mtcodec.files.output import write_atomic
from mtcodec.measure import image_codecs
from mtcodec.signals.measures import errors
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task

CACHE_VERSION = 5
"""Raised when the encoders' settings or the meaning of a point change."""


@dataclass(frozen=True)
class Point:
    """One codec at one quality setting: means over the images of one task.

    Attributes:
        codec: a key of :data:`mtcodec.measure.image_codecs.VARIANTS`.
        quality: the codec's own setting.
        images: how many images the means are over.
        bytes: of the whole file.
        bpp: bits of the whole file per pixel.
        psnr: dB, mean of the images' PSNRs.
        mse: mean of the images' mean squared errors, of values scaled to 0..255.
        encode_ms, decode_ms: medians, one thread.
    """

    codec: str
    task: str
    quality: float
    images: int
    bytes: float
    bpp: float
    psnr: float
    mse: float
    encode_ms: float
    decode_ms: float


Job = tuple[str, Signal, tuple[float, ...], str | None]
"""Codec, image, qualities and :func:`mtcodec.measure.image_codecs.encode`'s ``checkpoints``."""


def _measure(job: Job) -> list[list[float]]:
    """One image at every quality: rows of bytes, bpp, PSNR, MSE, encode and decode ms."""
    codec, signal, qualities, checkpoints = job
    pixels = signal.height * signal.width
    rows = []
    for quality in qualities:
        start = time.perf_counter()
        file = image_codecs.encode(codec, signal, quality, checkpoints)
        encoded_at = time.perf_counter()
        decoded = image_codecs.decode(codec, file, signal, checkpoints)
        decoded_at = time.perf_counter()
        times = [1000 * (encoded_at - start), 1000 * (decoded_at - encoded_at)]
        measures = errors(signal, decoded)
        rows.append([len(file), 8 * len(file) / pixels, measures["psnr"], measures["mse"], *times])
    return rows


Mapper = Callable[[Iterable[Job]], Iterator[list[list[float]]]]


@contextmanager
def workers_pool(workers: int) -> Iterator[Mapper]:
    """A function that measures jobs in order, in ``workers`` processes (1: in this one).

    The processes are spawned, not forked: a parent that holds threads must not be forked.
    """
    if workers <= 1:
        yield lambda jobs: map(_measure, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield lambda jobs: pool.map(_measure, jobs)


def curve(
    codec: str,
    images: Sequence[Signal],
    qualities: Sequence[float] | None = None,
    *,
    checkpoints: str | None = None,
    workers: int = 1,
    mapper: Mapper | None = None,
    tick: Callable[[int], None] = lambda done: None,
) -> list[Point]:
    """The curve of one codec for one task, one point per quality.

    Args:
        codec: a key of :data:`mtcodec.measure.image_codecs.VARIANTS`.
        images: of one task, each of 1 or 3 channels.
        qualities: default is the variant's own grid.
        checkpoints: see :func:`mtcodec.measure.image_codecs.encode`.
        workers: processes, unless ``mapper`` (from :func:`workers_pool`) brings its own.
        tick: called after each image with how many are done.
    """
    if codec not in image_codecs.VARIANTS:
        raise UsageError(f"unknown classical codec {codec!r} (known: {', '.join(image_codecs.VARIANTS)})")
    if not images:
        raise UsageError("a curve needs at least one image")
    if mapper is None:
        with workers_pool(workers) as pool_mapper:
            return curve(codec, images, qualities, checkpoints=checkpoints, mapper=pool_mapper, tick=tick)
    grid = tuple(image_codecs.VARIANTS[codec].qualities if qualities is None else qualities)
    rows = []
    for row in mapper((codec, image, grid, checkpoints) for image in images):
        rows.append(row)
        tick(len(rows))
    table = np.asarray(rows, dtype=np.float64)  # images x qualities x 6
    mean, median = table.mean(0).tolist(), np.median(table, axis=0).tolist()
    return [
        Point(codec, images[0].task.name, quality, len(images), *mean[k][:4], *median[k][4:])
        for k, quality in enumerate(grid)
    ]


def fingerprint(images: Sequence[Signal]) -> str:
    """Hash of what a curve depends on besides the codec: the task's kind and every pixel."""
    digest = hashlib.sha256(f"{CACHE_VERSION} {images[0].task.kind.name}".encode())
    for signal in images:
        image = signal.original
        digest.update(f" {image.dtype} {image.shape} ".encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:32]


class CurveCache:
    """Curves by images, codec, grid and library versions, kept in one JSON file.

    Args:
        path: the file; None: nothing is kept.
        identities: by codec, what else its curves depend on, such as the weights it uses.
        curves: what is known already, by key.
    """

    def __init__(
        self,
        path: Path | None,
        identities: Mapping[str, str] | None = None,
        curves: Mapping[str, list[dict[str, object]]] | None = None,
    ) -> None:
        self.path = path
        self.identities = identities or {}
        self.curves = dict(curves or {})

    @classmethod
    def open(cls, path: Path | None, identities: Mapping[str, str] | None = None) -> CurveCache:
        """The cache in a file. One that is missing or unreadable counts as empty, and is replaced later."""
        if path is None or not path.is_file():
            return cls(path, identities)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            curves = dict(stored["curves"]) if stored["version"] == CACHE_VERSION else {}
        except (OSError, ValueError, KeyError, TypeError):
            curves = {}
        return cls(path, identities, curves)

    def _key(self, images_hash: str, codec: str, qualities: Sequence[float]) -> str:
        encoders = " ".join(f"{name} {version}" for name, version in sorted(image_codecs.versions().items()))
        encoders += self.identities.get(codec, "")
        digest = hashlib.sha256(
            f"{images_hash} {list(map(float, qualities))} {encoders}".encode()
        ).hexdigest()
        return f"{codec}-{digest[:24]}"

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
