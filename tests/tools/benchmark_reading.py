"""Time of one process to decode a dataset's archive, beside AVIF files of the same images read by Pillow.

    python tests/tools/benchmark_reading.py ARCHIVE DATASET [--tasks rgb,depth] [--repeats 5]

AVIF files are of 8 bits, depth scaled by its range, in the quality whose PSNR over all images of a task is
nearest to the archive's; both are read from memory. Printed is the processor's time of the quickest repeat,
the two in turns.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mtcodec.archive.decode import scenes
from mtcodec.archive.read import Opened
from mtcodec.codec.decoder import Scene
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.signal.mapping import Array
from mtcodec.tasks import USUAL

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95)


def scaled(image: Array, original: Array) -> Array:
    """8-bit samples, of what is not 8 bits by the range of the original without zeros."""
    if original.dtype == np.uint8:
        return image
    valid = original[original > 0]
    low, high = float(valid.min()), float(valid.max())
    return np.rint(np.clip((image.astype(float) - low) * (255 / max(high - low, 1)), 0, 255)).astype(np.uint8)


def error(image: Array, original: Array) -> float:
    """Mean squared error where there is a measurement."""
    valid = np.ones(original.shape[:2], bool) if original.ndim == 3 else original > 0
    return float(np.square(image.astype(float) - scaled(original, original))[valid].mean())


def write(image: Array, quality: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "AVIF", quality=quality, speed=6, subsampling="4:4:4", max_threads=1)
    return file.getvalue()


def read(file: bytes, mono: bool) -> Array:
    from PIL import Image

    image = Image.open(io.BytesIO(file))
    return np.asarray(image.convert("L") if mono else image)


def files_like(originals: list[Array], decoded: list[Array]) -> tuple[int, list[bytes]]:
    """AVIF files of about the error of ``decoded``, and their quality."""
    pairs = zip(decoded, originals, strict=True)
    wanted = float(np.mean([error(scaled(own, original), original) for own, original in pairs]))
    found: list[tuple[float, int, list[bytes]]] = []
    for quality in QUALITIES:
        files = [write(scaled(own, own), quality) for own in originals]
        errors = [error(read(f, o.ndim == 2), o) for f, o in zip(files, originals, strict=True)]
        found.append((abs(float(np.log(max(np.mean(errors), 1e-9) / max(wanted, 1e-9)))), quality, files))
    return min(found)[1:]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tasks", default="rgb,depth")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    tasks = arguments.tasks.split(",")
    opened = Opened(arguments.archive)
    ours: dict[str, Scene] = dict(scenes(opened, tasks))
    theirs: list[tuple[bytes, bool]] = []
    found = {own.key: read_scene(own, USUAL, tasks) for own in find_scenes(arguments.dataset)}
    for name in tasks:
        keys = [key for key in ours if name in ours[key]]
        originals = [found[key][name] for key in keys]
        quality, files = files_like(originals, [ours[key][name] for key in keys])
        print(f"{name}: AVIF quality {quality}, {sum(map(len, files)) / len(files):.0f} bytes an image")
        theirs += [(file, originals[0].ndim == 2) for file in files]
    times = [
        (seconds(lambda: list(scenes(opened, tasks))), seconds(lambda: [read(*file) for file in theirs]))
        for _ in range(arguments.repeats)
    ]
    own, other = (min(column) * 1e3 / len(ours) for column in zip(*times, strict=True))
    print(f"ms a scene: archive {own:.2f}, AVIF {other:.2f}, ratio {own / other:.2f}")


if __name__ == "__main__":
    main()
