"""Our own side of an evaluation: scenes through the codec and back, measured and averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, Protocol

from mtcodec.codec.prepare import largest_size
from mtcodec.errors import MtcodecError
from mtcodec.files.scene import Scene
from mtcodec.measure.timing import timed
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal

Signals = Mapping[str, Signal]
"""One scene, by task."""


class SceneCodec(Protocol):
    """What is evaluated: a scene to the bytes of a file and back."""

    def encode(self, scene: Scene, *, quality: float) -> bytes: ...

    def decode(self, data: bytes) -> Scene: ...


Info = Callable[[bytes], Mapping[str, Any]]
"""Describes a file: ``overhead_bytes``, ``sections`` (each with ``name`` and ``bytes``) and ``tasks`` by
name, each with the ``bytes`` and the names of the ``sections`` that decoding it alone reads."""


def _sizes(data: bytes, described: Mapping[str, Any], scene: Signals, pixels: int) -> dict[str, Any]:
    """Where the bytes of one file went, of which an :data:`Info` says ``described``."""
    sections = {str(section["name"]): int(section["bytes"]) for section in described["sections"]}
    lossy, exact = (
        {section for name in scene if scene[name].task.exact is is_exact
         for section in described["tasks"][name]["sections"]}
        for is_exact in (False, True)
    )  # fmt: skip

    def size_of(size: int) -> dict[str, float]:
        return {"bytes": size, "bpp": 8 * size / pixels}

    return {
        **size_of(len(data)),
        "lossy_bytes": len(data) - sum(sections[name] for name in exact - lossy),
        "overhead_bytes": int(described["overhead_bytes"]),
        "sections": {name: size_of(size) for name, size in sections.items()},
        "tasks": {name: size_of(int(described["tasks"][name]["bytes"])) for name in scene},
    }


def _run_scene(codec: SceneCodec, scene: Signals, quality: float, info: Info) -> dict[str, Any]:
    """Encode, decode and measure one scene."""
    images = {name: signal.original for name, signal in scene.items()}
    data, encode_ms = timed(lambda: codec.encode(images, quality=quality))
    decoded, decode_ms = timed(lambda: codec.decode(data))
    for name in scene:
        if name not in decoded:
            raise MtcodecError("not among the decoded images", task=name)
    row = _sizes(data, info(data), scene, math.prod(largest_size(images)))
    for name, signal in scene.items():
        row["tasks"][name] |= measure(signal, decoded[name], slow=True)
    return {**row, "encode_ms": encode_ms, "decode_ms": decode_ms}


def mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of numbers in nested dictionaries; a key's mean is over the rows that have it."""
    keys = dict.fromkeys(key for row in rows for key in row)
    result: dict[str, Any] = {}
    for key in keys:
        values = [row[key] for row in rows if key in row]
        result[key] = mean_of(values) if isinstance(values[0], Mapping) else fmean(values)
    return result


def run_system(
    codec: SceneCodec, scenes: Sequence[Signals], quality: float, info: Info, tick: Callable[[int], None]
) -> dict[str, Any]:
    """Encode, decode and measure scenes at one quality; ``tick`` is told how many are done.

    Returns:
        Means over the scenes: ``bytes`` and ``bpp`` (of the largest image) in all; ``lossy_bytes``, without
        the sections that only exact tasks read; ``overhead_bytes``; ``sections`` by name and ``tasks`` by
        name with ``bytes`` and ``bpp``, for a task what decoding it alone needs, with its measures, and on
        how many ``images``. ``psnr_mean`` is the mean over the lossy tasks of their mean PSNRs, and times
        are medians.
    """
    rows = []
    for done, scene in enumerate(scenes):
        tick(done)
        rows.append(_run_scene(codec, scene, quality, info))
    result = {"quality": quality, **mean_of(rows)}
    for name, entry in result["tasks"].items():
        entry["images"] = sum(name in row["tasks"] for row in rows)
    psnrs = [entry["psnr"] for entry in result["tasks"].values() if "psnr" in entry]
    if psnrs:
        result["psnr_mean"] = fmean(psnrs)
    for key in ("encode_ms", "decode_ms"):
        result[key] = median(row[key] for row in rows)
    return result
