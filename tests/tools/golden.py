"""Make golden files: what releases have written, which later ones must read to the same symbols and pixels.

    python tests/tools/golden.py [NAME...] [--force]

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

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from shared.samples import crop
from shared.sections import file_of
from shared.symbols import OwnCodec, torch_codec
from tools import determinism

from mtcodec.codec.prepare import Scene
from mtcodec.codec.timeline import Timeline
from mtcodec.coders import classical
from mtcodec.coders.coding_modes import CODING_MODES, supports
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.networks.weights import file as weights
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

HERE = determinism.TESTS / "golden"
COMMAND = "python tests/tools/golden.py"
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
    expected = {f"{file}.mtc" for file in content["digests"]}
    files = {p.name for p in (root / name).iterdir()} - {record.name, "pixels.npz", SMALL_WEIGHTS.name}
    return None if files == expected else "lacks files, or has too many"


def problems(root: Path = HERE) -> dict[str, str]:
    """What is wrong, by name of the entry."""
    folders = {path.name for path in root.iterdir() if path.is_dir() and path.name != "__pycache__"}
    reasons = {name: problem(name, root) for name in sorted(folders | set(entries()))}
    return {name: reason for name, reason in reasons.items() if reason}


# --- what entries hold ---------------------------------------------------------------------------


def golden_scene(height: int, width: int) -> Scene:
    """A window of a bundled scene."""
    return crop(read_scene(find_scenes(determinism.TESTS / "scenes")[1]), 120, 90, height, width)


def released(codec: OwnCodec) -> dict[str, bytes]:
    """Files of released weights, by name."""
    return {"scene": codec.encode(golden_scene(40, 72), 46)}


def codings(codec: OwnCodec) -> dict[str, bytes]:
    """Files of every coding by name, each in every way that changes its bytes."""
    scene, rng = golden_scene(32, 40), np.random.default_rng(0)
    pair = {name: scene[name] for name in ("depth", "normal")}
    holes = {name: image.copy() for name, image in pair.items()}
    holes["depth"][5:20, 25:] = 0
    holes["depth"][22:24] = 65535
    holes["normal"][:9, :9] = 127
    palette = rng.integers(0, 256, (9, 3)).astype(np.uint8)
    tiles = np.tile(rng.integers(0, 60000, (4, 5)), (8, 8)).astype(np.uint16)
    metres = (scene["depth"] / 1000).astype(np.float32)
    metres[3:6, 4:30] = np.nan
    metres[10, 10:13] = np.inf, -np.inf, -0.0
    files = {
        **neural(codec, pair, holes, metres),
        **labels(codec, scene["semantic"], tiles),
        "near-lossless-lossless": codec.encode(pair, max_error={"depth": 0, "normal": 0}),
        "near-lossless-bounded": codec.encode(holes, 46, max_error={"depth": 9}),
        "near-lossless-colours": codec.encode({"semantic": palette[scene["semantic"] % 9]}),
        "raw": codec.encode({"depth": metres}, max_error={"depth": 0}),
        "raw-float64": codec.encode({"depth": scene["depth"] / 1000}, max_error={"depth": 0}),
    }
    for dtype in ("uint32", "uint64", "int32"):
        integers = rng.integers(0, 2**31, (8, 10, 2)).astype(dtype)
        files[f"raw-{dtype}"] = codec.encode({"anything": integers}, layout="hwc")
    return files | coding_modes(holes, pair["normal"][..., 0]) | groups(codec)


def groups(codec: OwnCodec) -> dict[str, bytes]:
    """Files of groups: of networks, of other codecs within bounds, and of one frame."""
    frames, timeline = determinism.group()
    exact = {"depth": 3, "normal": 0}
    alone = {"depth": frames[0]["depth"][..., None], "temperature": np.float32(21.5)}
    return {
        "group": codec.encode_group(frames, timeline, quality=46).to_bytes(),
        "group-bounded": codec.encode_group(
            frames[:2], Timeline(("dusk", "dawn")), max_error=exact
        ).to_bytes(),
        "group-of-one": codec.encode_group([alone], Timeline(("noon",)), lossless="depth").to_bytes(),
    }


def neural(codec: OwnCodec, pair: Scene, holes: Scene, metres: Array) -> dict[str, bytes]:
    """Files of networks: depth and normals, also with holes of each and of both; ``metres`` has NaNs."""
    depth, normal = pair["depth"], pair["normal"]
    shared_holes = {name: image.copy() for name, image in pair.items()}
    shared_holes["depth"][5:20, 25:], shared_holes["normal"][5:20, 25:] = 0, 128
    far = np.repeat(np.geomspace(0.25, 60, 40, dtype=np.float32)[None], 32, axis=0)
    return {
        "neural": codec.encode(pair, 46),
        "neural-own-quality": codec.encode(pair, 20, task_quality={"normal": 65.5}),
        "neural-one-task": codec.encode({"normal": normal}, 76),
        "neural-notes": codec.encode({"depth": depth}, 46, measures=True, units={"depth": "1mm"}),
        "holes": codec.encode(holes, 46),
        "holes-shared": codec.encode(shared_holes, 46),
        "logarithmic": codec.encode({"depth": far}, 46),
        "float16": codec.encode({"depth": metres.astype(np.float16)}, 46),
        "int16": codec.encode({"depth": depth.astype(np.int16) - 9000}, 46, usual_holes=False),
        "free-length": codec.encode({"normal": normal // 2 + 20}, 46),
    }


def labels(codec: OwnCodec, semantic: Array, tiles: Array) -> dict[str, bytes]:
    """Files of labels, (32, 40), of all formats and dtypes."""
    slope = np.add.outer(np.arange(32) * 5, np.arange(40) * 3).astype(np.uint16)
    images = {
        "contours": semantic,
        "zstd": tiles,
        "jxl": slope,
        "range": semantic.astype(np.int64) * 70 - 5,
        "signed": semantic.astype(np.int8) - 3,
        "truth": semantic > 0,
    }
    return {f"labels-{name}": codec.encode({"semantic": image}) for name, image in images.items()}


def coding_modes(holes: Scene, grey: Array) -> dict[str, bytes]:
    """Files of every coding mode of classical codecs, without networks."""
    signals = {name: Signal.from_image(USUAL[name], image) for name, image in holes.items()}
    files = {}
    for mode in CODING_MODES:
        setting = 60.0 if mode.codec == "av1" else 1.0
        candidates = {
            name: classical.encode(signal, mode, setting, "fast")
            for name, signal in signals.items()
            if supports(mode, signal)
        }
        files[f"classical-{mode.name}"] = file_of(candidates, (32, 40))
    mist = classical.encode(Signal.from_image(USUAL["mist"], grey), CODING_MODES[-1], 1.0, "fast")
    return files | {"classical-jxl-8": file_of({"mist": mist}, (32, 40))}


def make_small_weights(path: Path) -> None:
    """Untrained networks whose linear paths fit the bundled scenes and whose other nets are not idle."""
    from shared.samples import excite_entropy_networks, untrained

    from mtcodec.networks.config import ModelConfig
    from mtcodec.networks.pytorch import serial
    from mtcodec.train.dataset import Scenes

    pair = (USUAL["depth"], USUAL["normal"])
    scenes = Scenes.read([find_scenes(determinism.TESTS / "scenes")], pair)
    model = untrained(ModelConfig(pair, **SIZES), scenes)
    excite_entropy_networks(model)
    path.parent.mkdir(exist_ok=True)
    serial.save(path, model, {"note": "untrained, for golden files"})


def make(name: str, root: Path = HERE) -> None:
    """Write an entry anew."""
    path = entries()[name]
    if name == SMALL and not path.is_file():
        make_small_weights(path)
    codec = torch_codec(path)
    write: Callable[[OwnCodec], dict[str, bytes]] = codings if name == SMALL else released
    files = write(codec)
    for old in (root / name).glob("*.mtc"):
        old.unlink()
    determinism.store(root / name, codec, files, determinism.decode(codec, files))


def main(words: list[str] | None = None, root: Path = HERE) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(words)
    problem_of = problems(root)
    for name in arguments.names:
        if name not in entries():
            raise SystemExit(f"{name}: not one of {', '.join(entries())}")
        if name not in problem_of and not arguments.force:
            raise SystemExit(f"{name}: its weights have not changed, so its files must not (see --force)")
    for name in arguments.names or list(problem_of):
        if name in entries():
            make(name, root)
        else:
            shutil.rmtree(root / name)
        print(f"{name}: {'made' if name in entries() else 'removed'}")


if __name__ == "__main__":
    main()
