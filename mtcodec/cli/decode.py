"""``mtcodec decode``, ``info`` and ``extract``: what is done with files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.batch import run_batch
from mtcodec.cli.common import emit, open_archive, open_file, progress_bar, show, warn
from mtcodec.cli.decoding import Decoded, Decoder, work_of
from mtcodec.cli.groups import option, takes_groups
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, UsageError


@takes_groups
def decode(
    *,
    files: list[str] = typer.Argument(
        metavar="FILE...", help=".mtc files, or directories of them; - is standard input."
    ),
    output: Path | None = option(
        None, "DIR", "Directory; default: FILE without its suffix.", "-o", "--output"
    ),
    tasks: str = options.ONLY_TASKS,
    force: bool = options.FORCE,
    quiet: bool = options.QUIET,
    jobs: int = options.JOBS,
    skip_errors: bool = option(
        False, None, "Go on past files that cannot be decoded; exit code 3.", panel=options.MANY
    ),
    weights: str = options.MORE_WEIGHTS,
    machine: options.MachineOptions,
    max_pixels: int = options.PIXEL_LIMIT,
) -> None:
    """Decode files, or some of their tasks, to images.

    One file becomes DIR/TASK.png (.npy where PNG cannot hold it). Several files, or a directory of them,
    become DIR/KEY/TASK.png, where KEY is the name of the file, or its path in the directory; without -o, the
    images lie beside each file. What encode --attach kept is written with the images.
    """
    work, several = work_of(files, output)
    decoder = Decoder(
        values.names(tasks), values.weights_list(weights), machine.device, machine.threads, max_pixels, force
    )
    failed = run_batch(
        decoder, work, partial(_print_decoded, quiet=quiet), "decoding", jobs,
        skip_errors=several and skip_errors, quiet=quiet, summarise=several and not quiet,
    )  # fmt: skip
    if failed:
        raise FormatError(f"{failed} of {len(work)} files could not be decoded")


def _print_decoded(result: Decoded, quiet: bool) -> None:
    """Print the paths of images, and warnings about what is lost."""
    for path in result.paths if not quiet else ():
        typer.echo(str(path))
    for loss in result.lost:
        part = "what is attached" if loss.section == ATTACHMENTS else f"task {loss.task or loss.section}"
        warn(f"{result.label}: {part} is lost: {loss}")


@takes_groups
def info(*, file: str = options.FILE_OR_ARCHIVE, as_json: bool = options.JSON) -> None:
    """Show a file's sections, and what decoding each task needs; or the same of an archive."""
    from mtcodec.archive.names import is_archive

    if is_archive(file):
        show(*_archive(file), as_json)
        return
    with open_file(file) as reader:
        facts = report.facts(reader, file)
        show(facts, report.file_lines(facts), as_json)
        if not reader.complete:
            raise FormatError("the file ends before its last section does", path=file)


def _archive(path: str) -> tuple[dict[str, Any], Iterator[str]]:
    """What an archive holds, as its index and the footers of its parts tell: for JSON, and for people."""
    reader = open_archive(path)
    manifest, sizes = reader.manifest, dict(reader.sizes)
    facts = {
        "archive": path, "scenes": reader.rows, "parts": len(reader.shards), "bytes": sum(sizes.values()),
        "fingerprint": manifest.fingerprint, "tasks": [t.name for t in manifest.tasks],
        "settings": manifest.settings, "columns": sizes, "weights_bytes": reader.weights_size(),
    }  # fmt: skip

    def lines() -> Iterator[str]:
        settings = ", ".join(f"{name} {value}" for name, value in manifest.settings.items())
        parts = report.counted(len(reader.shards), "part")
        yield f"{path}: {reader.rows} scenes in {parts}, weights {manifest.fingerprint}, {settings}"
        for column, size in sizes.items():
            yield f"  {column:<10} {size:>12} bytes  {size / max(reader.rows, 1):10.1f} a scene"
        if facts["weights_bytes"]:
            yield f"  {'weights':<10} {facts['weights_bytes']:>12} bytes for all scenes"
        for task in manifest.tasks if sizes else []:
            needed = manifest.columns_for([task.name])
            total = sum(sizes.get(name, 0) for name in needed)
            yield f"  to decode {task.name}: {total} bytes ({' + '.join(needed)})"

    return facts, lines()


@takes_groups
def extract(
    *,
    file: str = options.FILE_OR_ARCHIVE,
    tasks: str = option(..., "TASKS", "Tasks to keep, e.g. depth,normal."),
    output: str | None = option(
        None, "OUT", "Output file, - is standard output; of an archive, a directory or URL.", "-o", "--output"
    ),
    force: bool = options.FORCE,
) -> None:
    """Copy some tasks of a file into a new file, or of an archive into a new archive, without re-encoding."""
    from mtcodec.archive.names import is_archive
    from mtcodec.container import mtc as container

    if not output:
        raise UsageError("missing -o OUT")
    wanted = values.names(tasks) or []
    if is_archive(file):
        from mtcodec.archive.check import extract as run

        with progress_bar() as bar:
            run(open_archive(file), output, wanted, partial(bar, "copying"), force)
        return
    with open_file(file) as reader:
        try:
            data = container.extract(reader, wanted)
        except FormatError as error:
            raise error.at(path=file) from None
    emit(data, Path(output), force)
