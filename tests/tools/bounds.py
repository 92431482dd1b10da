"""Bytes of depth under bounds of its error, and a check of every pixel.

    python tests/tools/bounds.py DATASET... [--manifest FILE] [--limit N]

Bounds are in millimetres. A stored step is one, unless the manifest, a JSON list of objects with ``scene``
and ``depth_unit``, says otherwise ("0.1 mm", "1/5000 m"). Means over scenes, beside lossless PNG and
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
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes

BOUNDS_MM = (0, 1, 5, 20)


def millimetres_of(unit: str) -> float:
    """Millimetres of a stored step of one, from a description of the unit."""
    match = re.search(r"1/(\d+) m|(\d+)/m", unit)
    if match:
        return 1000 / float(match[1] or match[2])
    return 0.1 if "0.1 mm" in unit else 1.0


def check(depth: np.ndarray, decoded: np.ndarray, bound: float, label: str) -> None:
    """Stop where a pixel is further off than ``bound`` stored steps, or a hole (0) moved."""
    error = np.abs(decoded.astype(np.int64) - depth).max()
    holes_equal = np.array_equal(decoded == 0, depth == 0)
    if error > bound or not holes_equal or decoded.dtype != depth.dtype:
        raise SystemExit(f"{label}: bound {bound}: error {error}, holes kept: {holes_equal}")


def sizes_of(depth: np.ndarray, step_mm: float, label: str) -> dict[str, int]:
    """Bytes of one depth image by format and bound; ``step_mm``: millimetres of a stored step."""
    sizes = {
        "PNG": len(imagecodecs.png_encode(depth, level=9)),
        "JPEG XL": len(imagecodecs.jpegxl_encode(depth, lossless=True, effort=7)),
    }
    codec = Codec(())
    for bound_mm in BOUNDS_MM:
        bound = bound_mm / step_mm
        data = codec.encode({"depth": depth}, max_error={"depth": bound})
        check(depth, codec.decode(data)["depth"], bound, label)
        sizes[f"±{bound_mm} mm"] = len(data)
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--limit", type=int, default=None)
    arguments = parser.parse_args()
    entries = json.loads(arguments.manifest.read_text()) if arguments.manifest else []
    steps_mm = {entry["scene"]: millimetres_of(entry["depth_unit"]) for entry in entries}
    for dataset in arguments.datasets:
        scenes = []
        for files in find_scenes(dataset)[: arguments.limit]:
            depth = read_scene(files, tasks=["depth"])["depth"]
            scenes.append(sizes_of(depth, steps_mm.get(files.key, 1.0), files.label))
        print(f"{dataset}: {len(scenes)} scenes, bounds hold for every pixel")
        means = {name: fmean(sizes[name] for sizes in scenes) for name in scenes[0]}
        print("  " + "   ".join(f"{name} {mean:.0f}" for name, mean in means.items()))


if __name__ == "__main__":
    main()
