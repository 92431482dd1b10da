"""What a container holds, without decoding it."""

from __future__ import annotations

import math
from typing import Any

from mtcodec.container import attachments, notes
from mtcodec.container.header import NO_WEIGHTS
from mtcodec.container.mtc import Reader
from mtcodec.container.section import NOTES, SHARED, Section
from mtcodec.errors import SectionError, UsageError, WeightsError
from mtcodec.networks.weights import store
from mtcodec.quality import from_level
from mtcodec.tasks import units


def summary(reader: Reader, file: str = "-") -> dict[str, Any]:
    """The content of ``mtcodec info --json``; bpp counts the true pixels, once for all tasks."""
    header = reader.header
    pixels = header.height * header.width

    def bpp(count: int) -> float:
        return round(count * 8 / pixels, 6)

    def describe(section: Section) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": section.name, "bytes": section.length, "bpp": bpp(section.length)}
        own = section.attributes
        if section.is_task:
            entry |= {"coding": section.coding, "dtype": own.dtype, "channels": own.channels}
            if section.is_neural and own.level is not None:
                entry["quality"] = from_level(own.level)
            if own.range is not None:
                entry |= {"range": list(own.range), "mapping": own.mapping}
        elif section.name == SHARED:
            entry["coding"] = section.coding
        return entry

    lengths = {s.name: s.length for s in header.sections}
    told = _notes(reader)
    tasks = {}
    for task in header.tasks:
        needed = header.needs(task)
        count = sum(lengths[name] for name in needed)
        tasks[task] = told.get(task, {}) | {"bytes": count, "bpp": bpp(count), "sections": list(needed)}
    neural = header.is_neural
    return {
        "file": file,
        "bytes": reader.size,
        "bpp": bpp(reader.size),
        "height": header.height,
        "width": header.width,
        "quality": from_level(header.level) if neural else None,
        "weights": {"name": weights_name(header.fingerprint), "fingerprint": header.fingerprint}
        if neural
        else None,
        "overhead_bytes": header.size,
        "complete": reader.complete,
        "sections": [describe(s) for s in header.sections],
        "tasks": tasks,
        "files": [{"name": name, "bytes": len(own)} for name, own in _files(reader).items()],
    }


def _notes(reader: Reader) -> dict[str, dict[str, Any]]:
    """Notes by task; none where they are missing or damaged."""
    try:
        return notes.parse(reader.payload(NOTES)) if reader.header.section(NOTES) else {}
    except SectionError:
        return {}


def _files(reader: Reader) -> dict[str, bytes]:
    """Files beside the images; none where they are missing or damaged."""
    try:
        return attachments.read(reader)
    except SectionError:
        return {}


def units_of(reader: Reader) -> dict[str, str]:
    """By task, the length of a stored step as the notes tell it; what is no length is left out."""
    found = {}
    for name, own in _notes(reader).items():
        try:
            number, unit = units.parse(str(own.get("unit", "")))
        except UsageError:
            continue
        if 0 < number < math.inf and unit:
            found[name] = str(own["unit"])
    return found


def weights_name(fingerprint: str) -> str | None:
    """Name of the installed weights with this fingerprint, or None."""
    try:
        return None if fingerprint == NO_WEIGHTS else store.find_fingerprint(fingerprint).stem
    except WeightsError:
        return None
