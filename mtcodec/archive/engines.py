"""Who does the work: processes of this machine, or actors of a Ray cluster; results in the order of the work.

An engine is a context manager that gives a function ``submit(work)``: an iterator over ``worker(item)``, in
order. Every process makes one worker, by calling ``make(*arguments)``.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mtcodec import extras, memory, threads
from mtcodec.errors import MtcodecError, UsageError

ENGINES = ("local", "ray")
ITEMS_PER_BLOCK = 8  # that an actor of Ray gets at once

Worker = Callable[[Any], Any]
Make = Callable[..., Worker]
Submit = Callable[[Iterable[Any]], Iterator[Any]]


def engine(
    name: str, workers: int, make: Make, arguments: tuple[Any, ...] = ()
) -> AbstractContextManager[Submit]:
    """The engine called ``name`` with ``workers`` processes; 0: one for every core (of the cluster).

    Raises:
        UsageError: no such engine. DependencyError: Ray is not installed. What ``make`` or a worker raises
            comes out of the iterator.
    """
    if name not in ENGINES:
        raise UsageError(f"engine must be {' or '.join(ENGINES)}, not {name!r}")
    return (_local if name == "local" else _ray)(workers, make, arguments)


@contextmanager
def _local(workers: int, make: Make, arguments: tuple[Any, ...]) -> Iterator[Submit]:
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        worker = make(*arguments)
        yield lambda work: map(worker, work)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    context = get_context("spawn")  # a parent that holds threads must not be forked
    pool = ProcessPoolExecutor(workers, context, _start_process, (make, arguments))
    try:
        yield lambda work: threads.map_ahead(pool, _call_worker, work, 2 * workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_process_worker: list[Worker] = []  # the worker of a process of a pool, set when it starts


def _start_process(make: Make, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(128 + number))  # without a traceback
    _process_worker.append(_make_worker(make, arguments))


def _call_worker(item: Any) -> Any:
    return _process_worker[0](item)


def _make_worker(make: Make, arguments: tuple[Any, ...]) -> Worker:
    """The worker of a process of its own, which leaves the other cores to the others.

    Where it cannot be made, the calls of what is returned raise why.
    """
    threads.limit(1)
    memory.keep()
    try:
        return make(*arguments)
    except MtcodecError as error:
        reason = error

        def fail(item: Any) -> Any:
            raise reason

        return fail


@contextmanager
def _ray(workers: int, make: Make, arguments: tuple[Any, ...]) -> Iterator[Submit]:
    """Ray Data on the cluster of ``RAY_ADDRESS``, or on one of this machine.

    What a lost worker was doing is done again by another one.
    """
    extras.load("ray.data", "the engine ray", "ray")
    import ray

    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    options = context.execution_options
    before = options.preserve_order, context.enable_progress_bars
    options.preserve_order, context.enable_progress_bars = True, False
    count = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    try:
        yield lambda work: _map_by_actors(work, count, make, arguments)
    finally:
        options.preserve_order, context.enable_progress_bars = before
        if is_ours:
            ray.shutdown()


def _map_by_actors(work: Iterable[Any], count: int, make: Make, arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Results of up to ``count`` actors, in the order of the work."""
    import ray

    items = [{"work": pickle.dumps(item)} for item in work]
    if not items:
        return
    blocks = min(len(items), max(4 * count, len(items) // ITEMS_PER_BLOCK))
    results = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=(make, arguments),
        batch_size=1,
        batch_format="numpy",
        concurrency=min(count, blocks),
        num_cpus=1,
    )
    for row in results.iter_rows():
        result = pickle.loads(row["result"])
        if isinstance(result, MtcodecError):
            raise result
        yield result


class _Actor:
    """The process of a worker in a Ray cluster.

    It returns what the worker raises: Ray would take an exception for a lost worker, and try the work again.
    """

    def __init__(self, make: Make, arguments: tuple[Any, ...]) -> None:
        self.worker = _make_worker(make, arguments)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"result": [pickle.dumps(self._call(pickle.loads(item))) for item in batch["work"]]}

    def _call(self, item: Any) -> Any:
        try:
            return self.worker(item)
        except MtcodecError as error:
            return error
