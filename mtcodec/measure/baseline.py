"""The classical side of an evaluation: which codecs code which tasks, and the ratio to the best of them."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mtcodec.measure import hyperprior
from mtcodec.measure import image_codecs as classical
from mtcodec.measure.curves import CurveCache, Point, curve, fingerprint, workers_pool
from mtcodec.measure.matched import matched
from mtcodec.signals.signal import Signal

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""
Images = Mapping[str, Sequence[Signal]]
"""All images of an evaluation, by task."""


class Baseline:
    """Codecs to compare with, and how they are run.

    Args:
        against: of :data:`mtcodec.measure.image_codecs.FAMILIES`.
        grids: other quality grids by classical variant.
        checkpoints: where ``hyperprior`` has its weights from; None: CompressAI's zoo.
        workers: processes.

    Raises:
        WeightsError: from the constructor, if ``hyperprior``'s weights are missing or damaged.
    """

    def __init__(
        self,
        against: Sequence[str],
        grids: Mapping[str, Sequence[float]] | None = None,
        checkpoints: str | None = None,
        workers: int = 1,
    ) -> None:
        self.against, self.grids = against, grids or {}
        self.checkpoints, self.workers = checkpoints, workers
        self.identities: dict[str, str] = {}
        if hyperprior.NAME in against:
            self.identities[hyperprior.NAME] = hyperprior.identity(self._grid(hyperprior.NAME), checkpoints)

    def _grid(self, codec: str) -> tuple[float, ...]:
        return tuple(self.grids.get(codec, classical.VARIANTS[codec].qualities))

    def points(self, images: Images, cache: Path | None, progress: Progress) -> list[Point]:
        """Points of every variant for every lossy task of 1 or 3 channels; ``cache`` keeps them."""
        if not self.against:
            return []
        kept = CurveCache(cache, self.identities)
        wanted: list[tuple[str, Sequence[Signal], str]] = []
        for own in images.values():
            task, dtype = own[0].task, own[0].pixel_format.dtype
            if not task.exact and task.channels in (1, 3):
                print_ = fingerprint(own)
                names = (v for family in self.against for v in classical.variants(family, task, dtype))
                wanted += [(name, own, print_) for name in names]
        total, done = sum(len(own) for _, own, _ in wanted), 0
        points: list[Point] = []
        with workers_pool(self.workers) as mapper:
            for codec, own, print_ in wanted:
                grid, task = self._grid(codec), own[0].task

                def tick(k: int, what: str = f"{codec} {task.name}", before: int = done) -> None:
                    progress(what, before + k, total)

                found = kept.get(print_, task, codec, grid)
                if found is None:
                    found = curve(codec, own, grid, checkpoints=self.checkpoints, mapper=mapper, tick=tick)
                    kept.put(print_, codec, grid, found)
                done += len(own)
                points += found
        return points

    def versions(self) -> dict[str, str]:
        """Versions of what computes."""
        found = {"python": platform.python_version(), "machine": platform.machine()}
        for name in ("onnxruntime", "torch"):
            if name in sys.modules:
                found[name] = str(sys.modules[name].__version__)
        if self.against:
            found |= classical.versions()
        return found | (hyperprior.versions() if hyperprior.NAME in self.against else {})


def lossless(images: Images) -> dict[str, dict[str, float]]:
    """Mean bytes of lossless WebP for each exact task that it can hold."""
    result = {}
    for name, own in images.items():
        files = [classical.lossless_webp(s.original) for s in own] if own[0].task.exact else [None]
        if None not in files:
            result[name] = {"webp_bytes": fmean(len(file) for file in files if file is not None)}
    return result


def ratio(
    row: Mapping[str, Any], points: Sequence[Point], share: Mapping[str, float]
) -> dict[str, Any] | None:
    """The matched bytes ratio of one row of a system to image file formats."""
    formats = [point for point in points if point.codec != hyperprior.NAME]
    psnrs = {name: entry["psnr"] for name, entry in row["tasks"].items() if "psnr" in entry}
    return matched(row["lossy_bytes"], psnrs, formats, share) if formats else None
