"""One scene under all settings of encoding; and the bundled scenes, with the networks that know them."""

from __future__ import annotations

from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from contract import pictures
from contract.case import SCENES, WEIGHTS, Image, Scene
from contract.images import Given

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    **{f"quality-{q:g}": {"quality": q, "effort": "fast"} for q in (0, 12.5, 45, 99, 100)},
    **{f"quality-{word}": {"quality": word, "effort": "fast"}
       for word in ("low", "medium", "high", "visually-lossless")},
    "task-quality": {"quality": 30, "task_quality": {"depth": 80, "rgb": 10}},
    "max-error-5mm": {"max_error": {"depth": "5mm"}},
    "max-error-1cm-unit": {"max_error": {"depth": "1cm"}, "units": {"depth": "0.2mm"}},
    "max-error-number": {"max_error": {"depth": 3, "rgb": 2.0, "normal": 1}},
    "lossless": {"max_error": {"rgb": 0, "depth": 0, "normal": 0}},
    "lossless-depth": {"max_error": {"depth": 0}, "quality": 20},
    "target-psnr-rgb": {"target_psnr": {"rgb": 34}, "effort": "fast"},
    "target-psnr-both": {"target_psnr": {"rgb": 33, "depth": 45}, "effort": "fast"},
    "target-bytes": {"target_bytes": 2500, "effort": "fast"},
    "target-bytes-best-effort": {"target_bytes": 60, "best_effort": True, "effort": "fast"},
    **{f"coding-{c}": {"coding": c, "quality": 40} for c in ("neural", "classical", "auto")},
    **{f"effort-{e}": {"effort": e, "coding": "classical"} for e in ("fast", "normal", "best")},
    **{f"weights-{w}": {"weights": w, "coding": "neural"} for w in ("clevr", "general")},
    "weights-several": {"weights": ["general", "clevr"], "quality": 25},
    "units": {"units": {"depth": "2mm"}, "effort": "fast"},
    "measures": {"measures": True, "effort": "fast"},
    "measures-neural": {"measures": True, "coding": "neural", "quality": 50},
    "attach": {"attach": {"camera.json": b'{"f": 1}', "b.bin": bytes(range(256))}, "effort": "fast"},
    "everything": {"quality": 55, "task_quality": {"depth": 78}, "units": {"depth": "0.5mm"},
                   "measures": True, "attach": {"x": b""}, "invalid": {"depth": [(1000.0,)]},
                   "max_error": {"normal": 4}},
}  # fmt: skip
PAPER = ("clevr-conditional", "clevr-disjoint", "clevr-mixed", "clevr-shared", "clevr-single")


@cache
def bundled(name: str = "100020") -> Scene:
    """A bundled scene, 256×256: rgb, depth, normal, semantic."""
    return {p.stem: _png(p.read_bytes()) for p in sorted((SCENES / name).glob("*.png"))}


def _png(data: bytes) -> Image:
    return np.asarray(imagecodecs.png_decode(data))


def _exact(settings: dict[str, Any]) -> tuple[str, ...]:
    return ("semantic", *(task for task, bound in settings.get("max_error", {}).items() if bound == 0))


def synthetic() -> dict[str, Given]:
    """A scene of pictures that no network has seen, under all settings."""
    return {name: Given(pictures.scene(), own, _exact(own)) for name, own in SETTINGS.items()}


def known() -> dict[str, Given]:
    """Bundled scenes, which networks know."""
    found = {}
    for name in ("100000", "100040", "100100"):
        found[f"{name}-neural"] = Given(bundled(name), {"quality": 30, "coding": "neural"}, ("semantic",))
    for quality in (0, 55, 100):
        settings = {"quality": quality, "weights": "clevr", "coding": "neural"}
        found[f"clevr-{quality}"] = Given(bundled(), settings, ("semantic",))
    own: dict[str, dict[str, Any]] = {
        "auto": {},
        "general": {"weights": "general", "quality": 50, "coding": "neural"},
        "own-quality": {"quality": 20, "task_quality": {"depth": 70}, "coding": "neural"},
        "bounded": {"quality": 30, "max_error": {"depth": "5mm", "normal": 0}},
        "target": {"target_psnr": {"rgb": 38}, "effort": "fast"},
        "bytes": {"target_bytes": 1200, "effort": "fast"},
        "measures": {"quality": 30, "measures": True},
    }
    found |= {name: Given(bundled(), settings, _exact(settings)) for name, settings in own.items()}
    parts = {
        "depth-alone": ("depth",),
        "no-depth": ("rgb", "normal"),
        "rgb-normal-semantic": ("rgb", "semantic"),
    }
    for name, tasks in parts.items():
        part = {task: bundled()[task] for task in tasks}
        found[name] = Given(part, {"quality": 40, "coding": "neural"})
    odd = {task: image[37:238, 11:166] for task, image in bundled().items()}
    found["odd-size"] = Given(odd, {"quality": 40, "coding": "neural"}, ("semantic",))
    holed = {**bundled(), "depth": bundled()["depth"].copy()}
    holed["depth"][40:90, 30:200] = 0
    found["holes"] = Given(holed, {"quality": 40, "coding": "neural"}, ("semantic",))
    floats = {**bundled(), "depth": bundled()["depth"].astype(np.float32) / np.float32(1000)}
    found["metres"] = Given(floats, {"quality": 40, "coding": "neural"}, ("semantic",))
    return found


def paper() -> dict[str, Given]:
    """The five systems of the paper, where their weights are."""
    there = [name for name in PAPER if (WEIGHTS / "paper" / f"{name}.safetensors").exists()]
    settings = {"quality": 35, "coding": "neural"}
    return {name: Given(bundled(), {**settings, "weights": name}, ("semantic",)) for name in there}
