"""Random crops of scenes in memory: all pixels of a task lie in one tensor, so that a batch is one gather."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtcodec.codec.prepare import declare
from mtcodec.errors import SceneError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import Scene, read_scene
from mtcodec.signals.mapping import to_planes
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Declarations, Task

Source = SceneFiles | Callable[[Declarations, Sequence[str]], Scene]
"""A scene on disk, or what reads one from elsewhere: declarations and names of tasks → images."""

TOP = 2**16 - 1  # the level of 1
EIGHT_BITS = TOP // 255  # what levels of 8 bits are multiples of


@dataclass
class Batch:
    planes: dict[str, Tensor]  # (B, C, H, W) in [0, 1], zero where absent
    present: Tensor  # (B, T)
    valid: dict[str, Tensor]  # (B, 1, H, W), 1 where there is a measurement; only of tasks that have holes


class Levels(NamedTuple):
    """An image's planes in 2**16 levels, or in 256 where it has no others.

    Attributes:
        size: height and width.
        values: (H · W, C), uint16 or uint8.
        valid: (H · W,), where there is a measurement; None if everywhere.
    """

    size: tuple[int, int]
    values: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_] | None

    def signed(self) -> npt.NDArray[np.int32]:
        """2**16 levels from −2**15 on."""
        factor = EIGHT_BITS if self.values.dtype == np.uint8 else 1
        return self.values.astype(np.int32) * factor - 2**15


@dataclass
class Pixels:
    """A task's pixels of all scenes, one after the other.

    Attributes:
        values: (N, C), uint8 where planes have no more levels, else int16 of 2**16 levels from −2**15 on.
        valid: (N,), where there is a measurement; None if everywhere.
        start: (scenes,), where a scene's pixels begin; −1 where it lacks the task.
    """

    values: Tensor
    valid: Tensor | None
    start: Tensor

    def planes(self, places: Tensor) -> Tensor:
        """Planes of pixels at ``places`` (B, H, W): (B, C, H, W) in [0, 1]."""
        some = self.values[places].permute(0, 3, 1, 2).float()
        return some / 255 if self.values.dtype == torch.uint8 else (some + 2**15) / TOP


class Scenes:
    """Scenes of datasets in memory, their holes filled; tasks that a scene lacks are absent. Scenes
    that have none of them are left out.

    Crops are drawn from every dataset equally often, however many scenes it has.
    """

    def __init__(self, datasets: Sequence[Sequence[Source]], tasks: Sequence[Task]) -> None:
        read = [[own for source in dataset if (own := read_levels(source, tasks))] for dataset in datasets]
        if not all(read) or not read:
            raise SceneError("no scenes to train on")
        self.tasks = tuple(tasks)
        scenes = [images for dataset in read for images in dataset]
        self.sizes = torch.tensor([next(iter(own.values())).size for own in scenes])  # (scenes, 2)
        counts = torch.tensor([len(dataset) for dataset in read])
        self.ranges = torch.stack([counts.cumsum(0) - counts, counts], dim=1)  # first scene, number
        self.pixels = {task.name: flat(task, [own.get(task.name) for own in scenes]) for task in tasks}

    def __len__(self) -> int:
        return len(self.sizes)

    def side(self) -> int:
        """Of the largest square crop that some scene has, a multiple of 64."""
        return int(self.sizes.amin(dim=1).max()) // 64 * 64

    def to(self, device: str) -> Scenes:
        """Move all pixels to ``device``, where batches are then made."""
        self.sizes, self.ranges = self.sizes.to(device), self.ranges.to(device)
        for own in self.pixels.values():
            own.values, own.start = own.values.to(device), own.start.to(device)
            own.valid = None if own.valid is None else own.valid.to(device)
        return self

    def batch(
        self, count: int, size: int, drop: float = 0.0, generator: torch.Generator | None = None
    ) -> Batch:
        """``count`` random crops of ``size``×``size``; tasks are dropped in a share ``drop`` of them.

        A dropped crop keeps a random, non-empty, proper subset of its tasks.
        """

        def random(*shape: int) -> Tensor:
            return torch.rand(*shape, device=self.sizes.device, generator=generator)

        first, number = self.ranges[below(random(count), len(self.ranges))].unbind(1)
        index = first + below(random(count), number)
        height, width = self.sizes[index].unbind(1)
        top = below(random(count), (height - size + 1).clamp_min(1))
        left = below(random(count), (width - size + 1).clamp_min(1))
        flip = random(count) < 0.5
        here = torch.stack([own.start[index] >= 0 for own in self.pixels.values()], dim=1)
        return self.crops(index, top, left, size, flip, here & kept(here, drop, random))

    def middles(self, index: Tensor, size: int) -> Batch:
        """The middles of the scenes ``index`` (B,), ``size``×``size``, with all their tasks."""
        top, left = ((self.sizes[index] - size).clamp_min(0) // 2).unbind(1)
        here = torch.stack([own.start[index] >= 0 for own in self.pixels.values()], dim=1)
        return self.crops(index, top, left, size, torch.zeros_like(here[:, 0]), here)

    def crops(
        self, index: Tensor, top: Tensor, left: Tensor, size: int, flip: Tensor, present: Tensor
    ) -> Batch:
        """Crops of the scenes ``index``, mirrored where ``flip``: the x component of vectors changes sign.

        ``index``, ``top``, ``left`` and ``flip`` are (B,), ``present`` (B, T). Scenes smaller than the crop
        are continued with the pixels of their edges.
        """
        height, width = self.sizes[index].unbind(1)
        steps = torch.arange(size, device=index.device)
        columns = torch.where(flip[:, None], width.clamp_max(size)[:, None] - 1 - steps, steps)
        columns = (left[:, None] + columns).clamp_min(0).minimum(width[:, None] - 1)
        rows = (top[:, None] + steps).minimum(height[:, None] - 1)
        places = rows[:, :, None] * width[:, None, None] + columns[:, None, :]
        planes, valid = {}, {}
        for i, task in enumerate(self.tasks):
            own, here = self.pixels[task.name], present[:, i, None, None, None]
            inside = own.start[index].clamp_min(0)[:, None, None] + places * here[:, 0]
            crop = own.planes(inside)
            if task.kind.unit_vectors:
                x = torch.where(flip[:, None, None], 1 - crop[:, 0], crop[:, 0])
                crop = torch.cat([x[:, None], crop[:, 1:]], dim=1)
            planes[task.name] = (crop * here).contiguous()
            if own.valid is not None:
                valid[task.name] = torch.where(here, own.valid[inside][:, None], True).float()
        return Batch(planes, present.float(), valid)


def below(share: Tensor, limit: Tensor | int) -> Tensor:
    """Integers from 0 to ``limit`` − 1 for random numbers from 0 to 1."""
    whole = (share.double() * limit).long()
    return whole.clamp_max(limit - 1) if isinstance(limit, int) else whole.minimum(limit - 1)


def kept(here: Tensor, drop: float, random: Callable[..., Tensor]) -> Tensor:
    """Which tasks (B, T) of those that are ``here`` a crop keeps, if some are dropped in a share of them."""
    order = (random(*here.shape) + ~here).argsort(1).argsort(1)  # those that are there come first
    number = here.sum(1)
    fewer = 1 + below(random(len(here)), (number - 1).clamp_min(1))
    dropped = (random(len(here)) < drop) & (number > 1)
    return order < torch.where(dropped, fewer, number)[:, None]


def read_levels(source: Source, tasks: Sequence[Task]) -> dict[str, Levels]:
    """The images of one scene, which must be as the tasks declare."""
    known = {task.name: task for task in tasks}
    files = source if isinstance(source, SceneFiles) else None
    images = source(known, list(known)) if callable(source) else read_scene(source, known, list(known))
    for name, image in images.items():
        if declare(name, image, known) != known[name]:
            raise SceneError(
                f"an image {image.shape}, but the task has {known[name].channels} channels",
                path=files.files[name] if files else None, task=name,
            )  # fmt: skip
    return {name: levels_of(Signal.from_image(known[name], image)) for name, image in images.items()}


def levels_of(signal: Signal) -> Levels:
    """The levels of a signal's planes."""
    planes = to_planes(signal.image, signal.pixel_format.value_range)
    values: npt.NDArray[Any] = np.rint(planes.reshape(len(planes), -1).T * np.float32(TOP)).astype(np.uint16)
    if (values % EIGHT_BITS == 0).all():
        values = (values // EIGHT_BITS).astype(np.uint8)
    valid = None if signal.valid is None else signal.valid.flatten()
    return Levels((signal.height, signal.width), values, valid)


def flat(task: Task, images: Sequence[Levels | None]) -> Pixels:
    """The pixels of a task, of the scenes that have it."""
    there = [image for image in images if image is not None]
    counts = torch.tensor([0 if image is None else len(image.values) for image in images])
    start = torch.where(counts > 0, counts.cumsum(0) - counts, -1)
    fine = any(image.values.dtype != np.uint8 for image in there)
    values = np.empty((int(counts.sum()) or 1, task.channels), np.int16 if fine else np.uint8)
    valid = None
    if any(image.valid is not None for image in there):
        valid = np.ones(len(values), bool)
    for image, first in zip(there, start[start >= 0].tolist(), strict=True):
        own = slice(first, first + len(image.values))
        values[own] = image.signed() if fine else image.values
        if valid is not None and image.valid is not None:
            valid[own] = image.valid
    return Pixels(torch.from_numpy(values), None if valid is None else torch.from_numpy(valid), start)
