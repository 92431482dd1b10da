"""What a container holds, without decoding it and without torch."""

from __future__ import annotations

from typing import Any

from mtcodec.errors import WeightsError
from mtcodec.format.container import Reader, Section
from mtcodec.format.quality import from_step
from mtcodec.weights import store as weights


def summary(reader: Reader, file: str = "-") -> dict[str, Any]:
    """The content of ``mtcodec info --json``; bpp counts the true pixels, once for all tasks."""
    header = reader.header
    pixels = header.height * header.width

    def bpp(count: int) -> float:
        return round(count * 8 / pixels, 6)

    def describe(section: Section) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": section.name, "bytes": section.length, "bpp": bpp(section.length)}
        entry |= {"coding": section.coding, "dtype": section.dtype}
        if section.quality is not None:
            entry["quality"] = from_step(section.quality)
        if section.range is not None:
            entry["range"] = list(section.range)
        return entry

    lengths = {s.name: s.length for s in header.sections}
    tasks = {}
    for task in header.tasks:
        needed = header.needs(task)
        count = sum(lengths[name] for name in needed)
        tasks[task] = {"bytes": count, "bpp": bpp(count), "sections": list(needed)}
    return {
        "file": file,
        "bytes": reader.bytes,
        "bpp": bpp(reader.bytes),
        "height": header.height,
        "width": header.width,
        "quality": from_step(header.quality),
        "weights": {"name": _weights_name(header.fingerprint), "fingerprint": header.fingerprint},
        "overhead_bytes": header.size,
        "complete": reader.bytes == header.file_size,
        "sections": [describe(s) for s in header.sections],
        "tasks": tasks,
    }


def _weights_name(fingerprint: str) -> str | None:
    """Name of the installed weights with this fingerprint, or None."""
    try:
        return weights.find_fingerprint(fingerprint).stem
    except WeightsError:
        return None
