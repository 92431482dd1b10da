"""Cases of the commands for single scenes, and of those that measure and show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from contract import disk
from contract.case import GOLDEN, SCENES, Case, Items, digest, digests, files, local
from contract.command import lines, run

SCENE = SCENES / "100020"
FAST = ("--coding", "classical", "--effort", "fast", "--threads", 1)
TIMES = re.compile("seconds|cores|_ms|speed|rate")


def timeless(value: Any) -> Any:
    """JSON without what is measured by a clock."""
    if isinstance(value, dict):
        return {name: timeless(own) for name, own in value.items() if not TIMES.search(name)}
    return [timeless(own) for own in value] if isinstance(value, list) else value


def names(value: Any) -> Any:
    """The structure of JSON: names, and types of values."""
    if isinstance(value, dict):
        return {name: names(own) for name, own in value.items() if not TIMES.search(name)}
    if isinstance(value, list):
        return [names(own) for own in value[:1]]
    return type(value).__name__.replace("int", "float")


def told(place: Path, *arguments: object, json_lines: bool = False) -> Items:
    """Exit code and output; of JSON, its names are the same everywhere."""
    done = run(*arguments)
    if not json_lines:
        return {"code": done.code, **local({"out": lines(done.text, place), "err": lines(done.err, place)})}
    found = [timeless(json.loads(line)) for line in lines(done.text, place)]
    return {"code": done.code, "names": names(found), **local({"json": found})}


def _encode(place: Path) -> Items:
    """One scene with most options, into all sorts of outputs."""
    scene = disk.scene(place / "scene", more={"camera.json": "{}", "pose.txt": "1"})
    more = ("--attach", "camera.json", "--attach", "pose.txt", "--measures", "--unit", "depth=2mm",
            "--quality", "low", "--quality", "normal=high", "--lossless", "depth", "--max-error", "rgb=9",
            "--invalid", "depth=1000", "--task", "smell:image")  # fmt: skip
    done = [
        run("encode", scene, "-o", place / "a.mtc", *FAST, *more),
        run("encode", scene, "-o", place / "b.mtc", *FAST, "--json", "--target-bpp", 6),
        run("encode", scene, "-o", f"{place}/new/", *FAST, "-q", "--target-bytes", 700),
        run("encode", scene, "-o", place / "c.mtc", *FAST, "--target-psnr", "rgb=33", "--tasks", "rgb"),
        run("encode", scene, "-o", place / "a.mtc", *FAST, "--skip-existing"),
        run(
            "encode",
            "--files-from",
            "-",
            "-o",
            f"{place}/new/",
            *FAST,
            "--force",
            stdin=f"{scene}\n".encode(),
        ),
        run("decode", place / "a.mtc", "-o", place / "back"),
        run("info", place / "a.mtc"),
        run("info", place / "a.mtc", "--json"),
    ]
    piped = run("encode", scene, "-o", "-", *FAST)
    return {
        "codes": [r.code for r in done], "files": files(place),
        "piped": piped.code,
        **local({"out": [lines(r.text, place) for r in done], "err": [lines(r.err, place) for r in done],
                 "digests": digests(place), "piped": digest(piped.out)}),
    }  # fmt: skip


def _encode_bundled(place: Path) -> Items:
    command = ("encode", SCENE, "--quality", 30, "-o")
    printed = run(*command, place / "y.mtc")
    same = told(place, *command, place / "x.mtc", "--json", json_lines=True)
    return {**same, **local({"text": lines(printed.text, place), "file": digests(place)})}


def _decode(place: Path) -> Items:
    """Images of all dtypes, several files, subsets, standard input."""
    for number, dtype in enumerate(("raw", "raw-int32", "float16", "labels-truth", "labels-signed", "int16")):
        disk.put(place / "files", {f"{number}/{dtype}.mtc": (GOLDEN / "small" / f"{dtype}.mtc").read_bytes()})
    data = (GOLDEN / "small" / "raw.mtc").read_bytes()
    weights = ("--weights", GOLDEN / "small" / "weights.safetensors")
    done = [
        run("decode", place / "files", "-o", place / "all", *weights),
        run("decode", place / "files" / "0" / "raw.mtc"),
        run("decode", "-", "-o", place / "piped", stdin=data),
        run("info", "-", stdin=data),
        run("extract", place / "files" / "0" / "raw.mtc", "--tasks", _task(data), "-o", "-"),
        run("verify", *sorted((place / "files").rglob("*.mtc"))),
    ]
    exact = {
        name: d for name, d in digests(place).items() if name.startswith(("all/0", "all/1", "all/3", "all/4"))
    }
    return {
        "codes": [r.code for r in done], "files": files(place),
        "out": [lines(r.text, place) if index != 4 else digest(r.out) for index, r in enumerate(done)],
        "err": [lines(r.err, place) for r in done], **local({"exact": exact, "digests": digests(place)}),
    }  # fmt: skip


def _task(data: bytes) -> str:
    import mtcodec

    return str(next(iter(mtcodec.info(data)["tasks"])))


CASES: dict[str, Callable[[Path], Items]] = {
    "encode": _encode,
    "encode bundled": _encode_bundled,
    "decode": _decode,
}


def cases() -> Iterator[Case]:
    for name, function in CASES.items():
        yield Case(f"commands/{name}", function)
