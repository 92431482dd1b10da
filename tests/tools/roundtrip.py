"""Every scene of datasets through encode, info, extract and decode, as a user runs them.

    python docs/roundtrip.py DATASET... [ENCODE-OPTIONS]

Options it does not know, such as ``--quality 40``, go to encode. Checks that sizes and dtypes come back,
holes exactly where they were with the values they had, class ids exactly, and that an extracted task decodes
alone to what it was in the whole. Prints bytes and PSNR of every scene; stops where a check fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mtcodec.files.images import read_image
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import read_scene
from mtcodec.signal import holes
from mtcodec.signal import measures as metrics
from mtcodec.tasks import task as tasks


def mtcodec(*arguments: object) -> str:
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(what)


def compare(name: str, original: np.ndarray, back: np.ndarray, label: str) -> float:
    """PSNR of a decoded image whose holes, size and dtype are right."""
    check(back.shape == original.shape and back.dtype == original.dtype, f"{label}: {name} has another shape")
    task = tasks.get(name)
    if task.lossless:
        check(np.array_equal(back, original), f"{label}: {name} differs")
        return metrics.PSNR_CAP
    found = holes.find(task, original)
    again = holes.find(task, back)
    check((found is None) == (again is None), f"{label}: {name}: holes")
    if found is not None and again is not None:
        check(np.array_equal(found.valid, again.valid), f"{label}: {name}: holes moved")
        check(np.array_equal(original[~found.valid], back[~found.valid]), f"{label}: {name}: values of holes")
    return metrics.errors(task, original, back)["psnr"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        for dataset in arguments.datasets:
            out = Path(temporary) / "encoded"
            mtcodec("encode", dataset, "-o", f"{out}/", "--force", "--quiet", *options)
            for files in find_scenes(dataset):
                scene, file = read_scene(files, None), out / f"{files.key}.mtc"
                facts = json.loads(mtcodec("info", file, "--json"))
                check(sorted(facts["tasks"]) == sorted(scene), f"{files.label}: tasks are missing")
                check(facts["complete"] and facts["bytes"] == file.stat().st_size, f"{files.label}: size")
                mtcodec("decode", file, "-o", out / "whole", "--force", "--quiet")
                psnr = {}
                for name, original in scene.items():
                    back = read_image(out / "whole" / f"{name}.png", tasks.get(name))
                    psnr[name] = compare(name, original, back, files.label)
                last = next(iter(scene))
                mtcodec("extract", file, "--tasks", last, "-o", out / "part.mtc", "--force")
                mtcodec("decode", out / "part.mtc", "-o", out / "part", "--force", "--quiet")
                same = (out / "part" / f"{last}.png").read_bytes() == (
                    out / "whole" / f"{last}.png"
                ).read_bytes()
                check(same, f"{files.label}: {last} alone decodes to something else")
                codings = {s["name"]: s["coding"] for s in facts["sections"]}
                shown = "  ".join(f"{n} {v:.1f} dB {codings[n]}" for n, v in psnr.items())
                weights = facts["weights"]["name"] if "shared" in codings else "none"
                print(f"{files.key}: {facts['bytes']} bytes, weights {weights}  {shown}", flush=True)


if __name__ == "__main__":
    main()
