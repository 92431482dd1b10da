"""Write files on one machine, read them on another: the symbols must be equal, the pixels nearly so.

    python tests/tools/determinism.py write DIR [--weights NAME_OR_FILE...]
    python tests/tools/determinism.py check DIR

Whatever differs between the two (onnxruntime, numpy, instruction set, threads) is what is tested. ``write``
leaves a folder for each weights file: files of scenes and of a group of frames, digests of their symbols, and
their pixels. The weights are those of this checkout unless named. ``serve`` reads such commands, and
``read``, from standard input, with the name of a setting.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mtcodec.networks.onnx.runtime import ort

sys.path.insert(0, str(Path(__file__).parents[1]))
from shared import symbols
from shared.symbols import LAYERS, Digests, OwnCodec, reader_of, steps_apart

from mtcodec.codec.prepare import Scene
from mtcodec.codec.timeline import Timeline
from mtcodec.container.frame_reader import frame_readers
from mtcodec.container.mtc import Reader
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.networks.onnx import sessions
from mtcodec.networks.pytorch.layers import IntConv
from mtcodec.networks.pytorch.modules import MultiTask, StreamModel
from mtcodec.networks.weights import store as installed

TESTS = Path(__file__).parents[1]
RELEASED = [path for place in ("weights", "weights/paper")
            for path in sorted((TESTS.parent / place).glob("*.safetensors"))]  # fmt: skip
QUALITY = 70
Images = dict[str, npt.NDArray]  # by "file/task", or "file/task@frame"
Result = tuple[dict[str, Digests], Images]


# --- scenes --------------------------------------------------------------------------------------


def scenes() -> list[dict[str, Scene]]:
    """Batches of scenes by name; those of a batch have one size."""
    bundled = [read_scene(files) for files in find_scenes(TESTS / "scenes")]

    def cut(k: int, y: int, x: int, height: int, width: int) -> Scene:
        return {n: np.ascontiguousarray(a[y : y + height, x : x + width]) for n, a in bundled[k].items()}

    seven = {f"crop-{k}": cut(k % len(bundled), 40 + 16 * k, 100 - 12 * k, 61, 59) for k in range(7)}
    del seven["crop-1"]["normal"], seven["crop-1"]["semantic"]
    seven["crop-2"]["depth"][10:25, 30:60] = 0
    seven["crop-2"]["normal"][10:25, 30:60] = 127
    seven["crop-3"] = {"rgb": seven["crop-3"]["rgb"]}
    metres = (seven["crop-4"]["depth"] / 1000).astype(np.float32)
    metres[:7] = np.nan
    seven["crop-4"] = {"depth": metres, "semantic": seven["crop-4"]["semantic"]}
    return [seven, {"row": cut(1, 128, 90, 1, 60)}, {"tall": cut(2, 60, 90, 100, 34)}]


def group() -> tuple[list[Scene], Timeline]:
    """Three frames with times: labels of half the size, numbers, holes, and a frame that lacks a task."""
    first, second, third = (scenes()[0][f"crop-{k}"] for k in (0, 5, 6))
    frames = [first, {name: image for name, image in second.items() if name != "normal"}, third]
    frames[1]["depth"][20:30, 8:30], frames[2]["normal"][:9, :9] = 0, 127
    for k, frame in enumerate(frames):
        frame["semantic"] = np.ascontiguousarray(frame["semantic"][::2, ::2])
        frame["pose"] = np.linspace(k, k + 0.3, 7)
    times = tuple(Fraction(k, 30) for k in range(3))
    late = {"depth": tuple(time + Fraction(1, 250) for time in times)}
    return frames, Timeline(tuple(f"{k:06}" for k in range(3)), times, late)


# --- settings ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """How networks are run.

    Attributes:
        batch: files that share a pass.
        prepare: changes the networks (torch).
        around: what encoding and decoding run inside.
        device: of torch.
        options: of onnxruntime, which runs them where there are any.
    """

    batch: int = 1
    prepare: Callable[[MultiTask], object] = lambda model: None
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    device: str = "cpu"
    options: Callable[[], ort.SessionOptions] | None = None

    def load(self, path: Path) -> OwnCodec:
        if self.options is not None:
            return symbols.codec(path, self.options)
        return symbols.torch_codec(path, self.device, self.prepare)


def options(
    level: str = "ORT_ENABLE_ALL", threads: int = 1, parallel: bool = False
) -> Callable[[], ort.SessionOptions]:
    """Options of onnxruntime: optimisation of graphs, threads, and nodes side by side."""

    def make() -> ort.SessionOptions:
        session_options = sessions.session_options()
        session_options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
        session_options.intra_op_num_threads = session_options.inter_op_num_threads = threads
        if parallel:
            session_options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        return session_options

    return make


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TF32 acceleration")  # torch's own flags() sets what it warns of
        with torch.backends.mkldnn.flags(enabled=False):
            yield


@contextlib.contextmanager
def products_of_bfloat16() -> Iterator[None]:
    """Matrix products and convolutions of float32 may round their factors to bfloat16."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def entropy_double(model: MultiTask) -> None:
    for stream in model.streams.values():
        assert isinstance(stream, StreamModel)
        stream.frozen = {name: table.double() for name, table in stream.frozen.items()}
        for layer in stream.modules():
            if isinstance(layer, IntConv):
                layer.double()


