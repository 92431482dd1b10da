"""A model ↔ the named numpy tensors of a weights file.

Transforms become float16. Integer layers become int8 weights and int32 biases, quality tables int16,
distributions counts: exactly the numbers that encoder and decoder compute with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mtcodec.models.config import ModelConfig
from mtcodec.models.entropy import fit
from mtcodec.models.entropy.by_quality import PARAMETERS, TABLE_LIMITS
from mtcodec.models.entropy.distribution import SCALE_MIN, SCALE_STEP, SCALES
from mtcodec.models.entropy.integer import BIAS_UNIT, STEP, IntConv, assert_exact
from mtcodec.models.entropy.stream import StreamModel
from mtcodec.models.multitask import MultiTask

Tensors = dict[str, np.ndarray[Any, Any]]


def to_tensors(model: MultiTask, histograms: fit.Histograms | None = None) -> Tensors:
    """Tensors of ``model``; probability tables are fitted to ``histograms`` where given."""
    assert_exact(model)
    result: Tensors = {}
    done: set[str] = set()
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, IntConv):
                weight, bias = module.quantised()
                result[f"{name}.weight"] = (weight / STEP).round().to(torch.int8).numpy()
                result[f"{name}.bias"] = (bias / STEP).round().to(torch.int32).numpy()
                done |= {f"{name}.weight", f"{name}.bias"}
            elif isinstance(module, StreamModel):
                for key, table in module.tables().items():
                    result[f"{name}.{key}"] = table.round().to(torch.int16).numpy()
                done |= {f"{name}.{key}" for key in PARAMETERS}
        for name, value in model.state_dict().items():
            if name not in done:
                kind = torch.float32 if name.startswith("distribution") else torch.float16
                result[name] = value.to(kind).contiguous().numpy()
        tail = float(torch.sigmoid(model.distribution.tail))
        ratio = float(torch.exp(model.distribution.ratio))
    rows = fit.logistic_mixture(SCALE_MIN * np.exp(np.arange(SCALES) * SCALE_STEP), tail, ratio)
    if histograms is not None:
        rows = fit.calibrate(rows, histograms)
    result["tables.counts"], result["tables.lengths"] = fit.quantise(rows)
    return {name: np.ascontiguousarray(array) for name, array in result.items()}


def from_tensors(config: ModelConfig, tensors: Tensors) -> MultiTask:
    """A model in evaluation mode from its tensors (without ``tables.*``).

    Raises:
        ValueError, RuntimeError: tensors are missing, left over, or of the wrong shape or dtype.
    """
    with torch.device("meta"):  # shapes without memory
        model = MultiTask(config)
    if sum(p.numel() for p in model.parameters()) > sum(array.size for array in tensors.values()):
        raise ValueError("the configuration is of larger networks than the file holds")
    rest = {name: torch.from_numpy(array) for name, array in tensors.items()}
    state: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, IntConv):
            state[f"{name}.weight"] = _take(rest, f"{name}.weight", torch.int8) * STEP
            state[f"{name}.bias"] = _take(rest, f"{name}.bias", torch.int32) * (STEP / BIAS_UNIT)
        elif isinstance(module, StreamModel):
            tables = {key: _table(rest, name, key) for key in TABLE_LIMITS}
            if (
                tables["offset"].shape != tables["gain"].shape
            ):  # those of the others are checked as parameters
                raise ValueError(f"{name}.offset is not of the shape of gain")
            state |= {f"{name}.{key}": value for key, value in module.load_tables(tables).items()}
    left = model.state_dict().keys() - state.keys()
    missing = sorted(left - rest.keys())
    if missing:
        raise ValueError(f"tensor {missing[0]} is missing")
    for name, value in rest.items():
        if name not in left or not value.dtype.is_floating_point or not value.isfinite().all():
            raise ValueError(f"unexpected tensor {name}")
        state[name] = value.float()
    model.load_state_dict(state, assign=True)
    assert_exact(model)
    return freeze(model)


def _table(tensors: dict[str, Tensor], stream: str, key: str) -> Tensor:
    table, (low, high) = _take(tensors, f"{stream}.{key}", torch.int16).float(), TABLE_LIMITS[key]
    if not low <= table.min() <= table.max() <= high:
        raise ValueError(f"{stream}.{key} is out of range")
    return table


def _take(tensors: dict[str, Tensor], name: str, dtype: torch.dtype) -> Tensor:
    value = tensors.pop(name)
    if value.dtype != dtype:
        raise ValueError(f"{name} is {value.dtype}, not {dtype}")
    return value


def freeze(model: MultiTask) -> MultiTask:
    """Evaluation mode with quantised integer layers kept; :func:`thaw` is the way back."""
    for module in model.modules():
        if isinstance(module, IntConv):
            module.freeze()
    return model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def thaw(model: nn.Module) -> None:
    """Make a loaded model trainable: quantise on the fly and derive tables from parameters again."""
    for module in model.modules():
        if isinstance(module, IntConv):
            module.frozen = None
        elif isinstance(module, StreamModel):
            module.frozen = {}
