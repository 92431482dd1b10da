"""Random crops of scenes in memory: all pixels of a task lie in one tensor, so that a batch is one gather."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.codec.prepare import declare
from mtcodec.errors import SceneError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.scene import Scene, read_scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.messages import Loss
from mtcodec.signals.mapping import to_planes
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Declarations, Task

Source = SceneFiles | Callable[[Declarations, Sequence[str]], Scene]
"""A scene on disk, or a function that reads one from elsewhere: declarations, names of tasks → images."""

MAX_VALUE = 2**16 - 1  # the stored value that stands for 1
UINT8_FACTOR = MAX_VALUE // 255  # what stored values are multiples of where 8 bits hold them


@dataclass
class Batch:
    planes: dict[str, Tensor]  # (B, C, H, W) in [0, 1], zero where absent
    present: Tensor  # (B, T), 1 where the crop has the task
    valid: dict[str, Tensor]  # (B, 1, H, W), 1 where there is a measurement; only of tasks that have holes


class StoredImage(NamedTuple):
    """An image's planes as integers, from 0 to 2**16 − 1, or to 255 where that loses nothing."""

    size: tuple[int, int]  # height and width
    values: npt.NDArray[Any]  # (H · W, C), uint16 or uint8
    valid: npt.NDArray[np.bool_] | None  # (H · W,), where there is a measurement; None if everywhere


@dataclass
class Pixels:
    """A task's pixels of all scenes, one after the other."""

    values: Tensor  # (N, C), uint8 where that holds all of them, else int16: values of 16 bits less 2**15
    valid: Tensor | None  # (N,), where there is a measurement; None if everywhere
    start: Tensor  # (scenes,), where a scene's pixels begin; −1 where it lacks the task

    def planes(self, places: Tensor) -> Tensor:
        """Planes of pixels at ``places`` (B, H, W): (B, C, H, W) in [0, 1]."""
        values = self.values[places].permute(0, 3, 1, 2).float()
        return values / 255 if self.values.dtype == torch.uint8 else (values + 2**15) / MAX_VALUE

    def to(self, device: str) -> None:
        """Move all pixels to ``device``."""
        self.values, self.start = self.values.to(device), self.start.to(device)
        self.valid = None if self.valid is None else self.valid.to(device)


