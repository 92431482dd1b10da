"""Frames that wait for their group to be full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from mtcodec.codec.prepare import Facts, Scene
from mtcodec.codec.timeline import Timeline
from mtcodec.container.attachments import MAX_BYTES, MAX_FILES
from mtcodec.container.section import MAX_PIXELS


@dataclass(frozen=True)
class PendingFrame:
    """A frame that was checked.

    Attributes:
        images: by task; nobody else changes them. facts: by task, what stays in a sequence.
        time: in seconds, None where frames have none. task_times: of tasks with clocks of their own.
        attached: contents of files by name.
    """

    images: Scene
    facts: Mapping[str, Facts]
    name: str
    time: Fraction | None
    task_times: Mapping[str, Fraction]
    attached: Mapping[str, bytes]


@dataclass
class PendingGroup:
    """The frames of a group that is not written."""

    frames: list[PendingFrame] = field(default_factory=list)
    attached: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # pixels of an image, by task

    def __len__(self) -> int:
        return len(self.frames)

    def has_room(self, frame: PendingFrame) -> bool:
        """May the group have this frame, too, by the limits of pixels and attached files?"""
        sizes = {**self.sizes, **_sizes(frame)}
        attached = {**self.attached, **frame.attached}
        return (
            (len(self) + 1) * max(sizes.values()) <= MAX_PIXELS
            and len(attached) <= MAX_FILES
            and sum(map(len, attached.values())) <= MAX_BYTES
        )

    def add(self, frame: PendingFrame) -> None:
        self.frames.append(frame)
        self.attached |= frame.attached
        self.sizes |= _sizes(frame)

    @property
    def tasks(self) -> set[str]:
        """Of all frames."""
        return set(self.sizes)

    def timeline(self) -> Timeline:
        """Names and times, which all frames have or none."""
        times = tuple(frame.time for frame in self.frames if frame.time is not None)
        tasks = {task for frame in self.frames for task in frame.task_times}
        task_times = {task: [frame.task_times.get(task) for frame in self.frames] for task in tasks}
        return Timeline(tuple(frame.name for frame in self.frames), times, task_times)


def _sizes(frame: PendingFrame) -> dict[str, int]:
    return {name: facts.height * facts.width for name, facts in frame.facts.items()}
