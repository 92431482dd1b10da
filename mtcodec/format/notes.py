"""Notes: what an encoder tells about tasks besides their pixels, as a section of JSON.

One object by task, of ``unit`` (a length such as ``0.2mm``) and measures of the decoded image (``psnr`` …).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mtcodec.errors import SectionError
from mtcodec.format.section import NOTES

MAX_BYTES = 1 << 16
Notes = Mapping[str, Mapping[str, Any]]
"""By task and name: a number or a text."""


def pack(notes: Notes) -> bytes:
    """The payload of a section of notes."""
    return json.dumps(notes, separators=(",", ":"), ensure_ascii=True, sort_keys=True).encode()


def parse(payload: bytes) -> dict[str, dict[str, Any]]:
    """Notes by task.

    Raises:
        SectionError: not notes.
    """
    try:
        if len(payload) > MAX_BYTES:
            raise ValueError("too long")
        notes = json.loads(payload)
        for own in notes.values():
            if not all(isinstance(v, (int, float, str)) and len(str(v)) < 100 for v in own.values()):
                raise ValueError("neither numbers nor texts")
        return {str(task): dict(own) for task, own in notes.items()}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise SectionError(f"damaged notes: {error}", section=NOTES) from error


def only(payload: bytes, tasks: Iterable[str]) -> bytes | None:
    """The notes of some tasks; None where they have none."""
    kept = set(tasks)
    notes = {task: own for task, own in parse(payload).items() if task in kept}
    return pack(notes) if notes else None
