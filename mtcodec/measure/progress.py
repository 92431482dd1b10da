"""How far long measurements are, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def part_of(progress: Progress, label: str, first: int, total: int) -> Callable[[int], None]:
    """What tells ``progress`` how much is done of a part that begins after ``first``."""
    return lambda done: progress(label, first + done, total)
