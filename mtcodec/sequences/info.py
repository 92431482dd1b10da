"""What a sequence holds, without decoding it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mtcodec.codec.info import summary, weights_name
from mtcodec.container.header import Header
from mtcodec.errors import FormatError, SectionError
from mtcodec.quality import from_level
from mtcodec.sequences.read import Sequence


def sequence_summary(clip: Sequence, file: str = "-") -> dict[str, Any]:
    """The content of ``mtcodec info --json`` for a sequence: of its groups whose headers are not damaged."""
    headers, attached, damage = _read(clip)
    frames = len(clip)
    sections: Counter[str] = Counter()
    for header in headers.values():
        for section in header.sections:
            sections[section.name] += section.length
    payload_bytes = sum(sections.values())
    neural = [header for header in headers.values() if header.is_neural]
    fingerprints = list(dict.fromkeys(header.fingerprint for header in neural))
    return {
        "file": file,
        "bytes": clip.index.size,
        "frames": frames,
        "bytes_per_frame": round(clip.index.size / max(frames, 1), 1),
        "bpp": round(8 * clip.index.size / max(sum(header.pixels for header in headers.values()), 1), 6),
        **_times(clip),
        "groups": len(clip.index.groups),
        "frames_per_group": max((group.frame_count for group in clip.index.groups), default=0),
        "quality": from_level(neural[0].level) if neural else None,
        "weights": [{"name": weights_name(name), "fingerprint": name} for name in fingerprints],
        "overhead_bytes": clip.index.size - payload_bytes,
        "complete": not clip.index.problem,
        "damaged": damage,
        "sections": [
            {"name": name, "bytes": count, "bytes_per_frame": round(count / frames, 1)}
            for name, count in sections.items()
        ],
        "tasks": {name: _task(clip, headers, name) for name in _present(headers)},
        "files": [{"name": name, "bytes": count} for name, count in attached.items()],
    }  # fmt: skip


def _read(clip: Sequence) -> tuple[dict[int, Header], dict[str, int], list[str]]:
    """Headers by group, bytes of attached files by name, and what is damaged of them."""
    headers: dict[int, Header] = {}
    attached: dict[str, int] = {}
    damage: list[str] = []
    for number, (first, stop) in enumerate(pairwise(clip.starts)):
        try:
            headers[number] = clip.group(number).header
            attached |= {name: len(data) for name, data in clip.attachments([number]).items()}
        except FormatError as error:
            damage.append(
                f"frames {first} to {stop - 1}: {SectionError(error.reason, section=error.section)}"
            )
    return headers, attached, damage


def _present(headers: Mapping[int, Header]) -> list[str]:
    """Tasks that any group has, in the order in which they come."""
    return list(dict.fromkeys(name for header in headers.values() for name in header.tasks))


def _times(clip: Sequence) -> dict[str, Any]:
    """Seconds from the first frame to the end of the last one, and frames a second."""
    try:
        last = clip.exact_time(len(clip) - 1) if len(clip) else None
        first = clip.exact_time(0) if len(clip) else None
    except FormatError:  # a damaged header
        last = first = None
    start = None if first is None else float(first)
    if first is None or last is None or last <= first:
        return {"seconds": None, "fps": None, "start": start}
    fps = (len(clip) - 1) / float(last - first)
    return {"seconds": round(len(clip) / fps, 6), "fps": round(fps, 6), "start": start}


def _task(clip: Sequence, headers: Mapping[int, Header], name: str) -> dict[str, Any]:
    """What a task is, how many frames have it, and what decoding it alone reads."""
    with_task = [header for header in headers.values() if name in header.tasks]
    section, (height, width) = with_task[0].task(name), with_task[0].size_of(name)
    count = sum(
        needed.length
        for header in with_task
        for needed in header.sections
        if needed.name in header.needs(name)
    )
    first = next(n for n, header in headers.items() if name in header.tasks)
    notes = summary(clip.group(first))["tasks"][name]
    codings = dict.fromkeys(header.task(name).coding for header in with_task)
    ranges = [r for header in with_task if (r := header.task(name).attributes.range) is not None]
    return {
        **{key: value for key, value in notes.items() if key == "unit"},
        "frames": sum(len(header.frames_of(name)) for header in with_task),
        "height": height, "width": width,
        "dtype": section.attributes.dtype, "channels": section.attributes.channels,
        **({"shape": section.attributes.shape} if section.attributes.shape else {}),
        "codings": list(codings),
        **({"range": [min(low for low, _ in ranges), max(high for _, high in ranges)]} if ranges else {}),
        "bytes": count,
        "bytes_per_frame": round(count / max(len(clip), 1), 1),
        "bpp": round(8 * count / sum(header.pixels for header in headers.values()), 6),
    }  # fmt: skip
