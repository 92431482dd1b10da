"""Many scenes or files, one after the other: done in this process or in others, and summed up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import typer

from mtcodec.cli.common import progress_bar, warn
from mtcodec.cli.report import batch_summary
from mtcodec.errors import MtcodecError

Item = TypeVar("Item")


@dataclass
class Outcome:
    """What became of a scene or a file.

    Attributes:
        label: what messages call it.
        read, written: bytes.
        error: why it is not done, or not whole.
    """

    label: str
    read: int = 0
    written: int = 0
    error: MtcodecError | None = None


OutcomeType = TypeVar("OutcomeType", bound=Outcome)


def run_batch(
    worker: Callable[[Item], OutcomeType], work: Sequence[Item], show: Callable[[OutcomeType], None],
    what: str, jobs: int, *, skip_errors: bool, quiet: bool, summarise: bool, there: int = 0,
    unit: str = "scene",
) -> int:  # fmt: skip
    """Do ``work`` in ``jobs`` processes (0: one for every core), and ``show`` each outcome.

    Failures are told of at the end if ``skip_errors``, and counted; else the first one is raised.

    Args:
        worker: copied to every process.
        what: what is done, for the progress that is shown.
        summarise: print a line about all, of which ``there`` had been done before.
        unit: what one of ``work`` is.
    """
    started = time.monotonic()
    end = len(work) if len(work) > 1 else 0  # of one, progress is unknown
    read = written = 0
    failures: list[MtcodecError] = []
    with _results(worker, work, jobs) as outcomes, progress_bar(quiet) as bar:
        bar(what, 0, end)
        if len(work) == 1 and hasattr(worker, "progress"):
            worker.progress = partial(bar, what)  # of its parts
        for done, outcome in enumerate(outcomes, 1):
            show(outcome)
            if outcome.error is not None:
                if not skip_errors:
                    raise outcome.error
                failures.append(outcome.error)
            read, written = read + outcome.read, written + outcome.written
            if end:
                bar(what, done, end)
    for error in failures:
        warn(f"skipped: {error}")
    if summarise:
        seconds, failed = time.monotonic() - started, len(failures)
        typer.echo(batch_summary(len(work) - failed, read, written, seconds, there, failed, unit=unit))
    return len(failures)


@contextmanager
def _results(
    worker: Callable[[Item], OutcomeType], work: Sequence[Item], jobs: int
) -> Iterator[Iterator[OutcomeType]]:
    """What ``worker`` gives for each item, in order."""
    if len(work) <= 1 or jobs == 1:
        yield map(worker, work)
        return
    from mtcodec.archive.engines import engine

    with engine("local", jobs, copy, (worker,)) as submit:
        yield submit(list(work))
