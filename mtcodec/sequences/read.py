"""Sequences read: frames by number, slice or time, of a file, bytes or a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np

from mtcodec.codec.api import Codec
from mtcodec.codec.decoder import OnDamage, Scene
from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.sequences.seconds import Seconds
from mtcodec.sequences.stored import StoredSequence
from mtcodec.signals.mapping import Array

FRAMES_AT_ONCE = 16  # that are decoded together

Frame = Scene
"""Arrays by task."""


class Sequence(StoredSequence):
    """An open sequence. A scene's file is one of a single frame.

    ``clip[10]`` is a dict of arrays by task, ``clip[10:20]`` has them stacked, (10, H, W, …). Iteration
    decodes each group once. Clips can be pickled, and used in threads and in other processes.

    Args:
        data: a path, a URL for fsspec (``s3://``, ``https://``), or the bytes of a file.
        tasks: only these are fetched and decoded; None: all.
        device: where networks run: ``cpu`` or ``cuda``.
        max_pixels: frames of larger images are refused.
        weights: names or paths of weights besides the installed ones.
        tell: takes a line about what is missing; by default a warning.

    Attributes:
        index: the groups. starts: the numbers of their first frames, and of all frames.
        tasks: names of those that are decoded.

    Raises:
        SceneError: it cannot be read. FormatError: neither a sequence nor a scene. UsageError: a task that it
            lacks.

    Warns:
        MtcodecWarning: there is no index, as of a recording in progress; the file was read through.
    """

    def __init__(
        self,
        data: bytes | bytearray | memoryview | str | Path,
        tasks: str | Iterable[str] | None = None,
        device: str = "cpu",
        max_pixels: int = MAX_PIXELS,
        weights: str | Path | Iterable[str | Path] = (),
        tell: Callable[[str], None] = warn_of_loss,
    ) -> None:
        super().__init__(data, max_pixels)
        self.device = device
        self.weights = weights if isinstance(weights, (str, Path)) else tuple(weights)
        if self.index.problem:
            tell(Loss(f"{self.source.label}: {self.index.problem}"))
        self.tasks = _checked(self.index.tasks if tasks is None else tasks, self.index.tasks)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_readers": {}}

    def __enter__(self) -> Sequence:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers = {}

    def __repr__(self) -> str:
        return f"Sequence({self.source.label!r}, {len(self)} frames, tasks {', '.join(self.tasks)})"

    def info(self) -> dict[str, Any]:
        """What it holds, see :func:`mtcodec.sequences.info.sequence_summary`."""
        from mtcodec.sequences.info import sequence_summary

        return sequence_summary(self, self.source.label)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> dict[str, Array]: ...

    def __getitem__(self, index: int | slice) -> Frame | dict[str, Array]:
        if isinstance(index, slice):
            return self._stacked(range(*index.indices(len(self))))
        return self.frames([index])[0]

    def frames(
        self,
        indices: Iterable[int],
        tasks: str | Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
    ) -> list[Frame]:
        """Frames by number, in any order; each a dict that lacks what the frame lacks.

        Args:
            tasks: only these.
            on_damage: called for each task of a frame that is lost, whereupon the others are decoded; without
                it the first such error is raised.

        Raises:
            IndexError: no such frame. UsageError: a task that it lacks.
            FormatError: damaged. WeightsNotFound: made with weights that are not there.
        """
        numbers = [self._checked_index(index) for index in indices]
        names = self.tasks if tasks is None else _checked(tasks, self.tasks)
        by_group: dict[int, list[int]] = {}
        for number in dict.fromkeys(numbers):
            by_group.setdefault(self.group_of(number), []).append(number)
        decoded: dict[int, Frame] = {}
        for group, of_group in by_group.items():
            decoded |= zip(of_group, self._decode(group, of_group, names, on_damage))
        return [decoded[number] for number in numbers]

    def at(self, seconds: Seconds) -> Frame:
        """The frame that is shown at a time: the last one that is not later, see :meth:`number_at`.

        Raises:
            UsageError: not a time, frames have no times, or the first one is later.
        """
        return self[self.number_at(seconds)]

    def __iter__(self) -> Iterator[Frame]:
        """All frames in order; each group is decoded once."""
        for group, (start, end) in enumerate(pairwise(self.starts)):
            header = self.group(group).header
            has_joint = any(header.task(name).is_joint for name in self.tasks if name in header.tasks)
            count = end - start if has_joint else FRAMES_AT_ONCE
            for first in range(start, end, count):
                numbers = range(first, min(first + count, end))
                yield from self._decode(group, numbers, self.tasks, None)

    def _decode(
        self, group: int, numbers: Iterable[int], tasks: Iterable[str], on_damage: OnDamage | None
    ) -> list[Frame]:
        """Frames of a group, by their numbers in the sequence."""
        reader, start = self.group(group), self.starts[group]
        names = [name for name in tasks if name in reader.header.tasks]
        try:
            codec = Codec(self.weights, self.device)
            return codec.decode_frames(reader, names, [number - start for number in numbers], on_damage)
        except FormatError as error:
            raise error.at(path=self.source.label) from error.__cause__

    def _stacked(self, numbers: range) -> dict[str, Array]:
        """Arrays of frames by task, (N, …); of no frames, no tasks."""
        frames = self.frames(numbers)
        for number, frame in zip(numbers, frames):
            if missing := [name for name in self.tasks if name not in frame]:
                raise SceneError(
                    f"frame {number} lacks it: frames() gives frames one by one", task=missing[0]
                )
        return {name: np.stack([frame[name] for frame in frames]) for name in self.tasks} if frames else {}

    def _checked_index(self, index: int) -> int:
        number = index.__index__()
        if not -len(self) <= number < len(self):
            raise IndexError(f"no frame {index}: there are {len(self)}")
        return number % len(self)


def _checked(tasks: str | Iterable[str], present: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys([tasks] if isinstance(tasks, str) else tasks))
    for name in names:
        if name not in present:
            raise UsageError(f"no task {name!r} (there is {', '.join(present) or 'none'})")
    return names


def open(
    data: bytes | bytearray | memoryview | str | Path,
    tasks: str | Iterable[str] | None = None,
    device: str = "cpu",
    max_pixels: int = MAX_PIXELS,
) -> Sequence:
    """An open sequence, see :class:`Sequence`."""
    return Sequence(data, tasks, device, max_pixels)
