"""Notes: what an encoder tells about tasks besides their pixels, as a section of JSON.

One object by task, of ``unit`` (a length such as ``0.2mm``) and measures of the decoded image (``psnr`` …).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mtcodec.container.section import NOTES
from mtcodec.errors import SectionError, UsageError
from mtcodec.tasks import units

MAX_BYTES = 1 << 16
Notes = Mapping[str, Mapping[str, Any]]
"""By task and name: a finite number, or the unit."""


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
        for of_task in notes.values():
            if not all(_is_unit(v) if name == "unit" else _is_number(v) for name, v in of_task.items()):
                raise ValueError("a measure that is no number, or a unit that is no length")
        return {str(task): dict(of_task) for task, of_task in notes.items()}
    except (ValueError, OverflowError, AttributeError, TypeError, RecursionError) as error:
        raise SectionError(f"damaged notes: {error}", section=NOTES) from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_unit(value: Any) -> bool:
    try:
        number, unit = units.parse(value) if isinstance(value, str) and len(value) < 100 else (0.0, "")
    except UsageError:
        return False
    return bool(unit) and 0 < number < math.inf


def only(payload: bytes, tasks: Iterable[str]) -> bytes | None:
    """The notes of some tasks; None where they have none."""
    names = set(tasks)
    notes = {task: of_task for task, of_task in parse(payload).items() if task in names}
    return pack(notes) if notes else None
