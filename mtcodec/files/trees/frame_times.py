"""When the frames of a sequence were taken, by task: from lists beside the images, else from names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path, PurePath
from typing import TypeVar

from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, directory_of
from mtcodec.files.trees.search import SceneFiles
from mtcodec.files.trees.times import read_timed_paths, read_times, times_of_names
from mtcodec.messages import Loss

LIST_NAMES = ("times.txt", "timestamps.txt")  # of files with a time a line
T = TypeVar("T")
Times = tuple[Fraction | None, ...]


def times_by_task(
    frames: Sequence[SceneFiles], names: Sequence[str], label: str, tell: Note
) -> dict[str, Times]:
    """Seconds by task and frame, where anything tells them; None where a frame lacks the task.

    In this order: a list of times and paths, ``rgb.txt`` beside ``rgb/``; a list with a time a line in the
    directory of the images or the one above; names of files; names of frames.
    """
    times: dict[str, Times] = {}
    for task in sorted({task for frame in frames for task in frame.files}):
        of_task = _of_task(frames, names, task, _with_prefix(f"{label}: {task}: ", tell))
        if of_task is None:
            continue
        known = [time for time in of_task if time is not None]
        if any(second <= first for first, second in pairwise(known)):
            tell(
                Loss(f"{label}: {task}: times that do not increase from frame to frame are kept as they are")
            )
        times[task] = of_task
    return times


def _with_prefix(prefix: str, tell: Note) -> Note:
    """What tells of a loss, with words before its lines."""
    return lambda line: tell(Loss(prefix + line))


def _of_task(frames: Sequence[SceneFiles], names: Sequence[str], task: str, tell: Note) -> Times | None:
    """Seconds of the images of a task by frame; None where nothing tells those of all."""
    places = [place for place, frame in enumerate(frames) if task in frame.files]
    sources = [frames[place].files[task] for place in places]
    stems = [PurePath(source.name).stem for source in sources]
    listed = _from_paths(sources, tell) or _from_lines(sources, places, names, tell)
    if listed is None:
        listed = times_of_names(stems) or times_of_names([names[place] for place in places])
    if listed is None:
        return None
    by_place = dict(zip(places, listed))
    return tuple(by_place.get(place) for place in range(len(frames)))


def _read(path: Path, read: Callable[[Path], T], tell: Note) -> T | None:
    """What ``read`` makes of a list; None, with a line, where it is none."""
    try:
        return read(path)
    except OSError as error:
        tell(f"{path.name} is not used: {error.strerror}")
    except UnicodeDecodeError:
        tell(f"{path.name} is not used, as it is no text")
    except ValueError as error:
        tell(f"{path.name} is not used, as {error}")
    return None


def _from_paths(sources: Sequence[ImageSource], tell: Note) -> list[Fraction] | None:
    """Seconds by the list that lies beside the directory of the images and is called like it."""
    directories = {directory_of(source) for source in sources}
    directory = directories.pop()
    path = directory.parent / f"{directory.name}.txt"
    if directories or not path.is_file():
        return None
    listed = _read(path, read_timed_paths, tell)
    if listed is None:
        return None
    by_path = {os.path.normpath(image): time for image, time in listed.items()}
    times = [by_path.get(os.path.normpath(str(source))) for source in sources]
    missing = sum(time is None for time in times)
    if missing:
        tell(f"{path.name} is not used, as {missing} of {len(times)} images are not in it")
        return None
    return [time for time in times if time is not None]


def _from_lines(
    sources: Sequence[ImageSource], places: Sequence[int], names: Sequence[str], tell: Note
) -> list[Fraction] | None:
    """Seconds by a list with a time a line, in the directory of the images or the one above."""
    directory = Path(os.path.commonpath([directory_of(source) for source in sources]))
    for around in (directory, directory.parent):
        for path in (around / name for name in LIST_NAMES):
            times = _read(path, read_times, tell) if path.is_file() else None
            if times is None:
                continue
            lines = _lines_of(len(times), places, names)
            if lines is not None:
                return [times[line] for line in lines]
            tell(
                f"{path.name} is not used, as it has {len(times)} times for {len(places)} images of "
                f"{len(names)} frames, whose names do not number its lines from 0 on"
            )
    return None


def _lines_of(count: int, places: Sequence[int], names: Sequence[str]) -> Sequence[int] | None:
    """The lines, of ``count``, of the frames at ``places``; None where it is not clear which.

    A list is of all frames, or of the images, or of numbers from 0 on, of which frames may be missing.
    """
    if count == len(names):
        return places
    if count == len(places):
        return range(count)
    numbers = [int(name) if name.isascii() and name.isdecimal() else -1 for name in names]
    if min(numbers) == 0 and max(numbers) < count:
        return [numbers[place] for place in places]
    return None
