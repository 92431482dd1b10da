"""``mtcodec unpack``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import open_archive, progress_bar
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import batch_summary
from mtcodec.errors import SceneError


@takes_groups
def unpack(
    *,
    archive: str = options.ARCHIVE,
    output: str = options.output_option("DIR", "Directory, or URL, for scenes' images.", "DIRECTORY"),
    tasks: str = option("", "TASKS", "Only these, e.g. depth; others are not read."),
    keys: str = option("", "KEYS", "Only these scenes, e.g. a,b; @FILE: one a line."),
    force: bool = options.FORCE,
    quiet: bool = options.QUIET,
    cluster: options.ClusterOptions,
    max_pixels: int = options.PIXEL_LIMIT,
) -> None:
    """Decode an archive's scenes to DIR/KEY/TASK.png (or .npy), with what is attached.

    --force replaces images that unpack or decode has written, and nothing else.
    """
    from mtcodec.archive.unpack import unpack as run

    started = time.monotonic()
    with progress_bar(quiet) as bar:
        summary = run(
            open_archive(archive, max_pixels), output, values.names(tasks), keys_of(keys), force=force,
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
