"""What commands do alike: messages, results, progress, reading and writing files, threads."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import typer

from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import FormatError, OutputError, SceneError
from mtcodec.messages import Loss

if TYPE_CHECKING:
    from rich.table import Table

    from mtcodec.archive.read import ArchiveReader
    from mtcodec.container.mtc import Reader
    from mtcodec.sequences.read import Sequence

ShowProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is; 0: unknown."""
_warnings = 0  # that were shown
PIPE_COLUMNS = 160  # width of tables that are not for a terminal, in characters


def warn(message: str) -> None:
    """A warning, on standard error."""
    global _warnings
    _warnings += 1
    typer.echo(f"mtcodec: warning: {message}", err=True)


def warning_count() -> int:
    """How many warnings this process has shown."""
    return _warnings


def note(message: str, quiet: bool = False) -> None:
    """What people should know but need not mend, on standard error, unless ``quiet``.

    What tells of a loss is a warning, which is shown always.
    """
    if isinstance(message, Loss):
        warn(message)
    elif not quiet:
        typer.echo(f"mtcodec: note: {message}", err=True)


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[ShowProgress]:
    """A function that shows progress on standard error, if that is a terminal.

    It is shown from a second on, so that short work leaves the terminal alone.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from mtcodec.cli.progress import bar

    with bar() as show_progress:
        yield show_progress


def show(facts: Any, lines: Iterable[str], as_json: bool, quiet: bool = False) -> None:
    """Print a result: ``facts`` as JSON, else ``lines``, unless ``quiet``."""
    if as_json:
        typer.echo(json.dumps(facts))
    elif not quiet:
        for line in lines:
            typer.echo(line)


def print_tables(*tables: Table) -> None:
    """Print tables, as wide as the terminal, or as PIPE_COLUMNS where there is none."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    for table in tables:
        console.print(table)


# --- files -------------------------------------------------------------------------------------------


def emit(data: bytes, path: Path, force: bool) -> None:
    """Write ``data`` to ``path`` or standard output, not over an existing file without ``force``.

    Raises:
        OutputError: there is a file, or it cannot be written.
    """
    from mtcodec.files.output import write_atomic

    if str(path) == "-":
        if sys.stdout is None:
            raise OutputError("standard output is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    refuse_existing(path, force)
    write_atomic(path, data)


def refuse_existing(path: Path, force: bool) -> None:
    """Raise OutputError where ``path`` would be overwritten."""
    if path.is_dir():
        raise OutputError("is a directory", path=path)
    if path.is_file() and not force:  # devices and pipes are written to
        raise OutputError("exists already (--force overwrites it)", path=path)


def make_directory(path: Path) -> None:
    """Make ``path`` and the directories above it; raise OutputError where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make it: {error.strerror}", path=path) from error


@contextmanager
def open_file(name: str, max_pixels: int = MAX_PIXELS) -> Iterator[Reader]:
    """A reader of the file ``name``, or of standard input for ``-``.

    Raises:
        SceneError: it cannot be read.
        FormatError: it is damaged, or no file of mtcodec.
    """
    from mtcodec.container.mtc import Reader

    if name == "-" and sys.stdin is None:
        raise SceneError("standard input is closed")
    with ExitStack() as stack:
        try:
            source: BinaryIO
            if name == "-":
                source = io.BytesIO(sys.stdin.buffer.read())
            else:
                source = stack.enter_context(Path(name).open("rb"))
            reader = Reader(source, max_pixels)
        except OSError as error:
            raise SceneError(f"cannot read it: {error.strerror or error}", path=name) from error
        except FormatError as error:
            raise error.at(path=name) from None
        yield reader


def opened_sequence(name: str, max_pixels: int = MAX_PIXELS) -> Sequence | None:
    """The sequence in a file or at a URL; None where there is something else, which others open.

    Raises:
        SceneError: a URL that cannot be read.
    """
    from mtcodec.container.sequence import BEGINNING, is_sequence

    if name == "-":
        return _sequence_of_stdin(max_pixels)
    if "://" not in name:
        try:
            with Path(name).open("rb") as file:
                beginning = file.read(len(BEGINNING))
        except FileNotFoundError as error:
            raise SceneError(f"cannot read it: {error.strerror}", path=name) from error
        except OSError:
            return None
        if not is_sequence(beginning):
            return None
    elif not urlsplit(name).path.lower().endswith(".mtc"):
        return None
    from mtcodec.sequences.read import Sequence

    return Sequence(name, max_pixels=max_pixels, tell=note)


def _sequence_of_stdin(max_pixels: int) -> Sequence | None:
    """The sequence on standard input; None where there is something else, which is still to be read."""
    from mtcodec.container.sequence import BEGINNING, is_sequence

    buffer: Any = getattr(sys.stdin, "buffer", None)
    if not hasattr(buffer, "peek") or not is_sequence(buffer.peek(len(BEGINNING))):
        return None
    from mtcodec.sequences.read import Sequence

    return Sequence(buffer.read(), max_pixels=max_pixels, tell=note)


def open_archive(name: str, max_pixels: int = MAX_PIXELS) -> ArchiveReader:
    """A reader of an archive, whose libraries are imported now."""
    from mtcodec.archive.read import ArchiveReader

    return ArchiveReader(name, max_pixels)


def set_threads(threads: int) -> None:
    """Let networks use so many threads; 0: all cores, for images that are large enough."""
    from mtcodec.threads import limit

    limit(threads)
