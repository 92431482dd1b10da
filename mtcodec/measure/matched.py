"""The matched bytes ratio: our bytes over what baselines need for the same PSNR (DESIGN section 8).

For each task, a baseline's bytes at our PSNR are read off its averaged curve, log(bytes) linear in PSNR
between two points; the cheapest codec of the task counts (see :func:`best_at`). The ratio is our total over
the sum of these over the tasks, whole files on both sides: below 1 means that we need fewer bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mtcodec.measure.curves import Point
from mtcodec.measure.lines import front


def _front(points: Sequence[Point]) -> list[tuple[float, float]]:
    """(PSNR, log bytes) of the points that no other beats in both, ascending in both."""
    return [(psnr, math.log(size)) for size, psnr in front((point.bytes, point.psnr) for point in points)]


def bytes_at(points: Sequence[Point], psnr: float) -> tuple[float, bool]:
    """Bytes that one codec's curve needs for ``psnr`` dB, and whether that lies outside of the curve.

    Outside, the nearest segment is continued. A curve of one point gives that point's bytes.
    """
    curve = _front(points)
    outside = not curve[0][0] <= psnr <= curve[-1][0]
    if len(curve) == 1:
        return math.exp(curve[0][1]), outside
    end = next((k for k in range(1, len(curve) - 1) if psnr <= curve[k][0]), len(curve) - 1)
    (p0, b0), (p1, b1) = curve[end - 1], curve[end]
    log_bytes = b0 + (b1 - b0) * (psnr - p0) / (p1 - p0)
    return math.exp(min(max(log_bytes, 0.0), 100.0)), outside


def best_at(points: Sequence[Point], psnr: float) -> tuple[float, str, bool]:
    """The fewest bytes over the codecs in ``points`` (of one task): bytes, codec, extrapolated.

    Where some codec's curve covers ``psnr``, nothing is extrapolated: those that cover it are read at
    it, and those that only begin above it at their first point, a size at which they do better. (The
    lowest segments can be steep, so that continuing them would promise files that no encoder makes.)
    Where no curve covers it, the one that ends nearest is continued.
    """
    codecs = {point.codec: [p for p in points if p.codec == point.codec] for point in points}
    fronts = {codec: _front(curve) for codec, curve in codecs.items()}
    ends = {codec: (unbeaten[0][0], unbeaten[-1][0]) for codec, unbeaten in fronts.items()}  # in dB
    if not any(low <= psnr <= high for low, high in ends.values()):
        nearest = min(ends, key=lambda codec: min(abs(psnr - end) for end in ends[codec]))
        return bytes_at(codecs[nearest], psnr)[0], nearest, True
    read_at = {codec: max(psnr, low) for codec, (low, high) in ends.items() if high >= psnr}
    least, codec = min((bytes_at(codecs[codec], level)[0], codec) for codec, level in read_at.items())
    return least, codec, False


def matched(
    size: float,
    psnrs: Mapping[str, float],
    points: Sequence[Point],
    share: Mapping[str, float] = {},
) -> dict[str, Any] | None:
    """The ratio at one of our qualities.

    Args:
        size: our mean bytes of a whole file, without its lossless sections.
        psnrs: our mean PSNR in dB by lossy task.
        points: the baselines' curves over the same images.
        share: by task, the part of our scenes that have it; 1 where it is not named.

    Returns:
        ``bytes``, which is ``size``; ``classical_bytes``, the sum over the tasks; their ``ratio``;
        ``extrapolated``, true if any number of it is; and by task the ``psnr``, ``bytes``, ``codec`` and
        ``extrapolated``. None where a task has no curve, or there is no task.
    """
    tasks: dict[str, dict[str, Any]] = {}
    total = 0.0
    for task, psnr in psnrs.items():
        task_points = [point for point in points if point.task == task]
        if not task_points:
            return None
        task_bytes, codec, outside = best_at(task_points, psnr)
        tasks[task] = {"psnr": psnr, "bytes": task_bytes, "codec": codec, "extrapolated": outside}
        total += task_bytes * share.get(task, 1.0)
    if not tasks:
        return None
    return {
        "bytes": size,
        "ratio": size / total,
        "classical_bytes": total,
        "extrapolated": any(task["extrapolated"] for task in tasks.values()),
        "tasks": tasks,
    }
