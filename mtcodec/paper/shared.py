"""What the shared latent holds: it is swapped between scenes, averaged away, and knocked out by channel.

All of it happens after decoding: the synthesis is fed latents that no file holds together. The own
latents of ``conditional`` stay the decoded values, though they were coded given the true shared one.
Errors are of values scaled to 0..255; depth is compared in the range of the scene it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtcodec.errors import UsageError
from mtcodec.files.layouts import SceneFiles
from mtcodec.networks.config import SHARED
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper import figures as pictures
from mtcodec.paper.latents import CodedScene, about, code, compare, original, paint, read_scenes

if TYPE_CHECKING:
    from rich.table import Table

Progress = Callable[[str, int, int], None]
Errors = dict[str, float]
EXAMPLES = 3  # pairs of scenes in the picture of swaps
KINDS = ("position", "channel")
CHUNK = 16  # knocked-out latents that go through the synthesis at once


def check(networks: TorchNetworks) -> None:
    """Raise :class:`UsageError` unless there is a shared stream and tasks' own."""
    graph = networks.graph
    if SHARED not in graph.streams or not graph.separable:
        raise UsageError(
            f"weights {networks.info.name!r} are of architecture {networks.model.config.architecture!r}: "
            "this analysis needs a shared stream and tasks' own (shared or conditional)"
        )


def _mean(errors: Sequence[Errors]) -> Errors:
    return {key: fmean(e[key] for e in errors) for key in errors[0]}


# --- swap ----------------------------------------------------------------------------------------


def swap(networks: TorchNetworks, a: CodedScene, b: CodedScene, task: str) -> dict[str, Errors]:
    """``task`` of scene ``a`` decoded with the shared latent of ``b`` and its own latent of ``a``.

    Returns:
        ``plain`` (nothing swapped) and ``own``, both against ``a``; ``shared``, against ``b``.
    """
    mixed = paint(networks, a, task, {SHARED: b.streams[SHARED].latent})[0]
    return {
        "plain": compare(a, task, paint(networks, a, task)[0]),
        "own": compare(a, task, mixed),
        "shared": compare(b, task, mixed),
    }


def _swaps(networks: TorchNetworks, coded: Sequence[CodedScene], names: Sequence[str]) -> dict[str, Any]:
    """Every scene with the next one's shared latent: ``pairs``, and ``tasks`` with means over pairs.

    ``shared_share`` of a task says which latent the picture follows: error to the own latent's scene over
    the sum of both errors (MSE); 1 means that it is the picture of the shared latent's scene, 0 of its own.
    """
    pairs: list[dict[str, Any]] = []
    for k, a in enumerate(coded):
        other = (k + 1) % len(coded)
        tasks = {task: swap(networks, a, coded[other], task) for task in networks.tasks}
        pairs.append({"own": names[k], "shared": names[other], "tasks": tasks})
    means: dict[str, Any] = {}
    for task in networks.tasks:
        found = {key: _mean([p["tasks"][task][key] for p in pairs]) for key in ("plain", "own", "shared")}
        total = found["own"]["mse"] + found["shared"]["mse"]
        means[task] = {**found, "shared_share": found["own"]["mse"] / total if total else 0.5}
    return {"tasks": means, "pairs": pairs}


# --- averages ------------------------------------------------------------------------------------


def average(coded: Sequence[CodedScene], stream: str, kind: str, without: int) -> Tensor:
    """Mean latent of ``stream`` over all scenes but number ``without``: (1, N, h, w).

    ``position`` keeps the mean of every position, ``channel`` only that of every channel.
    """
    latents = [c.streams[stream].latent for k, c in enumerate(coded) if k != without]
    mean = torch.stack(latents).mean(dim=0)
    return mean if kind == "position" else mean.mean(dim=(2, 3), keepdim=True).expand_as(mean)


def _averages(networks: TorchNetworks, coded: Sequence[CodedScene]) -> dict[str, Any]:
    """By task ``plain`` and, by kind of average, ``shared`` and ``own``: that latent averaged away."""
    result: dict[str, Any] = {}
    for task in networks.tasks:
        result[task] = {"plain": _mean([compare(c, task, paint(networks, c, task)[0]) for c in coded])}
        for kind in KINDS:
            entry = {}
            for key, stream in (("shared", SHARED), ("own", task)):
                errors = []
                for k, c in enumerate(coded):
                    planes = paint(networks, c, task, {stream: average(coded, stream, kind, k)})[0]
                    errors.append(compare(c, task, planes))
                entry[key] = _mean(errors)
            result[task][kind] = entry
    return result


