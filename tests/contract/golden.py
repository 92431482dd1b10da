"""Cases of the golden files: what other releases wrote is read, described and extracted as ever."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from contract.case import GOLDEN, Case, Items, array, arrays, digest, form, local
from contract.command import lines, run

import mtcodec
from mtcodec.container.mtc import Reader

CERTAIN = ("labels", "near-lossless", "raw")  # codings whose values are the same on every machine


def _certain(info: dict[str, Any], task: str) -> bool:
    return any(s["name"] == task and s.get("coding") in CERTAIN for s in info["sections"])


def read(path: Path, place: Path) -> Items:
    """A file by the functions and by the commands."""
    data, weights = path.read_bytes(), path.parent / "weights.safetensors"
    codec = mtcodec.Codec(weights) if weights.exists() else mtcodec.Codec(())
    info = mtcodec.info(data)
    if Reader(data).header.frame_count > 1:
        return read_group(path, codec, place)
    back = codec.decode(data)
    told = run("info", path, "--json"), run("info", path)
    more = ("--weights", weights) if weights.exists() else ()
    done = run("decode", path, "-o", place / "back", *more)
    return {
        "info": info, "json": lines(told[0].text, place), "text": lines(told[1].text, place),
        "forms": {name: form(image) for name, image in back.items()},
        "certain": {name: array(image) for name, image in back.items() if _certain(info, name)},
        "extracted": {name: digest(mtcodec.extract(data, name)) for name in back},
        "without the last": digest(mtcodec.extract(data, list(back)[:-1] or list(back))),
        "commands": [told[0].code, told[1].code, done.code, run("verify", path).code],
        "printed": lines(done.text, place),
        **local({"decoded": arrays(back)}),
    }  # fmt: skip


def read_group(path: Path, codec: mtcodec.Codec, place: Path) -> Items:
    """A group of frames by the functions; commands take whole sequences."""
    data = path.read_bytes()
    info, reader = mtcodec.info(data), Reader(data)
    images = {
        f"{name}@{number}": image
        for number, frame in enumerate(codec.decode_frames(reader))
        for name, image in frame.items()
    }
    done = run("decode", path, "-o", place / "back")
    return {
        "info": info,
        "forms": {name: form(image) for name, image in images.items()},
        "certain": {
            name: array(image) for name, image in images.items() if _certain(info, name.split("@")[0])
        },
        "extracted": {name: digest(mtcodec.extract(data, name)) for name in reader.header.tasks},
        "commands": [done.code, run("verify", path).code],
        "printed": lines(done.text, place),
        **local({"decoded": arrays(images)}),
    }  # fmt: skip


def cases() -> Iterator[Case]:
    for path in sorted(GOLDEN.glob("*/*.mtc")):
        name = path.relative_to(GOLDEN).with_suffix("").as_posix()
        yield Case(f"golden/{name}", partial(read, path))
