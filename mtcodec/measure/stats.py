"""What a dataset holds, and what encoding it would give, by a sample of its scenes."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from mtcodec import threads
from mtcodec.codec.api import Codec
from mtcodec.codec.prepare import check, declare
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.sample import spread
from mtcodec.files.scene import layout_units, read_scene, read_shapes, with_present_images
from mtcodec.files.sources import ImageSource, MissingSource, size_of
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure.systems import mean_of
from mtcodec.measure.timing import Progress, timed
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import task_named, units

QUALITIES = (40.0, 65.0, 85.0)
SAMPLE_SCENES = 10  # that are read and encoded
HEADER_SCENES = 200  # whose headers are read
SIZED_FILES = 50_000  # of a task, whose sizes are asked for; of more, the rest is estimated


def describe(
    scenes: Sequence[SceneFiles],
    request: Request,
    tasks: Sequence[str] | None = None,
    sample: int = SAMPLE_SCENES,
    codec: Codec | None = None,
    qualities: Sequence[float] = QUALITIES,
    progress: Progress = lambda label, done, total: None,
    note: Note = ignore,
) -> dict[str, Any]:
    """What ``scenes`` hold.

    Args:
        request: settings of encoding; its declarations, units and holes count without ``codec``, too.
        tasks: only these; None: all.
        sample: scenes that are read, at equal distances.
        codec: what the sample is encoded with; None: it is not.
        note: takes a line about what is lost or assumed when the sample is read.

    Returns:
        - ``scenes``: how many;
        - ``tasks``, by name: ``kind``, ``scenes`` that have it, ``bytes`` on disk, ``estimated`` where those
          are of :data:`SIZED_FILES` files, ``images`` and ``sizes`` (how many of what dtype and channels,
          and of what size, of the headers read), ``unit`` of stored lengths (else empty), and ``holes``, the
          share of pixels in the sample;
        - ``sizes``: scenes by size of the largest image, of the headers read; ``mixed_sizes``: how many of
          these scenes have tasks of different sizes;
        - ``headers``, ``sample``: keys of the scenes whose headers or images were read;
        - ``failed``: what was wrong, by key;
        - ``encoded``: of every quality the means and sums of :func:`_estimate`; empty without ``codec``.

    Raises:
        SceneError: no scene has one of ``tasks``, or none of the sample can be read.
    """
    facts = {name: _on_disk(name, scenes, request) for name in _names(scenes, tasks)}
    failed: dict[str, str] = {}
    sizes, mixed = Counter[str](), 0
    header_scenes = spread(scenes, HEADER_SCENES)
    for files in header_scenes:
        try:
            scene_sizes = _headers(files, facts)
        except MtcodecError as error:
            failed[files.key] = str(error)
            continue
        sizes["×".join(map(str, max(scene_sizes, key=math.prod))) if scene_sizes else ""] += 1
        mixed += len(set(scene_sizes)) > 1
    sample_scenes = spread(scenes, sample)
    rows, holes = _read_sample(
        sample_scenes, request, tasks, codec, qualities, progress, failed, losses_once(note)
    )
    if sample_scenes and not rows:
        raise SceneError(f"nothing of the sample can be read; the first: {next(iter(failed.values()))}")
    for name in facts.keys() & holes.keys():
        facts[name]["holes"] = fmean(holes[name])
    for name, task_facts in facts.items():
        task_facts["unit"] = _unit(name, task_facts["images"], scenes[0], request)
    by_quality = zip(qualities, zip(*rows)) if codec else ()
    return {
        "scenes": len(scenes), "tasks": facts, "sizes": dict(sizes.most_common()), "mixed_sizes": mixed,
        "headers": len(header_scenes), "sample": [files.key for files in sample_scenes], "failed": failed,
        "encoded": [_estimate(quality_rows, quality, len(scenes)) for quality, quality_rows in by_quality],
    }  # fmt: skip


def _names(scenes: Sequence[SceneFiles], tasks: Sequence[str] | None) -> list[str]:
    """Names of the tasks that scenes have, in the order of their first files; of ``tasks`` only, if given."""
    names = dict.fromkeys(name for files in scenes for name in files.files)
    for name in tasks or ():
        if name not in names:
            raise SceneError(f"no scene has an image of task {name!r}")
    return [name for name in names if tasks is None or name in tasks]


def _read_sample(
    scenes: Sequence[SceneFiles],
    request: Request,
    tasks: Sequence[str] | None,
    codec: Codec | None,
    qualities: Sequence[float],
    progress: Progress,
    failed: dict[str, str],
    note: Note,
) -> tuple[list[list[dict[str, Any]]], dict[str, list[float]]]:
    """Of every scene that can be read, what :func:`_encode` gives by quality; and shares of holes by task."""
    if codec is not None and codec.request.coding != "classical":
        codec.networks()  # which is no part of a scene's time
    rows: list[list[dict[str, Any]]] = []
    holes: dict[str, list[float]] = {}
    for k, files in enumerate(map(with_present_images, scenes)):
        progress("encoding" if codec else "reading", k, len(scenes))
        try:
            images = check(read_scene(files, request.tasks, tasks, note))
            _holes(images, request, holes)
            scene_request = request.for_tasks(images, layout_units(files, images))
            rows.append([_encode(codec, images, scene_request, q) for q in qualities] if codec else [])
        except MtcodecError as error:
            failed[files.key] = str(error)
    return rows, holes


def _on_disk(name: str, scenes: Sequence[SceneFiles], request: Request) -> dict[str, Any]:
    """What the names and sizes of a task's files tell."""
    sources = [scene.files[name] for scene in scenes if name in scene.files]
    sized = spread(sources, SIZED_FILES)
    sizes = [size for source in sized if (size := _bytes(source)) is not None]
    scale = len(sources) / len(sized)
    task = task_named(name, request.tasks)
    return {
        "kind": "data" if task is None else task.kind.name, "scenes": round(len(sizes) * scale),
        "bytes": round(sum(sizes) * scale), "estimated": scale > 1, "images": {}, "sizes": {},
    }  # fmt: skip


