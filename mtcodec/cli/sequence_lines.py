"""What a sequence holds, printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtcodec.cli.report import columns, counted

if TYPE_CHECKING:
    from mtcodec.files.trees.sequences import SequenceFiles

MAX_SHOWN = 10  # sequences of a dataset


def sequence_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """What :func:`mtcodec.sequences.info.sequence_summary` gave, for people."""
    line = f"{facts['file']}: {facts['bytes']} bytes, {counted(facts['frames'], 'frame')}"
    if facts["fps"]:
        line += f", {facts['seconds']:g} s at {facts['fps']:g} a second"
    line += f", {facts['bytes_per_frame']:g} bytes a frame, {counted(facts['groups'], 'group')}"
    line += f" of up to {facts['frames_per_group']}"
    if facts["weights"]:
        names = ", ".join(
            f"{each['name'] or 'not installed'} ({each['fingerprint']})" for each in facts["weights"]
        )
        line += f", quality {facts['quality']:g}, weights {names}"
    yield line
    rows = [["section", "bytes", "a frame", "", ""]]
    for section in facts["sections"]:
        rows.append(
            ["  " + section["name"], str(section["bytes"]), f"{section['bytes_per_frame']:.1f}", "", ""]
        )
    rows.append(
        [
            "  overhead",
            str(facts["overhead_bytes"]),
            f"{facts['overhead_bytes'] / max(facts['frames'], 1):.1f}",
            "",
            "",
        ]
    )
    yield from columns(rows)
    rows = [["task", "size", "values", "frames", "a frame", "coded as", "", ""]]
    for name, task in facts["tasks"].items():
        values = task["dtype"] + f" ×{task['channels']}" * (task["channels"] > 1)
        psnr = f"{task['psnr']:.1f} dB" if "psnr" in task else ""
        unit = f"unit {task['unit']}" if "unit" in task else ""
        rows.append(
            [
                "  " + name, f"{task['width']}×{task['height']}", values, str(task["frames"]),
                f"{task['bytes_per_frame']:.1f}", ", ".join(task["codings"]), psnr, unit,
            ]
        )  # fmt: skip
    yield from columns(rows)
    yield from (f"damaged: {line}" for line in facts["damaged"])
    if facts["files"]:
        total = sum(file["bytes"] for file in facts["files"])
        yield f"  {counted(len(facts['files']), 'attached file')}, {total} bytes"


def sequence_line(facts: Mapping[str, Any], measures: str) -> str:
    """A sequence among others."""
    return (
        f"{facts['file']}  {counted(facts['frames'], 'frame')}  {facts['bytes']} bytes  "
        f"{facts['bytes_per_frame']:g} a frame  {measures}"
    )


# --- of datasets ---------------------------------------------------------------------------------------


def sequence_facts(sequences: Sequence[SequenceFiles]) -> dict[str, dict[str, Any]]:
    """By sequence of a dataset: frames, frames by task, and seconds where times are told."""
    return {
        sequence.key: {
            "frames": len(sequence.frames),
            "tasks": {task: sum(task in frame.files for frame in sequence.frames) for task in sequence.tasks},
            "seconds": _seconds(sequence),
        }
        for sequence in sequences
    }


def _seconds(sequence: SequenceFiles) -> float | None:
    """From the first time to the last one; None where nothing tells times."""
    times = [time for of_task in sequence.times.values() for time in of_task if time is not None]
    return float(max(times) - min(times)) if times else None


def sequence_table(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each of the first sequences, and one about all."""
    if not facts:
        return
    frames = [of_sequence["frames"] for of_sequence in facts.values()]
    yield f"{counted(len(facts), 'sequence')} of {min(frames)} to {max(frames)} frames, {sum(frames)} in all"
    rows = [["sequence", "frames", "seconds", "frames by task"]]
    for key, of_sequence in list(facts.items())[:MAX_SHOWN]:
        seconds = of_sequence["seconds"]
        by_task = ", ".join(f"{task} {count}" for task, count in of_sequence["tasks"].items())
        rows.append(
            ["  " + key, str(of_sequence["frames"]), "" if seconds is None else f"{seconds:.2f}", by_task]
        )
    yield from columns(rows)
    if len(facts) > MAX_SHOWN:
        yield f"  and {counted(len(facts) - MAX_SHOWN, 'sequence')} more"
