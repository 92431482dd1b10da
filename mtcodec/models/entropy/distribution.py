"""Scales and shape of the distributions of all symbols, as training sees them.

Weights files hold them as tables of counts (:mod:`mtcodec.models.entropy.fit`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SCALES = 64
SCALE_MIN, SCALE_MAX = 0.03, 40.0  # of the logistic distribution, in symbols
SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALES - 1)


class Distribution(nn.Module):
    """Shape of all distributions: a mixture of two zero-mean logistics, the second one wider."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = nn.Parameter(torch.tensor(-3.0))
        self.ratio = nn.Parameter(torch.tensor(1.0))

    def probability(self, value: Tensor, index: Tensor) -> Tensor:
        """Probability of the unit interval around ``value`` at (differentiable) scale ``index``."""
        scale = SCALE_MIN * torch.exp(index * SCALE_STEP)
        v = value.abs()
        tail = torch.sigmoid(self.tail)
        wide = scale * torch.exp(self.ratio)

        def mass(s: Tensor) -> Tensor:
            return torch.sigmoid((0.5 - v) / s) - torch.sigmoid((-0.5 - v) / s)

        return (1 - tail) * mass(scale) + tail * mass(wide)

    def bits(self, value: Tensor, index: Tensor) -> Tensor:
        return -torch.log2(self.probability(value, index).clamp_min(2.0**-22))
