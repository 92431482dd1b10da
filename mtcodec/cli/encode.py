"""``mtcodec encode``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.common import (
    emit,
    find,
    make_directory,
    note,
    progress_bar,
    refuse_existing,
    silent,
    warn,
    with_listed,
)
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError, OutputError, SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.codec.encoded import Encoded
    from mtcodec.files.layouts import SceneFiles


def encode(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCENES", help="Scene directories, or datasets to encode whole."),
    ] = None,
    files_from: options.FilesFrom = "",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="File, or directory; - is standard output.")
    ] = "",
    quality: options.Quality = None,
    tasks: options.Tasks = "",
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    lossless: options.Lossless = "",
    max_error: options.MaxError = None,
    unit: options.Unit = None,
    invalid: options.Invalid = None,
    target_psnr: Annotated[
        list[str] | None,
        typer.Option(
            "--target-psnr",
            metavar="TASK=DB",
            help="The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        ),
    ] = None,
    target_bpp: Annotated[
        float | None,
        typer.Option(min=0, help="The best quality within so many bits per pixel, for all tasks."),
    ] = None,
    target_bytes: Annotated[
        int | None, typer.Option(min=1, help="The best quality within so many bytes.")
    ] = None,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Take the nearest file where a target is out of reach.")
    ] = False,
    coding: options.Coding = "auto",
    effort: options.Effort = "normal",
    weights: options.Weights = "auto",
    measures: options.Measures = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out scenes whose file is there already.")
    ] = False,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Go on past scenes that cannot be encoded; exit code 1.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be encoded, and what would be left out.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, max=1024, help="Processes; 0: one for every core.")
    ] = 1,
    threads: options.Threads = 0,
    device: options.Device = "auto",
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Encode one scene into a file, or several, also whole datasets, into a directory.

    A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds scene
    directories; or directories named after tasks, in which equal paths are one scene (rgb/train/1.png,
    depth/train/1.png; Taskonomy's and Omnidata's names are known); or it is a TUM RGB-D sequence, whose rgb
    and depth images are associated by time. What nobody declares is kept exactly.

    One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /,
    become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for
    an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake.
    """
    if not output and not dry_run:
        raise UsageError("missing -o OUT")
    targets = [bool(target_psnr), target_bpp is not None, target_bytes is not None, bool(quality)]
    if sum(targets) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")
    from mtcodec.codec.api import tasks_of
    from mtcodec.weights import store

    request = values.request(
        known=tasks_of(store.resolve(weights)),
        quality=quality, tasks=task, invalid=invalid, max_error=max_error, lossless=lossless, unit=unit,
        target_psnr=values.psnrs(target_psnr or []), target_bytes=target_bytes or 0, best_effort=best_effort,
        coding=coding, effort=effort, measures=measures,
    )  # fmt: skip
    tell = silent if quiet else note
    names = dict(values.assignments(name or [], "another name"))
    scenes = find(with_listed(inputs, files_from), request.tasks, names, tell=tell)
    wanted = values.names(tasks)
    for scene in scenes:
        for one in wanted or []:
            if one not in scene.files:
                raise SceneError(f"no image of task {one!r}", path=scene.label)
    check_tasks(request, scenes)
    outputs, several = outputs_of(scenes, output or "-" * (len(scenes) == 1) or "./")
    if dry_run:
        _list(scenes, outputs, wanted, skip_existing)
        return
    work = [(scene, path) for scene, path in zip(scenes, outputs) if not (skip_existing and path.is_file())]
    for _, path in work:
        if str(path) != "-":
            refuse_existing(path, force)
    maker = Job(request, weights, device, threads, target_bpp, wanted, force, several)
    started, done = time.monotonic(), Totals(len(scenes) - len(work))
    printing = Printing(as_json, quiet, several, str(output) == "-", weights)
    if len(work) <= 1 or jobs == 1:
        results: Any = map(maker, work)
        _collect(results, done, skip_errors, printing, len(work))
    else:
        from mtcodec.archive.engines import engine

        with engine("local", jobs, Job, tuple(vars(maker).values())) as submit:
            _collect(submit(work), done, skip_errors, printing, len(work))
    if several and not quiet and not as_json:
        done.show(time.monotonic() - started)
    if done.failed:
        raise SceneError(f"{len(done.failed)} of {len(work)} scenes could not be encoded")


@dataclass
class Result:
    """What became of a scene."""

    label: str
    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    poor: list[str] = field(default_factory=list)
    error: MtcodecError | None = None


