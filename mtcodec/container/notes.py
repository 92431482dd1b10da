"""Notes: what an encoder tells about tasks besides their pixels, as a section of JSON.

One object by task, of ``unit`` (a length such as ``0.2mm``) and measures of the decoded image (``psnr`` …).
``docs/format.md`` says what is refused.
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
        notes = json.loads(payload.decode(), object_pairs_hook=_object)  # bytes alone may be UTF-16, too
        for of_task in notes.values():
            if not all(_is_unit(v) if name == "unit" else _is_number(v) for name, v in of_task.items()):
                raise ValueError("a measure that is no number, or a unit that is no length")
        return {str(task): dict(of_task) for task, of_task in notes.items()}
    except (ValueError, OverflowError, AttributeError, TypeError, RecursionError) as error:
        raise SectionError(f"damaged notes: {error}", section=NOTES) from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; ValueError: a name twice, or one that is no text, as half a surrogate pair is."""
    result = dict(members)
    if len(result) < len(members):
        raise ValueError("a name twice")
    for name in result:
        name.encode()
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_unit(value: Any) -> bool:
    if not isinstance(value, str) or len(value) >= 100 or not (value.isascii() and value.isprintable()):
        return False
    try:
        number, unit = units.parse(value)
    except UsageError:
        return False
    return bool(unit) and 0 < number < math.inf


def only(payload: bytes, tasks: Iterable[str]) -> bytes | None:
    """The notes of some tasks; None where they have none."""
    names = set(tasks)
    notes = {task: of_task for task, of_task in parse(payload).items() if task in names}
    return pack(notes) if notes else None
