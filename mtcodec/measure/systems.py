"""Our own side of an evaluation: scenes through the codec and back, measured and averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from time import perf_counter
from typing import Any, Protocol

from mtcodec.errors import MtcodecError
from mtcodec.files.scene import Scene
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Task

Signals = Mapping[str, Signal]
"""One scene, by task."""


class SceneCodec(Protocol):
    """What is evaluated: a scene to the bytes of a file and back."""

    def encode(self, scene: Scene, *, quality: float) -> bytes: ...

    def decode(self, data: bytes) -> Scene: ...


Info = Callable[[bytes], Mapping[str, Any]]
"""Describes a file: ``overhead_bytes``, ``sections`` (each with ``name`` and ``bytes``) and ``tasks`` by
name, each with the ``bytes`` and the names of the ``sections`` that decoding it alone reads."""


def sizes(
    data: bytes, described: Mapping[str, Any], pixels: int, declared: Mapping[str, Task]
) -> dict[str, Any]:
    """Where the bytes of one file went.

    Args:
        data: the file.
        described: what an :data:`Info` says of it.
        pixels: of an image.
        declared: the tasks of the scene.

    Returns:
        ``bytes`` and ``bpp`` in all; ``lossy_bytes``, without the sections that only exact tasks read;
        ``overhead_bytes``; ``sections`` by name and ``tasks`` by name with ``bytes`` and ``bpp``, for a
        task what decoding it alone needs.
    """
    sections = {str(s["name"]): int(s["bytes"]) for s in described["sections"]}
    lossy: set[str] = set()
    exact: set[str] = set()
    tasks = {}
    for name, task in declared.items():
        entry = described["tasks"][name]
        (exact if task.exact else lossy).update(entry["sections"])
        tasks[name] = {"bytes": int(entry["bytes"]), "bpp": 8 * int(entry["bytes"]) / pixels}
    return {
        "bytes": len(data),
        "bpp": 8 * len(data) / pixels,
        "lossy_bytes": len(data) - sum(sections[name] for name in exact - lossy),
        "overhead_bytes": int(described["overhead_bytes"]),
        "sections": {name: {"bytes": n, "bpp": 8 * n / pixels} for name, n in sections.items()},
        "tasks": tasks,
    }


def run_scene(codec: SceneCodec, scene: Signals, quality: float, info: Info) -> dict[str, Any]:
    """Encode, decode and measure one scene: :func:`sizes` with the measures merged into its ``tasks``."""
    images = {name: signal.original for name, signal in scene.items()}
    start = perf_counter()
    data = codec.encode(images, quality=quality)
    encoded_at = perf_counter()
    decoded = codec.decode(data)
    decoded_at = perf_counter()
    for name in scene:
        if name not in decoded:
            raise MtcodecError("not among the decoded images", task=name)
    first_signal = next(iter(scene.values()))
    pixels = first_signal.height * first_signal.width
    row = sizes(data, info(data), pixels, {name: signal.task for name, signal in scene.items()})
    for name, signal in scene.items():
        row["tasks"][name] |= measure(signal, decoded[name], slow=True)
    row["encode_ms"], row["decode_ms"] = 1000 * (encoded_at - start), 1000 * (decoded_at - encoded_at)
    return row


def mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of numbers in nested dictionaries; a key's mean is over the rows that have it."""
    keys = dict.fromkeys(key for row in rows for key in row)
    result: dict[str, Any] = {}
    for key in keys:
        values = [row[key] for row in rows if key in row]
        result[key] = mean_of(values) if isinstance(values[0], Mapping) else fmean(values)
    return result


def summarise(rows: Sequence[Mapping[str, Any]], quality: float) -> dict[str, Any]:
    """Means over scenes at one quality; times are medians, and each task counts its ``images``.

    ``psnr_mean`` is the mean over the lossy tasks of their mean PSNRs.
    """
    result = {"quality": quality, **mean_of(rows)}
    for name, entry in result["tasks"].items():
        entry["images"] = sum(name in row["tasks"] for row in rows)
    psnrs = [entry["psnr"] for entry in result["tasks"].values() if "psnr" in entry]
    if psnrs:
        result["psnr_mean"] = fmean(psnrs)
    for key in ("encode_ms", "decode_ms"):
        result[key] = median(row[key] for row in rows)
    return result
