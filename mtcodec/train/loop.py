"""The training loop: rate + λ·distortion over random crops, qualities and subsets of tasks."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, fields
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

AGREE_EVERY = 10  # training steps after which processes agree on the time
MIN_CROP = 64  # side in pixels: networks need multiples of it
VALIDATED = (10, 50, 90)  # qualities in percent of the networks' range
VALIDATION_BATCH = 4  # scenes

State = dict[str, Any]
"""What a checkpoint holds: ``config`` and ``plan`` as plain values, the number of training steps as
``step``, their seconds as ``spent``, and :meth:`mtcodec.train.optimisation.Optimisation.state`."""

Export = Callable[[MultiTask, dict[str, Any]], None]
"""Takes the averaged model, and a summary: ``steps``, ``minutes``, ``validation``."""


def load_checkpoint(path: Path) -> State:
    """The state in a checkpoint, to go on from.

    Raises:
        UsageError: there is none, not a readable one, or one whose plan has settings that ours lacks.
    """
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError("no checkpoint to resume from", path=path) from None
    except Exception as error:  # torch and pickle raise whatever they like
        raise UsageError(f"not a checkpoint: {' '.join(str(error).split())[:200]}", path=path) from error
    if not isinstance(state, dict):
        raise UsageError("not a checkpoint", path=path)
    unknown = state.get("plan", {}).keys() - {field.name for field in fields(Plan)}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise UsageError(f"a checkpoint of another version, with the settings {names}", path=path)
    return state


def train(
    model: MultiTask,
    scenes: Scenes,
    held_out: Scenes | None,
    plan: Plan,
    checkpoint: Path,
    export: Export,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
    state: State | None = None,
) -> None:
    """Train ``model`` in place.

    Args:
        checkpoint: written every ``save_minutes`` and at the end. The log lies beside it, one JSON object a
            line, and that of ``plan.decay``.
        export: called after every checkpoint of a run that has an end, and at the end of ``plan.decay``.
        report: called with every log record.
        state: of a checkpoint (:func:`load_checkpoint`), to go on exactly where the run was.
    """
    if plan.steps > 0 and plan.minutes > 0:
        raise UsageError("a training takes either a number of steps or of minutes")
    if plan.decay and state is None:
        raise UsageError("a rate decays from a checkpoint")
    torch.manual_seed(plan.seed)
    model.to(device=plan.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    scenes.to(plan.device)
    if held_out is not None:
        held_out.to(plan.device)
    bfloat16 = plan.precision == "bfloat16"
    if plan.precision == "auto":
        bfloat16 = bool(processes.agreed(faster_in_bfloat16(model, scenes, plan), plan.device))
    optimisation = Optimisation(model, scenes, plan, bfloat16)
    run = Run(optimisation, held_out, checkpoint, export, report)
    if state is not None:
        optimisation.load_state(state)
        run.steps, run.seconds = state["step"], state["spent"]
    if not run.is_first:  # crops of its own
        torch.manual_seed(plan.seed + run.steps + processes.rank())
    if run.is_first and (state is None or plan.decay):
        run.log.unlink(missing_ok=True)
    run.record({"plan": asdict(plan), "parameters": sum(p.numel() for p in model.parameters()),
                "bfloat16": optimisation.bfloat16})  # fmt: skip
    run.train()


class Run:
    """A run of training: what is optimised, how far it is, and where it is written to.

    Seconds are those of training, without saving and validating; those before it was resumed count. At the
    end, for ``plan.large_crop_share``, crops are at most twice as large, if scenes are, and as many fewer.
    """

    def __init__(
        self,
        optimisation: Optimisation,
        held_out: Scenes | None,
        checkpoint: Path,
        export: Export,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.optimisation, self.plan, self.held_out = optimisation, optimisation.plan, held_out
        self.checkpoint, self.export, self.report = checkpoint, export, report
        self.log = checkpoint.with_suffix(".decay.jsonl" if self.plan.decay else ".log.jsonl")
        self.is_first = processes.rank() == 0  # of those that train together; only this one writes
        self.steps, self.seconds = 0, 0.0
        self.side = max(self.plan.crop, MIN_CROP)
        self.large_side = max(self.side, min(2 * self.side, optimisation.scenes.side()))
        self.large_count = max(1, self.plan.batch * self.side**2 // self.large_side**2)

    def train(self) -> None:
        """Train to the end of the plan, or for ever; save from time to time, and at the end."""
        began = agreed_seconds = self.seconds
        clock = last_save = time.monotonic()
        while True:
            now = time.monotonic()
            self.seconds, clock = self.seconds + (now - clock), now
            if self.steps % AGREE_EVERY == 0 or not processes.several():
                agreed_seconds = processes.agreed(self.seconds, self.plan.device)
            done = share_done(self.plan, self.steps, agreed_seconds, began)
            if done >= 1:
                break
            self.training_step(done)
            if time.monotonic() - last_save > 60 * self.plan.save_minutes:
                self.save()
                clock = last_save = time.monotonic()  # saving and validating are not training time
        self.save(end=True)

    def training_step(self, done: float) -> None:
        """Learn from one batch, and log it where it is time; ``done`` is the share of the run, 0 to 1."""
        plan = self.plan
        rate = rate_at(plan, done) * min(1.0, (self.steps + 1) / plan.warmup)
        if done >= 1 - plan.large_crop_share:
            self.optimisation.training_step(self.large_count, self.large_side, rate)
        else:
            self.optimisation.training_step(plan.batch, self.side, rate)
        if self.steps % EMA_EVERY == 0:
            self.optimisation.update_average()
        self.steps += 1
        if self.steps % plan.log_every == 0:
            self.record({"step": self.steps, "minutes": round(self.seconds / 60, 2), "done": round(done, 4),
                         "rate": round(rate, 9), **self.optimisation.means(plan.log_every)})  # fmt: skip

    def save(self, **extra: Any) -> None:
        """Validate, write the checkpoint and export; ``extra`` goes into the log."""
        if not self.is_first:
            return
        plan, average = self.plan, self.optimisation.average
        validation = validate(average, self.held_out, self.large_side) if self.held_out else {}
        if not plan.decay:
            self.write_checkpoint()
        if plan.steps or plan.minutes or plan.decay:
            minutes = round(self.seconds / 60, 1)
            self.export(average, {"steps": self.steps, "minutes": minutes, "validation": validation})
        self.record({"step": self.steps, "validation": validation, **extra})

    def write_checkpoint(self) -> None:
        state: State = {
            "config": self.optimisation.model.config.to_json(), "plan": asdict(self.plan),
            "step": self.steps, "spent": self.seconds, **self.optimisation.state(),
        }  # fmt: skip
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def record(self, entry: dict[str, Any]) -> None:
        """Append a line to the log, and report it."""
        if not self.is_first:
            return
        with self.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self.report(entry)


# --- validation ----------------------------------------------------------------------------------


@torch.no_grad()
def validate(model: MultiTask, scenes: Scenes, size: int) -> dict[str, Any]:
    """Cost, rate, and PSNR by task of all ``scenes`` at three qualities, with rounded latents.

    ``size`` is the side of the part that is looked at, in the middle of every scene.
    """
    model.eval()
    result: dict[str, Any] = {}
    for quality in VALIDATED:
        means = _mean_parts(model, scenes, size, quality * MAX_NETWORK_LEVEL // 100)
        streams = {name: round(means[f"bpp_{name}"], 4) for name in model.graph.streams}
        errors = {name: max(means[f"mse_{name}"], 1e-9) for name in model.config.task_names}
        psnrs = {name: round(10 * math.log10(255**2 / mse), 2) for name, mse in errors.items()}
        result[f"q{quality}"] = {
            "loss": round(means["loss"], 4), "bpp": round(sum(streams.values()), 4), "streams": streams,
            "psnr": psnrs,
        }  # fmt: skip
    model.train()
    return result


def _mean_parts(model: MultiTask, scenes: Scenes, size: int, level: int) -> dict[str, float]:
    """Means of the objective's parts at a level of quality; an error's over the scenes that have the task."""
    sums: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, float] = defaultdict(float)
    for index in torch.arange(len(scenes), device=scenes.sizes.device).split(VALIDATION_BATCH):
        batch = scenes.middles(index, size)
        levels = torch.full((len(index), 1 + len(scenes.tasks)), level, device=batch.present.device)
        parts = objective(model, model(batch.planes, batch.present, levels), batch, levels)
        with_task = dict(zip((f"mse_{task.name}" for task in scenes.tasks), batch.present.sum(0).tolist()))
        for name, value in parts.items():
            weight = with_task.get(name, len(index))
            sums[name] += weight * float(value)
            counts[name] += weight
    return {name: total / max(counts[name], 1) for name, total in sums.items()}


# --- precision -----------------------------------------------------------------------------------


def faster_in_bfloat16(model: MultiTask, scenes: Scenes, plan: Plan) -> bool:
    """Time both precisions on a few passes; some CPUs are slower in bfloat16. Leaves no trace."""
    if plan.device.startswith("cuda"):
        return True
    seconds = {}
    rng_state = torch.get_rng_state()
    batch = scenes.batch(plan.batch, plan.crop)
    levels = draw_qualities(plan.batch, len(scenes.tasks), 0.0)
    for enabled in (False, True):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                out = model(batch.planes, batch.present, levels)
            objective(model, out, batch, levels)["loss"].backward()
            times.append(time.perf_counter() - start)
        seconds[enabled] = min(times)
    model.zero_grad(set_to_none=True)
    torch.set_rng_state(rng_state)
    return seconds[True] < seconds[False]
