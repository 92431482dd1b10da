"""``mtcodec train``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec import extras, memory
from mtcodec.archive.names import is_archive
from mtcodec.cli.common import note, open_archive, refuse_existing
from mtcodec.cli.groups import Group, option, takes_groups
from mtcodec.cli.log import Report
from mtcodec.cli.options import FORCE, QUIET, THREADS, ReadingOptions, device_option, number
from mtcodec.cli.values import lambda_list, size_values
from mtcodec.errors import UsageError
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES
from mtcodec.tasks import USUAL, Task, parse

if TYPE_CHECKING:
    from mtcodec.train import run

SETTINGS = "Training (the defaults are right for most)"
network = partial(option, "", panel="Network")
setting = partial(option, None, panel=SETTINGS)


class EndOptions(Group):
    """How long a run trains, and from where; options set fields of :class:`~mtcodec.train.plan.Plan`."""

    minutes: float | None = option(
        None, "N", "Train for this long; with neither this nor --steps: until stopped.",
        min=0, callback=number, sets="minutes",
    )  # fmt: skip
    steps: int | None = option(None, "N", "Train for this many steps.", min=0, sets="steps")
    resume: bool = option(
        False, None, "Go on from the checkpoint beside the output, with its model and its settings."
    )
    decay: float | None = option(
        None, "MINUTES",
        "Make weights of a run without an end: from its checkpoint, which stays as it is, let the "
        "rate fall to zero.",
        min=0, callback=number, sets="decay",
    )  # fmt: skip


class PlanOptions(Group):
    """How crops are drawn and weights learnt; options set fields of :class:`~mtcodec.train.plan.Plan`."""

    preset: str = option("fast", "NAME", "Settings where none are given: fast or paper.", panel=SETTINGS)
    batch: int | None = setting("N", "Crops a step (fast: 4, paper: 64).", min=1, sets="batch")
    crop: int | None = setting(
        "N", "Side of the crops, a multiple of 64 (fast: 128, paper: 256).", min=64, sets="crop"
    )
    rate: float | None = setting("X", "Peak learning rate (fast: 6e-3, paper: 1e-5).", sets="rate")
    lambdas: str | None = setting(
        "L,...", "Fixed λ, e.g. 0.001,0.01,0.1; else drawn over the whole range.", "--lambda",
        sets="lambdas", parse=lambda_list,
    )  # fmt: skip
    balance: str | None = setting(
        "HOW", "Weights of tasks' errors: declared, uncertainty or equal.", sets="balance"
    )
    task_quality_prob: float | None = setting(
        "SHARE", "Share of crops with a quality for each task (fast: 0.3).",
        min=0, max=1, callback=number, sets="task_quality_prob",
    )  # fmt: skip
    task_dropout: float | None = setting(
        "SHARE", "Share of crops that lack some tasks (fast: 0.2).",
        min=0, max=1, callback=number, sets="task_dropout",
    )  # fmt: skip
    shared_weight: float | None = setting(
        "X", "Cost of a shared bit, relative to a task's own (1): more makes tasks alone cheaper.",
        min=0, callback=number, sets="shared_weight",
    )  # fmt: skip
    held_out: int | None = setting(
        "N", "Scenes kept for validation (24), in equal shares of the datasets.", min=0
    )
    precision: str | None = setting(
        "NAME", "float32, bfloat16, or auto: the faster one (the default).", sets="precision"
    )
    seed: int | None = setting("N", "Of the initial weights and the crops (0).", sets="seed")


@takes_groups
def train(
    *,
    datasets: list[Path] = typer.Argument(
        metavar="DATASET...",
        help="Directories of scenes in any layout of encode --help, or archives; each gives equally "
        "many crops.",
    ),
    tasks: str = option(
        "", "TASKS", "Tasks, e.g. rgb,depth,normal or rgb,albedo:image:3; default: those of --init."
    ),
    output: Path | None = option(None, "FILE", "Weights file (.safetensors).", "-o", "--output"),
    init: str = option("", "WEIGHTS", "Weights to start from: a name or path."),
    end: EndOptions,
    force: bool = FORCE,
    quiet: bool = QUIET,
    architecture: str = network("NAME", f"{', '.join(ARCHITECTURES)}; default: conditional."),
    backbone: str = network("NAME", f"{', '.join(BACKBONES)}; default: fast."),
    sizes: str = network(
        "NAME=N,…",
        "Sizes of the networks other than the usual ones, e.g. latents=192,encoder_16=256x5 "
        "(docs/training.md); those of --init grow.",
    ),
    plan: PlanOptions,
    reading: ReadingOptions,
    threads: int = THREADS,
    device: str = device_option("cpu, cuda, or auto: cuda where there is one.", "auto", "cpu", "cuda"),
) -> None:
    """Train weights on datasets; the log, its plot and the checkpoint lie beside the output."""
    if output is None or output.suffix != ".safetensors":
        raise UsageError("missing -o FILE.safetensors")
    if end.decay and (end.minutes or end.steps):
        raise UsageError("--decay goes without --minutes and --steps")
    resume = end.resume or bool(end.decay)
    if not resume:
        refuse_existing(output, force)
    declared = parse(tasks, USUAL) if tasks else []
    if not (declared or init or resume):
        raise UsageError("missing --tasks")
    from mtcodec.files.trees.listing import require_directory

    for path in datasets:
        if not is_archive(path) and not path.is_file():
            require_directory(path)
    extras.load("torch", "training", "train")
    from mtcodec.train import run

    memory.keep()
    how = reading.reading()
    settings = run.settings(plan.preset, {**end.settings(), **plan.settings(), "device": device})
    run.train_weights(
        lambda tasks: [scenes_of(path, tasks, how, quiet) for path in datasets], declared, output,
        settings=settings,
        architecture=architecture, backbone=backbone, sizes=size_values(sizes),
        init=init, resume=resume, held_out=plan.held_out, threads=threads,
        report=Report(output, bool(end.decay), quiet), note=note,
    )  # fmt: skip


def scenes_of(
    path: Path, tasks: Sequence[Task], reading: Reading = AS_USUAL, quiet: bool = False
) -> run.Dataset:
    """The scenes of a directory or of an archive; notes about them are shown unless ``quiet``."""
    from mtcodec.train import run

    if not is_archive(path):
        return run.on_disk([path], partial(note, quiet=quiet), reading)(tasks)[0]
    from mtcodec.train.archives import sources

    return run.Dataset(run.name_of(path), sources(open_archive(str(path))))
