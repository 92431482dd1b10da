"""``mtcodec verify``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from mtcodec.cli import options
from mtcodec.cli.common import open_file, progress_bar
from mtcodec.cli.report import counted
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError

ShowDone = Callable[[int, int], None]
"""Called with how much is done, and how much there is."""
Checked = tuple[int, list[FormatError]]
"""Number of scenes, and what is damaged."""


def verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE|ARCHIVE...", help=".mtc files and archives.")],
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode everything, too, which takes longer.")
    ] = False,
    max_pixels: options.MaxPixels = 0,
    device: options.Device = "cpu",
    quiet: options.Quiet = False,
) -> None:
    """Check all checksums of files and archives, and name what is damaged; exit code 3 if anything is."""
    from mtcodec.archive.names import is_archive

    damaged = 0
    with progress_bar(quiet) as bar:
        for name in files:
            check = _verify_archive if is_archive(name) else _verify_file
            scenes, problems = check(name, decode, max_pixels, device, partial(bar, name))
            for problem in problems:
                typer.echo(f"mtcodec: {problem}", err=True)
            damaged += len(problems)
            if not quiet and not problems:
                typer.echo(f"{name}: {counted(scenes)}, undamaged")
    if damaged:
        raise FormatError(f"{damaged} damaged")


def _verify_archive(name: str, decode: bool, max_pixels: int, device: str, show: ShowDone) -> Checked:
    """The number of an archive's scenes, and what is damaged."""
    from mtcodec.archive.check import verify as run
    from mtcodec.archive.read import ArchiveReader
    from mtcodec.container.header import MAX_PIXELS

    reader = ArchiveReader(name, max_pixels or MAX_PIXELS)
    return reader.rows, list(run(reader, decode, device, show).values())


def _verify_file(name: str, decode: bool, max_pixels: int, device: str, show: ShowDone) -> Checked:
    """One scene, and the sections of its file that are damaged."""
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
    return 1, problems
