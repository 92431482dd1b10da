"""Parameters and multiply-accumulates of a model's parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mtcodec.models.config import ModelConfig
from mtcodec.models.entropy.by_quality import Rows
from mtcodec.models.multitask import Latents, MultiTask

SIDE = 256  # of the scene that is counted


@dataclass
class Part:
    name: str
    parameters: int
    kmac: float  # thousand multiply-accumulates per pixel of a scene with all tasks
    used: str  # "encode", "decode" or "both"


def table(config: ModelConfig) -> list[Part]:
    """Costs by part, and for encoding, decoding everything, and decoding each task alone."""
    model = MultiTask(config).eval()
    names = config.task_names
    side, steps, latents = SIDE // 16, torch.zeros(1, 1 + len(names), dtype=torch.int64), Latents()
    parts = [Part("analysis", _size(model.g_a), _count(lambda: _analyse(model)), "encode")]
    for name in model.graph.streams:
        stream = model.stream(name)
        y = torch.zeros(1, stream.channels, side, side)

        def decode(name: str, rows: Rows, condition: Tensor | None) -> Tensor:
            shape = (1, side, side)
            return model.stream(name).decode(rows, shape, condition, lambda step: torch.zeros_like(step.mu))

        hyper = _count(lambda: stream.h_a(y))  # noqa: B023
        walk = _count(lambda: model.walk(steps, decode, [name], latents))  # noqa: B023
        parts.append(Part(f"hyper-analysis {name}", _size(stream.h_a), hyper, "encode"))
        parts.append(Part(f"entropy {name}", _size(stream) - _size(stream.h_a), walk, "both"))
    floats = {name: latents.floats(name) for name in model.graph.streams}
    for name in names:
        count = _count(lambda: model.synthesise(name, floats, steps))  # noqa: B023
        parts.append(Part(f"synthesis {name}", _size(model.g_s[name]), count, "decode"))
    return parts + _totals(parts, config)


def _totals(parts: list[Part], config: ModelConfig) -> list[Part]:
    def total(label: str, chosen: list[Part]) -> Part:
        return Part(label, sum(p.parameters for p in chosen), sum(p.kmac for p in chosen), "")

    rows = [
        total("all", parts),
        total("all encoding", [p for p in parts if p.used != "decode"]),
        total("all decoding", [p for p in parts if p.used != "encode"]),
    ]
    for name, streams in config.graph.reads.items():
        needed = {*(f"entropy {stream}" for stream in streams), f"synthesis {name}"}
        rows.append(total(f"decoding {name}", [p for p in parts if p.name in needed]))
    return rows


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _count(run: Callable[[], object]) -> float:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        run()
    return float(counter.get_total_flops()) / 2 / SIDE**2 / 1000


def _analyse(model: MultiTask) -> object:
    tasks = model.config.tasks
    planes = {t.name: torch.zeros(1, t.channels, SIDE, SIDE) for t in tasks}
    return model.analyse(planes, torch.ones(1, len(tasks)), torch.zeros(1, len(tasks) + 1))
