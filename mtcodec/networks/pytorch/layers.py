"""Layers as modules of torch, and the operations between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtcodec.networks.entropy.integer import BIAS_LIMIT, BIAS_UNIT, WEIGHT_LIMIT, WEIGHT_UNIT
from mtcodec.networks.layers import BETA_MIN, Layer, Layers


def round_clamp(x: Tensor, low: float, high: float) -> Tensor:
    """Nearest integer (ties to even) within [low, high], differentiable straight through.

    The gradient passes where nothing was clamped. Sums are exact: what rounding adds is a multiple of the
    last digit of ``x``. (A function of torch's autograd lost its gradients when torch 2.11 compiled it.)
    """
    if not (torch.is_grad_enabled() and x.requires_grad):
        return x.round().clamp_(low, high)
    inside = x.clamp(low, high)
    return inside + (inside.round() - inside).detach()


def move(fn: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """``fn``, which changes device or dtype, of a tensor of integers; it keeps at least float32's digits."""
    moved = fn(tensor)
    return moved if moved.dtype in (torch.float32, torch.float64) else tensor.to(moved.device)


class IntConv(nn.Module):
    """An integer layer.

    Input: float32 integers, magnitude at most 255, (B, c_in, H, W).
    Output: multiples of 1/128, (B, c_out, H, W).
    Autocasting does not reach it, and float64 gives the same values.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.groups = layer.groups
        shape = layer.shapes["weight"]
        self.weight = nn.Parameter(torch.empty(shape))
        if not self.weight.is_meta:
            with torch.no_grad():
                deviation = (1.5 / (shape[1] * shape[2] * shape[3])) ** 0.5
                self.weight.normal_().mul_(deviation).clamp_(-0.9, 0.9).mul_(layer.gain)
        self.bias = nn.Parameter(torch.zeros(layer.outputs))
        self.frozen: tuple[Tensor, Tensor] | None = None  # quantised once, for use without training

    def quantised(self) -> tuple[Tensor, Tensor]:
        """Weight and bias on their grid, differentiable straight through."""
        weight = round_clamp(self.weight / WEIGHT_UNIT, -WEIGHT_LIMIT, WEIGHT_LIMIT) * WEIGHT_UNIT
        bias = round_clamp(self.bias * (BIAS_UNIT / WEIGHT_UNIT), -BIAS_LIMIT, BIAS_LIMIT) * WEIGHT_UNIT
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


class GDN(nn.Module):
    """Generalised divisive normalisation, or its inverse."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.inverse = layer.kind == "igdn"
        self.beta_root = nn.Parameter(torch.ones(layer.outputs))
        # a gradient through a square vanishes at zero: off the diagonal start just beside it
        roots = torch.full((layer.outputs, layer.inputs), 2.0**-9)
        roots.diagonal().add_(0.1**0.5)
        self.gamma_root = nn.Parameter(roots)

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma_root.square()[:, :, None, None]
        norm = F.conv2d(x.square(), gamma, self.beta_root.square() + BETA_MIN)
        return x * (torch.sqrt(norm) if self.inverse else torch.rsqrt(norm))


class Dense(nn.Linear):
    """A linear layer of maps of one pixel, (B, C, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, 0, 0])[:, :, None, None]


def _module(layer: Layer) -> nn.Module:
    if layer.kind == "integer":
        return IntConv(layer)
    if layer.kind in ("gdn", "igdn"):
        return GDN(layer)
    inputs, outputs, kernel, stride = layer.inputs, layer.outputs, layer.kernel, layer.stride
    padding = kernel // 2
    module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    if layer.kind == "dense":
        module = Dense(inputs, outputs)
    elif layer.kind == "up":
        module = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding=stride - 1)
    else:
        module = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=layer.groups)
    if layer.gain != 1.0:
        with torch.no_grad():
            module.weight *= layer.gain
            if not layer.gain and module.bias is not None:
                module.bias.zero_()
    return module


class Net(nn.Module):
    """Layers by name, and the operations between them; see :class:`mtcodec.networks.layers.Operations`."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.declared = layers
        self.leaves: dict[str, nn.Module] = {}  # the same modules, which lie in a tree, by whole names
        for name, layer in layers.items():
            place: nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            leaf = _module(layer)
            place.add_module(last, leaf)
            self.leaves[name] = leaf

    def layer(self, name: str, x: Tensor) -> Tensor:
        leaf: Callable[[Tensor], Tensor] = self.leaves[name]
        if not self.declared[name].precise:
            return leaf(x)
        with torch.autocast(x.device.type, enabled=False):
            return leaf(x.to(next(self.leaves[name].parameters()).dtype))

    leaky_relu = staticmethod(F.leaky_relu)
    shuffle = staticmethod(F.pixel_shuffle)
    round_clamp = staticmethod(round_clamp)
    float64 = staticmethod(Tensor.double)
    float32 = staticmethod(Tensor.float)
    detached = staticmethod(Tensor.detach)

    def clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    def unshuffle(self, x: Tensor, side: int) -> Tensor:
        return F.pixel_unshuffle(x, side).contiguous(memory_format=torch.channels_last)

    def cat(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), dim=1)

    def split(self, x: Tensor, channels: Sequence[int]) -> Sequence[Tensor]:
        return torch.split(x, list(channels), dim=1)
