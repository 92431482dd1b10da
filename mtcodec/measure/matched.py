"""The matched bytes ratio: our bytes over what classical codecs need for the same PSNR (DESIGN section 6).

For each task, a classical codec's bytes at our PSNR are read off its averaged curve, log(bytes) linear in
PSNR between two points; the cheapest codec of the task counts (see :func:`best_at`). The ratio is
our total over the sum of these over the tasks: below 1 means that we need fewer bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mtcodec.measure.curves import Point
from mtcodec.measure.lines import front

Size = Literal["bytes", "payload_bytes"]


def _front(points: Sequence[Point], size: Size) -> list[tuple[float, float]]:
    """(PSNR, log bytes) of the points that no other beats in both, ascending in both."""
    return [(psnr, math.log(count)) for count, psnr in front((getattr(p, size), p.psnr) for p in points)]


def bytes_at(points: Sequence[Point], psnr: float, size: Size = "bytes") -> tuple[float, bool]:
    """Bytes that one codec's curve needs for ``psnr`` dB, and whether that lies outside of the curve.

    Outside, the nearest segment is continued. A curve of one point gives that point's bytes.
    """
    curve = _front(points, size)
    outside = not curve[0][0] <= psnr <= curve[-1][0]
    if len(curve) == 1:
        return math.exp(curve[0][1]), outside
    end = next((k for k in range(1, len(curve) - 1) if psnr <= curve[k][0]), len(curve) - 1)
    (p0, b0), (p1, b1) = curve[end - 1], curve[end]
    log_bytes = b0 + (b1 - b0) * (psnr - p0) / (p1 - p0)
    return math.exp(min(max(log_bytes, 0.0), 100.0)), outside


def best_at(points: Sequence[Point], psnr: float, size: Size = "bytes") -> tuple[float, str, bool]:
    """The fewest bytes over the codecs in ``points`` (of one task): bytes, codec, extrapolated.

    Where some codec's curve covers ``psnr``, nothing is extrapolated: those that cover it are read at
    it, and those that only begin above it at their first point, a size at which they do better. (The
    lowest segments can be steep, so that continuing them would promise files that no encoder makes.)
    Where no curve covers it, the one that ends nearest is continued.
    """
    codecs: dict[str, list[Point]] = {}
    for point in points:
        codecs.setdefault(point.codec, []).append(point)
    fronts = {codec: _front(curve, size) for codec, curve in codecs.items()}
    if not any(f[0][0] <= psnr <= f[-1][0] for f in fronts.values()):
        nearest = min(fronts, key=lambda c: min(abs(psnr - fronts[c][0][0]), abs(psnr - fronts[c][-1][0])))
        return bytes_at(codecs[nearest], psnr, size)[0], nearest, True
    reaching = {c: max(psnr, f[0][0]) for c, f in fronts.items() if f[-1][0] >= psnr}
    least, codec = min((bytes_at(codecs[c], level, size)[0], c) for c, level in reaching.items())
    return least, codec, False


def matched(
    size: float,
    psnrs: Mapping[str, float],
    points: Sequence[Point],
    share: Mapping[str, float] | None = None,
) -> dict[str, Any] | None:
    """The ratio at one of our qualities.

    Args:
        size: our mean bytes of a whole file, without its lossless sections.
        psnrs: our mean PSNR in dB by lossy task.
        points: classical curves over the same images.
        share: by task, the part of our scenes that have it; 1 where it is not named.

    Returns:
        ``ratio`` against whole classical files; ``ratio_payload`` against them without their
        container overhead (ours stays whole); ``classical_bytes`` and ``classical_payload_bytes``, the
        sums; ``extrapolated``, true if any number of it is; and by task the ``psnr``, ``bytes``,
        ``codec``, ``extrapolated``, ``payload_bytes``, ``payload_codec`` and ``payload_extrapolated``.
        None where a task has no curve, or there is no task.
    """
    tasks: dict[str, dict[str, Any]] = {}
    totals = {"bytes": 0.0, "payload_bytes": 0.0}
    for task, psnr in psnrs.items():
        own = [p for p in points if p.task == task]
        if not own:
            return None
        whole, codec, outside = best_at(own, psnr)
        payload, payload_codec, payload_outside = best_at(own, psnr, "payload_bytes")
        tasks[task] = {
            "psnr": psnr,
            "bytes": whole,
            "codec": codec,
            "extrapolated": outside,
            "payload_bytes": payload,
            "payload_codec": payload_codec,
            "payload_extrapolated": payload_outside,
        }
        weight = 1.0 if share is None else share.get(task, 1.0)
        totals["bytes"] += weight * whole
        totals["payload_bytes"] += weight * payload
    if not tasks:
        return None
    return {
        "bytes": size,
        "ratio": size / totals["bytes"],
        "ratio_payload": size / totals["payload_bytes"],
        "classical_bytes": totals["bytes"],
        "classical_payload_bytes": totals["payload_bytes"],
        "extrapolated": any(t["extrapolated"] or t["payload_extrapolated"] for t in tasks.values()),
        "tasks": tasks,
    }
