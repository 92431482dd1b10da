"""``mtcodec train``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec import extras, memory
from mtcodec.archive.names import is_archive
from mtcodec.cli.common import note, refuse_existing
from mtcodec.cli.groups import Group, Sets, takes_groups
from mtcodec.cli.log import ProgressLines
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


class EndOptions(Group):
    """How long a run trains, and from where; options set fields of :class:`~mtcodec.train.plan.Plan`."""

    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", min=0, callback=number, metavar="N",
            help="Train for this long; with neither this nor --steps: until stopped.",
        ),
        Sets("minutes"),
    ] = None  # fmt: skip
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=0, metavar="N",
            help="Train for this many steps.",
        ),
        Sets("steps"),
    ] = None  # fmt: skip
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint beside the output, with its model and its settings.",
        ),
    ] = False  # fmt: skip
    decay: Annotated[
        float | None,
        typer.Option(
            min=0, callback=number, metavar="MINUTES",
            help="Make weights of a run without an end: from its checkpoint, which stays as it is, let the "
            "rate fall to zero.",
        ),
        Sets("decay"),
    ] = None  # fmt: skip


class NetworkOptions(Group):
    """What a new model is like."""

    architecture: Annotated[
        str,
        typer.Option(
            "--architecture", metavar="NAME", rich_help_panel=NETWORK,
            help=f"{', '.join(ARCHITECTURES)}; default: conditional.",
        ),
    ] = ""  # fmt: skip
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", metavar="NAME", rich_help_panel=NETWORK,
            help=f"{', '.join(BACKBONES)}; default: fast.",
        ),
    ] = ""  # fmt: skip
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes", metavar="NAME=N,…", rich_help_panel=NETWORK,
            help="Sizes of the networks other than the usual ones, e.g. latents=192,encoder_16=256x5 "
            "(docs/training.md); those of --init grow.",
        ),
    ] = ""  # fmt: skip


class PlanOptions(Group):
    """How crops are drawn and weights learnt; options set fields of :class:`~mtcodec.train.plan.Plan`."""

    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", rich_help_panel=SETTINGS,
            help="Settings where none are given: fast or paper.",
        ),
    ] = "fast"  # fmt: skip
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=1, metavar="N", rich_help_panel=SETTINGS,
            help="Crops a step (fast: 4, paper: 64).",
        ),
        Sets("batch"),
    ] = None  # fmt: skip
    crop: Annotated[
        int | None,
        typer.Option(
            "--crop", min=64, metavar="N", rich_help_panel=SETTINGS,
            help="Side of the crops, a multiple of 64 (fast: 128, paper: 256).",
        ),
        Sets("crop"),
    ] = None  # fmt: skip
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="X", rich_help_panel=SETTINGS,
            help="Peak learning rate (fast: 6e-3, paper: 1e-5).",
        ),
        Sets("rate"),
    ] = None  # fmt: skip
    lambdas: Annotated[
        str,
        typer.Option(
            "--lambda", metavar="L,...", rich_help_panel=SETTINGS,
            help="Fixed λ, e.g. 0.001,0.01,0.1; else drawn over the whole range.",
        ),
        Sets("lambdas", parse=lambda_list),
    ] = ""  # fmt: skip
    balance: Annotated[
        str | None,
        typer.Option(
            "--balance", metavar="HOW", rich_help_panel=SETTINGS,
            help="Weights of tasks' errors: declared, uncertainty or equal.",
        ),
        Sets("balance"),
    ] = None  # fmt: skip
    task_quality_prob: Annotated[
        float | None,
        typer.Option(
            "--task-quality-prob", min=0, max=1, callback=number, metavar="SHARE", rich_help_panel=SETTINGS,
            help="Share of crops with a quality for each task (fast: 0.3).",
        ),
        Sets("task_quality_prob"),
    ] = None  # fmt: skip
    task_dropout: Annotated[
        float | None,
        typer.Option(
            "--task-dropout", min=0, max=1, callback=number, metavar="SHARE", rich_help_panel=SETTINGS,
            help="Share of crops that lack some tasks (fast: 0.2).",
        ),
        Sets("task_dropout"),
    ] = None  # fmt: skip
    shared_weight: Annotated[
        float | None,
        typer.Option(
            "--shared-weight", min=0, callback=number, metavar="X", rich_help_panel=SETTINGS,
            help="Cost of a shared bit, relative to a task's own (1): more makes tasks alone cheaper.",
        ),
        Sets("shared_weight"),
    ] = None  # fmt: skip
    held_out: Annotated[
        int | None,
        typer.Option(
            "--held-out", min=0, metavar="N", rich_help_panel=SETTINGS,
            help="Scenes kept for validation (24), in equal shares of the datasets.",
        ),
    ] = None  # fmt: skip
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision", metavar="NAME", rich_help_panel=SETTINGS,
            help="float32, bfloat16, or auto: the faster one (the default).",
        ),
        Sets("precision"),
    ] = None  # fmt: skip
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", rich_help_panel=SETTINGS,
            help="Of the initial weights and the crops (0).",
        ),
        Sets("seed"),
    ] = None  # fmt: skip


@takes_groups
def train(
    *,
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
    end: EndOptions,
    force: Force = False,
    quiet: Quiet = False,
    network: NetworkOptions,
    plan: PlanOptions,
    threads: Threads = 0,
    device: TrainingDevice = "auto",
) -> None:  # fmt: skip
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
    from mtcodec.files.listing import require_directory

    for path in datasets:
        if not is_archive(path) and not path.is_file():
            require_directory(path)
    extras.load("torch", "training", "train")
    from mtcodec.train import run

    memory.keep()
    settings = run.settings(plan.preset, {**end.settings(), **plan.settings(), "device": device})
    run.train_weights(
        lambda tasks: [scenes_of(path, tasks) for path in datasets], declared, output, settings=settings,
        architecture=network.architecture, backbone=network.backbone, sizes=size_values(network.sizes),
        init=init, resume=resume, held_out=plan.held_out, threads=threads,
        report=Report(output, bool(end.decay), quiet),
    )  # fmt: skip


class Report:
    """Prints a line for every record of the log, and draws the log anew where something was validated.

    Args:
        output: the file of weights, beside which log and plot lie.
        is_decay: of a run that makes weights of another's checkpoint.
    """

    def __init__(self, output: Path, is_decay: bool, quiet: bool) -> None:
        self._log, self._picture = (
            output.with_suffix(suffix)
            for suffix in ((".decay.jsonl", ".decay.png") if is_decay else (".log.jsonl", ".png"))
        )
        self._show = None if quiet else ProgressLines()

    def __call__(self, record: dict[str, Any]) -> None:
        from mtcodec.train.plot import plot

        if self._show is not None:
            self._show(record)
        if "validation" in record:
            with suppress(DependencyError, OutputError):  # training goes on without a picture
                plot(self._log, self._picture)


def scenes_of(path: Path, tasks: Sequence[Task]) -> run.Dataset:
    """The scenes of a directory or of an archive."""
    from mtcodec.train import run

    if not is_archive(path):
        return run.on_disk([path], note)(tasks)[0]
    from mtcodec.archive.read import ArchiveReader
    from mtcodec.train.archives import sources

    return run.Dataset(run.name_of(path), sources(ArchiveReader(path)))
