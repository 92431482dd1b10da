"""Time scenes, warm, beside AVIF and JPEG XL of the same images.

    python tests/tools/benchmark.py SCENE_DIR... [--mosaic] [--weights NAME] [--quality Q] [--runs N]

Prints median milliseconds of processor time of ``mtcodec.encode`` with its defaults and with
``coding="neural"``, of decoding both, all tasks and single ones, and of AVIF (Pillow, speed 4, 4:4:4, its
default quality; depth as 8 bits) and JPEG XL (imagecodecs, effort 7, distance 1), and seconds of whole
processes. ``--mosaic``: four scenes side by side become one. For a scene of one's own, at equal PSNR:
``mtcodec bench``.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

import mtcodec
from mtcodec.codec.prepare import Scene
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.measure.bench import median_ms
from mtcodec.quality import DEFAULT

TASKS = ("rgb", "depth", "normal")


def mosaic(scenes: list[Scene]) -> Scene:
    """Four scenes of one size, two by two."""
    a, b, c, d = scenes
    return {n: np.vstack([np.hstack([a[n], b[n]]), np.hstack([c[n], d[n]])]) for n in a}


def avif(scene: Scene) -> list[bytes]:
    """The images as AVIF files."""
    files = []
    for image in scene.values():
        samples = image
        if image.ndim == 2:
            low, high = float(image.min()), float(image.max())
            samples = np.rint((image - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
        elif image.dtype == np.uint16:
            samples = (image >> 8).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(samples).save(
            file,
            "AVIF",
            speed=4,
            max_threads=1,
            subsampling="4:4:4" if image.ndim == 3 else "4:0:0",
        )
        files.append(file.getvalue())
    return files


def jxl(scene: Scene) -> list[bytes]:
    """The images as JPEG XL files."""
    return [
        imagecodecs.jpegxl_encode(image, effort=7, distance=1.0, numthreads=1) for image in scene.values()
    ]


def report(label: str, path: Path | None, scene: Scene, weights: str, quality: float, runs: int) -> None:
    height, width = next(iter(scene.values())).shape[:2]
    print(f"{label} ({width}×{height}, {', '.join(scene)}), quality {quality:g}")
    codec = mtcodec.load(weights)

    def decode_avif() -> list[object]:
        return [np.asarray(Image.open(io.BytesIO(file))) for file in avif_files]

    def decode_jxl() -> list[object]:
        return [imagecodecs.jpegxl_decode(file, numthreads=1) for file in jxl_files]

    avif_files, jxl_files = avif(scene), jxl(scene)
    for name, encode, decode, files in (
        ("AVIF", avif, decode_avif, avif_files), ("JPEG XL", jxl, decode_jxl, jxl_files),
    ):  # fmt: skip
        times = median_ms(lambda: encode(scene), runs), median_ms(decode, runs)
        size = sum(map(len, files))
        print(f"  {name}: {size} bytes, encode {times[0]:.0f} ms, decode {times[1]:.1f} ms")
    for coding in ("auto", "neural"):
        data = codec.encode(scene, quality, coding=coding)
        ours = median_ms(lambda: codec.encode(scene, quality, coding=coding), runs)
        rows = {"all": list(scene), **{name: [name] for name in scene}}
        parts = [f"{n} {median_ms(lambda: codec.decode(data, t), runs):.1f}" for n, t in rows.items()]
        print(
            f"  {coding}: {len(data)} bytes, encode {ours:.0f} ms, decode {', '.join(parts)} ms", flush=True
        )
    if path is not None:
        processes(path, quality, max(runs // 2, 3))


def processes(path: Path, quality: float, runs: int) -> None:
    """Seconds of whole processes, by the clock."""
    command = [sys.executable, "-m", "mtcodec"]
    with tempfile.TemporaryDirectory() as directory:
        file = str(Path(directory) / "scene.mtc")
        words = {
            "encode": ["encode", str(path), "-o", file, "--force", "--quality", f"{quality:g}"],
            "info": ["info", file],
            "decode": ["decode", file, "--force"],
        }
        found = []
        for label, rest in words.items():
            run = lambda: subprocess.run([*command, *rest], check=True, capture_output=True)  # noqa: E731
            found.append(f"{label} {median_ms(run, runs, time.perf_counter) / 1000:.2f} s")
        print(f"  processes: {', '.join(found)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--mosaic", action="store_true")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--quality", type=float, default=DEFAULT)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    scenes = [read_scene(find_scenes(path)[0], tasks=TASKS) for path in arguments.scenes]
    if arguments.mosaic:
        report("mosaic", None, mosaic(scenes), arguments.weights, arguments.quality, arguments.runs)
    else:
        for path, scene in zip(arguments.scenes, scenes):
            report(str(path), path, scene, arguments.weights, arguments.quality, arguments.runs)


if __name__ == "__main__":
    main()
