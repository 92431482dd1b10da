"""The walk through the coding steps of a stream: the same in training, encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mtcodec.models.entropy import order
from mtcodec.models.entropy.by_quality import GAIN_UNIT, Rows
from mtcodec.models.entropy.stream import MEAN_UNIT, SYMBOL_LIMIT, Z_LIMIT, Stream
from mtcodec.models.layers import Arithmetic, Maps


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

    def native(self, array: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Maps:
        """An array as this engine has them."""

    def expand(self, x: Maps, shape: tuple[int, ...]) -> Maps:
        """``x`` repeated to ``shape``."""


Walk = Generator[Step, Maps, Maps]


def walk(networks: StreamNetworks, rows: Rows, shape: tuple[int, int, int], condition: Maps | None) -> Walk:
    """Walk through the steps of a stream; returns ŷ in units of 1/16 symbol, (B, N, H, W).

    Yields every :class:`Step` and is sent its symbols (B, C, H, W), of which those outside of
    ``mask`` are ignored. ``shape`` is (B, H, W) of the latents, H and W multiples of 4.
    """
    (batch, height, width), own = shape, networks.structure
    z_shape = own.hyper, height // 4, width // 4
    z_index = networks.expand(rows.z_index, (batch, *z_shape))
    z_hat = yield Step(0, z_index, networks.native(np.ones(z_shape, bool)), Z_LIMIT)
    features, mu, index = networks.first(z_hat, rows, condition)
    y_hat: Maps = None
    for k, places in enumerate(order.masks(own.channels, height, width)):
        mask = networks.native(places)
        if k:
            mu, index = networks.following(k, features, y_hat, rows)
        symbols = yield Step(mu, index, mask, SYMBOL_LIMIT)
        decoded = symbols * MEAN_UNIT + mu
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
    steps = walk(networks, rows, (y.shape[0], y.shape[2], y.shape[3]), condition)
    step = next(steps)
    symbols = networks.round_clamp(networks.float32(z), -step.limit, step.limit)
    target = networks.float32(y) * (rows.gain / GAIN_UNIT)
    while True:
        put(step, symbols)
        try:
            step = steps.send(symbols)
        except StopIteration as end:
            return end.value
        symbols = networks.round_clamp(target - step.mu / MEAN_UNIT, -step.limit, step.limit)


def decode(
    networks: StreamNetworks,
    rows: Rows,
    shape: tuple[int, int, int],
    condition: Maps | None,
    take: Callable[[Step], Maps],
) -> Maps:
    """The mirror of :func:`encode`: ``take(step)`` gives the symbols; returns ŷ."""
    steps = walk(networks, rows, shape, condition)
    step = next(steps)
    while True:
        try:
            step = steps.send(take(step))
        except StopIteration as end:
            return end.value
