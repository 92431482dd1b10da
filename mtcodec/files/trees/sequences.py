"""Recordings: which scenes of a dataset are frames of one sequence, in which order, and when they were taken.

A sequence is the directory above the names of its frames: ``seq-01/frame-000000`` is a frame of ``seq-01``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePath

from mtcodec.files.notes import Note, list_names
from mtcodec.files.trees.frame_times import times_by_task
from mtcodec.files.trees.search import SceneFiles
from mtcodec.files.trees.times import times_of_names
from mtcodec.messages import Loss, warn_of_loss

MIN_FRAMES = 8  # of what looks like a recording
_WORDS = re.compile(
    r"(?<![a-z])(?:frames?|seq|sequences?|drive|video|clip|episodes?|traj|trajectory|scan)(?![a-z])"
    r"|scene\d{4}_\d\d",
    re.IGNORECASE,
)  # in keys of recordings


@dataclass(frozen=True)
class SequenceFiles:
    """Scenes that are frames of one recording.

    Attributes:
        key: its name in its dataset, the directory above its frames' names; of the dataset itself its name.
        label: what messages call it.
        frames: in the natural order of their names, ``frame-2`` before ``frame-10``; of names that are times,
            in order of these.
        names: of the frames, the last parts of their keys; no two are equal.
        times: by task, seconds by frame, exact; None where the frame lacks the task. Tasks whose times
            nothing tells are absent.
    """

    key: str
    label: str
    frames: tuple[SceneFiles, ...]
    names: tuple[str, ...]
    times: Mapping[str, tuple[Fraction | None, ...]]

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks that any frame has, in the order of their names."""
        return tuple(sorted({task for frame in self.frames for task in frame.files}))


def with_tasks(sequence: SequenceFiles, tasks: Collection[str], tell: Note = warn_of_loss) -> SequenceFiles:
    """The sequence without frames that have none of these tasks, which is told; whole if all are such."""
    kept = [place for place, frame in enumerate(sequence.frames) if not frame.files.keys().isdisjoint(tasks)]
    left_out = [sequence.names[place] for place in sorted(set(range(len(sequence.frames))) - set(kept))]
    if not kept or not left_out:
        return sequence
    what = f"{len(left_out)} frames, as they have none of {', '.join(tasks)}"
    tell(Loss(f"{sequence.label}: left out: {what}: {list_names(left_out)}"))
    return replace(
        sequence, frames=tuple(sequence.frames[place] for place in kept),
        names=tuple(sequence.names[place] for place in kept),
        times={task: tuple(times[place] for place in kept) for task, times in sequence.times.items()},
    )  # fmt: skip


def find_sequences(scenes: Sequence[SceneFiles], tell: Note = warn_of_loss) -> list[SequenceFiles]:
    """The sequences of scenes of one dataset, in order of their keys; every scene is a frame of one.

    Args:
        scenes: of :func:`mtcodec.files.trees.layouts.find_scenes`.
        tell: takes lines about frames that lack a task, sequences of one frame, and lists of times that are
            not used. By default losses are warnings of Python.
    """
    sequences = [_sequence(key, frames, tell) for key, frames in _frames_by_key(scenes)]
    single = [sequence.label for sequence in sequences if len(sequence.frames) == 1]
    if single:
        tell(f"{len(single)} of {len(sequences)} sequences have one frame: {list_names(single)}")
    return sequences


def _frames_by_key(scenes: Sequence[SceneFiles]) -> Iterator[tuple[str, list[SceneFiles]]]:
    """Keys of sequences, and their frames in order."""
    by_key: defaultdict[str, list[SceneFiles]] = defaultdict(list)
    for scene in scenes:
        by_key[scene.key.rpartition("/")[0]].append(scene)
    for key, frames in sorted(by_key.items(), key=lambda item: natural(item[0])):
        yield key, _in_order(frames)


def natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """What names are sorted by, so that ``frame-2`` comes before ``frame-10``."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, int(digits or -1)) for text, digits in parts], name


def _frame_name(frame: SceneFiles) -> str:
    return frame.key.rpartition("/")[2]


def _in_order(frames: Sequence[SceneFiles]) -> list[SceneFiles]:
    times = times_of_names([_frame_name(frame) for frame in frames])
    if times is None:
        return sorted(frames, key=lambda frame: natural(_frame_name(frame)))
    return [frames[place] for place in sorted(range(len(frames)), key=lambda place: times[place])]


def _sequence(key: str, frames: Sequence[SceneFiles], tell: Note) -> SequenceFiles:
    dataset = frames[0].dataset
    name = dataset.resolve().name if dataset else ""
    name = PurePath(name).stem if dataset and dataset.is_file() else name
    label = f"{dataset}: sequence {key}" if dataset and key else str(dataset or key)
    times = times_by_task(frames, [_frame_name(frame) for frame in frames], label, tell)
    sequence = SequenceFiles(
        key or name or "sequence", label, tuple(frames), tuple(map(_frame_name, frames)), times
    )
    for task in sequence.tasks:
        lacking = [_frame_name(frame) for frame in frames if task not in frame.files]
        if lacking:
            tell(f"{label}: {len(lacking)} of {len(frames)} frames lack {task}: {list_names(lacking)}")
    return sequence


def looks_like_recordings(scenes: Sequence[SceneFiles]) -> str:
    """A line that says so, with the number of sequences and of their frames; empty where they do not.

    They do where most frames are of sequences of eight or more, which are named after times or by words such
    as *frame* and *drive*, or have a list of times or camera poses beside them. Frames of equal names with a
    number alone may be pictures of anything.
    """
    counts = [
        len(frames)
        for key, frames in _frames_by_key(scenes)
        if len(frames) >= MIN_FRAMES and _is_recording(key, frames)
    ]
    if 2 * sum(counts) <= len(scenes):
        return ""
    low, high = min(counts), max(counts)
    frames_words = f"{low} frames" if low == high else f"{low} to {high} frames"
    several = (
        f"{len(counts)} sequences of {frames_words}" if len(counts) > 1 else f"a sequence of {low} frames"
    )
    return f"this looks like {several} (--sequence stores each as one file)"


def _is_recording(key: str, frames: Sequence[SceneFiles]) -> bool:
    names = [_frame_name(frame) for frame in frames]
    if times_of_names(names) is not None or _WORDS.search(f"{key}/{names[0]}"):
        return True
    source = next(iter(frames[0].files.values()))
    around = Path(str(source)).parents
    return any(directory.joinpath(name).exists() for directory in around[:2] for name in _BESIDE)


_BESIDE = (
    *("pose", "poses", "poses.txt", "pose.txt", "groundtruth.txt", "traj.txt", "times.txt"),
    *("timestamps.txt", "odometry.csv", "transforms.json"),
)  # what lies beside frames of a camera that moves
