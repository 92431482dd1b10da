"""The coding passes of a stream, one after the other: the same in training, encoder and decoder.

Whoever codes a stream loops over its passes and sets the symbols of each::

    passes = StreamPasses(networks, gains, shape, condition)
    for coding_pass in passes:
        coding_pass.symbols = …  # quantised, or taken out of a file
    y_hat = passes.y_hat

The mean and the probability tables of a pass depend on the symbols of the passes before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import GAIN_UNIT, GainVectors
from mtcodec.networks.entropy.stream import MEAN_UNIT, SYMBOL_LIMIT, Z_LIMIT, Stream
from mtcodec.networks.layers import Arithmetic, Maps

HYPER_PASS = 0  # the number of the pass that codes the hyper-latents
PASS_COUNT = 1 + order.PASSES  # after the hyper-latents come the passes of the latents


class StreamNetworks(Arithmetic, Protocol):
    """The networks of a stream, run by an engine; see :class:`mtcodec.networks.entropy.stream.Stream` for
    what they take and give."""

    structure: Stream

    def gain_vectors(self, levels: Maps) -> GainVectors:
        """Gain vectors at quality levels (B,)."""

    def hyper_analysis(self, y: Maps) -> Maps: ...

    def first(self, z_hat: Maps, gains: GainVectors, condition: Maps | None) -> Sequence[Maps]: ...

    def following(self, k: int, features: Maps, y_hat: Maps, gains: GainVectors) -> Sequence[Maps]: ...

    def arange(self, count: int, /) -> Maps:
        """The integers from 0 to ``count`` − 1, (count,)."""

    def expand(self, x: Maps, shape: tuple[int, ...], /) -> Maps:
        """``x`` repeated to ``shape``."""

    def where(self, mask: Maps, x: Maps, y: Maps, /) -> Maps:
        """``x`` where ``mask`` holds, else ``y``."""


@dataclass
class CodingPass:
    """Symbols of a stream that are coded together: what the entropy coder needs to know of them.

    Attributes:
        number: :data:`HYPER_PASS`, or 1 and more for the latents.
        mean: integers in units of 1/16 symbol, (B, C, H, W); 0 for hyper-latents.
        table_indexes: of the probability tables, integers, (B, C, H, W).
        mask: where symbols are coded in this pass, boolean (C, H, W).
        max_abs: largest magnitude of a symbol.
        symbols: integers in a float type, (B, C, H, W), set by whoever codes; those outside of ``mask`` are
            ignored.
    """

    number: int
    mean: Maps
    table_indexes: Maps
    mask: Maps
    max_abs: int
    symbols: Maps = None


class StreamPasses:
    """The coding passes of one stream of a batch of files.

    Args:
        networks: of the stream.
        gains: its gain vectors at the qualities of the files.
        shape: (B, H, W) of the latents, H and W multiples of 4.
        condition: canonical latent of the shared stream (:func:`mtcodec.networks.entropy.stream.canonical`),
            (B, N, H, W); None for streams that are not conditioned.

    Attributes:
        y_hat: decoded latents in units of 1/16 symbol, (B, N, H, W); whole after the last pass.
    """

    def __init__(
        self,
        networks: StreamNetworks,
        gains: GainVectors,
        shape: tuple[int, int, int],
        condition: Maps | None = None,
    ) -> None:
        self.networks, self.gains, self.shape, self.condition = networks, gains, shape, condition
        self.y_hat: Maps = None
        self._z_hat: Maps = None
        self._features: Maps = None
        self._masks: list[Maps] = []

    def __iter__(self) -> Iterator[CodingPass]:
        """Every pass in its turn; its symbols must be set before the next one is asked for."""
        for number in range(PASS_COUNT):
            coding_pass = self.start(number)
            yield coding_pass
            self.finish(coding_pass)

    def start(self, number: int) -> CodingPass:
        """The pass of this number, without symbols; those before it must be finished."""
        networks, (batch, height, width) = self.networks, self.shape
        if number == HYPER_PASS:
            z_shape = networks.structure.hyper, height // 4, width // 4
            z_index = networks.expand(self.gains.z_index, (batch, *z_shape))
            everywhere = networks.expand(networks.arange(1) == 0, z_shape)
            return CodingPass(HYPER_PASS, 0, z_index, everywhere, Z_LIMIT)
        if number == 1:
            self._features, mean, table_indexes = networks.first(self._z_hat, self.gains, self.condition)
            self._masks = order.masks(networks.arange, networks.structure.channels, height, width)
        else:
            mean, table_indexes = networks.following(number - 1, self._features, self.y_hat, self.gains)
        return CodingPass(number, mean, table_indexes, self._masks[number - 1], SYMBOL_LIMIT)

    def finish(self, coding_pass: CodingPass) -> None:
        """Take in the symbols of the pass that was started last."""
        if coding_pass.number == HYPER_PASS:
            self._z_hat = coding_pass.symbols
            return
        decoded = coding_pass.symbols * MEAN_UNIT + coding_pass.mean
        if coding_pass.number == 1:
            self.y_hat = decoded * coding_pass.mask
        else:
            self.y_hat = self.networks.where(coding_pass.mask, decoded, self.y_hat)

    def quantiser(self, y: Maps) -> Quantiser:
        """What rounds the latents ``y``, (B, N, H, W), to the symbols of these passes."""
        return Quantiser(self.networks, y, self.networks.hyper_analysis(y), self.gains)


class Quantiser:
    """What the encoder rounds to symbols.

    Attributes:
        z: hyper-latents, (B, hyper, H/4, W/4), float32.
        y: latents times their gain, in symbols, (B, N, H, W), float32.
    """

    def __init__(self, net: Arithmetic, y: Maps, z: Maps, gains: GainVectors) -> None:
        self.net, self.z = net, net.float32(z)
        self.y = net.float32(y) * (gains.gain / GAIN_UNIT)

    def symbols(self, coding_pass: CodingPass) -> Maps:
        """The symbols of a pass, (B, C, H, W): rounded, differentiable straight through."""
        values = self.z if coding_pass.number == HYPER_PASS else self.y - coding_pass.mean / MEAN_UNIT
        return self.net.round_clamp(values, -coding_pass.max_abs, coding_pass.max_abs)
