"""What the shared latent holds: it is swapped between scenes, replaced by averages, and ablated by channel.

All of it happens after decoding: the synthesis is fed latents that no file holds together. A task's own
latent of ``conditional`` stays as decoded, though it was coded given the true shared one.
Errors are of values scaled to 0..255; depth is compared in the range of the scene it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mtcodec.errors import UsageError
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure.figures import new_figure, tidy, to_png
from mtcodec.measure.systems import mean_of
from mtcodec.measure.tables import new_table
from mtcodec.measure.timing import Progress, part_of
from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper.figures import Picture, picture_grid
from mtcodec.paper.latents import CodedScene, about, code, compare, original, paint, read_scenes
from mtcodec.signals.mapping import Array

if TYPE_CHECKING:
    from rich.table import Table

Errors = dict[str, float]
DRAWN_PAIRS = 3  # of scenes, in the picture of swaps
AVERAGES = ("position", "channel")  # see :func:`average`
ABLATION_BATCH = 16  # ablated latents that go through the synthesis at once
TOP_CHANNELS = 5  # of a task, in the table


def check(networks: TorchNetworks) -> None:
    """Raise :class:`UsageError` unless there is a shared stream and one for every task."""
    graph = networks.graph
    if SHARED not in graph.streams or not graph.separable:
        raise UsageError(
            f"weights {networks.info.name!r} are of architecture {networks.model.config.architecture!r}: "
            "this analysis needs a shared stream and tasks' own (shared or conditional)"
        )


# --- swap ----------------------------------------------------------------------------------------


def swap(networks: TorchNetworks, a: CodedScene, b: CodedScene, task: str) -> dict[str, Errors]:
    """``task`` of scene ``a`` decoded with the shared latent of ``b`` and the task's own latent of ``a``.

    Returns:
        Errors ``plain`` (nothing swapped) and ``own``, both against ``a``; ``shared``, against ``b``.
    """
    mixed = paint(networks, a, task, {SHARED: b.streams[SHARED].latent})[0]
    return {
        "plain": compare(a, task, paint(networks, a, task)[0]),
        "own": compare(a, task, mixed),
        "shared": compare(b, task, mixed),
    }


def _swaps(networks: TorchNetworks, coded: Sequence[CodedScene], names: Sequence[str]) -> dict[str, Any]:
    """Every scene with the next one's shared latent: ``pairs``, and ``tasks`` with means over pairs.

    ``shared_share`` of a task says which latent the picture follows: the MSE against the scene of the
    task's own latent, over the sum of that and the MSE against the scene of the shared latent. 1 means that
    it is the picture of the shared latent's scene, 0 that of the own latent's.
    """
    pairs: list[dict[str, Any]] = []
    for k, scene in enumerate(coded):
        partner = (k + 1) % len(coded)
        tasks = {task: swap(networks, scene, coded[partner], task) for task in networks.tasks}
        pairs.append({"own": names[k], "shared": names[partner], "tasks": tasks})
    means: dict[str, Any] = {}
    for task in networks.tasks:
        errors = mean_of([pair["tasks"][task] for pair in pairs])
        total = errors["own"]["mse"] + errors["shared"]["mse"]
        means[task] = {**errors, "shared_share": errors["own"]["mse"] / total if total else 0.5}
    return {"tasks": means, "pairs": pairs}


# --- averages ------------------------------------------------------------------------------------


def average(coded: Sequence[CodedScene], stream: str, kind: str, without: int) -> Tensor:
    """Mean latent of ``stream`` over all scenes but number ``without``: (1, N, h, w).

    ``position`` keeps the mean of every position, ``channel`` only that of every channel.
    """
    latents = [scene.streams[stream].latent for k, scene in enumerate(coded) if k != without]
    mean = torch.stack(latents).mean(dim=0)
    return mean if kind == "position" else mean.mean(dim=(2, 3), keepdim=True).expand_as(mean)


def _averages(networks: TorchNetworks, coded: Sequence[CodedScene]) -> dict[str, Any]:
    """By task errors ``plain`` and, by kind of average, ``shared`` and ``own``: with that latent averaged."""

    def errors(task: str, stream: str = "", kind: str = "") -> Errors:
        by_scene = []
        for k, scene in enumerate(coded):
            latents = {stream: average(coded, stream, kind, k)} if stream else {}
            by_scene.append(compare(scene, task, paint(networks, scene, task, latents)[0]))
        return mean_of(by_scene)

    result: dict[str, Any] = {}
    for task in networks.tasks:
        result[task] = {"plain": errors(task)}
        for kind in AVERAGES:
            result[task][kind] = {"shared": errors(task, SHARED, kind), "own": errors(task, task, kind)}
    return result


# --- ablation ------------------------------------------------------------------------------------


def ablate(
    networks: TorchNetworks, coded: CodedScene, task: str, mean: Tensor, sets: Sequence[Sequence[int]]
) -> list[float]:
    """MSE of ``task`` with every set of shared channels at its ``mean`` (1, N, h, w), set by set."""
    errors: list[float] = []
    for start in range(0, len(sets), ABLATION_BATCH):
        batch = sets[start : start + ABLATION_BATCH]
        latents = coded.streams[SHARED].latent.repeat(len(batch), 1, 1, 1)
        for k, channels in enumerate(batch):
            latents[k, list(channels)] = mean[0, list(channels)]
        pictures = paint(networks, coded, task, {SHARED: latents})
        errors += [compare(coded, task, planes)["mse"] for planes in pictures]
    return errors


def _ablations(
    networks: TorchNetworks, coded: Sequence[CodedScene], tick: Callable[[int], None]
) -> list[dict[str, Any]]:
    """By shared channel ``channel``, ``bpp``, and mean ``increase`` of every task's MSE when it is ablated.

    Largest sums of increases come first.
    """
    count = networks.model.config.shared_latents
    sets: list[list[int]] = [[], *([channel] for channel in range(count))]  # the first is the file as it is
    increases: dict[str, list[float]] = {task: [0.0] * count for task in networks.tasks}
    for j, scene in enumerate(coded):
        tick(j)
        mean = average(coded, SHARED, "channel", j)
        for task, sums in increases.items():
            plain, *ablated = ablate(networks, scene, task, mean, sets)
            for channel, mse in enumerate(ablated):
                sums[channel] += (mse - plain) / len(coded)
    rows = [
        {
            "channel": channel,
            "bpp": fmean(float(scene.streams[SHARED].bits[channel]) / scene.pixels for scene in coded),
            "increase": {task: sums[channel] for task, sums in increases.items()},
        }
        for channel in range(count)
    ]
    return sorted(rows, key=lambda row: -sum(row["increase"].values()))


# --- all of it -----------------------------------------------------------------------------------


def analyse(
    systems: Mapping[str, TorchNetworks],
    sources: Sequence[SceneFiles],
    quality: float,
    progress: Progress = lambda label, done, total: None,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Results, and three pictures per weights.

    Returns:
        ``results`` by weights: ``swap`` (:func:`_swaps`), ``average`` (:func:`_averages`) and
        ``ablate`` (:func:`_ablations`); pictures ``shared-swap-…``, ``-average-…`` and
        ``-ablation-<weights>.png``.

    Raises:
        UsageError: an architecture without a shared stream or without own ones; fewer than two scenes.
        SceneError: scenes of different sizes.
    """
    for networks in systems.values():
        check(networks)
    if len(sources) < 2:
        raise UsageError("this analysis needs at least two scenes")
    scenes = read_scenes(list(systems.values()), sources)
    if len({next(iter(scene.values())).shape[:2] for scene in scenes}) != 1:
        raise UsageError("latents are swapped between scenes: they must be of one size")
    results: dict[str, Any] = {}
    pictures: dict[str, bytes] = {}
    names = [source.key for source in sources]
    for k, (label, networks) in enumerate(systems.items()):
        coded = [code(networks, scene, quality) for scene in scenes]
        tick = part_of(progress, label, k * len(sources), len(systems) * len(sources))
        results[label] = {
            "swap": _swaps(networks, coded, names),
            "average": _averages(networks, coded),
            "ablate": _ablations(networks, coded, tick),
        }
        pictures[f"shared-swap-{label}.png"] = _draw_swaps(networks, coded, names)
        pictures[f"shared-average-{label}.png"] = _draw_averages(networks, coded)
        pictures[f"shared-ablation-{label}.png"] = _draw_ablations(results[label]["ablate"], label)
    return {**about(systems, sources), "quality": quality, "results": results}, pictures


