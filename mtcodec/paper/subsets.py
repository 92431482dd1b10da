"""The price of a subset of tasks: our bytes for it, over those of single-task codecs at equal PSNR."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any

from mtcodec.container import mtc as container
from mtcodec.container.header import parse
from mtcodec.container.mtc import Reader
from mtcodec.errors import UsageError
from mtcodec.files.scene import Scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure.figures import new_figure, tidy, to_png
from mtcodec.measure.lines import front
from mtcodec.measure.systems import mean_of
from mtcodec.measure.tables import new_table
from mtcodec.measure.timing import Progress
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper.figures import WEIGHTS_COLOURS, panels, stream_colour
from mtcodec.paper.latents import about, encode, read_scenes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

EVEN_STYLE: dict[str, Any] = {"color": "#888888", "linewidth": 1.0, "linestyle": ":"}  # of equal bytes
RATIOS = ("payload", "files", "one_file")
QUALITY_BYTES = 4  # of a section's descriptor that names a quality, and has defaults else
SINGLE_QUALITIES = tuple(float(q) for q in range(0, 101, 5))


def subsets(tasks: Sequence[str]) -> list[tuple[str, ...]]:
    """All non-empty subsets, small ones first."""
    return [s for n in range(1, len(tasks) + 1) for s in combinations(tasks, n)]


def measure(networks: TorchNetworks, scenes: Sequence[Scene], quality: float) -> dict[str, Any]:
    """Means over scenes at one quality.

    Returns:
        ``psnr`` by task; by subset (names joined by ``+``) ``payload``, bytes of the sections that it
        needs, and ``file``, bytes of a file extracted to it; ``file``, bytes of the whole file.
    """
    names = list(networks.tasks)
    rows: list[dict[str, Any]] = []
    for scene in scenes:
        encoded = encode(networks, scene, quality)
        data = encoded.to_bytes()
        sizes = {}
        for subset in subsets(names):
            part = container.extract(Reader(data), subset)
            sizes["+".join(subset)] = {"payload": len(part) - parse(part).size, "file": len(part)}
        psnrs = {name: encoded.psnr[name] for name in names}
        rows.append({"file": len(data), "psnr": psnrs, "subsets": sizes})
    return {"quality": quality, **mean_of(rows)}


def bytes_at(line: Sequence[tuple[float, float]], psnr: float) -> float | None:
    """Bytes of a line of (bytes, PSNR) at ``psnr`` dB, log(bytes) linear between points; None outside."""
    points = front(line)
    for (low, p0), (high, p1) in pairwise(points):
        if p0 <= psnr <= p1:
            share = (psnr - p0) / (p1 - p0)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    return None


def prices(row: Mapping[str, Any], single: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """By subset, our bytes over the single codecs' at our PSNR of each task; None outside of their curves.

    ``payload``: sections alone. ``files``: our extracted file over one file per task. ``one_file``: over
    one file that holds the tasks; as each is at a quality of its own there, the header is that of a
    single codec's extracted file, and :data:`QUALITY_BYTES` more for every task but the first.
    """
    result: dict[str, dict[str, float | None]] = {}
    for subset, ours in row["subsets"].items():
        names = subset.split("+")
        payload, files = (_single_bytes(single, names, size, row["psnr"]) for size in ("payload", "file"))
        header = fmean(p["subsets"][subset]["file"] - p["subsets"][subset]["payload"] for p in single)
        joint_file = None if payload is None else payload + header + QUALITY_BYTES * (len(names) - 1)
        result[subset] = {
            "payload": _ratio(ours["payload"], payload),
            "files": _ratio(ours["file"], files),
            "one_file": _ratio(ours["file"], joint_file),
        }
    return result


def _ratio(ours: float, theirs: float | None) -> float | None:
    return None if theirs is None else ours / theirs


def _single_bytes(
    single: Sequence[Mapping[str, Any]], tasks: Sequence[str], size: str, psnrs: Mapping[str, float]
) -> float | None:
    """Bytes of single codecs for ``tasks`` at ``psnrs``; None outside of their curves.

    ``size`` is ``payload`` or ``file``.
    """
    total = 0.0
    for task in tasks:
        line = [(point["subsets"][task][size], point["psnr"][task]) for point in single]
        task_bytes = bytes_at(line, psnrs[task])
        if task_bytes is None:
            return None
        total += task_bytes
    return total


def averages(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Geometric means of the prices over the qualities that have them all, by subset and ratio."""
    result: dict[str, dict[str, float | None]] = {subset: {} for subset in rows[0]["price"]}
    every_price = [row["price"] for row in rows]
    for key in RATIOS:
        complete = [price for price in every_price if None not in (ratio[key] for ratio in price.values())]
        for subset, means in result.items():
            means[key] = geometric_mean(price[subset][key] for price in complete) if complete else None
    return result


