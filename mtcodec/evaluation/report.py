"""An evaluation from scene directories to ``results.json``, ``results.csv`` and ``rd.png``."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from mtcodec import tasks as registry
from mtcodec.data.planes import Array
from mtcodec.data.scene import Scene, read_scene
from mtcodec.errors import OutputError, UsageError
from mtcodec.evaluation import classical
from mtcodec.evaluation.curves import CurveCache, Point, curve, fingerprint, workers_pool
from mtcodec.evaluation.matched import matched
from mtcodec.evaluation.ours import Info, SceneCodec, run_scene, summarise
from mtcodec.evaluation.plot import draw, require_matplotlib
from mtcodec.evaluation.tables import format_table, to_csv
from mtcodec.output import write_atomic
from mtcodec.tasks import Task

__all__ = ["Progress", "evaluate", "format_table", "to_csv", "write"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

CACHE_NAME = "classical-cache.json"


def _package_info() -> Info:
    info: Info = importlib.import_module("mtcodec").info
    return info


def _images_by_task(scenes: Sequence[Scene]) -> dict[str, list[Array]]:
    names = dict.fromkeys(name for scene in scenes for name in scene)
    return {name: [scene[name] for scene in scenes if name in scene] for name in names}


def _curves(
    images: Mapping[str, list[Array]],
    declared: Mapping[str, Task],
    against: Sequence[str],
    grids: Mapping[str, Sequence[float]],
    cache: CurveCache,
    workers: int,
    progress: Progress,
) -> list[Point]:
    """Points of every variant of the codecs ``against`` for every lossy task of 1 or 3 channels."""
    wanted: list[tuple[str, Task, str]] = []
    for name, own in images.items():
        task = declared[name]
        if not task.lossless and task.channels in (1, 3):
            print_, dtype = fingerprint(task, own), own[0].dtype.name
            wanted += [
                (v, task, print_) for family in against for v in classical.variants(family, task, dtype)
            ]
    total = sum(len(images[task.name]) for _, task, _ in wanted)
    done = 0
    points: list[Point] = []
    with workers_pool(workers) as mapper:
        for codec, task, print_ in wanted:
            grid = grids.get(codec, classical.VARIANTS[codec].qualities)
            own = images[task.name]

            def tick(k: int, what: str = f"{codec} {task.name}", before: int = done) -> None:
                progress(what, before + k, total)

            found = cache.get(print_, task, codec, grid)
            if found is None:
                found = curve(codec, task, own, grid, mapper=mapper, tick=tick)
                cache.put(print_, codec, grid, found)
            done += len(own)
            points += found
    return points


def _lossless(images: Mapping[str, list[Array]], declared: Mapping[str, Task]) -> dict[str, dict[str, float]]:
    """Mean bytes of lossless WebP for each lossless task."""
    return {
        name: {"webp_bytes": fmean(len(classical.lossless_webp(image)) for image in own)}
        for name, own in images.items()
        if declared[name].lossless
    }


def _versions(with_classical: bool) -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = str(torch.__version__)
    return found | (classical.versions() if with_classical else {})


def _check(
    scenes: Sequence[Path], qualities: Sequence[float], against: Sequence[str], out: Path | None
) -> None:
    """Find out what is missing before hours of work, and make ``out``."""
    if not scenes or not qualities:
        raise UsageError("an evaluation needs at least one scene and one quality")
    for family in against:
        if family not in classical.FAMILIES:
            raise UsageError(f"unknown classical codec {family!r} (known: {', '.join(classical.FAMILIES)})")
    if against:
        classical.versions()
    if out is not None:
        require_matplotlib()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{out}: cannot make it: {error.strerror}") from error


def _run(
    codec: SceneCodec,
    scenes: Sequence[Scene],
    declared: Mapping[str, Task],
    qualities: Sequence[float],
    info: Info,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Our own results, one entry per quality."""
    results = []
    for k, quality in enumerate(qualities):
        rows = []
        for j, scene in enumerate(scenes):
            progress(f"quality {quality:g}", k * len(scenes) + j, len(qualities) * len(scenes))
            rows.append(run_scene(codec, scene, quality, info, declared))
        results.append(summarise(rows, quality))
    return results


def evaluate(
    codec: SceneCodec,
    scenes: Sequence[Path],
    qualities: Sequence[float],
    against: Sequence[str] = classical.FAMILIES,
    out: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    tasks: Sequence[Task] | None = None,
    info: Info | None = None,
    grids: Mapping[str, Sequence[float]] | None = None,
    workers: int = 1,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run ``codec`` and the classical codecs over ``scenes`` and compare them.

    Args:
        codec: has ``encode(scene, quality=q)`` and ``decode(data)``.
        scenes: scene directories; all are held in memory.
        qualities: our qualities, one row of results each.
        against: classical codecs, of :data:`mtcodec.evaluation.classical.FAMILIES`; may be empty.
        out: directory for the results and the cache of classical curves, made if missing; or None.
        tasks: read these from the scenes and ignore other files; default all files, which must be tasks.
        info: describes a file (see :data:`mtcodec.evaluation.ours.Info`); default ``mtcodec.info``.
        grids: other quality grids by classical variant.
        workers: processes for the classical codecs.
        arguments: kept in the results; default the command line.

    Returns:
        What ``results.json`` holds: ``arguments``, ``scenes`` (names), ``versions``, ``ours`` (per quality:
        sizes, metrics, times, ``matched``), ``classical`` (points) and ``lossless`` (WebP bytes).
    """
    _check(scenes, qualities, against, out)
    loaded = [read_scene(path, tasks) for path in scenes]
    images = _images_by_task(loaded)
    known = {task.name: task for task in tasks or ()}
    declared = {name: known[name] if name in known else registry.get(name) for name in images}
    ours = _run(codec, loaded, declared, qualities, info or _package_info(), progress)
    points: list[Point] = []
    if against:
        cache = CurveCache(None if out is None else out / CACHE_NAME)
        points = _curves(images, declared, against, grids or {}, cache, workers, progress)
    for row in ours:
        psnrs = {name: entry["psnr"] for name, entry in row["tasks"].items() if "psnr" in entry}
        share = {name: len(images[name]) / len(loaded) for name in psnrs}
        row["matched"] = matched(row["lossy_bytes"], psnrs, points, share) if points else None
    results = {
        "arguments": dict(arguments) if arguments is not None else {"argv": sys.argv},
        "qualities": list(qualities),
        "against": list(against),
        "scenes": [path.name for path in scenes],
        "tasks": {name: declared[name].to_json() for name in images},
        "versions": _versions(bool(against)),
        "ours": ours,
        "classical": [asdict(point) for point in points],
        "lossless": _lossless(images, declared),
    }
    if out is not None:
        write(results, out)
    return results


def write(results: Mapping[str, Any], out: Path) -> None:
    """Write ``results.json``, ``results.csv`` and ``rd.png`` into the directory ``out``."""
    write_atomic(out / "results.json", json.dumps(results, indent=1).encode())
    write_atomic(out / "results.csv", to_csv(results).encode())
    write_atomic(out / "rd.png", draw(results))
