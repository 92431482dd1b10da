"""Random crops of scenes held in memory as stored (8- or 16-bit), so that two cores keep up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtcodec.codec.prepare import declare
from mtcodec.errors import SceneError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import read_scene
from mtcodec.signal import signal as signals
from mtcodec.signal.mapping import Planes
from mtcodec.signal.signal import Signal
from mtcodec.tasks import Task


@dataclass
class Batch:
    planes: dict[str, Tensor]  # (B, C, H, W) in [0, 1], zero where absent
    present: Tensor  # (B, T)
    valid: dict[str, Tensor]  # (B, 1, H, W), 1 where there is a measurement; only of tasks that have holes


class Scenes:
    """Scenes of datasets in memory, their holes filled; tasks that a scene lacks are absent.

    Crops are drawn from every dataset equally often, however many scenes it has.
    """

    def __init__(self, datasets: Sequence[Sequence[SceneFiles]], tasks: Sequence[Task]) -> None:
        self.tasks = tuple(tasks)
        self.scenes: list[dict[str, Signal]] = []
        self.ranges: list[range] = []  # of every dataset in ``scenes``
        for dataset in datasets:
            start = len(self.scenes)
            for files in dataset:
                self.scenes.append(self._read(files))
            self.ranges.append(range(start, len(self.scenes)))
        if not all(self.ranges) or not self.ranges:
            raise SceneError("no scenes to train on")

    def _read(self, files: SceneFiles) -> dict[str, Signal]:
        """Signals of one scene; its images must be as the tasks declare."""
        known = {task.name: task for task in self.tasks}
        images = read_scene(files, known, list(known))
        for name, image in images.items():
            if declare(name, image, known) != known[name]:
                raise SceneError(
                    f"an image {image.shape}, but the task has {known[name].channels} channels",
                    path=files.files[name], task=name,
                )  # fmt: skip
        return {name: signals.make(known[name], image) for name, image in images.items()}

    def __len__(self) -> int:
        return len(self.scenes)

    def planes(self, index: int, top: int, left: int, size: int, flip: bool) -> dict[str, Planes]:
        """One crop of one scene, mirrored if ``flip`` (the x component of vectors changes sign).

        (C, H, W), or (C + 1, H, W) for tasks with holes: the last plane is 1 where there is a measurement.
        """
        result = {}
        window = slice(top, top + size), slice(left, left + size)
        for task in self.tasks:
            if task.name not in self.scenes[index]:
                continue
            own = self.scenes[index][task.name].crop(window)
            crop = own.planes
            if own.valid is not None:
                crop = np.concatenate([crop, own.valid[None].astype(np.float32)])
            if flip:
                crop = crop[:, :, ::-1].copy()
                if task.rules.unit_vectors:
                    crop[0] = 1.0 - crop[0]
            result[task.name] = crop
        return result

    def batch(self, count: int, size: int, drop: float, rng: random.Random) -> Batch:
        """``count`` random crops of ``size``×``size``; tasks are dropped in a share ``drop`` of them.

        A dropped crop keeps a random, non-empty, proper subset of its tasks.
        """
        shape = {t.name: (count, t.channels, size, size) for t in self.tasks}
        planes = {name: np.zeros(s, np.float32) for name, s in shape.items()}
        valid: dict[str, Planes] = {}
        present = np.zeros((count, len(self.tasks)), np.float32)
        for i in range(count):
            index = rng.choice(rng.choice(self.ranges))
            some = next(iter(self.scenes[index].values()))
            top, left = (rng.randrange(max(1, n - size + 1)) for n in (some.height, some.width))
            crop = self.planes(index, top, left, size, flip=rng.random() < 0.5)
            names = list(crop)
            if len(names) > 1 and rng.random() < drop:
                names = rng.sample(names, rng.randrange(1, len(names)))
            for j, task in enumerate(self.tasks):
                if task.name in names:
                    image = crop[task.name]
                    if image.shape[1:] != (size, size):  # a scene smaller than the crop
                        pad = [(0, 0), *((0, size - n) for n in image.shape[1:])]
                        image = np.pad(image, pad, mode="edge")
                    planes[task.name][i] = image[: task.channels]
                    present[i, j] = 1
                    if len(image) > task.channels:
                        mask = valid.setdefault(task.name, np.ones((count, 1, size, size), np.float32))
                        mask[i] = image[task.channels :]
        tensors = ({n: torch.from_numpy(p) for n, p in some.items()} for some in (planes, valid))
        return Batch(next(tensors), torch.from_numpy(present), next(tensors))
