"""Facts of sequences as people read them: plain text, not yet escaped."""

from __future__ import annotations

from mtcodec.codec.info import size_text, sizes_differ
from mtcodec.errors import FormatError
from mtcodec.view import texts
from mtcodec.view.sequence import ClipView, FrameLabel
from mtcodec.view.sequence_task import TaskOfClip


def clip_details(view: ClipView) -> str:
    """The line below the size of a sequence."""
    facts = view.facts
    details = [texts.plural(facts["frames"], "frame")]
    if facts["fps"]:
        details.append(f"{facts['seconds']:.4g} s at {facts['fps']:.4g} a second")
    details += [texts.plural(facts["groups"], "group"), f"{texts.size(facts['bytes_per_frame'])} a frame"]
    if facts["quality"] is not None:
        details.append(f"quality {facts['quality']:g}")
    if facts["weights"]:
        details.append(
            "weights " + ", ".join(each["name"] or each["fingerprint"] for each in facts["weights"])
        )
    if not facts["complete"]:
        details.append("no index: the file is not whole, or still being written")
    shown = len(view.labels)
    if shown < facts["frames"]:
        details.append(_shown_text(view))
    return " · ".join(details)


def _shown_text(view: ClipView) -> str:
    """Which frames are shown of those that there are."""
    shown, first, last = len(view.labels), view.labels[0].number, view.labels[-1].number
    if shown == view.asked_frames:
        return f"frames {first} to {last} are shown" if shown > 1 else f"frame {first} is shown"
    step = view.labels[1].number - first if shown > 1 else 0
    which = f"every {_ordinal(step)} frame" if shown > 1 else "one frame"
    return f"{which} is shown, {shown} of {view.asked_frames} (--limit and --frames show others)"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def frame_place(label: FrameLabel, view: ClipView) -> str:
    """``frame 3 of 24 · 0.100 s``; frames are counted from 0, as ``--frames`` does."""
    time = "" if label.time is None else f" · {label.time:.3f} s"
    return f"frame {label.number} of {view.facts['frames']}{time}"


def headline(task: TaskOfClip) -> str:
    """How good a task is over all frames, or that none is seen."""
    if task.view is not None and task.view.is_seen:
        return texts.headline(task.view)
    errors = [frame.error for frame in task.frames.values() if frame.error is not None]
    if not errors:
        return "in none of these frames"
    return "damaged" if any(isinstance(error, FormatError) for error in errors) else "not decoded"


def task_details(task: TaskOfClip, view: ClipView) -> str:
    """The line below a task."""
    facts = view.facts["tasks"].get(task.name)
    if facts is None:
        return ""
    details = [
        f"{texts.size(facts['bytes_per_frame'])} a frame to decode it alone",
        ", ".join(facts["codings"]),
    ]
    if task.view is not None:
        details += texts.other_measures(task.view)
    details += [size_text(facts)] * sizes_differ(view.facts) + [facts["dtype"]]
    if facts["frames"] < view.facts["frames"]:
        details.append(f"in {facts['frames']} of {view.facts['frames']} frames")
    if task.view is not None and task.view.hole_share:
        details.append(f"{texts.percent(task.view.hole_share)} holes, hatched")
    return " · ".join(details)


def psnrs_of_frame(view: ClipView, number: int) -> str:
    """What the plot of PSNR says of a frame."""
    values = [(task.name, task.frames[number].psnr) for task in view.tasks]
    return " · ".join(f"{name} {psnr:.1f} dB" for name, psnr in values if psnr is not None)


def bytes_of_frame(view: ClipView, number: int) -> str:
    """What the plot of bytes says of the group of a frame."""
    group = next((group for group in view.groups if group.start <= number < group.stop), None)
    if group is None:
        return f"the group of frame {number} is lost"
    frames = f"frames {group.start} to {group.stop - 1}" if group.stop - group.start > 1 else "one frame"
    sections = [f"{texts.section_label(name)} {texts.size(count)}" for name, count in group.sections.items()]
    return f"group of {frames}: {texts.size(sum(group.sections.values()))} · " + " · ".join(sections)


def picture_note(view: ClipView) -> str:
    """How far pictures of the page are those of the file."""
    sizing = view.sizing
    sizes = [
        (task.view.height, task.view.width) for task in view.tasks if task.view and not task.view.numbers
    ]
    if all(sizing.keeps_pixels(*size) for size in sizes):
        pixels = "Pictures on this page show every pixel as it was decoded"
    else:
        pixels = (
            f"Pictures on this page are at most {sizing.max_side} pixels wide or high, and photographs and "
            f"normals are JPEG of quality {sizing.jpeg_quality}; bytes and measures are those of the file"
        )
    keys = "Arrow keys go from frame to frame, the space bar plays."
    return f"{keys} {pixels}. Colours mean the same in all frames: their range is that of the frames shown."
