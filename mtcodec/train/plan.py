"""Settings of a training run, and the learning rate along it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """Settings of one run, kept in its checkpoint.

    ``steps``, training steps, or ``minutes`` end it, with a rate that falls along a cosine. Without them it
    has no end and holds its rate; ``decay`` makes weights of it, as often as they are wanted.
    """

    steps: int = 0
    minutes: float = 0.0
    decay: float = 0.0  # minutes in which the rate falls to zero; the checkpoint stays as it was
    batch: int = 4
    crop: int = 128
    large_crop_share: float = 0.15  # of the run, at its end: fewer crops of twice the side, if scenes have it
    rate: float = 6e-3  # peak learning rate
    final_rate: float = 0.0  # at the end of the cosine
    optimizer: str = "adamw"  # or adam: one rate for everything, as in the paper
    warmup: int = 300  # training steps in which the rate rises
    ema: float = 0.996  # share that the averaged weights keep, at every fourth training step
    task_dropout: float = 0.2  # share of crops with some tasks absent
    task_quality_prob: float = 0.3  # share of crops with a quality for each task
    lambdas: tuple[float, ...] = ()  # one of these λ for each crop; empty: anything in the range
    balance: str = "declared"  # weights of the tasks' errors: declared, uncertainty or equal
    shared_weight: float = 1.0  # cost of a shared bit relative to a task's own
    held_out: int = 24  # scenes kept for validation
    init: str = ""  # name of the weights it starts from
    seed: int = 0
    precision: str = "auto"  # float32, bfloat16, or auto: the faster of the two
    device: str = "cpu"
    log_every: int = 100  # training steps
    save_minutes: float = 5.0


PRESETS: dict[str, dict[str, Any]] = {
    "fast": {},
    # the paper's; its 2,200 epochs of 50,000 scenes are 1.7 million training steps
    "paper": {
        **{"batch": 64, "crop": 256, "rate": 1e-5, "final_rate": 1e-8, "warmup": 1, "optimizer": "adam"},
        **{"large_crop_share": 0.0, "task_dropout": 0.0, "task_quality_prob": 0.0},
        **{"balance": "uncertainty", "lambdas": (0.001, 0.01, 0.1)},
    },
}


def share_done(plan: Plan, steps: int, seconds: float, decay_began: float) -> float:
    """How much of a run is done, from 0 to 1; always 0 of one without an end.

    Args:
        steps: training steps done.
        seconds: of training.
        decay_began: the seconds of training after which the rate began to decay.
    """
    if plan.decay:
        return (seconds - decay_began) / (60 * plan.decay)
    if plan.steps:
        return steps / plan.steps
    return seconds / (60 * plan.minutes) if plan.minutes else 0.0


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
