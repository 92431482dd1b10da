"""``mtcodec pack``."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import check_tasks, declared_by, find, note, progress_bar, silent, warn, with_listed
from mtcodec.cli.report import counted, total
from mtcodec.errors import SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.archive.pack import Summary
    from mtcodec.codec.request import Request
    from mtcodec.files.layouts import SceneFiles

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
    learn: Annotated[
        str,
        typer.Option(
            "--learn", metavar="TIME", rich_help_panel=options.CODING,
            help="First train weights on the dataset, for so long (2h, 90m), or auto: until an hour gains "
            "less than 1 %. They are used, and kept in the archive, if they pay.",
        ),
    ] = "",
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
    minutes = values.minutes(learn) if learn else None
    with locked(output):  # or it cannot be written
        pass
    with progress_bar(quiet) as bar:
        bar("choosing weights", 0, 0)
        chosen = choose_weights(weights, scenes, wanted, request, output)
    if minutes is not None:
        chosen = _learn(scenes, wanted, request, weights, chosen, output, minutes, skip_errors, quiet)
    job = Job(chosen, wanted, request, tuple(attach or ()))
    started = time.monotonic()
    with progress_bar(quiet) as bar:
        bar("starting", 0, 0)

        def show(summary: Summary, total: int) -> None:
            seconds = max(time.monotonic() - started, 1e-3)
            bpp = 8 * summary.total / max(summary.pixels, 1)
            what = f"{summary.scenes / seconds:.1f} scenes/s, {bpp:.3f} bpp"
            bar(what, summary.before + summary.scenes + len(summary.skipped), total)

        summary = run(scenes, output, job, engine_name=engine, workers=workers, part_rows=part_scenes,
                      skip_errors=skip_errors, append=append, progress=show)  # fmt: skip
    _print(summary, output, time.monotonic() - started, as_json, quiet)
    if summary.skipped:
        raise SceneError(f"{len(summary.skipped)} of {len(scenes)} scenes could not be encoded")


def _learn(
    scenes: Sequence[SceneFiles],
    tasks: Sequence[str],
    request: Request,
    weights: str,
    chosen: Path | None,
    output: str,
    minutes: float,
    skip_errors: bool,
    quiet: bool,
) -> Path | None:
    """The weights that a dataset is packed with after training some on it for so many minutes; 0: auto.

    ``chosen`` are those of ``weights`` that suit a sample best beside classical codecs; training starts from
    those whose networks do.
    """
    from mtcodec import extras
    from mtcodec.archive.choice import choose_weights
    from mtcodec.archive.write import part_names

    tell = silent if quiet else note
    if part_names(output):
        tell(f"{output} has scenes already: its weights are used")
        return choose_weights("auto", scenes, tasks, request, output)
    lossy = [request.tasks[name] for name in tasks if name in request.tasks]
    lossy = [task for task in lossy if not task.exact and task.name not in request.max_error]
    if not lossy or request.coding == "classical":
        raise UsageError("nothing to learn: no task is left to networks")
    extras.load("torch", "learning", "train")
    from mtcodec.archive.learn import compare, division, learn
    from mtcodec.cli.log import progress

    start = choose_weights(weights, scenes, tasks, replace(request, coding="neural"), output)
    training, held = division(scenes, tasks)
    text = str(output).rstrip("/")
    place = Path(text.rpartition("/")[2] if "://" in text else text)
    folder = place.with_name(place.name + ".learn")  # of a URL: in the working directory
    tell(f"learning from {len(training)} scenes; {len(held)} others are kept to compare on; see {folder}")
    learned = learn((training, held), lossy, start, folder, minutes, skip_errors=skip_errors,
                    report=(lambda record: None) if quiet else progress)  # fmt: skip
    candidates = dict.fromkeys([learned, start, chosen, None])
    if request.coding == "neural":
        del candidates[None]
    tried = compare(list(candidates), held, len(scenes), tasks, request)
    for one in tried:
        name = "no networks" if one.weights is None else one.weights.stem
        share = one.cost / tried[0].cost
        tell(f"{name}: {one.scene_bytes:.0f} bytes a scene, cost of the whole dataset {share:.3f}")
    return tried[0].weights


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
