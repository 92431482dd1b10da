"""Parts that all figures are made of; matplotlib is imported when one is drawn."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from mtcodec import extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def require_matplotlib(what: str = "drawing") -> None:
    """Raise :class:`mtcodec.errors.DependencyError` where matplotlib, which ``what`` needs, is missing."""
    extras.load("matplotlib.figure", what, "evaluate")


def new_figure(width: float, height: float, dpi: int = 130) -> Figure:
    """An empty figure of that many inches."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout="constrained")


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


def log_ticks(axes: Axes, axis: Literal["x", "y"]) -> None:
    """Ticks at 1, 2 and 5 of every decade of a logarithmic axis, whose limits are set."""
    low, high = getattr(axes, f"get_{axis}lim")()
    ticks = [m * 10.0**e for e in range(-5, 4) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    getattr(axes, f"set_{axis}ticks")(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
