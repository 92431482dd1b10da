"""The training loop: rate + λ·distortion over random crops, qualities and subsets of tasks."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mtcodec.errors import UsageError
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.quality import MAX_NETWORK_LEVEL
from mtcodec.train import processes
from mtcodec.train.dataset import Scenes
from mtcodec.train.objective import draw_qualities, objective
from mtcodec.train.optimisation import EMA_EVERY, Optimisation
from mtcodec.train.plan import Plan, rate_at, share_done

AGREE_EVERY = 10  # steps after which processes agree on the time
VALIDATED = (10, 50, 90)  # qualities in percent of the networks' range

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


@torch.no_grad()
def validate(model: MultiTask, scenes: Scenes, size: int, count: int = 4) -> dict[str, Any]:
    """Cost, rate, and PSNR by task of the middle of all ``scenes`` at three qualities, with rounded latents.

    ``size`` is the side of the part that is looked at, ``count`` how many are computed at a time.
    """
    model.eval()
    result: dict[str, Any] = {}
    for q in VALIDATED:
        sums: dict[str, float] = {}
        seen: dict[str, float] = {}
        for index in torch.arange(len(scenes), device=scenes.sizes.device).split(count):
            batch = scenes.middles(index, size)
            steps = torch.full_like(batch.present, q * MAX_NETWORK_LEVEL // 100)
            steps = torch.cat([steps[:, :1], steps], dim=1).long()
            parts = objective(model, model(batch.planes, batch.present, steps), batch, steps)
            there = dict(zip((f"mse_{t.name}" for t in scenes.tasks), batch.present.sum(0).tolist()))
            for name, value in parts.items():
                weight = there.get(name, len(index))
                sums[name] = sums.get(name, 0.0) + weight * float(value)
                seen[name] = seen.get(name, 0.0) + weight
        means = {name: value / max(seen[name], 1) for name, value in sums.items()}
        streams = {n[4:]: round(v, 4) for n, v in means.items() if n.startswith("bpp_")}
        result[f"q{q}"] = {
            "loss": round(means["loss"], 4), "bpp": round(sum(streams.values()), 4), "streams": streams,
            "psnr": {n[4:]: round(10 * math.log10(255**2 / max(v, 1e-9)), 2)
                     for n, v in means.items() if n.startswith("mse_")},
        }  # fmt: skip
    model.train()
    return result


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
    first = processes.rank() == 0
    torch.manual_seed(plan.seed)
    model.to(device=plan.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    scenes.to(plan.device)
    if held_out is not None:
        held_out.to(plan.device)
    bfloat16 = plan.precision == "bfloat16"
    if plan.precision == "auto":
        bfloat16 = bool(processes.agreed(faster_in_bfloat16(model, scenes, plan), plan.device))
    optimisation = Optimisation(model, scenes, plan, bfloat16)
    step, spent = 0, 0.0
    if state is not None:
        optimisation.load_state(state)
        step, spent = state["step"], state["spent"]
    if not first:  # crops of its own
        torch.manual_seed(plan.seed + step + processes.rank())
    began = agreed = spent
    log = checkpoint.with_suffix(".decay.jsonl" if plan.decay else ".log.jsonl")
    if first and (state is None or plan.decay):
        log.unlink(missing_ok=True)
    size = max(plan.crop, 64)
    larger = max(size, min(2 * size, scenes.side()))  # of the last crops
    fewer = max(1, plan.batch * size**2 // larger**2)

    def save(**more: Any) -> None:
        """Validate, write the checkpoint, and export."""
        if not first:
            return
        summary = validate(optimisation.average, held_out, larger) if held_out else {}
        if not plan.decay:
            temporary = checkpoint.with_suffix(".tmp")
            torch.save({"config": model.config.to_json(), "plan": asdict(plan), "step": step, "spent": spent,
                        **optimisation.state()}, temporary)  # fmt: skip
            temporary.replace(checkpoint)
        if plan.steps or plan.minutes or plan.decay:
            export(
                optimisation.average, {"steps": step, "minutes": round(spent / 60, 1), "validation": summary}
            )
        record({"step": step, "validation": summary, **more})

    def record(entry: dict[str, Any]) -> None:
        if not first:
            return
        with log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        report(entry)

    record({"plan": asdict(plan), "parameters": sum(p.numel() for p in model.parameters()),
            "bfloat16": bfloat16})  # fmt: skip
    clock = last_save = time.monotonic()
    while True:
        now = time.monotonic()
        spent, clock = spent + (now - clock), now
        if step % AGREE_EVERY == 0 or not processes.several():
            agreed = processes.agreed(spent, plan.device)
        done = share_done(plan, step, agreed, began)
        if done >= 1:
            break
        rate = rate_at(plan, done) * min(1.0, (step + 1) / plan.warmup)
        large = done >= 1 - plan.full
        optimisation.step(*((fewer, larger) if large else (plan.batch, size)), rate)
        if step % EMA_EVERY == 0:
            optimisation.update_average()
        step += 1
        if step % plan.log_every == 0:
            record({"step": step, "minutes": round(spent / 60, 2), "done": round(done, 4),
                    "rate": round(rate, 9), **optimisation.means(plan.log_every)})  # fmt: skip
        if time.monotonic() - last_save > 60 * plan.save_minutes:
            save()
            clock += time.monotonic() - now  # saving and validating are not training time
            last_save = time.monotonic()
    save(end=True)


def faster_in_bfloat16(model: MultiTask, scenes: Scenes, plan: Plan) -> bool:
    """Time both precisions on a few steps; some CPUs are slower in bfloat16. Leaves no trace."""
    if plan.device.startswith("cuda"):
        return True
    seconds = {}
    state = torch.get_rng_state()
    batch = scenes.batch(plan.batch, plan.crop)
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