def analyse(
    systems: Mapping[str, TorchNetworks],
    single: TorchNetworks,
    sources: Sequence[SceneFiles],
    qualities: Sequence[float],
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Prices of every subset at every quality, against the codecs in ``single``.

    Returns:
        ``single``: its label and ``rows`` (:func:`measure` at :data:`SINGLE_QUALITIES`); ``results`` by
        weights: ``rows``, each :func:`measure` with ``price`` (:func:`prices`), and ``mean``
        (:func:`averages`).

    Raises:
        UsageError: ``single`` is of another architecture, or there is no quality.
    """
    architecture = single.model.config.architecture
    if architecture != "single":
        raise UsageError(f"weights {single.info.name!r} are of architecture {architecture!r}, not single")
    if not qualities:
        raise UsageError("an analysis needs at least one quality")
    scenes = read_scenes([single, *systems.values()], sources)
    total = len(SINGLE_QUALITIES) + len(systems) * len(qualities)

    def measured(
        label: str, networks: TorchNetworks, at: Sequence[float], first: int
    ) -> list[dict[str, Any]]:
        rows = []
        for done, quality in enumerate(at, first):
            progress(f"{label} {quality:g}", done, total)
            rows.append(measure(networks, scenes, quality))
        return rows

    curve = measured(single.info.name, single, SINGLE_QUALITIES, 0)
    results = {}
    for k, (label, networks) in enumerate(systems.items()):
        rows = measured(label, networks, qualities, len(SINGLE_QUALITIES) + k * len(qualities))
        rows = [row | {"price": prices(row, curve)} for row in rows]
        results[label] = {"rows": rows, "mean": averages(rows)}
    reference = {"label": single.info.name, "fingerprint": single.info.fingerprint, "rows": curve}
    return {**about(systems, sources), "qualities": list(qualities), "single": reference, "results": results}


def draw(results: Mapping[str, Any]) -> dict[str, bytes]:
    """``subsets.png``, and ``subsets-tradeoff.png`` where there are several weights."""
    drawn = {"subsets.png": _draw_prices(results)}
    if len(results["results"]) > 1:
        drawn["subsets-tradeoff.png"] = _draw_tradeoff(results)
    return drawn


def _draw_prices(results: Mapping[str, Any]) -> bytes:
    """Price over mean PSNR by subset, one panel per weights; solid of sections, dotted of files."""
    by_weights = results["results"]
    figure, every_axes = panels(len(by_weights), 5.4, 3.9, margins=(1.9, 0.0))
    for axes, (label, entry) in zip(every_axes, by_weights.items()):
        tasks = list(entry["rows"][0]["psnr"])
        for k, subset in enumerate(entry["mean"]):
            _draw_subset(axes, entry["rows"], subset, _subset_colour(subset, k, tasks))
        axes.axhline(1.0, **EVEN_STYLE)
        tidy(axes, label, "both")
        axes.set(xlabel="mean PSNR over tasks (dB)", ylabel=f"bytes / bytes of {results['single']['label']}")
    handles, labels = every_axes[0].get_legend_handles_labels()
    title = "solid: sections\ndotted: files"
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9, title=title)
    return to_png(figure)


def _subset_colour(subset: str, number: int, tasks: Sequence[str]) -> str:
    """Of a task its own, of all tasks black; others take turns by their ``number``."""
    size = len(subset.split("+"))
    if size == 1:
        return stream_colour(subset, tasks)
    return "#222222" if size == len(tasks) else ("#8a5cb0", "#d08a1d", "#1c9aa8")[number % 3]


def _draw_subset(axes: Axes, rows: Sequence[Mapping[str, Any]], subset: str, colour: str) -> None:
    """The lines of one subset: prices of sections with markers, and of files."""
    marker = {1: "o", 2: "s", 3: "D"}.get(len(subset.split("+")), "^")
    for key, style in (("payload", "-"), ("files", ":")):
        priced = [row for row in rows if row["price"][subset][key] is not None]
        psnrs = [fmean(row["psnr"].values()) for row in priced]
        ratios = [row["price"][subset][key] for row in priced]
        of_sections = key == "payload"
        extra = {"label": subset.replace("+", " + ")} if of_sections else {"alpha": 0.6}
        axes.plot(
            psnrs, ratios, style, color=colour, marker=marker if of_sections else "", markersize=4,
            linewidth=1.5, **extra,
        )  # fmt: skip


def _draw_tradeoff(results: Mapping[str, Any]) -> bytes:
    """Price of all tasks against that of one alone, averaged over qualities, without headers."""
    figure = new_figure(7.2, 4.8)
    axes = figure.subplots()
    shapes = "osD^vP"
    for k, (label, entry) in enumerate(results["results"].items()):
        tasks = list(entry["rows"][0]["psnr"])
        x = entry["mean"]["+".join(tasks)]["payload"]
        ys = [entry["mean"][task]["payload"] for task in tasks]
        if x is None or None in ys:
            continue
        colour = WEIGHTS_COLOURS[k % len(WEIGHTS_COLOURS)]
        axes.plot([x] * len(ys), ys, color=colour, linewidth=2.0, alpha=0.6, label=label)
        for j, y in enumerate(ys):
            axes.plot(x, y, shapes[j % len(shapes)], color=colour, markersize=7)
    for j, task in enumerate(next(iter(results["results"].values()))["rows"][0]["psnr"]):
        axes.plot([], [], shapes[j % len(shapes)], color="#555555", label=f"{task} alone")
    axes.axhline(1.0, **EVEN_STYLE)
    axes.axvline(1.0, **EVEN_STYLE)
    axes.margins(0.15)
    tidy(axes, "Price of all tasks together, and of each alone", "both")
    reference = results["single"]["label"]
    axes.set(xlabel=f"all tasks: bytes / bytes of {reference}", ylabel="one task alone: the same")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return to_png(figure)


def format_table(results: Mapping[str, Any]) -> Table:
    """One row per weights and quality, then the mean: prices by subset, without headers."""
    scenes, label = len(results["scenes"]), results["single"]["label"]
    by_weights = results["results"]
    title = f"{scenes} scenes: bytes of sections / those of {label} at equal PSNR (-: outside)"
    table = new_table(title, ["weights"], ["quality", *next(iter(by_weights.values()))["mean"]])
    for name, entry in by_weights.items():
        lines = [(f"{row['quality']:g}", row["price"]) for row in entry["rows"]]
        for quality, price in [*lines, ("mean", entry["mean"])]:
            ratios = [ratio["payload"] for ratio in price.values()]
            table.add_row(name, quality, *("-" if ratio is None else f"{ratio:.3f}" for ratio in ratios))
    return table
