"""Colour and depth images that were taken at times of their own, as in TUM RGB-D sequences.

``rgb.txt`` and ``depth.txt`` list them, ``timestamp path`` a line, ``#`` beginning a comment; where such a
file is missing, images are named after their timestamps. Times are seconds.
"""

from __future__ import annotations

import codecs
import heapq
import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.notes import list_names
from mtcodec.files.trees.listing import Files, add_file
from mtcodec.files.trees.search import Search
from mtcodec.messages import Loss

MAX_SECONDS_APART = Decimal("0.02")
"""Images this far apart in time, or farther, do not belong together."""


def _applies(dataset: Path, by_task: dict[str, Files]) -> bool:
    """Are colour and depth to be associated by time?

    They are if both are listed in index files, or both are named after seconds with a fraction, and both have
    names that the other lacks.
    """
    if not {"rgb", "depth"} <= by_task.keys():
        return False
    if len(index_files(dataset)) == 2:
        return True
    rgb, depth = by_task["rgb"].keys(), by_task["depth"].keys()
    are_times = all(re.fullmatch(r"[0-9]+\.[0-9]+", key) for key in (*rgb, *depth))
    return are_times and bool(rgb - depth) and bool(depth - rgb)


def associate(search: Search, directory: str, by_task: dict[str, Files]) -> dict[str, Files]:
    """Images of a sequence by task and key.

    Where colour has times of its own, the key is the timestamp of the colour image; of depth that is kept
    without one its own.

    Images of further tasks belong to the colour image of equal name.

    Raises:
        SceneError: a damaged index file, or nothing belongs together.
    """
    sequence = Path(directory)
    if not _applies(sequence, by_task):
        return by_task
    rgb, depth = (_timed_files(sequence, task, by_task[task]) for task in ("rgb", "depth"))
    partners = match([Decimal(stamp) for stamp in rgb], [Decimal(stamp) for stamp in depth])
    rgb_stamps, depth_paths = list(rgb), list(depth.values())
    depth_by_key = {rgb_stamps[i]: depth_paths[j] for i, j in partners}
    if search.keeps_unpaired:
        depth_by_key |= _unpaired(depth, depth_by_key, sequence)
    if not depth_by_key:
        message = f"no depth image was taken within {MAX_SECONDS_APART} s of an rgb image"
        raise SceneError(message, path=sequence)
    associated = {
        task: {key: path for key, path in files.items() if search.keeps_unpaired or key in depth_by_key}
        for task, files in {**by_task, "rgb": rgb}.items()
    }
    associated["depth"] = depth_by_key
    paths = {path for files in (rgb, depth, *by_task.values()) for path in files.values()}
    paths -= {path for files in associated.values() for path in files.values()}
    if paths:
        names = list_names(sorted(os.path.relpath(path, search.dataset) for path in paths))
        search.note(Loss(f"left out, as they have no partner in time: {len(paths)} images ({names})"))
    search.use_files(index_files(sequence))
    return associated


def _unpaired(depth: Files, depth_by_key: Files, sequence: Path) -> Files:
    """Depth images without a partner, by their own timestamps; SceneError where a colour image has that."""
    paired = set(depth_by_key.values())
    unpaired = {stamp: path for stamp, path in depth.items() if path not in paired}
    for stamp in unpaired.keys() & depth_by_key.keys():
        raise SceneError(f"two depth images for the time {stamp}", path=sequence)
    return unpaired


def match(first: Sequence[Decimal], second: Sequence[Decimal]) -> list[tuple[int, int]]:
    """Indexes of the times that belong together, in order of time: the nearest first, each used once.

    The nearest two among those left are always neighbours in the order of all that are left.
    """
    # time, which of the two sequences it is from, its index there
    times = sorted([(t, 0, i) for i, t in enumerate(first)] + [(t, 1, i) for i, t in enumerate(second)])
    # positions in ``times`` of the neighbours among those left; −1 and len(times) where there is none
    before, after = list(range(-1, len(times) - 1)), list(range(1, len(times) + 1))
    is_paired = [False] * len(times)
    queue: list[tuple[Decimal, int, int]] = []  # seconds apart, two positions

    def enqueue(left: int, right: int) -> None:
        """Queue two neighbours, if they are from different sequences and near enough."""
        if left >= 0 and right < len(times) and times[left][1] != times[right][1]:
            seconds = times[right][0] - times[left][0]
            if seconds < MAX_SECONDS_APART:
                heapq.heappush(queue, (seconds, left, right))

    for position in range(len(times) - 1):
        enqueue(position, position + 1)
    pairs = []
    while queue:
        _, left, right = heapq.heappop(queue)
        if is_paired[left] or is_paired[right]:
            continue
        is_paired[left] = is_paired[right] = True
        starts_with_first = times[left][1] == 0
        pairs.append((times[left], times[right]) if starts_with_first else (times[right], times[left]))
        left, right = before[left], after[right]
        if left >= 0:
            after[left] = right
        if right < len(times):
            before[right] = left
        enqueue(left, right)
    return [(from_first[2], from_second[2]) for from_first, from_second in sorted(pairs)]


def index_files(dataset: Path) -> list[str]:
    """Paths of the index files that are there."""
    paths = (dataset / f"{task}.txt" for task in ("rgb", "depth"))
    return [str(path) for path in paths if path.is_file()]


def _timed_files(dataset: Path, task: str, files: Files) -> Files:
    """Paths by timestamp: those of the index file, or ``files`` where there is none."""
    index_path = dataset / f"{task}.txt"
    if not index_path.is_file():
        return files
    try:
        lines = os.fsdecode(index_path.read_bytes().removeprefix(codecs.BOM_UTF8)).split("\n")
    except OSError as error:
        raise SceneError(f"cannot read it: {error.strerror}", path=index_path) from error
    by_stamp: Files = {}
    for number, line in enumerate(lines, 1):
        stamp, *rest = line.split(maxsplit=1)[:2] or [""]
        path = "".join(rest)
        if not stamp or stamp.startswith("#"):
            continue
        if not path or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", stamp):
            raise SceneError(f"line {number}: not a timestamp and a path", path=index_path)
        add_file(by_stamp, stamp, str(dataset / path.strip()), task)
    return by_stamp
