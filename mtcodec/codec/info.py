"""What a file holds, without decoding it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtcodec.container import attachments, notes
from mtcodec.container.header import NO_WEIGHTS, Header
from mtcodec.container.mtc import Reader
from mtcodec.container.section import IMAGE, NOTES, SHARED, Section, is_mask
from mtcodec.errors import SectionError, UsageError, WeightsError
from mtcodec.networks.weights import store
from mtcodec.quality import from_level
from mtcodec.tasks import units


def summary(reader: Reader, file: str = "-") -> dict[str, Any]:
    """The content of ``mtcodec info --json``.

    Height, width and all bits per pixel are those of the largest image (of all frames).
    """
    header, pixels = reader.header, reader.header.pixels
    height, width = header.largest_size
    weights = {"name": weights_name(header.fingerprint), "fingerprint": header.fingerprint}
    return {
        "file": file,
        "bytes": reader.size,
        "bpp": _bpp(reader.size, pixels),
        "height": height,
        "width": width,
        "quality": from_level(header.level) if header.is_neural else None,
        "weights": weights if header.is_neural else None,
        "overhead_bytes": header.size,
        "complete": reader.complete,
        "sections": [_section(header, section, pixels) for section in header.sections],
        "tasks": _tasks(reader, pixels),
        "files": [{"name": name, "bytes": len(data)} for name, data in _attachments(reader).items()],
    }


def _bpp(count: int, pixels: int) -> float:
    """Bits per pixel of so many bytes."""
    return round(count * 8 / pixels, 6)


def _section(header: Header, section: Section, pixels: int) -> dict[str, Any]:
    attributes = section.attributes
    entry: dict[str, Any] = {
        "name": section.name, "bytes": section.length, "bpp": _bpp(section.length, pixels),
    }  # fmt: skip
    if section.is_task:
        entry |= {"coding": section.coding, **_size(header, section.name)}
        entry |= {"dtype": attributes.dtype, "channels": attributes.channels}
        if section.is_neural and attributes.level is not None:
            entry["quality"] = from_level(attributes.level)
        if attributes.range is not None:
            entry |= {"range": list(attributes.range), "mapping": attributes.mapping}
    elif section.name == SHARED:
        entry["coding"] = section.coding
    elif is_mask(section.name):
        entry |= _size(header, section.name)
    return entry


def _size(header: Header, name: str) -> dict[str, Any]:
    """Height and width of the images of a section, and their shape, if it is not the usual one."""
    height, width = header.size_of(name)
    section = header.section(name)
    shape = section.attributes.shape if section is not None else IMAGE
    return {"height": height, "width": width, **({"shape": shape} if shape != IMAGE else {})}


def _tasks(reader: Reader, pixels: int) -> dict[str, dict[str, Any]]:
    """By task its notes, and what decoding it alone reads."""
    header, notes_of = reader.header, _notes(reader)
    lengths = {section.name: section.length for section in header.sections}
    tasks = {}
    for task in header.tasks:
        needed = header.needs(task)
        count = sum(lengths[name] for name in needed)
        cost = {"bytes": count, "bpp": _bpp(count, pixels), "sections": list(needed)}
        tasks[task] = notes_of.get(task, {}) | _size(header, task) | cost
    return tasks


def _notes(reader: Reader) -> dict[str, dict[str, Any]]:
    """Notes by task; none where they are missing or damaged."""
    try:
        return notes.parse(reader.payload(NOTES)) if reader.header.section(NOTES) else {}
    except SectionError:
        return {}


def _attachments(reader: Reader) -> dict[str, bytes]:
    """Files beside the images; none where they are missing or damaged."""
    try:
        return attachments.read(reader)
    except SectionError:
        return {}


def sizes_differ(contents: Mapping[str, Any]) -> bool:
    """Are the tasks of :func:`summary` of different sizes, or numbers?"""
    return len({size_text(task) for task in contents["tasks"].values()}) > 1


def size_text(entry: Mapping[str, Any]) -> str:
    """``640×480``, ``3 numbers``: the size of a task or section of :func:`summary`, or empty."""
    if "width" not in entry:
        return ""
    width, height, shape = entry["width"], entry["height"], entry.get("shape", "")
    numbers = {"number": "1 number", "row": f"{width} numbers", "table": f"{height}×{width} numbers"}
    return numbers.get(shape, f"{width}×{height}")


def units_of(reader: Reader) -> dict[str, str]:
    """By task, what length a stored value of 1 stands for, as the notes tell; only tasks of lengths."""
    lengths = {}
    for name, notes_of_task in _notes(reader).items():
        text = str(notes_of_task.get("unit", ""))
        try:
            number, unit = units.parse(text)
        except UsageError:
            continue
        if 0 < number < math.inf and unit:
            lengths[name] = text
    return lengths


def weights_name(fingerprint: str) -> str | None:
    """Name of the installed weights with this fingerprint, or None."""
    try:
        return None if fingerprint == NO_WEIGHTS else store.find_fingerprint(fingerprint).stem
    except WeightsError:
        return None
