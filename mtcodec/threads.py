"""Threads: what is independent and takes long is done side by side. None of them waits by spinning."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_limit = 0
_thread = threading.local()  # ``share``: how many threads one of :func:`parallel_map` may use in turn
T = TypeVar("T")
R = TypeVar("R")


def limit(threads: int) -> None:
    """Use no more than so many threads; 0: as many as there are cores for this process.

    torch, which is imported for other devices and for training, is told as well.
    """
    global _limit
    _limit = threads
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # torch looks at it when it is imported
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(threads)


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Within, the calling thread uses no more than so many threads; nothing else of the process changes."""
    before = getattr(_thread, "share", 0)
    _thread.share = threads
    try:
        yield
    finally:
        _thread.share = before


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_map(function: Callable[[T], R], items: Sequence[T], serial: bool = False) -> list[R]:
    """The results of ``function`` for all ``items``, several at a time. Calls within calls share threads.

    ``serial``: one by one, where what several need at a time would not fit into memory.
    """
    allowed: int = getattr(_thread, "share", 0) or _limit or cores()
    count = min(allowed, len(items))
    if count <= 1 or serial:
        return [function(item) for item in items]

    def begin() -> None:
        _thread.share = allowed // count

    with ThreadPoolExecutor(count, initializer=begin) as pool:
        return list(pool.map(function, items))


def map_ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Results of ``function`` in a pool, in order; items are taken ``ahead`` of them, and no faster."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    for future in waiting:
        yield future.result()
