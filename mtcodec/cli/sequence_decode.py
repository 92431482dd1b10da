"""``mtcodec decode`` of sequences: a directory a task, an image a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli.common import make_directory
from mtcodec.container.section import ATTACHMENTS, NUMBERS
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.messages import Loss

if TYPE_CHECKING:
    from mtcodec.cli.decode import Decoded
    from mtcodec.sequences.read import Sequence as Clip
    from mtcodec.signals.mapping import Array

AT_ONCE = 16  # frames that are decoded and written together


def parsed_frames(text: str) -> slice | None:
    """``100:200``, ``:50``, ``-10:`` or ``7``; None for an empty text.

    Raises:
        UsageError: none of these.
    """
    if not text:
        return None
    try:
        numbers = [int(part) if part.strip() else None for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) == 1 and numbers[0] is not None:
        return slice(numbers[0], numbers[0] + 1 or None)
    if len(numbers) != 2:
        raise UsageError(f"not frames: {text!r} (100:200, the end excluded, or 7)")
    return slice(numbers[0], numbers[1])


def decode_sequence(
    clip: Clip, directory: Path, tasks: Sequence[str], frames: slice | None, force: bool, result: Decoded
) -> None:
    """Write DIR/TASK/FRAME.png (.npy where PNG cannot hold it), and numbers as DIR/TASK.npy, a row a frame.

    Only groups and sections that are needed are read. ``result`` notes what is written, and what is lost.

    Raises:
        UsageError: no such frames. OutputError: an image is there that may not be replaced.
    """
    numbers = range(len(clip)) if frames is None else range(*frames.indices(len(clip)))
    if not numbers:
        raise UsageError(f"no such frames: there are {len(clip)}", path=clip.source.label)
    groups = clip.groups_of(numbers)
    tables = _tables(clip, tasks, groups)
    attached = _attached(clip, groups, result)
    _check(clip, directory, tasks, tables, attached, numbers, force)
    rows: dict[str, list[Array]] = {name: [] for name in tables}
    decoded = 0
    for first in range(0, len(numbers), AT_ONCE):
        part = numbers[first : first + AT_ONCE]
        for number, frame in zip(part, _frames(clip, part, tasks, result)):
            name = clip.names[number] or "frame"
            for task, image in frame.items():
                decoded += 1
                if task in rows:
                    rows[task].append(image)
                else:
                    _write_image(directory / task, name, image, result)
    _write_tables(directory, rows, len(numbers), result)
    _write_attached(directory, attached, result)
    result.read = clip.index.size
    if result.lost:
        raise FormatError(f"damaged; {decoded} images decoded, {len(result.lost)} lost", path=result.label)


def _tables(clip: Clip, tasks: Sequence[str], groups: Sequence[int]) -> list[str]:
    """Tasks that are numbers."""
    names: dict[str, None] = {}
    for number in groups:
        try:
            header = clip.group(number).header
        except FormatError:
            continue
        names |= dict.fromkeys(
            name for name in tasks if name in header.tasks and header.task(name).attributes.shape in NUMBERS
        )
    return list(names)


def _frames(
    clip: Clip, numbers: Sequence[int], tasks: Sequence[str], result: Decoded
) -> list[dict[str, Array]]:
    """Frames without what is lost; one by one group where a whole group is."""
    try:
        return clip.frames(numbers, tasks, result.lost.append)
    except FormatError as error:
        if len(clip.groups_of(numbers)) == 1:
            names = f"{clip.starts[clip.groups_of(numbers)[0]]} to {clip.starts[clip.groups_of(numbers)[0] + 1] - 1}"
            if not any(loss.section == names for loss in result.lost):
                result.lost.append(SectionError(f"frames {names} are lost: {error.reason}", section=names))
            return [{} for _ in numbers]
        return [frame for number in numbers for frame in _frames(clip, [number], tasks, result)]


def _attached(clip: Clip, groups: Sequence[int], result: Decoded) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for number in groups:
        try:
            contents |= clip.attachments([number])
        except SectionError as error:
            result.lost.append(error)
        except FormatError:
            continue  # the whole group is lost, which decoding tells
    return contents


def _check(
    clip: Clip,
    directory: Path,
    tasks: Sequence[str],
    tables: Sequence[str],
    attached: dict[str, bytes],
    numbers: Sequence[int],
    force: bool,
) -> None:
    """Raise OutputError before anything is written where something is there that may not be replaced."""
    from mtcodec.files.replacing import LocalDirectory, check_replaceable

    check_replaceable(LocalDirectory(directory), tables, attached, force)
    names = [clip.names[number] or "frame" for number in numbers]
    for task in tasks:
        if task not in tables:
            check_replaceable(LocalDirectory(directory / task), names, {}, force)


def _write_image(directory: Path, name: str, image: Array, result: Decoded) -> None:
    from mtcodec.files.images import suffix_for, write_image

    make_directory(directory)
    path = directory / (name + suffix_for(image))
    write_image(path, image)
    result.add(path)


def _write_tables(directory: Path, rows: dict[str, list[Array]], count: int, result: Decoded) -> None:
    import numpy as np

    from mtcodec.files.images import write_image

    for name, of_task in rows.items():
        if not of_task:
            continue
        if len(of_task) < count:
            result.notes.append(Loss(f"{name}.npy has {len(of_task)} rows: other frames lack it"))
        make_directory(directory)
        write_image(directory / f"{name}.npy", np.stack(of_task))
        result.add(directory / f"{name}.npy")


def _write_attached(directory: Path, attached: dict[str, bytes], result: Decoded) -> None:
    from mtcodec.files.output import write_atomic

    for name, data in attached.items():
        make_directory(directory)
        write_atomic(directory / name, data)
        result.add(directory / name)


def lost_text(loss: SectionError) -> str:
    """What is lost, for a warning."""
    if loss.task is None and loss.section is not None and loss.section[:1].isdigit():
        return loss.reason
    return (
        f"what is attached is lost: {loss}"
        if loss.section == ATTACHMENTS
        else f"task {loss.task or loss.section} is lost: {loss}"
    )
