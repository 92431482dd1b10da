"""What depends on the quality: tables of one row per *anchor*, a quality level in every 256.

Between two anchors, values are interpolated linearly in exact integer arithmetic, so that encoder and decoder
agree on every value on every machine: it decides which probability tables are used. A weights file holds the
tables (``docs/format.md``); training derives them from parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.networks.entropy.scales import SCALES
from mtcodec.networks.layers import Arithmetic, Maps
from mtcodec.quality import MAX_NETWORK_LEVEL

ANCHORS = 9
INTERVAL = MAX_NETWORK_LEVEL // (ANCHORS - 1)  # levels from an anchor to the next
GAIN_UNIT = 1024
TABLE_LIMITS = {  # of the integers in the tables
    "gain": (16, 2**14), "offset": (-(2**12), 2**12), "bias": (-(2**12), 2**12), "z_index": (0, SCALES - 1),
}  # fmt: skip
Tables = dict[str, Maps]
"""By the names of :data:`TABLE_LIMITS`, (ANCHORS, C): integers in float32."""


@dataclass
class GainVectors:
    """Scales per channel of a stream, at one quality for every file of a batch: (B, C, 1, 1) each."""

    gain: Maps  # integers, units of 1/1024
    offset: Maps  # integers, scale index in units of 1/64
    bias: Maps  # integers, units of one activation
    z_index: Maps  # scale index of every hyper-latent channel


def gain_vectors_at(net: Arithmetic, tables: Tables, levels: Maps) -> GainVectors:
    """Gain vectors at quality levels (B,), integers 0 to MAX_NETWORK_LEVEL."""
    return GainVectors(**{name: interpolate(net, table, levels) for name, table in tables.items()})


def interpolate(net: Arithmetic, table: Maps, levels: Maps) -> Maps:
    """Rows of an integer-valued ``table`` (ANCHORS, C) at quality levels (B,): (B, C, 1, 1).

    The row at a level is the mean of those of the anchors below and above it, weighted by how near they are:
    ``(below · (INTERVAL − r) + above · r) / INTERVAL`` for a level ``r`` above its anchor, rounded to the
    nearest integer. Entries are below 2**15 in magnitude and INTERVAL is 2**8, so that float32 holds all
    products and sums exactly. The highest level lies at ``r`` = INTERVAL of the last interval.
    """
    anchor = (levels - levels // MAX_NETWORK_LEVEL) // INTERVAL
    above = net.float32(levels - anchor * INTERVAL)[:, None]
    weighted_sum = table[anchor] * (INTERVAL - above) + table[anchor + 1] * above
    return net.round_clamp(weighted_sum / INTERVAL, -(2.0**15), 2.0**15)[:, :, None, None]
