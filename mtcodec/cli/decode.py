"""``mtcodec decode``, ``info`` and ``extract``: what is done with files."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.common import emit, open_file, progress_bar, submitter, warn
from mtcodec.cli.decoding import Decoder, work_of
from mtcodec.cli.groups import takes_groups
from mtcodec.errors import FormatError, UsageError


@takes_groups
def decode(
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help=".mtc files, or directories of them; - is standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Directory; default: FILE without its suffix."),
    ] = None,
    tasks: options.OnlyTasks = "",
    force: options.Force = False,
    quiet: options.Quiet = False,
    jobs: options.Jobs = 1,
    skip_errors: Annotated[
        bool,
        typer.Option(
            "--skip-errors", help="Go on past files that cannot be decoded; exit code 3.",
            rich_help_panel=options.MANY,
        ),
    ] = False,
    weights: options.MoreWeights = "",
    machine: options.MachineOptions,
    max_pixels: options.MaxPixels = 0,
) -> None:  # fmt: skip
    """Decode files, or some of their tasks, to images.

    One file becomes DIR/TASK.png (.npy where PNG cannot hold it). Several files, or a directory of them,
    become DIR/KEY/TASK.png, where KEY is the name of the file, or its path in the directory; without -o, the
    images lie beside each file. What encode --attach kept is written with the images.
    """
    started = time.monotonic()
    work, several = work_of(files, output)
    decoder = Decoder(
        values.names(tasks), values.weights_list(weights), machine.device, machine.threads, max_pixels, force
    )
    end = len(work) if several else 0  # of one file, progress is unknown
    scenes = read = written = 0
    failed: list[str] = []
    with progress_bar(quiet) as bar, submitter(decoder, len(work), jobs) as submit:
        bar("decoding", 0, end)
        for result in submit(work):
            result.show(quiet)
            if result.error is not None and not (several and skip_errors):
                raise result.error
            if result.error is not None:
                failed.append(str(result.error))
            scenes += result.error is None
            read, written = read + result.read, written + result.written
            bar("decoding", scenes + len(failed), end)
    for line in failed:
        warn(f"skipped: {line}")
    if several and not quiet:
        typer.echo(
            report.batch_summary(scenes, read, written, time.monotonic() - started, failed=len(failed))
        )
    if failed:
        raise FormatError(f"{len(failed)} of {len(work)} files could not be decoded")


def info(file: options.FileOrArchive, as_json: options.Json = False) -> None:
    """Show a file's sections, and what decoding each task needs; or the same of an archive."""
    from mtcodec.archive.names import is_archive

    if is_archive(file):
        print_archive(file, as_json)
        return
    with open_file(file) as reader:
        report.print_file(report.facts(reader, file), as_json)
        if not reader.complete:
            raise FormatError("the file ends before its last section does", path=file)


def print_archive(path: str, as_json: bool) -> None:
    """What an archive holds, as its index and the footers of its parts tell."""
    from mtcodec.archive.read import ArchiveReader

    reader = ArchiveReader(path)
    manifest = reader.manifest
    sizes = dict(reader.sizes)
    facts = {
        "archive": path, "scenes": reader.rows, "parts": len(reader.shards), "bytes": sum(sizes.values()),
        "fingerprint": manifest.fingerprint, "tasks": [t.name for t in manifest.tasks],
        "settings": manifest.settings, "columns": sizes, "weights_bytes": reader.weights_size(),
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(facts))
        return
    settings = ", ".join(f"{name} {value}" for name, value in manifest.settings.items())
    parts = f"{len(reader.shards)} part{'s' * (len(reader.shards) != 1)}"
    typer.echo(f"{path}: {reader.rows} scenes in {parts}, weights {manifest.fingerprint}, {settings}")
    for column, size in sizes.items():
        typer.echo(f"  {column:<10} {size:>12} bytes  {size / max(reader.rows, 1):10.1f} a scene")
    if facts["weights_bytes"]:
        typer.echo(f"  {'weights':<10} {facts['weights_bytes']:>12} bytes for all scenes")
    for task in manifest.tasks if sizes else []:
        needed = manifest.columns_for([task.name])
        total = sum(sizes.get(name, 0) for name in needed)
        typer.echo(f"  to decode {task.name}: {total} bytes ({' + '.join(needed)})")


def extract(
    file: options.FileOrArchive,
    tasks: Annotated[str, typer.Option("--tasks", metavar="TASKS", help="Tasks to keep, e.g. depth,normal.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Output file, - is standard output; of an archive, a directory or URL.",
        ),
    ] = None,
    force: options.Force = False,
) -> None:
    """Copy some tasks of a file into a new file, or of an archive into a new archive, without re-encoding."""
    from mtcodec.archive.names import is_archive
    from mtcodec.container import mtc as container

    if not output:
        raise UsageError("missing -o OUT")
    wanted = values.names(tasks) or []
    if is_archive(file):
        from mtcodec.archive.check import extract as run
        from mtcodec.archive.read import ArchiveReader

        with progress_bar() as bar:
            run(ArchiveReader(file), output, wanted, partial(bar, "copying"), force)
        return
    with open_file(file) as reader:
        try:
            data = container.extract(reader, wanted)
        except FormatError as error:
            raise error.at(path=file) from None
    emit(data, Path(output), force)
