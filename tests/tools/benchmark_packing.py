"""Scenes a second into an archive by number of workers, and what one epoch of a task alone fetches from it.

    python tests/tools/benchmark_packing.py DATASET [--workers 1,2,4] [--engine ray] [--tile] [--epoch depth]

Every number of workers packs the whole dataset in each of ``--turns`` turns; the quickest turn counts.
Start-up is the time to the first scene; scenes a second and efficiency, against the first number of workers,
are of what comes after it. Processor time, of the engine ``local`` only, includes reading images and starting
processes; it suffers less from other work on the machine. ``--tile`` makes a scene of four neighbours of one
size, two by two, before anything is timed: 512×512 out of 256×256.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtcodec.archive import range_file as ranges
from mtcodec.archive.engines import ENGINES
from mtcodec.archive.pack import Job, Summary, pack
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import CODING_CHOICES, Request
from mtcodec.files.images import suffix_for, write_image
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.networks.weights import store
from mtcodec.quality import DEFAULT
from mtcodec.tasks import USUAL

COLUMNS = ("workers", "start-up s", "scenes/s", "efficiency", "processor s/scene", "MB of a process",
           "bytes/scene", "PNG bytes/scene")  # fmt: skip


@dataclass
class Turn:
    """One run: seconds to the first scene, scenes a second after it, the processor's seconds, the result."""

    start: float
    rate: float
    processor: float
    summary: Summary


def processor_seconds() -> float:
    """Seconds of this process and of those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def turn(scenes: list[SceneFiles], output: Path, job: Job, engine: str, workers: int) -> Turn:
    """Pack all scenes once."""
    times: list[float] = []
    start, processor = time.perf_counter(), processor_seconds()

    def note_time(summary: Summary, total: int) -> None:
        times.append(time.perf_counter())

    summary = pack(scenes, output, job, engine_name=engine, workers=workers, progress=note_time)
    seconds = max(times[-1] - times[0], 1e-9)
    rate = (len(times) - 1) / seconds
    return Turn(times[0] - start, rate, processor_seconds() - processor, summary)


def tiled(scenes: list[SceneFiles], tasks: tuple[str, ...], directory: Path) -> list[SceneFiles]:
    """A dataset in ``directory`` whose scenes are four of ``scenes`` each, two by two."""
    for first in range(0, len(scenes) - 3, 4):
        four = [read_scene(files, USUAL, tasks) for files in scenes[first : first + 4]]
        scene_directory = directory / f"{first // 4:05d}"
        scene_directory.mkdir(parents=True)
        for name in (name for name in tasks if all(name in scene for scene in four)):
            a, b, c, d = (scene[name] for scene in four)
            image = np.ascontiguousarray(np.concatenate([np.hstack([a, b]), np.hstack([c, d])]))
            write_image(scene_directory / f"{name}{suffix_for(image)}", image)
    return find_scenes(directory)


def epoch(path: Path, task: str) -> str:
    """Requests and bytes of opening an archive and of reading all of one task."""
    sizes: list[int] = []
    fetch = ranges.RangeFile._fetch

    def counted(self: ranges.RangeFile, start: int, end: int) -> bytes:
        sizes.append(end - start)
        return fetch(self, start, end)

    ranges.RangeFile._fetch = counted  # type: ignore[method-assign]
    try:
        opened = ArchiveReader(path)
        opening = len(sizes), sum(sizes)
        for _ in opened.all_entries([task]):
            pass
    finally:
        ranges.RangeFile._fetch = fetch  # type: ignore[method-assign]
    count, total = len(sizes) - opening[0], sum(sizes) - opening[1]
    return (
        f"{task} alone: {len(opened.shards)} shards opened with {opening[0]} requests, {opening[1]} bytes; "
        f"{len(opened.row_groups)} groups read with {count} requests, {total} bytes, "
        f"{total / opened.rows:.0f} a scene"
    )


def table(turns_of: dict[int, list[Turn]], engine: str) -> str:
    """Markdown, a row for every number of workers; ``turns_of``: by that number."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    base: float | None = None  # scenes/s of a worker, of the first number of workers
    memory = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    for workers, turns in turns_of.items():
        best, scenes = max(turns, key=lambda turn: turn.rate), turns[0].summary.scenes
        rate_of_one = best.rate / workers
        base = base or rate_of_one
        seconds = f"{min(turn.processor for turn in turns) / scenes:.3f}" if engine == "local" else "–"
        megabytes = f"{memory / 1024:.0f}" if engine == "local" else "–"
        sizes = f"{best.summary.total / scenes:.0f} | {best.summary.read / scenes:.0f}"
        start = min(turn.start for turn in turns)
        lines.append(
            f"| {workers} | {start:.1f} | {best.rate:.2f} | {rate_of_one / base:.0%} |"
            f" {seconds} | {megabytes} | {sizes} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--engine", choices=ENGINES, default="local")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--limit", type=int, help="of scenes of the dataset")
    parser.add_argument("--tasks", default="rgb,depth,normal")
    parser.add_argument("--quality", type=float, default=DEFAULT)
    parser.add_argument("--coding", choices=CODING_CHOICES, default="auto")
    parser.add_argument("--weights", default="", help="default: no networks")
    parser.add_argument("--tile", action="store_true")
    parser.add_argument("--epoch", default="", help="a task")
    arguments = parser.parse_args()
    tasks, counts = tuple(arguments.tasks.split(",")), [int(word) for word in arguments.workers.split(",")]
    weights = store.find(arguments.weights) if arguments.weights else None
    job = Job(weights, tasks, Request(arguments.quality, coding=arguments.coding))
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        scenes = find_scenes(arguments.dataset)[: arguments.limit]
        scenes = tiled(scenes, tasks, directory / "tiled") if arguments.tile else scenes
        turns_of: dict[int, list[Turn]] = {workers: [] for workers in counts}
        for number in range(arguments.turns):
            for workers, turns in turns_of.items():
                output = directory / f"{number}-{workers}"
                turns.append(turn(scenes, output, job, arguments.engine, workers))
        print(f"{len(scenes)} scenes, quality {arguments.quality:g}, engine {arguments.engine}\n")
        print(table(turns_of, arguments.engine))
        if arguments.epoch:
            print(f"\n{epoch(output, arguments.epoch)}")


if __name__ == "__main__":
    main()
