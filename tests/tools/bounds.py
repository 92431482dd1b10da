"""Bytes of depth under bounds of its error, and a check of every pixel.

    python tests/tools/bounds.py DATASET... [--manifest FILE] [--limit N]

Bounds are in millimetres. A stored step is one, unless the manifest, a JSON list of objects with ``scene``
and ``depth_unit``, tells otherwise ("0.1 mm", "1/5000 m"). Means over scenes, beside lossless PNG and
JPEG XL of the same images. Stops with an error where a bound does not hold or a hole does not come back.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from statistics import fmean

import imagecodecs
import numpy as np

from mtcodec import Codec
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene

BOUNDS = (0, 1, 5, 20)  # mm


def level_of_lambda(unit: str) -> float:
    """Millimetres of a stored step, from a description."""
    part = re.search(r"1/(\d+) m|(\d+)/m", unit)
    if part:
        return 1000 / float(part[1] or part[2])
    return 0.1 if "0.1 mm" in unit else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--limit", type=int, default=None)
    arguments = parser.parse_args()
    listed = json.loads(arguments.manifest.read_text()) if arguments.manifest else []
    steps = {entry["scene"]: level_of_lambda(entry["depth_unit"]) for entry in listed}
    codec = Codec(())
    for dataset in arguments.datasets:
        rows: dict[str, list[int]] = {}
        for files in find_scenes(dataset)[: arguments.limit]:
            depth = read_scene(files, tasks=["depth"])["depth"]
            rows.setdefault("PNG", []).append(len(imagecodecs.png_encode(depth, level=9)))
            lossless = imagecodecs.jpegxl_encode(depth, lossless=True, effort=7)
            rows.setdefault("JPEG XL", []).append(len(lossless))
            for millimetres in BOUNDS:
                bound = millimetres / steps.get(files.key, 1.0)
                data = codec.encode({"depth": depth}, max_error={"depth": bound})
                size, back = len(data), codec.decode(data)["depth"]
                error = np.abs(back.astype(np.int64) - depth).max()
                holes = np.array_equal(back == 0, depth == 0)
                if error > bound or not holes or back.dtype != depth.dtype:
                    raise SystemExit(f"{files.label}: bound {bound}: error {error}, holes kept: {holes}")
                rows.setdefault(f"±{millimetres} mm", []).append(size)
        print(f"{dataset}: {len(rows['PNG'])} scenes, bounds hold for every pixel")
        print("  " + "   ".join(f"{name} {fmean(sizes):.0f}" for name, sizes in rows.items()))


if __name__ == "__main__":
    main()
