"""``mtcodec encode``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.batch import run_batch
from mtcodec.cli.common import show, warn
from mtcodec.cli.encoding import Encoded, Encoder
from mtcodec.cli.groups import Group, option, takes_groups
from mtcodec.cli.outputs import check_outputs, outputs_of
from mtcodec.cli.scenes import check_tasks, find, with_listed
from mtcodec.codec import texts
from mtcodec.errors import SceneError, UsageError
from mtcodec.messages import rephrased

if TYPE_CHECKING:
    from mtcodec.files.layouts import SceneFiles

target = partial(option, panel=options.TARGETS)


class TargetOptions(Group):
    """What a quality is searched for; bits per pixel become a number of bytes for each scene."""

    target_psnr: list[str] | None = target(
        None, "TASK=DB", "The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        sets="target_psnr", parse=texts.psnrs,
    )  # fmt: skip
    target_bpp: float | None = target(
        None, "BITS", "The best quality within so many bits per pixel, for all tasks.",
        min=0, callback=options.number,
    )  # fmt: skip
    target_bytes: int | None = target(
        None, "N", "The best quality within so many bytes.", min=1, sets="target_bytes"
    )
    best_effort: bool = target(
        False, None, "Take the nearest file where a target is out of reach.", sets="best_effort"
    )


@takes_groups
def encode(
    *,
    inputs: list[Path] | None = typer.Argument(
        None, metavar="SCENES...", help="Scene directories, or datasets to encode whole."
    ),
    output: str = option("", "OUT", "File, or directory; - is standard output.", "-o", "--output"),
    quality: options.QualityOptions,
    bounds: options.BoundOptions,
    tasks: str = options.TASKS_TO_ENCODE,
    attach: list[str] | None = options.ATTACH,
    force: bool = options.FORCE,
    printing: options.PrintOptions,
    jobs: int = options.JOBS,
    dry_run: bool = option(
        False, None, "Only list what would be encoded, and what would be left out.", panel=options.MANY
    ),
    skip_existing: bool = option(
        False, None, "Leave out scenes whose file is there already.", panel=options.MANY
    ),
    batch: options.BatchOptions,
    targets: TargetOptions,
    images: options.ImageOptions,
    coding: options.EncodingOptions,
    machine: options.MachineOptions,
) -> None:
    """Encode one scene into a file, or several, also whole datasets, into a directory.

    A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds scene
    directories; or directories named after tasks, in which equal paths are one scene (rgb/train/1.png,
    depth/train/1.png; Taskonomy's and Omnidata's names are known); or it is a TUM RGB-D sequence, whose rgb
    and depth images are associated by time. Hypersim, KITTI and others, tar and Parquet files of images, and
    files of several images (EXR layers, TIFF pages, arrays of NPZ and HDF5) are read as they lie, too
    (docs/datasets.md). What nobody declares is kept exactly.

    One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /,
    become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for
    an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake.
    """
    if not output and not dry_run:
        raise UsageError("missing -o OUT")
    _check_targets(quality, targets)
    request = options.request_of(targets, quality, bounds, images, coding, weights=coding.weights)
    datasets = with_listed(inputs, batch.files_from)
    scenes = find(datasets, request.tasks, images.tasks_by_name(), printing.note, attach)
    task_names = values.names(tasks)
    _check_images(scenes, task_names)
    check_tasks(request, scenes)
    paths, several = outputs_of(scenes, output or ("./" if len(scenes) > 1 else "-"))
    there = {path for path in paths if skip_existing and path.is_file()}
    work = [(scene, path) for scene, path in zip(scenes, paths) if path not in there]
    if dry_run:
        _list(scenes, paths, there, task_names, printing.as_json)
    check_outputs([path for _, path in work], several, force)
    if dry_run:
        return
    if not several and not work:
        printing.note(f"{output}: is there already")
    encoder = Encoder(
        request,
        coding.weights,
        machine.device,
        machine.threads,
        targets.target_bpp,
        task_names,
        force,
        several,
    )
    weights = "" if coding.weights == "auto" else coding.weights
    print_result = partial(_print, printing=printing, several=several, weights=weights, output=output)
    failed = run_batch(
        encoder, work, print_result, "encoding", jobs, skip_errors=batch.skip_errors, quiet=printing.quiet,
        summarise=several and not printing.quiet and not printing.as_json, there=len(there),
    )  # fmt: skip
    if failed:
        raise SceneError(f"{failed} of {len(work)} scenes could not be encoded")


def _print(result: Encoded, printing: options.PrintOptions, several: bool, weights: str, output: str) -> None:
    """Print notes and warnings about a scene, and what its file holds, unless that is the output."""
    from mtcodec.tasks import units

    if result.error is not None:
        return
    for line in result.notes:
        printing.note(rephrased(line, f"{result.label}: {line}"))
    for line in result.warnings:
        warn(f"{result.label}: {line}")
    if printing.quiet or output == "-":
        return
    facts, measures = result.facts, report.decibels(result.measures)
    line = f"{facts['file']}  {facts['bytes']} bytes  {facts['bpp']:.4f} bpp  {measures}"
    printing.show(facts, [line] if several else report.file_lines(facts, weights))
    if not several and not printing.as_json:
        for task, unit in report.assumed_units(facts).items():
            if not any(line.startswith(units.assumed_prefix(task)) for line in result.warnings):
                warn(f"{result.label}: {units.assumed(task, unit)}")


def _check_targets(quality: options.QualityOptions, targets: TargetOptions) -> None:
    """Raise UsageError where there is more than one target."""
    goals = [targets.target_psnr or None, targets.target_bpp, targets.target_bytes, quality.quality or None]
    if sum(target is not None for target in goals) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")


def _check_images(scenes: Sequence[SceneFiles], task_names: Sequence[str] | None) -> None:
    """Raise SceneError where a scene has no image of a task that is wanted."""
    for scene in scenes:
        for task in task_names or []:
            if task not in scene.files:
                raise SceneError(f"no image of task {task!r}", path=scene.label)


def _list(
    scenes: Sequence[SceneFiles], paths: Sequence[Path], there: Collection[Path],
    task_names: Sequence[str] | None, as_json: bool,
) -> None:  # fmt: skip
    """Print what ``--dry-run`` tells: scenes, their outputs, and what is left out."""
    for scene, path in zip(scenes, paths):
        images = {
            task: image for task, image in scene.files.items() if task_names is None or task in task_names
        }
        left_out = [task for task in scene.files if task not in images]
        facts = {
            "scene": scene.key, "file": str(path), "there": path in there,
            "images": {task: str(image) for task, image in images.items()}, "left_out": left_out,
            "attached": {name: str(attached) for name, attached in scene.attachments.items()},
        }  # fmt: skip
        shown = " ".join(f"{task}={image.name}" for task, image in images.items())
        shown += "".join(f" +{name}" for name in scene.attachments)
        shown += f"  (without {', '.join(left_out)})" * bool(left_out)
        show(facts, [f"{path}  {'is there already' if path in there else shown}"], as_json)
    if not as_json:
        all_there = f", {len(there)} there already" * bool(there)
        typer.echo(f"{report.counted(len(paths) - len(there))} to encode{all_there}")
