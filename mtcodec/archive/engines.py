"""Who does the work: processes of this machine, or actors of a Ray cluster; results in the order of the work.

An engine is a context manager that gives a function ``submit(function, work)``: an iterator over
``function(item)``, in order. Every worker calls ``initializer(*arguments)`` first.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from typing import Any

from mtcodec.errors import MtcodecError, UsageError

ENGINES = ("local", "ray")

Submit = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def engine(
    name: str, workers: int, initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> AbstractContextManager[Submit]:
    """The engine called ``name`` with ``workers`` processes; 0: one for every core (of the cluster)."""
    if name not in ENGINES:
        raise UsageError(f"engine must be {' or '.join(ENGINES)}, not {name!r}")
    return (_local if name == "local" else _ray)(workers, initializer, arguments)


@contextmanager
def _local(workers: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Submit]:
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        initializer(*arguments)
        yield map
        return
    context = get_context("spawn")  # a parent that holds torch's threads must not be forked
    pool = ProcessPoolExecutor(workers, context, _single_thread, (initializer, arguments))
    ahead = 2 * workers  # work is taken no faster than results are

    def submit(function: Callable[[Any], Any], work: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Future[Any]] = []
        for item in work:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    try:
        yield submit
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _single_thread(initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Start a worker that leaves the other cores to the other workers."""
    import torch

    torch.set_num_threads(1)
    initializer(*arguments)


@contextmanager
def _ray(workers: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Submit]:
    """Ray Data on the cluster of ``RAY_ADDRESS``, or on one of this machine.

    What a lost worker was doing is done again by another one.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError("the engine ray needs Ray: pip install 'mtcodec[ray]'") from error
    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    count = workers or int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]

    def submit(function: Callable[[Any], Any], work: Iterable[Any]) -> Iterator[Any]:
        items = [{"work": pickle.dumps(item)} for item in work]
        if not items:
            return
        made = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor,
            fn_constructor_args=(function, initializer, arguments),
            batch_size=1,
            batch_format="numpy",
            concurrency=min(count, len(items)),
            num_cpus=1,
        )
        for row in made.iter_rows():
            result = pickle.loads(row["made"])
            if isinstance(result, MtcodecError):
                raise result
            yield result

    try:
        yield submit
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """A worker of a Ray cluster."""

    def __init__(
        self, function: Callable[[Any], Any], initializer: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        _single_thread(initializer, arguments)
        self.function = function

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"made": [pickle.dumps(self._do(pickle.loads(item))) for item in batch["work"]]}

    def _do(self, item: Any) -> Any:
        try:
            return self.function(item)
        except MtcodecError as error:  # an exception would be taken for a lost worker, and tried again
            return error
