"""``mtcodec unpack``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import progress_bar
from mtcodec.cli.report import total
from mtcodec.errors import SceneError, UsageError

Source = Annotated[str, typer.Argument(metavar="ARCHIVE", help="A directory, or a URL (s3://, https://).")]


def unpack(
    archive: Source,
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
    workers: options.Workers = 0,
    engine: options.Engine = "local",
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
        done = run(
            ArchiveReader(archive, max_pixels or MAX_PIXELS), output,
            values.names(tasks), keys_of(keys), engine_name=engine, workers=workers, force=force,
            progress=lambda k, total: bar("unpacking", k, total),
        )  # fmt: skip
    if not quiet:
        line = total(done.scenes, done.read, done.written, time.monotonic() - started)
        typer.echo(f"{output}: {line}")


def keys_of(keys: str) -> list[str] | None:
    """``a,b``, or the lines of the file of ``@FILE``; None for all."""
    if not keys.startswith("@"):
        return values.names(keys)
    try:
        return [line.strip() for line in Path(keys[1:]).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read it: {error}", path=keys[1:]) from error
