"""Scenes compared with what came back of them, whatever codec it came back from.

Measures are those of :mod:`mtcodec.signals.measures`; holes are those of the original's signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.prepare import check, task_of
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError, SceneError, UsageError
from mtcodec.measure.systems import mean_of
from mtcodec.signals.measures import PSNR_CAP, holes_differ, measure, psnr_of
from mtcodec.signals.signal import Signal
from mtcodec.tasks import units

Measures = dict[str, Any]
DEFAULTS = Request()
COMBINED: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "max_error": max,
    "max_error_mm": max,
    "holes": sum,
    "holes_differ": sum,
    "exact": min,
}
"""How measures of several images become one; of others there is a mean. Summaries over scenes have a share of
exact ones instead, see :func:`summarise`."""


class Images(NamedTuple):
    """A scene in memory: arrays by task, and units of stored lengths, where they are known."""

    images: Mapping[str, Any]
    units: Mapping[str, str] = {}


class Source(NamedTuple):
    """A scene that can be read."""

    label: str  # what errors call it
    read: Callable[[Sequence[str] | None], Images]  # of those tasks that it has; None: all
    is_frame: bool = False  # of a sequence


class Compared(NamedTuple):
    """A decoded image compared with its original, and how much that counts among others of its task."""

    measures: Measures
    pixels: int  # of the image
    valid: int  # pixels that are no holes
    value_range: tuple[float, float]  # stored values between whose ends is the peak of the PSNR


def compare(
    original: Mapping[str, Any],
    decoded: Mapping[str, Any],
    settings: Request = DEFAULTS,
    scene_units: Mapping[str, str] = {},
    *,
    layout: str = "auto",
) -> dict[str, Measures]:
    """Measures of every task that both have, in the order of the original.

    Args:
        original, decoded: images by task as :meth:`mtcodec.Codec.encode` takes them. Float colours are
            compared as they are stored.
        layout: of both, as of :meth:`mtcodec.Codec.encode`.
        settings: whose declarations, units and values of holes are those of the originals.
        scene_units: of lengths that have none in ``settings``.

    Returns:
        By task what :func:`mtcodec.signals.measures.measure` gives, slow measures too; besides, of tasks that
        are not kept exactly, ``holes``, their number, and ``holes_differ``; of lengths, the ``unit`` of
        stored values, ``rmse_mm`` and ``max_error_mm``.

    Raises:
        SceneError: images of other sizes or dtypes than their originals.
    """
    originals = stored_scene(original, settings, layout)
    by_task = compare_stored(originals, stored_scene(decoded, settings, layout), settings, scene_units)
    return {name: compared.measures for name, compared in by_task.items()}


def compare_stored(
    original: Mapping[str, Any],
    decoded: Mapping[str, Any],
    settings: Request = DEFAULTS,
    scene_units: Mapping[str, str] = {},
) -> dict[str, Compared]:
    """Like :func:`compare`, of arrays (H, W) or (H, W, C), or numbers, in the dtypes that are stored.

    What it gives for the frames of a sequence, :func:`combined` makes measures over all of.
    """
    originals, decoded_images = check(original), check(decoded)
    by_task: dict[str, Compared] = {}
    for name, image in originals.items():
        if name not in decoded_images:
            continue
        decoded_image = decoded_images[name]
        if image.shape != decoded_image.shape or image.dtype != decoded_image.dtype:
            raise SceneError(
                f"{decoded_image.dtype} {decoded_image.shape} cannot be compared with the original's "
                f"{image.dtype} {image.shape}", task=name,
            )  # fmt: skip
        task = task_of(name, original[name], settings)
        signal = Signal.from_image(task, image, settings.invalid.get(name, ()), settings.usual_holes)
        measures = {**measure(signal, decoded_image, slow=True)}
        if not task.exact:
            measures["holes"] = 0 if signal.valid is None else int((~signal.valid).sum())
            measures["holes_differ"] = holes_differ(signal, decoded_image)
        unit = settings.units.get(name, scene_units.get(name, ""))
        by_task[name] = _compared(signal, measures | _lengths(signal, measures, unit))
    return by_task


def _compared(signal: Signal, measures: Measures) -> Compared:
    pixels, value_range = signal.height * signal.width, signal.pixel_format.value_range
    valid = pixels if signal.valid is None else int(signal.valid.sum())
    return Compared(measures, pixels, valid, (value_range.low, value_range.high))


def combined(frames: Sequence[Compared]) -> Measures:
    """Measures over all pixels of several images of a task, such as the frames of a sequence.

    Args:
        frames: of :func:`compare_stored`, one or more.

    Returns:
        What one image has. ``mse`` and ``psnr`` are of the squared errors of all valid pixels, with the
        range of all as the peak where that of one image is its peak; so are ``rmse`` and ``rmse_mm``.
        Errors are the largest of all, holes are counted together, ``exact`` is 1 where all are. Of others
        there are means, weighted by pixels that are no holes, of ``differing`` and ``ms_ssim`` by all
        pixels; so the median angle is a mean of medians. Measures over valid pixels are left out where no
        image has any.
    """
    result: Measures = {}
    for key in dict.fromkeys(key for frame in frames for key in frame.measures):
        having = [frame for frame in frames if key in frame.measures]
        values = [frame.measures[key] for frame in having]
        if key in COMBINED:
            result[key] = COMBINED[key](values)
        elif key == "unit":
            result |= {key: values[0]} if len({*values}) == 1 else {}
        elif key in ("rmse", "rmse_mm"):
            result[key] = math.sqrt(_mean([value**2 for value in values], [frame.valid for frame in having]))
        elif key in ("differing", "ms_ssim"):
            result[key] = _mean(values, [frame.pixels for frame in having])
        else:
            result[key] = _mean(values, [frame.valid for frame in having])
    if "mse" in result:
        result |= _squared_errors(frames)
    return result


def _squared_errors(frames: Sequence[Compared]) -> dict[str, float]:
    """``psnr`` and ``mse`` over all valid pixels; see :func:`combined`."""
    with_values = [frame for frame in frames if frame.valid]
    if not with_values:
        return {"psnr": PSNR_CAP, "mse": 0.0}
    spans = [frame.value_range[1] - frame.value_range[0] for frame in with_values]
    stored = [frame.measures["mse"] * (span or 1.0) ** 2 for frame, span in zip(with_values, spans)]
    lows, highs = zip(*(frame.value_range for frame in with_values))
    mse = _mean(stored, [frame.valid for frame in with_values]) / ((max(highs) - min(lows)) or 1.0) ** 2
    return {"psnr": psnr_of(mse), "mse": mse}


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    """The weighted mean; zero where nothing has a weight."""
    return sum(value * weight for value, weight in zip(values, weights)) / (sum(weights) or 1)


def _lengths(signal: Signal, measures: Measures, unit: str) -> Measures:
    """The unit of a task of lengths, and its errors in millimetres; ``unit`` is empty where none is known."""
    task, dtype = signal.task, signal.pixel_format.dtype
    if not task.kind.length:
        return {}
    millimetres = 1000 * units.metres_of(task, dtype, unit)
    lengths = {f"{key}_mm": millimetres * measures[key] for key in ("rmse", "max_error") if key in measures}
    return {"unit": units.unit_of(task, dtype, unit), **lengths}


def compare_scenes(
    original: Mapping[str, Source],
    decoded: Mapping[str, Source],
    tasks: Sequence[str] | None = None,
    settings: Request = DEFAULTS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Compare scenes of equal keys, or the only scenes of both; one pair is in memory at a time.

    Args:
        tasks: only these; None: all.
        settings: as of :func:`compare`.

    Returns:
        - ``scenes``: by key what :func:`compare` gives;
        - ``summary``: by task means over the scenes that have it, but sums of holes, the largest of
          ``max_error``, the number of ``scenes`` and the ``worst`` one (least PSNR, most differing pixels);
          of frames of sequences, measures are :func:`combined`;
        - ``are_frames``: whether that is so;
        - ``only_original``, ``only_decoded``: keys of scenes that the other side lacks;
        - ``tasks_only_original``, ``tasks_only_decoded``: the same of tasks, by key;
        - ``assumed_units``: units by task with errors in lengths, where nothing tells them.

    Raises:
        SceneError: no scene in common, or a task of ``tasks`` that none has. MtcodecError: a scene cannot be
            read.
    """
    if len(original) == len(decoded) == 1:
        decoded = dict(zip(original, decoded.values()))
    elif original.keys().isdisjoint(decoded):
        original, decoded = _by_last_part(original), _by_last_part(decoded)
    pairs = {key: (source, decoded[key]) for key, source in original.items() if key in decoded}
    if not pairs:
        raise SceneError("no scene of the one is called like a scene of the other")
    compared: dict[str, dict[str, Compared]] = {}
    known_units = dict[str, set[str]]()  # names of tasks by key
    tasks_only_original: dict[str, list[str]] = {}
    tasks_only_decoded: dict[str, list[str]] = {}
    for done, (key, (original_source, decoded_source)) in enumerate(pairs.items()):
        progress(done, len(pairs))
        originals, scene_units = original_source.read(tasks)
        decoded_images, _ = decoded_source.read(tasks)
        try:
            if originals.keys() & decoded_images.keys():
                compared[key] = compare_stored(originals, decoded_images, settings, scene_units)
                known_units[key] = {*settings.units, *scene_units}
        except MtcodecError as error:
            raise error.at(path=decoded_source.label) from None
        if names := [name for name in originals if name not in decoded_images]:
            tasks_only_original[key] = names
        if names := [name for name in decoded_images if name not in originals]:
            tasks_only_decoded[key] = names
    rows = {
        key: {name: image.measures for name, image in by_task.items()} for key, by_task in compared.items()
    }
    summary = summarise(rows)
    are_frames = any(source.is_frame for pair in pairs.values() for source in pair)
    if are_frames:
        for name in summary:
            summary[name] |= combined([row[name] for row in compared.values() if name in row])
    for name in tasks or ():
        if name not in summary:
            raise SceneError(f"no scene has an image of task {name!r} on both sides")
    return {
        "scenes": rows,
        "summary": summary,
        "are_frames": are_frames,
        "only_original": [key for key in original if key not in pairs],
        "only_decoded": [key for key in decoded if key not in pairs],
        "tasks_only_original": tasks_only_original,
        "tasks_only_decoded": tasks_only_decoded,
        "assumed_units": {
            name: measures["unit"]
            for key, row in rows.items()
            for name, measures in row.items()
            if measures.get("rmse_mm") and name not in known_units[key]
        },
    }


