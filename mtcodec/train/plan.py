"""Settings of a training run, and the learning rate along it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """Settings of one run, kept in its checkpoint.

    ``steps`` or ``minutes`` end it, with a rate that falls along a cosine. Without them it has no end and
    holds its rate; ``decay`` makes weights of it, as often as they are wanted.
    """

    steps: int = 0
    minutes: float = 0.0
    decay: float = 0.0  # minutes in which the rate falls to zero; the checkpoint stays as it was
    batch: int = 4
    crop: int = 128
    full: float = 0.15  # share of the run, at its end, on fewer crops of twice the size, if scenes have it
    rate: float = 6e-3  # peak learning rate
    final_rate: float = 0.0  # at the end of the cosine
    optimizer: str = "adamw"  # or adam: one rate for everything, as in the paper
    warmup: int = 300
    ema: float = 0.996  # of every fourth step
    drop: float = 0.2  # share of crops with some tasks absent
    own: float = 0.3  # share of crops whose tasks have qualities of their own
    lambdas: tuple[float, ...] = ()  # one of these λ for each crop; empty: anything in the range
    balance: str = "declared"  # weights of the tasks' errors: declared, uncertainty or equal
    shared_weight: float = 1.0  # cost of a shared bit relative to a task's own
    held_out: int = 24  # scenes kept for validation
    init: str = ""  # name of the weights it starts from
    seed: int = 0
    precision: str = "auto"  # float32, bfloat16, or auto: the faster of the two
    device: str = "cpu"
    log_every: int = 100
    save_minutes: float = 5.0


PRESETS: dict[str, dict[str, Any]] = {
    "fast": {},
    # the paper's; its 2,200 epochs of 50,000 scenes are 1.7 million steps
    "paper": {
        **{"batch": 64, "crop": 256, "rate": 1e-5, "final_rate": 1e-8, "warmup": 1, "optimizer": "adam"},
        **{"full": 0.0, "drop": 0.0, "own": 0.0, "balance": "uncertainty", "lambdas": (0.001, 0.01, 0.1)},
    },
}


def share_done(plan: Plan, step: int, spent: float, began: float) -> float:
    """How much of a run is done, 0 to 1; nothing ever of one without an end.

    ``spent`` are its seconds, ``began`` those after which the rate began to decay.
    """
    if plan.decay:
        return (spent - began) / (60 * plan.decay)
    if plan.steps:
        return step / plan.steps
    return spent / (60 * plan.minutes) if plan.minutes else 0.0


def rate_at(plan: Plan, done: float) -> float:
    """Learning rate after the share ``done`` of a run.

    The decay of a rate that was held is one less a square root (Hägele et al. 2024).
    """
    if plan.decay:
        return plan.rate * (1 - math.sqrt(min(1.0, done)))
    if not (plan.steps or plan.minutes):
        return plan.rate
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return plan.final_rate + (plan.rate - plan.final_rate) * cosine
