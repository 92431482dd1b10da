"""What commands do alike: reading and writing files, finding scenes, warnings, progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import typer

from mtcodec.errors import OutputError, SceneError, UsageError
from mtcodec.tasks import USUAL, Declarations, Task

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.codec.request import Request
    from mtcodec.container.mtc import Reader
    from mtcodec.files.layouts import SceneFiles


W = TypeVar("W")
R = TypeVar("R")


def warn(message: str) -> None:
    """A warning, on standard error."""
    typer.echo(f"mtcodec: warning: {message}", err=True)


def note(message: str) -> None:
    """What people should know but need not mend, on standard error."""
    typer.echo(f"mtcodec: note: {message}", err=True)


def silent(message: str) -> None:
    """A note that nobody wants."""


def emit(data: bytes, path: Path, force: bool) -> None:
    """Write ``data`` to ``path`` or standard output, not over an existing file without ``force``."""
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
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make it: {error.strerror}", path=path) from error


@contextmanager
def open_file(name: str, max_pixels: int = 0) -> Iterator[Reader]:
    """A reader of the file ``name``, or of standard input for ``-``; 0: the format's limit of pixels."""
    from mtcodec.container.header import MAX_PIXELS
    from mtcodec.container.mtc import Reader
    from mtcodec.errors import FormatError

    if name == "-" and sys.stdin is None:
        raise SceneError("standard input is closed")
    with ExitStack() as stack:
        try:
            source: BinaryIO
            if name == "-":
                source = io.BytesIO(sys.stdin.buffer.read())
            else:
                source = stack.enter_context(Path(name).open("rb"))
            reader = Reader(source, max_pixels or MAX_PIXELS)
        except OSError as error:
            raise SceneError(f"cannot read it: {error.strerror or error}", path=name) from error
        except FormatError as error:
            raise error.at(path=name) from None
        yield reader


def declared_by(weights: str) -> dict[str, Task]:
    """The usual declarations, and those that weights bring besides."""
    from mtcodec.codec.api import tasks_of
    from mtcodec.networks.weights import store

    return tasks_of(store.resolve(weights))


def check_tasks(request: Request, scenes: list[SceneFiles]) -> None:
    """Raise UsageError where no scene has a task that has settings of its own."""
    missing = request.tasks_named() - {task for scene in scenes for task in scene.files}
    if missing:
        raise UsageError(f"settings for task {min(missing)!r}, which no scene has")


def set_threads(threads: int) -> None:
    """Let networks use so many threads; 0: all cores, for images that are large enough."""
    from mtcodec import memory
    from mtcodec.threads import limit

    limit(threads)
    memory.allow_returning()


def find(
    datasets: list[Path],
    declared: Declarations = USUAL,
    names: Mapping[str, str] | None = None,
    limit: int = 0,
    tell: Callable[[str], None] = note,
    attach: Sequence[str] = (),
) -> list[SceneFiles]:
    """Scenes of ``datasets``, or the first ``limit``."""
    from mtcodec.files.layouts import find_scenes

    found = [scene for path in datasets for scene in find_scenes(path, declared, names or {}, tell, attach)]
    return found[: limit or None]


def with_listed(given: list[Path] | None, files_from: str) -> list[Path]:
    """Paths of the command line, and those that a file (``-``: standard input) lists, one a line."""
    paths = list(given or [])
    if files_from:
        try:
            if files_from == "-":
                if sys.stdin is None:
                    raise SceneError("standard input is closed")
                text = sys.stdin.read()
            else:
                text = Path(files_from).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SceneError(f"cannot read it: {error}", path=files_from) from error
        paths += [Path(line) for line in text.splitlines() if line]
    if not paths:
        raise UsageError("no scenes or datasets given")
    return paths


def systems(weights: str, device: str, threads: int, coding: str = "neural") -> dict[str, Codec]:
    """Codecs by the name of their weights, for a list such as ``clevr,runs/other.safetensors,auto``."""
    from mtcodec.codec.api import load
    from mtcodec.networks.weights import store

    set_threads(threads)
    codecs: dict[str, Codec] = {}
    for given in weights.split(","):
        name = given if given == store.AUTO else store.find(given).stem
        if name in codecs:
            raise UsageError(f"two weights called {name!r}: rename one of the files")
        codecs[name] = load(given, device, coding=coding)
    return codecs


@contextmanager
def submitter(worker: Callable[[W], R], count: int, jobs: int) -> Iterator[Callable[[list[W]], Iterator[R]]]:
    """What gives the results of ``worker`` for work of ``count`` items, in order; ``jobs`` processes, 0: all.

    ``worker`` is a dataclass, made anew in every process.
    """
    if count <= 1 or jobs == 1:
        yield lambda work: map(worker, work)
        return
    from mtcodec.archive.engines import engine

    arguments = tuple(getattr(worker, field.name) for field in fields(worker))  # type: ignore[arg-type]
    with engine("local", jobs, type(worker), arguments) as submit:
        yield submit


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Progress on standard error, if that is a terminal: call with what, done, total.

    It is shown from a second on, so that short work leaves the terminal alone.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from mtcodec.cli.progress import Bar

    with Bar() as bar:
        yield bar.update
