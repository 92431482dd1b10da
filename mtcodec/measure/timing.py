"""How long things take, and how far long measurements are."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def timed(run: Callable[[], T], clock: Callable[[], float] = perf_counter) -> tuple[T, float]:
    """What ``run`` returns, and the milliseconds that it took."""
    start = clock()
    return run(), 1000 * (clock() - start)


def part_of(progress: Progress, label: str, first: int, total: int) -> Callable[[int], None]:
    """What tells ``progress`` how much is done of a part that begins after ``first``."""
    return lambda done: progress(label, first + done, total)
