"""``mtcodec pack``, ``unpack`` and ``verify``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec.cli.common import (
    Device,
    FilesFrom,
    Force,
    Json,
    MaxPixels,
    Quiet,
    find,
    progress_bar,
    warn,
    with_listed,
)
from mtcodec.cli.values import hole_values, qualities
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.format.container import MAX_PIXELS

if TYPE_CHECKING:
    from mtcodec.archive.pack import Summary
    from mtcodec.files.layouts import SceneFiles

Workers = Annotated[int, typer.Option(min=0, max=1024, help="Processes; 0: one for every core.")]
Engine = Annotated[
    str,
    typer.Option("--engine", help="local: processes; ray: the cluster of RAY_ADDRESS, see docs/archives.md."),
]
Source = Annotated[str, typer.Argument(metavar="ARCHIVE", help="A directory, or a URL (s3://, https://).")]


def pack(
    datasets: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DATASET", help="Directories of scenes in any layout of encode --help."),
    ] = None,
    files_from: FilesFrom = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="ARCHIVE",
            help="Directory of the archive; a run that was stopped goes on.",
        ),
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these, e.g. rgb,depth; default: all images.")] = "",
    quality: Annotated[
        list[str] | None,
        typer.Option("--quality", help="0 to 100 (default 60), or task=0..100 for one task; repeatable."),
    ] = None,
    invalid: Annotated[
        list[str] | None,
        typer.Option(
            "--invalid", metavar="TASK=VALUE", help="A stored value that means a hole; as for encode."
        ),
    ] = None,
    coding: Annotated[
        str, typer.Option(help="neural; or auto or classical as for encode, which take many times as long.")
    ] = "neural",
    weights: Annotated[
        str,
        typer.Option(
            help="Name or path of the weights; auto: general or clevr, what suits a sample of the scenes."
        ),
    ] = "auto",
    part_scenes: Annotated[
        int, typer.Option(min=1, help="Scenes of one Parquet file; a killed run does at most these again.")
    ] = 8192,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Report scenes that cannot be encoded, and go on.")
    ] = False,
    engine: Engine = "local",
    workers: Workers = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Encode datasets into an archive: Parquet files with one row a scene and one column a stream.

    Run it again to go on after an interruption, or to add scenes: those that are there are left out.
    """
    from mtcodec.archive.pack import Job
    from mtcodec.archive.pack import pack as run
    from mtcodec.codec.choice import CODINGS, Request
    from mtcodec.tasks import task as registry
    from mtcodec.weights import store

    if output is None:
        raise UsageError("missing -o ARCHIVE")
    if coding not in CODINGS:
        raise UsageError(f"coding must be {', '.join(CODINGS)}, not {coding!r}")
    general, own = qualities(quality or [])
    scenes = find(with_listed(datasets, files_from), weights)
    present = dict.fromkeys(name for scene in scenes for name in scene.files)
    declared = tuple(registry.parse(tasks) if tasks else map(registry.get, present))
    request = Request(general, own, hole_values(invalid or []), {}, coding=coding)
    name = _choose_weights(weights, scenes, declared, request, output)
    job = Job(store.find(name), declared, request)
    settings: dict[str, Any] = {"quality": general, "coding": coding}
    settings |= {"task_quality": own} if own else {}
    settings |= {"invalid": request.invalid} if request.invalid else {}
    started = time.monotonic()
    with progress_bar() as bar:

        def show(summary: Summary, total: int) -> None:
            seconds = max(time.monotonic() - started, 1e-3)
            bpp = 8 * summary.total / max(summary.pixels, 1)
            what = f"{summary.scenes / seconds:.1f} scenes/s, {bpp:.3f} bpp"
            bar(what, summary.before + summary.scenes + len(summary.skipped), total)

        settings = json.loads(json.dumps(settings))
        summary = run(scenes, output, job, settings=settings, engine_name=engine, workers=workers,
                      part_rows=part_scenes, skip_errors=skip_errors, progress=show)  # fmt: skip
    for error in summary.skipped.values():
        warn(f"skipped: {error}")
    if as_json:
        typer.echo(json.dumps(_facts(summary, time.monotonic() - started)))
    elif not quiet:
        _print(summary, str(output), time.monotonic() - started)


def _choose_weights(
    weights: str, scenes: list[SceneFiles], declared: tuple[Any, ...], request: Any, output: Path
) -> str:
    """The weights an archive gets: those it has, or those that suit a few of the scenes best."""
    from mtcodec.weights import store

    names = store.resolve(weights)
    if len(names) == 1:
        return names[0]
    there = sorted((output / "weights").glob("*" + store.SUFFIX))
    if len(there) == 1:
        return str(store.find_fingerprint(there[0].stem) if _installed(there[0].stem) else there[0])
    from mtcodec.archive.pack import most_suitable

    return most_suitable(names, scenes, declared, request)


