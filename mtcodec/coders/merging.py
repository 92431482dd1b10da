"""Few values instead of many, for errors within a bound.

Sensors give few different values: 300 of the 2,800 whole millimetres of a room. Rounding to multiples of a
step size moves each of them anew, often to more values than there were; merging leaves fewer.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]


def representatives(values: Codes, counts: Codes, bound: int) -> Codes:
    """For each of the different ``values`` the one that stands for it, off by ``bound`` at most.

    From the lowest value upwards, groups span 2 · bound at most. The most frequent value of a group that is
    within the bound of all its values stands for them, or their middle, rounded down.

    Args:
        values: (N,), in ascending order.
        counts: (N,), of pixels.
    """
    result = np.empty_like(values)
    ascending, start = values.tolist(), 0
    while start < len(ascending):
        low = ascending[start]
        end = bisect_right(ascending, low + 2 * bound, start)
        high = ascending[end - 1]
        group = values[start:end]
        central = (group >= high - bound) & (group <= low + bound)
        if central.any():
            result[start:end] = group[np.argmax(np.where(central, counts[start:end], -1))]
        else:
            result[start:end] = (low + high) // 2
        start = end
    return result


def nearest(values: Codes, levels: Codes) -> Codes:
    """For each of ``values`` the nearest of ``levels``, which ascend; of two the higher one."""
    middles = (levels[1:] + levels[:-1]) / 2
    result: Codes = levels[np.searchsorted(middles, values, side="right")]
    return result
