"""What depends on the quality: tables of one row per *anchor*, interpolated linearly in integers between
them, so that encoder and decoder agree on every value on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.networks.entropy.scales import SCALES
from mtcodec.networks.layers import Arithmetic, Maps
from mtcodec.quality import MAX_NETWORK_LEVEL

ANCHORS = 9
INTERVAL = MAX_NETWORK_LEVEL // (ANCHORS - 1)
GAIN_UNIT = 1024
TABLE_LIMITS = {  # of the integers in the tables
    "gain": (16, 2**14), "offset": (-(2**12), 2**12), "bias": (-(2**12), 2**12), "z_index": (0, SCALES - 1),
}  # fmt: skip
Tables = dict[str, Maps]
"""By the names of :data:`TABLE_LIMITS`, (ANCHORS, C): integers in float32."""


@dataclass
class Rows:
    """Rows of the tables at one quality a scene: (B, C, 1, 1) each."""

    gain: Maps  # integers, units of 1/1024
    offset: Maps  # integers, scale index in units of 1/64
    bias: Maps  # integers, units of one activation step
    z_index: Maps  # scale index of every hyper-latent channel


def rows_at(net: Arithmetic, tables: Tables, step: Maps) -> Rows:
    """Table rows at quality steps ``step`` (B,), integers 0 to MAX_NETWORK_LEVEL."""
    return Rows(**{name: interpolate(net, table, step) for name, table in tables.items()})


def interpolate(net: Arithmetic, table: Maps, step: Maps) -> Maps:
    """Rows of an integer-valued ``table`` (ANCHORS, C) at quality steps ``step`` (B,): (B, C, 1, 1).

    Table entries are below 2**15 in magnitude, so that the products fit float32 exactly.
    """
    index = (step - step // MAX_NETWORK_LEVEL) // INTERVAL
    upper = net.float32(step - index * INTERVAL)[:, None]
    mixed = table[index] * (INTERVAL - upper) + table[index + 1] * upper
    return net.round_clamp(mixed / INTERVAL, -(2.0**15), 2.0**15)[:, :, None, None]
