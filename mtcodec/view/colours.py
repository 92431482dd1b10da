"""Colours of values, of errors, of class ids, and of sections."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
"""Colours: arrays whose last axis is red, green, blue."""
Floats = npt.NDArray[np.floating]

MAPS = {
    "gray": "000000 ffffff",
    "viridis": "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
    "magma": "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 "
    "d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf",
}
"""Evenly spaced colours of a map, linear in between; two are of van der Walt and Smith (CC0)."""
VALUE_MAP, ERROR_MAP = "viridis", "magma"

SECTION_COLOURS = {
    "shared": "#6b7684",
    "header": "#b9b4aa",
    "notes": "#b9b4aa",
    "files": "#b9b4aa",
    "holes": "#948b7d",
}
TASK_COLOURS = ("#d9694f", "#2f8f8b", "#8069b8", "#c9952c", "#5d9449", "#b84f7d", "#4a80bd", "#8c6d52")

GOLDEN_RATIO = 0.61803398875
"""Hues that are this share of the circle apart never come close to each other."""
_LAB_TO_LMS = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
"""Oklab to linear sRGB, by way of cone responses (Ottosson 2020)."""


def of_task(index: int) -> str:
    """The colour of a task by its place in the file; after the last colour they begin anew."""
    return TASK_COLOURS[index % len(TASK_COLOURS)]


def table(name: str) -> Rgb:
    """(256, 3): the colours of a map from its lowest to its highest value."""
    anchors = np.array([tuple(bytes.fromhex(colour)) for colour in MAPS[name].split()], float)
    positions = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(positions, np.arange(len(anchors)), channel) for channel in anchors.T]
    colours: Rgb = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return colours


def apply_map(shares: Floats, name: str) -> Rgb:
    """Colours (H, W, 3) of shares (H, W), 0 to 1, of a map's range; others are clipped, NaN is 0."""
    colours: Rgb = table(name)[np.rint(np.clip(np.nan_to_num(shares), 0, 1) * 255).astype(np.uint8)]
    return colours


def of_ids(ids: npt.NDArray[Any]) -> Rgb:
    """(N, 3): a colour for every id, the same in every picture; 0, usually the background, is dark."""
    numbers = ids.astype(np.float64)
    hue = 2 * np.pi * np.mod(numbers * GOLDEN_RATIO, 1)
    light = np.where(numbers == 0, 0.32, 0.8 - 0.1 * np.mod(numbers, 4))
    chroma = np.where(numbers == 0, 0.0, 0.13)
    lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0, 1)
    encoded = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: Rgb = np.rint(encoded * 255).astype(np.uint8)
    return colours


def hexadecimal(colour: Rgb) -> str:
    """``#rrggbb`` of one colour (3,)."""
    return "#" + bytes(colour).hex()
