"""Integer layers: convolutions whose results are the same on every machine.

Weights and biases are multiples of 1/128, activations are integers of at most 255 in magnitude, and
everything is held in float32. Every partial sum is then a multiple of 1/128 below 2**17, so it
is exactly representable and the order of summation (threads, batch, instruction set, FMA, bfloat16
or TF32 products) cannot change it. Training uses the same forward pass with straight-through
gradients; what is trained is what is shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEP = 1.0 / 128  # resolution of weights and biases
BIAS_UNIT = 32.0  # biases are trained in units of 32 activation steps, to match the weights' pace
ACTIVATION_LIMIT = 255
EXACT = 2.0**24  # integers up to here are exact in float32


class _Round(torch.autograd.Function):
    """Round to integers and clamp; the gradient passes where nothing was clamped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward((x >= low) & (x <= high))
        return x.round().clamp_(low, high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None


def round_clamp(x: Tensor, low: float, high: float) -> Tensor:
    """Nearest integer (ties to even) within [low, high], differentiable straight through."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return x.round().clamp_(low, high)
    result: Tensor = _Round.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


def activate(x: Tensor) -> Tensor:
    """Quantised rectifier: integers 0 to 255."""
    return round_clamp(x, 0, ACTIVATION_LIMIT)


def move(fn: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """``fn``, which changes device or dtype, of a tensor of integers; it keeps at least float32's digits."""
    moved = fn(tensor)
    return moved if moved.dtype in (torch.float32, torch.float64) else tensor.to(moved.device)


class IntConv(nn.Module):
    """A 1×1 convolution, or a depthwise 3×3 one, in exact arithmetic.

    Input: float32 integers, magnitude at most 255, (B, c_in, H, W).
    Output: multiples of 1/128, (B, c_out, H, W); pass it to :func:`activate` before the next layer.
    Autocasting does not reach it, and float64 gives the same values.
    Dense 3×3 kernels are left out on purpose: Winograd implementations of them are not exact.
    """

    def __init__(self, c_in: int, c_out: int, *, depthwise: bool = False) -> None:
        super().__init__()
        if depthwise and c_in != c_out:
            raise ValueError("a depthwise layer keeps its number of channels")
        self.groups = c_in if depthwise else 1
        kernel = 3 if depthwise else 1
        fan_in = c_in // self.groups * kernel * kernel
        self.weight = nn.Parameter(torch.empty(c_out, c_in // self.groups, kernel, kernel))
        if not self.weight.is_meta:
            with torch.no_grad():
                self.weight.normal_().mul_((1.5 / fan_in) ** 0.5).clamp_(-0.9, 0.9)
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.frozen: tuple[Tensor, Tensor] | None = None

    def freeze(self) -> None:
        """Quantise once, for use without training."""
        with torch.no_grad():
            self.frozen = self.quantised()

    def quantised(self) -> tuple[Tensor, Tensor]:
        """Weight and bias on their grid, differentiable straight through."""
        weight = round_clamp(self.weight / STEP, -127, 127) * STEP
        bias = round_clamp(self.bias * (BIAS_UNIT / STEP), -(2.0**20), 2.0**20) * STEP
        return weight, bias

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.frozen or self.quantised()
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(weight.dtype)
            return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=self.groups)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> IntConv:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.frozen is not None:
            self.frozen = move(fn, self.frozen[0]), move(fn, self.frozen[1])
        return self

    def worst_sum(self) -> float:
        """Largest magnitude, in steps of 1/128, that any partial sum can reach."""
        weight, bias = self.quantised()
        total = weight.abs().sum(dim=(1, 2, 3)) * ACTIVATION_LIMIT + bias.abs()
        return float(total.detach().max() / STEP)


def assert_exact(module: nn.Module) -> None:
    """Assert for every integer layer inside ``module`` that float32 holds all its partial sums."""
    for name, layer in module.named_modules():
        if isinstance(layer, IntConv):
            worst = layer.worst_sum()
            assert worst < EXACT, f"{name}: partial sums up to {worst:.0f} exceed 2**24"
