"""Colours, panels and pictures of the analyses' figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mtcodec.measure.figures import new_figure
from mtcodec.networks.config import SHARED
from mtcodec.signals.mapping import Array
from mtcodec.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Size = tuple[float, float]
_COLOURS = {SHARED: "#4a4e57", "rgb": "#c0392b", "depth": "#2369ad", "normal": "#2a9163"}
_FURTHER_COLOURS = ("#8a5cb0", "#d08a1d", "#1c9aa8", "#a8527a")

WEIGHTS_COLOURS = ("#c0392b", "#2369ad", "#2a9163", "#8a5cb0", "#d08a1d", "#4a4e57")


def stream_colour(name: str, streams: Sequence[str]) -> str:
    """The colour of a stream or task, the same in every figure."""
    if name in _COLOURS:
        return _COLOURS[name]
    without_colour = [stream for stream in streams if stream not in _COLOURS]
    return _FURTHER_COLOURS[without_colour.index(name) % len(_FURTHER_COLOURS)]


def panels(count: int, width: float, height: float, margins: Size) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in rows of two, which share their y axis; sizes of a panel in inches."""
    columns, rows = min(2, count), -(-count // 2)
    figure = new_figure(width * columns + margins[0], height * rows + margins[1])
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axes in grid[:count]:
        axes.tick_params(labelleft=True)
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, grid[:count]


class Picture(NamedTuple):
    """Planes (C, H, W) of a task, in [0, 1], and what stands below and above them."""

    planes: Array
    below: str
    above: str


def picture_grid(
    rows: Sequence[tuple[Task, Sequence[Picture]]], width: float, height: float, margins: Size = (0.0, 0.4)
) -> Figure:
    """A figure of pictures, in every row of one task; sizes of a picture in inches."""
    columns = len(rows[0][1])
    figure = new_figure(width * columns + margins[0], height * len(rows) + margins[1])
    for line, (task, pictures) in zip(figure.subplots(len(rows), columns, squeeze=False), rows):
        for axes, picture in zip(line, pictures):
            _show(axes, task, picture)
    return figure


def _show(axes: Axes, task: Task, picture: Picture) -> None:
    """Draw three channels as colours, others in the colours of their kind."""
    image: Any = np.clip(np.moveaxis(picture.planes.astype(np.float64), 0, -1), 0, 1)
    if image.shape[-1] == 3:
        axes.imshow(image, interpolation="nearest")
    else:
        colours = task.kind.colours
        colour_map = "gray" if colours in ("rgb", "labels") else colours
        axes.imshow(image[..., 0], cmap=colour_map, vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if picture.above:
        axes.set_title(picture.above, fontsize=9)
    if picture.below:
        axes.set_xlabel(picture.below, fontsize=8, labelpad=2)
