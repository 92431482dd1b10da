"""Reconstructions of several weights beside the originals, at equal bits per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mtcodec.codec.encoded import EncodedGroup
from mtcodec.files.scene import Scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure.figures import to_png
from mtcodec.measure.tables import new_table
from mtcodec.measure.timing import Progress
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper.figures import Picture, picture_grid
from mtcodec.paper.latents import CodedScene, about, compare, encode, original, paint, read, read_scenes
from mtcodec.quality import MAX_LEVEL, MAX_NETWORK_LEVEL
from mtcodec.tasks import Task

if TYPE_CHECKING:
    from rich.table import Table

SEARCH_TOLERANCE = 0.005  # share of the target that the search may miss it by
REACHED_TOLERANCE = 0.02  # the same, at which a target counts as reached


@dataclass
class CodedAt:
    """All scenes coded at one quality."""

    level: int  # of quality, 0 to MAX_NETWORK_LEVEL
    bpp: float  # mean over the scenes of bits per pixel of the whole file, which has lossy tasks only
    files: list[EncodedGroup]

    @property
    def quality(self) -> float:
        return self.level * 100 / MAX_LEVEL


def encode_all(networks: TorchNetworks, scenes: Sequence[Scene], level: int) -> CodedAt:
    files = [encode(networks, scene, level * 100 / MAX_LEVEL) for scene in scenes]
    bpps = (8 * len(file.to_bytes()) / file.prepared.pixels for file in files)
    return CodedAt(level, fmean(bpps), files)


def search(networks: TorchNetworks, scenes: Sequence[Scene], target: float) -> CodedAt:
    """Bisection over quality for mean bits per pixel ``target``; outside, the nearest end."""
    low, high = encode_all(networks, scenes, 0), encode_all(networks, scenes, MAX_NETWORK_LEVEL)
    while high.level - low.level > 1 and low.bpp < target < high.bpp:
        middle = encode_all(networks, scenes, (low.level + high.level) // 2)
        low, high = (middle, high) if middle.bpp <= target else (low, middle)
        if abs(middle.bpp - target) <= SEARCH_TOLERANCE * target:
            return middle
    return min(low, high, key=lambda coded: abs(coded.bpp - target))


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
            nearest = search(networks, scenes, target)
            coded[label] = [read(networks, file) for file in nearest.files]
            reached[label] = {
                "quality": nearest.quality,
                "bpp": nearest.bpp,
                "reached": abs(nearest.bpp - target) <= REACHED_TOLERANCE * target,
                "scenes": {
                    source.key: _measure(networks, scene) for source, scene in zip(sources, coded[label])
                },
            }
        rows.append({"bpp": target, "weights": reached})
        drawn[f"reconstructions-{target:g}.png"] = _draw(systems, coded, rows[-1])
    return {**about(systems, sources), "targets": rows}, drawn


def _measure(networks: TorchNetworks, coded: CodedScene) -> dict[str, Any]:
    """One of ``scenes`` of :func:`analyse`."""
    tasks = {}
    for task in networks.tasks:
        needed = (coded.header.section(name) for name in coded.header.needs(task))
        task_bytes = sum(section.length for section in needed if section is not None)
        errors = compare(coded, task, paint(networks, coded, task)[0])
        tasks[task] = {**errors, "bpp": 8 * task_bytes / coded.pixels}
    return {"bpp": 8 * len(coded.data) / coded.pixels, "tasks": tasks}


def _draw(
    systems: Mapping[str, TorchNetworks], coded: Mapping[str, list[CodedScene]], row: Mapping[str, Any]
) -> bytes:
    """Rows: scenes and their tasks; columns: the original, then all of ``systems``."""
    rows: list[tuple[Task, list[Picture]]] = []
    for i, scene_name in enumerate(next(iter(row["weights"].values()))["scenes"]):
        for name, task in next(iter(systems.values())).tasks.items():
            planes = original(next(iter(coded.values()))[i], name)
            pictures = [Picture(planes, f"{scene_name}, {name}", "" if rows else "original")]
            for label, networks in systems.items():
                entry = row["weights"][label]
                error = entry["scenes"][scene_name]["tasks"][name]
                below = f"MSE {error['mse']:.2f} · {error['bpp']:.4f} bpp"
                planes = paint(networks, coded[label][i], name)[0]
                pictures.append(Picture(planes, below, "" if rows else _heading(label, entry)))
            rows.append((task, pictures))
    figure = picture_grid(rows, 2.25, 2.5, margins=(0.4, 0.9))
    note = "below: MSE of values scaled to 0–255; bpp that the picture alone reads"
    title = f"All tasks at about {row['bpp']:g} bits per pixel"
    figure.suptitle(f"{title}\n{note}", fontsize=9)
    return to_png(figure)


def _heading(label: str, entry: Mapping[str, Any]) -> str:
    """What stands above the column of some weights."""
    heading = f"{label}\nquality {entry['quality']:.1f}, {entry['bpp']:.3f} bpp"
    return heading if entry["reached"] else f"{heading}\n(its nearest to the target)"


def format_table(results: Mapping[str, Any]) -> Table:
    """One row per target and weights: the quality reached, and mean MSE by task."""
    rows = results["targets"]
    first_entry = next(iter(rows[0]["weights"].values()))
    tasks = list(next(iter(first_entry["scenes"].values()))["tasks"])
    heads = ("quality", "bpp", *(f"{task} MSE" for task in tasks))
    table = new_table(
        f"{len(results['scenes'])} scenes, MSE of values scaled to 0–255", ("target bpp", "weights"), heads
    )
    table.columns[0].justify = "right"
    for row in rows:
        for label, entry in row["weights"].items():
            scenes = entry["scenes"].values()
            means = [fmean(scene["tasks"][task]["mse"] for scene in scenes) for task in tasks]
            bpp = f"{entry['bpp']:.4f}" if entry["reached"] else f"{entry['bpp']:.4f} (nearest)"
            cells = (f"{entry['quality']:.1f}", bpp, *(f"{mean:.2f}" for mean in means))
            table.add_row(f"{row['bpp']:g}", label, *cells)
    return table
