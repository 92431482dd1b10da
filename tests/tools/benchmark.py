"""Time scenes, warm, beside AVIF and JPEG XL of the same images.

    python tests/tools/benchmark.py SCENE_DIR... [--weights NAME] [--quality Q] [--runs N]

Prints median milliseconds of processor time of ``mtcodec.encode`` with its defaults and with
``coding="neural"``, of decoding both, all tasks and single ones, and of AVIF (Pillow, speed 4, 4:4:4, its
default quality; depth as 8 bits) and JPEG XL (imagecodecs, effort 7, distance 1), and seconds of whole
processes. For one scene, at equal PSNR: ``mtcodec bench``.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from shared.commands import start

import mtcodec
from mtcodec.codec.prepare import Scene
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.measure.bench import median_ms
from mtcodec.quality import DEFAULT

TASKS = ("rgb", "depth", "normal")


def eight_bits(image: np.ndarray) -> np.ndarray:
    """uint8 samples: one channel stretched over its range, 16-bit colours without their lower bits."""
    if image.ndim == 2:
        low, high = float(image.min()), float(image.max())
        return np.rint((image - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


def encode_avif(scene: Scene) -> list[bytes]:
    """The images as AVIF files."""
    files = []
    for image in scene.values():
        file = io.BytesIO()
        subsampling = "4:4:4" if image.ndim == 3 else "4:0:0"
        Image.fromarray(eight_bits(image)).save(file, "AVIF", speed=4, max_threads=1, subsampling=subsampling)
        files.append(file.getvalue())
    return files


def decode_avif(files: list[bytes]) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(file))) for file in files]


def encode_jxl(scene: Scene) -> list[bytes]:
    """The images as JPEG XL files."""
    return [
        imagecodecs.jpegxl_encode(image, effort=7, distance=1.0, numthreads=1) for image in scene.values()
    ]


def decode_jxl(files: list[bytes]) -> list[np.ndarray]:
    return [imagecodecs.jpegxl_decode(file, numthreads=1) for file in files]


Encode = Callable[[Scene], list[bytes]]
Decode = Callable[[list[bytes]], list[np.ndarray]]
IMAGE_CODECS: dict[str, tuple[Encode, Decode]] = {
    "AVIF": (encode_avif, decode_avif),
    "JPEG XL": (encode_jxl, decode_jxl),
}


def report_image_codecs(scene: Scene, runs: int) -> None:
    """Bytes and times of one file an image."""
    for name, (encode, decode) in IMAGE_CODECS.items():
        files = encode(scene)
        encode_ms = median_ms(partial(encode, scene), runs)
        decode_ms = median_ms(partial(decode, files), runs)
        size = sum(map(len, files))
        print(f"  {name}: {size} bytes, encode {encode_ms:.0f} ms, decode {decode_ms:.1f} ms")


def report_mtcodec(scene: Scene, weights: str, quality: float, runs: int) -> None:
    """Bytes and times of files of the defaults and of networks alone."""
    codec = mtcodec.load(weights)
    selections = {"all": list(scene), **{name: [name] for name in scene}}
    for coding in ("auto", "neural"):
        data = codec.encode(scene, quality, coding=coding)
        encode_ms = median_ms(partial(codec.encode, scene, quality, coding=coding), runs)
        decode_times = []
        for label, tasks in selections.items():
            decode_ms = median_ms(partial(codec.decode, data, tasks), runs)
            decode_times.append(f"{label} {decode_ms:.1f}")
        print(
            f"  {coding}: {len(data)} bytes, encode {encode_ms:.0f} ms, decode {', '.join(decode_times)} ms",
            flush=True,
        )


def report_processes(path: Path, quality: float, runs: int) -> None:
    """Seconds of whole processes, by the clock."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "scene.mtc"
        commands = {
            "encode": ("encode", path, "-o", file, "--force", "--quality", f"{quality:g}"),
            "info": ("info", file),
            "decode": ("decode", file, "--force"),
        }
        times = []
        for label, words in commands.items():
            process_ms = median_ms(partial(start, *words, check=True), runs, time.perf_counter)
            times.append(f"{label} {process_ms / 1000:.2f} s")
        print(f"  processes: {', '.join(times)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--quality", type=float, default=DEFAULT)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for path in arguments.scenes:
        scene = read_scene(find_scenes(path)[0], tasks=TASKS)
        height, width = next(iter(scene.values())).shape[:2]
        print(f"{path} ({width}×{height}, {', '.join(scene)}), quality {arguments.quality:g}")
        report_image_codecs(scene, arguments.runs)
        report_mtcodec(scene, arguments.weights, arguments.quality, arguments.runs)
        report_processes(path, arguments.quality, max(arguments.runs // 2, 3))


if __name__ == "__main__":
    main()