def _bytes(source: ImageSource) -> int | None:
    """Bytes on disk; None where there is no image."""
    try:
        return size_of(source)
    except MissingSource:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SceneError(f"cannot read it: {reason}", path=source) from error


def _headers(files: SceneFiles, facts: Mapping[str, dict[str, Any]]) -> list[tuple[int, int]]:
    """Note what the headers of a scene's images tell; returns their widths and heights."""
    shapes = read_shapes(files, facts)
    for name, shape in shapes.items():
        samples = shape.dtype if shape.channels == 1 else f"{shape.channels}×{shape.dtype}"
        for counts, kind in (
            (facts[name]["images"], samples),
            (facts[name]["sizes"], f"{shape.width}×{shape.height}"),
        ):
            counts[kind] = counts.get(kind, 0) + 1
    return [(shape.width, shape.height) for shape in shapes.values()]


def _holes(images: Mapping[str, Array], request: Request, shares: dict[str, list[float]]) -> None:
    """Add a scene's shares of pixels that are holes, by task that is not exact, to ``shares``."""
    for name, image in images.items():
        task = declare(name, image, request.tasks)
        signal = Signal.from_image(task, image, request.invalid.get(name, ()), request.usual_holes)
        if not task.exact:
            valid = signal.valid
            shares.setdefault(name, []).append(0.0 if valid is None else float(1 - valid.mean()))


def _encode(codec: Codec, images: Mapping[str, Array], request: Request, quality: float) -> dict[str, Any]:
    """Bytes, pixels, PSNR by task and seconds of processor time of one scene at a quality."""
    settings = {**vars(request), "quality": quality}
    encoded, milliseconds = timed(partial(codec.encode_stored, images, **settings), time.process_time)
    return {
        "bytes": len(encoded.to_bytes()), "pixels": encoded.prepared.pixels, "psnr": encoded.psnr,
        "seconds": milliseconds / 1000,
    }  # fmt: skip


def _unit(name: str, images: Mapping[str, int], scene: SceneFiles, request: Request) -> str:
    """The unit of stored lengths in most images; empty where values are no lengths, or of unknown dtype.

    ``images`` counts images by channels and dtype. Of integers, ``scene`` may know the unit.
    """
    if name not in request.tasks or not images:
        return ""
    dtype = max(images, key=images.__getitem__).rsplit("×")[-1]
    scene_unit = scene.units.get(name, "") if dtype.startswith("u") else ""
    return units.unit_of(request.tasks[name], dtype, request.units.get(name, scene_unit))


def _estimate(rows: Sequence[Mapping[str, Any]], quality: float, total: int) -> dict[str, Any]:
    """Means over the sample, and what follows for ``total`` scenes.

    ``scene_bytes``, ``scene_seconds`` (of processor time, one core), ``bpp`` of the largest images, and
    ``psnr`` in dB by task that is not kept exactly; ``bytes`` and ``seconds`` of all scenes, on all cores of
    this machine.
    """
    size, seconds = (fmean(row[key] for row in rows) for key in ("bytes", "seconds"))
    return {
        "quality": quality, "scene_bytes": size, "bytes": round(size * total),
        "bpp": 8 * sum(row["bytes"] for row in rows) / sum(row["pixels"] for row in rows),
        "psnr": mean_of([row["psnr"] for row in rows]),
        "scene_seconds": seconds, "seconds": seconds * total / threads.cores(), "cores": threads.cores(),
    }  # fmt: skip
