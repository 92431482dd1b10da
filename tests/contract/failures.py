"""Cases of commands and calls that fail: exit codes, and how the messages begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contract import disk
from contract.case import GOLDEN, Case, Items, files
from contract.command import clean, first_words, run
from contract.wrong import COMMANDS, OUT

import mtcodec

FILE = GOLDEN / "clevr" / "scene.mtc"
SMALL = GOLDEN / "small" / "neural.mtc"


def _files(place: Path) -> None:
    data = FILE.read_bytes()
    middle = len(data) // 2
    disk.put(place, {
        "noise": np.random.default_rng(0).bytes(5000), "nothing": b"", "cut": data[:30],
        "longer": data + b"\n",
        "half": data[: len(data) * 2 // 3], "newer": data[:3] + b"9" + data[4:], "bare": data,
        "flipped": data[:middle] + bytes([data[middle] ^ 8]) + data[middle + 1 :],
    })  # fmt: skip


def _scenes(place: Path) -> None:
    gray, colours = np.zeros((16, 16), np.uint8), np.zeros((16, 32, 3), np.uint8)
    disk.put(
        place / "broken", {"a/depth.png": b"no image at all" * 99, "a/rgb.png": colours, "b/rgb.png": colours}
    )
    disk.put(place / "sizes", {"rgb.png": colours, "depth.png": gray})
    disk.put(place / "channels", {"normal.png": gray})
    disk.put(place / "dtype", {"rgb.npy": np.zeros((8, 8, 3), np.int64)})
    disk.put(place / "text", {"readme.txt": "no images"})
    (place / "empty").mkdir()
    disk.scene(place / "scene")
    disk.dataset(place / "data", 2)


def _archives(place: Path) -> None:
    run(
        "pack",
        place / "data",
        "-o",
        place / "archive",
        "--coding",
        "classical",
        "--effort",
        "fast",
        "--workers",
        1,
    )
    for name in files(place / "archive"):
        data = bytearray((place / "archive" / name).read_bytes())
        if name.endswith(".parquet"):
            data[len(data) // 4] ^= 16
        disk.put(place / "bent", {name: bytes(data)})


PLACES = ("nowhere", "empty", "scene", "data", "noise", "nothing", "cut", "longer", "half", "newer", "bare",
          "flipped", "broken", "sizes", "channels", "dtype", "text", "archive", "bent")  # fmt: skip


def fails(command: str, place: Path) -> Items:
    """Runs a command, whose words in capitals stand for what lies in ``place``; nothing new may be there."""
    _files(place)
    _scenes(place)
    if {"ARCHIVE", "BENT"} & set(command.replace("/", " ").split()):
        _archives(place)
    known = {"PLACE": place, "FILE": FILE, "SMALL": SMALL, **{name.upper(): place / name for name in PLACES}}
    words = []
    for word in command.split():
        name, dot, rest = word.partition("/") if "/" in word else word.partition(".")
        words.append(f"{known[name]}{dot}{rest}" if name in known else word)
    before = files(place)
    done = run(*words)
    message = first_words(done.err, place)
    own = message.startswith("mtcodec:") or not message  # else it is that of the library that parses
    return {
        "code": done.code,
        "begins" if own else "local begins": message,
        "output": bool(done.out),
        "made": sorted(set(files(place)) - set(before)),
    }


RGB = np.zeros((8, 8, 3), np.uint8)
DECLARE: Any = mtcodec.Task  # it may be called with the name of a kind
CALLS: dict[str, Callable[[], Any]] = {
    "no scene": lambda: mtcodec.encode(None),  # type: ignore[arg-type]
    "empty": lambda: mtcodec.encode({}),
    "quality": lambda: mtcodec.encode({"rgb": RGB}, 101),
    "word": lambda: mtcodec.encode({"rgb": RGB}, "perfect"),
    "setting": lambda: mtcodec.encode({"rgb": RGB}, qualities=3),
    "channels": lambda: mtcodec.encode({"rgb": RGB[..., :2]}),
    "dtype": lambda: mtcodec.encode({"rgb": RGB.astype(complex)}),
    "sizes": lambda: mtcodec.encode({"rgb": RGB, "depth": np.zeros((4, 4), np.uint16)}),
    "name": lambda: mtcodec.encode({"Not a name": RGB}),
    "no pixels": lambda: mtcodec.encode({"rgb": RGB[:0]}),
    "targets": lambda: mtcodec.encode({"rgb": RGB}, target_psnr={"rgb": 30}, target_bytes=9),
    "unreachable": lambda: mtcodec.encode({"rgb": RGB}, target_bytes=1),
    "bound": lambda: mtcodec.encode({"rgb": RGB}, max_error={"rgb": "5mm"}),
    "other task": lambda: mtcodec.encode({"rgb": RGB}, max_error={"depth": 1}),
    "attached": lambda: mtcodec.encode({"rgb": RGB}, attach={"../x": b""}),
    "much attached": lambda: mtcodec.encode({"rgb": RGB}, attach={"x": bytes(70000)}),
    "weights": lambda: mtcodec.load("nope"),
    "device": lambda: mtcodec.load("clevr", device="abacus"),
    "no bytes": lambda: mtcodec.decode(b""),
    "other bytes": lambda: mtcodec.decode(b"PNG" * 100),
    "no file": lambda: mtcodec.decode("/nowhere/x.mtc"),
    "number": lambda: mtcodec.decode(7),  # type: ignore[arg-type]
    "no such task": lambda: mtcodec.decode(FILE, "glow"),
    "foreign": lambda: mtcodec.decode(SMALL),
    "extract": lambda: mtcodec.extract(FILE, ["glow"]),
    "large": lambda: mtcodec.Codec(()).decode(FILE, max_pixels=9),
    "task": lambda: DECLARE("shared", "color"),
    "kind": lambda: DECLARE("heat", "warmth"),
    "archive": lambda: mtcodec.Archive("/nowhere"),
    "attribute": lambda: mtcodec.nothing,
}


def raises(call: Callable[[], Any], _: Path) -> Items:
    """Which error a call raises, of which kinds it is, and its exit code."""
    try:
        call()
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("mtcodec")]
        public = [name for name in kinds if hasattr(mtcodec.errors, name)]
        words = clean(str(error), Path("/nonexistent")).split()[:3]
        return {
            "error": type(error).__name__,
            "kinds": public,
            "code": getattr(error, "exit_code", None),
            "begins": words,
        }
    return {"error": None}


def cases() -> Iterator[Case]:
    for command in COMMANDS.strip().splitlines():
        yield Case(f"fails/{command.replace(OUT, 'OUT')}", partial(fails, command))
    for name, call in CALLS.items():
        yield Case(f"raises/{name}", partial(raises, call))
