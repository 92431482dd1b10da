"""``mtcodec bench``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import check_tasks, declared_by, find, note, progress_bar, set_threads, silent
from mtcodec.cli.report import amount, columns
from mtcodec.errors import UsageError

NAMES = {"mtcodec": "mtcodec", "png": "PNG", "jxl": "JPEG XL", "avif": "AVIF"}


def bench(
    scene: Annotated[Path, typer.Argument(metavar="SCENE", help="A scene directory.")],
    quality: options.Quality = None,
    tasks: options.Only = "",
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, help="Times that each is timed; medians count.")
    ] = 3,
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
    threads: Annotated[
        int,
        typer.Option(
            "--threads", metavar="N", min=0, max=1024, rich_help_panel=options.MACHINE,
            help="1: processor time, as if on one core; else so many threads (0: all cores), by the clock.",
        ),
    ] = 1,
    device: options.Device = "cpu",
) -> None:  # fmt: skip
    """Time encoding and decoding of your scene on this machine, beside PNG, JPEG XL and AVIF.

    AVIF (speed 4, 8 or 10 bits) and JPEG XL (effort 7) get the setting that just reaches our PSNR; labels are
    lossless JPEG XL. Both are spared the bytes of holes. Of mtcodec, a task has the bytes and the time that
    decoding it alone needs. Reading and writing files is not timed.
    """
    request = values.request(
        known=declared_by(weights), quality=quality, tasks=task, invalid=invalid, max_error=max_error,
        lossless=lossless, unit=unit, coding=coding, effort=effort,
    )  # fmt: skip
    tell = silent if quiet else note
    scenes = find([scene], request.tasks, dict(values.assignments(name or [], "another name")), tell=tell)
    if len(scenes) > 1:
        raise UsageError(f"{scene} holds {len(scenes)} scenes: name one of them")
    check_tasks(request, scenes)
    from mtcodec.codec.api import Codec
    from mtcodec.files.scene import layout_units, read_scene
    from mtcodec.measure import bench as benching

    set_threads(threads)
    images = read_scene(scenes[0], request.tasks, values.names(tasks), tell)
    request = request.only(images, layout_units(scenes[0], images))
    clock = time.process_time if threads == 1 else time.perf_counter
    with progress_bar(quiet) as bar:
        codec = Codec(weights, device, coding=coding)
        found = benching.bench(codec, images, request, runs, clock, bar)
    height, width = next(iter(images.values())).shape[:2]
    if as_json:
        facts = {"scene": str(scene), "width": width, "height": height, "runs": runs, "threads": threads}
        typer.echo(json.dumps({**facts, "quality": request.quality, "codecs": found}))
    elif not quiet:
        how = "processor time" if threads == 1 else "by the clock"
        typer.echo(f"{scene}: {width}×{height}, quality {request.quality:g}, medians of {runs}, {how}")
        _table(found, list(images))


def _table(found: Mapping[str, Any], tasks: list[str]) -> None:
    rows = [["task", "codec", "size", "encode", "decode", "PSNR"]]
    for task in tasks:
        rows += [_row(task, codec, own["tasks"][task]) for codec, own in found.items()]
    rows += [_row("all", codec, own) for codec, own in found.items()]
    for line in columns(rows):
        typer.echo(f"  {line}")


def _row(task: str, codec: str, own: Mapping[str, Any] | None) -> list[str]:
    if own is None or own["bytes"] is None:
        return [task, NAMES[codec], "–", "", "", ""]
    encode = f"{own['encode_ms']:.0f} ms" if "encode_ms" in own else ""
    psnr = f"{own['psnr']:.1f} dB" if own.get("psnr", 99) < 99 else "" if task == "all" else "exact"
    return [task, NAMES[codec], amount(own["bytes"]), encode, f"{own['decode_ms']:.1f} ms", psnr]
