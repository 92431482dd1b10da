"""``mtcodec pack``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import ShowProgress, progress_bar, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.outputs import SUFFIX
from mtcodec.cli.report import batch_summary, counted
from mtcodec.cli.scenes import check_tasks, find, with_listed
from mtcodec.errors import SceneError
from mtcodec.messages import Loss, rephrased

if TYPE_CHECKING:
    from mtcodec.archive.pack import Job, Summary
    from mtcodec.codec.request import Request
    from mtcodec.files.trees.layouts import SceneFiles

MAX_NOTES = 20  # lines about scenes that are shown


@takes_groups
def pack(
    *,
    datasets: list[Path] | None = typer.Argument(
        None, metavar="DATASET...", help="Scenes in any layout of encode --help."
    ),
    output: str = options.output_option(
        "ARCHIVE", missing="ARCHIVE",
        help="Directory of the archive, or a URL (s3://, gs://); a run that was stopped goes on.",
    ),
    quality: options.QualityOptions,
    bounds: options.BoundOptions,
    tasks: str = options.TASKS_TO_ENCODE,
    attach: list[str] | None = options.ATTACH,
    printing: options.PrintOptions,
    batch: options.BatchOptions,
    append: bool = option(
        False, None, "Add scenes to an archive that has others, of another dataset, too.", panel=options.MANY
    ),
    shard_scenes: int = option(
        8192, "N", "Scenes of one Parquet file; a killed run does at most these again.",
        panel=options.MANY, min=1,
    ),
    images: options.ImageOptions,
    reading: options.ReadingOptions,
    coding: options.EncodingOptions,
    cluster: options.ClusterOptions,
) -> None:  # fmt: skip
    """Encode datasets into an archive: Parquet files with one row a scene and one column a task.

    Scenes are coded as encode does, all with the same weights (auto: those that suit a sample best).

    Run it again to go on after an interruption, or when the dataset has grown: scenes that are there are
    left out, and refused if their images are others. To an archive that has scenes that the dataset has not,
    add with --append.
    """
    from mtcodec.archive.pack import pack as run

    request = options.request_of(quality, bounds, images, coding, weights=coding.weights)
    paths = with_listed(datasets, batch.files_from)
    if encoded := [path for path in paths if path.is_file() and path.suffix == SUFFIX]:
        raise SceneError(
            "is encoded already: an archive is packed of images, as decode writes", path=encoded[0]
        )
    how = reading.reading()
    scenes = find(paths, request.tasks, images.tasks_by_name(), printing.note, attach, how)
    check_tasks(request, scenes)
    job = replace(
        _job(scenes, request, values.names(tasks), coding.weights, attach or (), output, printing.quiet),
        reading=how,
    )
    started = time.monotonic()
    with progress_bar(printing.quiet) as bar:
        bar("starting", 0, 0)
        summary = run(
            scenes, output, job, engine_name=cluster.engine, workers=cluster.workers, shard_rows=shard_scenes,
            skip_errors=batch.skip_errors, append=append, progress=_shown(bar),
        )  # fmt: skip
    seconds = time.monotonic() - started
    for error in summary.skipped.values():
        warn(f"skipped: {error}")
    _tell(summary.notes, printing)
    printing.show(_facts(summary, seconds), _table(summary, output, seconds))
    if summary.skipped:
        raise SceneError(f"{len(summary.skipped)} of {len(scenes)} scenes could not be encoded")


def _job(
    scenes: list[SceneFiles], request: Request, tasks: Sequence[str] | None, weights: str,
    attach: Sequence[str], output: str, quiet: bool,
) -> Job:  # fmt: skip
    """How each scene is encoded, with weights that suit all; first, what cannot be is told of."""
    from mtcodec.archive.choice import choose_weights, tasks_of
    from mtcodec.archive.manifest import arrow
    from mtcodec.archive.pack import Job
    from mtcodec.archive.store import store_at

    present = tasks_of(scenes, request.tasks)
    task_names = tuple(tasks or present)
    missing = [task for task in task_names if task not in present]
    if missing:
        raise SceneError(f"no scene has an image of task {missing[0]!r}")
    arrow()  # it may be missing, which is told before any work
    with store_at(output).locked():  # or it cannot be written
        pass
    with progress_bar(quiet) as bar:
        bar("choosing weights", 0, 0)
        chosen = choose_weights(weights, scenes, task_names, request, output)
    return Job(chosen, task_names, request, tuple(attach))


def _tell(notes: Counter[str], printing: options.PrintOptions) -> None:
    """Print lines about scenes, those of losses first; of each sort the most frequent ones."""
    losses = [item for item in notes.most_common() if isinstance(item[0], Loss)]
    others = [item for item in notes.most_common() if not isinstance(item[0], Loss)]
    for lines in (losses, others):
        for line, count in lines[:MAX_NOTES]:
            printing.note(rephrased(line, f"{line} ({counted(count)})"))
        if len(lines) > MAX_NOTES:
            printing.note(rephrased(lines[0][0], f"and {len(lines) - MAX_NOTES} more such lines"))


def _shown(bar: ShowProgress) -> Callable[[Summary, int], None]:
    """Shows on ``bar`` how fast scenes are packed, from now on, and into how many bits per pixel."""
    started = time.monotonic()

    def progress(summary: Summary, total: int) -> None:
        scenes_per_second = summary.scenes / max(time.monotonic() - started, 1e-3)
        bpp = 8 * summary.total / max(summary.pixels, 1)
        done = summary.before + summary.scenes + len(summary.skipped)
        bar(f"{scenes_per_second:.1f} scenes/s, {bpp:.3f} bpp", done, total)

    return progress


def _facts(summary: Summary, seconds: float) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "scenes": summary.scenes, "before": summary.before,
        "skipped": {key: str(error) for key, error in summary.skipped.items()},
        "bytes_read": summary.read, "bytes": summary.total,
        "bpp": round(8 * summary.total / max(summary.pixels, 1), 6),
        "columns": summary.columns, "weights_bytes": summary.weights, "seconds": round(seconds, 1),
    }  # fmt: skip


def _table(summary: Summary, output: str, seconds: float) -> Iterator[str]:
    """A line about the archive, and one for every column."""
    skipped = len(summary.skipped)
    line = batch_summary(
        summary.scenes, summary.read, summary.total, seconds, summary.before, skipped, summary.weights
    )
    yield f"{output}: {line}"
    if not summary.scenes:
        return
    width = max([10, *map(len, summary.columns)])
    for name, size in [*summary.columns.items(), ("in all", summary.total)]:
        size_per_scene, bpp = size / summary.scenes, 8 * size / summary.pixels
        yield f"  {name:<{width}} {size:>12} bytes  {size_per_scene:10.1f} a scene  {bpp:8.4f} bpp"
