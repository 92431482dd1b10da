"""From a dataset directory to a weights file: what ``mtcodec train`` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.notes import Note, ignore
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.config import ARCHITECTURES, SIZES, ModelConfig, Size, preset
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.networks.weights import store
from mtcodec.tasks import USUAL, Task
from mtcodec.train import grow, klt, processes
from mtcodec.train.calibration import collect
from mtcodec.train.dataset import Scenes, Source
from mtcodec.train.loop import State, load_checkpoint, train
from mtcodec.train.objective import BALANCES
from mtcodec.train.plan import PRESETS, Plan


class Dataset(NamedTuple):
    """Scenes to train on, and what weights are to call them."""

    name: str
    scenes: Sequence[Source]


Find = Callable[[Sequence[Task]], Sequence[Dataset]]
"""Finds datasets when the tasks are known."""

PROVENANCE = (
    "init", "batch", "crop", "rate", "seed", "task_quality_prob", "task_dropout", "balance", "shared_weight",
)  # fmt: skip
"""Fields of :class:`mtcodec.train.plan.Plan` that weights keep as how they were made."""


def on_disk(paths: Sequence[Path], note: Note = ignore, reading: Reading = AS_USUAL) -> Find:
    """The scenes under directories, which are named by the last two parts of their paths."""

    def find(tasks: Sequence[Task]) -> list[Dataset]:
        declared = {**USUAL, **{task.name: task for task in tasks}}
        return [
            Dataset(name_of(path), find_scenes(path, declared, note=note, reading=reading)) for path in paths
        ]

    return find


def name_of(path: Path) -> str:
    """What the weights' file calls a dataset."""
    return "/".join(path.absolute().parts[-2:])


def train_weights(
    find: Find,
    tasks: Sequence[Task],
    output: Path,
    *,
    settings: Mapping[str, Any],
    architecture: str = "",
    backbone: str = "",
    sizes: Mapping[str, Size] | None = None,
    init: str = "",
    resume: bool = False,
    held_out: int | None = None,
    threads: int = 0,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
    note: Note = ignore,
) -> None:
    """Train on the scenes that ``find`` finds, and write ``output``.

    Args:
        tasks: of a new model; may be empty where there is one already, whose tasks they must else be.
        settings: fields of :class:`mtcodec.train.plan.Plan`; of a run that is resumed, those that differ
            from before.
        architecture, backbone: of a new model, by default ``conditional`` and ``fast``. Others than those of
            ``init`` or of the checkpoint are an error.
        sizes: fields of :class:`mtcodec.networks.config.ModelConfig` to change; weights to start from grow
            to them (:mod:`mtcodec.train.grow`).
        init: name or path of weights to start from.
        resume: go on from the checkpoint, which rebuilds the model and the plan.
        held_out: scenes that are kept for validation, the last ones of every dataset in equal shares; by
            default as many as the plan says.
        note: takes a line about what is lost or assumed when images are read.

    The checkpoint and the log lie beside ``output`` (``.ckpt``, ``.log.jsonl``).
    """
    if threads:
        torch.set_num_threads(threads)
    checkpoint = output.with_suffix(".ckpt")
    state = load_checkpoint(checkpoint) if resume else None
    plan = planned(settings, init, state)
    if held_out is not None:
        plan = replace(plan, held_out=held_out)
    for name, known_names in ((architecture, ARCHITECTURES), (backbone, tuple(BACKBONES))):
        if name and name not in known_names:
            raise UsageError(f"{name!r} is not one of {', '.join(known_names)}")
    old = load_model(init, architecture, backbone, tasks, state)
    tasks = old.config.tasks if old else tuple(tasks)
    if not tasks or any(task.exact for task in tasks):
        raise UsageError("only tasks that the networks encode are trained; categories are stored exactly")
    datasets = find(tasks)
    training_scenes, held_out_scenes = split(datasets, plan.held_out)
    scenes = Scenes.read(training_scenes, tasks, note)
    validation = Scenes.read(held_out_scenes, tasks) if plan.held_out else None
    if old is None:
        preset_config = preset(tuple(tasks), architecture or "conditional", backbone or "fast")
        torch.manual_seed(plan.seed)
        model = MultiTask(resized(preset_config, sizes or {}))
        if state is None:
            klt.initialise(model, scenes)
    else:
        config = resized(old.config, sizes or {})
        if state is not None and "config" in state and config != old.config:
            raise UsageError("the checkpoint has other sizes")
        model = grow.grown(old, config, scenes, plan.seed)
    export = partial(write_weights, output, [dataset.name for dataset in datasets], scenes, plan)
    train(model, scenes, validation, plan, checkpoint, export, report, state)


