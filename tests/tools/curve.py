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
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

QUALITIES = (10, 25, 40, 55, 70, 85)
Points = NDArray[np.float64]
"""Bytes and PSNR by quality."""


def points(image: NDArray[np.generic], task: str, coding: str) -> list[tuple[int, float]]:
    made = Signal.from_image(USUAL[task], image)
    found = []
    for quality in QUALITIES:
        file = mtcodec.encode({task: image}, quality=quality, coding=coding)
        found.append((len(file), measure(made, mtcodec.decode(file)[task])["psnr"]))
    return found


def change(before: Points, after: Points) -> Points:
    """Logarithms of the ratio of bytes at PSNRs that both reach, from the lowest to the highest."""
    low = max(before[:, 1].min(), after[:, 1].min())
    high = min(before[:, 1].max(), after[:, 1].max())
    at = np.linspace(low, high, 64)
    logs = [np.interp(at, own[:, 1], np.log(own[:, 0])) for own in (before, after)]
    ratio: Points = logs[1] - logs[0]
    return ratio


def percent(logarithm: float) -> str:
    return f"{100 * (np.exp(logarithm) - 1):+.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--task", default="normal", choices=list(USUAL))
    parser.add_argument("--coding", default="classical")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    before = json.loads(arguments.against.read_text()) if arguments.against else {}
    found: dict[str, list[list[tuple[int, float]]]] = {}
    for dataset in arguments.datasets:
        scenes = [files for files in find_scenes(dataset) if arguments.task in files.files]
        images = [
            read_scene(files, tasks=[arguments.task])[arguments.task] for files in scenes[: arguments.limit]
        ]
        name = "/".join(dataset.absolute().parts[-2:])
        own = found[name] = [points(image, arguments.task, arguments.coding) for image in images]
        means = np.mean(own, axis=0)
        print(f"{name}, {len(own)} scenes:", ", ".join(f"{size:.0f} B {psnr:.1f} dB" for size, psnr in means))
        if name in before:
            then = np.array(before[name])
            each = [float(change(*pair).mean()) for pair in zip(then, np.array(own))]
            ends = change(then.mean(axis=0), means)[[4, -5]]
            told = (percent(float(np.mean(each))), percent(max(each)), *map(percent, ends))
            print("  mean {}, worst {}; at the low end {}, at the high end {}".format(*told))
    if arguments.save:
        arguments.save.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
