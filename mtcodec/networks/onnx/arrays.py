"""The operations without parameters, by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Arrays:
    """See :class:`mtcodec.networks.layers.Arithmetic`."""

    expand = staticmethod(np.broadcast_to)

    def cat(self, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def clamp(self, x: Array, low: float, high: float) -> Array:
        result: Array = np.clip(x, low, high)
        return result

    def round_clamp(self, x: Array, low: float, high: float) -> Array:
        return self.clamp(np.rint(x), low, high)

    def where(self, mask: Array, x: Array, y: Array) -> Array:
        return np.where(mask, x, y)

    def float64(self, x: Array) -> Array:
        return x.astype(np.float64, copy=False)

    def float32(self, x: Array) -> Array:
        return x.astype(np.float32, copy=False)

    def detached(self, x: Array) -> Array:
        return x

    def arange(self, count: int) -> Array:
        return np.arange(count)
