"""In which steps the symbols of a latent are coded: all that knows their number and places.

Two steps: a checkerboard, whose colours are swapped for the second half of the channels, so that both steps
see neighbours in space and across channels (He et al. 2021). Another order changes this file alone; the
entropy model has a context network for every step but the first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mtcodec.networks.layers import Maps

STEPS = 2


def groups(channels: int) -> npt.NDArray[np.int64]:
    """The group of every channel, (channels,): those of one group are coded in the same places."""
    return (np.arange(channels) >= (channels + 1) // 2).astype(np.int64)


def masks(arange: Callable[[int], Maps], channels: int, height: int, width: int) -> list[Maps]:
    """By step, where it codes: (channels, height, width). Every place belongs to one.

    ``arange`` makes the integers from 0 on, as an engine has them.
    """
    places = (arange(height)[:, None] + arange(width)) % STEPS
    group = (arange(channels) >= (channels + 1) // 2)[:, None, None]
    return [places == (k + STEPS - 1 * group) % STEPS for k in range(STEPS)]


def context_layers(step: int) -> tuple[str, str, str]:
    """Names of the layers that make the features of ``step`` > 0: 1×1, depthwise, 1×1."""
    first = 3 * step - 2
    return f"c_{first}", f"c_{first + 1}", f"c_{first + 2}"


def output_layer(step: int) -> str:
    """Name of the layer that gives means and scales of ``step``."""
    return f"out_{step}"


OUTPUTS = tuple(output_layer(k) for k in range(STEPS))
CONTEXTS = tuple(
    context_layers(k)[0] for k in range(1, STEPS)
)  # layers that read features and decoded latents