def _by_last_part(sources: Mapping[str, Source]) -> Mapping[str, Source]:
    """Scenes by the last part of their keys, as frames are called; by whole keys where that is not enough."""
    shorter = {key.rpartition("/")[2]: source for key, source in sources.items()}
    return shorter if len(shorter) == len(sources) else sources


def summarise(scenes: Mapping[str, Mapping[str, Measures]]) -> dict[str, Measures]:
    """By task, the ``summary`` of :func:`compare_scenes`."""
    result: dict[str, Measures] = {}
    for name in dict.fromkeys(name for row in scenes.values() for name in row):
        by_scene = {key: row[name] for key, row in scenes.items() if name in row}
        numbers = [{key: value for key, value in row.items() if key != "unit"} for row in by_scene.values()]
        summary: Measures = {"scenes": len(by_scene), **mean_of(numbers)}
        for key in (summary.keys() & COMBINED.keys()) - {"exact"}:
            summary[key] = COMBINED[key](row[key] for row in numbers if key in row)
        quality = {key: row.get("psnr", -row.get("differing", 0)) for key, row in by_scene.items()}
        summary["worst"] = min(quality, key=quality.__getitem__)
        scene_units = {row["unit"] for row in by_scene.values() if "unit" in row}
        if len(scene_units) == 1:
            summary["unit"] = scene_units.pop()
        result[name] = summary
    return result


def below(results: Mapping[str, Any], bounds: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """By task, PSNRs by scene that are under its bound in dB; ``results`` are of :func:`compare_scenes`.

    Raises:
        UsageError: a task without a PSNR.
    """
    missed = {}
    for name, bound in bounds.items():
        if "psnr" not in results["summary"].get(name, {}):
            raise UsageError(f"no PSNR of task {name!r}, which is kept exactly or which no scene has")
        psnrs = {key: row[name]["psnr"] for key, row in results["scenes"].items() if name in row}
        if under := {key: psnr for key, psnr in psnrs.items() if psnr < bound}:
            missed[name] = under
    return missed
