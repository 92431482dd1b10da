"""Which images of a scene are turned as marks of orientation in their files say: all together, or none.

Pixels of one place have to stay together. A photograph that a camera marked, beside depth without a mark, was
most likely stored as the depth was, unless only turning gives both the same proportions; nobody knows, so a
warning says what was assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from mtcodec.errors import SceneError
from mtcodec.files.formats import orientation_of, shape_of
from mtcodec.files.formats.base import Shape
from mtcodec.files.formats.orientation import UPRIGHT, turned_shape
from mtcodec.files.notes import Note, ignore
from mtcodec.files.sources import MissingSource
from mtcodec.files.trees.search import SceneFiles
from mtcodec.messages import Loss

Orientations = Mapping[str, int]
"""By task, the mark of its image, 1 to 8."""

MAX_RATIO = 1.04
"""Of proportions of sensors that show the same: those of 1296×968 and 640×480 are 1.004 apart."""

CHOICE = "--exif turn or keep decides"


def orientations_to_apply(
    scene_files: SceneFiles, tasks: Iterable[str] | None = None, note: Note = ignore
) -> Orientations:
    """How the images of a scene are turned; those that are not here stay as they are stored.

    The scene's other images count, too, whatever is read of them: reading fewer tasks turns none otherwise.

    Args:
        tasks: those that notes are wanted of, as they are read; None: all.
        note: takes a line about every image that is turned, or has a mark and is not.
    """
    exif = scene_files.reading.exif
    if exif == "keep":
        return {}
    marks = _marks(scene_files)
    marked = {task: mark for task, mark in marks.items() if mark != UPRIGHT}
    told = [task for task in marked if tasks is None or task in tasks]
    if not told:
        return marked if exif == "turn" else {}
    if exif == "turn" or len(set(marks.values())) == 1:
        for task in told:
            note(f"{task}: it is turned as its mark of orientation says")
        return marked
    if _fit_when_turned(scene_files, marks):
        for task in told:
            note(Loss(f"{task}: it is turned as its mark of orientation says, to the proportions of the "
                      f"scene's other images ({CHOICE})"))  # fmt: skip
        return marked
    for task in told:
        note(
            Loss(
                f"{task}: it is not turned as its mark of orientation says, {_reason(task, marks)} ({CHOICE})"
            )
        )
    return {}


def _marks(scene_files: SceneFiles) -> Orientations:
    """Marks of all images that are there; of what cannot be read, reading it tells."""
    marks = {}
    for task, source in scene_files.files.items():
        with suppress(SceneError, MissingSource):
            marks[task] = orientation_of(source)
    return marks


def _fit_when_turned(scene_files: SceneFiles, marks: Orientations) -> bool:
    """Have all images the same proportions when they are turned, and not as they are stored?"""
    try:
        shapes = {task: shape_of(scene_files.files[task]) for task in marks}
    except SceneError:
        return False
    upright = [turned_shape(shape, marks[task]) for task, shape in shapes.items()]
    return _are_alike(upright) and not _are_alike(list(shapes.values()))


def _are_alike(shapes: Sequence[Shape]) -> bool:
    """Have images of these shapes nearly the same proportions?"""
    ratios = [shape.width / shape.height for shape in shapes]
    return max(ratios) <= MAX_RATIO * min(ratios)


def _reason(task: str, marks: Orientations) -> str:
    """Why an image of ``task`` is not turned."""
    unmarked = [name for name, mark in marks.items() if mark == UPRIGHT]
    if unmarked:
        return f"since {unmarked[0]} has no such mark"
    differing = next(name for name, mark in marks.items() if mark != marks[task])
    return f"since that of {differing} says otherwise"
