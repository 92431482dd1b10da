"""Entropy model of one stream: hyper-latent, conditioning, context in coding passes, all in integers.

::

        y ──► h_a ──► z ──round──► ẑ ─► h_s ─┐
                                             ├─► e ─► F ──► (μ, scale) of pass 0
        ŷ_shared (task streams only) ────────┘        │
                              ŷ of the passes before ─┴─► c ─► (μ, scale) of pass 1, 2, …

What each pass codes is said in :mod:`mtcodec.networks.entropy.order`; the loop over them is
:mod:`mtcodec.networks.entropy.passes`. ``h_a`` is the only float network here: it runs in the encoder alone.

Symbols are ``s = round(y·gain(q) − μ)``; the decoded latent is ``ŷ = s + μ``, kept as an
integer in units of 1/16. Scales index a table of ``SCALES`` distributions, spaced logarithmically.
Hyperprior: Ballé et al. 2018; means: Minnen et al. 2018;
gain vectors: Cui et al. 2021; integer entropy networks: Ballé et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import ANCHORS, GAIN_UNIT, GainVectors
from mtcodec.networks.entropy.integer import ACTIVATION_LIMIT, activate
from mtcodec.networks.entropy.scales import SCALES
from mtcodec.networks.layers import Arithmetic, Layer, Layers, Maps, Operations, depthwise

MEAN_UNIT = 16  # means and decoded latents are integers in units of 1/16 symbol
SYMBOL_LIMIT = 2**14  # symbols and means are clamped to this magnitude, in symbols
Z_LIMIT = 31
Z_SPREAD = 8.0  # ẑ enters h_s in units of 1/8
OUTPUT_LIMIT = 4096.0
CANONICAL_UNIT = 8  # latents enter other networks in units of 1/8, before the gain


@dataclass(frozen=True)
class Stream:
    """Structure of the entropy model of a stream of latents at 1/16 of the image's resolution.

    Attributes:
        channels: latents per position.
        hyper: hyper-latents per position (at 1/64).
        width: channels of the integer networks.
        conditions: channels of the decoded latent that this stream is conditioned on; 0 for none.
    """

    channels: int
    hyper: int
    width: int
    conditions: int = 0

    @property
    def layers(self) -> Layers:
        width, half = self.width, self.width // 2

        integer = partial(Layer, kind="integer")
        layers = {
            "h_a.0": Layer(self.channels, width),
            "h_a.3": Layer(4 * width, width),
            "h_a.5": depthwise(width),
            "h_a.7": Layer(4 * width, self.hyper, gain=3.0),  # hyper-latents that do not all round to zero
            "h_s_1": integer(self.hyper, 4 * half),
            "h_s_2": depthwise(half, "integer"),
            "h_s_3": integer(half, 4 * half),
            "e_1": integer(half + self.conditions, width),
            "e_2": depthwise(width, "integer"),
            "e_3": integer(width, width),
        }
        for k in range(order.PASSES):
            if k:
                reads, spreads, mixes = order.context_layers(k)
                layers[reads] = integer(width + self.channels, width)
                layers[spreads] = depthwise(width, "integer")
                layers[mixes] = integer(width, width)
            layers[order.OUTPUTS[k]] = integer(width, 2 * self.channels, gain=0.0)
        return layers

    @property
    def tables(self) -> dict[str, tuple[int, int]]:
        """Shapes of the tables by quality (:class:`mtcodec.networks.entropy.gain_vectors.GainVectors`)."""
        channels = {"gain": self.channels, "offset": self.channels, "bias": self.width, "z_index": self.hyper}
        return {name: (ANCHORS, count) for name, count in channels.items()}

    # --- networks ----------------------------------------------------------------------------------

    def hyper_analysis(self, net: Operations, y: Maps) -> Maps:
        """z, (B, hyper, H/4, W/4), of y, (B, N, H, W)."""
        x = net.unshuffle(net.leaky_relu(net.layer("h_a.0", y), 0.01), 2)
        x = net.layer("h_a.5", net.leaky_relu(net.layer("h_a.3", x), 0.01))
        return net.layer("h_a.7", net.unshuffle(x, 2))

    def first(
        self, net: Operations, z_hat: Maps, gains: GainVectors, condition: Maps | None
    ) -> tuple[Maps, ...]:
        """F (B, width, H, W), and :meth:`parameters` of pass 0.

        Args:
            z_hat: (B, hyper, H/4, W/4). condition: canonical latent of another stream, (B, N, H, W).
        """
        x = activate(net, net.shuffle(net.layer("h_s_1", z_hat * Z_SPREAD), 2))
        x = activate(net, net.layer("h_s_2", x))
        x = activate(net, net.shuffle(net.layer("h_s_3", x), 2))
        if condition is not None:
            x = net.cat([x, condition])
        x = activate(net, net.layer("e_1", x) + gains.bias)
        x = activate(net, net.layer("e_2", x))
        features = activate(net, net.layer("e_3", x))
        return features, *self.parameters(net, net.layer(order.OUTPUTS[0], features), gains)

    def following(
        self, net: Operations, k: int, features: Maps, y_hat: Maps, gains: GainVectors
    ) -> tuple[Maps, Maps]:
        """:meth:`parameters` of pass ``k`` > 0 from F and ŷ as decoded in the passes before (else zero)."""
        x = net.cat([features, canonical(net, y_hat, gains)])
        for name in order.context_layers(k):
            x = activate(net, net.layer(name, x))
        return self.parameters(net, net.layer(order.OUTPUTS[k], x), gains)

    def parameters(self, net: Operations, output: Maps, gains: GainVectors) -> tuple[Maps, Maps]:
        """(μ in units of 1/16 symbol, scale index) from the output of one of the last layers."""
        mean, scale = net.split(output, [self.channels] * 2)
        mean = net.clamp(mean, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        scale = net.clamp(scale, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        largest = float(SYMBOL_LIMIT * MEAN_UNIT)
        # float64: the product of two integers below 2**20 and 2**15 is exact
        product = net.float64(mean) * net.float64(gains.gain)
        mean = net.float32(net.round_clamp(product * (MEAN_UNIT / (32.0 * GAIN_UNIT)), -largest, largest))
        return mean, net.round_clamp(scale / 4 + gains.offset / 64, 0, SCALES - 1)


def canonical(net: Arithmetic, y_hat: Maps, gains: GainVectors) -> Maps:
    """ŷ without its gain, as an integer activation: units of 1/8, clamped to ±255."""
    gain = net.detached(gains.gain)
    reciprocal = (gain // 2 + 2.0**19) // gain  # integers below 2**20: exact in float32
    unit = CANONICAL_UNIT * GAIN_UNIT / MEAN_UNIT
    product = net.float64(y_hat) * net.float64(reciprocal) * (unit / 2.0**19)
    return net.float32(net.round_clamp(product, -ACTIVATION_LIMIT, ACTIVATION_LIMIT))


def latent(y_hat: Maps, gains: GainVectors) -> Maps:
    """ŷ without its gain, as the float latent that the synthesis reads."""
    return y_hat * (GAIN_UNIT / MEAN_UNIT) / gains.gain
