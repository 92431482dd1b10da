"""``mtcodec verify``."""

from __future__ import annotations

from functools import partial

import typer

from mtcodec.cli import options
from mtcodec.cli.common import ShowProgress, open_archive, open_file, progress_bar
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import counted
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError


@takes_groups
def verify(
    *,
    files: list[str] = typer.Argument(metavar="FILE|ARCHIVE...", help=".mtc files and archives."),
    decode: bool = option(False, None, "Decode everything, too, which takes longer."),
    max_pixels: int = options.PIXEL_LIMIT,
    device: str = options.DEVICE,
    quiet: bool = options.QUIET,
) -> None:
    """Check all checksums of files and archives, and name what is damaged; exit code 3 if anything is."""
    from mtcodec.archive.names import is_archive

    damaged = 0
    with progress_bar(quiet) as bar:
        for name in files:
            if is_archive(name):
                scenes, problems = _verify_archive(name, decode, max_pixels, device, bar)
            else:
                scenes, problems = 1, _verify_file(name, decode, max_pixels, device)
            for problem in problems:
                typer.echo(f"mtcodec: {problem}", err=True)
            damaged += len(problems)
            if not quiet and not problems:
                typer.echo(f"{name}: {counted(scenes)}, undamaged")
    if damaged:
        raise FormatError(f"{damaged} damaged")


def _verify_archive(
    name: str, decode: bool, max_pixels: int, device: str, bar: ShowProgress
) -> tuple[int, list[FormatError]]:
    """The number of an archive's scenes, and what is damaged."""
    from mtcodec.archive.check import verify as run

    result = run(open_archive(name, max_pixels), decode, device, partial(bar, name))
    return result.scenes, list(result.damaged.values())


def _verify_file(name: str, decode: bool, max_pixels: int, device: str) -> list[FormatError]:
    """What is damaged of a file."""
    from mtcodec.container import attachments

    problems: list[FormatError] = []
    try:
        with open_file(name, max_pixels) as reader:
            for section in reader.header.sections:
                try:
                    reader.payload(section.name)
                    if section.name == ATTACHMENTS:
                        attachments.read(reader)
                except FormatError as error:
                    problems.append(error.at(path=name))
            if decode and not problems:
                from mtcodec.codec.api import Codec

                Codec((), device).decode(reader)
    except FormatError as error:
        problems.append(error.at(path=name))
    return problems
