"""How the values of a task become colours, and the legend of its ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mtcodec.signals import mapping
from mtcodec.signals.mapping import Array, ValueRange
from mtcodec.signals.signal import Signal
from mtcodec.view import colours
from mtcodec.view.colours import Floats, Rgb
from mtcodec.view.pictures import resize_mean, resize_nearest
from mtcodec.view.scales import Scale, sample, scale_of_values

TAIL_PERCENT = 2.0  # of the values at either end are beyond a range
MAX_LEGEND_IDS = 16


@dataclass(frozen=True)
class Label:
    """An id, its colour, and the share of pixels that have it."""

    id: int
    colour: str
    share: float


@dataclass(frozen=True)
class Style:
    """How the original and the decoded image of a task are both rendered.

    Attributes:
        rendering: ``colours`` (three channels are red, green, blue), ``map`` (one channel, through a colour
            map) or ``labels`` (a colour for every id).
        limits: the values that are darkest and brightest.
        scale: of a map.
    """

    rendering: Literal["colours", "map", "labels"]
    limits: ValueRange
    scale: Scale | None = None


def style_of(signal: Signal, unit: str) -> Style:
    """The style of a task, by one of its images; ``unit``: the length of a stored step, or ""."""
    kind, image = signal.task.kind, signal.original
    if kind.colours == "labels":
        if image.ndim == 2:
            return Style("labels", ValueRange(0, 1))
        return Style("colours", mapping.whole_range(image.dtype.name))
    limits = _limits(signal)
    if image.ndim == 3 and image.shape[2] >= 3:
        return Style("colours", limits)
    colour_map = colours.VALUE_MAP if kind.colours == "viridis" else "gray"
    return Style("map", limits, scale_of_values(colour_map, limits, signal, unit))


def _limits(signal: Signal) -> ValueRange:
    """The values that are darkest and brightest: all of the dtype or kind, or those of nearly all pixels."""
    kind, dtype = signal.task.kind, signal.original.dtype.name
    if kind.unit_vectors and signal.pixel_format.value_range.span > 0:
        return signal.pixel_format.value_range
    if kind.name == "color" or (kind.name == "image" and dtype == "uint8") or dtype == "bool":
        return mapping.whole_range(dtype)
    values = sample(signal.original, signal.valid)
    values = values[np.isfinite(values)]
    if not values.size:
        return ValueRange(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, [TAIL_PERCENT, 100 - TAIL_PERCENT]))
    return ValueRange(low, high, signal.pixel_format.value_range.mapping if low > 0 else "linear")


def render(style: Style, image: Array, shape: tuple[int, int]) -> Rgb:
    """Colours (h, w, 3) of an image (H, W) or (H, W, C) whose holes are filled; ``shape`` is (h, w)."""
    if style.rendering == "labels":
        ids, indices = np.unique(resize_nearest(image, shape), return_inverse=True)
        return colours.of_ids(ids)[indices.reshape(shape)]
    if style.scale is not None:
        plane = image if image.ndim == 2 else image[..., 0]
        return colours.apply_map(resize_mean(_shares(plane, style.limits), shape), style.scale.colour_map)
    shares = resize_mean(_shares(image[..., :3], style.limits), shape)
    if image.dtype.kind == "f" and style.limits.low >= 0:  # linear light
        shares = np.clip(shares, 0, 1) ** (1 / 2.2)
    return np.rint(np.clip(np.nan_to_num(shares), 0, 1) * 255).astype(np.uint8)


def _shares(values: Array, limits: ValueRange) -> Floats:
    """Where values lie between the limits: 0 at the lower, 1 at the upper one."""
    positions = values.astype(np.float32)
    if limits.mapping == "logarithmic":
        positions = np.log(np.maximum(positions, limits.low))
        limits = ValueRange(float(np.log(limits.low)), float(np.log(limits.high)))
    return (positions - np.float32(limits.low)) / np.float32(limits.span or 1.0)


def legend(image: Array) -> tuple[list[Label], int]:
    """The ids of most pixels, in order of ids, and how many more ids there are."""
    return legend_of(*np.unique(image, return_counts=True))


def legend_of(ids: npt.NDArray[Any], counts: npt.NDArray[np.integer]) -> tuple[list[Label], int]:
    """The same of ids (N,) in ascending order and the numbers (N,) of pixels that have them."""
    listed = np.sort(np.argsort(-counts, kind="stable")[:MAX_LEGEND_IDS])
    labels = [
        Label(int(ids[k]), colours.hexadecimal(colour), float(counts[k] / counts.sum()))
        for k, colour in zip(listed, colours.of_ids(ids[listed]))
    ]
    return labels, len(ids) - len(labels)
