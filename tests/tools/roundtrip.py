"""Every scene of datasets through encode, info, extract and decode, as a user runs them.

    python tests/tools/roundtrip.py DATASET... [ENCODE-OPTIONS]

Options it does not know, such as ``--quality 40``, go to encode. Checks that sizes and dtypes come back,
holes exactly where they were with the values they had, exact tasks exactly, and that an extracted task
decodes alone to what it was in the whole. Prints bytes and PSNR of every scene; stops where a check fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import mtcodec
from mtcodec.codec.prepare import declare
from mtcodec.files.images import read_with_alpha, suffix_for
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL


def run(*arguments: object) -> str:
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(what)


def compare(name: str, original: np.ndarray, back: np.ndarray, label: str) -> str:
    """The PSNR of a decoded image whose holes, size and dtype are right."""
    check(back.shape == original.shape and back.dtype == original.dtype, f"{label}: {name} has another shape")
    signal = Signal.from_image(declare(name, original, USUAL), original)
    found = measure(signal, back)
    if signal.task.exact:
        check(found["exact"] == 1, f"{label}: {name} differs")
        return "exact"
    if signal.valid is not None:
        holes = original[~signal.valid].tobytes() == back[~signal.valid].tobytes()
        check(holes, f"{label}: {name}: values of holes")
        again = Signal.from_image(signal.task, back).valid
        check(again is not None and np.array_equal(again, signal.valid), f"{label}: {name}: holes moved")
    return f"{found['psnr']:.1f} dB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        for dataset in arguments.datasets:
            out = Path(temporary) / "encoded"
            run("encode", dataset, "-o", f"{out}/", "--force", "--quiet", *options)
            for files in find_scenes(dataset):
                scene, file = read_scene(files), out / f"{files.key}.mtc"
                facts = json.loads(run("info", file, "--json"))
                check(sorted(facts["tasks"]) == sorted(scene), f"{files.label}: tasks are missing")
                check(facts["complete"] and facts["bytes"] == file.stat().st_size, f"{files.label}: size")
                run("decode", file, "-o", out / "whole", "--force", "--quiet")
                shown = []
                codings = {s["name"]: s.get("coding") for s in facts["sections"]}
                for name, original in scene.items():
                    path = out / "whole" / f"{name}{suffix_for(original)}"
                    back, _ = read_with_alpha(path, name, USUAL.get(name))
                    shown.append(f"{name} {compare(name, original, back, files.label)} {codings[name]}")
                last = next(iter(scene))
                run("extract", file, "--tasks", last, "-o", out / "part.mtc", "--force")
                alone, whole = mtcodec.decode(out / "part.mtc")[last], mtcodec.decode(file, last)[last]
                same = alone.tobytes() == whole.tobytes()
                check(same, f"{files.label}: {last} alone decodes to something else")
                weights = (facts["weights"] or {}).get("name", "none")
                print(
                    f"{files.key}: {facts['bytes']} bytes, weights {weights}  {'  '.join(shown)}", flush=True
                )


if __name__ == "__main__":
    main()
