"""Threads: parts of a large image are worked on side by side; a small one takes no more than one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

_limit = 0


def limit(threads: int) -> None:
    """Use no more than so many threads; 0: as many as there are cores for this process."""
    global _limit
    _limit = threads


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(parts: Sequence[Callable[[], None]]) -> None:
    """Do all of ``parts``, several at a time."""
    count = min(_limit or cores(), len(parts))
    if count == 1:
        for part in parts:
            part()
        return
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(part) for part in parts]:
            done.result()
