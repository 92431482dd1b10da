"""Progress on a terminal, from a second on."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

PATIENCE = 1.0  # seconds


class Bar:
    """A bar with the time that is left; a spinner with the time that has passed while the end is unknown."""

    def __init__(self, patience: float | None = None) -> None:
        self._columns = (
            SpinnerColumn(), TextColumn("{task.description:<20}"), BarColumn(), _Share(), _Time(),
        )  # fmt: skip
        self._progress = Progress(
            *self._columns, console=Console(stderr=True), transient=True,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),  # else it is not for the terminal
        )  # fmt: skip
        self._task = self._progress.add_task("working", total=None)
        self._timer = threading.Timer(PATIENCE if patience is None else patience, self._progress.start)
        self._timer.daemon = True

    def update(self, what: str, done: int, total: int) -> None:
        """Show ``done`` of ``total``; 0: unknown."""
        self._progress.update(self._task, description=what, completed=done, total=total or None)

    def __enter__(self) -> Bar:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()  # it may just have fired
        if self._progress.live.is_started:
            self._progress.stop()


class _Share(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:>3.0f} %")


class _Time(ProgressColumn):
    """Time left, where that can be told, else time passed."""

    def __init__(self) -> None:
        super().__init__()
        self._left, self._passed = TimeRemainingColumn(), TimeElapsedColumn()

    def render(self, task: Task) -> Text:
        return (self._passed if task.time_remaining is None else self._left).render(task)
