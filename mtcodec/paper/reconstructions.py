"""Reconstructions of several weights beside the originals, at equal bits per pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mtcodec.codec.encoded import EncodedScene
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import Scene
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper import figures as pictures
from mtcodec.paper.latents import CodedScene, about, compare, encode, original, paint, read, read_scenes
from mtcodec.quality import MAX_LEVEL, MAX_NETWORK_LEVEL

if TYPE_CHECKING:
    from rich.table import Table

Progress = Callable[[str, int, int], None]
TOLERANCE = 0.005  # of the target, at which the search ends


@dataclass
class Found:
    """The quality nearest to a target, and the scenes' files there."""

    step: int
    bpp: float  # mean over scenes, real bytes of whole files (lossy tasks only)
    files: list[EncodedScene]

    @property
    def quality(self) -> float:
        return self.step * 100 / MAX_LEVEL


def search(networks: TorchNetworks, scenes: Sequence[Scene], target: float) -> Found:
    """Bisection over quality for mean bits per pixel ``target``; outside, the nearest end."""

    def at(step: int) -> Found:
        files = [encode(networks, scene, step * 100 / MAX_LEVEL) for scene in scenes]
        bpps = (8 * len(f.to_bytes()) / (f.prepared.height * f.prepared.width) for f in files)
        return Found(step, fmean(bpps), files)

    low, high = at(0), at(MAX_NETWORK_LEVEL)
    while high.step - low.step > 1 and low.bpp < target < high.bpp:
        middle = at((low.step + high.step) // 2)
        low, high = (middle, high) if middle.bpp <= target else (low, middle)
        if abs(middle.bpp - target) <= TOLERANCE * target:
            return middle
    return min(low, high, key=lambda found: abs(found.bpp - target))


def analyse(
    systems: Mapping[str, TorchNetworks],
    sources: Sequence[SceneFiles],
    targets: Sequence[float],
    progress: Progress = lambda label, done, total: None,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Results, and a picture ``reconstructions-<bpp>.png`` per target.

    Returns:
        ``targets``: per target ``bpp`` and, by weights, the ``quality`` and mean ``bpp`` reached,
        ``reached`` (within 2 % of the target), and ``scenes`` by name: ``bpp`` of the file, and
        by task ``mse``, ``psnr`` and the ``bpp`` that decoding it alone reads.
    """
    scenes = read_scenes(list(systems.values()), sources)
    rows, drawn = [], {}
    for k, target in enumerate(targets):
        reached: dict[str, Any] = {}
        coded: dict[str, list[CodedScene]] = {}
        for j, (label, networks) in enumerate(systems.items()):
            progress(f"{target:g} bpp {label}", k * len(systems) + j, len(targets) * len(systems))
            found = search(networks, scenes, target)
            coded[label] = [read(networks, file) for file in found.files]
            measured = {source.key: _measure(networks, c) for source, c in zip(sources, coded[label])}
            near = abs(found.bpp - target) <= 0.02 * target
            reached[label] = {"quality": found.quality, "bpp": found.bpp, "reached": near, "scenes": measured}
        rows.append({"bpp": target, "weights": reached})
        drawn[f"reconstructions-{target:g}.png"] = _draw(systems, coded, rows[-1])
    return {**about(systems, sources), "targets": rows}, drawn


def _measure(networks: TorchNetworks, coded: CodedScene) -> dict[str, Any]:
    tasks = {}
    for task in networks.tasks:
        needed = (coded.header.section(name) for name in coded.header.needs(task))
        alone = sum(section.length for section in needed if section is not None)
        errors = compare(coded, task, paint(networks, coded, task)[0])
        tasks[task] = {**errors, "bpp": 8 * alone / coded.pixels}
    return {"bpp": 8 * len(coded.data) / coded.pixels, "tasks": tasks}


def _draw(
    systems: Mapping[str, TorchNetworks], coded: Mapping[str, list[CodedScene]], row: Mapping[str, Any]
) -> bytes:
    """Rows: scenes and their tasks; columns: the original, then all of ``systems``."""
    some, count = next(iter(systems.values())), len(next(iter(coded.values())))
    tasks, columns = list(some.tasks.values()), 1 + len(systems)
    figure = pictures.new_figure(2.25 * columns + 0.4, 2.5 * count * len(tasks) + 0.9)
    grid = figure.subplots(count * len(tasks), columns, squeeze=False)
    for i in range(count):
        for j, task in enumerate(tasks):
            line = grid[i * len(tasks) + j]
            first = i == j == 0
            for axes, (label, networks) in zip(line[1:], systems.items()):
                entry, one = row["weights"][label], coded[label][i]
                name = list(entry["scenes"])[i]
                error = entry["scenes"][name]["tasks"][task.name]
                head = f"{label}\nquality {entry['quality']:.1f}, {entry['bpp']:.3f} bpp"
                head += "" if entry["reached"] else "\n(its nearest to the target)"
                below = f"MSE {error['mse']:.2f} · {error['bpp']:.4f} bpp"
                planes = paint(networks, one, task.name)[0]
                pictures.show_planes(axes, task, planes, head if first else "", below)
            one = next(iter(coded.values()))[i]
            planes = original(one, task.name)
            name = list(next(iter(row["weights"].values()))["scenes"])[i]
            pictures.show_planes(line[0], task, planes, "original" if first else "", f"{name}, {task.name}")
    note = "below: MSE of values scaled to 0–255; bpp that the picture alone reads"
    title = f"All tasks at about {row['bpp']:g} bits per pixel"
    figure.suptitle(f"{title}\n{note}", fontsize=9)
    return pictures.to_png(figure)


def format_table(results: Mapping[str, Any]) -> Table:
    """One row per target and weights: the quality reached, and mean MSE by task."""
    from rich.table import Table

    rows = results["targets"]
    first = next(iter(next(iter(rows[0]["weights"].values()))["scenes"].values()))
    table = Table(title=f"{len(results['scenes'])} scenes, MSE of values scaled to 0–255")
    table.add_column("target bpp", justify="right")
    table.add_column("weights")
    for head in ("quality", "bpp", *(f"{task} MSE" for task in first["tasks"])):
        table.add_column(head, justify="right")
    for row in rows:
        for label, entry in row["weights"].items():
            means = [fmean(s["tasks"][t]["mse"] for s in entry["scenes"].values()) for t in first["tasks"]]
            mark = "" if entry["reached"] else " (nearest)"
            cells = [f"{entry['quality']:.1f}", f"{entry['bpp']:.4f}{mark}", *(f"{m:.2f}" for m in means)]
            table.add_row(f"{row['bpp']:g}", label, *cells)
    return table
