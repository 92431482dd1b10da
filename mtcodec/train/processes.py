"""Several processes that train one model, each with crops of its own: one a GPU, started by ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn


def start(device: str) -> str:
    """Join the other processes, if there are any; returns the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return device


def several() -> bool:
    """Does this process train together with others?"""
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Number of this process; the first one, 0, writes the log, checkpoints and weights."""
    return distributed.get_rank() if several() else 0


def agreed(value: float, device: str) -> float:
    """``value`` as the first process has it."""
    if not several():
        return value
    shared_value = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(shared_value, 0)
    return float(shared_value)


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Make gradients the means of those of all processes."""
    if not several():
        return
    gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(mean.view_as(gradient))
