"""``mtcodec encode``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.common import (
    check_tasks,
    declared_by,
    find,
    note,
    refuse_existing,
    silent,
    submitter,
    with_listed,
)
from mtcodec.cli.jobs import Job, Printing, collect
from mtcodec.cli.report import counted
from mtcodec.errors import OutputError, SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.files.layouts import SceneFiles


def encode(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCENES...", help="Scene directories, or datasets to encode whole."),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="File, or directory; - is standard output.")
    ] = "",
    quality: options.Quality = None,
    max_error: options.MaxError = None,
    lossless: options.Lossless = "",
    tasks: options.Tasks = "",
    attach: options.Attach = None,
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    jobs: options.Jobs = 1,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only list what would be encoded, and what would be left out.",
            rich_help_panel=options.MANY,
        ),
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", help="Leave out scenes whose file is there already.",
            rich_help_panel=options.MANY,
        ),
    ] = False,
    skip_errors: options.SkipErrors = False,
    files_from: options.FilesFrom = "",
    target_psnr: Annotated[
        list[str] | None,
        typer.Option(
            "--target-psnr", metavar="TASK=DB", rich_help_panel=options.TARGETS,
            help="The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        ),
    ] = None,
    target_bpp: Annotated[
        float | None,
        typer.Option(
            "--target-bpp", metavar="BITS", min=0, callback=options.number, rich_help_panel=options.TARGETS,
            help="The best quality within so many bits per pixel, for all tasks.",
        ),
    ] = None,
    target_bytes: Annotated[
        int | None,
        typer.Option(
            "--target-bytes", metavar="N", min=1, rich_help_panel=options.TARGETS,
            help="The best quality within so many bytes.",
        ),
    ] = None,
    best_effort: Annotated[
        bool,
        typer.Option(
            "--best-effort", help="Take the nearest file where a target is out of reach.",
            rich_help_panel=options.TARGETS,
        ),
    ] = False,
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    unit: options.Unit = None,
    invalid: options.Invalid = None,
    coding: options.Coding = "auto",
    effort: options.Effort = "normal",
    weights: options.Weights = "auto",
    measures: options.Measures = False,
    threads: options.Threads = 0,
    device: options.Device = "cpu",
) -> None:  # fmt: skip
    """Encode one scene into a file, or several, also whole datasets, into a directory.

    A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds scene
    directories; or directories named after tasks, in which equal paths are one scene (rgb/train/1.png,
    depth/train/1.png; Taskonomy's and Omnidata's names are known); or it is a TUM RGB-D sequence, whose rgb
    and depth images are associated by time. Hypersim, KITTI and others, tar and Parquet files of images, and
    EXR files of several layers are read as they lie, too (docs/datasets.md). What nobody declares is kept
    exactly.

    One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /,
    become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for
    an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake.
    """
    if not output and not dry_run:
        raise UsageError("missing -o OUT")
    targets = [bool(target_psnr), target_bpp is not None, target_bytes is not None, bool(quality)]
    if sum(targets) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")
    request = values.request(
        known=declared_by(weights),
        quality=quality, tasks=task, invalid=invalid, max_error=max_error, lossless=lossless, unit=unit,
        target_psnr=values.psnrs(target_psnr or []), target_bytes=target_bytes or 0, best_effort=best_effort,
        coding=coding, effort=effort, measures=measures,
    )  # fmt: skip
    tell = silent if quiet else note
    names = dict(values.assignments(name or [], "another name"))
    scenes = find(with_listed(inputs, files_from), request.tasks, names, tell=tell, attach=attach or ())
    wanted = values.names(tasks)
    for scene in scenes:
        for one in wanted or []:
            if one not in scene.files:
                raise SceneError(f"no image of task {one!r}", path=scene.label)
    check_tasks(request, scenes)
    outputs, several = outputs_of(scenes, output or ("./" if len(scenes) > 1 else "-"))
    there = [skip_existing and path.is_file() for path in outputs]
    work = [pair for pair, done in zip(zip(scenes, outputs), there) if not done]
    if dry_run:
        _list(zip(scenes, outputs, there), wanted, as_json)
    _check_outputs([path for _, path in work], several, force)
    if dry_run:
        return
    if not several and any(there):
        tell(f"{output}: is there already")
    maker = Job(request, weights, device, threads, target_bpp, wanted, force, several)
    printing = Printing(as_json, quiet, several, output == "-", weights)
    started = time.monotonic()
    with submitter(maker, len(work), jobs) as submit:
        done = collect(submit(work), len(work), skip_errors, printing)
    if several and not quiet and not as_json:
        seconds = time.monotonic() - started
        typer.echo(report.total(done.scenes, done.read, done.bytes, seconds, sum(there), len(done.failed)))
    if done.failed:
        raise SceneError(f"{len(done.failed)} of {len(work)} scenes could not be encoded")


def _list(plan: Iterable[tuple[SceneFiles, Path, bool]], wanted: list[str] | None, as_json: bool) -> None:
    """What ``--dry-run`` prints of scenes, their outputs and whether those are there and are left out."""
    there = count = 0
    for scene, path, done in plan:
        files = {n: str(p) for n, p in scene.files.items() if wanted is None or n in wanted}
        left = [n for n in scene.files if n not in files]
        there, count = there + done, count + 1
        if as_json:
            facts = {"scene": scene.key, "file": str(path), "there": done, "images": files, "left_out": left,
                     "attached": {n: str(p) for n, p in scene.attachments.items()}}  # fmt: skip
            typer.echo(json.dumps(facts))
        elif done:
            typer.echo(f"{path}  is there already")
        else:
            shown = " ".join(f"{n}={scene.files[n].name}" for n in files)
            shown += "".join(f" +{name}" for name in scene.attachments)
            typer.echo(f"{path}  {shown}" + f"  (without {', '.join(left)})" * bool(left))
    if not as_json:
        typer.echo(f"{counted(count - there)} to encode" + f", {there} there already" * bool(there))


def _check_outputs(paths: list[Path], several: bool, force: bool) -> None:
    """Raise OutputError where an output exists, or a single one has no directory."""
    for path in paths:
        if str(path) == "-":
            continue
        refuse_existing(path, force)
        if not several and not path.parent.is_dir():
            raise OutputError("no such directory", path=path.parent)


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
