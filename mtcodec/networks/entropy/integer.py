"""Integer layers: convolutions whose results are the same on every machine.

Encoder and decoder must choose the same probability table for every symbol, or all that follows is lost.
Floats do not promise that: (a + b) + c is not a + (b + c), and libraries add in different orders. So
weights and biases are multiples of 1/128, activations are integers of at most 255 in magnitude, and
everything is held in float32. Every partial sum is then a multiple of 1/128 below 2**17, that is, an
integer below 2**24 times 1/128, which float32 holds exactly: no operation rounds, and the order of summation
(threads, batch, instruction set, FMA, bfloat16 or TF32 products) cannot change anything. :func:`worst_sum`
finds the largest sum that can occur; weights files that could exceed :data:`EXACT` are refused. Training uses
the same forward pass with straight-through gradients; what is trained is what is shipped.

Layers are 1×1 or depthwise 3×3. Dense 3×3 kernels are left out on purpose: Winograd implementations of
them are not exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.networks.layers import Arithmetic, Maps

WEIGHT_UNIT = 1.0 / 128  # of weights and biases
BIAS_UNIT = 32.0  # biases are trained in units of 32 activations, to match the weights' pace
ACTIVATION_LIMIT = 255
WEIGHT_LIMIT, BIAS_LIMIT = 127, 2**20  # of the integers that stand for them
EXACT = 2.0**24  # integers up to here are exact in float32


def activate(net: Arithmetic, x: Maps) -> Maps:
    """Quantised rectifier: integers 0 to 255."""
    return net.round_clamp(x, 0, ACTIVATION_LIMIT)


def worst_sum(weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> int:
    """Largest magnitude, in units of 1/128, of any partial sum of a layer with these integers."""
    total = np.abs(weight.astype(np.int64)).sum(axis=(1, 2, 3)) * ACTIVATION_LIMIT
    return int((total + np.abs(bias.astype(np.int64))).max())
