"""``mtcodec evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options
from mtcodec.cli.common import print_tables, progress_bar
from mtcodec.cli.groups import takes_groups
from mtcodec.cli.scenes import codecs_by_name, find
from mtcodec.cli.values import quality_list

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec


@takes_groups
def evaluate(
    *,
    dataset: options.Dataset,
    weights: Annotated[
        str,
        typer.Option(
            "--weights", metavar="WEIGHTS",
            help="Names or paths of the weights to compare, separated by commas; auto as for encode.",
        ),
    ] = "clevr",
    against: Annotated[
        str,
        typer.Option(
            "--against", metavar="CODECS",
            help="Codecs to compare with: jpeg, webp, avif, avif-tuned, jxl, hyperprior; empty for none.",
        ),
    ] = "jpeg,webp,avif,jxl",
    quality: Annotated[
        str, typer.Option("--quality", metavar="QUALITIES", help="Qualities, separated by commas.")
    ] = "0,20,40,60,80,100",
    limit: options.Limit = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Directory for CSV, JSON and plot."),
    ] = None,
    as_json: options.Json = False,
    coding: Annotated[
        str,
        typer.Option(
            "--coding", metavar="CODING", rich_help_panel=options.CODING,
            autocompletion=options.one_of("neural", "auto", "classical"),
            help="neural: the networks alone; auto or classical: as for encode.",
        ),
    ] = "neural",
    reference: Annotated[
        str,
        typer.Option(
            "--reference", metavar="NAME", rich_help_panel=options.CODING,
            help="What BD-rates refer to; default: the first weights of architecture single.",
        ),
    ] = "",
    hyperprior_checkpoints: Annotated[
        str,
        typer.Option(
            "--hyperprior-checkpoints", metavar="DIR", rich_help_panel=options.CODING,
            help="Checkpoints of hyperprior: a directory, or a path with {q} for the quality.",
        ),
    ] = "",
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=1, help="Processes for classical codecs.",
            rich_help_panel=options.MACHINE,
        ),
    ] = 1,
    machine: options.MachineOptions,
) -> None:  # fmt: skip
    """Encode and decode every scene of a dataset; report bytes, quality and the ratio to classical codecs."""
    from mtcodec.codec.api import Codec

    qualities = quality_list(quality)
    declared = Codec(weights.split(",")).tasks
    scenes = find([dataset], declared)[: limit or None]
    from mtcodec.measure import evaluate as evaluating
    from mtcodec.measure import tables

    codecs = codecs_by_name(weights, machine, coding)
    names = [name for name in against.split(",") if name]
    with progress_bar() as progress:
        results = evaluating.evaluate(
            codecs, scenes, qualities, names, output, progress,
            about={name: _about(codec) for name, codec in codecs.items()}, declared=declared,
            reference=Path(reference).name.removesuffix(".safetensors") or None,
            checkpoints=hyperprior_checkpoints or None, workers=workers,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(results))
    else:
        every_table = (tables.format_table(results), tables.format_bd_rates(results))
        print_tables(*(table for table in every_table if table is not None))


def _about(codec: Codec) -> dict[str, str]:
    """What results say of a system."""
    from mtcodec.networks.weights.file import describe

    weights = [describe(path) for path in codec.paths]
    fingerprints = ", ".join(entry.fingerprint for entry in weights)
    about = {"coding": codec.request.coding, "fingerprint": fingerprints}
    if len(weights) == 1:
        about |= {key: weights[0].config[key] for key in ("architecture", "backbone")}
    return about