# --- knock-out -----------------------------------------------------------------------------------


def ablate(
    networks: TorchNetworks, coded: CodedScene, task: str, mean: Tensor, sets: Sequence[Sequence[int]]
) -> list[float]:
    """MSE of ``task`` with every set of shared channels at its ``mean`` (1, N, h, w), set by set."""
    result: list[float] = []
    for start in range(0, len(sets), CHUNK):
        chunk = sets[start : start + CHUNK]
        latents = coded.streams[SHARED].latent.repeat(len(chunk), 1, 1, 1)
        for k, channels in enumerate(chunk):
            latents[k, list(channels)] = mean[0, list(channels)]
        planes = paint(networks, coded, task, {SHARED: latents})
        result += [compare(coded, task, p)["mse"] for p in planes]
    return result


def _ablations(
    networks: TorchNetworks, coded: Sequence[CodedScene], tick: Callable[[int], None]
) -> list[dict[str, Any]]:
    """``channel``, ``bpp`` and mean ``increase`` of every task's MSE by shared channel, largest first."""
    count = networks.model.config.shared_latents
    sets: list[list[int]] = [[], *([c] for c in range(count))]
    increase: dict[str, list[float]] = {task: [0.0] * count for task in networks.tasks}
    for j, c in enumerate(coded):
        tick(j)
        mean = average(coded, SHARED, "channel", j)
        for task in networks.tasks:
            plain, *knocked = ablate(networks, c, task, mean, sets)
            increase[task] = [v + (k - plain) / len(coded) for v, k in zip(increase[task], knocked)]
    rows = [
        {
            "channel": k,
            "bpp": fmean(float(c.streams[SHARED].bits[k]) / c.pixels for c in coded),
            "increase": {task: values[k] for task, values in increase.items()},
        }
        for k in range(count)
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
        ``-knockout-<weights>.png``.

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
    drawn: dict[str, bytes] = {}
    names = [source.key for source in sources]
    for k, (label, networks) in enumerate(systems.items()):
        coded = [code(networks, scene, quality) for scene in scenes]

        def tick(done: int, what: str = label, before: int = k * len(sources)) -> None:
            progress(what, before + done, len(systems) * len(sources))

        results[label] = {
            "swap": _swaps(networks, coded, names),
            "average": _averages(networks, coded),
            "ablate": _ablations(networks, coded, tick),
        }
        drawn[f"shared-swap-{label}.png"] = _draw_swaps(networks, coded, names)
        drawn[f"shared-average-{label}.png"] = _draw_averages(networks, coded)
        drawn[f"shared-knockout-{label}.png"] = _draw_ablations(results[label]["ablate"], label)
    return {**about(systems, sources), "quality": quality, "results": results}, drawn


def _mse(coded: CodedScene, task: str, planes: Any) -> str:
    return f"{compare(coded, task, planes)['mse']:.1f}"


def _draw_swaps(networks: TorchNetworks, coded: Sequence[CodedScene], names: Sequence[str]) -> bytes:
    """Rows: pairs and their tasks; columns from A over the two mixtures to B."""
    pairs = [(k, (k + 1) % len(coded)) for k in range(min(EXAMPLES, len(coded) if len(coded) > 2 else 1))]
    tasks = list(networks.tasks.values())
    heads = ("A", "A decoded", "B's shared, A's own", "A's shared, B's own", "B decoded", "B")
    figure = pictures.new_figure(1.95 * len(heads), 2.2 * len(pairs) * len(tasks) + 0.4)
    grid = figure.subplots(len(pairs) * len(tasks), len(heads), squeeze=False)
    for i, (first, second) in enumerate(pairs):
        a, b = coded[first], coded[second]
        for j, task in enumerate(tasks):
            name = task.name
            own_a = paint(networks, a, name, {SHARED: b.streams[SHARED].latent})[0]
            own_b = paint(networks, b, name, {SHARED: a.streams[SHARED].latent})[0]
            plain_a, plain_b = paint(networks, a, name)[0], paint(networks, b, name)[0]
            cells = [
                (original(a, name), f"{names[first]}, {name}"),
                (plain_a, f"MSE {_mse(a, name, plain_a)}"),
                *((p, f"MSE to A {_mse(a, name, p)}, to B {_mse(b, name, p)}") for p in (own_a, own_b)),
                (plain_b, f"MSE {_mse(b, name, plain_b)}"),
                (original(b, name), f"{names[second]}, {name}"),
            ]
            for axes, head, (planes, below) in zip(grid[i * len(tasks) + j], heads, cells):
                pictures.show_planes(axes, task, planes, head if j == 0 else "", below)
    return pictures.to_png(figure)


def _draw_averages(networks: TorchNetworks, coded: Sequence[CodedScene]) -> bytes:
    """The first scene: decoded, and with the shared or the own latent replaced by an average."""
    one, tasks = coded[0], list(networks.tasks.values())
    variants = [(kind, which) for which in ("shared", "own") for kind in KINDS]
    figure = pictures.new_figure(1.95 * (2 + len(variants)), 2.2 * len(tasks) + 0.4)
    grid = figure.subplots(len(tasks), 2 + len(variants), squeeze=False)
    for j, (line, task) in enumerate(zip(grid, tasks)):
        cells = [("original", original(one, task.name))]
        cells.append(("decoded", paint(networks, one, task.name)[0]))
        for kind, which in variants:
            stream = SHARED if which == "shared" else task.name
            latents = {stream: average(coded, stream, kind, 0)}
            cells.append((f"{which}: mean by {kind}", paint(networks, one, task.name, latents)[0]))
        for axes, (head, planes) in zip(line, cells):
            below = task.name if head == "original" else f"MSE {_mse(one, task.name, planes)}"
            pictures.show_planes(axes, task, planes, head if j == 0 else "", below)
    return pictures.to_png(figure)


def _draw_ablations(rows: Sequence[Mapping[str, Any]], label: str) -> bytes:
    """Above the bits of every shared channel, below the error increase of every task, sorted by their sum."""
    import numpy as np
    from matplotlib.colors import LogNorm

    tasks = list(rows[0]["increase"])
    values = np.array([[row["increase"][task] for row in rows] for task in tasks])
    figure = pictures.new_figure(max(6.0, 0.145 * len(rows) + 2.2), 1.7 + 0.5 * len(tasks) + 1.0)
    upper, lower = figure.subplots(2, 1, height_ratios=(1.5, 0.45 * len(tasks)), sharex=True)
    upper.bar(range(len(rows)), [row["bpp"] for row in rows], width=0.85, color="#4a4e57")
    pictures.tidy(upper, f"{label}: shared channels, each alone set to its mean")
    upper.set_ylabel("bits per pixel", fontsize=8)
    upper.tick_params(axis="x", length=0)
    top = max(float(values.max()), 1e-6)
    norm = LogNorm(top / 1e4, top)
    mesh = lower.imshow(np.maximum(values, top / 1e4), norm=norm, cmap="magma", aspect="auto")
    lower.set_yticks(range(len(tasks)), tasks)
    lower.set_xticks(range(len(rows)), [str(row["channel"]) for row in rows], rotation=90, fontsize=6)
    lower.set_xlabel("shared channel, by the sum of its increases", fontsize=9)
    figure.colorbar(mesh, ax=[upper, lower], label="increase of MSE", fraction=0.05, pad=0.02)
    return pictures.to_png(figure)


def format_table(results: Mapping[str, Any], top: int = 5) -> Table:
    """By weights and task: MSE plain, swapped, averaged; and the channels whose loss hurts it most."""
    from rich.table import Table

    title = f"{len(results['scenes'])} scenes, quality {results['quality']:g}: MSE of values scaled to 0–255"
    table = Table(title=title)
    for head in ("weights", "task"):
        table.add_column(head)
    heads = ("plain", "swapped: to own", "to shared's", "shared averaged", "own averaged")
    for head in (*heads, "shared channels (increase alone)"):
        table.add_column(head, justify="right")
    for label, entry in results["results"].items():
        for task, swapped in entry["swap"]["tasks"].items():
            errors = [swapped[key]["mse"] for key in ("plain", "own", "shared")]
            averaged = entry["average"][task]["position"]
            errors += [averaged[key]["mse"] for key in ("shared", "own")]
            worst = sorted(entry["ablate"], key=lambda row: -row["increase"][task])[:top]
            channels = ", ".join(f"{row['channel']} ({row['increase'][task]:.1f})" for row in worst)
            table.add_row(label, task, *(f"{e:.1f}" for e in errors), channels)
    return table
