"""The baselines of an evaluation: which codecs code which tasks, and our bytes over those of the best one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mtcodec.measure import hyperprior, image_codecs
from mtcodec.measure.curves import CurveCache, Point, curve, fingerprint, workers_pool
from mtcodec.measure.matched import matched
from mtcodec.measure.timing import Progress, part_of
from mtcodec.signals.signal import Signal

Images = Mapping[str, Sequence[Signal]]
"""All images of an evaluation, by task."""


@dataclass(frozen=True)
class Baselines:
    """Codecs to compare with, and how they are run."""

    families: Sequence[str]  # of mtcodec.measure.image_codecs.FAMILIES
    grids: Mapping[str, Sequence[float]]  # qualities by variant, where they are not its usual ones
    checkpoints: str | None  # where hyperprior has its weights from; None: CompressAI's zoo
    workers: int  # processes that measure

    def grid(self, variant: str) -> tuple[float, ...]:
        """The qualities that a variant is measured at."""
        return tuple(self.grids.get(variant, image_codecs.VARIANTS[variant].qualities))

    def identities(self) -> dict[str, str]:
        """By variant, a hash of the weights that it uses; loads them.

        Raises:
            DependencyError: CompressAI is missing.
            WeightsError: the weights of ``hyperprior`` are missing or damaged.
        """
        if hyperprior.NAME not in self.families:
            return {}
        return {hyperprior.NAME: hyperprior.identity(self.grid(hyperprior.NAME), self.checkpoints)}

    def points(
        self,
        images: Images,
        cache: CurveCache,
        progress: Progress,
        pixels: Mapping[str, Sequence[int]] = {},
    ) -> list[Point]:
        """Points of every variant for every lossy task of 1 or 3 channels; ``cache`` keeps them.

        ``pixels`` are by task those that bits per pixel of its images are counted by, see :func:`curve`.
        """
        if not self.families:
            return []
        jobs = self._jobs(images, pixels)
        total, done = sum(len(signals) for _, signals, _ in jobs), 0
        points: list[Point] = []
        with workers_pool(self.workers) as mapper:
            for variant, signals, images_hash in jobs:
                grid, task = self.grid(variant), signals[0].task
                curve_points = cache.get(images_hash, task, variant, grid)
                if curve_points is None:
                    tick = part_of(progress, f"{variant} {task.name}", done, total)
                    counted = pixels.get(task.name, ())
                    curve_points = curve(variant, signals, grid, self.checkpoints, mapper, tick, counted)
                    cache.put(images_hash, variant, grid, curve_points)
                done += len(signals)
                points += curve_points
        return points

    def _jobs(
        self, images: Images, pixels: Mapping[str, Sequence[int]]
    ) -> list[tuple[str, Sequence[Signal], str]]:
        """What is to be measured: variant, images of one task, and their fingerprint."""
        jobs = []
        for signals in images.values():
            task, dtype = signals[0].task, signals[0].pixel_format.dtype
            if task.exact or task.channels not in (1, 3):
                continue
            images_hash = fingerprint(signals, pixels.get(task.name, ()))
            for family in self.families:
                for variant in image_codecs.variants(family, task, dtype):
                    jobs.append((variant, signals, images_hash))
        return jobs

    def versions(self) -> dict[str, str]:
        """Versions of what computes."""
        versions = {"python": platform.python_version(), "machine": platform.machine()}
        for name in ("onnxruntime", "torch"):
            if name in sys.modules:
                versions[name] = str(sys.modules[name].__version__)
        if self.families:
            versions |= image_codecs.versions()
        if hyperprior.NAME in self.families:
            versions |= hyperprior.versions()
        return versions


def lossless(images: Images) -> dict[str, dict[str, float]]:
    """Mean bytes of lossless WebP for each exact task that it can hold."""
    result = {}
    for name, signals in images.items():
        if signals[0].task.exact:
            files = [image_codecs.lossless_webp(signal.original) for signal in signals]
            if None not in files:
                result[name] = {"webp_bytes": fmean(len(file) for file in files if file is not None)}
    return result


def ratio(
    row: Mapping[str, Any], points: Sequence[Point], share: Mapping[str, float]
) -> dict[str, Any] | None:
    """The matched bytes ratio of a row of :func:`mtcodec.measure.systems.run_system`.

    It is that to image file formats: points of ``hyperprior`` do not count. ``share`` is, by task, the part
    of the scenes that have it.
    """
    formats = [point for point in points if point.codec != hyperprior.NAME]
    psnrs = {name: entry["psnr"] for name, entry in row["tasks"].items() if "psnr" in entry}
    return matched(row["lossy_bytes"], psnrs, formats, share) if formats else None
