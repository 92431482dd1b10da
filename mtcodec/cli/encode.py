"""``mtcodec encode``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.batch import run_batch
from mtcodec.cli.common import warn
from mtcodec.cli.dry_run import print_plan, print_sequence_plan
from mtcodec.cli.encoding import Encoded, Encoder
from mtcodec.cli.existing import Existing
from mtcodec.cli.groups import Group, option, takes_groups
from mtcodec.cli.outputs import check_outputs, outputs_of
from mtcodec.cli.scenes import check_tasks, find, sequences_of, tell_of_recordings, with_listed
from mtcodec.cli.sequence_encoding import SequenceEncoder, SequenceOptions
from mtcodec.cli.sequence_lines import sequence_line, sequence_lines
from mtcodec.codec import texts
from mtcodec.errors import SceneError, UsageError
from mtcodec.messages import Loss, rephrased

if TYPE_CHECKING:
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.files.trees.sequences import SequenceFiles

target = partial(option, panel=options.TARGETS)


class TargetOptions(Group):
    """What a quality is searched for; bits per pixel become a number of bytes for each scene."""

    target_psnr: list[str] | None = target(
        None, "TASK=DB", "The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        sets="target_psnr", parse=texts.psnrs,
    )  # fmt: skip
    target_bpp: float | None = target(
        None, "BITS", "The best quality within so many bits per pixel of the largest image, for all tasks.",
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
        False,
        None,
        "Only show what was understood: the first scenes, and what would be left out.",
        panel=options.MANY,
    ),
    skip_existing: bool = option(
        False,
        None,
        "Leave out scenes whose file is there, whole, of these images and settings; refuse other files.",
        panel=options.MANY,
    ),
    batch: options.BatchOptions,
    sequences: SequenceOptions,
    targets: TargetOptions,
    images: options.ImageOptions,
    reading: options.ReadingOptions,
    coding: options.EncodingOptions,
    machine: options.MachineOptions,
) -> None:
    """Encode scenes, recordings or whole datasets.

    A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds, at any depth,
    scene directories; directories named after tasks, in which equal paths are one scene (rgb/train/1.png,
    depth/train/1.png); or images named after both (0001_rgb.png). Sequences of TUM RGB-D, Hypersim, KITTI
    and others, tar and Parquet files of images, and files of several images are read as they lie, too
    (docs/datasets.md); --pattern says how paths of any others are to be read, and --dry-run shows what was
    understood. What nobody declares is kept exactly.

    A hidden file beside the files remembers what they were made of, for --skip-existing.

    One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /,
    become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for
    an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake.

    With --sequence the scenes of a directory are the frames of one sequence, in the natural order of their
    names, and each sequence becomes a file. Targets then are of the whole file; each takes some ten
    encodings.
    """
    if not output and not dry_run:
        raise UsageError("missing -o OUT")
    _check_targets(quality, targets)
    sequences.check()
    request = options.request_of(targets, quality, bounds, images, coding, weights=coding.weights)
    datasets = with_listed(inputs, batch.files_from)
    how = replace(reading.reading(), keeps_unpaired=sequences.sequence)
    scenes = find(datasets, request.tasks, images.tasks_by_name(), printing.note, attach, how)
    task_names = values.names(tasks)
    check_tasks(request, scenes)
    items: Sequence[Any] = sequences_of(scenes, printing.note, task_names) if sequences.sequence else scenes
    _check_images(items, task_names)
    if not sequences.sequence and len(scenes) > 1:
        tell_of_recordings(scenes, printing.note)
    paths, several = outputs_of(items, output or ("./" if len(items) > 1 else "-"))
    encoder: Encoder = Encoder(
        request, coding.weights, machine.device, machine.threads, targets.target_bpp, task_names, force,
        several, remember=several or skip_existing,
    )  # fmt: skip
    if sequences.sequence:
        encoder = SequenceEncoder(
            **vars(encoder), fps=sequences.fps, group=sequences.group, numbers=sequences.numbers or []
        )
    existing = Existing.of(encoder.origin, items, paths) if skip_existing else Existing()
    work = [(item, path) for item, path in zip(items, paths) if path not in existing.done]
    if dry_run:
        plan = print_sequence_plan if sequences.sequence else print_plan
        plan(items, paths, existing.done, task_names, request, printing.as_json)
    existing.check(force, printing.note)
    check_outputs([path for _, path in work], several, force)
    if dry_run:
        return
    if not several and not work:
        printing.note(f"{output}: is there already")
    weights = "" if coding.weights == "auto" else coding.weights
    notes: Counter[str] = Counter()
    print_result = partial(
        _print, notes=notes, printing=printing, several=several, weights=weights, output=output
    )
    failed = run_batch(
        encoder, work, print_result, "encoding", jobs, skip_errors=batch.skip_errors, quiet=printing.quiet,
        summarise=several and not printing.quiet and not printing.as_json,
        there=len(existing.done), unit="sequence" if sequences.sequence else "scene",
    )  # fmt: skip
    what = "sequence" if sequences.sequence else "scene"
    for line, count in notes.items():
        if count > 1:
            printing.note(f"{report.counted(count - 1, what)} more: {line}")
    if failed:
        raise SceneError(f"{failed} of {len(work)} {what}s could not be encoded")


def _print(
    result: Encoded,
    notes: Counter[str],
    printing: options.PrintOptions,
    several: bool,
    weights: str,
    output: str,
) -> None:
    """Print notes and warnings about a scene, and what its file holds, unless that is the output.

    Notes that are the same for many scenes are printed once, and counted in ``notes``; losses are not.
    """
    from mtcodec.tasks import units

    if result.error is not None:
        return
    for line in result.notes:
        if isinstance(line, Loss) or not notes[line]:
            printing.note(rephrased(line, f"{result.label}: {line}"))
        notes[line] += not isinstance(line, Loss)
    for line in result.warnings:
        warn(f"{result.label}: {line}")
    if printing.quiet or output == "-":
        return
    facts, measures = result.facts, report.decibels(result.measures)
    if "frames" in facts:
        printing.show(facts, [sequence_line(facts, measures)] if several else sequence_lines(facts))
        return
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


def _check_images(scenes: Sequence[SceneFiles | SequenceFiles], task_names: Sequence[str] | None) -> None:
    """Raise SceneError where a scene, or all of a sequence, has no image of a task that is wanted."""
    for scene in scenes:
        for task in task_names or []:
            if task not in scene.tasks:
                raise SceneError(f"no image of task {task!r}", path=scene.label)
