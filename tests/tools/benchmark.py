"""Time scenes, one thread, warm, beside Pillow's AVIF of the same images.

    OMP_NUM_THREADS=1 python tests/tools/benchmark.py SCENE_DIR... [--mosaic] [--runs N]

Prints median milliseconds of processor time of ``mtcodec.encode`` and ``decode`` with their defaults, of
decoding single tasks, and of AVIF (speed 4, 4:4:4, Pillow's default quality; depth as 8 bits), and seconds
of whole processes. ``--mosaic``: four scenes side by side become one.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import mtcodec
from mtcodec.codec.prepare import Scene
from mtcodec.files.layouts import scene_directory
from mtcodec.files.scene import read_scene

TASKS = ("rgb", "depth", "normal")


def median_ms(run: Callable[[], object], runs: int, clock: Callable[[], float] = time.process_time) -> float:
    run()
    times = []
    for _ in range(runs):
        start = clock()
        run()
        times.append(clock() - start)
    return 1000 * statistics.median(times)


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


def report(label: str, scene: Scene, runs: int) -> None:
    data = mtcodec.encode(scene, device="cpu")
    ours = median_ms(lambda: mtcodec.encode(scene, device="cpu"), runs)
    files = avif(scene)
    theirs = median_ms(lambda: avif(scene), runs)
    height, width = next(iter(scene.values())).shape[:2]
    print(f"{label} ({width}×{height}, {', '.join(scene)}): {len(data)} bytes, AVIF {sum(map(len, files))}")
    print(f"  encode {ours:.0f} ms, AVIF {theirs:.0f} ms, ratio {ours / theirs:.2f}")
    rows = {"all tasks": list(scene), **{name: [name] for name in scene}}
    for name, tasks in rows.items():
        print(f"  decode {name}: {median_ms(lambda: mtcodec.decode(data, tasks, 'cpu'), runs):.1f} ms")
    alone = median_ms(lambda: [np.asarray(Image.open(io.BytesIO(file))) for file in files], runs)
    print(f"  decode AVIF: {alone:.1f} ms", flush=True)
    processes(data, max(runs // 3, 1))


def processes(data: bytes, runs: int) -> None:
    command = [sys.executable, "-m", "mtcodec"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "scene.mtc"
        file.write_bytes(data)
        for label, rest in (("info", ["info", str(file)]), ("decode", ["decode", str(file), "--force"])):
            run = lambda: subprocess.run([*command, *rest], check=True, capture_output=True)  # noqa: E731
            print(f"  process: {label} {median_ms(run, runs, time.perf_counter) / 1000:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--mosaic", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scenes = [read_scene(scene_directory(path), tasks=TASKS) for path in arguments.scenes]
    if arguments.mosaic:
        report("mosaic", mosaic(scenes), arguments.runs)
    else:
        for path, scene in zip(arguments.scenes, scenes):
            report(str(path), scene, arguments.runs)


if __name__ == "__main__":
    main()
