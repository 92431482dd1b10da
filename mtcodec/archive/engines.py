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
from typing import TYPE_CHECKING, Any

from mtcodec import extras, memory, threads
from mtcodec.errors import MtcodecError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

ENGINES = ("local", "ray")
BLOCK = 8  # items that an actor of Ray gets at once

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
    pool = ProcessPoolExecutor(workers, context, _start, (make, arguments))
    ahead = 2 * workers  # work is taken no faster than results are

    def submit(work: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Future[Any]] = []
        for item in work:
            waiting.append(pool.submit(_call, item))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    try:
        yield submit
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_own: list[Worker] = []  # the worker of a process of a pool, set when it starts


def _start(make: Make, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(128 + number))  # without a traceback
    _own.append(_made(make, arguments))


def _call(item: Any) -> Any:
    return _own[0](item)


def _made(make: Make, arguments: tuple[Any, ...]) -> Worker:
    """A worker that leaves the other cores to the others; where it cannot be made, its calls raise why."""
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

    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    count = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]

    def submit(work: Iterable[Any]) -> Iterator[Any]:
        items = [{"work": pickle.dumps(item)} for item in work]
        if not items:
            return
        blocks = min(len(items), max(4 * count, len(items) // BLOCK))
        made = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
            _Actor,
            fn_constructor_args=(make, arguments),
            batch_size=1,
            batch_format="numpy",
            concurrency=min(count, blocks),
            num_cpus=1,
        )
        for row in made.iter_rows():
            result = pickle.loads(row["made"])
            if isinstance(result, _Failed):
                raise result.error
            yield result

    try:
        yield submit
    finally:
        if ours:
            ray.shutdown()


class _Failed:
    """What a worker raised; an exception would be taken for a lost worker, and the work be tried again."""

    def __init__(self, error: MtcodecError) -> None:
        self.error = error


class _Actor:
    """The process of a worker in a Ray cluster."""

    def __init__(self, make: Make, arguments: tuple[Any, ...]) -> None:
        self.worker = _made(make, arguments)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"made": [pickle.dumps(self._do(pickle.loads(item))) for item in batch["work"]]}

    def _do(self, item: Any) -> Any:
        try:
            return self.worker(item)
        except MtcodecError as error:
            return _Failed(error)
