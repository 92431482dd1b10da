"""Progress on a terminal, from a second on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.text import Text

PATIENCE = 1.0  # seconds


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows what is done, how much of it, and how much there is; 0: unknown.

    It draws a bar with the time that is left; a spinner with the time that has passed while the end is
    unknown.
    """
    progress = rich.progress.Progress(
        rich.progress.SpinnerColumn(), rich.progress.TextColumn("{task.description:<20}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn("{task.percentage:>3.0f} %"), _Time(),
        console=Console(stderr=True), transient=True,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),  # else it is not for the terminal
    )  # fmt: skip
    task = progress.add_task("working", total=None)
    timer = threading.Timer(PATIENCE, progress.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total or None
        )
    finally:
        timer.cancel()
        timer.join()  # it may just have fired
        if progress.live.is_started:
            progress.stop()


class _Time(rich.progress.TimeRemainingColumn):
    """Time left, where that can be told, else time passed."""

    def render(self, task: rich.progress.Task) -> Text:
        return (
            rich.progress.TimeElapsedColumn().render(task)
            if task.time_remaining is None
            else super().render(task)
        )
