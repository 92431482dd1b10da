"""``mtcodec view``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import common, options, values
from mtcodec.cli.decode import FRAMES
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.scenes import find
from mtcodec.cli.sequence_decode import parsed_frames
from mtcodec.cli.sequence_view import report_clip, shown_text, viewed_clip
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.files.notes import list_names

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.files.trees.search import SceneFiles
    from mtcodec.view.scene import SceneView
    from mtcodec.view.sources import Scenes

MAX_SCENES = 100  # that are shown, unless more are asked for


@takes_groups
def view(
    *,
    file: str = typer.Argument(
        metavar="FILE|DIR|ARCHIVE",
        help="A scene or sequence (- is standard input), a directory of scenes, or an archive.",
    ),
    output: Path | None = option(
        None, None, "The page; default: FILE.html; - is standard output.", "-o", "--output"
    ),
    original: Path | None = option(
        None, "DIR", "The original images, a scene or a dataset (of a sequence: its frames): compare."
    ),
    tasks: str = options.ONLY_TASKS,
    naming: options.NamingOptions,
    reading: options.ReadingOptions,
    weights: str = options.MORE_WEIGHTS,
    limit: int = option(
        MAX_SCENES, None, "Scenes shown at most, or frames, then at equal distances; 0: all.", min=0
    ),
    frames: str = FRAMES,
    open_it: bool = option(False, None, "Show the page in the browser.", "--open"),
    max_pixels: int = options.PIXEL_LIMIT,
    machine: options.MachineOptions,
    force: bool = options.FORCE,
    printing: options.MessageOptions,
) -> None:
    """Make a page of HTML, for any browser, that shows scenes, their bytes and their errors.

    It is one file that loads nothing else. Of several scenes it is a contact sheet that opens each; of a
    sequence, its frames with a slider in time.
    """
    path = _output(file, output)
    if str(path) != "-":
        common.refuse_existing(path, force)
    elif open_it:
        raise UsageError("--open needs a page that is a file (-o)")
    clip = common.opened_sequence(file, max_pixels)
    from mtcodec.codec.api import Codec

    declared = options.request_of(naming).tasks
    codec = Codec(values.weights_list(weights), machine.device, tasks=declared)
    names, how = naming.tasks_by_name(), reading.reading()
    originals = find([original], codec.tasks, names, printing.note, reading=how) if original else []
    common.set_threads(machine.threads)
    task_names = values.names(tasks)
    if clip is not None:
        clip.device, clip.weights = machine.device, tuple(values.weights_list(weights))
        title = "sequence" if file == "-" else Path(file).stem
        wanted = parsed_frames(frames)
        clip_view = viewed_clip(title, clip, task_names, wanted, limit, declared, originals, printing.quiet)
        from mtcodec.view.sequence_html import render_clip

        page = render_clip(clip_view)
        _emit(page, path, force, open_it, "" if printing.quiet else shown_text(path, clip_view, len(page)))
        report_clip(file, clip_view)
        return
    if frames:
        raise UsageError("--frames are of sequences, and this is none", path=file)
    with ExitStack() as stack:
        scenes = _scenes(stack, file, codec, task_names, max_pixels, limit)
        scene_views = _views(scenes, task_names, originals, printing.quiet)
    from mtcodec.view.page import render_page

    data = render_page(scenes.title, scenes.count, scene_views)
    shown = f"{len(scene_views)} of " * (len(scene_views) < scenes.count) + f"{scenes.count} scenes"
    line = f"{path}: {'1 scene' if scenes.count == 1 else shown}, {len(data)} bytes"
    _emit(data, path, force, open_it, "" if printing.quiet else line)
    _report_damage(file, scene_views)


def _emit(data: bytes, path: Path, force: bool, open_it: bool, line: str) -> None:
    """Write a page, say so, and open it in the browser if that is asked for."""
    common.emit(data, path, force)
    if line:
        typer.echo(line, err=True)
    import webbrowser

    if open_it and not webbrowser.open(path.resolve().as_uri()):
        common.warn(f"no browser to show {path} in")


def _output(file: str, output: Path | None) -> Path:
    """Where the page goes."""
    if output is not None:
        return output
    if file == "-":
        raise UsageError("standard input needs -o PAGE")
    if "://" in file:
        return Path(file.rstrip("/").rsplit("/", 1)[-1] + ".html")
    path = Path(file)
    if not path.is_dir():
        return path.with_suffix(".html")
    directory = path.resolve() if path.name in ("", "..") else path
    return directory.with_name(f"{directory.name}.html")


def _scenes(
    stack: ExitStack, file: str, codec: Codec, tasks: Sequence[str] | None, max_pixels: int, limit: int
) -> Scenes:
    """What ``file`` holds; open until ``stack`` is closed."""
    from mtcodec.archive.names import is_archive
    from mtcodec.view import sources

    if is_archive(file):
        from mtcodec.archive.decode import ArchiveCodec

        archive_codec = ArchiveCodec(common.open_archive(file, max_pixels), codec.device)
        archive_codec.paths, archive_codec.tasks = codec.paths, codec.tasks
        return sources.of_archive(archive_codec.reader, archive_codec, tasks, limit)
    if Path(file).is_dir():
        return sources.of_directory(Path(file), codec, max_pixels, limit)
    reader = stack.enter_context(common.open_file(file, max_pixels))
    for name in tasks or ():
        reader.header.task(name)
    return sources.of_file("scene" if file == "-" else Path(file).stem, reader, codec)


def _views(
    scenes: Scenes, tasks: Sequence[str] | None, originals: Sequence[SceneFiles], quiet: bool
) -> list[SceneView]:
    """Decoded scenes, compared with their originals."""
    from mtcodec.view.scene import view_scenes

    with common.progress_bar() as bar:
        decoded = view_scenes(scenes, tasks, originals, partial(bar, "decoding"), common.note)
    alone = [scene.name for scene in decoded if not scene.compared]
    if originals and len(alone) == len(decoded):
        problems = [problem for scene in decoded for problem in scene.problems]
        if problems:
            raise SceneError(problems[0])
        raise UsageError(
            f"no original of {alone[0]!r} (there is {list_names([scene.key for scene in originals])})"
        )
    if originals and alone and not quiet:
        common.note(f"without an original: {list_names(alone)}")
    present = {task.name for scene in decoded for task in scene.tasks}
    missing = [name for name in tasks or () if name not in present]
    if missing:
        raise UsageError(f"no scene has a task {missing[0]!r}")
    return decoded


def _report_damage(file: str, scenes: Sequence[SceneView]) -> None:
    """Warn of all that could not be shown; raise FormatError, or the first error, if there is any."""
    for scene in scenes:
        for problem in scene.problems:
            common.warn(
                f"{file}: {problem}" if len(scenes) == 1 else f"{file}: scene {scene.name}: {problem}"
            )
    not_whole = [scene.errors for scene in scenes if scene.errors]
    if not not_whole:
        return
    damage = [error for errors in not_whole for error in errors if isinstance(error, FormatError)]
    share = f"{len(not_whole)} of {len(scenes)} scenes " if len(scenes) > 1 else ""
    state = "damaged" if damage else "not decoded"
    raise type((damage or not_whole[0])[0])(f"{share}{state}, as the page shows", path=file)
