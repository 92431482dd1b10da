"""``mtcodec stats``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import check_tasks, declared_by, find, note, progress_bar, set_threads, silent, warn
from mtcodec.cli.report import amount, columns, duration

SHOWN = 3  # sizes and dtypes that are named


def stats(
    dataset: options.Dataset,
    tasks: options.Only = "",
    sample: Annotated[
        int,
        typer.Option(
            "--sample", metavar="N", min=1, help="Scenes that are read and encoded, spread over all."
        ),
    ] = 10,
    no_estimate: Annotated[bool, typer.Option("--no-estimate", help="Encode nothing.")] = False,
    quality: Annotated[
        str,
        typer.Option(
            "--quality", metavar="QUALITIES", help="Qualities to encode the sample at, separated by commas."
        ),
    ] = "40,65,85",
    max_error: options.MaxError = None,
    lossless: options.Lossless = "",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    unit: options.Unit = None,
    invalid: options.Invalid = None,
    coding: options.Coding = "auto",
    effort: options.Effort = "normal",
    weights: options.Weights = "auto",
) -> None:
    """Show what a dataset holds: scenes, tasks, sizes, units, holes, bytes; and what encoding it would give.

    Scenes and bytes are counted over the whole dataset. Sizes and dtypes of images are those that the headers
    of at most 200 scenes tell, holes those of the sample. The estimate encodes the sample by one thread and
    divides the processor time for all scenes by the cores of this machine.
    """
    qualities = values.quality_list(quality)
    request = values.request(
        known=declared_by(weights), tasks=task, invalid=invalid, max_error=max_error, lossless=lossless,
        unit=unit, coding=coding, effort=effort,
    )  # fmt: skip
    tell = silent if quiet else note
    names = dict(values.assignments(name or [], "another name"))
    with progress_bar(quiet) as bar:
        scenes = find([dataset], request.tasks, names, tell=tell)
        check_tasks(request, scenes)
        from mtcodec.codec.api import Codec
        from mtcodec.measure.stats import describe

        codec = None
        if not no_estimate:
            set_threads(1)
            codec = Codec(weights, coding=coding)
        found = describe(scenes, request, values.names(tasks), sample, codec, qualities, bar)
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **found}))
    elif not quiet:
        _print(str(dataset), found)
    for key, reason in found["failed"].items():
        warn(f"scene {key} is not counted: {reason}")


def _print(dataset: str, found: Mapping[str, Any]) -> None:
    count = found["scenes"]
    total = sum(own["bytes"] for own in found["tasks"].values())
    about = "about " * any(own["estimated"] for own in found["tasks"].values())
    typer.echo(f"{dataset}: {count} scene{'s' * (count != 1)}, {about}{amount(total)} of images")
    rows = [["task", "kind", "scenes", "images", "unit", "holes", "on disk", "a scene"]]
    for name, own in found["tasks"].items():
        holes = f"{own['holes']:.2%}" if own.get("holes") else "none" if "holes" in own else ""
        size = amount(own["bytes"] / own["scenes"])
        disk = ("about " * own["estimated"]) + amount(own["bytes"])
        kind, images, unit = own["kind"], _most(own["images"]), own["unit"]
        rows.append([name, kind, str(own["scenes"]), images, unit, holes, disk, size])
    for line in columns(rows):
        typer.echo(f"  {line}")
    typer.echo(f"  sizes: {_most(found['sizes'])}")
    if found["headers"] < count:
        typer.echo(f"  sizes and dtypes are those of {found['headers']} scenes spread over all")
    if len(found["sample"]) < count:
        typer.echo(
            f"  holes{' and the estimate' * bool(found['encoded'])} are those of {len(found['sample'])}"
        )
    if found["encoded"]:
        _estimate(found["encoded"], total)


def _most(counts: Mapping[str, int]) -> str:
    """``640×480 (12), 320×240 (1)``; a single one without its number."""
    ordered = sorted(counts, key=lambda what: -counts[what])
    if len(ordered) < 2:
        return "".join(ordered)
    more = f" and {len(ordered) - SHOWN} others" if len(ordered) > SHOWN else ""
    return ", ".join(f"{what} ({counts[what]})" for what in ordered[:SHOWN]) + more


def _estimate(encoded: list[dict[str, Any]], total: int) -> None:
    """Print a line for every quality."""
    cores = encoded[0]["cores"]
    tasks = dict.fromkeys(name for one in encoded for name in one["psnr"])
    time = f"time, {cores} core{'s' * (cores != 1)}"
    rows = [["quality", "a scene", "all scenes", "of now", *(f"{name} PSNR" for name in tasks), time]]
    for one in encoded:
        psnrs = [_psnr(one["psnr"].get(name)) for name in tasks]
        share = f"{one['bytes'] / total:.1%}"
        sizes = [amount(one["scene_bytes"]), amount(one["bytes"]), share]
        rows.append([f"{one['quality']:g}", *sizes, *psnrs, duration(one["seconds"])])
    typer.echo("encoded, by the sample:")
    for line in columns(rows):
        typer.echo(f"  {line}")


def _psnr(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f} dB" if value < 98.95 else "exact"
