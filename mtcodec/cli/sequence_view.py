"""``mtcodec view`` of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli import common
from mtcodec.errors import FormatError, UsageError
from mtcodec.files.notes import list_names

if TYPE_CHECKING:
    from mtcodec.files.trees.search import SceneFiles
    from mtcodec.sequences.read import Sequence as Clip
    from mtcodec.tasks import Declarations
    from mtcodec.view.sequence import ClipView


def chosen_frames(clip: Clip, frames: slice | None, limit: int) -> tuple[Sequence[int], int]:
    """Numbers of the frames to show, at most ``limit`` (0: all), and how many were asked for.

    Raises:
        UsageError: no such frames.
    """
    from mtcodec.view.sequence_frames import spread

    numbers = range(len(clip)) if frames is None else range(*frames.indices(len(clip)))
    if not numbers:
        raise UsageError(f"no such frames: there are {len(clip)}", path=clip.source.label)
    return spread(numbers, limit), len(numbers)


def viewed_clip(
    name: str,
    clip: Clip,
    tasks: Sequence[str] | None,
    frames: slice | None,
    limit: int,
    known: Declarations,
    originals: Sequence[SceneFiles],
    quiet: bool,
) -> ClipView:
    """What a page shows of a sequence; ``originals`` are scenes, or frames, of the same names."""
    from mtcodec.view.sequence import view_clip

    for task in tasks or ():
        if task not in clip.tasks:
            raise UsageError(f"no task {task!r} (there is {', '.join(clip.tasks)})")
    numbers, asked = chosen_frames(clip, frames, limit)
    by_frame = _originals_by_frame(name, clip, numbers, originals)
    alone = [one for n in numbers if n not in by_frame and (one := _name_of(clip, n))]
    if originals and alone and not quiet:
        common.note(f"without an original: {list_names(alone)}")
    with common.progress_bar() as bar:
        report = partial(bar, "drawing")
        names = list(clip.tasks if tasks is None else tasks)
        return view_clip(name, clip, numbers, names, known, asked, by_frame, report, common.note)


def _originals_by_frame(
    name: str, clip: Clip, numbers: Sequence[int], originals: Sequence[SceneFiles]
) -> Mapping[int, SceneFiles]:
    """Originals of frames of the same names: of the sequence of this name, if there are several."""
    if not originals:
        return {}
    sequences: dict[str, dict[str, SceneFiles]] = {}
    for files in originals:
        sequence, _, frame = files.key.rpartition("/")
        sequences.setdefault(sequence, {})[frame] = files
    by_frame = {number: _name_of(clip, number) for number in numbers}
    alike = [
        key
        for key, frames in sequences.items()
        if any(frame in frames for frame in by_frame.values())
        and (len(sequences) == 1 or key.rpartition("/")[2] == name)
    ] or [key for key, frames in sequences.items() if any(frame in frames for frame in by_frame.values())]
    if not alike:
        raise UsageError(
            f"no original of {by_frame[numbers[0]]!r} (there is {list_names([one.key for one in originals])})"
        )
    if len(alike) > 1:
        raise UsageError(f"originals of {name!r} may be {list_names(alike)}: name one of these directories")
    frames = sequences[alike[0]]
    return {number: frames[frame] for number, frame in by_frame.items() if frame in frames}


def _name_of(clip: Clip, number: int) -> str:
    """The name of a frame; "" where its group is lost."""
    try:
        group = clip.group_of(number)
        return clip.names_in(group)[number - clip.starts[group]]
    except FormatError:
        return ""


def report_clip(file: str, view: ClipView) -> None:
    """Warn of all that could not be shown; raise FormatError, or the first error, if there is any."""
    for problem in view.problems:
        common.warn(f"{file}: {problem}")
    damage = [error for error in view.errors if isinstance(error, FormatError)]
    if view.errors or view.facts["damaged"]:
        kind = type((damage or view.errors)[0]) if view.errors else FormatError
        state = "damaged" if damage or not view.errors else "not decoded"
        raise kind(f"{state}, as the page shows", path=file)


def shown_text(path: Path, view: ClipView, size: int) -> str:
    """``page.html: 24 of 48 frames, 123456 bytes``."""
    shown, count = len(view.labels), view.facts["frames"]
    frames = f"{shown} of {count} frames" if shown < count else f"{count} frame{'s' * (count != 1)}"
    return f"{path}: {frames}, {size} bytes"
