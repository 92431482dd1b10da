"""Quality: one number from 0 to 100, stored in 2048 steps, and tables indexed by it.

A table has one row per *anchor* (every 256 steps) and is interpolated linearly in integers, so that
encoder and decoder agree on every value on every machine.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtcodec.models.integer import round_clamp

INTERVAL = 256
ANCHORS = 9
STEPS = INTERVAL * (ANCHORS - 1)


def to_step(quality: float) -> int:
    """Quality 0..100 to the stored step 0..2048."""
    return round(min(max(quality, 0.0), 100.0) * STEPS / 100)


def from_step(step: int) -> float:
    """Stored step to quality, rounded to a tenth."""
    return round(step * 100 / STEPS, 1)


def interpolate(table: Tensor, step: Tensor) -> Tensor:
    """Rows of an integer-valued ``table`` (ANCHORS, C) at ``step`` (B,): (B, C, 1, 1).

    Table entries are below 2**15 in magnitude, so that the products fit float32 exactly.
    """
    index = torch.clamp(step // INTERVAL, max=ANCHORS - 2)
    upper = (step - index * INTERVAL).to(table.dtype)[:, None]
    mixed = table[index] * (INTERVAL - upper) + table[index + 1] * upper
    rounded = round_clamp(mixed / INTERVAL, -(2.0**15), 2.0**15)
    return rounded[:, :, None, None]