def _mse(coded: CodedScene, task: str, planes: Array) -> str:
    return f"{compare(coded, task, planes)['mse']:.1f}"


def _draw_swaps(networks: TorchNetworks, coded: Sequence[CodedScene], names: Sequence[str]) -> bytes:
    """Rows: pairs and their tasks; columns from A over the two mixtures to B."""
    count = min(DRAWN_PAIRS, len(coded)) if len(coded) > 2 else 1  # of two scenes there is one pair
    heads = ("A", "A decoded", "B's shared, A's own", "A's shared, B's own", "B decoded", "B")
    rows = []
    for first in range(count):
        second = (first + 1) % len(coded)
        a, b = coded[first], coded[second]
        for j, (name, task) in enumerate(networks.tasks.items()):
            decoded = [paint(networks, scene, name)[0] for scene in (a, b)]
            cells = [
                (original(a, name), f"{names[first]}, {name}"),
                (decoded[0], f"MSE {_mse(a, name, decoded[0])}"),
            ]
            for scene, partner in ((a, b), (b, a)):
                mixed = paint(networks, scene, name, {SHARED: partner.streams[SHARED].latent})[0]
                cells.append((mixed, f"MSE to A {_mse(a, name, mixed)}, to B {_mse(b, name, mixed)}"))
            cells += [
                (decoded[1], f"MSE {_mse(b, name, decoded[1])}"),
                (original(b, name), f"{names[second]}, {name}"),
            ]
            pictures = [Picture(*cell, head if j == 0 else "") for head, cell in zip(heads, cells)]
            rows.append((task, pictures))
    return to_png(picture_grid(rows, 1.95, 2.2))


