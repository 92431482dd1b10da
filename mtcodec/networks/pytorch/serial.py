"""Models of torch ↔ weights files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtcodec.bitstreams.range_coder import Tables
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.entropy import fit
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS
from mtcodec.networks.entropy.integer import BIAS_UNIT, EXACT, WEIGHT_UNIT, worst_sum
from mtcodec.networks.entropy.scales import LOG_SCALE_SPACING, SCALE_MIN, SCALES
from mtcodec.networks.pytorch.layers import IntConv
from mtcodec.networks.pytorch.modules import PARAMETERS, MultiTask, StreamModel
from mtcodec.networks.weights import file
from mtcodec.networks.weights.int8 import Tensors
from mtcodec.networks.weights.tensors import DISTRIBUTION


@torch.no_grad()
def to_tensors(model: MultiTask, histograms: fit.Histograms | None = None) -> Tensors:
    """Tensors of ``model``; probability tables are fitted to ``histograms`` where given."""
    result: Tensors = {}
    converted: set[str] = set()  # parameters that are not stored as they are
    for name, module in model.named_modules():
        if isinstance(module, IntConv):
            weight, bias = module.quantised()
            result[f"{name}.weight"] = (weight / WEIGHT_UNIT).round().to(torch.int8).numpy()
            result[f"{name}.bias"] = (bias / WEIGHT_UNIT).round().to(torch.int32).numpy()
            worst = worst_sum(result[f"{name}.weight"], result[f"{name}.bias"])
            assert worst < EXACT, f"{name}: partial sums up to {worst} exceed 2**24"
            converted |= {f"{name}.weight", f"{name}.bias"}
        elif isinstance(module, StreamModel):
            for key, table in module.tables().items():
                result[f"{name}.{key}"] = table.round().to(torch.int16).numpy()
            converted |= {f"{name}.{key}" for key in PARAMETERS}
    for name, value in model.state_dict().items():
        if name not in converted:
            kind = torch.float32 if name.startswith("distribution") else torch.float16
            result[name] = value.to(kind).contiguous().numpy()
    tail = float(torch.sigmoid(model.distribution.tail))
    ratio = float(torch.exp(model.distribution.ratio))
    rows = fit.logistic_mixture(SCALE_MIN * np.exp(np.arange(SCALES) * LOG_SCALE_SPACING), tail, ratio)
    if histograms is not None:
        rows = fit.calibrate(rows, histograms)
    result["tables.counts"], result["tables.lengths"] = fit.quantise(rows)
    return {name: np.ascontiguousarray(array) for name, array in result.items()}


def from_tensors(config: ModelConfig, tensors: Tensors) -> MultiTask:
    """A model in evaluation mode, its integer layers frozen, from tensors that were checked.

    :func:`thaw` makes it trainable.
    """
    with torch.device("meta"):  # shapes without memory
        model = MultiTask(config)
    values = {name: torch.from_numpy(array) for name, array in tensors.items()}
    values |= {name: values[name][0] for name in DISTRIBUTION}
    state: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, IntConv):
            state[f"{name}.weight"] = values.pop(f"{name}.weight") * WEIGHT_UNIT
            state[f"{name}.bias"] = values.pop(f"{name}.bias") * (WEIGHT_UNIT / BIAS_UNIT)
        elif isinstance(module, StreamModel):
            tables = {key: values.pop(f"{name}.{key}").float() for key in TABLE_LIMITS}
            state |= {f"{name}.{key}": value for key, value in module.load_tables(tables).items()}
    model.load_state_dict(state | {name: value.float() for name, value in values.items()}, assign=True)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, IntConv):
                module.frozen = module.quantised()
    return model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def thaw(model: nn.Module) -> None:
    """Make a loaded model trainable: quantise on the fly and derive tables from parameters again."""
    for module in model.modules():
        if isinstance(module, IntConv):
            module.frozen = None
        elif isinstance(module, StreamModel):
            module.frozen = {}


def load(path: Path) -> tuple[MultiTask, Tables]:
    """The networks and probability tables of a weights file; WeightsInvalid: it is damaged."""
    weights = file.load(path)
    return from_tensors(weights.config, weights.tensors), weights.tables


def save(
    path: Path, model: MultiTask, training: dict[str, Any], histograms: fit.Histograms | None = None
) -> str:
    """Write ``model`` to ``path`` (through a temporary file) and return its digest.

    ``histograms`` are symbols seen by table, to fit the probability tables to.
    """
    return file.save(path, json.dumps(model.config.to_json()), to_tensors(model, histograms), training)
