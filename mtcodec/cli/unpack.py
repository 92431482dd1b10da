"""``mtcodec unpack``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import progress_bar
from mtcodec.cli.groups import takes_groups
from mtcodec.cli.report import batch_summary
from mtcodec.errors import SceneError, UsageError


@takes_groups
def unpack(
    *,
    archive: options.Archive,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Directory, or URL, for scenes' images."),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option("--tasks", metavar="TASKS", help="Only these, e.g. depth; others are not read."),
    ] = "",
    keys: Annotated[
        str,
        typer.Option("--keys", metavar="KEYS", help="Only these scenes, e.g. a,b; @FILE: one a line."),
    ] = "",
    force: options.Force = False,
    quiet: options.Quiet = False,
    cluster: options.ClusterOptions,
    max_pixels: options.MaxPixels = 0,
) -> None:
    """Decode an archive's scenes to DIR/KEY/TASK.png (or .npy), with what is attached."""
    from mtcodec.archive.read import ArchiveReader
    from mtcodec.archive.unpack import unpack as run
    from mtcodec.container.header import MAX_PIXELS

    if not output:
        raise UsageError("missing -o DIRECTORY")
    started = time.monotonic()
    with progress_bar(quiet) as bar:
        summary = run(
            ArchiveReader(archive, max_pixels or MAX_PIXELS), output,
            values.names(tasks), keys_of(keys), force=force,
            engine_name=cluster.engine, workers=cluster.workers, progress=partial(bar, "unpacking"),
        )  # fmt: skip
    if not quiet:
        line = batch_summary(summary.scenes, summary.read, summary.written, time.monotonic() - started)
        typer.echo(f"{output}: {line}")


def keys_of(keys: str) -> list[str] | None:
    """``a,b``, or the lines of the file of ``@FILE``; None for all."""
    if not keys.startswith("@"):
        return values.names(keys)
    try:
        return [line.strip() for line in Path(keys[1:]).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read it: {error}", path=keys[1:]) from error
