"""``mtcodec evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import options
from mtcodec.cli.common import note, print_tables, progress_bar
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.scenes import codecs_by_name, find
from mtcodec.cli.values import quality_list

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec


@takes_groups
def evaluate(
    *,
    dataset: Path = options.DATASET,
    weights: str = option(
        "clevr", "WEIGHTS",
        "Names or paths of the weights to compare, separated by commas; auto as for encode.",
    ),
    against: str = option(
        "jpeg,webp,avif,jxl", "CODECS",
        "Codecs to compare with: jpeg, webp, avif, avif-tuned, jxl, hyperprior; empty for none.",
    ),
    quality: str = option("0,20,40,60,80,100", "QUALITIES", "Qualities, separated by commas."),
    limit: int = options.LIMIT,
    output: Path | None = option(None, "DIR", "Directory for CSV, JSON and plot.", "-o", "--output"),
    as_json: bool = options.JSON,
    coding: str = option(
        "neural", "CODING", "neural: the networks alone; auto or classical: as for encode.",
        panel=options.CODING, words=("neural", "auto", "classical"),
    ),
    reference: str = option(
        "", "NAME", "What BD-rates refer to; default: the first weights of architecture single.",
        panel=options.CODING,
    ),
    hyperprior_checkpoints: str = option(
        "", "DIR", "Checkpoints of hyperprior: a directory, or a path with {q} for the quality.",
        panel=options.CODING,
    ),
    workers: int = option(1, "N", "Processes for classical codecs.", panel=options.MACHINE, min=1),
    reading: options.ReadingOptions,
    machine: options.MachineOptions,
) -> None:  # fmt: skip
    """Encode and decode every scene of a dataset; report bytes, quality and the ratio to classical codecs."""
    from mtcodec.codec.api import Codec

    qualities = quality_list(quality)
    declared = Codec(weights.split(",")).tasks
    scenes = find([dataset], declared, reading=reading.reading())[: limit or None]
    from mtcodec.measure import evaluate as evaluating
    from mtcodec.measure import tables

    codecs = codecs_by_name(weights, machine, coding)
    names = [name for name in against.split(",") if name]
    with progress_bar() as progress:
        results = evaluating.evaluate(
            codecs, scenes, qualities, names, output, progress,
            about={name: _about(codec) for name, codec in codecs.items()}, declared=declared,
            reference=Path(reference).name.removesuffix(".safetensors") or None,
            checkpoints=hyperprior_checkpoints or None, workers=workers, note=note,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(results))
    else:
        print_tables(*filter(None, (tables.format_table(results), tables.format_bd_rates(results))))


def _about(codec: Codec) -> dict[str, str]:
    """What results say of a system."""
    from mtcodec.networks.weights.file import describe

    weights = [describe(path) for path in codec.paths]
    fingerprints = ", ".join(entry.fingerprint for entry in weights)
    about = {"coding": codec.request.coding, "fingerprint": fingerprints}
    if len(weights) == 1:
        about |= {key: weights[0].config[key] for key in ("architecture", "backbone")}
    return about
