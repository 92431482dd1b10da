"""The settings of AV1 that cost least at every λ: the tables of ``mtcodec/coders/coding_modes.py``.

    python tests/tools/settings.py DATASET... --limit 12

Of every dataset so many scenes, spread over it, are read, at most 384×384 pixels in the middle of each. Every
task is coded in every way of AV1 at every third quality of libavif. Printed are, by way and column of
settings: at every 192nd step of λ · weight (· gain of a projection) the quality with the least mean of
log(cost / least cost of the picture), cost being bits + λ · weight · error; then what one setting for all
costs more than each picture's own, and what a way costs more than the cheapest way of each, in per cent.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from mtcodec.bitstreams import av1
from mtcodec.coders import classical
from mtcodec.coders.coding_modes import CODING_MODES, CodingMode, supports
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.quality import MAX_LEVEL, lambda_of
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

SIDE = 384
GRID = np.linspace(0, MAX_LEVEL, 15)


def middle(image: np.ndarray) -> np.ndarray:
    tops = [max(0, (size - SIDE) // 2) for size in image.shape[:2]]
    return image[tops[0] : tops[0] + SIDE, tops[1] : tops[1] + SIDE]


def curve(signal: Signal, way: CodingMode, qualities: list[int], effort: str) -> np.ndarray:
    """Bits and errors by quality."""
    made = [classical.encode(signal, way, float(q), effort) for q in qualities]
    return np.array([(coded.bits, coded.squared_error()) for coded in made])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--every", type=int, default=3)
    arguments = parser.parse_args()
    qualities = list(av1.QUALITIES[:: arguments.every])
    ways = [way for way in CODING_MODES if way.codec == "av1"]
    costs = defaultdict(list)  # by column and way: (points of λ, qualities) of every picture
    for dataset in arguments.datasets:
        found = find_scenes(dataset)
        for files in found[:: max(1, len(found) // arguments.limit)][: arguments.limit]:
            for name, image in read_scene(files).items():
                if name not in USUAL or USUAL[name].kind.name == "categories":
                    continue
                signal = Signal.from_image(USUAL[name], middle(image))
                column = signal.task.kind.rd_table
                for way in ways:
                    if column not in way.rd_tables or not supports(way, signal):
                        continue
                    gain = signal.projection.error_ratio if way.projected and signal.projection else 1.0
                    points = curve(signal, way, qualities, arguments.effort)
                    lams = np.array([lambda_of(round(step)) for step in GRID])[:, None] / gain
                    costs[column, way.name].append(points[:, 0] + lams * points[:, 1])
        print(dataset, flush=True)
    for column in dict.fromkeys(column for column, _ in costs):
        own = {way: np.array(c) for (col, way), c in costs.items() if col == column}
        for way, each in own.items():
            least = each.min(axis=2)
            logs = np.log(each / least[:, :, None]).mean(axis=0)
            smooth = [int(np.argmin(row)) for row in logs]
            print(f"{column} {way}, {len(each)} pictures:", tuple(qualities[k] for k in smooth))
            print(
                "  more than the best setting, %:",
                [round(100 * float(row[k]), 1) for row, k in zip(logs, smooth)],
            )
            if len({len(c) for c in own.values()}) == 1 and len(own) > 1:
                best = np.min([c.min(axis=2) for c in own.values()], axis=0)
                print(
                    "  more than the best way, %:",
                    [round(100 * float(x), 1) for x in np.log(least / best).mean(axis=0)],
                )


if __name__ == "__main__":
    main()
