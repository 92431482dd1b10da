"""``mtcodec evaluate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli.common import Dataset, Device, Json, Threads, find, progress_bar, systems
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.codec.choice import Chooser
    from mtcodec.codec.codec import Codec


def evaluate(
    dataset: Dataset,
    weights: Annotated[
        str,
        typer.Option(
            help="Names or paths of the weights to compare, separated by commas; auto as for encode."
        ),
    ] = "clevr",
    coding: Annotated[
        str, typer.Option(help="neural: the networks alone; auto or classical: as for encode.")
    ] = "neural",
    against: Annotated[
        str, typer.Option(help="Codecs to compare with: jpeg, webp, avif, jxl, hyperprior; empty for none.")
    ] = "jpeg,webp,avif,jxl",
    reference: Annotated[
        str,
        typer.Option(help="What BD-rates refer to; default: the first weights of architecture single."),
    ] = "",
    hyperprior_checkpoints: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Checkpoints of hyperprior: a directory, or a path with {q} for the quality."
        ),
    ] = "",
    quality: Annotated[str, typer.Option(help="Qualities, separated by commas.")] = "0,20,40,60,80,100",
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many scenes; 0 takes all.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory for CSV, JSON and plot.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for classical codecs.")] = 1,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Encode and decode every scene of a dataset; report bytes, quality and the ratio to classical codecs."""
    from mtcodec.evaluation import report

    try:
        qualities = [float(q) for q in quality.split(",")]
    except ValueError:
        raise UsageError(f"not a list of qualities: {quality!r}") from None
    scenes = find([dataset], weights, limit)
    codecs = _systems(weights, device, threads, coding)
    names = [name for name in against.split(",") if name]
    with progress_bar() as progress:
        results = report.evaluate(
            codecs, scenes, qualities, names, output, progress,
            about={name: _about(codec, coding) for name, codec in codecs.items()},
            reference=Path(reference).name.removesuffix(".safetensors") or None,
            checkpoints=hyperprior_checkpoints or None, workers=workers,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(results))
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 160)
        for table in (report.format_table(results), report.format_bd_rates(results)):
            if table is not None:
                console.print(table)


def _systems(weights: str, device: str, threads: int, coding: str) -> dict[str, Codec | Chooser]:
    from mtcodec.codec.choice import CODINGS, Chooser
    from mtcodec.weights import store

    if coding not in CODINGS:
        raise UsageError(f"coding must be {', '.join(CODINGS)}, not {coding!r}")
    found: dict[str, Codec | Chooser] = {}
    for given in weights.split(","):
        codecs = list(systems(",".join(store.resolve(given)), device, threads).values())
        name = given if given == store.AUTO else codecs[0].info.name
        if name in found:
            raise UsageError(f"two weights called {name!r}: rename one of the files")
        chosen = coding != "neural" or len(codecs) > 1
        found[name] = Chooser(codecs, coding) if chosen else codecs[0]
    return found


def _about(codec: Codec | Chooser, coding: str) -> dict[str, str]:
    from mtcodec.codec.choice import Chooser

    if isinstance(codec, Chooser):
        fingerprints = ", ".join(c.info.fingerprint for c in codec.codecs)
        return {"coding": coding, "fingerprint": fingerprints}
    config = codec.model.config
    return {"architecture": config.architecture, "backbone": config.backbone,
            "fingerprint": codec.info.fingerprint}  # fmt: skip
