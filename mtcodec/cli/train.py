"""``mtcodec train``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec import extras
from mtcodec.archive.names import is_archive
from mtcodec.cli.common import note, refuse_existing
from mtcodec.cli.log import progress
from mtcodec.cli.options import Force, Quiet, Threads, TrainingDevice, number
from mtcodec.cli.values import lambda_list, size_values
from mtcodec.errors import DependencyError, OutputError, UsageError
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES
from mtcodec.tasks import USUAL, Task, parse

if TYPE_CHECKING:
    from mtcodec.train import run

NETWORK = "Network"
SETTINGS = "Training (the defaults are right for most)"


def train(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATASET...",
            help="Directories of scenes in any layout of encode --help, or archives; each gives equally "
            "many crops.",
        ),
    ],
    tasks: Annotated[
        str,
        typer.Option(
            "--tasks", metavar="TASKS",
            help="Tasks, e.g. rgb,depth,normal or rgb,albedo:image:3; default: those of --init.",
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE",
            help="Weights file (.safetensors).",
        ),
    ] = None,
    init: Annotated[
        str,
        typer.Option(
            "--init", metavar="WEIGHTS",
            help="Weights to start from: a name or path.",
        ),
    ] = "",
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", min=0, callback=number, metavar="N",
            help="Train for this long; with neither this nor --steps: until stopped.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=0, metavar="N",
            help="Train for this many steps.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint beside the output, with its model and its settings.",
        ),
    ] = False,
    decay: Annotated[
        float | None,
        typer.Option(
            min=0, callback=number, metavar="MINUTES",
            help="Make weights of a run without an end: from its checkpoint, which stays as it is, let the "
            "rate fall to zero.",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    architecture: Annotated[
        str,
        typer.Option(
            "--architecture", metavar="NAME", rich_help_panel=NETWORK,
            help=f"{', '.join(ARCHITECTURES)}; default: conditional.",
        ),
    ] = "",
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", metavar="NAME", rich_help_panel=NETWORK,
            help=f"{', '.join(BACKBONES)}; default: fast.",
        ),
    ] = "",
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes", metavar="NAME=N,…", rich_help_panel=NETWORK,
            help="Sizes of the networks other than the usual ones, e.g. latents=192,encoder_16=256x5 "
            "(docs/training.md); those of --init grow.",
        ),
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", rich_help_panel=SETTINGS,
            help="Settings where none are given: fast or paper.",
        ),
    ] = "fast",
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=1, metavar="N", rich_help_panel=SETTINGS,
            help="Crops a step (fast: 4, paper: 64).",
        ),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            "--crop", min=64, metavar="N", rich_help_panel=SETTINGS,
            help="Side of the crops, a multiple of 64 (fast: 128, paper: 256).",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="X", rich_help_panel=SETTINGS,
            help="Peak learning rate (fast: 6e-3, paper: 1e-5).",
        ),
    ] = None,
    lambdas: Annotated[
        str,
        typer.Option(
            "--lambda", metavar="L,...", rich_help_panel=SETTINGS,
            help="Fixed λ, e.g. 0.001,0.01,0.1; else drawn over the whole range.",
        ),
    ] = "",
    balance: Annotated[
        str | None,
        typer.Option(
            "--balance", metavar="HOW", rich_help_panel=SETTINGS,
            help="Weights of tasks' errors: declared, uncertainty or equal.",
        ),
    ] = None,
    own_quality: Annotated[
        float | None,
        typer.Option(
            "--own-quality", min=0, max=1, callback=number, metavar="SHARE", rich_help_panel=SETTINGS,
            help="Share of crops with a quality for each task (fast: 0.3).",
        ),
    ] = None,
    absent: Annotated[
        float | None,
        typer.Option(
            "--absent", min=0, max=1, callback=number, metavar="SHARE", rich_help_panel=SETTINGS,
            help="Share of crops that lack some tasks (fast: 0.2).",
        ),
    ] = None,
    shared_weight: Annotated[
        float | None,
        typer.Option(
            "--shared-weight", min=0, callback=number, metavar="X", rich_help_panel=SETTINGS,
            help="Cost of a shared bit, relative to a task's own (1): more makes tasks alone cheaper.",
        ),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            "--held-out", min=0, metavar="N", rich_help_panel=SETTINGS,
            help="Scenes kept for validation (24), in equal shares of the datasets.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision", metavar="NAME", rich_help_panel=SETTINGS,
            help="float32, bfloat16, or auto: the faster one (the default).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", rich_help_panel=SETTINGS,
            help="Of the initial weights and the crops (0).",
        ),
    ] = None,
    threads: Threads = 0,
    device: TrainingDevice = "auto",
) -> None:  # fmt: skip
    """Train weights on datasets; the log, its plot and the checkpoint lie beside the output."""
    if output is None or output.suffix != ".safetensors":
        raise UsageError("missing -o FILE.safetensors")
    if decay and (minutes or steps):
        raise UsageError("--decay goes without --minutes and --steps")
    resume = resume or bool(decay)
    if not resume:
        refuse_existing(output, force)
    declared = parse(tasks, USUAL) if tasks else []
    if not (declared or init or resume):
        raise UsageError("missing --tasks")
    from mtcodec.files.listing import require_directory

    for path in datasets:
        if not is_archive(path) and not path.is_file():
            require_directory(path)
    extras.load("torch", "training", "train")
    from mtcodec.train import run
    from mtcodec.train.plot import plot

    log, picture = (".decay.jsonl", ".decay.png") if decay else (".log.jsonl", ".png")

    def report(record: dict[str, Any]) -> None:
        if not quiet:
            progress(record)
        if "validation" in record:
            with suppress(DependencyError, OutputError):  # training goes on without a picture
                plot(output.with_suffix(log), output.with_suffix(picture))

    given = {
        "minutes": minutes, "steps": steps, "decay": decay, "batch": batch, "crop": crop, "rate": rate,
        "lambdas": lambda_list(lambdas), "balance": balance, "own": own_quality, "drop": absent,
        "shared_weight": shared_weight, "precision": precision, "seed": seed, "device": device,
    }  # fmt: skip
    run.train_weights(
        lambda tasks: [scenes_of(path, tasks) for path in datasets], declared, output,
        settings=run.settings(preset, given), architecture=architecture, backbone=backbone,
        sizes=size_values(sizes), init=init, resume=resume, held_out=held_out, threads=threads, report=report,
    )  # fmt: skip


def scenes_of(path: Path, tasks: Sequence[Task]) -> run.Dataset:
    """The scenes of a directory or of an archive."""
    from mtcodec.train import run

    if not is_archive(path):
        return run.on_disk([path], note)(tasks)[0]
    from mtcodec.archive.read import ArchiveReader
    from mtcodec.train.archives import sources

    return run.Dataset(run.name_of(path), sources(ArchiveReader(path)))
