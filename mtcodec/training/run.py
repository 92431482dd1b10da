"""From a dataset directory to a weights file: what ``mtcodec train`` does."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

from mtcodec import weights
from mtcodec.data.scene import scene_directories
from mtcodec.errors import SceneError, UsageError
from mtcodec.models.conditional import Conditional
from mtcodec.models.config import ModelConfig
from mtcodec.models.serial import thaw
from mtcodec.tasks import Task
from mtcodec.training import klt
from mtcodec.training.calibration import collect
from mtcodec.training.dataset import Scenes
from mtcodec.training.loop import Plan, train


def train_weights(
    dataset: Path,
    tasks: Sequence[Task],
    output: Path,
    *,
    settings: dict[str, Any],
    init: str = "",
    resume: bool = False,
    held_out: int = 24,
    threads: int = 0,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
) -> None:
    """Train on the scenes of ``dataset`` and write ``output``; ``settings`` are fields of :class:`Plan`.

    The last ``held_out`` scenes are kept for validation. The checkpoint and the log lie beside
    ``output`` (``.ckpt``, ``.log.jsonl``).
    """
    keep_memory()
    if threads:
        torch.set_num_threads(threads)
    if settings.get("device", "auto") == "auto":
        settings = {**settings, "device": "cuda" if torch.cuda.is_available() else "cpu"}
    plan = Plan(**settings)
    checkpoint = output.with_suffix(".ckpt")
    if resume and not checkpoint.exists():
        raise UsageError(f"{checkpoint}: no checkpoint to resume from")
    if not tasks or any(t.lossless for t in tasks):
        raise UsageError("only tasks that the networks encode are trained; categories are stored losslessly")
    directories = scene_directories(dataset)
    if len(directories) <= held_out:
        raise SceneError(f"{dataset}: {len(directories)} scenes, of which {held_out} would be held out")
    split = len(directories) - held_out
    scenes = Scenes(directories[:split], tasks)
    validation = Scenes(directories[split:], tasks) if held_out else None
    model = start(tasks, scenes, init, from_scratch=not resume)

    def export(average: Conditional, summary: dict[str, Any]) -> None:
        provenance = {
            "dataset": dataset.name,
            "scenes": len(scenes),
            "init": Path(init).stem,
            "date": str(date.today()),
            "batch": plan.batch,
            "crop": plan.crop,
            "rate": plan.rate,
            **summary,
        }
        weights.save(output, average.cpu(), provenance, collect(average, scenes))
        average.to(plan.device)

    train(model, scenes, validation, plan, checkpoint, export, report, resume)


def start(tasks: Sequence[Task], scenes: Scenes, init: str, from_scratch: bool) -> Conditional:
    """A model to train: from the weights ``init``, or new, its linear paths fitted to ``scenes``."""
    if init:
        model, _ = weights.load(weights.find(init))
        if model.config.task_names != tuple(t.name for t in tasks):
            raise UsageError(f"weights {init} have tasks {', '.join(model.config.task_names)}")
        thaw(model)
        return model
    model = Conditional(ModelConfig(tuple(tasks)))
    if from_scratch:
        klt.initialise(model, scenes)
    return model


def keep_memory() -> None:
    """Let glibc keep freed memory: returning it after every layer makes training a third slower."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
