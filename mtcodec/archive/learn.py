"""A dataset teaches its own codec: weights trained on scenes that an archive is to hold, if they pay.

::

    scenes ─► a sample ─┬─ most ─────► training, from weights that suit ─► learned weights ─┐
                        └─ held out ─► bits + λ · error of encoding them with … ◄───────────┘
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtcodec.archive.choice import cost
from mtcodec.codec.api import Codec
from mtcodec.codec.request import Request
from mtcodec.container.header import parse
from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import Scene, read_scene
from mtcodec.networks.weights.file import describe, model_config
from mtcodec.tasks import Declarations, Task

SAMPLE, PIXELS = 2000, 1 << 27  # scenes to learn from at most, and pixels of them all: 1 GB of memory
HELD_OUT, SHARE = 24, 20  # scenes to compare on: one in 20, at most 24
GAIN, WINDOW = 0.01, 60.0  # less than this share of the cost in so many minutes: learned enough
DECAY, LEAST_DECAY = 0.25, 1.0  # share of the time before, and minutes at least, in which the rate then falls


@dataclass(frozen=True)
class Tried:
    """What held-out scenes need with some weights.

    Attributes:
        weights: None: no networks.
        scene_bytes: of a scene, mean.
        cost: bits + λ · error of all scenes of the dataset, as far as these tell, with the weights' file if
            any scene needs it.
    """

    weights: Path | None
    scene_bytes: float
    cost: float


def division(scenes: Sequence[SceneFiles], tasks: Sequence[str]) -> tuple[list[SceneFiles], list[SceneFiles]]:
    """Scenes to learn from and others to compare on, both from all over the dataset.

    Raises:
        SceneError: there are too few.
    """
    if len(scenes) < 4:
        raise SceneError(f"{len(scenes)} scenes are too few to learn from")
    image = next(iter(read_scene(scenes[0], tasks=tasks).values()))
    count = min(len(scenes), SAMPLE, max(4, PIXELS // (image.shape[0] * image.shape[1])))
    sample = [scenes[i * len(scenes) // count] for i in range(count)]
    held = min(HELD_OUT, max(2, count // SHARE))
    places = {i * count // held for i in range(held)}
    return (
        [scene for i, scene in enumerate(sample) if i not in places],
        [scene for i, scene in enumerate(sample) if i in places],
    )


def learn(
    scenes: tuple[Sequence[SceneFiles], Sequence[SceneFiles]],
    tasks: Sequence[Task],
    start: Path | None,
    folder: Path,
    minutes: float,
    *,
    skip_errors: bool = False,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Path:
    """Train weights on scenes; returns their path, in ``folder``, where a run that was killed goes on.

    Args:
        scenes: of :func:`division`.
        tasks: that networks are to know. start: weights to begin with, if they know all of them.
        minutes: how long; 0: until an hour gains less than 1 % of the cost of held-out scenes.
    """
    from mtcodec.train import run

    training, held = scenes
    known = () if start is None else model_config(describe(start)).tasks
    fits = all(any(task.alike(own) for own in known) for task in tasks)
    read = Tolerant(skip_errors)
    dataset = run.Dataset(folder.stem, [read.source(files) for files in (*training, *held)])
    output = folder / "learned.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    log = output.with_suffix(".log.jsonl")

    def go(enough: bool = False, **more: float) -> None:
        resume = output.with_suffix(".ckpt").is_file()

        def watch(record: dict[str, Any]) -> None:
            report(record)
            if enough and "validation" in record and learned_enough(log):
                raise Enough

        run.train_weights(
            lambda _: [dataset], known if fits else tasks, output, held_out=len(held), resume=resume,
            settings={**({} if resume else run_settings(fits)), **more},
            init="" if resume or not fits else str(start), report=watch,
        )  # fmt: skip

    if minutes:
        go(minutes=minutes)
        return output
    if not learned_enough(log):
        with suppress(Enough):
            go(enough=True)
    go(decay=max(LEAST_DECAY, DECAY * costs_of(log)[-1][0]))
    return output


def run_settings(fits: bool) -> dict[str, Any]:
    """Settings of a new run; a higher rate where networks start anew."""
    return {"batch": 8, "rate": 3e-3 if fits else 6e-3, "drop": 0.1, "device": "auto"}


class Enough(Exception):
    """More training would gain too little."""


@dataclass(frozen=True)
class Tolerant:
    """Reads scenes for training; one that cannot be read has no images, if that is wanted."""

    skip_errors: bool

    def source(self, files: SceneFiles) -> Callable[[Declarations, Sequence[str]], Scene]:
        def read(declared: Declarations, tasks: Sequence[str]) -> Scene:
            try:
                return read_scene(files, declared, tasks)
            except MtcodecError as error:
                if self.skip_errors:
                    return {}
                raise error.at(path=files.label) from None

        return read


def costs_of(log: Path) -> list[tuple[float, float]]:
    """Minutes and costs of held-out scenes along a training."""
    found, minutes = [], 0.0
    for line in log.read_text().splitlines() if log.is_file() else ():
        record = json.loads(line)
        minutes = record.get("minutes", minutes)
        if record.get("validation"):
            found.append((minutes, sum(own["loss"] for own in record["validation"].values())))
    return found


def learned_enough(log: Path) -> bool:
    """Did the last hour gain too little?"""
    costs = costs_of(log)
    before = [value for minutes, value in costs if minutes <= costs[-1][0] - WINDOW]
    return bool(before) and costs[-1][1] > (1 - GAIN) * before[-1]


def compare(
    candidates: Sequence[Path | None],
    held: Sequence[SceneFiles],
    total: int,
    tasks: Sequence[str],
    request: Request,
) -> list[Tried]:
    """What a dataset of ``total`` scenes needs with each of these weights, the cheapest first.

    Raises:
        SceneError: none of the held-out scenes can be encoded.
    """
    wanted = replace(request, target_psnr={}, target_bytes=0)
    codecs = [Codec(() if path is None else path, **vars(wanted)) for path in candidates]
    sums, seen = [[0.0, 0.0, 0.0] for _ in candidates], 0
    for files in held:
        try:
            scene = read_scene(files, request.tasks, tasks)
            made = [codec.encode_measured(scene) for codec in codecs]
        except MtcodecError:
            continue
        seen += 1
        for total_of, encoded in zip(sums, made):
            total_of[0] += len(encoded.data)
            total_of[1] += cost(encoded, wanted)
            total_of[2] += parse(encoded.data).neural
    if not seen:
        raise SceneError("none of the scenes to compare weights on can be encoded")
    tried = []
    for path, (size, costs, neural) in zip(candidates, sums):
        weights = 8 * path.stat().st_size if path is not None and neural else 0
        tried.append(Tried(path, size / seen, costs * total / seen + weights))
    return sorted(tried, key=lambda one: one.cost)
