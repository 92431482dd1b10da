"""``mtcodec decode``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.batch import Outcome, run_batch
from mtcodec.cli.common import make_directory, open_file, refuse_existing, set_threads, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.outputs import work_of
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import FormatError, MtcodecError, SectionError

if TYPE_CHECKING:
    from mtcodec.container.mtc import Reader


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
    printing: options.MessageOptions,
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
        decoder, work, partial(_print_decoded, quiet=printing.quiet), "decoding", jobs,
        skip_errors=several and skip_errors, quiet=printing.quiet, summarise=several and not printing.quiet,
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


@dataclass
class Decoded(Outcome):
    """What became of a file: the paths that are written, and what is damaged."""

    paths: list[Path] = field(default_factory=list)
    lost: list[SectionError] = field(default_factory=list)


@dataclass(frozen=True)
class Decoder:
    """Decodes files; networks are loaded once in a process.

    Attributes:
        tasks: those to decode; None: all.
        weights: names or paths of weights besides the installed ones.
        max_pixels: larger images are refused.
    """

    tasks: list[str] | None
    weights: list[str]
    device: str
    threads: int
    max_pixels: int
    force: bool

    def __call__(self, work: tuple[str, Path]) -> Decoded:
        """Decode a file; an error of it is in the result."""
        result = Decoded(work[0])
        try:
            self._decode(*work, result)
        except MtcodecError as error:
            result.error = error
        return result

    def _decode(self, file: str, directory: Path, result: Decoded) -> None:
        """Write images and attachments of ``file`` to ``directory``; ``result`` notes what is done."""
        from mtcodec.codec.api import Codec
        from mtcodec.files.images import suffix_for, write_image
        from mtcodec.files.output import write_atomic

        lost: list[SectionError] = []
        with open_file(file, self.max_pixels) as reader:
            result.read = reader.size
            task_names = self.tasks or list(reader.header.tasks)
            for name in task_names:
                reader.header.task(name)
                for suffix in (".png", ".npy"):
                    refuse_existing(directory / (name + suffix), self.force)
            if any(reader.header.task(name).is_neural for name in task_names):
                set_threads(self.threads)
            attached = self._attached(reader, directory, lost)
            try:
                images = Codec(self.weights, self.device).decode(reader, task_names, lost.append)
            except FormatError as error:
                raise error.at(path=file) from None
        result.lost = lost
        contents: list[tuple[str, Callable[[Path, Any], None], Any]] = [
            *((name + suffix_for(image), write_image, image) for name, image in images.items()),
            *((name, write_atomic, data) for name, data in attached.items()),
        ]
        for name, write, content in contents:
            path = directory / name
            make_directory(path.parent)
            write(path, content)
            result.paths.append(path)
            result.written += path.stat().st_size
        if lost:
            raise FormatError(f"damaged; {len(images)} of {len(task_names)} tasks decoded", path=file)

    def _attached(self, reader: Reader, directory: Path, lost: list[SectionError]) -> dict[str, bytes]:
        """Files that are kept beside the images; damage is added to ``lost``."""
        from mtcodec.container import attachments

        try:
            files = attachments.read(reader)
        except SectionError as error:
            lost.append(error)
            return {}
        for name in files:
            refuse_existing(directory / name, self.force)
        return files
