"""Images of one task each: every kind, dtype, number of channels and sort of hole; odd and tiny sizes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from contract import pictures
from contract.case import Image, Scene
from contract.pictures import colours, depth, far, labels, noise, normals

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "float32", "float64")


class Given(NamedTuple):
    """A scene, the settings of its encoding, and the tasks that have to come back exactly."""

    scene: Scene
    settings: dict[str, Any] = {}
    exact: tuple[str, ...] = ()


def task(name: str, kind: str, channels: int, dtype: str) -> dict[str, Any]:
    """The setting that declares a task."""
    import mtcodec

    declare: Any = mtcodec.Task  # it may be called with the name of a kind
    return {"tasks": {name: declare(name, kind, channels, (dtype,))}}


def lossy() -> dict[str, Given]:
    """One image of every kind that may be lossy, in every dtype that it may have."""
    found = {f"color-{d}": Given({"rgb": colours(45, 70, d)}) for d in ("uint8", "uint16")}
    for dtype in ("uint8", "uint16", "int16", "int32", "uint32", *FLOATS):
        found[f"depth-{dtype}"] = Given({"depth": depth(40, 64, dtype)})
    for dtype in ("uint8", "uint16", *FLOATS):
        found[f"vectors-{dtype}"] = Given({"normal": normals(33, 47, dtype, hole=True)})
        for channels in (1, 2, 3, 4, 6):
            image = colours(40, 41, dtype, channels, channels)
            if channels in (1, 3) or dtype in ("uint8", "float32"):
                declared = task("heat", "image", channels, dtype)
                found[f"image-{dtype}-{channels}"] = Given({"heat": image}, declared)
    return found


def exact() -> dict[str, Given]:
    """One image of every kind that is exact, in every dtype."""
    found = {}
    for dtype in (*INTEGERS, "bool"):
        low = -3 if dtype.startswith("i") else 0
        image = labels(50, 61, dtype, low=low)
        found[f"categories-{dtype}"] = Given({"semantic": image}, {}, ("semantic",))
    many = labels(60, 80, "uint16", 4001) * np.uint16(17) + noise(60, 80, "uint8").astype(np.uint16) // 250
    found["categories-many"] = Given({"semantic": many}, {}, ("semantic",))
    for channels in (3, 4):
        image = np.repeat(labels(30, 44)[..., None] * np.uint8(9), channels, -1) + np.arange(
            channels, dtype=np.uint8
        )
        declared = task("ids", "categories", channels, "uint8")
        found[f"categories-colours-{channels}"] = Given({"ids": image}, declared, ("ids",))
    for dtype in (*INTEGERS, *FLOATS, "bool"):
        for channels in (1, 2, 3, 4) if dtype in ("uint8", "float32") else (1,):
            image = noise(19, 23, dtype, channels)
            found[f"data-{dtype}-{channels}"] = Given({"smell": image}, {}, ("smell",))
    wide = Given({"smell": noise(8, 8, "int16", 16)}, task("smell", "data", 16, "int16"), ("smell",))
    return {**found, "data-int16-16": wide, "data-smooth": Given({"smell": depth(64, 64)}, {}, ("smell",))}


def holes() -> dict[str, Given]:
    """Depth and normals with holes of every sort; in all of them, holes come back exactly."""
    found = {
        "zero": Given({"depth": depth(64, 80, holes=(0,))}),
        "largest": Given({"depth": depth(64, 80, holes=(65535,))}),
        "zero-largest": Given({"depth": depth(64, 80, holes=(0, 65535))}),
        "uint8": Given({"depth": depth(64, 80, "uint8", (0, 255))}),
        "int16": Given({"depth": depth(64, 80, "int16", (0, 32767))}),
        "nan": Given({"depth": depth(64, 80, "float32", (np.nan,))}),
        "infinite": Given({"depth": depth(64, 80, "float64", (np.inf, -np.inf))}),
        "all-floats": Given({"depth": depth(64, 80, "float16", (0, np.nan, np.inf))}),
        "named": Given({"depth": depth(64, 80, holes=(9999,))}, {"invalid": {"depth": [(9999.0,)]}}),
        "unusual": Given({"depth": depth(64, 80, "float32", (0, np.nan))}, {"usual_holes": False}),
        "far-plane": Given({"depth": far(60, 90, plane=1e10)}),
        "far-kept": Given({"depth": far(60, 90, plane=1e10)}, {"usual_holes": False}),
        "nothing-else": Given({"depth": np.zeros((40, 50), np.uint16)}),
        "normal": Given({"normal": normals(64, 80, hole=True)}),
        "normal-float": Given({"normal": normals(64, 80, "float32", hole=True)}),
        "normal-named": Given(
            {"normal": _white(normals(64, 80))}, {"invalid": {"normal": [(255, 255, 255)]}}
        ),
    }
    both = {"depth": depth(64, 80, holes=(0,)), "normal": normals(64, 80)}
    both["normal"][both["depth"] == 0] = 128
    found["shared"] = Given(both)
    for name in ("zero", "nan", "all-floats", "shared"):
        own = found[name].scene
        found[f"{name}-lossless"] = Given(own, {"max_error": dict.fromkeys(own, 0)}, tuple(own))
    return found


def _white(image: Image) -> Image:
    image[10:20, 30:60] = 255
    return image


def sizes() -> dict[str, Given]:
    """Sizes that do not fit blocks, long ones, and values that are all the same."""
    found = {}
    for height, width in ((1, 1), (1, 9), (7, 1), (2, 3), (8, 8), (17, 31), (65, 129), (1, 300), (256, 192)):
        own = pictures.scene(height, width) if height > 3 and width > 3 else _tiny(height, width)
        settings: dict[str, Any] = {} if height < 100 else {"effort": "fast"}
        found[f"{height}x{width}"] = Given(own, settings, ("semantic",))
    flat: Scene = {"rgb": np.full((30, 40, 3), 77, np.uint8), "depth": np.full((30, 40), 1234, np.uint16)}
    flat["semantic"] = np.full((30, 40), 5, np.uint8)
    found["constant"] = Given(flat, {}, ("semantic",))
    found["huge-range"] = Given({"depth": far(60, 90)})
    found["huge-range-integers"] = Given({"depth": (far(60, 90, "float64") * 1000).astype(np.int32)})
    order = dict(reversed(pictures.scene(24, 36).items()))
    found["order"] = Given(order, {}, ("semantic",))
    found["big-endian"] = Given({"depth": depth(20, 30).astype(">u2")})
    found["not-contiguous"] = Given({"rgb": colours(60, 80)[::2, ::-2]})
    return found


def _tiny(height: int, width: int) -> Scene:
    return {
        "rgb": colours(height, width), "depth": depth(height, width), "normal": normals(height, width),
        "semantic": labels(height, width), "smell": noise(height, width, "int16"),
    }  # fmt: skip
