"""Entropy model of one stream: hyper-latent, conditioning, context in steps, all in integers.

::

        y ──► h_a ──► z ──round──► ẑ ─► h_s ─┐
                                             ├─► e ─► F ──► (μ, scale) of step 0
        ŷ_shared (task streams only) ────────┘        │
                               ŷ of the steps before ─┴─► c ─► (μ, scale) of step 1, 2, …

What each step codes is said in :mod:`mtcodec.models.entropy.order`. ``h_a`` is the only float network here:
it runs in the encoder alone.

Symbols are ``s = round(y·gain(q) − μ)``; the decoded latent is ``ŷ = s + μ``, kept as an
integer in units of 1/16. Scales index a table of ``SCALES`` distributions, spaced logarithmically.
Hyperprior: Ballé et al. 2018; means: Minnen et al. 2018;
gain vectors: Cui et al. 2021; integer entropy networks: Ballé et al. 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.models.entropy import by_quality, order
from mtcodec.models.entropy.by_quality import ANCHORS, GAIN_UNIT, Rows, Tables
from mtcodec.models.entropy.distribution import SCALES, Distribution
from mtcodec.models.entropy.integer import ACTIVATION_LIMIT, IntConv, activate, move, round_clamp

MEAN_UNIT = 16  # means and decoded latents are integers in units of 1/16 symbol
SYMBOL_LIMIT = 2**14  # symbols and means are clamped to this magnitude, in symbols
Z_LIMIT = 31
Z_SPREAD = 8.0  # ẑ enters h_s in units of 1/8
OUTPUT_LIMIT = 4096.0
CANONICAL_UNIT = 8  # latents enter other networks in units of 1/8, before the gain


@dataclass
class Step:
    """One step of coding: what the entropy coder needs to know of its symbols."""

    mu: Tensor  # means, integers in units of 1/16 symbol, (B, C, H, W)
    index: Tensor  # probability tables, integers, (B, C, H, W)
    mask: Tensor  # where symbols are coded in this step, boolean (C, H, W)
    limit: int  # largest magnitude of a symbol


@dataclass
class Coded:
    """A stream as training sees it."""

    y_hat: Tensor  # decoded latent, integers in units of 1/16 symbol, (B, N, H, W)
    bits: Tensor  # estimated bits per scene, (B,)


class StreamModel(nn.Module):
    """Entropy model of one stream of ``channels`` latents at 1/16 of the image's resolution.

    Args:
        channels: latents per position.
        hyper: hyper-latents per position (at 1/64).
        width: channels of the integer networks.
        conditions: channels of the decoded latent that this stream is conditioned on; 0 for none.
    """

    def __init__(self, channels: int, hyper: int, width: int, conditions: int = 0) -> None:
        super().__init__()
        self.channels, self.hyper, self.conditions = channels, hyper, conditions
        half = width // 2
        self.h_a = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.LeakyReLU(),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * width, width, 1),
            nn.LeakyReLU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * width, hyper, 1),
        )
        self.h_s_1 = IntConv(hyper, 4 * half)
        self.h_s_2 = IntConv(half, half, depthwise=True)
        self.h_s_3 = IntConv(half, 4 * half)
        self.e_1 = IntConv(half + conditions, width)
        self.e_2 = IntConv(width, width, depthwise=True)
        self.e_3 = IntConv(width, width)
        for step in range(order.STEPS):
            if step:
                reads, spreads, mixes = order.context_layers(step)
                self.add_module(reads, IntConv(width + channels, width))
                self.add_module(spreads, IntConv(width, width, depthwise=True))
                self.add_module(mixes, IntConv(width, width))
            self.add_module(order.output_layer(step), IntConv(width, 2 * channels))
        levels = torch.linspace(-1.4, 1.4, ANCHORS)[:, None]
        self.log_gain = nn.Parameter(levels.repeat(1, channels))
        self.q_bias = nn.Parameter(torch.zeros(ANCHORS, width))
        self.z_scale = nn.Parameter(torch.full((ANCHORS, hyper), 28.0 / 8))
        self.frozen: Tables = {}  # tables of a loaded file, used instead of recomputing them
        last = self.h_a[-1]
        assert isinstance(last, nn.Conv2d)
        with torch.no_grad():
            last.weight *= 3.0  # hyper-latents that do not all round to zero
        for out in self.outputs:
            nn.init.zeros_(out.weight)
            with torch.no_grad():
                out.bias[channels:] = 28.0 * 4 / 32  # start at scale index 28

    def _layer(self, name: str) -> IntConv:
        layer = getattr(self, name)
        assert isinstance(layer, IntConv)
        return layer

    @property
    def outputs(self) -> list[IntConv]:
        """The layers that give means and scales, by step."""
        return [self._layer(name) for name in order.OUTPUTS]

    # --- tables, integers; the same functions in training and in use -----------------------------

    def tables(self) -> Tables:
        """The integer tables by anchor: as loaded, or from the parameters in training."""
        return self.frozen or by_quality.tables_of(self.log_gain, self.q_bias, self.z_scale)

    def rows(self, step: Tensor) -> Rows:
        """Table rows at quality steps ``step`` (B,)."""
        return by_quality.rows_at(self.tables(), step)

    def load_tables(self, tables: Tables) -> dict[str, Tensor]:
        """Use these tables from now on; returns the parameters that stand for them, for further training."""
        self.frozen = tables
        return by_quality.parameters_of(tables)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> StreamModel:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frozen = {name: move(fn, table) for name, table in self.frozen.items()}
        return self

    # --- integer networks ------------------------------------------------------------------------

    def features(self, z_hat: Tensor, rows: Rows, condition: Tensor | None) -> Tensor:
        """F: (B, width, H, W) from ẑ (B, hyper, H/4, W/4) and the conditioning latent."""
        x = activate(F.pixel_shuffle(self.h_s_1(z_hat * Z_SPREAD), 2))
        x = activate(self.h_s_2(x))
        x = activate(F.pixel_shuffle(self.h_s_3(x), 2))
        if condition is not None:
            x = torch.cat([x, condition], dim=1)
        x = activate(self.e_1(x) + rows.bias)
        x = activate(self.e_2(x))
        return activate(self.e_3(x))

    def context(self, step: int, features: Tensor, canonical: Tensor) -> Tensor:
        """Features of ``step`` from F and the canonical latent decoded in the steps before (else zero)."""
        x = torch.cat([features, canonical], dim=1)
        for name in order.context_layers(step):
            x = activate(self._layer(name)(x))
        return x

    @staticmethod
    def parameters_of(output: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        """(μ in units of 1/16 symbol, scale index) from the output of one of :attr:`outputs`."""
        mean, scale = output.clamp(-OUTPUT_LIMIT, OUTPUT_LIMIT).chunk(2, dim=1)
        limit = float(SYMBOL_LIMIT * MEAN_UNIT)
        # float64: the product of two integers below 2**20 and 2**15 is exact
        product = mean.double() * rows.gain.double()
        mu = round_clamp(product * (MEAN_UNIT / (32.0 * GAIN_UNIT)), -limit, limit).float()
        index = round_clamp(scale / 4 + rows.offset / 64, 0, SCALES - 1)
        return mu, index

    @staticmethod
    def canonical(y_hat: Tensor, rows: Rows) -> Tensor:
        """ŷ without its gain, as an integer activation: units of 1/8, clamped to ±255."""
        gain = rows.gain.detach()
        reciprocal = torch.div(
            2.0**19 + torch.div(gain, 2, rounding_mode="floor"), gain, rounding_mode="floor"
        )  # integers below 2**20: exact in float32
        unit = CANONICAL_UNIT * GAIN_UNIT / MEAN_UNIT
        product = y_hat.double() * reciprocal.double() * (unit / 2.0**19)
        return round_clamp(product, -ACTIVATION_LIMIT, ACTIVATION_LIMIT).float()

    # --- coding: the same walk in training, encoder and decoder ----------------------------------

    def walk(
        self, rows: Rows, shape: tuple[int, int, int], condition: Tensor | None
    ) -> Generator[Step, Tensor, Tensor]:
        """Walk through the steps of a stream; returns ŷ in units of 1/16 symbol, (B, N, H, W).

        Yields every :class:`Step` and is sent its symbols (B, C, H, W), of which those outside of
        ``mask`` are ignored. ``shape`` is (B, H, W) of the latents, H and W multiples of 4.
        """
        batch, height, width = shape
        z_index = rows.z_index.expand(batch, -1, height // 4, width // 4)
        everywhere = torch.ones(z_index.shape[1:], dtype=torch.bool, device=z_index.device)
        z_hat = yield Step(torch.zeros_like(z_index), z_index, everywhere, Z_LIMIT)
        features = self.features(z_hat, rows, condition)
        y_hat: Tensor | None = None
        for k, mask in enumerate(order.masks(self.channels, height, width)):
            mask = mask.to(z_hat.device)
            x = features if y_hat is None else self.context(k, features, self.canonical(y_hat, rows))
            mu, index = self.parameters_of(self.outputs[k](x), rows)
            symbols = yield Step(mu, index, mask, SYMBOL_LIMIT)
            decoded = symbols * MEAN_UNIT + mu
            y_hat = decoded * mask if y_hat is None else torch.where(mask, decoded, y_hat)
        assert y_hat is not None
        return y_hat

    def encode(
        self,
        y: Tensor,
        z: Tensor,
        rows: Rows,
        condition: Tensor | None,
        put: Callable[[Step, Tensor], None],
    ) -> Tensor:
        """Quantise ``y`` (B, N, H, W) and ``z`` = h_a(y), calling ``put(step, symbols)``; returns ŷ.

        ``symbols`` are rounded, differentiable straight through.
        """
        shape = (y.shape[0], y.shape[2], y.shape[3])
        walk = self.walk(rows, shape, condition)
        step = next(walk)
        symbols = round_clamp(z.float(), -step.limit, step.limit)
        target = y.float() * (rows.gain / GAIN_UNIT)
        while True:
            put(step, symbols)
            try:
                step = walk.send(symbols)
            except StopIteration as end:
                y_hat: Tensor = end.value
                return y_hat
            symbols = round_clamp(target - step.mu / MEAN_UNIT, -step.limit, step.limit)

    def decode(
        self,
        rows: Rows,
        shape: tuple[int, int, int],
        condition: Tensor | None,
        take: Callable[[Step], Tensor],
    ) -> Tensor:
        """The mirror of :meth:`encode`: ``take(step)`` gives the symbols; returns ŷ."""
        walk = self.walk(rows, shape, condition)
        step = next(walk)
        while True:
            try:
                step = walk.send(take(step))
            except StopIteration as end:
                y_hat: Tensor = end.value
                return y_hat

    def forward(
        self, y: Tensor, rows: Rows, distribution: Distribution, condition: Tensor | None = None
    ) -> Coded:
        """Quantise ``y`` (B, N, H, W) and estimate its bits (training).

        Rates come from additive uniform noise, everything else from rounded values with
        straight-through gradients (Minnen & Singh 2020).
        """
        steps: list[Step] = []
        z = self.h_a(y).float()
        y_hat = self.encode(y, z, rows, condition, lambda s, _: steps.append(s))
        hyper, *others = steps
        bits = distribution.bits(self.disturb(z), hyper.index).sum(dim=(1, 2, 3))
        mu, index = others[-1].mu, others[-1].index
        for step in others[:-1]:
            mu, index = torch.where(step.mask, step.mu, mu), torch.where(step.mask, step.index, index)
        residual = y.float() * (rows.gain / GAIN_UNIT) - mu / MEAN_UNIT
        return Coded(y_hat, bits + distribution.bits(self.disturb(residual), index).sum(dim=(1, 2, 3)))

    def disturb(self, x: Tensor) -> Tensor:
        """Uniform noise in training, rounding in evaluation."""
        return x + torch.rand_like(x) - 0.5 if self.training else x.round()

    @staticmethod
    def latent(y_hat: Tensor, rows: Rows) -> Tensor:
        """ŷ without its gain, as the float latent that the synthesis reads."""
        return y_hat * (GAIN_UNIT / MEAN_UNIT) / rows.gain
