"""From a dataset directory to a weights file: what ``mtcodec train`` does."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import torch

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.layouts import LeftOut, SceneFiles, find_scenes
from mtcodec.models.config import ARCHITECTURES, BACKBONES, SIZES, ModelConfig, Size, preset
from mtcodec.models.multitask import MultiTask
from mtcodec.models.serial import thaw
from mtcodec.tasks.task import Task
from mtcodec.training import grow, klt
from mtcodec.training.calibration import collect
from mtcodec.training.dataset import Scenes
from mtcodec.training.loop import PRESETS, Plan, train
from mtcodec.training.objective import BALANCES
from mtcodec.weights import store as weights


def train_weights(
    datasets: Sequence[Path],
    tasks: Sequence[Task],
    output: Path,
    *,
    settings: dict[str, Any],
    config: ModelConfig | None = None,
    sizes: Mapping[str, Size] | None = None,
    init: str = "",
    resume: bool = False,
    held_out: int = 24,
    threads: int = 0,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
    left_out: LeftOut = lambda dataset, count: None,
) -> None:
    """Train on the scenes of ``datasets`` and write ``output``; ``settings`` are fields of :class:`Plan`.

    ``left_out`` is that of :func:`mtcodec.files.layouts.find_scenes`.
    ``config`` is that of a new model, by default the usual one; ``init`` are weights to start from instead.
    ``sizes`` are fields of :class:`ModelConfig` to change; weights to start from grow to them
    (:mod:`mtcodec.training.grow`).
    ``held_out`` scenes, the last ones of every dataset in equal shares, are kept for validation. The
    checkpoint and the log lie beside ``output`` (``.ckpt``, ``.log.jsonl``).
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
    training, kept = split([(path, find_scenes(path, left_out)) for path in datasets], held_out)
    scenes = Scenes(training, tasks)
    validation = Scenes(kept, tasks) if held_out else None
    if init:
        old = load_init(init, config, tasks)
        model = grow.grown(old, resized(old.config, sizes or {}), scenes, plan.seed)
    else:
        torch.manual_seed(plan.seed)
        model = MultiTask(resized(config or preset(tuple(tasks), "conditional"), sizes or {}))
        if not resume and model.config.backbone == "fast":
            klt.initialise(model, scenes)

    def export(average: MultiTask, summary: dict[str, Any]) -> None:
        provenance = {
            "dataset": " + ".join(names(datasets)),
            "scenes": len(scenes),
            "init": Path(init).stem,
            "date": str(date.today()),
            "batch": plan.batch,
            "crop": plan.crop,
            "rate": plan.rate,
            "seed": plan.seed,
            "own": plan.own,
            "drop": plan.drop,
            "lambdas": list(plan.lambdas),
            "balance": plan.balance,
            "shared_weight": plan.shared_weight,
            **summary,
        }
        weights.save(output, average.cpu(), provenance, collect(average, scenes))
        average.to(plan.device)

    train(model, scenes, validation, plan, checkpoint, export, report, resume)


def split(
    found: Sequence[tuple[Path, list[SceneFiles]]], held_out: int
) -> tuple[list[list[SceneFiles]], list[list[SceneFiles]]]:
    """The scenes of every dataset to train on, and the last ones, in equal shares, for validation."""
    training, kept = [], []
    for i, (path, scenes) in enumerate(found):
        count = held_out // len(found) + (i < held_out % len(found))
        if len(scenes) <= count:
            raise SceneError(f"{path}: {len(scenes)} scenes, of which {count} would be held out")
        training.append(scenes[: len(scenes) - count])
        kept.append(scenes[len(scenes) - count :])
    return training, [scenes for scenes in kept if scenes]


def names(datasets: Sequence[Path]) -> list[str]:
    """What the weights' file calls the datasets: the last two parts of their paths."""
    return ["/".join(path.absolute().parts[-2:]) for path in datasets]


def settings(preset_name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Fields of :class:`Plan`: those ``given`` that are not None, over those of the preset."""
    if preset_name not in PRESETS:
        raise UsageError(f"preset must be {' or '.join(PRESETS)}, not {preset_name!r}")
    if given.get("balance") not in (None, *BALANCES):
        raise UsageError(f"balance must be {', '.join(BALANCES)}, not {given['balance']!r}")
    return {**PRESETS[preset_name], **{k: v for k, v in given.items() if v is not None}}


def configuration(tasks: Sequence[Task], architecture: str, backbone: str) -> ModelConfig | None:
    """The usual configuration of what is named; None where nothing is."""
    if not architecture and not backbone:
        return None
    architecture, backbone = architecture or "conditional", backbone or "fast"
    for name, known in ((architecture, ARCHITECTURES), (backbone, BACKBONES)):
        if name not in known:
            raise UsageError(f"{name!r} is not one of {', '.join(known)}")
    return preset(tuple(tasks), architecture, backbone)


def resized(config: ModelConfig, sizes: Mapping[str, Size]) -> ModelConfig:
    """``config`` with other sizes, by the names of its fields."""
    for name, size in sizes.items():
        if name not in SIZES or isinstance(size, tuple) != isinstance(getattr(config, name), tuple):
            raise UsageError(f"not a size: {name}={size} (those of docs/training.md)")
    try:
        return replace(config, **cast(dict[str, Any], sizes))
    except ValueError as error:
        raise UsageError(f"sizes: {error}") from error


def load_init(init: str, config: ModelConfig | None, tasks: Sequence[Task]) -> MultiTask:
    """The weights ``init``, trainable; they must fit ``config`` (if given) and ``tasks``."""
    model, _ = weights.load(weights.find(init))
    names = tuple(t.name for t in tasks)
    if model.config.task_names != names:
        raise UsageError(f"weights {init} have tasks {', '.join(model.config.task_names)}")
    kind = model.config.architecture, model.config.backbone
    if config is not None and kind != (config.architecture, config.backbone):
        raise UsageError(f"weights {init} are of architecture {kind[0]!r} and backbone {kind[1]!r}")
    thaw(model)
    return model


def keep_memory() -> None:
    """Let glibc keep freed memory: returning it after every layer makes training a third slower."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
