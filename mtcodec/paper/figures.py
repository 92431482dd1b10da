"""Parts that the figures of all analyses are made of; matplotlib is imported when one is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mtcodec.measure.plot import require_matplotlib
from mtcodec.networks.config import SHARED
from mtcodec.signals.mapping import Array
from mtcodec.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {SHARED: "#4a4e57", "rgb": "#c0392b", "depth": "#2369ad", "normal": "#2a9163"}
_FURTHER_COLOURS = ("#8a5cb0", "#d08a1d", "#1c9aa8", "#a8527a")
WEIGHTS_COLOURS = ("#c0392b", "#2369ad", "#2a9163", "#8a5cb0", "#d08a1d", "#4a4e57")


def stream_colour(name: str, streams: Sequence[str]) -> str:
    """The colour of a stream or task, the same in every figure."""
    if name in _COLOURS:
        return _COLOURS[name]
    without_colour = [stream for stream in streams if stream not in _COLOURS]
    return _FURTHER_COLOURS[without_colour.index(name) % len(_FURTHER_COLOURS)]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def tidy(axes: Axes, title: str, grid: Literal["x", "y", "both"] = "y") -> None:
    """Title at the left, faint grid, no frame at the top and right."""
    axes.set_title(title, fontsize=11, fontweight="bold", loc="left")
    axes.grid(True, axis=grid, color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def show_planes(axes: Axes, task: Task, planes: Array, above: str = "", below: str = "") -> None:
    """Draw planes (C, H, W) in [0, 1]: three channels as colours, others in the colours of their kind.

    ``above`` and ``below`` are texts.
    """
    image: Any = np.clip(np.moveaxis(planes.astype(np.float64), 0, -1), 0, 1)
    if image.shape[-1] == 3:
        axes.imshow(image, interpolation="nearest")
    else:
        colours = task.kind.colours
        colour_map = "gray" if colours in ("rgb", "labels") else colours
        axes.imshow(image[..., 0], cmap=colour_map, vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if above:
        axes.set_title(above, fontsize=9)
    if below:
        axes.set_xlabel(below, fontsize=8, labelpad=2)