def _installed(fingerprint: str) -> bool:
    from mtcodec.errors import WeightsNotFound
    from mtcodec.weights import store

    try:
        store.find_fingerprint(fingerprint)
    except WeightsNotFound:
        return False
    return True


def _facts(summary: Summary, seconds: float) -> dict[str, Any]:
    return {
        "scenes": summary.scenes, "before": summary.before, "skipped": summary.skipped,
        "bytes": summary.total, "bpp": round(8 * summary.total / max(summary.pixels, 1), 6),
        "streams": summary.streams, "seconds": round(seconds, 1),
    }  # fmt: skip


def _print(summary: Summary, output: str, seconds: float) -> None:
    before = f", {summary.before} were there" if summary.before else ""
    skipped = f", {len(summary.skipped)} skipped" if summary.skipped else ""
    rate = summary.scenes / max(seconds, 1e-3)
    typer.echo(f"{output}: {summary.scenes} scenes in {seconds:.1f} s ({rate:.1f}/s){before}{skipped}")
    rows = [*summary.streams.items(), ("in all", summary.total)] if summary.scenes else []
    for name, size in rows:
        each, bpp = size / summary.scenes, 8 * size / summary.pixels
        typer.echo(f"  {name:<10} {size:>12} bytes  {each:10.1f} a scene  {bpp:8.4f} bpp")


def unpack(
    archive: Source,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory for scenes' images.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these, e.g. depth; others are not read.")] = "",
    keys: Annotated[
        str, typer.Option(help="Only these scenes, separated by commas; @FILE: one a line.")
    ] = "",
    max_pixels: MaxPixels = 0,
    engine: Engine = "local",
    workers: Workers = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Decode an archive's scenes to OUTPUT/KEY/TASK.png (.npy where PNG cannot hold it)."""
    from mtcodec.archive.read import Opened
    from mtcodec.archive.unpack import unpack as run

    if output is None:
        raise UsageError("missing -o DIRECTORY")
    started = time.monotonic()
    with progress_bar() as bar:
        done = run(
            Opened(archive, max_pixels or MAX_PIXELS), output,
            [t.strip() for t in tasks.split(",")] if tasks else None, _keys(keys),
            engine_name=engine, workers=workers, force=force,
            progress=lambda k, total: bar("unpacking", k, total),
        )  # fmt: skip
    if not quiet:
        seconds = time.monotonic() - started
        typer.echo(f"{output}: {done} scenes in {seconds:.1f} s ({done / max(seconds, 1e-3):.1f}/s)")


def _keys(keys: str) -> list[str] | None:
    if not keys:
        return None
    if not keys.startswith("@"):
        return [key.strip() for key in keys.split(",")]
    try:
        return [line.strip() for line in Path(keys[1:]).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"{keys[1:]}: cannot read it: {error}") from error


def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE|ARCHIVE", help=".mtc files and archives.")],
    decode: Annotated[bool, typer.Option("--decode", help="Decode everything, too.")] = False,
    max_pixels: MaxPixels = 0,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Check all checksums of files and archives, and name what is damaged; exit code 3 if anything is."""
    from mtcodec.archive.read import is_archive

    damaged = 0
    with progress_bar() as bar:
        for name in files:
            check = _verify_archive if is_archive(name) else _verify_file
            scenes, problems = check(name, decode, max_pixels, device, partial(bar, name))
            for problem in problems:
                typer.echo(f"mtcodec: {problem}", err=True)
            damaged += len(problems)
            if not quiet and not problems:
                typer.echo(f"{name}: {scenes} scene{'s' * (scenes != 1)}, undamaged")
    if damaged:
        raise FormatError(f"{damaged} damaged")


Bar = Callable[[int, int], None]


def _verify_archive(name: str, decode: bool, max_pixels: int, device: str, bar: Bar) -> tuple[int, list[str]]:
    from mtcodec.archive.read import Opened
    from mtcodec.archive.unpack import verify as run

    result = run(Opened(name, max_pixels or MAX_PIXELS), decode, bar)
    return result.scenes, [f"{name}: scene {key}: {error}" for key, error in result.damaged.items()]


def _verify_file(name: str, decode: bool, max_pixels: int, device: str, bar: Bar) -> tuple[int, list[str]]:
    from mtcodec.cli.common import load_codec, open_file
    from mtcodec.coders import sections
    from mtcodec.errors import SectionError
    from mtcodec.weights import store

    problems: list[str] = []
    try:
        with open_file(name, max_pixels) as reader:
            for section in reader.header.sections:
                try:
                    reader.payload(section.name)
                except SectionError as error:
                    problems.append(f"{name}: {error}")
            if decode and not problems:
                if any(s.neural for s in reader.header.sections):
                    path = store.find_fingerprint(reader.header.fingerprint)
                    load_codec(str(path), device, 0).decode(reader)
                else:
                    for task in reader.header.tasks:
                        sections.read(reader, task)
    except FormatError as error:
        problems.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    return 1, problems