@dataclass
class Scenes:
    """Scenes of datasets in memory, their holes filled; all images of a scene have one size.

    Crops are drawn from every dataset equally often, however many scenes it has.
    """

    tasks: tuple[Task, ...]  # T tasks, of which a scene may lack some
    sizes: Tensor  # (scenes, 2), heights and widths
    ranges: Tensor  # (datasets, 2), number of the first scene, and how many there are
    pixels: dict[str, Pixels]  # by task

    @classmethod
    def read(cls, datasets: Sequence[Sequence[Source]], tasks: Sequence[Task], note: Note = ignore) -> Scenes:
        """Read all scenes of ``datasets``. Those that have none of the tasks are left out.

        Args:
            note: takes a line about what is lost or assumed when images are read.

        Raises:
            SceneError: a dataset without scenes, or an image that is not as its task declares.
        """
        note = losses_once(note)
        stored = [
            [images for source in dataset if (images := read_stored(source, tasks, note))]
            for dataset in datasets
        ]
        if not all(stored) or not stored:
            raise SceneError("no scenes to train on")
        scenes = [images for dataset in stored for images in dataset]
        sizes = torch.tensor([next(iter(images.values())).size for images in scenes])
        counts = torch.tensor([len(dataset) for dataset in stored])
        ranges = torch.stack([counts.cumsum(0) - counts, counts], dim=1)
        pixels = {task.name: flat(task, [images.get(task.name) for images in scenes]) for task in tasks}
        return cls(tuple(tasks), sizes, ranges, pixels)

    def __len__(self) -> int:
        return len(self.sizes)

    def side(self) -> int:
        """Of the largest square crop that some scene has, a multiple of 64."""
        return int(self.sizes.amin(dim=1).max()) // 64 * 64

    def to(self, device: str) -> Scenes:
        """Move all pixels to ``device``, where batches are then made."""
        self.sizes, self.ranges = self.sizes.to(device), self.ranges.to(device)
        for pixels in self.pixels.values():
            pixels.to(device)
        return self

    def batch(
        self, count: int, size: int, task_dropout: float = 0.0, generator: torch.Generator | None = None
    ) -> Batch:
        """``count`` random crops of ``size``×``size``; a share ``task_dropout`` of them lacks tasks.

        Such a crop keeps a random, non-empty, proper subset of its tasks.
        """

        def random(*shape: int) -> Tensor:
            return torch.rand(*shape, device=self.sizes.device, generator=generator)

        first, number = self.ranges[below(random(count), len(self.ranges))].unbind(1)
        index = first + below(random(count), number)
        height, width = self.sizes[index].unbind(1)
        top = below(random(count), (height - size + 1).clamp_min(1))
        left = below(random(count), (width - size + 1).clamp_min(1))
        flip = random(count) < 0.5
        has_task = self.has_task(index)
        return self.crops(index, top, left, size, flip, has_task & keep_tasks(has_task, task_dropout, random))

    def middles(self, index: Tensor, size: int) -> Batch:
        """The middles of the scenes ``index`` (B,), ``size``×``size``, with all their tasks."""
        top, left = ((self.sizes[index] - size).clamp_min(0) // 2).unbind(1)
        has_task = self.has_task(index)
        return self.crops(index, top, left, size, torch.zeros_like(has_task[:, 0]), has_task)

    def has_task(self, index: Tensor) -> Tensor:
        """Which tasks the scenes ``index`` (B,) have: (B, T)."""
        return torch.stack([pixels.start[index] >= 0 for pixels in self.pixels.values()], dim=1)

    def crops(
        self, index: Tensor, top: Tensor, left: Tensor, size: int, flip: Tensor, present: Tensor
    ) -> Batch:
        """Crops of the scenes ``index``, mirrored where ``flip``: the x component of vectors changes sign.

        ``index``, ``top``, ``left`` and ``flip`` are (B,), ``present`` (B, T). Scenes smaller than the crop
        are continued with the pixels of their edges.
        """
        height, width = self.sizes[index].unbind(1)
        offsets = torch.arange(size, device=index.device)
        columns = torch.where(flip[:, None], width.clamp_max(size)[:, None] - 1 - offsets, offsets)
        columns = (left[:, None] + columns).clamp_min(0).minimum(width[:, None] - 1)
        rows = (top[:, None] + offsets).minimum(height[:, None] - 1)
        places = rows[:, :, None] * width[:, None, None] + columns[:, None, :]
        planes, valid = {}, {}
        for i, task in enumerate(self.tasks):
            pixels, has_task = self.pixels[task.name], present[:, i, None, None, None]
            task_places = pixels.start[index].clamp_min(0)[:, None, None] + places * has_task[:, 0]
            crop = pixels.planes(task_places)
            if task.kind.unit_vectors:
                x = torch.where(flip[:, None, None], 1 - crop[:, 0], crop[:, 0])
                crop = torch.cat([x[:, None], crop[:, 1:]], dim=1)
            planes[task.name] = (crop * has_task).contiguous()
            if pixels.valid is not None:
                valid[task.name] = torch.where(has_task, pixels.valid[task_places][:, None], True).float()
        return Batch(planes, present.float(), valid)


def below(share: Tensor, limit: Tensor | int) -> Tensor:
    """Integers from 0 to ``limit`` − 1 for random numbers from 0 to 1."""
    integers = (share.double() * limit).long()
    return integers.clamp_max(limit - 1) if isinstance(limit, int) else integers.minimum(limit - 1)


def keep_tasks(has_task: Tensor, task_dropout: float, random: Callable[..., Tensor]) -> Tensor:
    """Which tasks (B, T) crops keep of those that they have, ``has_task`` (B, T).

    In a share ``task_dropout`` of crops of several tasks, at least one is kept and one is dropped.
    """
    order = (random(*has_task.shape) + ~has_task).argsort(1).argsort(1)  # tasks that a crop has come first
    number = has_task.sum(1)
    fewer = 1 + below(random(len(has_task)), (number - 1).clamp_min(1))
    dropped = (random(len(has_task)) < task_dropout) & (number > 1)
    return order < torch.where(dropped, fewer, number)[:, None]


def read_stored(source: Source, tasks: Sequence[Task], note: Note = ignore) -> dict[str, StoredImage]:
    """The images of one scene that have the size of most, as networks code these together.

    Of sizes that equally many have, it is the larger one.

    Args:
        note: takes a line about images of other sizes, which are left out.

    Raises:
        SceneError: an image that is not as its task declares.
    """
    declared = {task.name: task for task in tasks}
    read = source if callable(source) else partial(read_scene, source, note=note)
    images = read(declared, list(declared))
    for name, image in images.items():
        if declare(name, image, declared) != declared[name]:
            path = None if callable(source) else source.files[name]
            message = f"an image {image.shape}, but the task has {declared[name].channels} channels"
            raise SceneError(message, path=path, task=name)
    same_size = _of_one_size(images, note)
    return {name: store(Signal.from_image(declared[name], image)) for name, image in same_size.items()}


def _of_one_size(images: Scene, note: Note) -> Scene:
    """The images that have the size of most, and a line about every other one."""
    sizes = Counter(image.shape[:2] for image in images.values())
    size = max(sizes, key=lambda size: (sizes[size], math.prod(size)), default=None)
    for name, image in images.items():
        if image.shape[:2] != size:
            note(Loss(f"{name}: left out of training where most tasks of a scene have another size"))
    return {name: image for name, image in images.items() if image.shape[:2] == size}


def store(signal: Signal) -> StoredImage:
    """A signal's planes as integers."""
    planes = to_planes(signal.filled, signal.pixel_format.value_range)
    values: npt.NDArray[Any] = np.rint(planes.reshape(len(planes), -1).T * np.float32(MAX_VALUE))
    values = values.astype(np.uint16)
    if (values % UINT8_FACTOR == 0).all():
        values = (values // UINT8_FACTOR).astype(np.uint8)
    valid = None if signal.valid is None else signal.valid.flatten()
    return StoredImage((signal.height, signal.width), values, valid)


def flat(task: Task, images: Sequence[StoredImage | None]) -> Pixels:
    """The pixels of a task, of the scenes that have it; None stands for a scene without."""
    of_task = [image for image in images if image is not None]
    counts = torch.tensor([0 if image is None else len(image.values) for image in images])
    start = torch.where(counts > 0, counts.cumsum(0) - counts, -1)
    needs_16_bits = any(image.values.dtype != np.uint8 for image in of_task)
    has_holes = any(image.valid is not None for image in of_task)
    values = np.empty((int(counts.sum()) or 1, task.channels), np.int16 if needs_16_bits else np.uint8)
    valid = torch.ones(len(values), dtype=torch.bool) if has_holes else None
    for image, first in zip(of_task, start[start >= 0].tolist(), strict=True):
        pixels = slice(first, first + len(image.values))
        if needs_16_bits:
            factor = UINT8_FACTOR if image.values.dtype == np.uint8 else 1
            values[pixels] = image.values.astype(np.int32) * factor - 2**15
        else:
            values[pixels] = image.values
        if valid is not None and image.valid is not None:
            valid[pixels] = torch.from_numpy(image.valid)
    return Pixels(torch.from_numpy(values), valid, start)
