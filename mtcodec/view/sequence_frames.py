"""Frames of a sequence as a page shows them: which ones, decoded, and why others are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtcodec.codec.decoder import OnDamage
from mtcodec.container.header import Header
from mtcodec.errors import FormatError, LimitError, MtcodecError, SectionError, WeightsError
from mtcodec.sequences.read import Sequence as Clip
from mtcodec.signals.mapping import Array

AT_ONCE = 16  # frames that are decoded together


@dataclass
class DecodedFrame:
    """A frame.

    Attributes:
        header: of its group; None where that is lost.
        images: arrays by task.
        missing: why other tasks are not there; None of those that the frame lacks.
    """

    number: int
    header: Header | None
    images: Mapping[str, Array] = field(default_factory=dict)
    missing: Mapping[str, MtcodecError | None] = field(default_factory=dict)


def spread(numbers: Sequence[int], limit: int) -> Sequence[int]:
    """At most ``limit`` of ``numbers`` at equal distances, the first one among them; 0: all."""
    return numbers[:: -(-len(numbers) // limit)] if limit else numbers


def decoded_frames(clip: Clip, numbers: Sequence[int], tasks: Sequence[str]) -> Iterator[DecodedFrame]:
    """Frames by number, in order; what is damaged, or needs weights that are not there, is noted in each.

    Raises:
        LimitError: larger images than are allowed.
    """
    by_group: dict[int, list[int]] = {}
    for number in numbers:
        by_group.setdefault(clip.group_of(number), []).append(number)
    for group, of_group in by_group.items():
        try:
            header = clip.group(group).header
        except LimitError:
            raise
        except FormatError as error:
            yield from (DecodedFrame(number, None, {}, dict.fromkeys(tasks, error)) for number in of_group)
            continue
        for first in range(0, len(of_group), AT_ONCE):
            yield from _decode(clip, header, of_group[first : first + AT_ONCE], tasks)


def _decode(clip: Clip, header: Header, numbers: list[int], tasks: Sequence[str]) -> Iterator[DecodedFrame]:
    """Some frames of a group."""
    start = clip.starts[clip.group_of(numbers[0])]
    present = {name: header.frames_of(name) for name in tasks if name in header.tasks}
    errors: dict[str, MtcodecError] = {}

    def note_error(error: SectionError) -> None:
        errors[error.task or error.section or ""] = error

    frames = _images(clip, header, numbers, list(present), errors, note_error)
    for number, images in zip(numbers, frames):
        lacking = [name for name in tasks if name not in images]
        missing = {
            name: errors.get(name) or SectionError("damaged", task=name)
            if number - start in present.get(name, ())
            else None
            for name in lacking
        }
        yield DecodedFrame(number, header, images, missing)


def _images(
    clip: Clip,
    header: Header,
    numbers: list[int],
    tasks: list[str],
    errors: dict[str, MtcodecError],
    note_error: OnDamage,
) -> list[Mapping[str, Array]]:
    """Arrays by task of some frames; ``errors`` takes why others cannot be decoded."""
    try:
        return list(clip.frames(numbers, tasks, note_error))
    except WeightsError as error:
        neural = [name for name in tasks if header.task(name).is_neural]
        errors |= dict.fromkeys(neural, error)
        others = [name for name in tasks if name not in neural]
        return list(clip.frames(numbers, others, note_error))
    except FormatError as error:
        if len(tasks) > 1:
            parts = [_images(clip, header, numbers, [name], errors, note_error) for name in tasks]
            return [{k: v for part in of_frame for k, v in part.items()} for of_frame in zip(*parts)]
        errors |= dict.fromkeys(tasks, error)
        return [{} for _ in numbers]
