"""``mtcodec concat`` and ``cut``, and what other commands do with the files of sequences as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import options
from mtcodec.cli.common import emit, note, opened_sequence, refuse_existing
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import amount, counted
from mtcodec.cli.sequence_decode import parsed_frames, place_of
from mtcodec.cli.sequence_encoding import followed, temporary_path
from mtcodec.container.damage import damage_of
from mtcodec.errors import FormatError, OutputError

if TYPE_CHECKING:
    from mtcodec.sequences.copying import Copied, Write
    from mtcodec.sequences.read import Sequence as Clip

OUTPUT = options.output_option("OUT", "The new sequence; - is standard output.")


@takes_groups
def concat(
    *,
    files: list[str] = typer.Argument(
        metavar="FILE...", help="Sequences, in order; scenes are single frames."
    ),
    output: str = OUTPUT,
    force: bool = options.FORCE,
    printing: options.PrintOptions,
) -> None:
    """Join sequences to one, without re-encoding; their tasks must have the same sizes and values.

    Frames whose names are taken are renamed, and times that would go back are moved, which is told.
    """
    from mtcodec.sequences.joining import concat as join

    clips = [_clip(name) for name in files]
    copied = write_sequence(output, force, lambda write: join(clips, write))
    _print(output, copied, printing)


@takes_groups
def cut(
    *,
    file: str = typer.Argument(metavar="FILE", help="A sequence, or its URL."),
    frames: str = option(..., "A:B", "Frames to keep, the end excluded, e.g. 100:200."),
    output: str = OUTPUT,
    force: bool = options.FORCE,
    printing: options.PrintOptions,
) -> None:
    """Copy some frames of a sequence, without re-encoding: the groups that hold any of them, whole."""
    copied = write_cut(_clip(file), output, force, parsed_frames(frames), None)
    _print(output, copied, printing)


def _clip(name: str) -> Clip:
    """The sequence or scene in a file, or at a URL."""
    from mtcodec.sequences.read import Sequence as Clip

    clip = opened_sequence(name)
    return Clip(name, tell=note) if clip is None else clip


def write_cut(
    clip: Clip, output: str, force: bool, frames: slice | None, tasks: Sequence[str] | None
) -> Copied:
    """Write some frames and tasks of a sequence to a file."""
    from mtcodec.sequences import copying

    return write_sequence(output, force, lambda write: copying.cut(clip, write, frames, tasks))


def write_sequence(output: str, force: bool, copy: Callable[[Write], Copied]) -> Copied:
    """Let ``copy`` write a file, which is there whole or not at all."""
    path = Path(output)
    if output != "-":
        refuse_existing(path, force)
        if not path.parent.is_dir():
            raise OutputError("no such directory", path=path.parent)
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            copied = copy(file.write)
        if output == "-" or (path.exists() and not path.is_file()):
            emit(temporary.read_bytes(), path, force)
        else:
            temporary.replace(followed(path))
    except OSError as error:
        raise OutputError(f"cannot write it: {error.strerror or error}", path=path) from error
    finally:
        temporary.unlink(missing_ok=True)
    return copied


def _print(output: str, copied: Copied, printing: options.PrintOptions) -> None:
    for line in copied.notes:
        printing.note(line)
    if output == "-":
        return
    size = Path(output).stat().st_size
    facts: dict[str, Any] = {"file": output, "bytes": size, "frames": copied.frames, "groups": copied.groups}
    frames, groups = counted(copied.frames, "frame"), counted(copied.groups, "group")
    printing.show(facts, [f"{output}: {frames} in {groups}, {amount(size)}"])


# --- verified ------------------------------------------------------------------------------------------


def problems_of(clip: Clip, decode: bool) -> list[FormatError]:
    """What is damaged of a sequence."""
    name = clip.source.label
    problems = [FormatError(clip.index.problem, path=name)] if clip.index.problem else []
    for number, (start, stop) in enumerate(pairwise(clip.starts)):
        try:
            damage = list(damage_of(clip.group(number)))
            if decode and not damage:
                clip.frames(range(start, stop))
        except FormatError as error:
            damage = [error]
        problems += [_placed(problem, f"{name}: {place_of(clip, number)}") for problem in damage]
    try:
        if not problems:
            clip.names, clip.attachments()
    except FormatError as error:
        problems.append(error)
    return problems


def _placed(problem: FormatError, place: str) -> FormatError:
    problem.path = place
    return problem
