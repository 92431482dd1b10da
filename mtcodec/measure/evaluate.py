"""An evaluation from scenes' files to ``results.json``, ``results.csv`` and ``rd.png``.

A *system* is one codec of ours, known by the name of its weights; any number of them is measured on the same
scenes and compared with each other and with baselines. Results call the baselines ``classical``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtcodec.codec import api
from mtcodec.codec.prepare import declare, largest_size
from mtcodec.errors import OutputError, UsageError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.output import write_atomic
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure import bd_rate, image_codecs
from mtcodec.measure.baseline import Baselines, lossless, ratio
from mtcodec.measure.curves import CurveCache
from mtcodec.measure.figures import require_matplotlib
from mtcodec.measure.plot import draw
from mtcodec.measure.systems import Info, SceneCodec, Signals, run_system
from mtcodec.measure.tables import to_csv
from mtcodec.measure.timing import Progress, part_of
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Declarations

CACHE_NAME = "classical-cache.json"


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
        if name in image_codecs.VARIANTS:
            raise UsageError(f"weights cannot be called {name!r} here, which is a classical codec")
    for family in against:
        image_codecs.known(family, image_codecs.FAMILIES)
    if against:
        image_codecs.versions()
    if len(systems) > 1 or against:
        bd_rate.interpolation()
    if out is not None:
        require_matplotlib()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make it: {error.strerror}", path=out) from error


def _reference(
    name: str | None, about: Mapping[str, Mapping[str, Any]], against: Sequence[str], systems: Sequence[str]
) -> str:
    """The system that BD-rates refer to; see :func:`evaluate`."""
    if name is None:
        single = (system for system in systems if about.get(system, {}).get("architecture") == "single")
        return next(single, systems[0])
    variants = [variant.name for variant in image_codecs.VARIANTS.values() if variant.family in against]
    if name not in (evaluated := [*systems, *variants]):
        raise UsageError(f"no reference {name!r} among what is evaluated ({', '.join(evaluated)})")
    return name


def _load(files: SceneFiles, declared: Declarations, tasks: Sequence[str] | None, note: Note) -> Signals:
    """The images of one scene."""
    images = read_scene(files, declared, tasks, note)
    return {name: Signal.from_image(declare(name, image, declared), image) for name, image in images.items()}


def evaluate(
    systems: Mapping[str, SceneCodec],
    scenes: Sequence[SceneFiles],
    qualities: Sequence[float],
    against: Sequence[str] = image_codecs.FORMATS,
    out: Path | None = None,
    progress: Progress = lambda label, done, total: None,
    *,
    declared: Declarations = USUAL,
    tasks: Sequence[str] | None = None,
    info: Info = api.info,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    reference: str | None = None,
    grids: Mapping[str, Sequence[float]] | None = None,
    checkpoints: str | None = None,
    workers: int = 1,
    arguments: Mapping[str, Any] | None = None,
    note: Note = ignore,
) -> dict[str, Any]:
    """Run our systems and the baselines over ``scenes`` and compare them.

    Args:
        systems: by name, what has ``encode(scene, quality=q)`` and ``decode(data)``.
        scenes: files of :func:`mtcodec.files.trees.layouts.find_scenes`; all images are held in memory.
        qualities: our qualities, one row of results each for every system.
        against: baselines, of :data:`mtcodec.measure.image_codecs.FAMILIES`; may be empty.
        out: directory for the results and the cache of the baselines' curves, made if missing; or None.
        declared: tasks that are known; images of others are measured for being exact.
        tasks: names of those to read from the scenes; default all images.
        note: takes a line about what is lost or assumed when images are read.
        info: describes a file (see :data:`mtcodec.measure.systems.Info`).
        about: facts about systems for the results; ``architecture`` counts for the next argument.
        reference: what BD-rates refer to, a system or a variant of a baseline; default the first system of
            architecture ``single``, else the first.
        grids, checkpoints, workers: of :class:`mtcodec.measure.baseline.Baselines`.
        arguments: kept in the results; default the command line.

    Returns:
        What ``results.json`` holds:

        - ``arguments``, ``qualities``, ``against``, ``scenes`` (keys), ``tasks`` (declarations),
          ``versions``;
        - ``systems`` by name: what ``about`` says, and ``rows``, per quality: sizes, measures and times as
          in :func:`mtcodec.measure.systems.run_system`, and ``matched``, the ratio to image file formats
          (:func:`mtcodec.measure.matched.matched`; without ``hyperprior``) or None;
        - ``classical``: points of all variants (:class:`mtcodec.measure.curves.Point`);
        - ``bd_rate``: :func:`mtcodec.measure.bd_rate.table`, None where there is nothing to compare;
        - ``lossless``: by exact task ``webp_bytes``.

    Raises:
        UsageError: a request that makes no sense. DependencyError: a library is missing.
        WeightsError: ``hyperprior``'s weights are missing or damaged.
    """
    _check(list(systems), scenes, qualities, against, out)
    facts = about or {}
    reference = _reference(reference, facts, against, list(systems))
    baselines = Baselines(against, grids or {}, checkpoints, workers)
    identities = baselines.identities()  # now, as weights may be missing
    note = losses_once(note)
    loaded = [_load(files, declared, tasks, note) for files in scenes]
    images: dict[str, list[Signal]] = {}
    pixels: dict[str, list[int]] = {}
    for scene in loaded:
        counted = math.prod(largest_size({name: signal.original for name, signal in scene.items()}))
        for name, signal in scene.items():
            images.setdefault(name, []).append(signal)
            pixels.setdefault(name, []).append(counted)
    entries: dict[str, dict[str, Any]] = {}
    for name, codec in systems.items():
        rows = []
        for k, quality in enumerate(qualities):
            label = f"quality {quality:g}" if len(systems) == 1 else f"{name} {quality:g}"
            tick = part_of(progress, label, k * len(loaded), len(qualities) * len(loaded))
            rows.append(run_system(codec, loaded, quality, info, tick))
        entries[name] = {**facts.get(name, {}), "rows": rows}
    cache = CurveCache(None if out is None else out / CACHE_NAME, identities)
    points = baselines.points(images, cache, progress, pixels)
    share = {name: len(signals) / len(loaded) for name, signals in images.items()}
    for entry in entries.values():
        for row in entry["rows"]:
            row["matched"] = ratio(row, points, share)
    results: dict[str, Any] = {
        "arguments": dict(arguments) if arguments is not None else {"argv": sys.argv},
        "qualities": list(qualities),
        "against": list(against),
        "scenes": [files.key for files in scenes],
        "tasks": {name: signals[0].task.to_json() for name, signals in images.items()},
        "versions": baselines.versions(),
        "systems": entries,
        "classical": [asdict(point) for point in points],
        "lossless": lossless(images),
    }
    results["bd_rate"] = bd_rate.table(results, reference)
    if out is not None:
        write(results, out)
    return results


def write(results: Mapping[str, Any], out: Path) -> None:
    """Write ``results.json``, ``results.csv`` and ``rd.png`` into the directory ``out``.

    Where JPEG is among the baselines, ``rd-without-jpeg.png`` is the plot without it: its curve is so far
    off that the others crowd.
    """
    write_atomic(out / "results.json", json.dumps(results, indent=1).encode())
    write_atomic(out / "results.csv", to_csv(results).encode())
    write_atomic(out / "rd.png", draw(results))
    if any(point["codec"] == "jpeg" for point in results["classical"]):
        write_atomic(out / "rd-without-jpeg.png", draw(results, omit=("jpeg",)))
