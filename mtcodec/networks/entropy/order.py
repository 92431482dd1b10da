"""In which coding passes the latents of a stream are coded: all that knows their number and places.

Two passes, by a checkerboard. In the first half of the channels the first pass codes the places whose row
and column add up to an even number, in the second half the odd ones; the second pass codes the rest::

    channels of the first half    of the second half
          0 1 0 1                      1 0 1 0
          1 0 1 0                      0 1 0 1

So every symbol of the second pass sees its four neighbours, and the first pass's symbols of the other half
of the channels in its own place (He et al. 2021). Another order changes this file alone; the entropy model
has a context network for every pass but the first. Passes are numbered from 0 on here, without the one of the
hyper-latents, as names of layers in weights files have these numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from mtcodec.networks.layers import Maps

PASSES = 2


def groups(arange: Callable[[int], Maps], channels: int) -> Maps:
    """The group of every channel, 0 or 1: those of one group are coded in the same places.

    ``arange`` makes the integers from 0 on, as an engine has them.
    """
    return 1 * (arange(channels) >= (channels + 1) // 2)


def masks(arange: Callable[[int], Maps], channels: int, height: int, width: int) -> list[Maps]:
    """By pass, where it codes: boolean (channels, height, width). Every place belongs to one pass."""
    colour = (arange(height)[:, None] + arange(width)) % PASSES
    group = groups(arange, channels)[:, None, None]
    return [colour == (k + PASSES - group) % PASSES for k in range(PASSES)]


def context_layers(k: int) -> tuple[str, str, str]:
    """Names of the layers that make the features of pass ``k`` > 0: 1×1, depthwise, 1×1."""
    first = 3 * k - 2
    return f"c_{first}", f"c_{first + 1}", f"c_{first + 2}"


OUTPUTS = tuple(f"out_{k}" for k in range(PASSES))
"""Layers that give means and scales, by pass."""
CONTEXTS = tuple(context_layers(k)[0] for k in range(1, PASSES))
"""Layers that read features and decoded latents."""
