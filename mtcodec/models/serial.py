"""A model ↔ the named numpy tensors of a weights file.

Transforms become float16. Integer layers become int8 weights and int32 biases, quality tables int16,
distributions counts: exactly the numbers that encoder and decoder compute with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mtcodec.models.config import ModelConfig
from mtcodec.models.entropy import fit
from mtcodec.models.entropy.integer import BIAS_UNIT, STEP, IntConv, assert_exact
from mtcodec.models.entropy.stream import SCALE_MIN, SCALE_STEP, SCALES, TABLE_LIMITS, StreamModel
from mtcodec.models.multitask import MultiTask

Tensors = dict[str, np.ndarray[Any, Any]]
PARAMETERS = ("log_gain", "q_bias", "z_scale")  # what the tables are made of in training


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
    with _Skeleton(sum(array.size for array in tensors.values())):
        model = MultiTask(config)
    rest = {name: torch.from_numpy(array) for name, array in tensors.items()}
    state = model.state_dict()
    for name, module in model.named_modules():
        if isinstance(module, IntConv):
            state[f"{name}.weight"] = _take(rest, f"{name}.weight", torch.int8) * STEP
            state[f"{name}.bias"] = _take(rest, f"{name}.bias", torch.int32) * (STEP / BIAS_UNIT)
        elif isinstance(module, StreamModel):
            tables = {key: _take(rest, f"{name}.{key}", torch.int16).float() for key in TABLE_LIMITS}
            for key, (low, high) in TABLE_LIMITS.items():
                if not low <= tables[key].min() <= tables[key].max() <= high:
                    raise ValueError(f"{name}.{key} is out of range")
            module.load_tables(tables)
            for key in PARAMETERS:
                state[f"{name}.{key}"] = getattr(module, key).detach()
    exact = [n for n, m in model.named_modules() if isinstance(m, IntConv)]
    integer = {f"{n}.{kind}" for n in exact for kind in ("weight", "bias")}
    missing = [n for n in state if n not in rest and n not in integer and n.split(".")[-1] not in PARAMETERS]
    if missing:
        raise ValueError(f"tensor {missing[0]} is missing")
    for name, value in rest.items():
        if name not in state or not value.dtype.is_floating_point or not value.isfinite().all():
            raise ValueError(f"unexpected tensor {name}")
        state[name] = value.float()
    model.load_state_dict(state)
    assert_exact(model)
    return freeze(model)


class _Skeleton(TorchFunctionMode):
    """Networks are built without their random start, and of ``most`` parameters.

    A file that declares larger ones than it has is refused before they take their memory: ValueError.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        result = func(*args, **(kwargs or {}))
        if func in (torch.empty, torch.randn):
            self.left -= result.numel()
            if self.left < 0:
                raise ValueError("the configuration is of larger networks than the file holds")
        return result


def _take(tensors: dict[str, torch.Tensor], name: str, dtype: torch.dtype) -> torch.Tensor:
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