def _draw_averages(networks: TorchNetworks, coded: Sequence[CodedScene]) -> bytes:
    """The first scene: decoded, and with the shared or the task's own latent replaced by an average."""
    scene, rows = coded[0], []
    for j, (name, task) in enumerate(networks.tasks.items()):
        variants = {"decoded": paint(networks, scene, name)[0]}
        for which, stream in (("shared", SHARED), ("own", name)):
            for kind in AVERAGES:
                latents = {stream: average(coded, stream, kind, 0)}
                variants[f"{which}: mean by {kind}"] = paint(networks, scene, name, latents)[0]
        pictures = [Picture(original(scene, name), name, "original" if j == 0 else "")]
        for head, planes in variants.items():
            pictures.append(Picture(planes, f"MSE {_mse(scene, name, planes)}", head if j == 0 else ""))
        rows.append((task, pictures))
    return to_png(picture_grid(rows, 1.95, 2.2))


def _draw_ablations(rows: Sequence[Mapping[str, Any]], label: str) -> bytes:
    """Above the bits of every shared channel, below the error increase of every task, sorted by their sum."""
    tasks = list(rows[0]["increase"])
    values = np.array([[row["increase"][task] for row in rows] for task in tasks])
    figure = new_figure(max(6.0, 0.145 * len(rows) + 2.2), 1.7 + 0.5 * len(tasks) + 1.0)
    upper, lower = figure.subplots(2, 1, height_ratios=(1.5, 0.45 * len(tasks)), sharex=True)
    upper.bar(range(len(rows)), [row["bpp"] for row in rows], width=0.85, color="#4a4e57")
    tidy(upper, f"{label}: shared channels, each alone set to its mean")
    upper.set_ylabel("bits per pixel", fontsize=8)
    upper.tick_params(axis="x", length=0)
    from matplotlib.colors import LogNorm

    top = max(float(values.max()), 1e-6)
    norm = LogNorm(top / 1e4, top)
    mesh = lower.imshow(np.maximum(values, top / 1e4), norm=norm, cmap="magma", aspect="auto")
    lower.set_yticks(range(len(tasks)), tasks)
    lower.set_xticks(range(len(rows)), [str(row["channel"]) for row in rows], rotation=90, fontsize=6)
    lower.set_xlabel("shared channel, by the sum of its increases", fontsize=9)
    figure.colorbar(mesh, ax=[upper, lower], label="increase of MSE", fraction=0.05, pad=0.02)
    return to_png(figure)


def format_table(results: Mapping[str, Any]) -> Table:
    """By weights and task: MSE plain, swapped, averaged; and the channels that it needs most."""
    title = f"{len(results['scenes'])} scenes, quality {results['quality']:g}: MSE of values scaled to 0–255"
    heads = ("plain", "swapped: to own", "to shared's", "shared averaged", "own averaged")
    table = new_table(title, ("weights", "task"), (*heads, "shared channels (increase alone)"))
    for label, entry in results["results"].items():
        for task, swapped in entry["swap"]["tasks"].items():
            errors = [swapped[key]["mse"] for key in ("plain", "own", "shared")]
            averaged = entry["average"][task]["position"]
            errors += [averaged[key]["mse"] for key in ("shared", "own")]
            worst = sorted(entry["ablate"], key=lambda row: -row["increase"][task])[:TOP_CHANNELS]
            channels = ", ".join(f"{row['channel']} ({row['increase'][task]:.1f})" for row in worst)
            table.add_row(label, task, *(f"{e:.1f}" for e in errors), channels)
    return table
