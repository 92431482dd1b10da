"""Bits by channel of every stream, and bits by stream of every task.

The coder interleaves the channels of a stream, so a channel has no bytes of its own: its bits are the
exact code lengths of its symbols under the integer probability tables of the weights. Their sum is set
beside the section's real bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.measure.figures import new_figure, tidy, to_png
from mtcodec.measure.tables import new_table
from mtcodec.measure.timing import Progress
from mtcodec.networks.pytorch.networks import TorchNetworks
from mtcodec.paper.figures import panels, stream_colour
from mtcodec.paper.latents import CodedScene, about, code, read_scenes

if TYPE_CHECKING:
    from rich.table import Table


def bits_of(networks: TorchNetworks, scenes: Sequence[CodedScene]) -> dict[str, Any]:
    """Means over scenes, all in bits per pixel.

    Returns:
        ``streams`` by name: ``channels`` (a list, in the order of the weights), ``hyper`` (all of the
        stream's hyper-latents), ``sum`` of both, and ``section``, what its real bytes come to;
        ``header``; ``file``; and ``tasks`` by name: bpp of the sections that decoding it reads, and
        ``all`` for the whole file's.
    """
    graph = networks.graph
    streams = {}
    for name in graph.streams:
        stream_codes = [(coded.streams[name], coded.pixels) for coded in scenes]
        channels = np.mean([stream.bits / pixels for stream, pixels in stream_codes], axis=0)
        hyper = float(np.mean([stream.hyper_bits / pixels for stream, pixels in stream_codes]))
        streams[name] = {
            "channels": channels.tolist(),
            "hyper": hyper,
            "sum": float(channels.sum()) + hyper,
            "section": float(np.mean([8 * stream.bytes / pixels for stream, pixels in stream_codes])),
        }
    tasks = {task: {name: streams[name]["section"] for name in reads} for task, reads in graph.reads.items()}
    return {
        "streams": streams,
        "header": float(np.mean([8 * coded.header.size / coded.pixels for coded in scenes])),
        "file": float(np.mean([8 * len(coded.data) / coded.pixels for coded in scenes])),
        "tasks": tasks | {"all": {name: stream["section"] for name, stream in streams.items()}},
    }


def analyse(
    systems: Mapping[str, TorchNetworks],
    sources: Sequence[SceneFiles],
    quality: float,
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """What :func:`about` says, and :func:`bits_of` all of ``systems`` under ``results``."""
    scenes = read_scenes(list(systems.values()), sources)
    results = {}
    for k, (label, networks) in enumerate(systems.items()):
        coded = []
        for j, scene in enumerate(scenes):
            progress(label, k * len(scenes) + j, len(systems) * len(scenes))
            coded.append(code(networks, scene, quality))
        results[label] = bits_of(networks, coded)
    return {**about(systems, sources), "quality": quality, "results": results}


def draw(results: Mapping[str, Any]) -> dict[str, bytes]:
    """``channels.png`` (bits by channel) and ``channels-tasks.png`` (bits by task and stream)."""
    return {"channels.png": _draw_channels(results), "channels-tasks.png": _draw_tasks(results)}


def _draw_channels(results: Mapping[str, Any]) -> bytes:
    """One panel per weights: bits by channel, sorted, stream after stream."""
    by_weights = results["results"]
    width = 6.4 if len(by_weights) > 1 else 8.5
    figure, every_axes = panels(len(by_weights), width, 3.4, margins=(0.0, 0.5))
    from matplotlib.patches import Patch

    names = _stream_names(by_weights)
    for axes, (label, entry) in zip(every_axes, by_weights.items()):
        start = 0
        for name, stream in entry["streams"].items():
            heights = sorted(stream["channels"], reverse=True)
            colour, end = stream_colour(name, names), start + len(heights)
            axes.bar(range(start, end), heights, width=1.0, color=colour)
            axes.bar(end + 1, stream["hyper"], width=2.0, color="white", edgecolor=colour, hatch="////")
            start = end + 6
        architecture = results["weights"][label]["architecture"]
        tidy(axes, label if label == architecture else f"{label} ({architecture})")
        axes.set(xlabel="channel, sorted within its stream", ylabel="bits per pixel", xlim=(-2, start - 2))
        axes.set_xticks([])
    handles = [Patch(color=stream_colour(name, names), label=name) for name in names]
    handles.append(Patch(facecolor="white", edgecolor="#555555", hatch="////", label="hyper-latents"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    return to_png(figure)


def _stream_names(by_weights: Mapping[str, Any]) -> list[str]:
    """Names of the streams that any of the weights have."""
    return list(dict.fromkeys(name for entry in by_weights.values() for name in entry["streams"]))


def _draw_tasks(results: Mapping[str, Any]) -> bytes:
    """A bar for every task and weights, stacked by stream."""
    by_weights = results["results"]
    names = _stream_names(by_weights)
    tasks = list(next(iter(by_weights.values()))["tasks"])
    figure = new_figure(2.0 + 0.55 * len(tasks) * len(by_weights) + 1.6, 4.2)
    axes = figure.subplots()
    in_legend: set[str] = set()
    ticks, labels = [], []
    for k, (label, entry) in enumerate(by_weights.items()):
        left = k * (len(tasks) + 1.0)
        for j, task in enumerate(tasks):
            bottom = 0.0
            for name, bpp in entry["tasks"][task].items():
                legend = {} if name in in_legend else {"label": name}
                in_legend.add(name)
                axes.bar(left + j, bpp, 0.82, bottom, color=stream_colour(name, names), **legend)
                bottom += bpp
            axes.text(left + j, bottom, f"{bottom:.3f}", ha="center", va="bottom", fontsize=7)
            ticks.append(left + j)
            labels.append(task)
        middle = left + (len(tasks) - 1) / 2
        axes.text(middle, -0.23, label, ha="center", transform=axes.get_xaxis_transform(), fontweight="bold")
    axes.set_xticks(ticks, labels, rotation=40, ha="right", fontsize=8, rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
    tidy(axes, f"Bits that decoding a task reads, by stream (quality {results['quality']:g})")
    axes.set(ylabel="bits per pixel")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return to_png(figure)


def format_table(results: Mapping[str, Any]) -> Table:
    """One row per stream; channels in use are those of more than 1 % of their stream."""
    title = f"{len(results['scenes'])} scenes, quality {results['quality']:g}"
    heads = ("real bpp", "sum of channels", "hyper-latents", "channels", "over 1 %", "largest")
    table = new_table(title, ("weights", "stream"), heads)
    for label, entry in results["results"].items():
        for name, stream in entry["streams"].items():
            channels = stream["channels"]
            used = sum(bpp > 0.01 * stream["sum"] for bpp in channels)
            bpps = [f"{stream[key]:.4f}" for key in ("section", "sum", "hyper")]
            table.add_row(label, name, *bpps, str(len(channels)), str(used), f"{max(channels):.4f}")
    return table
