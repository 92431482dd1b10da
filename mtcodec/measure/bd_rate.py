"""BD-rates: how many more bytes a system needs than a reference for equal PSNR, on average.

After G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001: the mean
difference of log bytes over the PSNRs that both curves reach. Between points log bytes are a monotone
piecewise cubic of PSNR (PCHIP, as in JVET's common test conditions); beyond its points no curve is continued.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mtcodec import extras
from mtcodec.measure.lines import Line, front, lossy_tasks, task_lines, total_lines

Comparison = dict[str, Any]
"""What :func:`bd_rate` returns."""


def interpolation() -> Any:
    """The module :mod:`scipy.interpolate`.

    Raises:
        DependencyError: scipy is missing.
    """
    return extras.load("scipy.interpolate", "a BD-rate", "evaluate")


def _mean_log(curve: Line, low: float, high: float) -> float:
    """Mean natural logarithm of the bytes of ``curve`` over its PSNRs from ``low`` to ``high``."""
    logs = interpolation().PchipInterpolator(
        [psnr for _, psnr in curve], [math.log(size) for size, _ in curve]
    )
    return float(logs.integrate(low, high)) / (high - low)


def bd_rate(reference: Iterable[tuple[float, float]], test: Iterable[tuple[float, float]]) -> Comparison:
    """Bytes that ``test`` needs beyond those of ``reference``, both (bytes, PSNR in dB).

    Points that another of the same curve beats in both are left out.

    Returns:
        ``percent``, negative where ``test`` needs fewer bytes; ``psnr``, the common interval in dB;
        ``share``, the part of the reference's PSNRs that it covers. Where there is no common interval,
        or a curve has fewer than two points left: None, None and 0.
    """
    curves = [front(reference), front(test)]
    low = max((curve[0][1] for curve in curves if curve), default=0.0)
    high = min((curve[-1][1] for curve in curves if curve), default=0.0)
    if any(len(curve) < 2 for curve in curves) or low >= high:
        return {"percent": None, "psnr": None, "share": 0.0}
    difference = _mean_log(curves[1], low, high) - _mean_log(curves[0], low, high)
    share = (high - low) / (curves[0][-1][1] - curves[0][0][1])
    return {"percent": 100 * math.expm1(difference), "psnr": [low, high], "share": share}


def table(results: Mapping[str, Any], reference: str) -> dict[str, Any] | None:
    """BD-rates of every system and baseline against ``reference``, one of them.

    Returns:
        ``reference``; ``systems``: by name ``all`` (bytes of all lossy tasks, mean PSNR over them) and
        ``tasks`` (by task; ours at the bytes that decoding the task alone reads), each as :func:`bd_rate`
        returns it. What the bytes are is said in :mod:`mtcodec.measure.lines`. None where there is only one
        curve to look at.
    """
    codecs = dict.fromkeys(point["codec"] for point in results["classical"])
    names = [*results["systems"], *codecs]
    if len(names) < 2:
        return None

    def against(lines: Mapping[str, Line], name: str) -> Comparison:
        return bd_rate(lines.get(reference, ()), lines.get(name, ()))

    totals = total_lines(results, "bytes")
    by_task = {task: task_lines(results, task, "bytes") for task in lossy_tasks(results)}
    systems = {
        name: {
            "all": against(totals, name),
            "tasks": {task: against(lines, name) for task, lines in by_task.items()},
        }
        for name in names
    }
    return {"reference": reference, "systems": systems}
