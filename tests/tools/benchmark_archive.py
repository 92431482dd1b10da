"""Scenes a second into an archive and out of it, beside AVIF and JPEG XL of the same images in the same run.

    python tests/tools/benchmark_archive.py DATASET [--workers 2] [--limit N] [--weights clevr]

All include reading the PNG files and writing results, and starting the processes; the second figure of ours
leaves out the start, as of a long run.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mtcodec.archive.pack import Job, Summary, pack
from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.unpack import unpack
from mtcodec.bitstreams import jxl
from mtcodec.codec.request import CODINGS, Request
from mtcodec.files.images import write_image
from mtcodec.files.layouts import SceneFiles, find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.networks.weights import store
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL

TASKS = ("rgb", "depth", "normal")


def samples(name: str, image: np.ndarray) -> np.ndarray:
    """8-bit samples of an image, depth scaled by its range."""
    if name != "depth":
        return image
    low, high = float(image.min()), float(image.max())
    return np.rint((image - low) * (255 / max(high - low, 1))).astype(np.uint8)


def avif(planes: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(planes).save(file, "AVIF", quality=50, speed=6, subsampling="4:4:4", max_threads=1)
    return file.getvalue()


def encode(codec: str, out: str, files: SceneFiles) -> int:
    """Every image of a scene as a file of a classical codec; returns bytes."""
    total = 0
    for name, image in read_scene(files, USUAL, TASKS).items():
        planes = samples(name, image)
        data = avif(planes) if codec == "avif" else jxl.encode_lossy(planes, 1.5, 7)
        (Path(out) / f"{files.key}.{name}").write_bytes(data)
        total += len(data)
    return total


def decode(codec: str, out: str, files: SceneFiles) -> int:
    """The depth image of a scene from its file to PNG."""
    import imagecodecs

    data = (Path(out) / f"{files.key}.depth").read_bytes()
    image = imagecodecs.avif_decode(data) if codec == "avif" else imagecodecs.jpegxl_decode(data)
    write_image(Path(out) / f"{files.key}.png", np.ascontiguousarray(image))
    return 1


def timed(what: str, count: int, seconds: float, note: str = "") -> None:
    print(f"{what:<28} {count / seconds:7.1f} scenes/s  {note}", flush=True)


class Clock:
    """When the first results came, and the last."""

    def __init__(self) -> None:
        self.first = self.seen = 0.0
        self.at_first = 0

    def __call__(self, done: int) -> None:
        if not self.first:
            self.first, self.at_first = time.perf_counter(), done

    def rate(self, count: int) -> str:
        return f"{(count - self.at_first) / (time.perf_counter() - self.first):.1f} without the start"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--weights", default="clevr")
    parser.add_argument("--coding", choices=CODINGS, default="auto")
    arguments = parser.parse_args()
    scenes = find_scenes(arguments.dataset)[: arguments.limit]
    count, workers = len(scenes), arguments.workers
    job = Job(store.find(arguments.weights), TASKS, Request(coding=arguments.coding))
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        clock, start = Clock(), time.perf_counter()

        def packed(summary: Summary, total: int) -> None:
            clock(summary.scenes)

        summary = pack(scenes, out / "a", job, workers=workers, progress=packed)
        timed("mtcodec pack", count, time.perf_counter() - start,
              f"{clock.rate(count)}; {summary.total / count:.0f} bytes a scene")  # fmt: skip
        for codec in ("avif", "jxl"):
            (out / codec).mkdir()
            start = time.perf_counter()
            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                size = sum(pool.map(partial(encode, codec, str(out / codec)), scenes, chunksize=8))
            timed(f"{codec}, three images", count, time.perf_counter() - start, f"{size / count:.0f} bytes")
        clock, start = Clock(), time.perf_counter()
        unpack(ArchiveReader(out / "a"), out / "images", ["depth"], workers=workers,
               progress=lambda done, total: clock(done))  # fmt: skip
        timed("mtcodec unpack, depth", count, time.perf_counter() - start, clock.rate(count))
        for codec in ("avif", "jxl"):
            start = time.perf_counter()
            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                list(pool.map(partial(decode, codec, str(out / codec)), scenes, chunksize=8))
            timed(f"{codec} to PNG, depth", count, time.perf_counter() - start)


if __name__ == "__main__":
    main()
