"""What a sequence holds, without decoding it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mtcodec.codec.info import summary, weights_name
from mtcodec.container.header import Header
from mtcodec.quality import from_level
from mtcodec.sequences.read import Sequence


def sequence_summary(clip: Sequence, file: str = "-") -> dict[str, Any]:
    """The content of ``mtcodec info --json`` for a sequence. Headers and notes of all groups are read.

    Raises:
        FormatError: a damaged header.
    """
    headers = [clip.group(number).header for number in range(len(clip.index.groups))]
    frames = len(clip)
    sections: Counter[str] = Counter()
    for header in headers:
        for section in header.sections:
            sections[section.name] += section.length
    payload_bytes = sum(sections.values())
    neural = [header for header in headers if header.is_neural]
    fingerprints = list(dict.fromkeys(header.fingerprint for header in neural))
    return {
        "file": file,
        "bytes": clip.index.size,
        "frames": frames,
        "bytes_per_frame": round(clip.index.size / max(frames, 1), 1),
        "bpp": round(8 * clip.index.size / max(sum(header.pixels for header in headers), 1), 6),
        **_times(clip),
        "groups": len(headers),
        "frames_per_group": max((header.frame_count for header in headers), default=0),
        "quality": from_level(neural[0].level) if neural else None,
        "weights": [{"name": weights_name(name), "fingerprint": name} for name in fingerprints],
        "overhead_bytes": clip.index.size - payload_bytes,
        "complete": not clip.index.problem,
        "sections": [
            {"name": name, "bytes": count, "bytes_per_frame": round(count / frames, 1)}
            for name, count in sections.items()
        ],
        "tasks": {name: _task(clip, headers, name) for name in clip.tasks},
        "files": [
            {"name": name, "bytes": len(data)} for name, data in clip.attachments().items()
        ],
    }  # fmt: skip


def _times(clip: Sequence) -> dict[str, Any]:
    """Seconds from the first frame to the end of the last one, and frames a second."""
    times = clip.times
    if not times or len(times) < 2 or times[-1] == times[0]:
        return {"seconds": None, "fps": None, "start": times[0] if times else None}
    fps = (len(times) - 1) / (times[-1] - times[0])
    return {"seconds": round(len(times) / fps, 6), "fps": round(fps, 6), "start": times[0]}


def _task(clip: Sequence, headers: list[Header], name: str) -> dict[str, Any]:
    """What a task is, how many frames have it, and what decoding it alone reads."""
    with_task = [header for header in headers if name in header.tasks]
    section, (height, width) = with_task[0].task(name), with_task[0].size_of(name)
    count = sum(
        needed.length
        for header in with_task
        for needed in header.sections
        if needed.name in header.needs(name)
    )
    first = next(n for n, header in enumerate(headers) if name in header.tasks)
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
        "bpp": round(8 * count / sum(header.pixels for header in headers), 6),
    }  # fmt: skip
