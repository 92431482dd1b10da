"""Names and times of the frames of a group, as users tell them, and as headers keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import lcm

from mtcodec.container.cursor import MAX_SIGNED
from mtcodec.container.frames import MAX_FRAMES, MAX_NAME, MAX_RATE, Frames, is_name
from mtcodec.errors import UsageError


@dataclass(frozen=True)
class Timeline:
    """Names and times of frames.

    Attributes:
        names: by frame.
        times: seconds by frame, which do not descend; none where frames have no times.
        task_times: by task, those of its images where they are others; None where the frame lacks it.
    """

    names: tuple[str, ...]
    times: tuple[Fraction, ...] = ()
    task_times: Mapping[str, Sequence[Fraction | None]] = field(default_factory=dict)

    def stored(self, frames_of: Mapping[str, Sequence[int]]) -> tuple[Frames, dict[str, tuple[int, ...]]]:
        """What a header keeps: frames, and by task the delays of its images, in ticks.

        Times finer than a nanosecond are rounded to it.

        Args:
            frames_of: by task, the numbers of the frames that it has.

        Raises:
            UsageError: not a time.
        """
        if not self.times:
            return Frames(self.names), {}
        task_times = {
            task: [self._time_of(task, frame) for frame in frame_numbers]
            for task, frame_numbers in frames_of.items()
        }
        of_tasks = (time for times in task_times.values() for time in times)
        rate = min(lcm(*(time.denominator for time in (*self.times, *of_tasks))), MAX_RATE)
        ticks = tuple(round(time * rate) for time in self.times)
        if any(after < before for before, after in pairwise(ticks)):
            raise UsageError("times of frames descend")
        if max(map(abs, ticks)) > MAX_SIGNED:
            raise UsageError(f"not a time of a frame: {float(max(self.times, key=abs)):g} seconds")
        delays = {
            task: tuple(round(time * rate) - ticks[frame] for time, frame in zip(times, frames_of[task]))
            for task, times in task_times.items()
        }
        frames, delays = _with_smallest_rate(Frames(self.names, rate, ticks), delays)
        return frames, {task: values for task, values in delays.items() if any(values)}

    def _time_of(self, task: str, frame: int) -> Fraction:
        times = self.task_times.get(task)
        time = None if times is None else times[frame]
        return self.times[frame] if time is None else time

    def check(self, frame_count: int) -> None:
        """Raise UsageError unless it is of so many frames, and a group can hold and name them."""
        if not 1 <= frame_count <= MAX_FRAMES:
            raise UsageError(f"a group has 1 to {MAX_FRAMES} frames, not {frame_count}")
        if len(self.names) != frame_count or len(self.times) not in (0, frame_count):
            raise UsageError(f"{len(self.names)} names and {len(self.times)} times of {frame_count} frames")
        for task, times in self.task_times.items():
            if len(times) != frame_count:
                raise UsageError(f"{len(times)} times of {frame_count} frames", task=task)
        for name in self.names:
            if not is_name(name):
                raise UsageError(f"not a name of a frame: {name!r} (at most {MAX_NAME} bytes, no / or \\)")
        if len(set(self.names)) < len(self.names):
            raise UsageError(f"two frames of the same name among {', '.join(self.names)}")


def _with_smallest_rate(
    frames: Frames, delays: Mapping[str, tuple[int, ...]]
) -> tuple[Frames, dict[str, tuple[int, ...]]]:
    """The same in ticks as large as times allow, as rounding may leave."""
    factor = frames.common_factor([delay for values in delays.values() for delay in values])
    ticks = tuple(tick // factor for tick in frames.ticks)
    smaller = {task: tuple(delay // factor for delay in values) for task, values in delays.items()}
    return Frames(frames.names, frames.rate // factor, ticks), smaller