SETTINGS = {
    "plain": Setting(options=options()),
    "onnxruntime, no optimisation": Setting(options=options("ORT_DISABLE_ALL")),
    "onnxruntime, basic": Setting(options=options("ORT_ENABLE_BASIC")),
    "onnxruntime, extended, batches of 3": Setting(batch=3, options=options("ORT_ENABLE_EXTENDED")),
    "onnxruntime, 2 threads": Setting(options=options(threads=2)),
    "onnxruntime, parallel": Setting(batch=7, options=options(threads=2, parallel=True)),
    "torch": Setting(),
    "2 threads": Setting(around=lambda: threads(2)),
    "contiguous": Setting(prepare=lambda model: model.to(memory_format=torch.contiguous_format)),  # type: ignore[call-overload]
    "batches of 3": Setting(batch=3),
    "batches of 7": Setting(batch=7),
    "no oneDNN": Setting(around=without_onednn),
    "bfloat16 products": Setting(around=products_of_bfloat16),
    "float64 entropy networks": Setting(prepare=entropy_double),
    "all float64": Setting(prepare=nn.Module.double),
    "bfloat16 autocast": Setting(around=lambda: torch.autocast("cpu", torch.bfloat16)),
    "all bfloat16": Setting(prepare=nn.Module.bfloat16),
}
CUDA = Setting(batch=7, device="cuda")
COARSE = ("bfloat16 products", "bfloat16 autocast", "all bfloat16")  # pixels are not promised


# --- writing and reading -------------------------------------------------------------------------


def encode(codec: OwnCodec) -> dict[str, tuple[bytes, Digests]]:
    """Files of all scenes and of the group by name, with digests of what went into them."""
    files = {name: symbols.encode(codec, scene, QUALITY) for part in scenes() for name, scene in part.items()}
    return files | {"group": symbols.encode_group(codec, *group(), QUALITY)}


Place = tuple[str, str]  # the name of a file, and what is behind the names of its frame's sections


def decode(codec: OwnCodec, files: dict[str, bytes], batch: int = 1) -> Result:
    """Digests of ``files``, and their images."""
    readers = {place: reader for name, data in files.items() for place, reader in _frames(name, data)}
    digests: dict[str, Digests] = {name: {} for name in files}
    images: Images = {}
    for part, tasks in _batches(readers, batch):
        for (name, frame), decoded in zip(part, symbols.decode(codec, [readers[p] for p in part], tasks)):
            framed = {n.replace(LAYERS, "") + frame + LAYERS * n.endswith(LAYERS): digest
                      for n, digest in decoded.digests.items()}  # fmt: skip
            assert all(digests[name].get(n, digest) == digest for n, digest in framed.items())
            digests[name] |= framed
            images |= {f"{name}/{task}{frame}": image for task, image in decoded.images.items()}
    return digests, images


def _frames(name: str, data: bytes) -> Iterator[tuple[Place, Reader]]:
    """A scene, or the frames of a group as scenes."""
    reader = reader_of(data)
    for number, of_frame in enumerate(frame_readers(reader)):
        yield (name, "" if reader.header.frames is None else symbols.of_frame("", number)), of_frame


