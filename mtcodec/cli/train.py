"""``mtcodec train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mtcodec import extras
from mtcodec.cli.common import note, refuse_existing
from mtcodec.cli.options import Force, Quiet, Threads, TrainingDevice, number
from mtcodec.cli.values import lambda_list, size_values
from mtcodec.errors import UsageError
from mtcodec.files.listing import require_directory
from mtcodec.models.backbones import BACKBONES
from mtcodec.models.config import ARCHITECTURES
from mtcodec.tasks import USUAL, parse


def train(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATASET",
            help="Directories of scenes in any layout of encode --help; each gives equally many crops.",
        ),
    ],
    tasks: Annotated[
        str,
        typer.Option(help="Tasks, e.g. rgb,depth,normal or rgb,albedo:image:3; default: those of --init."),
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Weights file (.safetensors).")
    ] = None,
    init: Annotated[str, typer.Option(help="Weights to start from: a name or path.")] = "",
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0, callback=number, help="Train for this long; with neither this nor --steps: until stopped."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Train for this many steps.")] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the checkpoint beside the output, with its model and its settings."
        ),
    ] = False,
    decay: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=number,
            metavar="MINUTES",
            help="Make weights of a run without an end: from its checkpoint, which stays as it is, let the "
            "rate fall to zero.",
        ),
    ] = None,
    architecture: Annotated[
        str, typer.Option(help=f"{', '.join(ARCHITECTURES)}; default: conditional.")
    ] = "",
    backbone: Annotated[str, typer.Option(help=f"{', '.join(BACKBONES)}; default: fast.")] = "",
    sizes: Annotated[
        str,
        typer.Option(
            metavar="NAME=N,…",
            help="Sizes of the networks other than the usual ones, e.g. latents=192,encoder_16=256x5 "
            "(docs/training.md); those of --init grow.",
        ),
    ] = "",
    preset: Annotated[str, typer.Option(help="Settings where none are given: fast or paper.")] = "fast",
    batch: Annotated[int | None, typer.Option(min=1, help="Crops a step (fast: 4, paper: 64).")] = None,
    crop: Annotated[
        int | None, typer.Option(min=64, help="Side of the crops, a multiple of 64 (fast: 128, paper: 256).")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Peak learning rate (fast: 6e-3, paper: 1e-5).")] = None,
    lambdas: Annotated[
        str, typer.Option("--lambda", help="Fixed λ, e.g. 0.001,0.01,0.1; else drawn over the whole range.")
    ] = "",
    balance: Annotated[
        str | None, typer.Option(help="Weights of tasks' errors: declared, uncertainty or equal.")
    ] = None,
    own_quality: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, callback=number, help="Share of crops with a quality for each task (fast: 0.3)."
        ),
    ] = None,
    absent: Annotated[
        float | None,
        typer.Option(min=0, max=1, callback=number, help="Share of crops that lack some tasks (fast: 0.2)."),
    ] = None,
    shared_weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=number,
            help="Cost of a shared bit, relative to a task's own (1): more makes tasks alone cheaper.",
        ),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(min=0, help="Scenes kept for validation (24), in equal shares of the datasets."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16, or auto: the faster one (the default).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the initial weights and the crops (0).")] = None,
    threads: Threads = 0,
    device: TrainingDevice = "auto",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train weights on datasets; the log and the checkpoint lie beside the output."""
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
    for path in datasets:
        require_directory(path)
    extras.load("torch", "training", "train")
    from mtcodec.training import run

    given = {
        "minutes": minutes, "steps": steps, "decay": decay, "batch": batch, "crop": crop, "rate": rate,
        "lambdas": lambda_list(lambdas), "balance": balance, "own": own_quality, "drop": absent,
        "shared_weight": shared_weight, "precision": precision, "seed": seed, "device": device,
    }  # fmt: skip
    run.train_weights(
        datasets, declared, output, init=init, resume=resume, held_out=held_out, threads=threads,
        architecture=architecture, backbone=backbone, sizes=size_values(sizes),
        settings=run.settings(preset, given),
        report=(lambda _: None) if quiet else _print_training, note=note,
    )  # fmt: skip


def _print_training(record: dict[str, Any]) -> None:
    """One line of progress for a record of the training log."""
    if "loss" in record:
        bpp = sum(v for n, v in record.items() if n.startswith("bpp_"))
        text = (
            f"step {record['step']} ({100 * record['done']:.1f} %)  loss {record['loss']:.4f}  bpp {bpp:.4f}"
        )
    elif record.get("validation"):
        parts = [f"{q}: {v['bpp']:.4f} bpp {v['psnr']}" for q, v in record["validation"].items()]
        text = f"step {record['step']} validation  " + "  ".join(parts)
    else:
        return
    typer.echo(text, err=True)
