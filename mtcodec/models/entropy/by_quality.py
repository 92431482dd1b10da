"""Tables indexed by quality: one row per *anchor*, interpolated linearly in integers between them, so that
encoder and decoder agree on every value on every machine.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mtcodec.format.quality import STEPS
from mtcodec.models.entropy.integer import round_clamp

ANCHORS = 9
INTERVAL = STEPS // (ANCHORS - 1)


def interpolate(table: Tensor, step: Tensor) -> Tensor:
    """Rows of an integer-valued ``table`` (ANCHORS, C) at quality steps ``step`` (B,): (B, C, 1, 1).

    Table entries are below 2**15 in magnitude, so that the products fit float32 exactly.
    """
    index = torch.clamp(step // INTERVAL, max=ANCHORS - 2)
    upper = (step - index * INTERVAL).to(table.dtype)[:, None]
    mixed = table[index] * (INTERVAL - upper) + table[index + 1] * upper
    rounded = round_clamp(mixed / INTERVAL, -(2.0**15), 2.0**15)
    return rounded[:, :, None, None]
