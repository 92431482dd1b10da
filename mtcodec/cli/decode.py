"""``mtcodec decode``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import options, values
from mtcodec.cli.batch import Outcome, run_batch
from mtcodec.cli.common import make_directory, note, open_file, opened_sequence, set_threads, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.outputs import work_of
from mtcodec.cli.sequence_decode import decode_sequence, lost_text, parsed_frames
from mtcodec.errors import FormatError, MtcodecError, SectionError, UsageError
from mtcodec.messages import Loss

if TYPE_CHECKING:
    from mtcodec.container.mtc import Reader
    from mtcodec.signals.mapping import Array


FRAMES = option("", "A:B", "Frames of a sequence, the end excluded, e.g. 100:200.")


@takes_groups
def decode(
    *,
    files: list[str] = typer.Argument(
        metavar="FILE...", help=".mtc files, or directories of them; - is standard input."
    ),
    output: Path | None = option(
        None, "DIR", "Directory; default: FILE.decoded, without .mtc.", "-o", "--output"
    ),
    tasks: str = options.ONLY_TASKS,
    frames: str = FRAMES,
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
    become DIR/KEY/TASK.png, where KEY is the name of the file, or its path in the directory; without -o, they
    lie beside each file, those of x.mtc in x.decoded. What encode --attach kept is written with the images.
    A sequence becomes DIR/TASK/FRAME.png; numbers become DIR/TASK.npy, with a row for each frame.
    --force replaces images that decode or unpack has written, and nothing else.
    """
    work, several = work_of(files, output)
    decoder = Decoder(
        values.names(tasks), values.weights_list(weights), machine.device, machine.threads, max_pixels, force,
        parsed_frames(frames),
    )  # fmt: skip
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
    for line in result.notes:
        note(
            f"{result.label}: {line}" if not isinstance(line, Loss) else Loss(f"{result.label}: {line}"),
            quiet,
        )
    for loss in result.lost:
        warn(f"{result.label}: {lost_text(loss)}")


@dataclass
class Decoded(Outcome):
    """What became of a file: the paths that are written, and what is damaged."""

    paths: list[Path] = field(default_factory=list)
    lost: list[SectionError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """A file is written."""
        self.paths.append(path)
        self.written += path.stat().st_size


@dataclass(frozen=True)
class Decoder:
    """Decodes files; networks are loaded once in a process.

    Attributes:
        tasks: those to decode; None: all.
        weights: names or paths of weights besides the installed ones.
        max_pixels: larger images are refused.
        frames: those of sequences to decode; None: all.
    """

    tasks: list[str] | None
    weights: list[str]
    device: str
    threads: int
    max_pixels: int
    force: bool
    frames: slice | None = None

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
        from mtcodec.files.replacing import LocalDirectory, check_replaceable

        if (clip := opened_sequence(file, self.max_pixels)) is not None:
            set_threads(self.threads)
            clip.device = self.device
            clip.weights = tuple(self.weights)
            names = list(clip.tasks) if self.tasks is None else self.tasks
            decode_sequence(clip, directory, names, self.frames, self.force, result)
            return
        if self.frames is not None:
            raise UsageError("--frames are of sequences, and this is a scene", path=file)
        with open_file(file, self.max_pixels) as reader:
            result.read = reader.size
            task_names = self.tasks or list(reader.header.tasks)
            needs_networks = any(reader.header.task(name).is_neural for name in task_names)
            attached = _attached(reader, result.lost)
            existing = LocalDirectory(directory)
            replaceable = check_replaceable(existing, task_names, attached, self.force)
            if needs_networks:
                set_threads(self.threads)
            try:
                images = Codec(self.weights, self.device).decode(reader, task_names, result.lost.append)
            except FormatError as error:
                raise error.at(path=file) from None
        _write(images, attached, directory, result)
        for name in replaceable:  # the same image in the other format
            if Path(name).stem in images and existing.path(name) not in result.paths:
                existing.remove(name)
        if result.lost:
            raise FormatError(f"damaged; {len(images)} of {len(task_names)} tasks decoded", path=file)


def _attached(reader: Reader, lost: list[SectionError]) -> dict[str, bytes]:
    """Files that are kept beside the images; damage is added to ``lost``."""
    from mtcodec.container import attachments

    try:
        return attachments.read(reader)
    except SectionError as error:
        lost.append(error)
        return {}


def _write(
    images: Mapping[str, Array], attached: Mapping[str, bytes], directory: Path, result: Decoded
) -> None:
    """Write images, then files; ``result`` notes each."""
    from mtcodec.files.images import suffix_for, write_image
    from mtcodec.files.output import write_atomic

    if images or attached:
        make_directory(directory)
    for task, image in images.items():
        path = directory / (task + suffix_for(image))
        write_image(path, image)
        result.add(path)
    for name, data in attached.items():
        write_atomic(directory / name, data)
        result.add(directory / name)
