"""What depends on the quality: tables of one row per *anchor*, interpolated linearly in integers between
them, so that encoder and decoder agree on every value on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtcodec.format.quality import NETWORK_STEPS
from mtcodec.models.entropy.distribution import SCALE_STEP, SCALES
from mtcodec.models.entropy.integer import round_clamp

ANCHORS = 9
INTERVAL = NETWORK_STEPS // (ANCHORS - 1)
GAIN_UNIT = 1024
TABLE_LIMITS = {  # of the integers in the tables
    "gain": (16, 2**14), "offset": (-(2**12), 2**12), "bias": (-(2**12), 2**12), "z_index": (0, SCALES - 1),
}  # fmt: skip
PARAMETERS = ("log_gain", "q_bias", "z_scale")  # what the tables are made of in training
Tables = dict[str, Tensor]
"""By the names of :data:`TABLE_LIMITS`, (ANCHORS, C): integers in float32."""


@dataclass
class Rows:
    """Rows of the tables at one quality a scene: (B, C, 1, 1) each."""

    gain: Tensor  # integers, units of 1/1024
    offset: Tensor  # integers, scale index in units of 1/64
    bias: Tensor  # integers, units of one activation step
    z_index: Tensor  # scale index of every hyper-latent channel


def tables_of(log_gain: Tensor, q_bias: Tensor, z_scale: Tensor) -> Tables:
    """The tables that these parameters stand for, differentiable straight through."""
    log_gain = log_gain.clamp(-3.5, 2.7)
    tables = {
        "gain": torch.exp(log_gain) * GAIN_UNIT,
        "offset": log_gain * (64 / SCALE_STEP),
        "bias": q_bias * 32.0,
        "z_index": z_scale * 8.0,
    }
    return {name: round_clamp(table, *TABLE_LIMITS[name]) for name, table in tables.items()}


def parameters_of(tables: Tables) -> dict[str, Tensor]:
    """Parameters that stand for these tables, by the names of :data:`PARAMETERS`."""
    values = torch.log(tables["gain"] / GAIN_UNIT), tables["bias"] / 32.0, tables["z_index"] / 8.0
    return dict(zip(PARAMETERS, values))


def rows_at(tables: Tables, step: Tensor) -> Rows:
    """Table rows at quality steps ``step`` (B,)."""
    return Rows(**{name: interpolate(table, step) for name, table in tables.items()})


def interpolate(table: Tensor, step: Tensor) -> Tensor:
    """Rows of an integer-valued ``table`` (ANCHORS, C) at quality steps ``step`` (B,): (B, C, 1, 1).

    Table entries are below 2**15 in magnitude, so that the products fit float32 exactly.
    """
    index = torch.clamp(step // INTERVAL, max=ANCHORS - 2)
    upper = (step - index * INTERVAL).to(table.dtype)[:, None]
    mixed = table[index] * (INTERVAL - upper) + table[index + 1] * upper
    rounded = round_clamp(mixed / INTERVAL, -(2.0**15), 2.0**15)
    return rounded[:, :, None, None]
