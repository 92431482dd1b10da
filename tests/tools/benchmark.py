"""Time one scene, one thread, warm: benchmark.py SCENE_DIR [--weights NAME] [--runs N]

Prints median milliseconds for encoding and decoding, ours beside AVIF (speed 4) and JPEG XL (effort 7) of the
same three images, and seconds for whole processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import mtcodec
from mtcodec.evaluation import classical
from mtcodec.files.layouts import scene_directory
from mtcodec.files.scene import read_scene


def median_ms(run: Callable[[], object], runs: int) -> float:
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scene", type=Path)
    parser.add_argument("--weights", default="clevr")
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    runs = arguments.runs
    torch.set_num_threads(1)
    codec = mtcodec.load(arguments.weights, device="cpu")
    tasks = {t.name: t for t in codec.model.config.tasks}
    scene = read_scene(scene_directory(arguments.scene), tasks.values())
    data = codec.encode(scene)
    rows = [
        (
            "mtcodec, all tasks",
            median_ms(lambda: codec.encode(scene), runs),
            median_ms(lambda: codec.decode(data), runs),
        )
    ]
    rows += [
        (f"mtcodec, {n} alone", float("nan"), median_ms(lambda: codec.decode(data, [n]), runs)) for n in scene
    ]
    for name, settings in (("avif", 40), ("jxl", 3)):

        def encode_all() -> list[bytes]:
            return [classical.encode(name, tasks[n], scene[n], settings) for n in scene]

        files = encode_all()

        def decode_all() -> list[object]:
            return [classical.decode(name, tasks[n], f, scene[n]) for n, f in zip(scene, files)]

        rows.append(
            (f"{name}, the three images", median_ms(encode_all, runs // 4), median_ms(decode_all, runs))
        )
    for label, encode, decode in rows:
        print(f"{label:<26} encode {encode:7.1f} ms   decode {decode:7.1f} ms")
    processes(data, runs // 4)


def processes(data: bytes, runs: int) -> None:
    command = [sys.executable, "-m", "mtcodec"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "scene.mtc"
        file.write_bytes(data)
        for label, rest in (("info", ["info", str(file)]), ("decode", ["decode", str(file), "--force"])):
            seconds = (
                median_ms(lambda: subprocess.run([*command, *rest], check=True, capture_output=True), runs)
                / 1000
            )
            print(f"{'mtcodec ' + label + ', process':<26} {seconds:.2f} s")


if __name__ == "__main__":
    main()
