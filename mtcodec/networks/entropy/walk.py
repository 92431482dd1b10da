"""The walk through the coding steps of a stream: the same in training, encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import GAIN_UNIT, Rows
from mtcodec.networks.entropy.stream import MEAN_UNIT, SYMBOL_LIMIT, Z_LIMIT, Stream
from mtcodec.networks.layers import Arithmetic, Maps


@dataclass
class Step:
    """One step of coding: what the entropy coder needs to know of its symbols."""

    mu: Maps  # means, integers in units of 1/16 symbol, (B, C, H, W); 0 for hyper-latents
    index: Maps  # probability tables, integers, (B, C, H, W)
    mask: Maps  # where symbols are coded in this step, boolean (C, H, W)
    limit: int  # largest magnitude of a symbol


class StreamNetworks(Arithmetic, Protocol):
    """The integer networks of a stream, run by an engine; see :class:`Stream` for their arguments."""

    structure: Stream

    def first(self, z_hat: Maps, rows: Rows, condition: Maps | None) -> tuple[Maps, ...]: ...

    def following(self, step: int, features: Maps, y_hat: Maps, rows: Rows) -> tuple[Maps, ...]: ...

    def arange(self, count: int) -> Maps:
        """The integers from 0 to ``count`` − 1, (count,)."""

    def expand(self, x: Maps, shape: tuple[int, ...]) -> Maps:
        """``x`` repeated to ``shape``."""


def decode(
    networks: StreamNetworks,
    rows: Rows,
    shape: tuple[int, int, int],
    condition: Maps | None,
    take: Callable[[Step], Maps],
) -> Maps:
    """Walk through the steps of a stream; returns ŷ in units of 1/16 symbol, (B, N, H, W).

    ``take(step)`` gives the symbols of every :class:`Step`, (B, C, H, W), of which those outside of its
    ``mask`` are ignored. ``shape`` is (B, H, W) of the latents, H and W multiples of 4.
    """
    (batch, height, width), own = shape, networks.structure
    z_shape = own.hyper, height // 4, width // 4
    z_index = networks.expand(rows.z_index, (batch, *z_shape))
    z_hat = take(Step(0, z_index, networks.expand(networks.arange(1) == 0, z_shape), Z_LIMIT))
    features, mu, index = networks.first(z_hat, rows, condition)
    y_hat: Maps = None
    for k, mask in enumerate(order.masks(networks.arange, own.channels, height, width)):
        if k:
            mu, index = networks.following(k, features, y_hat, rows)
        decoded = take(Step(mu, index, mask, SYMBOL_LIMIT)) * MEAN_UNIT + mu
        y_hat = networks.where(mask, decoded, y_hat) if k else decoded * mask
    return y_hat


def encode(
    networks: StreamNetworks,
    y: Maps,
    z: Maps,
    rows: Rows,
    condition: Maps | None,
    put: Callable[[Step, Maps], None],
) -> Maps:
    """Quantise ``y`` (B, N, H, W) and ``z`` = h_a(y), calling ``put(step, symbols)``; returns ŷ.

    ``symbols`` are rounded, differentiable straight through.
    """
    target = networks.float32(y) * (rows.gain / GAIN_UNIT)

    def code(step: Step) -> Maps:
        wanted = networks.float32(z) if step.limit == Z_LIMIT else target - step.mu / MEAN_UNIT
        symbols = networks.round_clamp(wanted, -step.limit, step.limit)
        put(step, symbols)
        return symbols

    return decode(networks, rows, (y.shape[0], y.shape[2], y.shape[3]), condition, code)
