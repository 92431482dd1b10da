"""``mtcodec pack``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import check_tasks, declared_by, find, note, progress_bar, silent, warn, with_listed
from mtcodec.cli.report import counted, total
from mtcodec.errors import SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.archive.pack import Summary

NOTES = 20  # lines about scenes that are shown


def pack(
    datasets: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DATASET...", help="Scenes in any layout of encode --help."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="ARCHIVE",
            help="Directory of the archive, or a URL (s3://, gs://); a run that was stopped goes on.",
        ),
    ] = None,
    quality: options.Quality = None,
    max_error: options.MaxError = None,
    lossless: options.Lossless = "",
    tasks: options.Tasks = "",
    attach: options.Attach = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    skip_errors: options.SkipErrors = False,
    files_from: options.FilesFrom = "",
    append: Annotated[
        bool,
        typer.Option(
            "--append", rich_help_panel=options.MANY,
            help="Add scenes to an archive that has others, of another dataset, too.",
        ),
    ] = False,
    part_scenes: Annotated[
        int,
        typer.Option(
            "--part-scenes", metavar="N", min=1, rich_help_panel=options.MANY,
            help="Scenes of one Parquet file; a killed run does at most these again.",
        ),
    ] = 8192,
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    unit: options.Unit = None,
    invalid: options.Invalid = None,
    coding: options.Coding = "auto",
    effort: options.Effort = "normal",
    weights: options.Weights = "auto",
    measures: options.Measures = False,
    workers: options.Workers = 0,
    engine: options.Engine = "local",
) -> None:  # fmt: skip
    """Encode datasets into an archive: Parquet files with one row a scene and one column a task.

    Scenes are coded as encode does, all with the same weights (auto: those that suit a sample best).

    Run it again to go on after an interruption, or when the dataset has grown: scenes that are there are
    left out. To an archive that has scenes that the dataset has not, add with --append.
    """
    from mtcodec.archive.choice import choose_weights, tasks_of
    from mtcodec.archive.manifest import arrow
    from mtcodec.archive.pack import Job
    from mtcodec.archive.pack import pack as run
    from mtcodec.archive.write import locked

    if not output:
        raise UsageError("missing -o ARCHIVE")
    request = values.request(
        known=declared_by(weights),
        quality=quality, tasks=task, invalid=invalid, max_error=max_error, lossless=lossless, unit=unit,
        coding=coding, effort=effort, measures=measures,
    )  # fmt: skip
    names = dict(values.assignments(name or [], "another name"))
    scenes = find(with_listed(datasets, files_from), request.tasks, names,
                  tell=silent if quiet else note, attach=attach or ())  # fmt: skip
    check_tasks(request, scenes)
    present = tasks_of(scenes, request.tasks)
    wanted = tuple(values.names(tasks) or present)
    missing = [one for one in wanted if one not in present]
    if missing:
        raise SceneError(f"no scene has an image of task {missing[0]!r}")
    arrow()  # it may be missing, which is told before any work
    with locked(output):  # or it cannot be written
        pass
    with progress_bar(quiet) as bar:
        bar("choosing weights", 0, 0)
        chosen = choose_weights(weights, scenes, wanted, request, output)
    job = Job(chosen, wanted, request, tuple(attach or ()))
    started = time.monotonic()
    with progress_bar(quiet) as bar:
        bar("starting", 0, 0)

        def show(summary: Summary, total: int) -> None:
            seconds = max(time.monotonic() - started, 1e-3)
            bpp = 8 * summary.total / max(summary.pixels, 1)
            what = f"{summary.scenes / seconds:.1f} scenes/s, {bpp:.3f} bpp"
            bar(what, summary.before + summary.scenes + len(summary.skipped), total)

        summary = run(scenes, output, job, engine_name=engine, workers=workers, shard_rows=part_scenes,
                      skip_errors=skip_errors, append=append, progress=show)  # fmt: skip
    _print(summary, output, time.monotonic() - started, as_json, quiet)
    if summary.skipped:
        raise SceneError(f"{len(summary.skipped)} of {len(scenes)} scenes could not be encoded")


def _print(summary: Summary, output: str, seconds: float, as_json: bool, quiet: bool) -> None:
    for error in summary.skipped.values():
        warn(f"skipped: {error}")
    if not quiet:
        for line, count in summary.notes.most_common(NOTES):
            note(f"{line} ({counted(count)})")
        if len(summary.notes) > NOTES:
            note(f"and {len(summary.notes) - NOTES} more such lines")
    if as_json:
        typer.echo(json.dumps(_facts(summary, seconds)))
    elif not quiet:
        _table(summary, output, seconds)


def _facts(summary: Summary, seconds: float) -> dict[str, Any]:
    return {
        "scenes": summary.scenes, "before": summary.before,
        "skipped": {key: str(error) for key, error in summary.skipped.items()},
        "bytes_read": summary.read, "bytes": summary.total,
        "bpp": round(8 * summary.total / max(summary.pixels, 1), 6),
        "columns": summary.columns, "weights_bytes": summary.weights, "seconds": round(seconds, 1),
    }  # fmt: skip


def _table(summary: Summary, output: str, seconds: float) -> None:
    line = total(summary.scenes, summary.read, summary.total, seconds, summary.before, len(summary.skipped),
                 summary.weights)  # fmt: skip
    typer.echo(f"{output}: {line}")
    rows = [*summary.columns.items(), ("in all", summary.total)] if summary.scenes else []
    for name, size in rows:
        each, bpp = size / summary.scenes, 8 * size / summary.pixels
        typer.echo(f"  {name:<10} {size:>12} bytes  {each:10.1f} a scene  {bpp:8.4f} bpp")
