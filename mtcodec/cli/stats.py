"""``mtcodec stats``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtcodec.cli import options, values
from mtcodec.cli.common import progress_bar, set_threads, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import amount, columns, counted, duration
from mtcodec.cli.scenes import check_tasks, find, sequences_of, tell_of_recordings
from mtcodec.cli.sequence_lines import sequence_facts, sequence_table

MAX_NAMED = 3  # sizes and dtypes that are named
MIN_EXACT_PSNR = 98.95  # dB; what is at the cap of 99 dB has no error


@takes_groups
def stats(
    *,
    dataset: Path = options.DATASET,
    tasks: str = options.ONLY_TASKS,
    sequence: bool = option(False, None, "The scenes are frames of sequences: tell of these, too."),
    sample: int = option(10, "N", "Scenes that are read and encoded, spread over all.", min=1),
    no_estimate: bool = option(False, None, "Encode nothing."),
    quality: str = option("40,65,85", "QUALITIES", "Qualities to encode the sample at, separated by commas."),
    bounds: options.BoundOptions,
    printing: options.PrintOptions,
    images: options.ImageOptions,
    reading: options.ReadingOptions,
    coding: options.CodingOptions,
) -> None:
    """Show what a dataset holds: scenes, tasks, sizes, units, holes, bytes; and what encoding it would give.

    Scenes and bytes are counted over the whole dataset. Sizes and dtypes of images are those that the headers
    of at most 200 scenes tell, holes those of the sample. The estimate encodes the sample by one thread and
    divides the processor time for all scenes by the cores of this machine.
    """
    qualities = values.quality_list(quality)
    request = options.request_of(bounds, images, coding, weights=coding.weights)
    with progress_bar(printing.quiet) as bar:
        names, how = images.tasks_by_name(), reading.reading()
        scenes = find([dataset], request.tasks, names, printing.note, reading=how)
        check_tasks(request, scenes)
        sequences = sequence_facts(sequences_of(scenes, printing.note)) if sequence else {}
        if not sequence:
            tell_of_recordings(scenes, printing.note)
        from mtcodec.codec.api import Codec
        from mtcodec.measure.stats import describe

        codec = None
        if not no_estimate:
            set_threads(1)
            codec = Codec(coding.weights, coding=coding.coding)
        facts = describe(scenes, request, values.names(tasks), sample, codec, qualities, bar, printing.note)
    lines = [*_table(str(dataset), facts), *sequence_table(sequences)]
    printing.show({"dataset": str(dataset), **facts, **({"sequences": sequences} if sequence else {})}, lines)
    for key, reason in facts["failed"].items():
        warn(f"scene {key} is not counted: {reason}")


def _table(dataset: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """Lines about tasks, what they were taken from, and what encoding would give."""
    count, tasks = facts["scenes"], facts["tasks"]
    total = sum(task["bytes"] for task in tasks.values())
    about = "about " * any(task["estimated"] for task in tasks.values())
    yield f"{dataset}: {counted(count)}, {about}{amount(total)} of images"
    head = ["task", "kind", "scenes", "images", "size", "unit", "holes", "on disk", "a scene"]
    for line in columns(
        [head, *(_row(name, task, facts["mixed_sizes"] > 0) for name, task in tasks.items())]
    ):
        yield f"  {line}"
    if not facts["mixed_sizes"]:
        yield f"  sizes: {_most(facts['sizes'])}"
    if facts["headers"] < count:
        yield f"  sizes and dtypes are those of {facts['headers']} scenes spread over all"
    if len(facts["sample"]) < count:
        yield f"  holes{' and the estimate' * bool(facts['encoded'])} are those of {len(facts['sample'])}"
    if facts["encoded"]:
        yield "encoded, by the sample:"
        for line in columns(_estimate(facts["encoded"], total)):
            yield f"  {line}"


def _row(name: str, task: Mapping[str, Any], with_sizes: bool) -> list[str]:
    """The line of a task."""
    holes = f"{task['holes']:.2%}" if task.get("holes") else "none" if "holes" in task else ""
    on_disk = ("about " * task["estimated"]) + amount(task["bytes"])
    a_scene = amount(task["bytes"] / task["scenes"])
    images, sizes = _most(task["images"]), _most(task["sizes"]) if with_sizes else ""
    return [name, task["kind"], str(task["scenes"]), images, sizes, task["unit"], holes, on_disk, a_scene]


def _most(counts: Mapping[str, int]) -> str:
    """``640×480 (12), 320×240 (1)``; a single one without its number."""
    ordered = sorted(counts, key=lambda name: -counts[name])
    if len(ordered) < 2:
        return "".join(ordered)
    more = f" and {len(ordered) - MAX_NAMED} others" if len(ordered) > MAX_NAMED else ""
    return ", ".join(f"{name} ({counts[name]})" for name in ordered[:MAX_NAMED]) + more


def _estimate(encoded: Sequence[Mapping[str, Any]], total: int) -> list[list[str]]:
    """A row for every quality, and a head; ``total`` bytes have the images now."""
    tasks = dict.fromkeys(name for at_quality in encoded for name in at_quality["psnr"])
    seconds_head = f"time, {counted(encoded[0]['cores'], 'core')}"
    rows = [["quality", "a scene", "all scenes", "of now", *(f"{name} PSNR" for name in tasks), seconds_head]]
    for at_quality in encoded:
        psnrs = [_psnr(at_quality["psnr"].get(name)) for name in tasks]
        share = f"{at_quality['bytes'] / total:.1%}"
        sizes = [amount(at_quality["scene_bytes"]), amount(at_quality["bytes"]), share]
        rows.append([f"{at_quality['quality']:g}", *sizes, *psnrs, duration(at_quality["seconds"])])
    return rows


def _psnr(value: float | None) -> str:
    """PSNR as people read it; nothing for a task that has none."""
    if value is None:
        return ""
    return f"{value:.1f} dB" if value < MIN_EXACT_PSNR else "exact"
