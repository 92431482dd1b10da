"""Colour and depth images that were taken at times of their own, as in TUM RGB-D sequences.

``rgb.txt`` and ``depth.txt`` list them, ``timestamp path`` a line, ``#`` beginning a comment; where such a
file is missing, images are named after their timestamps. Times are seconds.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.listing import Files, add

LIMIT = Decimal("0.02")
"""Images this far apart in time, or farther, do not belong together."""


def applies(dataset: Path, by_task: dict[str, Files]) -> bool:
    """True if colour and depth are to be associated by time.

    That is, both are listed in index files, or both are named after seconds with a fraction, and both have
    names that the other lacks.
    """
    if not {"rgb", "depth"} <= by_task.keys():
        return False
    if len(indexes(dataset)) == 2:
        return True
    rgb, depth = by_task["rgb"].keys(), by_task["depth"].keys()
    named = all(re.fullmatch(r"[0-9]+\.[0-9]+", key) for key in (*rgb, *depth))
    return named and bool(rgb - depth) and bool(depth - rgb)


def associate(dataset: Path, by_task: dict[str, Files]) -> tuple[dict[str, Files], int]:
    """Images by task and timestamp of the colour image, and how many images are left out.

    Images of further tasks belong to the colour image of equal name.

    Raises:
        SceneError: a damaged index file, or nothing belongs together.
    """
    rgb, depth = (_listed(dataset, task, by_task[task]) for task in ("rgb", "depth"))
    partners = match([Decimal(t) for t in rgb], [Decimal(t) for t in depth])
    stamps, paths = list(rgb), list(depth.values())
    pairs = {stamps[i]: paths[j] for i, j in partners}
    if not pairs:
        raise SceneError(f"no depth image was taken within {LIMIT} s of an rgb image", path=dataset)
    found = {"depth": pairs, "rgb": {key: rgb[key] for key in pairs}}
    for task in by_task.keys() - found.keys():
        found[task] = {key: path for key, path in by_task[task].items() if key in pairs}
    everything = {p for files in (rgb, depth, *by_task.values()) for p in files.values()}
    return found, len(everything - {p for files in found.values() for p in files.values()})


def match(first: Sequence[Decimal], second: Sequence[Decimal]) -> list[tuple[int, int]]:
    """Indexes of the times that belong together, in order of time: the nearest first, each used once.

    The nearest two among those left are always neighbours in the order of all that are left.
    """
    times = sorted([(t, 0, i) for i, t in enumerate(first)] + [(t, 1, i) for i, t in enumerate(second)])
    before, after = list(range(-1, len(times) - 1)), list(range(1, len(times) + 1))
    used = [False] * len(times)
    near: list[tuple[Decimal, int, int]] = []

    def consider(a: int, b: int) -> None:
        if a >= 0 and b < len(times) and times[a][1] != times[b][1]:
            apart = times[b][0] - times[a][0]
            if apart < LIMIT:
                heapq.heappush(near, (apart, a, b))

    for a in range(len(times) - 1):
        consider(a, a + 1)
    pairs = []
    while near:
        _, a, b = heapq.heappop(near)
        if used[a] or used[b]:
            continue
        used[a] = used[b] = True
        pairs.append((times[a], times[b]) if times[a][1] == 0 else (times[b], times[a]))
        left, right = before[a], after[b]
        if left >= 0:
            after[left] = right
        if right < len(times):
            before[right] = left
        consider(left, right)
    return [(one[2], other[2]) for one, other in sorted(pairs)]


def indexes(dataset: Path) -> list[str]:
    """Paths of the index files that are there."""
    files = (_index(dataset, task) for task in ("rgb", "depth"))
    return [str(file) for file in files if file.is_file()]


def _index(dataset: Path, task: str) -> Path:
    return dataset / f"{task}.txt"


def _listed(dataset: Path, task: str, files: Files) -> Files:
    """Paths by timestamp: those of the index file, or ``files`` where there is none."""
    index = _index(dataset, task)
    if not index.is_file():
        return files
    try:
        lines = os.fsdecode(index.read_bytes()).split("\n")
    except OSError as error:
        raise SceneError(f"cannot read it: {error.strerror}", path=index) from error
    found: Files = {}
    for number, line in enumerate(lines, 1):
        stamp, _, path = line.strip().partition(" ")
        if not stamp or stamp.startswith("#"):
            continue
        if not path or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", stamp):
            raise SceneError(f"line {number}: not a timestamp and a path", path=index)
        add(found, stamp, str(dataset / path.strip()), task)
    return found
