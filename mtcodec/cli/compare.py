"""``mtcodec compare``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import progress_bar, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.report import columns
from mtcodec.codec import texts
from mtcodec.errors import SceneError
from mtcodec.files.notes import list_names

SIDE = "Scene directory, dataset, .mtc file, directory of .mtc files, or archive"


@takes_groups
def compare(
    *,
    original: str = typer.Argument(metavar="ORIGINAL", help=f"{SIDE}."),
    decoded: str = typer.Argument(metavar="DECODED", help=f"{SIDE}: what came back."),
    tasks: str = options.ONLY_TASKS,
    fail_below: list[str] | None = option(
        None, "TASK=DB", "Exit code 1 if a scene has less PSNR, e.g. rgb=38; repeatable."
    ),
    printing: options.PrintOptions,
    images: options.ImageOptions,
    reading: options.ReadingOptions,
    weights: str = options.MORE_WEIGHTS,
    device: str = options.DEVICE,
) -> None:
    """Measure how close decoded scenes are to their originals, of this codec or any other.

    Scenes of equal keys are compared, or the only scenes of both. Every task has its PSNR; colours have
    MS-SSIM, depth its errors in millimetres or metres and δ, the share that is off by a factor below 1.25,
    normals their angles, labels the share of pixels that differ. Holes of the original count for no measure
    but their own. Of several scenes the table has means, but the largest error of all, and the worst scene.
    Of a sequence's frames measures are over all their pixels.

    Exit code 1 if one side lacks a scene or a task of the other (--tasks says which count), or for
    --fail-below; differences alone are no failure.
    """
    from mtcodec.measure import compare as comparing
    from mtcodec.measure.scenes import open_scenes
    from mtcodec.tasks import units

    request = options.request_of(images)
    least_psnrs = texts.psnrs(fail_below or [])
    tasks_by_name, how = images.tasks_by_name(), reading.reading()
    more_weights = values.weights_list(weights)
    scenes, decoded_scenes = (
        open_scenes(path, request.tasks, tasks_by_name, printing.note, more_weights, device, how_read)
        for path, how_read in ((original, how), (decoded, replace(how, pattern="")))
    )
    with progress_bar(printing.quiet) as bar:
        progress = partial(bar, "comparing")
        facts = comparing.compare_scenes(scenes, decoded_scenes, values.names(tasks), request, progress)
    below = comparing.below(facts, least_psnrs)
    printing.show({"original": original, "decoded": decoded, **facts, "below": below}, _table(facts))
    for task, unit in ({} if printing.as_json or printing.quiet else facts["assumed_units"]).items():
        warn(units.assumed(task, unit))
    failures = [_below(task, least_psnrs[task], psnrs, len(facts["scenes"])) for task, psnrs in below.items()]
    differences = _on_one_side(facts, (original, decoded))
    for line in differences:
        warn(line)
    if differences:
        failures.append("the sides do not have the same scenes and tasks")
    if failures:
        raise SceneError("; ".join(failures))


def _below(task: str, bound: float, psnrs: Mapping[str, float], total: int) -> str:
    """How the scenes of ``psnrs``, of ``total``, miss a bound; both in dB."""
    worst = min(psnrs, key=lambda key: psnrs[key])
    least = f"{psnrs[worst]:.2f} dB"
    if total == 1:
        return f"{task} has {least}, below {bound:g}"
    return f"{task} is below {bound:g} dB in {len(psnrs)} of {total} scenes, least {least} in {worst}"


def _on_one_side(facts: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """Lines about scenes and tasks that one side alone has."""
    lines = []
    for side, path in zip(("original", "decoded"), paths):
        if keys := facts[f"only_{side}"]:
            lines.append(f"only in {path}: {list_names(keys)}")
        scenes_by_tasks: dict[str, list[str]] = {}
        for key, tasks in facts[f"tasks_only_{side}"].items():
            scenes_by_tasks.setdefault(", ".join(tasks), []).append(key)
        lines += [f"only in {path}: {tasks} of {list_names(keys)}" for tasks, keys in scenes_by_tasks.items()]
    return lines


def _table(facts: Mapping[str, Any]) -> Iterator[str]:
    """A line for every task."""
    scenes = facts["scenes"]
    several = len(scenes) > 1
    what = "frame" if facts["are_frames"] else "scene"
    rows = [["task", "PSNR", "MS-SSIM", "errors", "holes"] + [f"{what}s", f"worst {what}"] * several]
    for task, summary in facts["summary"].items():
        ms_ssim = f"{summary['ms_ssim']:.4f}" if "ms_ssim" in summary else ""
        row = [task, _psnr(summary), ms_ssim, _errors(summary), _holes(summary)]
        if several:
            row += [str(summary["scenes"]), _worst(summary["worst"], scenes[summary["worst"]][task])]
        rows.append(row)
    if several:
        yield (
            f"over all pixels of {len(scenes)} frames"
            if facts["are_frames"]
            else f"means over {len(scenes)} scenes"
        )
    yield from columns(rows)


def _worst(key: str, measures: Mapping[str, Any]) -> str:
    """The worst scene of a task and its measures; nothing where even that is exact."""
    if measures.get("exact") == 1 or measures.get("mse") == 0:
        return ""
    return f"{key}: {_psnr(measures) or _errors(measures)}"


def _psnr(measures: Mapping[str, Any]) -> str:
    """PSNR as people read it; nothing for a task that has none."""
    if "psnr" not in measures:
        return ""
    return f"{measures['psnr']:.2f} dB" if measures["mse"] > 0 else "exact"


def _holes(measures: Mapping[str, Any]) -> str:
    """Whether holes are the same; nothing where there are none."""
    if not measures.get("holes") and not measures.get("holes_differ"):
        return ""
    return f"{measures['holes_differ']:.0f} pixels differ" if measures["holes_differ"] else "exact"


def _errors(measures: Mapping[str, Any]) -> str:
    """Measures besides PSNR, as people read them."""
    from mtcodec.tasks.units import length

    if "differing" in measures:
        return f"{measures['differing']:.3%} of pixels differ" if measures["differing"] else "exact"
    if measures["mse"] == 0:
        return ""
    parts = []
    if "rmse_mm" in measures:
        rmse, largest = (length(measures[name] / 1000) for name in ("rmse_mm", "max_error_mm"))
        parts += [f"RMSE {rmse}", f"at most {largest}"]
    if "abs_rel" in measures:
        parts.append(f"{measures['abs_rel']:.2%} off")
    if "delta" in measures:
        delta = measures["delta"]
        parts.append("δ<1.25 100%" if delta == 1 else f"δ<1.25 {min(delta, 0.9999):.2%}")  # 100 only for all
    if "angle_deg" in measures:
        parts.append(f"mean {measures['angle_deg']:.2f}°, median {measures['angle_median_deg']:.2f}°")
    return ", ".join(parts)
