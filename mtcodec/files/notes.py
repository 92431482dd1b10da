"""Lines for people: what was left out, renamed or changed while files were found and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Note = Callable[[str], None]
"""Takes one line, without an end of line."""

SHOWN = 5  # names that a line lists


def ignore(line: str) -> None:
    """A :data:`Note` for those who want none."""


def once(note: Note, prefix: str = "") -> Note:
    """A note that puts ``prefix`` before every line and passes equal lines on once."""
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            note(prefix + line)

    return say


def some(names: Sequence[str]) -> str:
    """``a, b and 7 more``."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
