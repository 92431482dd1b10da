"""An evaluation from scenes' files to ``results.json``, ``results.csv`` and ``rd.png``.

A *system* is one codec of ours, known by the name of its weights; any number of them is measured on the same
scenes and compared with each other and with classical codecs.
"""

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

from mtcodec.errors import OutputError, UsageError
from mtcodec.evaluation import bdrate, classical, hyperprior
from mtcodec.evaluation.curves import CurveCache, Point, curve, fingerprint, workers_pool
from mtcodec.evaluation.matched import matched
from mtcodec.evaluation.ours import Info, SceneCodec, run_scene, summarise
from mtcodec.evaluation.plot import draw, require_matplotlib
from mtcodec.evaluation.tables import format_bd_rates, format_table, to_csv
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.output import write_atomic
from mtcodec.files.scene import Scene, read_scene
from mtcodec.signal.mapping import Array
from mtcodec.tasks import task as registry
from mtcodec.tasks.task import Task

__all__ = ["Progress", "evaluate", "format_bd_rates", "format_table", "to_csv", "write"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all."""

CACHE_NAME = "classical-cache.json"


def _package_info() -> Info:
    info: Info = importlib.import_module("mtcodec").info
    return info


def _images_by_task(scenes: Sequence[Scene]) -> dict[str, list[Array]]:
    names = dict.fromkeys(name for scene in scenes for name in scene)
    return {name: [scene[name] for scene in scenes if name in scene] for name in names}


def _grid(codec: str, grids: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    return tuple(grids.get(codec, classical.VARIANTS[codec].qualities))


def _curves(
    images: Mapping[str, list[Array]],
    declared: Mapping[str, Task],
    against: Sequence[str],
    grids: Mapping[str, Sequence[float]],
    cache: CurveCache,
    checkpoints: str | None,
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
            grid = _grid(codec, grids)
            own = images[task.name]

            def tick(k: int, what: str = f"{codec} {task.name}", before: int = done) -> None:
                progress(what, before + k, total)

            found = cache.get(print_, task, codec, grid)
            if found is None:
                found = curve(codec, task, own, grid, checkpoints=checkpoints, mapper=mapper, tick=tick)
                cache.put(print_, codec, grid, found)
            done += len(own)
            points += found
    return points


def _identities(
    against: Sequence[str], grids: Mapping[str, Sequence[float]], checkpoints: str | None
) -> dict[str, str]:
    """What curves depend on besides images and settings, by codec; loads the weights that are needed."""
    name = hyperprior.NAME
    if name not in against:
        return {}
    return {name: hyperprior.identity(_grid(name, grids), checkpoints)}


def _lossless(images: Mapping[str, list[Array]], declared: Mapping[str, Task]) -> dict[str, dict[str, float]]:
    """Mean bytes of lossless WebP for each lossless task."""
    return {
        name: {"webp_bytes": fmean(len(classical.lossless_webp(image)) for image in own)}
        for name, own in images.items()
        if declared[name].lossless
    }


def _versions(against: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = str(torch.__version__)
    if against:
        found |= classical.versions()
    return found | (hyperprior.versions() if hyperprior.NAME in against else {})


def _check(
    systems: Sequence[str],
    scenes: Sequence[SceneFiles],
    qualities: Sequence[float],
    against: Sequence[str],
    out: Path | None,
) -> None:
    """Find out what is missing before hours of work, and make ``out``."""
    if not systems or not scenes or not qualities:
        raise UsageError("an evaluation needs at least one system, one scene and one quality")
    for name in systems:
        if name in classical.VARIANTS:
            raise UsageError(f"weights cannot be called {name!r} here, which is a classical codec")
    for family in against:
        if family not in classical.FAMILIES:
            raise UsageError(f"unknown classical codec {family!r} (known: {', '.join(classical.FAMILIES)})")
    if against:
        classical.versions()
    if len(systems) > 1 or against:
        bdrate.require_scipy()
    if out is not None:
        require_matplotlib()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{out}: cannot make it: {error.strerror}") from error


def _reference(
    name: str | None, about: Mapping[str, Mapping[str, Any]], against: Sequence[str], systems: Sequence[str]
) -> str:
    """The system that BD-rates refer to; see :func:`evaluate`."""
    if name is None:
        alone = (s for s in systems if about.get(s, {}).get("architecture") == "single")
        return next(alone, systems[0])
    known = [*systems, *(v.name for v in classical.VARIANTS.values() if v.family in against)]
    if name not in known:
        raise UsageError(f"no reference {name!r} among what is evaluated ({', '.join(known)})")
    return name


def _run(
    label: str,
    codec: SceneCodec,
    scenes: Sequence[Scene],
    declared: Mapping[str, Task],
    qualities: Sequence[float],
    info: Info,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Results of one system, one entry per quality."""
    results = []
    for k, quality in enumerate(qualities):
        rows = []
        for j, scene in enumerate(scenes):
            progress(f"{label} {quality:g}", k * len(scenes) + j, len(qualities) * len(scenes))
            rows.append(run_scene(codec, scene, quality, info, declared))
        results.append(summarise(rows, quality))
    return results


def _ratio(
    row: Mapping[str, Any], points: Sequence[Point], share: Mapping[str, float]
) -> dict[str, Any] | None:
    """The matched bytes ratio of one row to image file formats."""
    formats = [point for point in points if point.codec != hyperprior.NAME]
    psnrs = {name: entry["psnr"] for name, entry in row["tasks"].items() if "psnr" in entry}
    return matched(row["lossy_bytes"], psnrs, formats, share) if formats else None


def evaluate(
    systems: Mapping[str, SceneCodec],
    scenes: Sequence[SceneFiles],
    qualities: Sequence[float],
    against: Sequence[str] = classical.FORMATS,
    out: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    tasks: Sequence[Task] | None = None,
    info: Info | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    reference: str | None = None,
    grids: Mapping[str, Sequence[float]] | None = None,
    checkpoints: str | None = None,
    workers: int = 1,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run our systems and the classical codecs over ``scenes`` and compare them.

    Args:
        systems: by name, what has ``encode(scene, quality=q)`` and ``decode(data)``.
        scenes: files of :func:`mtcodec.files.layouts.find_scenes`; all images are held in memory.
        qualities: our qualities, one row of results each for every system.
        against: classical codecs, of :data:`mtcodec.evaluation.classical.FAMILIES`; may be empty.
        out: directory for the results and the cache of classical curves, made if missing; or None.
        tasks: read these from the scenes and ignore other files; default all files, which must be tasks.
        info: describes a file (see :data:`mtcodec.evaluation.ours.Info`); default ``mtcodec.format.info``.
        about: facts about systems for the results; ``architecture`` counts for the next argument.
        reference: what BD-rates refer to, a system or a classical variant; default the first system of
            architecture ``single``, else the first.
        grids: other quality grids by classical variant.
        checkpoints: where ``hyperprior`` has its weights from; default CompressAI's zoo.
        workers: processes for the classical codecs.
        arguments: kept in the results; default the command line.

    Returns:
        What ``results.json`` holds:

        - ``arguments``, ``qualities``, ``against``, ``scenes`` (keys), ``tasks`` (declarations),
          ``versions``;
        - ``systems`` by name: what ``about`` says, and ``rows``, per quality: sizes, metrics and times as
          in :func:`mtcodec.evaluation.ours.summarise`, and ``matched``, the ratio to image file formats
          (:func:`mtcodec.evaluation.matched.matched`; without ``hyperprior``) or None;
        - ``classical``: points of all variants (:class:`mtcodec.evaluation.curves.Point`);
        - ``bd_rate``: :func:`mtcodec.evaluation.bdrate.table`, None where there is nothing to compare;
        - ``lossless``: by lossless task ``webp_bytes``.

    Raises:
        UsageError: a request that makes no sense, or a library is missing.
        WeightsError: ``hyperprior``'s weights are missing or damaged.
    """
    _check(list(systems), scenes, qualities, against, out)
    facts = about or {}
    reference = _reference(reference, facts, against, list(systems))
    identities = _identities(against, grids or {}, checkpoints)
    loaded = [read_scene(files, tasks) for files in scenes]
    images = _images_by_task(loaded)
    known = {task.name: task for task in tasks or ()}
    declared = {name: known[name] if name in known else registry.get(name) for name in images}
    entries: dict[str, dict[str, Any]] = {}
    for name, codec in systems.items():
        label = "quality" if len(systems) == 1 else name
        rows = _run(label, codec, loaded, declared, qualities, info or _package_info(), progress)
        entries[name] = {**facts.get(name, {}), "rows": rows}
    points: list[Point] = []
    if against:
        cache = CurveCache(None if out is None else out / CACHE_NAME, identities)
        points = _curves(images, declared, against, grids or {}, cache, checkpoints, workers, progress)
    share = {name: len(own) / len(loaded) for name, own in images.items()}
    for entry in entries.values():
        for row in entry["rows"]:
            row["matched"] = _ratio(row, points, share)
    results: dict[str, Any] = {
        "arguments": dict(arguments) if arguments is not None else {"argv": sys.argv},
        "qualities": list(qualities),
        "against": list(against),
        "scenes": [files.key for files in scenes],
        "tasks": {name: declared[name].to_json() for name in images},
        "versions": _versions(against),
        "systems": entries,
        "classical": [asdict(point) for point in points],
        "lossless": _lossless(images, declared),
    }
    results["bd_rate"] = bdrate.table(results, reference)
    if out is not None:
        write(results, out)
    return results


def write(results: Mapping[str, Any], out: Path) -> None:
    """Write ``results.json``, ``results.csv`` and ``rd.png`` into the directory ``out``.

    Where JPEG is among the classical codecs, ``rd-without-jpeg.png`` is the plot without it: its curve
    is so far off that the others crowd.
    """
    write_atomic(out / "results.json", json.dumps(results, indent=1).encode())
    write_atomic(out / "results.csv", to_csv(results).encode())
    write_atomic(out / "rd.png", draw(results))
    if any(point["codec"] == "jpeg" for point in results["classical"]):
        write_atomic(out / "rd-without-jpeg.png", draw(results, omit=("jpeg",)))
