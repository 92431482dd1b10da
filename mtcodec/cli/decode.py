"""``mtcodec decode``, ``info`` and ``extract``: what is done with files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli import options, report, values
from mtcodec.cli.common import (
    emit,
    make_directory,
    open_file,
    progress_bar,
    refuse_existing,
    set_threads,
    warn,
)
from mtcodec.errors import FormatError, OutputError, UsageError

if TYPE_CHECKING:
    from mtcodec.errors import SectionError


def decode(
    file: options.File,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Directory; default: FILE without its suffix."),
    ] = None,
    tasks: options.Only = "",
    force: options.Force = False,
    quiet: options.Quiet = False,
    weights: options.MoreWeights = "",
    threads: options.Threads = 0,
    device: options.Device = "cpu",
    max_pixels: options.MaxPixels = 0,
) -> None:
    """Decode a file, or some of its tasks, to images."""
    from mtcodec.archive.names import is_archive
    from mtcodec.codec.api import Codec
    from mtcodec.files.images import suffix_for, write_image

    if is_archive(file):
        raise UsageError(f"{file} is an archive: mtcodec unpack decodes it")
    directory = _directory(file, output)
    with open_file(file, max_pixels) as reader:
        wanted = values.names(tasks) or list(reader.header.tasks)
        for name in wanted:
            reader.header.task(name)
            for suffix in (".png", ".npy"):
                refuse_existing(directory / (name + suffix), force)
        if any(reader.header.task(name).neural for name in wanted):
            set_threads(threads)
        lost: list[SectionError] = []
        try:
            codec = Codec(weights.split(",") if weights else (), device)
            images = codec.decode(reader, wanted, lost.append)
        except FormatError as error:
            raise error.at(path=file) from None
    if images:
        make_directory(directory)
    for name, image in images.items():
        path = directory / (name + suffix_for(image))
        write_image(path, image)
        if not quiet:
            typer.echo(str(path))
    for loss in lost:
        warn(f"{file}: task {loss.task or loss.section} is lost: {loss}")
    if lost:
        raise FormatError(f"damaged; {len(images)} of {len(wanted)} tasks decoded", path=file)


def _directory(file: str, output: Path | None) -> Path:
    """Where images go."""
    if output is None:
        if file == "-":
            raise UsageError("standard input needs -o DIR")
        output = Path(file).with_suffix("")
        if output == Path(file):
            raise UsageError(f"{file} has no suffix to leave out: name a directory with -o")
    if str(output) == "-":
        raise UsageError("images go to a directory, not to standard output")
    if output.exists() and not output.is_dir():
        raise OutputError("exists and is not a directory", path=output)
    return output


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
    from mtcodec.archive.read import Opened

    opened = Opened(path)
    about = opened.about
    sizes = dict(opened.sizes)
    facts = {
        "archive": path, "scenes": opened.rows, "parts": len(opened.parts), "bytes": sum(sizes.values()),
        "fingerprint": about.fingerprint, "tasks": [t.name for t in about.tasks],
        "settings": about.settings, "columns": sizes,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(facts))
        return
    settings = ", ".join(f"{name} {value}" for name, value in about.settings.items())
    parts = f"{len(opened.parts)} part{'s' * (len(opened.parts) != 1)}"
    typer.echo(f"{path}: {opened.rows} scenes in {parts}, weights {about.fingerprint}, {settings}")
    for column, size in sizes.items():
        typer.echo(f"  {column:<10} {size:>12} bytes  {size / max(opened.rows, 1):10.1f} a scene")
    for task in about.tasks if sizes else []:
        needed = about.needs([task.name])
        total = sum(sizes.get(name, 0) for name in needed)
        typer.echo(f"  to decode {task.name}: {total} bytes ({' + '.join(needed)})")


def extract(
    file: options.FileOrArchive,
    tasks: Annotated[str, typer.Option("--tasks", metavar="TASKS", help="Tasks to keep, e.g. depth,normal.")],
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Copy some tasks of a file into a new file, or of an archive into a new archive, without re-encoding."""
    from mtcodec.archive.names import is_archive
    from mtcodec.format import container

    if output is None:
        raise UsageError("missing -o OUT")
    wanted = values.names(tasks) or []
    if is_archive(file):
        from mtcodec.archive.check import extract as run
        from mtcodec.archive.read import Opened

        with progress_bar() as bar:
            run(Opened(file), output, wanted, lambda k, total: bar("copying", k, total))
        return
    with open_file(file) as reader:
        try:
            data = container.extract(reader, wanted)
        except FormatError as error:
            raise error.at(path=file) from None
    emit(data, output, force)
