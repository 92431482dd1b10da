"""The training loop: rate + λ·distortion over random crops, qualities and subsets of tasks."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from mtcodec.engine.modules import MultiTask
from mtcodec.errors import UsageError
from mtcodec.format.quality import NETWORK_STEPS
from mtcodec.training.dataset import Batch, Scenes
from mtcodec.training.objective import Balance, draw_qualities, objective

EMA_EVERY = 4


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
    full: float = 0.15  # share of the run, at its end, on crops of twice the size, a quarter as many
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


@torch.no_grad()
def validate(model: MultiTask, scenes: Scenes, device: str, size: int) -> dict[str, Any]:
    """Rate and PSNR per task on whole held-out scenes at three qualities, with rounded latents."""
    model.eval()
    result: dict[str, Any] = {}
    for q in (10, 50, 90):  # percent of the networks' range
        rng = random.Random(0)
        sums: dict[str, float] = {}
        rounds = max(1, len(scenes) // 4)
        for _ in range(rounds):
            batch = to_device(scenes.batch(4, size, 0.0, rng), device)
            steps = torch.full((4, 1 + len(scenes.tasks)), q * NETWORK_STEPS // 100, device=device)
            parts = objective(model, model(batch.planes, batch.present, steps), batch, steps)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value) / rounds
        bpp = {n[4:]: v for n, v in sums.items() if n.startswith("bpp_")}
        result[f"q{q}"] = {
            "bpp": round(sum(bpp.values()), 4),
            "streams": {n: round(v, 4) for n, v in bpp.items()},
            "psnr": {n[4:]: round(10 * math.log10(255**2 / max(v, 1e-9)), 2)
                     for n, v in sums.items() if n.startswith("mse_")},
        }  # fmt: skip
    model.train()
    return result


State = dict[str, Any]
"""What a checkpoint holds: ``config`` and ``plan`` as plain values, the states of all that changes."""


def load_checkpoint(path: Path, device: str = "cpu") -> State:
    """The state in a checkpoint, to go on from.

    Raises:
        UsageError: there is none, or not a readable one.
    """
    try:
        state: State = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UsageError("no checkpoint to resume from", path=path) from None
    except Exception as error:  # torch and pickle raise whatever they like
        raise UsageError(f"not a checkpoint: {' '.join(str(error).split())[:200]}", path=path) from error
    return state


def to_device(batch: Batch, device: str) -> Batch:
    planes, valid = ({n: p.to(device) for n, p in some.items()} for some in (batch.planes, batch.valid))
    return Batch(planes, batch.present.to(device), valid)


def train(
    model: MultiTask,
    scenes: Scenes,
    held_out: Scenes | None,
    plan: Plan,
    checkpoint: Path,
    export: Callable[[MultiTask, dict[str, Any]], None],
    report: Callable[[dict[str, Any]], None] = lambda record: None,
    state: State | None = None,
) -> None:
    """Train ``model`` in place.

    Args:
        checkpoint: written every ``save_minutes`` and at the end. The log lies beside it, one JSON object a
            line, and that of ``plan.decay``.
        export: called with the averaged model and a summary after every checkpoint of a run that has an end,
            and at the end of ``plan.decay``.
        report: called with every log record.
        state: of a checkpoint (:func:`load_checkpoint`), to go on exactly where the run was.
    """
    if plan.steps > 0 and plan.minutes > 0:
        raise UsageError("a training takes either a number of steps or of minutes")
    if plan.decay and state is None:
        raise UsageError("a rate decays from a checkpoint")
    device = plan.device
    torch.manual_seed(plan.seed)
    rng = random.Random(plan.seed)
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = AveragedModel(model, multi_avg_fn=moving_average(plan.ema))
    averaged = average.module
    assert isinstance(averaged, MultiTask)
    balance = Balance(model, plan.balance).to(device)
    optimizer = make_optimizer(model, plan)
    own = plan.own if model.graph.separable else 0.0  # one stream has one quality
    step, spent = 0, 0.0
    if state is not None:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        balance.load_state_dict(state["balance"])
        step, spent = state["step"], state["spent"]
        torch.set_rng_state(state["torch_rng"].cpu())
        rng.setstate((3, tuple(state["python_rng"]), None))
    bfloat16 = plan.precision == "bfloat16" or (
        plan.precision == "auto" and faster_in_bfloat16(model, scenes, plan)
    )
    began = spent
    log = checkpoint.with_suffix(".decay.jsonl" if plan.decay else ".log.jsonl")
    if state is None or plan.decay:
        log.unlink(missing_ok=True)
    size = max(plan.crop, 64)

    def save(summary: dict[str, Any]) -> None:
        now: State = {
            "config": model.config.to_json(), "plan": asdict(plan),
            "model": model.state_dict(), "average": average.state_dict(),
            "optimizer": optimizer.state_dict(), "balance": balance.state_dict(),
            "step": step, "spent": spent,
            "torch_rng": torch.get_rng_state(), "python_rng": list(rng.getstate()[1]),
        }  # fmt: skip
        if not plan.decay:
            temporary = checkpoint.with_suffix(".tmp")
            torch.save(now, temporary)
            temporary.replace(checkpoint)
        if plan.steps or plan.minutes or plan.decay:
            export(averaged, summary)

    def record(entry: dict[str, Any]) -> None:
        with log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        report(entry)

    record({"plan": asdict(plan), "parameters": sum(p.numel() for p in model.parameters()),
            "bfloat16": bfloat16})  # fmt: skip
    clock = last_save = time.monotonic()
    sums: dict[str, Tensor] = {}
    while True:
        now = time.monotonic()
        spent, clock = spent + (now - clock), now
        done = share_done(plan, step, spent, began)
        if done >= 1:
            break
        learning_rate = rate_at(plan, done) * min(1.0, (step + 1) / plan.warmup)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["scale"]
        large = done >= 1 - plan.full
        count, side = (max(1, plan.batch // 4), 2 * size) if large else (plan.batch, size)
        batch = to_device(scenes.batch(count, side, plan.drop, rng), device)
        steps = draw_qualities(count, len(scenes.tasks), own, plan.lambdas).to(device)
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            out = model(batch.planes, batch.present, steps)
        parts = objective(model, out, batch, steps, balance, plan.shared_weight)
        optimizer.zero_grad(set_to_none=True)
        parts["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if bool(torch.isfinite(norm)):
            optimizer.step()
            if step % EMA_EVERY == 0:
                average.update_parameters(model)
        step += 1
        balance.update(torch.stack([parts[f"mse_{name}"].detach() for name in model.config.task_names]))
        for name, value in {**parts, "gradient": norm}.items():
            sums[name] = sums.get(name, torch.zeros((), device=device)) + value.detach()
        if step % plan.log_every == 0:
            means = {n: round(float(v) / plan.log_every, 5) for n, v in sums.items()}
            if plan.balance == "uncertainty":
                pairs = zip(model.config.task_names, balance.weights())
                means |= {f"weight_{name}": round(float(w), 3) for name, w in pairs}
            record({"step": step, "minutes": round(spent / 60, 2), "done": round(done, 4),
                    "rate": round(learning_rate, 9), **means})  # fmt: skip
            sums = {}
        if time.monotonic() - last_save > 60 * plan.save_minutes:
            summary = validate(averaged, held_out, device, 2 * size) if held_out else {}
            record({"step": step, "validation": summary})
            save({"steps": step, "minutes": round(spent / 60, 1), "validation": summary})
            clock += time.monotonic() - now  # saving and validating are not training time
            last_save = time.monotonic()
    summary = validate(averaged, held_out, device, 2 * size) if held_out else {}
    record({"step": step, "validation": summary, "end": True})
    save({"steps": step, "minutes": round(spent / 60, 1), "validation": summary})


def make_optimizer(model: MultiTask, plan: Plan) -> torch.optim.Optimizer:
    """AdamW; bases and linear paths, which start as good transforms, move at a twentieth of the rate."""
    slow: list[torch.nn.Parameter] = []
    fast: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (slow if ".linear." in name or ".basis." in name else fast).append(parameter)
    if plan.optimizer == "adam":
        fast, slow = [*fast, *slow], []
    groups = [{"params": fast, "scale": 1.0}, {"params": slow, "scale": 0.05}]
    groups = [group for group in groups if group["params"]]
    if plan.optimizer == "adam":
        return torch.optim.Adam(groups)
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0, fused=True)


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential moving average of parameters, over at most the last tenth of what it has seen."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], seen: Tensor | int) -> None:
        weight = max(1 - decay, 10 / (10 + int(seen)))
        torch._foreach_lerp_(averaged, current, weight)

    return update


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


def faster_in_bfloat16(model: MultiTask, scenes: Scenes, plan: Plan) -> bool:
    """Time both precisions on a few steps; some CPUs are slower in bfloat16. Leaves no trace."""
    if plan.device.startswith("cuda"):
        return True
    seconds = {}
    state, rng = torch.get_rng_state(), random.Random(0)
    batch = scenes.batch(plan.batch, plan.crop, 0.0, rng)
    steps = draw_qualities(plan.batch, len(scenes.tasks), 0.0)
    for enabled in (False, True):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                out = model(batch.planes, batch.present, steps)
            objective(model, out, batch, steps)["loss"].backward()
            times.append(time.perf_counter() - start)
        seconds[enabled] = min(times)
    model.zero_grad(set_to_none=True)
    torch.set_rng_state(state)
    return seconds[True] < seconds[False]