def _batches(readers: dict[Place, Reader], batch: int) -> Iterator[tuple[list[Place], list[str]]]:
    """Scenes to decode together, and tasks: one, of scenes that may lack others, unless alone."""
    headers = {place: reader.header for place, reader in readers.items()}
    if batch == 1:
        yield from (([place], list(header.tasks)) for place, header in headers.items())
        return
    for size in sorted({(header.height, header.width) for header in headers.values()}):
        alike = [n for n in readers if (headers[n].height, headers[n].width) == size]
        for task in sorted({task for n in alike for task in headers[n].tasks}):
            having = [n for n in alike if task in headers[n].tasks]
            yield from ((having[at : at + batch], [task]) for at in range(0, len(having), batch))


def store(directory: Path, codec: OwnCodec, files: dict[str, bytes], result: Result) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (directory / f"{name}.mtc").write_bytes(data)
    record = {"fingerprint": codec.own_networks.info.fingerprint, "digests": result[0]}
    (directory / "digests.json").write_text(json.dumps(record, indent=1) + "\n")
    np.savez_compressed(directory / "pixels.npz", **result[1])  # type: ignore[arg-type]


def restore(directory: Path) -> tuple[str, dict[str, bytes], Result]:
    """Fingerprint, files and result that :func:`store` left."""
    record = json.loads((directory / "digests.json").read_text())
    files = {name: (directory / f"{name}.mtc").read_bytes() for name in record["digests"]}
    with np.load(directory / "pixels.npz") as images:
        return record["fingerprint"], files, (record["digests"], dict(images))


def spread(files: dict[str, bytes], results: list[Images]) -> dict[str, float]:
    """Largest difference between any two of ``results``, by task, in the steps of :func:`steps_apart`."""
    worst: dict[str, float] = {}
    for key in results[0]:
        name, task = key.split(symbols.FRAME)[0].rsplit("/", 1)
        section = reader_of(files[name]).header.section(task)
        assert section is not None
        apart = steps_apart(section, [images[key] for images in results])
        worst[task] = max(worst.get(task, 0.0), apart)
    return worst


# --- commands ------------------------------------------------------------------------------------


def write(directory: Path, path: Path, setting: str = "plain") -> None:
    """Files of all scenes by the weights ``path``, and what is seen in them, go to ``directory``."""
    codec = SETTINGS[setting].load(path)
    encoded = encode(codec)
    files = {name: data for name, (data, _) in encoded.items()}
    digests, images = decode(codec, files)
    for name, (_, written) in encoded.items():
        if not written or not symbols.same(digests[name], written):
            raise SystemExit(f"{path}: {name} decodes to other symbols than were encoded")
    store(directory, codec, files, (digests, images))


def read(source: Path, target: Path, path: Path, setting: str) -> None:
    """Decode what lies in ``source`` with the weights ``path``; what is seen goes to ``target``."""
    codec, (_, files, _) = SETTINGS[setting].load(path), restore(source)
    store(target, codec, files, decode(codec, files))


def check(directory: Path) -> None:
    for folder in sorted(directory.iterdir()):
        fingerprint, files, (digests, images) = restore(folder)
        codec = symbols.codec(installed.find_fingerprint(fingerprint))
        digests_here, images_here = decode(codec, files)
        wrong = [
            f"{name}/{n}"
            for name in files
            for n in digests[name]
            if not n.endswith(LAYERS) and digests_here[name].get(n) != digests[name][n]
        ]
        apart = spread(files, [images, images_here])
        again = {name: data for name, (data, _) in encode(codec).items()}
        same = sum(again[name] == data for name, data in files.items())
        steps = ", ".join(f"{task} {value:.2g}" for task, value in apart.items())
        count = sum(not name.endswith(LAYERS) for by_section in digests.values() for name in by_section)
        print(f"{folder.name}: {count} sections of {len(files)} files, ", end="")
        print(f"{len(wrong)} differ; pixels: {steps} steps; {same} files are written alike here", flush=True)
        if wrong or max(apart.values()) > 1:
            raise SystemExit(f"{folder}: not the same: {', '.join(wrong) or 'pixels'}")


def serve() -> None:
    for line in sys.stdin:
        command, *paths, setting = line.rstrip("\n").split("\t")
        {"write": write, "read": read}[command](*map(Path, paths), setting=setting)
        print("done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=("write", "check", "serve"))
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--weights", nargs="+", help="names or files")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        serve()
    elif arguments.command == "write":
        paths = [installed.find(name) for name in arguments.weights] if arguments.weights else RELEASED
        for path in paths:
            write(arguments.directory / path.stem, path)
    else:
        check(arguments.directory)
    if arguments.command != "serve":
        print(f"onnxruntime {ort.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
