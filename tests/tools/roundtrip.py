"""Every scene of datasets through encode, info, extract and decode, as a user runs them.

    python tests/tools/roundtrip.py DATASET... [ENCODE-OPTIONS]

Options it does not know, such as ``--quality 40``, go to encode. Checks that sizes and dtypes come back,
holes exactly where they were with the values they had, exact tasks exactly, and that an extracted task
decodes alone to what it was in the whole. Prints bytes and PSNR of every scene; stops where a check fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from shared.commands import start

import mtcodec
from mtcodec.codec.prepare import declare
from mtcodec.files.images import read_with_alpha, suffix_for
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL


def check(holds: bool, message: str) -> None:
    """Stop with ``message`` unless it holds."""
    if not holds:
        raise SystemExit(message)


def compare(name: str, original: np.ndarray, decoded: np.ndarray, label: str) -> str:
    """The PSNR of a decoded image whose holes, size and dtype are right."""
    same_form = decoded.shape == original.shape and decoded.dtype == original.dtype
    check(same_form, f"{label}: {name} has another shape")
    signal = Signal.from_image(declare(name, original, USUAL), original)
    measures = measure(signal, decoded)
    if signal.task.exact:
        check(measures["exact"] == 1, f"{label}: {name} differs")
        return "exact"
    if signal.valid is not None:
        holes_equal = original[~signal.valid].tobytes() == decoded[~signal.valid].tobytes()
        check(holes_equal, f"{label}: {name}: values of holes")
        valid = Signal.from_image(signal.task, decoded).valid
        check(valid is not None and np.array_equal(valid, signal.valid), f"{label}: {name}: holes moved")
    return f"{measures['psnr']:.1f} dB"


def check_file(files: SceneFiles, file: Path, temporary: Path) -> str:
    """A line about one scene's file: its bytes and weights, and the PSNR and coding of every task."""
    label, scene = files.label, read_scene(files)
    facts = json.loads(start("info", file, "--json", check=True, stderr=None).stdout)
    check(sorted(facts["tasks"]) == sorted(scene), f"{label}: tasks are missing")
    check(facts["complete"] and facts["bytes"] == file.stat().st_size, f"{label}: size")
    start("decode", file, "-o", temporary / "whole", "--force", "--quiet", check=True, stderr=None)
    codings = {section["name"]: section.get("coding") for section in facts["sections"]}
    lines = []
    for name, original in scene.items():
        path = temporary / "whole" / f"{name}{suffix_for(original)}"
        decoded, _ = read_with_alpha(path, name, USUAL.get(name))
        lines.append(f"{name} {compare(name, original, decoded, label)} {codings[name]}")
    first, extracted = next(iter(scene)), temporary / "part.mtc"
    start("extract", file, "--tasks", first, "-o", extracted, "--force", check=True, stderr=None)
    alone, whole = mtcodec.decode(extracted)[first], mtcodec.decode(file, first)[first]
    check(alone.tobytes() == whole.tobytes(), f"{label}: {first} alone decodes to something else")
    weights = (facts["weights"] or {}).get("name", "none")
    return f"{files.key}: {facts['bytes']} bytes, weights {weights}  {'  '.join(lines)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    arguments, encode_options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as directory:
        temporary = Path(directory)
        encoded = temporary / "encoded"
        for dataset in arguments.datasets:
            start("encode", dataset, "-o", f"{encoded}/", "--force", "--quiet", *encode_options,
                  check=True, stderr=None)  # fmt: skip
            for files in find_scenes(dataset):
                print(check_file(files, encoded / f"{files.key}.mtc", temporary), flush=True)


if __name__ == "__main__":
    main()
