"""The settings of AV1 that cost least at every λ: the tables of ``mtcodec/coders/coding_modes.py``.

    python tests/tools/settings.py DATASET... --limit 12

Of every dataset so many scenes, spread over it, are read, at most 384×384 pixels in the middle of each. Every
task is coded in every coding mode of AV1 at every third quality of libavif. Printed are, by coding mode and
``rd_table``: at 15 levels of quality the setting with the least mean of log(cost / least cost of the
picture), cost being bits + λ · weight · error (λ · weight / error ratio of a projection); then what one
setting for all costs more than each picture's best, and what a mode costs more than the cheapest mode of
each picture, in per cent.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from mtcodec.bitstreams import av1
from mtcodec.coders import classical
from mtcodec.coders.coding_modes import CODING_MODES, CodingMode, supports
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.quality import MAX_LEVEL, lambda_of
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

SIDE = 384  # pixels
LEVELS = np.linspace(0, MAX_LEVEL, 15)
MODES = [mode for mode in CODING_MODES if mode.codec == "av1"]
Costs = dict[tuple[str, str], list[np.ndarray]]
"""By ``rd_table`` and name of the coding mode: (levels, settings) of every picture."""


def middle(image: np.ndarray) -> np.ndarray:
    """At most SIDE×SIDE pixels."""
    top, left = (max(0, (size - SIDE) // 2) for size in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def costs_of(signal: Signal, mode: CodingMode, settings: list[int], effort: str) -> np.ndarray:
    """(levels, settings): bits + λ · error."""
    candidates = [classical.encode(signal, mode, float(setting), effort) for setting in settings]
    bits = np.array([candidate.bits for candidate in candidates])
    errors = np.array([candidate.squared_error() for candidate in candidates])
    ratio = signal.projection.error_ratio if mode.projected and signal.projection else 1.0
    lambdas = np.array([lambda_of(round(level)) for level in LEVELS])[:, None] / ratio
    return bits + lambdas * errors


def measure(scenes: list[SceneFiles], settings: list[int], effort: str, costs: Costs) -> None:
    """Add the costs of all pictures of ``scenes`` to ``costs``."""
    for files in scenes:
        for name, image in read_scene(files).items():
            if name not in USUAL or USUAL[name].kind.name == "categories":
                continue
            signal = Signal.from_image(USUAL[name], middle(image))
            rd_table = signal.task.kind.rd_table
            for mode in MODES:
                if rd_table in mode.settings_by_level and supports(mode, signal):
                    costs[rd_table, mode.name].append(costs_of(signal, mode, settings, effort))


def percents(logarithms: np.ndarray) -> list[float]:
    return [round(100 * float(value), 1) for value in logarithms]


def report(rd_table: str, costs: dict[str, np.ndarray], settings: list[int]) -> None:
    """Print the best settings of every coding mode; ``costs``: (pictures, levels, settings) by its name."""
    comparable = len({len(mode_costs) for mode_costs in costs.values()}) == 1 and len(costs) > 1
    for mode, mode_costs in costs.items():
        least = mode_costs.min(axis=2)
        mean_logs = np.log(mode_costs / least[:, :, None]).mean(axis=0)
        best = mean_logs.argmin(axis=1)
        print(f"{rd_table} {mode}, {len(mode_costs)} pictures:", tuple(settings[k] for k in best))
        print("  more than the best setting, %:", percents(mean_logs.min(axis=1)))
        if comparable:
            least_of_modes = np.min([other_costs.min(axis=2) for other_costs in costs.values()], axis=0)
            print("  more than the best mode, %:", percents(np.log(least / least_of_modes).mean(axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--every", type=int, default=3)
    arguments = parser.parse_args()
    settings = list(av1.QUALITIES[:: arguments.every])
    costs: Costs = defaultdict(list)
    for dataset in arguments.datasets:
        scenes = find_scenes(dataset)
        spread = scenes[:: max(1, len(scenes) // arguments.limit)][: arguments.limit]
        measure(spread, settings, arguments.effort, costs)
        print(dataset, flush=True)
    for rd_table in dict.fromkeys(table for table, _ in costs):
        by_mode = {mode: np.array(c) for (table, mode), c in costs.items() if table == rd_table}
        report(rd_table, by_mode, settings)


if __name__ == "__main__":
    main()