@dataclass
class Job:
    """Encodes scenes, in this process or in others; the codec is loaded with the first one."""

    request: Request
    weights: str
    device: str
    threads: int
    bpp: float | None
    wanted: list[str] | None
    force: bool
    several: bool

    def __call__(self, work: tuple[SceneFiles, Path]) -> Result:
        source, path = work
        result = Result(source.label, path)
        try:
            encoded = self._encode(source, result.notes.append)
            if self.several:
                make_directory(path.parent)
            emit(encoded.data, path, self.force)
        except MtcodecError as error:
            result.error = located(error, source)
            return result
        from mtcodec.format.container import Reader

        result.measures = encoded.measures
        result.facts = report.facts(Reader(encoded.data), str(path), encoded.measures)
        result.notes += encoded.prepared.notes
        result.poor = encoded.poor
        return result

    def _encode(self, source: SceneFiles, tell: Callable[[str], None]) -> Encoded:
        from mtcodec.files.scene import read_scene

        images = read_scene(source, self.request.tasks, self.wanted, tell)
        own: dict[str, Any] = {}
        if self.bpp is not None:
            height, width = next(iter(images.values())).shape[:2]
            own["target_bytes"] = max(1, int(self.bpp * height * width / 8))
        return self._codec().encode_measured(images, **{**vars(self.request.only(images)), **own})

    def _codec(self) -> Codec:
        from mtcodec.cli.common import set_threads
        from mtcodec.codec.api import Codec

        if not hasattr(self, "_loaded"):
            set_threads(self.threads)
            self._loaded = Codec(self.weights, self.device, coding=self.request.coding)
        return self._loaded


@dataclass(frozen=True)
class Printing:
    """How results are shown."""

    as_json: bool
    quiet: bool
    several: bool
    to_stdout: bool
    weights: str

    def show(self, result: Result) -> None:
        for line in result.notes if not self.quiet else ():
            note(f"{result.label}: {line}")
        if result.poor:
            found = ", ".join(f"{name} {result.measures[name]['psnr']:.1f} dB" for name in result.poor)
            warn(f"{result.label}: hardly usable: {found}. Try a higher --quality, --max-error or --lossless "
                 "for it, other --weights, or train your own")  # fmt: skip
        if self.quiet or self.to_stdout:
            return
        if self.several and not self.as_json:
            own = result.facts
            typer.echo(f"{result.path}  {own['bytes']} bytes  {own['bpp']:.4f} bpp"
                       f"  {report.decibels(result.measures)}")  # fmt: skip
            return
        report.print_file(result.facts, self.as_json, "" if self.weights == "auto" else self.weights)


@dataclass
class Totals:
    """What a run has done."""

    skipped: int
    scenes: int = 0
    bytes: int = 0
    pixels: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, facts: Mapping[str, Any]) -> None:
        self.scenes += 1
        self.bytes += facts["bytes"]
        self.pixels += facts["height"] * facts["width"]

    def show(self, seconds: float) -> None:
        each = f", {8 * self.bytes / self.pixels:.4f} bpp" if self.pixels else ""
        there = f", {self.skipped} were there" if self.skipped else ""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        typer.echo(f"{self.scenes} scenes, {self.bytes} bytes{each}, {seconds:.1f} s{there}{failed}")


def _collect(results: Any, done: Totals, skip_errors: bool, printing: Printing, total: int) -> None:
    """Show every result, and the failures last."""
    with progress_bar() as bar:
        for result in results:
            if result.error is not None:
                if not skip_errors:
                    raise result.error
                done.failed.append(str(result.error))
            else:
                done.add(result.facts)
                printing.show(result)
            bar("encoding", done.scenes + len(done.failed), total)
    for line in done.failed:
        warn(f"skipped: {line}")


def _list(scenes: list[SceneFiles], outputs: list[Path], wanted: list[str] | None, skip: bool) -> None:
    """What ``--dry-run`` prints."""
    for scene, path in zip(scenes, outputs):
        if skip and path.is_file():
            typer.echo(f"{path}  is there already")
            continue
        files = [f"{n}={Path(p).name}" for n, p in scene.files.items() if wanted is None or n in wanted]
        left = [n for n in scene.files if wanted is not None and n not in wanted]
        typer.echo(f"{scene.label} -> {path}  {' '.join(files)}" + f"  (not {', '.join(left)})" * bool(left))
    typer.echo(json.dumps({"scenes": len(scenes)}))


def check_tasks(request: Request, scenes: list[SceneFiles]) -> None:
    """Raise UsageError where no scene has a task that has settings of its own."""
    missing = request.tasks_named() - {task for scene in scenes for task in scene.files}
    if missing:
        raise UsageError(f"settings for task {min(missing)!r}, which no scene has")


def located(error: MtcodecError, source: SceneFiles) -> MtcodecError:
    """``error`` with the file or scene that it is about."""
    path = source.files.get(error.task or "")
    return error.at(path=path) if path is not None else error.at(path=source.label)


def outputs_of(scenes: list[SceneFiles], output: str) -> tuple[list[Path], bool]:
    """Where each scene goes, and whether that is in a directory (see :func:`encode`)."""
    path, several = Path(output), len(scenes) > 1
    if output == "-":
        if several:
            raise UsageError(f"{len(scenes)} scenes do not go to standard output")
        return [path], False
    slash = output.endswith(("/", os.sep))
    if not several and not slash and not path.is_dir():
        return [path], False
    if not path.is_dir():
        if path.exists():
            raise OutputError("exists and is not a directory", path=path)
        if path.suffix == ".mtc" and not slash:
            raise UsageError(f"{len(scenes)} scenes go to a directory: if {path} is to be one, add a /")
    labels: dict[str, str] = {}
    for scene in scenes:
        if scene.key in labels:
            raise UsageError(f"two scenes are called {scene.key!r}: {labels[scene.key]} and {scene.label}")
        labels[scene.key] = scene.label
    return [path / f"{key}.mtc" for key in labels], True
