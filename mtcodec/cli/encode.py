"""``mtcodec encode``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import refuse_existing, submitter
from mtcodec.cli.groups import Group, Sets, takes_groups
from mtcodec.cli.jobs import Job, ResultPrinter, Work, collect
from mtcodec.cli.report import batch_summary, counted
from mtcodec.cli.scenes import check_tasks, declared_by, find, with_listed
from mtcodec.errors import OutputError, SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.files.layouts import SceneFiles


class TargetOptions(Group):
    """What a quality is searched for; bits per pixel become a number of bytes for each scene."""

    target_psnr: Annotated[
        list[str] | None,
        typer.Option(
            "--target-psnr", metavar="TASK=DB", rich_help_panel=options.TARGETS,
            help="The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        ),
        Sets("target_psnr", parse=values.psnrs),
    ] = None  # fmt: skip
    target_bpp: Annotated[
        float | None,
        typer.Option(
            "--target-bpp", metavar="BITS", min=0, callback=options.number, rich_help_panel=options.TARGETS,
            help="The best quality within so many bits per pixel, for all tasks.",
        ),
    ] = None  # fmt: skip
    target_bytes: Annotated[
        int | None,
        typer.Option(
            "--target-bytes", metavar="N", min=1, rich_help_panel=options.TARGETS,
            help="The best quality within so many bytes.",
        ),
        Sets("target_bytes"),
    ] = None  # fmt: skip
    best_effort: Annotated[
        bool,
        typer.Option(
            "--best-effort", help="Take the nearest file where a target is out of reach.",
            rich_help_panel=options.TARGETS,
        ),
        Sets("best_effort"),
    ] = False  # fmt: skip


class PlannedScene(NamedTuple):
    """A scene, its output, and whether that is there already and the scene left out."""

    scene: SceneFiles
    path: Path
    is_there: bool


@takes_groups
def encode(
    *,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCENES...", help="Scene directories, or datasets to encode whole."),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="File, or directory; - is standard output.")
    ] = "",
    quality: options.QualityOptions,
    bounds: options.BoundOptions,
    tasks: options.TasksToEncode = "",
    attach: options.Attach = None,
    force: options.Force = False,
    printing: options.PrintOptions,
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
    batch: options.BatchOptions,
    targets: TargetOptions,
    images: options.ImageOptions,
    coding: options.EncodingOptions,
    machine: options.MachineOptions,
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
    _check_targets(quality, targets)
    declared = declared_by(coding.weights)
    request = options.request_of(targets, quality, bounds, images, coding, declared=declared)
    datasets = with_listed(inputs, batch.files_from)
    scenes = find(datasets, request.tasks, images.tasks_by_name(), printing.note, attach)
    wanted = values.names(tasks)
    _check_images(scenes, wanted)
    check_tasks(request, scenes)
    paths, several = outputs_of(scenes, output or ("./" if len(scenes) > 1 else "-"))
    plan = [PlannedScene(scene, path, skip_existing and path.is_file()) for scene, path in zip(scenes, paths)]
    work = [(planned.scene, planned.path) for planned in plan if not planned.is_there]
    if dry_run:
        _list(plan, wanted, printing.as_json)
    _check_outputs([path for _, path in work], several, force)
    if dry_run:
        return
    if not several and len(work) < len(plan):
        printing.note(f"{output}: is there already")
    bpp, to_stdout = targets.target_bpp, output == "-"
    job = Job(request, coding.weights, machine.device, machine.threads, bpp, wanted, force, several)
    printer = ResultPrinter(printing.as_json, printing.quiet, several, to_stdout, coding.weights)
    _encode_all(job, work, jobs, batch.skip_errors, printer, len(plan) - len(work))


def _encode_all(
    job: Job, work: list[Work], jobs: int, skip_errors: bool, printer: ResultPrinter, there: int
) -> None:
    """Encode scenes in ``jobs`` processes, and print what became of them; ``there`` others are left out.

    Raises:
        MtcodecError: a scene could not be encoded; the first one ends the run unless ``skip_errors``.
    """
    started = time.monotonic()
    with submitter(job, len(work), jobs) as submit:
        totals = collect(submit(work), len(work), skip_errors, printer)
    seconds, failed = time.monotonic() - started, len(totals.failed)
    if printer.several and not printer.quiet and not printer.as_json:
        typer.echo(batch_summary(totals.scenes, totals.read, totals.bytes, seconds, there, failed))
    if failed:
        raise SceneError(f"{failed} of {len(work)} scenes could not be encoded")


def _check_targets(quality: options.QualityOptions, targets: TargetOptions) -> None:
    """Raise UsageError where there is more than one target."""
    wanted = [
        bool(targets.target_psnr), targets.target_bpp is not None, targets.target_bytes is not None,
        bool(quality.quality),
    ]  # fmt: skip
    if sum(wanted) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")


def _check_images(scenes: Sequence[SceneFiles], wanted: Sequence[str] | None) -> None:
    """Raise SceneError where a scene has no image of a task that is wanted."""
    for scene in scenes:
        for task in wanted or []:
            if task not in scene.files:
                raise SceneError(f"no image of task {task!r}", path=scene.label)


def _list(plan: Sequence[PlannedScene], wanted: Sequence[str] | None, as_json: bool) -> None:
    """Print what ``--dry-run`` tells: scenes, their outputs, and what is left out."""
    for scene, path, is_there in plan:
        paths = {task: str(p) for task, p in scene.files.items() if wanted is None or task in wanted}
        left_out = [task for task in scene.files if task not in paths]
        if as_json:
            facts = {
                "scene": scene.key, "file": str(path), "there": is_there, "images": paths,
                "left_out": left_out, "attached": {name: str(p) for name, p in scene.attachments.items()},
            }  # fmt: skip
            typer.echo(json.dumps(facts))
        elif is_there:
            typer.echo(f"{path}  is there already")
        else:
            shown = " ".join(f"{task}={scene.files[task].name}" for task in paths)
            shown += "".join(f" +{name}" for name in scene.attachments)
            typer.echo(f"{path}  {shown}" + f"  (without {', '.join(left_out)})" * bool(left_out))
    if not as_json:
        there = sum(planned.is_there for planned in plan)
        typer.echo(f"{counted(len(plan) - there)} to encode" + f", {there} there already" * bool(there))


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
