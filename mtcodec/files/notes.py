"""Lines for people: what was left out, renamed or changed while files were searched and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtcodec.messages import Loss, rephrased

Note = Callable[[str], None]
"""Takes one line, without an end of line; a :class:`mtcodec.messages.Loss` where something is left out."""

MAX_LISTED_NAMES = 5  # in a line


def ignore(line: str) -> None:
    """A :data:`Note` for those who want none."""


def without_repeats(note: Note, prefix: str = "") -> Note:
    """A note that puts ``prefix`` before every line and passes equal lines on once."""
    passed_on: set[str] = set()

    def note_once(line: str) -> None:
        if line not in passed_on:
            passed_on.add(line)
            note(rephrased(line, prefix + line))

    return note_once


def losses_once(note: Note, prefix: str = "") -> Note:
    """As :func:`without_repeats`, for those who want to know of losses alone."""
    tell = without_repeats(note, prefix)

    def note_loss(line: str) -> None:
        if isinstance(line, Loss):
            tell(line)

    return note_loss


def list_names(names: Sequence[str]) -> str:
    """``a, b and 7 more``."""
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return ", ".join(names[:MAX_LISTED_NAMES]) + more
