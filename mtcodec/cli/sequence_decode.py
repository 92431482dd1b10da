"""``mtcodec decode`` of sequences: a directory a task, an image a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli.common import make_directory
from mtcodec.container.section import ATTACHMENTS, NUMBERS
from mtcodec.errors import FormatError, LimitError, SectionError, UsageError
from mtcodec.files.notes import list_names
from mtcodec.messages import Loss

if TYPE_CHECKING:
    from mtcodec.cli.decode import Decoded
    from mtcodec.sequences.read import Sequence as Clip
    from mtcodec.signals.mapping import Array

AT_ONCE = 16  # frames that are decoded and written together
TIMES = "times.txt"  # of frames, a line each: ``encode --sequence`` reads it


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
    """Write DIR/TASK/FRAME.png (.npy where PNG cannot hold it), numbers as DIR/TASK.npy, a row a frame, and
    times, if there are any, as DIR/times.txt.

    Only groups and sections that are needed are read. ``result`` notes what is written, and what is lost.

    Raises:
        UsageError: no such frames or tasks. OutputError: an image is there that may not be replaced.
    """
    for task in tasks:
        if task not in clip.tasks:
            raise UsageError(f"no task {task!r} (there is {', '.join(clip.tasks)})", path=clip.source.label)
    numbers = range(len(clip)) if frames is None else range(*frames.indices(len(clip)))
    if not numbers:
        raise UsageError(f"no such frames: there are {len(clip)}", path=clip.source.label)
    output = _Output(clip, directory, tasks, result)
    output.plan(numbers, force)
    output.write()
    result.read = clip.index.size
    if result.lost:
        raise FormatError(f"damaged; {output.written} images decoded, {output.lost} lost", path=result.label)


@dataclass
class _Output:
    """What is decoded of a sequence, and where it goes.

    Attributes:
        names: of frames by number, without those of groups that are lost. groups: numbers of frames by group.
        files: contents of what lies beside the images, by path from the directory.
        rows: of tasks that are numbers, by frame.
        written, lost: images so far.
    """

    clip: Clip
    directory: Path
    tasks: Sequence[str]
    result: Decoded
    names: dict[int, str] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, dict[int, Array]] = field(default_factory=dict)
    written: int = 0
    lost: int = 0

    # --- planned -------------------------------------------------------------------------------------------

    def plan(self, numbers: Sequence[int], force: bool) -> None:
        """Read headers, and raise OutputError where something is there that may not be replaced."""
        by_group: dict[int, list[int]] = {}
        for number in numbers:
            by_group.setdefault(self.clip.group_of(number), []).append(number)
        for group, of_group in by_group.items():
            try:
                self._plan_group(group, of_group)
            except LimitError:
                raise
            except FormatError as error:
                self.lost += len(of_group) * len(self.tasks)
                self.result.lost.append(SectionError(error.reason, scene=self._place(group)))
        if len(set(self.names.values())) < len(self.names):
            raise FormatError("two frames have the same name", path=self.clip.source.label)
        self._add_times()
        self._check(force)

    def _plan_group(self, group: int, numbers: list[int]) -> None:
        """Note names, tables and attached files of a group, whose frames are not lost then."""
        header, names = self.clip.group(group).header, self.clip.names_in(group)
        start = self.clip.starts[group]
        self.names |= {number: names[number - start] or "frame" for number in numbers}
        self.groups[group] = numbers
        for name in self.tasks:
            if name in header.tasks and header.task(name).attributes.shape in NUMBERS:
                self.rows.setdefault(name, {})
        try:
            attached = self.clip.attachments([group])
        except SectionError as error:
            self.result.lost.append(error.at(scene=self._place(group)))
            return
        for name, content in attached.items():
            if self.files.setdefault(name, content) != content:
                line = f"{name} of {self._place(group)} is left out, as that of frames before is another one"
                self.result.notes.append(Loss(line))

    def _add_times(self) -> None:
        """Times of frames, and of tasks that have others, to the nanosecond."""
        if not self.clip.has_times:
            return
        times = {number: self.clip.exact_time(number) for number in self.names}
        self.files.setdefault(TIMES, _lines(times.values()))
        for task in self.tasks:
            of_task = self._task_times(task)
            if task not in self.rows and of_task != {number: times[number] for number in of_task}:
                self.files[f"{task}/{TIMES}"] = _lines(of_task.values())

    def _task_times(self, task: str) -> dict[int, Fraction | None]:
        """By frame, without those that lack the task."""
        times: dict[int, Fraction | None] = {}
        for group, numbers in self.groups.items():
            of_group = dict(
                zip(range(self.clip.starts[group], len(self.clip)), self.clip.task_times_in(group, task))
            )
            times |= {number: at for number in numbers if (at := of_group[number]) is not None}
        return times

    def _check(self, force: bool) -> None:
        from mtcodec.files.replacing import LocalDirectory, check_replaceable

        beside = {name: content for name, content in self.files.items() if "/" not in name}
        check_replaceable(LocalDirectory(self.directory), list(self.rows), beside, force)
        names = list(self.names.values())
        for task in self.tasks:
            if task not in self.rows:
                times = {TIMES: b""} if f"{task}/{TIMES}" in self.files else {}
                check_replaceable(LocalDirectory(self.directory / task), names, times, force)

    # --- written -------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Decode group by group, and write what comes."""
        for group, numbers in self.groups.items():
            lost: dict[str, SectionError] = {}
            for first in range(0, len(numbers), AT_ONCE):
                self._write_frames(numbers[first : first + AT_ONCE], lost)
            self.result.lost += [error.at(scene=self._place(group)) for error in lost.values()]
        self._write_rows()
        self._write_files()

    def _write_frames(self, numbers: list[int], lost: dict[str, SectionError]) -> None:
        """Frames of one group; ``lost`` notes each task once."""

        def on_damage(error: SectionError) -> None:
            self.lost += 1
            lost.setdefault(error.task or error.section or "", error)

        for number, frame in zip(numbers, self.clip.frames(numbers, self.tasks, on_damage)):
            for task, image in frame.items():
                self.written += 1
                if task in self.rows:
                    self.rows[task][number] = image
                else:
                    self._write_image(self.directory / task, self.names[number], image)

    def _write_image(self, directory: Path, name: str, image: Array) -> None:
        from mtcodec.files.images import suffix_for, write_image

        make_directory(directory)
        path = directory / (name + suffix_for(image))
        write_image(path, image)
        self.result.add(path)

    def _write_rows(self) -> None:
        """Numbers, a row a frame; which frames have none is told."""
        import numpy as np

        for task, rows in self.rows.items():
            without = [name for number, name in self.names.items() if number not in rows]
            if without:
                lacking = f"{len(without)} frames lack it: {list_names(without)}"
                self.result.notes.append(Loss(f"{task}.npy has {len(rows)} rows, as {lacking}"))
            if rows:
                self._write_image(self.directory, task, np.stack(list(rows.values())))

    def _write_files(self) -> None:
        from mtcodec.files.output import write_atomic

        for name, data in self.files.items():
            make_directory((self.directory / name).parent)
            write_atomic(self.directory / name, data)
            self.result.add(self.directory / name)

    def _place(self, group: int) -> str:
        return place_of(self.clip, group)


def place_of(clip: Clip, group: int) -> str:
    """Which frames a group has, for people."""
    first, last = clip.starts[group], clip.starts[group + 1] - 1
    return f"frame {first}" if first == last else f"frames {first} to {last}"


def _lines(times: Iterable[Fraction | None]) -> bytes:
    """Seconds with nine decimals, a line each."""
    nanoseconds = [round(time * 10**9) for time in times if time is not None]
    texts = (f"{'-' * (n < 0)}{abs(n) // 10**9}.{abs(n) % 10**9:09}" for n in nanoseconds)
    return "".join(f"{text}\n" for text in texts).encode()


def lost_text(loss: SectionError) -> str:
    """What is lost, for a warning."""
    task = loss.task or loss.section
    what = "what is attached" if loss.section == ATTACHMENTS else f"task {task}" if task else "everything"
    of_frames = f" of {loss.scene}" if loss.scene else ""
    return f"{what}{of_frames} is lost: {SectionError(loss.reason, section=loss.section, task=loss.task)}"
