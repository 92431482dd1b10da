"""Options that commands share, and what they do alike."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from mtcodec.errors import OutputError, SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.codec.codec import Codec
    from mtcodec.files.layouts import SceneFiles
    from mtcodec.format.container import Reader


Output = Annotated[Path | None, typer.Option("-o", "--output", help="Output file; - is standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
Threads = Annotated[int, typer.Option("--threads", min=0, max=1024, help="Threads; 0 takes all cores.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", help="Directory of scenes in any layout of encode --help.")
]
FileOrArchive = Annotated[
    str, typer.Argument(metavar="FILE|ARCHIVE", help="An .mtc file (- is standard input), or an archive.")
]
FilesFrom = Annotated[
    str, typer.Option("--files-from", metavar="FILE", help="More of them, one a line; - is standard input.")
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=0,
        help="Refuse images of more pixels, which take memory and time; 0: the format's limit, 2^28.",
    ),
]
File = Annotated[str, typer.Argument(metavar="FILE", help="An .mtc file; - is standard input.")]


def warn(message: str) -> None:
    typer.echo(f"mtcodec: warning: {message}", err=True)


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
    if path.is_dir():
        raise OutputError(f"{path}: is a directory")
    if path.is_file() and not force:  # devices and pipes are written to
        raise OutputError(f"{path}: exists already (--force overwrites it)")


def make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot make it: {error.strerror}") from error


@contextmanager
def open_file(name: str, max_pixels: int = 0) -> Iterator[Reader]:
    """A reader of the file ``name``, or of standard input for ``-``; 0: the format's limit of pixels."""
    from mtcodec.errors import FormatError
    from mtcodec.format.container import MAX_PIXELS, Reader

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
            raise SceneError(f"{name}: cannot read it: {error.strerror or error}") from error
        except FormatError as error:
            raise FormatError(f"{name}: {error}") from error
        yield reader


def load_codec(name: str, device: str, threads: int) -> Codec:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device must be auto, cpu or cuda, not {device!r}")
    import torch

    from mtcodec.codec import codec

    if threads:
        torch.set_num_threads(threads)
    return codec.load(name, device)


def find(datasets: list[Path], weights: str, limit: int = 0) -> list[SceneFiles]:
    """Scenes of ``datasets``, or the first ``limit``; declares the tasks that ``weights`` (a list) bring."""
    from mtcodec.files.layouts import find_scenes
    from mtcodec.weights import store

    for given in weights.split(","):
        for name in store.resolve(given):
            store.declare_tasks(name)
    found = [scene for dataset in datasets for scene in find_scenes(dataset, warn_left_out)]
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
            raise SceneError(f"{files_from}: cannot read it: {error}") from error
        paths += [Path(line) for line in text.splitlines() if line]
    if not paths:
        raise UsageError("no scenes or datasets given")
    return paths


def warn_left_out(dataset: Path, count: int) -> None:
    warn(f"{dataset}: {count} images have no partner in time and are left out")


def systems(weights: str, device: str, threads: int) -> dict[str, Codec]:
    """Codecs by the name of their weights, for a list such as ``clevr,runs/other.safetensors``."""
    from mtcodec.weights import store

    codecs: dict[str, Codec] = {}
    for given in weights.split(","):
        name = store.find(given).stem
        if name in codecs:
            raise UsageError(f"two weights called {name!r}: rename one of the files")
        codecs[name] = load_codec(given, device, threads)
    return codecs


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, if that is a terminal: call with what, done, total."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield update
