"""``mtcodec compare``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mtcodec.cli import options, values
from mtcodec.cli.common import note, progress_bar, silent, warn
from mtcodec.cli.report import columns
from mtcodec.errors import SceneError
from mtcodec.files.notes import list_names

WHAT = "Scene directory, dataset, .mtc file, directory of .mtc files, or archive"


def compare(
    original: Annotated[str, typer.Argument(metavar="ORIGINAL", help=f"{WHAT}.")],
    decoded: Annotated[str, typer.Argument(metavar="DECODED", help=f"{WHAT}: what came back.")],
    tasks: options.Only = "",
    fail_below: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-below",
            metavar="TASK=DB",
            help="Exit code 1 if a scene has less PSNR, e.g. rgb=38; repeatable.",
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    task: options.TaskDeclarations = None,
    name: options.Names = None,
    unit: options.Unit = None,
    invalid: options.Invalid = None,
    weights: options.MoreWeights = "",
    device: options.Device = "cpu",
) -> None:
    """Measure how close decoded scenes are to their originals, of this codec or any other.

    Scenes of equal keys are compared, or the only scenes of both. Every task has its PSNR; colours have
    MS-SSIM, depth its errors in millimetres or metres and δ, the share that is off by a factor below 1.25,
    normals their angles, labels the share of pixels that differ. Holes of the original count for no measure
    but their own. Of several scenes the table has means, but the largest error of all, and the worst scene.

    Exit code 1 if one side lacks a scene or a task of the other (--tasks says which count), or for
    --fail-below; differences alone are no failure.
    """
    from mtcodec.measure import compare as comparing
    from mtcodec.measure.scenes import open_scenes

    request = values.request(tasks=task, unit=unit, invalid=invalid)
    bounds = values.psnrs(fail_below or [])
    names = dict(values.assignments(name or [], "another name"))
    tell = silent if quiet else note
    sides = [
        open_scenes(path, request.tasks, names, tell, weights.split(",") if weights else (), device)
        for path in (original, decoded)
    ]
    settings = comparing.Settings(request.tasks, request.units, request.invalid, request.usual_holes)
    with progress_bar(quiet) as bar:
        found = comparing.compare_scenes(
            sides[0], sides[1], values.names(tasks), settings, lambda k, total: bar("comparing", k, total)
        )
    under = comparing.below(found, bounds)
    if as_json:
        typer.echo(json.dumps({"original": original, "decoded": decoded, **found, "below": under}))
    elif not quiet:
        _table(found)
    reasons = [_below(name, bounds[name], own, len(found["scenes"])) for name, own in under.items()]
    lacking = _only(found, (original, decoded))
    for line in lacking:
        warn(line)
    if lacking:
        reasons.append("the sides do not have the same scenes and tasks")
    if reasons:
        raise SceneError("; ".join(reasons))


def _below(task: str, bound: float, psnrs: Mapping[str, float], total: int) -> str:
    worst = min(psnrs, key=lambda key: psnrs[key])
    least = f"{psnrs[worst]:.2f} dB"
    if total == 1:
        return f"{task} has {least}, below {bound:g}"
    return f"{task} is below {bound:g} dB in {len(psnrs)} of {total} scenes, least {least} in {worst}"


def _only(found: Mapping[str, Any], sides: Sequence[str]) -> list[str]:
    """Lines about what one side alone has."""
    lines = []
    for side, path in zip(("original", "decoded"), sides):
        if keys := found[f"only_{side}"]:
            lines.append(f"only in {path}: {list_names(keys)}")
        by_scene: dict[str, list[str]] = {}
        for key, tasks in found[f"tasks_only_{side}"].items():
            by_scene.setdefault(", ".join(tasks), []).append(key)
        lines += [f"only in {path}: {tasks} of {list_names(keys)}" for tasks, keys in by_scene.items()]
    return lines


def _table(found: Mapping[str, Any]) -> None:
    """Print a line for every task."""
    scenes, summary = found["scenes"], found["summary"]
    several = len(scenes) > 1
    heads = ["task", "PSNR", "MS-SSIM", "errors", "holes"]
    rows = [heads + ["scenes", "worst scene"] * several]
    for name, own in summary.items():
        row = [name, _psnr(own), f"{own['ms_ssim']:.4f}" if "ms_ssim" in own else "", _errors(own)]
        row.append(_holes(own))
        if several:
            worst = scenes[own["worst"]][name]
            exact = worst.get("exact") == 1 or worst.get("mse") == 0
            shown = "" if exact else f"{own['worst']}: {_psnr(worst) or _errors(worst)}"
            row += [str(own["scenes"]), shown]
        rows.append(row)
    if several:
        typer.echo(f"means over {len(scenes)} scenes")
    for line in columns(rows):
        typer.echo(line)


def _psnr(own: Mapping[str, Any]) -> str:
    if "psnr" not in own:
        return ""
    return f"{own['psnr']:.2f} dB" if own["mse"] > 0 else "exact"


def _holes(own: Mapping[str, Any]) -> str:
    if not own.get("holes") and not own.get("holes_differ"):
        return ""
    return f"{own['holes_differ']:.0f} pixels differ" if own["holes_differ"] else "exact"


def _errors(own: Mapping[str, Any]) -> str:
    """Measures besides PSNR, as people read them."""
    from mtcodec.tasks.units import length

    if "differing" in own:
        return f"{own['differing']:.3%} of pixels differ" if own["differing"] else "exact"
    if own["mse"] == 0:
        return ""
    parts = []
    if "rmse_mm" in own:
        parts += [f"RMSE {length(own['rmse_mm'] / 1000)}", f"at most {length(own['max_error_mm'] / 1000)}"]
    if "abs_rel" in own:
        parts.append(f"{own['abs_rel']:.2%} off")
    if "delta" in own:
        parts.append(f"δ<1.25 {_share(own['delta'])}")
    if "angle_deg" in own:
        parts.append(f"mean {own['angle_deg']:.2f}°, median {own['angle_median_deg']:.2f}°")
    return ", ".join(parts)


def _share(share: float) -> str:
    """A share in per cent, 100 only for all."""
    return "100%" if share == 1 else f"{min(share, 0.9999):.2%}"