def write_weights(
    output: Path,
    dataset_names: Sequence[str],
    scenes: Scenes,
    plan: Plan,
    model: MultiTask,
    summary: Mapping[str, Any],
) -> None:
    """Write a weights file, its probability tables fitted to ``scenes``, which were trained on.

    ``model`` has averaged weights, and is on the plan's device.
    """
    provenance = {
        "dataset": " + ".join(dataset_names), "scenes": len(scenes), "date": str(date.today()),
        **{name: value for name, value in vars(plan).items() if name in PROVENANCE},
        "lambdas": list(plan.lambdas), **summary,
    }  # fmt: skip
    scenes.to("cpu")
    serial.save(output, model.cpu(), provenance, collect(model, scenes))
    model.to(plan.device)
    scenes.to(plan.device)


def planned(settings: Mapping[str, Any], init: str, state: State | None) -> Plan:
    """The plan of a new run, or that of a checkpoint, with other ``settings`` where they are given."""
    device = settings.get("device") or "auto"
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    defaults = dict((state or {}).get("plan", {"init": Path(init).stem}))
    if settings.get("steps") or settings.get("minutes") or settings.get("decay"):
        defaults |= {"steps": 0, "minutes": 0.0}
    return Plan(**{**defaults, **settings, "device": processes.start(device)})


def load_model(
    init: str, architecture: str, backbone: str, tasks: Sequence[Task], state: State | None
) -> MultiTask | None:
    """The model to begin with, of a checkpoint or of weights; None where there is neither.

    ``tasks``, ``architecture`` and ``backbone`` are empty where any will do.

    Raises:
        UsageError: it is of other tasks or of another kind than asked for.
    """
    if state is not None and "config" in state:
        model, source = MultiTask(ModelConfig.from_json(state["config"])), "the checkpoint"
    elif init:
        model, source = serial.load(store.find(init))[0], init
        serial.thaw(model)
    else:
        return None
    config = model.config
    if tasks and config.task_names != tuple(task.name for task in tasks):
        raise UsageError(f"{source} has the tasks {', '.join(config.task_names)}")
    if architecture not in ("", config.architecture) or backbone not in ("", config.backbone):
        raise UsageError(
            f"{source} has architecture {config.architecture!r} and backbone {config.backbone!r}"
        )
    return model


def split(datasets: Sequence[Dataset], held_out: int) -> tuple[list[list[Source]], list[list[Source]]]:
    """The scenes of every dataset to train on, and the last ones, in equal shares, for validation."""
    training, validation = [], []
    for i, dataset in enumerate(datasets):
        scenes = list(dataset.scenes)
        count = held_out // len(datasets) + (i < held_out % len(datasets))
        if len(scenes) <= count:
            raise SceneError(f"{dataset.name}: {len(scenes)} scenes, of which {count} would be held out")
        training.append(scenes[: len(scenes) - count])
        validation.append(scenes[len(scenes) - count :])
    return training, [scenes for scenes in validation if scenes]


def settings(preset_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`mtcodec.train.plan.Plan`: those of the preset, and ``options`` that are not None.

    Raises:
        UsageError: an unknown preset or balance.
    """
    if preset_name not in PRESETS:
        raise UsageError(f"preset must be {' or '.join(PRESETS)}, not {preset_name!r}")
    if options.get("balance") not in (None, *BALANCES):
        raise UsageError(f"balance must be {', '.join(BALANCES)}, not {options['balance']!r}")
    return {**PRESETS[preset_name], **{name: value for name, value in options.items() if value is not None}}


def resized(config: ModelConfig, sizes: Mapping[str, Size]) -> ModelConfig:
    """``config`` with other sizes, by the names of its fields.

    Raises:
        UsageError: not a size, or one that cannot be.
    """
    for name, size in sizes.items():
        if name not in SIZES or isinstance(size, tuple) != isinstance(getattr(config, name), tuple):
            raise UsageError(f"not a size: {name}={size} (those of docs/training.md)")
    try:
        return replace(config, **cast(dict[str, Any], sizes))
    except ValueError as error:
        raise UsageError(f"sizes: {error}") from error
