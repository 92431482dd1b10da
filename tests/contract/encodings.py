"""Cases of the Python functions: encode, info, decode whole and in part, extract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contract import images, settings
from contract.case import GOLDEN, Case, Image, Items, Scene, array, arrays, digest, form, local, same
from contract.images import Given

import mtcodec

GIVEN: dict[str, Callable[[], dict[str, Given]]] = {
    "lossy": images.lossy, "exact": images.exact, "holes": images.holes, "sizes": images.sizes,
    "settings": settings.synthetic, "bundled": settings.known, "paper": settings.paper,
}  # fmt: skip


def inexact(info: dict[str, Any]) -> Items:
    """What ``info`` says that no library has a say in."""
    names = ("height", "width", "complete", "files")
    forms = {s["name"]: f"{s['dtype']} {s['channels']}" for s in info["sections"] if "dtype" in s}
    units = {name: own.get("unit") for name, own in info["tasks"].items()}
    return {**{name: info.get(name) for name in names}, "forms": forms, "units": units}


def holes(image: Image) -> str:
    """Where an image is 0, not a number, infinite, or the largest integer."""
    if image.dtype.kind == "f":
        return array((image == 0) * 1 + np.isnan(image) * 2 + np.isposinf(image) * 3 + np.isneginf(image) * 4)
    return array((image == 0) * 1 + (image == np.iinfo(image.dtype).max) * 2)


def decoded(data: bytes, given: Given) -> Items:
    """The whole scene, and every task alone, from the whole file and from an extracted one."""
    back = mtcodec.decode(data)
    parts = {name: mtcodec.extract(data, name) for name in back}
    alone = {name: mtcodec.decode(part)[name] for name, part in parts.items()}
    subset = {name: mtcodec.decode(data, tasks=name)[name] for name in back}
    own = {name: array(back[name]) for name in given.exact}
    equal = [n for n in back if same(back[n], alone[n]) and same(back[n], subset[n])]
    exact = all(same(back[n], np.asarray(given.scene[n]).astype(back[n].dtype)) for n in given.exact)
    return {
        "forms": {name: form(image) for name, image in back.items()},
        "exact": {"all": exact, **own},
        "equal in part": equal,
        **local({"decoded": arrays(back), "extracted": {name: digest(part) for name, part in parts.items()}}),
    }


def encode(given: Given, _: Path) -> Items:
    """All that is observed of one scene with one choice of settings."""
    data = mtcodec.encode(given.scene, **given.settings)
    info = mtcodec.info(data)
    kept = {name: digest(content) for name, content in mtcodec.attachments(data).items()}
    return {
        "info": inexact(info), "attachments": kept, **decoded(data, given),
        **local({"bytes": digest(data), "info": info}),
    }  # fmt: skip


def _with_holes(given: Given, place: Path) -> Items:
    back = mtcodec.decode(mtcodec.encode(given.scene, **given.settings))
    depths = {n: holes(i) for n, i in back.items() if n == "depth" and "invalid" not in given.settings}
    return {**encode(given, place), "holes": depths}


def _cases(group: str) -> Iterator[Case]:
    run = _with_holes if group == "holes" else encode
    for name, given in GIVEN[group]().items():
        yield Case(f"{group}/{name}", partial(run, given))


def _bounds(_: Path) -> Items:
    """Bounds hold on any machine."""
    scene = {n: i.astype(np.int64) for n, i in settings.bundled().items()}
    found = {}
    for name, bound in (("depth", "5mm"), ("depth", 1), ("rgb", 2), ("normal", 3), ("rgb", 0)):
        data = mtcodec.encode({name: settings.bundled()[name]}, max_error={name: bound}, coding="classical")
        most = abs(mtcodec.decode(data)[name].astype(np.int64) - scene[name]).max()
        found[f"{name} {bound}"] = bool(most <= float(str(bound).removesuffix("mm")))
    return {"held": found}


def _batch(_: Path) -> Items:
    """A codec's own functions give what the module's functions do."""
    codec = mtcodec.load("clevr", coding="neural", quality=35)
    scenes = [settings.bundled(name) for name in ("100000", "100060", "100080")]
    data = [codec.encode(scene) for scene in scenes]
    again = [mtcodec.encode(scene, 35, weights="clevr", coding="neural") for scene in scenes]
    back = codec.decode_batch(data, tasks=["depth", "semantic"])
    one = codec.decode(data[1], "depth")
    other = codec.encode(scenes[0], "low", coding="classical", effort="fast")
    return {
        "alike": data == again,
        "semantic": [array(scene["semantic"]) for scene in back], "one": list(one),
        **local({"bytes": [digest(d) for d in data], "decoded": [arrays(s) for s in back],
                 "one": arrays(one), "other": digest(other)}),
    }  # fmt: skip


def _inputs(place: Path) -> Items:
    """What is encoded may be a tensor or a picture of PIL; what is decoded, bytes, a path, a file, a view."""
    import torch
    from PIL import Image as Pictures

    scene = {name: settings.bundled()[name][:64, :80].copy() for name in ("rgb", "semantic")}
    data = mtcodec.encode(scene, coding="classical", effort="fast")
    forms: dict[str, Mapping[str, Any]] = {
        "tensors": {name: torch.from_numpy(image) for name, image in scene.items()},
        "pictures": {name: Pictures.fromarray(image) for name, image in scene.items()},
    }
    made = {
        name: mtcodec.encode(own, coding="classical", effort="fast") == data for name, own in forms.items()
    }
    path = place / "x.mtc"
    path.write_bytes(data)
    with path.open("rb") as file:
        readable = {
            "path": path,
            "text": str(path),
            "file": file,
            "bytearray": bytearray(data),
            "view": memoryview(data),
        }
        read = {name: _read(own, mtcodec.decode(data)) for name, own in readable.items()}
    return {"encoded": made, "decoded": read}


def _read(data: Any, expected: Scene) -> list[bool]:
    back = mtcodec.decode(data)
    alike = all(same(back[name], expected[name]) for name in expected)
    return [alike, mtcodec.info(data)["complete"], bool(mtcodec.extract(data, "rgb"))]


def _decoded_in_spite(data: bytes) -> list[str]:
    """Tasks that are decoded, and those that are lost; or the error and its exit code."""
    lost: list[str] = []
    try:
        back = mtcodec.Codec(()).decode(data, on_damage=lambda error: lost.append(f"not {error.task}"))
    except mtcodec.MtcodecError as error:
        return [type(error).__name__, str(error.exit_code)]
    return [*sorted(back), *sorted(lost)]


def _damage(_: Path) -> Items:
    """Flipped bytes and cuts: which error, and which tasks are lost."""
    found: Items = {}
    for name in ("clevr/scene", "small/classical-av1-10", "small/near-lossless-bounded", "small/labels-zstd"):
        data = (GOLDEN / f"{name}.mtc").read_bytes()
        for at in [*range(0, min(60, len(data)), 5), *range(60, len(data), len(data) // 9)]:
            flipped = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
            found[f"{name} {at}"] = [_decoded_in_spite(data[:at]), _decoded_in_spite(flipped)]
    return found


def cases() -> Iterator[Case]:
    for group in GIVEN:
        yield from _cases(group)
    for name, run in (("bounds", _bounds), ("batch", _batch), ("inputs", _inputs), ("damage", _damage)):
        yield Case(f"functions/{name}", run)
