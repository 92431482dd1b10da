"""Bytes of one task at equal PSNR, of two versions of the codec.

    python tests/tools/curve.py DATASET... --task normal --save before.json     # with the version before
    python tests/tools/curve.py DATASET... --task normal --against before.json

Every scene's image of the task is encoded alone, at several qualities. Printed are bytes and PSNR, means
over scenes, and how many bytes more or fewer scenes need at equal PSNR (BD-rate, piecewise linear in log
bytes): the mean of all, the worst, and at the low and the high end of the means.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mtcodec
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

QUALITIES = (10, 25, 40, 55, 70, 85)
LOW_END, HIGH_END = 4, -5  # of the 64 PSNRs that are compared
Curve = NDArray[np.float64]
"""(qualities, 2): bytes and PSNR in dB."""


def curve_of(image: NDArray[np.generic], task: str, coding: str) -> list[tuple[int, float]]:
    """Bytes and PSNR of an image at every quality."""
    signal = Signal.from_image(USUAL[task], image)
    points = []
    for quality in QUALITIES:
        file = mtcodec.encode({task: image}, quality=quality, coding=coding)
        points.append((len(file), measure(signal, mtcodec.decode(file)[task])["psnr"]))
    return points


def log_ratios(before: Curve, after: Curve) -> NDArray[np.float64]:
    """Logarithms of the ratio of bytes at 64 PSNRs, from the lowest that both curves reach to the highest."""
    low = max(before[:, 1].min(), after[:, 1].min())
    high = min(before[:, 1].max(), after[:, 1].max())
    psnrs = np.linspace(low, high, 64)
    log_bytes = [np.interp(psnrs, curve[:, 1], np.log(curve[:, 0])) for curve in (before, after)]
    return np.asarray(log_bytes[1] - log_bytes[0])


def percent(logarithm: float) -> str:
    return f"{100 * (np.exp(logarithm) - 1):+.1f} %"


def report_change(before: Curve, after: Curve) -> None:
    """Print what changed; both are (scenes, qualities, 2)."""
    by_scene = [float(log_ratios(*pair).mean()) for pair in zip(before, after)]
    of_means = log_ratios(before.mean(axis=0), after.mean(axis=0))
    print(
        f"  mean {percent(float(np.mean(by_scene)))}, worst {percent(max(by_scene))};"
        f" at the low end {percent(of_means[LOW_END])}, at the high end {percent(of_means[HIGH_END])}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--task", default="normal", choices=list(USUAL))
    parser.add_argument("--coding", default="classical")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    task = arguments.task
    saved = json.loads(arguments.against.read_text()) if arguments.against else {}
    curves: dict[str, list[list[tuple[int, float]]]] = {}
    for dataset in arguments.datasets:
        scenes = [files for files in find_scenes(dataset) if task in files.files][: arguments.limit]
        images = (read_scene(files, tasks=[task])[task] for files in scenes)
        name = "/".join(dataset.absolute().parts[-2:])
        curves[name] = [curve_of(image, task, arguments.coding) for image in images]
        means = np.mean(curves[name], axis=0)
        points = ", ".join(f"{size:.0f} B {psnr:.1f} dB" for size, psnr in means)
        print(f"{name}, {len(scenes)} scenes: {points}")
        if name in saved:
            report_change(np.array(saved[name]), np.array(curves[name]))
    if arguments.save:
        arguments.save.write_text(json.dumps(curves))


if __name__ == "__main__":
    main()
