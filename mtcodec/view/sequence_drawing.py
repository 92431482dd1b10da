"""Draws the frames of a sequence.

All are decoded twice: to survey their values and errors, and to draw them, so that only some are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtcodec.errors import MtcodecError
from mtcodec.files.notes import Note
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.search import SceneFiles
from mtcodec.sequences.read import Sequence as Clip
from mtcodec.signals.mapping import Array
from mtcodec.tasks import Declarations
from mtcodec.view.pictures import MAX_LOSSLESS_PIXELS, Sizing
from mtcodec.view.sequence_frames import DecodedFrame, decoded_frames
from mtcodec.view.sequence_task import FrameView, TaskOfClip

MAX_PAGE_BYTES = 25_000_000  # of all pictures, where small ones can keep it
SIZINGS = (
    Sizing(1024, 95, MAX_LOSSLESS_PIXELS),
    Sizing(768, 85),
    Sizing(512, 85),
    Sizing(384, 85),
    Sizing(256, 80),
)
"""How large pictures may be, best first."""
TRIED_FRAMES = 3  # that are drawn to see how large a page gets
LACKS = "not in this frame"
Progress = Callable[[int, int], None]


@dataclass
class Drawing:
    """Fills in the tasks of a page.

    Attributes:
        originals: by number of frame.
        note: takes a line about what is lost or assumed when originals are read.
        progress: called with the number of frames that are done, and of all; each counts twice.
        sizing: of pictures.
        problems: lines about what went wrong. errors: why not all is seen.
    """

    clip: Clip
    tasks: Sequence[TaskOfClip]
    known: Declarations
    originals: Mapping[int, SceneFiles]
    note: Note
    progress: Progress
    sizing: Sizing = SIZINGS[0]
    problems: list[str] = field(default_factory=list)
    errors: list[MtcodecError] = field(default_factory=list)
    _faults: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def survey(self, numbers: Sequence[int]) -> None:
        """Look at all frames of tasks whose colours depend on their values, or that are compared."""
        tasks = [task for task in self.tasks if self.originals or not self._is_colour(task.name)]
        for done, (frame, originals) in enumerate(self._frames(numbers, tasks)):
            self.progress(done, 2 * len(numbers))
            for task in tasks:
                if frame.header is not None and task.name in frame.images:
                    task.survey(frame.header, frame.images[task.name], originals.get(task.name))
        for task in tasks:
            task.settle()

    def _is_colour(self, name: str) -> bool:
        return name in self.known and self.known[name].kind.name == "color"

    def choose_sizing(self, numbers: Sequence[int]) -> None:
        """The best sizing with which all frames fit on the page, judged by a few of them."""
        tried = numbers[:: -(-len(numbers) // TRIED_FRAMES)]
        frames = list(self._frames(tried, self.tasks))
        for sizing in SIZINGS:
            self.sizing = sizing
            count = sum(_bytes_of(drawn) for frame in frames for drawn in self._draw(*frame))
            if count * len(numbers) <= MAX_PAGE_BYTES * len(tried):
                break

    def draw(self, numbers: Sequence[int]) -> None:
        """Draw all frames, note what is missing, and sum up what holds for all."""
        self._faults = {}
        for task in self.tasks:
            task.forget()
        for done, (frame, originals) in enumerate(self._frames(numbers, self.tasks)):
            self.progress(len(numbers) + done, 2 * len(numbers))
            for drawn in self._draw(frame, originals):
                if drawn.compare_problem:
                    self._faults.setdefault(("", drawn.compare_problem), []).append(frame.number)
            self._note_missing(frame)
        self.problems += [
            f"{_numbers_text(frames)}: {tasks}{reason}" for (tasks, reason), frames in self._faults.items()
        ]
        for task in self.tasks:
            task.finish()

    def _note_missing(self, frame: DecodedFrame) -> None:
        """Tell in the place of every picture that is missing why it is, and note what is wrong."""
        tasks_by_reason: dict[str, list[str]] = {}
        for task in self.tasks:
            if task.name in frame.images:
                continue
            error = frame.missing.get(task.name)
            task.frames[frame.number] = FrameView(lack=error.reason if error else LACKS, error=error)
            if error is not None:
                self.errors.append(error)
            if error is not None and frame.header is not None:  # of lost groups, the facts of the clip tell
                tasks_by_reason.setdefault(error.reason, []).append(task.name)
        for reason, tasks in tasks_by_reason.items():
            self._faults.setdefault((", ".join(tasks) + ": ", reason), []).append(frame.number)

    def _draw(self, frame: DecodedFrame, originals: Mapping[str, Array]) -> list[FrameView]:
        """The tasks of a frame that it has."""
        header = frame.header
        if header is None:
            return []
        return [
            task.draw(
                frame.number, header, frame.images[task.name], originals.get(task.name), self.sizing
            )
            for task in self.tasks
            if task.name in frame.images
        ]  # fmt: skip

    def _frames(
        self, numbers: Sequence[int], tasks: Sequence[TaskOfClip]
    ) -> Iterator[tuple[DecodedFrame, Mapping[str, Array]]]:
        """Decoded frames with their originals."""
        for frame in decoded_frames(self.clip, numbers, [task.name for task in tasks]):
            yield frame, self._originals_of(frame)

    def _originals_of(self, frame: DecodedFrame) -> Mapping[str, Array]:
        files = self.originals.get(frame.number)
        if files is None or files.files.keys().isdisjoint(frame.images):
            return {}
        try:
            return read_scene(files, self.known, list(frame.images), self.note)
        except MtcodecError as error:
            self._faults.setdefault(("", f"no comparison: {error}"), []).append(frame.number)
            return {}


def _bytes_of(frame: FrameView) -> int:
    """Bytes that the pictures of a frame take on the page."""
    pictures = (frame.decoded, frame.original, frame.error_map)
    return sum(len(picture.uri) for picture in pictures if picture is not None)


def _numbers_text(numbers: Sequence[int]) -> str:
    """``frame 3``, ``frames 3 to 8``, ``frames 3, 9 and 4 more``; ascending numbers."""
    if len(numbers) == 1:
        return f"frame {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"frames {numbers[0]} to {numbers[-1]}"
    return f"{len(numbers)} frames from {numbers[0]} to {numbers[-1]}"
