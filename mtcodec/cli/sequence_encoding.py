"""Sequences that ``mtcodec encode --sequence`` encodes, in this process or in others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli.common import emit, make_directory, refuse_existing
from mtcodec.cli.encoding import Encoded, Encoder
from mtcodec.cli.groups import Group, option
from mtcodec.errors import MtcodecError, OutputError, TargetError, UsageError
from mtcodec.messages import Loss

if TYPE_CHECKING:
    from mtcodec.codec.request import Request
    from mtcodec.files.origin import Origin
    from mtcodec.files.trees.sequences import SequenceFiles
    from mtcodec.sequences.totals import Totals
    from mtcodec.signals.mapping import Array

PANEL = "Sequences"
SEARCH_STEPS = 7  # encodings of a sequence in search of a target: to within a quality of 1


class SequenceOptions(Group):
    """Whether scenes are frames of sequences, and how these are stored."""

    sequence: bool = option(
        False, None, "The scenes of a directory are frames, in the order of their names: one file for each.",
        panel=PANEL,
    )  # fmt: skip
    fps: str = option(
        "", "N", "Frames a second, such as 30 or 30000/1001, instead of the times that names and lists tell.",
        panel=PANEL,
    )  # fmt: skip
    group: int = option(16, "N", "Frames that are coded together, 1 to 64.", min=1, max=64, panel=PANEL)
    numbers: list[Path] | None = option(
        None, "FILE",
        "Numbers with a row for each frame, such as poses: .npy, .npz, .csv, .txt; kept exactly; repeatable.",
        panel=PANEL,
    )  # fmt: skip

    def check(self) -> None:
        """Raise UsageError for an option that only sequences have."""
        if not self.sequence and (self.fps or self.numbers or self.group != 16):
            raise UsageError("--fps, --group and --numbers are of sequences: --sequence")


@dataclass
class SequenceEncoder(Encoder):
    """Encodes sequences; see :class:`Encoder`.

    Attributes:
        fps: frames a second; empty: times that files tell. group: frames that are coded together.
        numbers: files of numbers by frame.
        progress: called with frames done, and frames in all; of the only sequence.
    """

    fps: str = ""
    group: int = 16
    numbers: list[Path] = field(default_factory=list)
    progress: Callable[[int, int], None] | None = None

    def origin(self, sequence: SequenceFiles) -> Origin:  # type: ignore[override]
        """What the file of a sequence would be made of now."""
        from mtcodec.files.origin import origin_of_frames

        return origin_of_frames(sequence.key, sequence.frames, self.numbers, self.tasks, self._settings)

    def __call__(self, work: tuple[SequenceFiles, Path]) -> Encoded:  # type: ignore[override]
        """Encode a sequence into a file; an error of it is in the result."""
        sequence, path = work
        result = Encoded(sequence.label)
        try:
            if str(path) != "-":
                refuse_existing(path, self.force)
                if self.several:
                    make_directory(path.parent)
            origin = self.origin(sequence)
            temporary = temporary_path(path)
            try:
                self._encode_sequence(sequence, temporary, str(path), result)
                self._publish(temporary, path, origin)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
        except MtcodecError as error:
            result.error = error.at(path=sequence.label)
        return result

    def _publish(self, temporary: Path, path: Path, origin: Origin) -> None:
        """Put the finished file where it belongs."""
        if str(path) == "-" or (path.exists() and not path.is_file()):
            emit(temporary.read_bytes(), path, self.force)
            return
        state = self._states[path.parent]
        if self.remember or state.path.exists():
            state.remember_file(path.name, temporary, origin)
        try:
            temporary.replace(followed(path))
        except OSError as error:
            raise OutputError(f"cannot write it: {error.strerror or error}", path=path) from error

    def _encode_sequence(self, sequence: SequenceFiles, temporary: Path, name: str, result: Encoded) -> None:
        """Encode at the quality that is asked for, or at the one that reaches a target."""
        from mtcodec.files.scene import bytes_on_disk
        from mtcodec.sequences.info import sequence_summary
        from mtcodec.sequences.read import Sequence as Clip

        request = self._sequence_request(sequence)
        totals = self._write_reaching(sequence, request, temporary, result)
        result.read = sum(bytes_on_disk(frame, self.tasks) for frame in sequence.frames)
        result.written = temporary.stat().st_size
        result.measures = {task: {"psnr": psnr} for task, psnr in totals.psnr.items()}
        result.facts = {**sequence_summary(Clip(temporary), name)}
        for task, measures in result.measures.items():
            result.facts["tasks"][task] |= {key: float(f"{value:.6g}") for key, value in measures.items()}

    def _sequence_request(self, sequence: SequenceFiles) -> Request:
        """Settings of the tasks that the sequence has, with units that its dataset tells."""
        from mtcodec.files.scene import layout_units, read_scene

        first = sequence.frames[0]
        images = read_scene(first, self.request.tasks, self.tasks, lambda line: None)
        tasks = {*sequence.tasks, *images}
        request = self.request.for_tasks(tasks, layout_units(first, images))
        return replace(request, numbers=tuple(name for name, _ in self._tables(sequence)))

    def _tables(self, sequence: SequenceFiles) -> list[tuple[str, Array]]:
        """Numbers by frame, (T, …), with the names of their tasks."""
        if not self.numbers:
            return []
        from mtcodec.files.numbers import read_numbers

        tables = [read_numbers(path, len(sequence.frames)) for path in self.numbers]
        names = [name for name, _ in tables]
        for name in names:
            if names.count(name) > 1 or name in sequence.tasks:
                raise UsageError(f"two tasks called {name!r}: rename the file of numbers")
        return tables

    # --- targets -------------------------------------------------------------------------------------------

    def _write_reaching(
        self, sequence: SequenceFiles, request: Request, temporary: Path, result: Encoded
    ) -> Totals:
        """Write the sequence at the quality of the request, or search the one that reaches its target."""
        target_bytes, target_psnr = self._target_bytes(sequence, request), request.target_psnr
        plain = replace(request, target_psnr={}, target_bytes=0)
        if not target_bytes and not target_psnr:
            return self._write(sequence, plain, temporary, result.notes)

        def attempt(quality: float, tell: list[str]) -> tuple[Totals, bool]:
            totals = self._write(sequence, replace(plain, quality=quality), temporary, tell)
            if target_bytes:
                return totals, temporary.stat().st_size <= target_bytes
            return totals, all(totals.psnr.get(name, 0.0) >= psnr for name, psnr in target_psnr.items())

        wanted, safe = (100.0, 0.0) if target_bytes else (0.0, 100.0)
        totals, meets = attempt(wanted, result.notes)
        if meets:
            return totals
        failing, passing = wanted, safe
        for _ in range(SEARCH_STEPS):
            middle = (failing + passing) / 2
            totals, meets = attempt(middle, [])
            failing, passing = (failing, middle) if meets else (middle, passing)
        totals, meets = attempt(passing, [])
        if not meets:
            reached = ", ".join(f"{task} {psnr:.1f} dB" for task, psnr in totals.psnr.items())
            line = f"out of reach: {temporary.stat().st_size} bytes at quality {passing:g}, {reached}"
            if not request.best_effort:
                raise TargetError(f"{line} (--best-effort takes that)")
            result.warnings.append(line)
        return totals

    def _target_bytes(self, sequence: SequenceFiles, request: Request) -> int:
        """Bytes that the whole file may have; 0: any."""
        from mtcodec.files.scene import read_shapes

        if self.target_bpp is None:
            return request.target_bytes
        shapes = read_shapes(sequence.frames[0], self.tasks or list(sequence.tasks)).values()
        pixels = max(shape.height * shape.width for shape in shapes)
        return max(1, int(self.target_bpp * pixels * len(sequence.frames) / 8))

    # --- frames --------------------------------------------------------------------------------------------

    def _write(self, sequence: SequenceFiles, request: Request, path: Path, notes: list[str]) -> Totals:
        """Write a sequence at a quality; its errors."""
        from mtcodec.files.scene import read_scene
        from mtcodec.files.trees import attachments
        from mtcodec.sequences.totals import Totals
        from mtcodec.sequences.write import SequenceWriter

        totals, tables = Totals(), self._tables(sequence)
        told = set(notes)

        def tell(line: str) -> None:
            if line not in told:
                told.add(line)
                notes.append(line)

        times = self._times(sequence, tell)
        writer = SequenceWriter(
            path, fps=self.fps or None, group=self.group, force=True, codec=self._codec(), tell=tell,
            on_group=totals.add, **vars(request),
        )  # fmt: skip
        with writer:
            for number, frame in enumerate(sequence.frames):
                images = read_scene(frame, self.request.tasks, self.tasks, tell)
                images |= {name: table[number] for name, table in tables}
                attached = attachments.read(frame)
                time = _of_tasks(times[number], images)
                writer.append(images, time, sequence.names[number], attached, layout="hwc")
                if self.progress is not None:
                    self.progress(number + 1, len(sequence.frames))
        return totals

    def _times(
        self, sequence: SequenceFiles, tell: Callable[[str], None]
    ) -> Sequence[Mapping[str, Fraction] | None]:
        """Times of frames by task; none where ``--fps`` tells them."""
        count = len(sequence.frames)
        times: list[dict[str, Fraction]] = [
            {task: at for task, of_task in sequence.times.items() if (at := of_task[number]) is not None}
            for number in range(count)
        ]
        if self.fps:
            if any(times):
                tell("the times of names and lists are left aside for --fps")
            return [None] * count
        without = [name for name, of_frame in zip(sequence.names, times) if not of_frame]
        if without and len(without) < count:
            tell(Loss(f"times are left out, as frame {without[0]} has none (--fps)"))
        return [None] * count if without else times


def _of_tasks(
    times: Mapping[str, Fraction] | None, tasks: Collection[str]
) -> Mapping[str, Fraction] | Fraction | None:
    """Times of the tasks that a frame has; where files tell none of these, the first of all."""
    if times is None:
        return None
    return {task: time for task, time in times.items() if task in tasks} or min(times.values())


def temporary_path(path: Path) -> Path:
    """Where a sequence is written before it is put in its place."""
    name = f".{path.name[:200]}.{os.urandom(6).hex()}.tmp"
    if str(path) == "-" or (path.exists() and not path.is_file()):
        return Path(tempfile.gettempdir()) / name
    return followed(path).with_name(name)


def followed(path: Path) -> Path:
    """The file that a link stands for; others are themselves."""
    return path.resolve() if path.is_symlink() else path
