"""``mtcodec bench``."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import progress_bar, set_threads
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import amount, columns
from mtcodec.cli.scenes import check_tasks, find, sequences_of
from mtcodec.errors import UsageError

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.codec.request import Request
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.measure.bench import Clock

CODEC_NAMES = {"mtcodec": "mtcodec", "png": "PNG", "jxl": "JPEG XL", "avif": "AVIF"}
PSNR_CAP = 99  # dB; stands for no error


@takes_groups
def bench(
    *,
    scene: Path = typer.Argument(metavar="SCENE", help="A scene directory."),
    quality: options.QualityOptions,
    tasks: str = options.ONLY_TASKS,
    sequence: bool = option(False, None, "The scenes of the directory are frames of a sequence: time these."),
    limit: int = option(32, "N", "Frames of a sequence that are timed at most.", min=1),
    group: int = option(16, "N", "Frames that are coded together, 1 to 64.", min=1, max=64),
    runs: int = option(3, "N", "Times that each is timed; medians count.", min=1),
    bounds: options.BoundOptions,
    printing: options.PrintOptions,
    images: options.ImageOptions,
    reading: options.ReadingOptions,
    coding: options.CodingOptions,
    threads: int = option(
        1, "N", "1: processor time, as if on one core; else so many threads (0: all cores), by the clock.",
        panel=options.MACHINE, min=0, max=1024,
    ),
    device: str = options.DEVICE,
) -> None:  # fmt: skip
    """Time encoding and decoding of your scene on this machine, beside PNG, JPEG XL and AVIF.

    AVIF (speed 4, 8 or 10 bits) and JPEG XL (effort 7) get the setting that just reaches our PSNR; labels are
    lossless JPEG XL. Both are spared the bytes of holes. Of mtcodec, a task has the bytes and the time that
    decoding it alone needs. Reading and writing files is not timed.

    With --sequence, of frames: writing, reading in order, and reading single ones of a file just opened.
    """
    request = options.request_of(quality, bounds, images, coding, weights=coding.weights)
    names = images.tasks_by_name()
    scenes = find([scene], request.tasks, names, printing.note, reading=reading.reading())
    if len(scenes) > 1 and not sequence:
        raise UsageError(f"{scene} holds {len(scenes)} scenes: name one of them, or --sequence")
    check_tasks(request, scenes)
    from mtcodec.codec.api import Codec
    from mtcodec.files.scene import layout_units, read_scene
    from mtcodec.measure import bench as benching

    set_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    codec = Codec(coding.weights, device, coding=coding.coding)
    if sequence:
        facts = _bench_frames(codec, scenes, request, values.names(tasks), clock, limit, group, printing)
        printing.show({"sequence": str(scene), **facts}, _sequence_table(str(scene), facts))
        return
    arrays = read_scene(scenes[0], request.tasks, values.names(tasks), printing.note)
    request = request.for_tasks(arrays, layout_units(scenes[0], arrays))
    with progress_bar(printing.quiet) as bar:
        by_codec = benching.bench(codec, arrays, request, runs, clock, bar)
    sizes = {name: image.shape[:2] for name, image in arrays.items()}
    height, width = max(sizes.values(), key=math.prod)
    how = "processor time" if threads == 1 else "by the clock"
    up_to = "up to " * (len({*sizes.values()}) > 1)
    head = f"{scene}: {up_to}{width}×{height}, quality {request.quality:g}, medians of {runs}, {how}"
    facts = {"scene": str(scene), "width": width, "height": height, "runs": runs, "threads": threads}
    facts |= {"quality": request.quality, "codecs": by_codec}
    facts["tasks"] = {name: {"width": width, "height": height} for name, (height, width) in sizes.items()}
    printing.show(facts, _table(head, by_codec, sizes))


def _bench_frames(
    codec: Codec, scenes: Sequence[SceneFiles], request: Request, tasks: Sequence[str] | None, clock: Clock,
    limit: int, group: int, printing: options.PrintOptions,
) -> dict[str, Any]:  # fmt: skip
    """Measures of the first frames of the only sequence of ``scenes``."""
    from mtcodec.files.scene import layout_units, read_scene
    from mtcodec.measure.sequence_bench import bench_sequence

    sequences = sequences_of(scenes, printing.note)
    if len(sequences) > 1:
        raise UsageError(f"{len(sequences)} sequences: name one of them")
    files = sequences[0].frames[:limit]
    frames = [read_scene(frame, request.tasks, tasks, printing.note) for frame in files]
    present = {name for frame in frames for name in frame}
    request = request.for_tasks(present, layout_units(files[0], frames[0]))
    return bench_sequence(codec, frames, request, clock, group)


def _sequence_table(name: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """A line for every task, and one for all."""
    yield f"{name}: {facts['frames']} frames, {facts['bytes']} bytes"
    rows = [["task", "bytes a frame", "encode", "decode", "alone", "PSNR"]]
    for task, measures in [*facts["tasks"].items(), ("all", facts)]:
        psnr = measures.get("psnr", PSNR_CAP)
        rows.append(
            [
                task, f"{measures['bytes_per_frame']:.0f}",
                f"{measures['encode_ms']:.0f} ms" if "encode_ms" in measures else "",
                f"{measures['decode_ms']:.1f} ms", f"{measures['random_ms']:.1f} ms",
                f"{psnr:.1f} dB" if psnr < PSNR_CAP else "" if task == "all" else "exact",
            ]
        )  # fmt: skip
    yield from (f"  {line}" for line in columns(rows))


def _table(head: str, by_codec: Mapping[str, Any], sizes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """A line for every task and codec, and one for every codec."""
    yield head
    rows = [["task", "pixels", "codec", "size", "encode", "decode", "PSNR"]]
    differ = len({*sizes.values()}) > 1
    for task, (height, width) in sizes.items():
        pixels = f"{width}×{height}" if differ else ""
        rows += [_row(task, pixels, codec, measures["tasks"][task]) for codec, measures in by_codec.items()]
    rows += [_row("all", "", codec, measures) for codec, measures in by_codec.items()]
    yield from (f"  {line}" for line in columns(rows))


def _row(task: str, pixels: str, codec: str, measures: Mapping[str, Any] | None) -> list[str]:
    """The line of a codec for a task; without measures it does not code that task.

    ``pixels`` is the size of its images, told where tasks differ.
    """
    if measures is None or measures["bytes"] is None:
        return [task, pixels, CODEC_NAMES[codec], "–", "", "", ""]
    encode = f"{measures['encode_ms']:.0f} ms" if "encode_ms" in measures else ""
    if measures.get("psnr", PSNR_CAP) < PSNR_CAP:
        psnr = f"{measures['psnr']:.1f} dB"
    else:
        psnr = "" if task == "all" else "exact"
    size, decode = amount(measures["bytes"]), f"{measures['decode_ms']:.1f} ms"
    return [task, pixels, CODEC_NAMES[codec], size, encode, decode, psnr]
