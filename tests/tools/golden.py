"""Make golden files: what releases have written, which later ones must read to the same symbols and pixels.

    python tests/golden/make.py [NAME...] [--force]

There is an entry for each released weights file, and ``small``, of weights made for tests and files of every
coding. Without names, entries that are missing or of other weights are made, and those that belong to no
weights are removed. An entry whose weights are what they were is what it is for: it is made anew only by
name and with ``--force``. The weights of ``small`` are made where their file has been deleted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import determinism
from mtcodec.codec.codec import Codec

from mtcodec.codec import codec as codecs
from mtcodec.coders import classical as picture
from mtcodec.coders import exact
from mtcodec.files.layouts import find_scenes
from mtcodec.files.scene import Scene, read_scene
from mtcodec.signal import layers
from mtcodec.signal import mapping as planes
from mtcodec.tasks import task as tasks
from mtcodec.weights import store as weights

HERE = Path(__file__).parent
COMMAND = "python tests/golden/make.py"
SMALL, SMALL_WEIGHTS = "small", HERE / "small" / "weights.safetensors"
SIZES = {
    "latents": 4, "shared_latents": 4, "hyper": 4, "entropy_width": 8,
    "encoder_8": (8, 1), "encoder_16": (8, 1), "decoder_8": (8, 1), "decoder_16": (8, 1),
}  # fmt: skip


def entries() -> dict[str, Path]:
    """Weights by the name of their entry."""
    return {SMALL: SMALL_WEIGHTS, **{path.stem: path for path in determinism.RELEASED}}


def problem(name: str, root: Path = HERE) -> str | None:
    """What is wrong with an entry: None if nothing is."""
    path, record = entries().get(name), root / name / "digests.json"
    if path is None:
        return "belongs to no weights"
    if not record.is_file() or not path.is_file():
        return "is missing"
    content = json.loads(record.read_text())
    if content["fingerprint"] != weights.describe(path).fingerprint:
        return "is of other weights"
    files = {f"{file}.mtc" for file in content["digests"]}
    there = {p.name for p in (root / name).iterdir()} - {record.name, "pixels.npz", SMALL_WEIGHTS.name}
    return None if files == there else "lacks files, or has too many"


def problems(root: Path = HERE) -> dict[str, str]:
    there = {path.name for path in root.iterdir() if path.is_dir() and path.name != "__pycache__"}
    found = {name: problem(name, root) for name in sorted(there | set(entries()))}
    return {name: reason for name, reason in found.items() if reason}


# --- what entries hold ---------------------------------------------------------------------------


def crop(height: int, width: int) -> Scene:
    scene = read_scene(find_scenes(HERE.parent / "scenes")[1])
    return {n: np.ascontiguousarray(a[120 : 120 + height, 90 : 90 + width]) for n, a in scene.items()}


def released(codec: Codec) -> dict[str, bytes]:
    return {"scene": codec.encode(crop(40, 72), 60)}


def codings(codec: Codec) -> dict[str, bytes]:
    """Files of every coding, each in every way that changes its bytes."""
    scene, rng = crop(32, 40), np.random.default_rng(0)
    depth, normal = scene["depth"], scene["normal"]
    pair = {"depth": depth, "normal": normal}
    holes = {name: image.copy() for name, image in pair.items()}
    holes["depth"][5:20, 25:] = 0
    holes["depth"][22:24] = 65535
    holes["normal"][:9, :9] = 127
    far = np.repeat(np.geomspace(0.25, 60, 40, dtype=np.float32)[None], 32, axis=0)
    metres = (depth / 1000).astype(np.float32)
    metres[3:6, 4:30] = np.nan
    metres[10, 10:13] = np.inf, -np.inf, -0.0
    files = {
        "neural": codec.encode(pair, 60),
        "neural-own-quality": codec.encode(pair, 20, {"normal": 85.5}),
        "neural-one-task": codec.encode({"normal": normal}, 100),
        "layered-holes": codec.encode(holes, 60),
        "layered-logarithmic": codec.encode({"depth": far}, 60),
        "layered-free-length": codec.encode({"normal": normal // 2 + 20}, 60),
        "labels-contours": codec.encode({"semantic": scene["semantic"]}),
        "labels-zstd": codec.encode({"semantic": rng.integers(0, 999, (32, 40)).astype(np.uint16)}),
        "stepped-lossless": codec.encode(pair, max_error={"depth": 0, "normal": 0}),
        "stepped-bounded": codec.encode(holes, 60, max_error={"depth": 9}),
        "raw": codec.encode({"depth": metres}, max_error={"depth": 0}),
        "raw-float64": codec.encode({"depth": depth / 1000}, max_error={"depth": 0}),
    }
    with mock.patch.object(planes, "mapping_for", lambda *_: "inverse"):
        files["layered-inverse"] = codec.encode({"depth": far}, 60)
    for name, way, setting in (
        ("av1-8", picture.AV1_8, 60),
        ("av1-10", picture.AV1_10, 60),
        ("jxl-8", picture.JXL_8, 1.0),
        ("jxl-16", picture.JXL_16, 1.0),
    ):
        files[f"classical-{name}"] = codec.encode(holes, 60, ready=classical(codec, holes, way, setting))
    return files


def classical(codec: Codec, scene: Scene, way: picture.Way, setting: float) -> dict[str, exact.Coded]:
    coded = {}
    for name, image in scene.items():
        prepared = layers.prepare(codec.tasks[name], image)
        payload = picture.encode(prepared, way, setting, way.efforts[-1])
        coded[name] = "classical", picture.limits_of(codec.tasks[name], prepared), payload
    return coded


def make_small_weights(path: Path) -> None:
    """Untrained networks whose linear paths fit the bundled scenes and whose other nets are not idle."""
    import torch

    from mtcodec.models.config import ModelConfig
    from mtcodec.models.multitask import MultiTask
    from mtcodec.training import klt
    from mtcodec.training.dataset import Scenes

    torch.manual_seed(0)
    pair = (tasks.DEPTH, tasks.NORMAL)
    model = MultiTask(ModelConfig(pair, **SIZES))
    klt.initialise(model, Scenes([find_scenes(HERE.parent / "scenes")], pair), crops=32)
    with torch.no_grad():
        for stream in model.streams.values():
            for out in (stream.out_0, stream.out_1):
                out.weight.normal_(0, 0.1)
    path.parent.mkdir(exist_ok=True)
    weights.save(path, model, {"note": "untrained, for golden files"})


def make(name: str, root: Path = HERE) -> None:
    path = entries()[name]
    if name == SMALL and not path.is_file():
        make_small_weights(path)
    codec = codecs.load(path, "cpu")
    write: Callable[[Codec], dict[str, bytes]] = codings if name == SMALL else released
    files = write(codec)
    for old in (root / name).glob("*.mtc"):
        old.unlink()
    determinism.store(root / name, codec, files, determinism.decode(codec, files))


def main(words: list[str] | None = None, root: Path = HERE) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(words)
    wrong = problems(root)
    for name in arguments.names:
        if name not in entries():
            raise SystemExit(f"{name}: not one of {', '.join(entries())}")
        if name not in wrong and not arguments.force:
            raise SystemExit(f"{name}: its weights have not changed, so its files must not (see --force)")
    for name in arguments.names or list(wrong):
        if name in entries():
            make(name, root)
        else:
            shutil.rmtree(root / name)
        print(f"{name}: {'made' if name in entries() else 'removed'}")


if __name__ == "__main__":
    main()
