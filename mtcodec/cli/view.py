"""``mtcodec view``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import (
    emit,
    find,
    note,
    open_file,
    progress_bar,
    refuse_existing,
    set_threads,
    silent,
    warn,
)
from mtcodec.errors import FormatError, UsageError
from mtcodec.files.notes import some

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.files.search import SceneFiles
    from mtcodec.view.scene import SceneView
    from mtcodec.view.sources import Scenes

LIMIT = 100


def view(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR|ARCHIVE",
            help="An .mtc file (- is standard input), a directory of them, or an archive.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page; default: FILE.html; - is standard output."),
    ] = None,
    original: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The original images, a scene or a dataset: compare with them."),
    ] = None,
    tasks: options.Only = "",
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    weights: options.MoreWeights = "",
    limit: Annotated[int, typer.Option(min=0, help="Scenes that are shown at most; 0: all.")] = LIMIT,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    max_pixels: options.MaxPixels = 0,
    threads: options.Threads = 0,
    device: options.Device = "cpu",
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a page of HTML, for any browser, that shows scenes, their bytes and their errors.

    It is one file that loads nothing else. Of several scenes it is a contact sheet that opens each.
    """
    path = _output(file, output)
    if str(path) != "-":
        refuse_existing(path, force)
    elif open_it:
        raise UsageError("--open needs a page that is a file (-o)")
    from mtcodec.codec.api import Codec

    declared = values.declarations(task or [])
    codec = Codec(weights.split(",") if weights else (), device, tasks=declared)
    names = dict(values.assignments(name or [], "another name"))
    originals = find([original], codec.tasks, names, tell=silent if quiet else note) if original else []
    set_threads(threads)
    with ExitStack() as stack:
        scenes = _scenes(stack, file, codec, values.names(tasks), max_pixels, limit)
        found = _views(scenes, values.names(tasks), originals, quiet)
    from mtcodec.view.page import page

    data = page(scenes.title, scenes.count, found)
    emit(data, path, force)
    if not quiet:
        shown = f"{len(found)} of " * (len(found) < scenes.count) + f"{scenes.count} scenes"
        typer.echo(f"{path}: {'1 scene' if scenes.count == 1 else shown}, {len(data)} bytes", err=True)
    if open_it:
        _open(path)
    _tell_damage(file, found)


def _output(file: str, output: Path | None) -> Path:
    """Where the page goes."""
    if output is not None:
        return output
    if file == "-":
        raise UsageError("standard input needs -o PAGE")
    if "://" in file:
        return Path(file.rstrip("/").rsplit("/", 1)[-1] + ".html")
    path = Path(file)
    if path.is_dir():
        return (
            path.resolve().with_name(path.resolve().name + ".html")
            if path.name in ("", "..")
            else Path(f"{path}.html")
        )
    return path.with_suffix(".html")


def _scenes(
    stack: ExitStack, file: str, codec: Codec, tasks: list[str] | None, max_pixels: int, limit: int
) -> Scenes:
    """What ``file`` holds; open until ``stack`` is closed."""
    from mtcodec.archive.names import is_archive
    from mtcodec.container.header import MAX_PIXELS
    from mtcodec.view import sources

    most = max_pixels or MAX_PIXELS
    if is_archive(file):
        from mtcodec.archive.decode import ArchiveCodec
        from mtcodec.archive.read import ArchiveReader

        own = ArchiveCodec(ArchiveReader(file, most), codec.device)
        own.paths, own.tasks = codec.paths, codec.tasks
        return sources.of_archive(own.reader, own, tasks, limit)
    if Path(file).is_dir():
        return sources.of_directory(Path(file), codec, most, limit)
    reader = stack.enter_context(open_file(file, max_pixels))
    for name in tasks or ():
        reader.header.task(name)
    return sources.of_file("scene" if file == "-" else Path(file).stem, reader, codec)


def _views(
    scenes: Scenes, tasks: list[str] | None, originals: list[SceneFiles], quiet: bool
) -> list[SceneView]:
    """Decoded scenes, compared with their originals."""
    from mtcodec.view.views import views

    with progress_bar() as bar:
        found = views(scenes, tasks, originals, lambda k, total: bar("decoding", k, total))
    alone = [one.name for one in found if not one.compared]
    if originals and len(alone) == len(found):
        raise UsageError(f"no original of {alone[0]!r} (there is {some([own.key for own in originals])})")
    if originals and alone and not quiet:
        note(f"without an original: {some(alone)}")
    missing = [
        name for name in tasks or () if not any(name == own.name for one in found for own in one.tasks)
    ]
    if missing:
        raise UsageError(f"no scene has a task {missing[0]!r}")
    return found


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        warn(f"no browser to show {path} in")


def _tell_damage(file: str, found: list[SceneView]) -> None:
    """Warn of all that could not be shown; raise an error where scenes are not whole."""
    for one in found:
        for problem in one.problems:
            warn(f"{file}: {problem}" if len(found) == 1 else f"{file}: scene {one.name}: {problem}")
    errors = [one.errors for one in found if one.errors]
    if errors:
        damage = [error for own in errors for error in own if isinstance(error, FormatError)]
        share = f"{len(errors)} of {len(found)} scenes " if len(found) > 1 else ""
        what = "damaged" if damage else "not decoded"
        raise type((damage or errors[0])[0])(f"{share}{what}, as the page shows", path=file)
