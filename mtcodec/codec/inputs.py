"""Scenes as programs and loaders have them, as stored arrays (H, W) or (H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtcodec.codec.prepare import Scene, as_array, scene_items
from mtcodec.codec.request import Request
from mtcodec.errors import SceneError, UsageError
from mtcodec.signals import axes
from mtcodec.signals.mapping import Array
from mtcodec.tasks import DTYPES, KINDS, Declarations, Task, task_named

KEY = "key"  # of a sample of an archive
LAYOUTS = ("auto", axes.LAST, axes.FIRST)
WIDENED = {"int32": "uint16", "int64": "uint32"}  # dtypes of tensors, and of what loaders make them
PLAIN_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")  # of PIL
COLOUR_DTYPES = ("uint8", "uint16")


def stored_scene(scene: Any, request: Request, layout: str = "auto") -> Scene:
    """The images of a scene as they are stored; None and the key of a sample are left out.

    Args:
        layout: of images of three dimensions. ``auto``: where the channels are is told by their number, which
            is the task's or 1, 3 or 4, and by the size of the scene's other images. PIL images are ``hwc``.
            What may be both, such as (3, 8, 3), is refused for arrays, too: samples of archives may be
            arrays with channels first.

    Raises:
        SceneError: not images, PIL images of inks or other colours than RGB, or several layouts are possible.
        UsageError: no such layout, or a bound that rounded colours cannot keep.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"layout must be {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}, not {layout!r}")
    images = {
        str(name): image
        for name, image in scene_items(scene)
        if image is not None and not (name == KEY and isinstance(image, str))
    }
    tasks = {name: task_named(name, request.tasks) or Task(name, KINDS["data"], 1, DTYPES) for name in images}
    upright = {name for name, image in images.items() if hasattr(image, "getbands")}  # PIL images
    images |= {name: _plain_picture(images[name], tasks[name]) for name in upright}
    arrays = {name: as_array(name, image, squeeze=False) for name, image in images.items()}
    arrays = _channels_last(arrays, upright, tasks, layout)
    for name, array in arrays.items():
        if not isinstance(images[name], np.ndarray):
            array = _narrowed(array, tasks[name])
        if tasks[name].kind.name == "color" and array.dtype.kind == "f":
            array = _stored_colours(array, name, is_bounded=name in request.max_error)
        arrays[name] = array
    return arrays


def _plain_picture(picture: Any, task: Task) -> Any:
    """A PIL image whose numbers are what they say; palettes give colours, or indexes where exact."""
    if picture.mode == "P" and not task.exact:
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode not in PLAIN_MODES:
        raise SceneError(
            f"a PIL image of mode {picture.mode}: convert('RGB') makes colours of it", task=task.name
        )
    return picture


# --- layouts -----------------------------------------------------------------------------------------


def _channels_last(arrays: Scene, upright: set[str], tasks: Declarations, layout: str) -> Scene:
    """Arrays (H, W) or (H, W, C) of such, or of (C, H, W)."""
    options = {
        name: [axes.LAST] if name in upright or array.ndim != 3 else _layouts(array, tasks[name], layout)
        for name, array in arrays.items()
    }
    sizes = {
        axes.size_in(arrays[name].shape, possible[0])
        for name, possible in options.items()
        if len(possible) == 1 and arrays[name].ndim > 1
    }
    result = {}
    for name, array in arrays.items():
        possible = [each for each in options[name] if axes.size_in(array.shape, each) in sizes] or options[
            name
        ]
        if len(possible) > 1:
            raise SceneError(
                f"{axes.question(array.shape)}: say layout='hwc' or layout='chw'",
                task=name,
            )
        result[name] = _upright(array, possible[0])
    return result


def _upright(array: Array, layout: str) -> Array:
    """An array with its channels last; (1, H, W), as tensors have it, is an image (H, W)."""
    is_single = layout == axes.FIRST and array.ndim == 3 and array.shape[0] == 1
    return array[0] if is_single else axes.channels_last(array, layout)


def _layouts(array: Array, task: Task, layout: str) -> list[str]:
    """The layouts that an image of three dimensions may have."""
    return axes.possible_layouts(array.shape, task) if layout == "auto" else [layout]


# --- values ------------------------------------------------------------------------------------------


def _narrowed(array: Array, task: Task) -> Array:
    """The dtype that a loader widened for torch, which hardly computes with unsigned integers.

    What is kept exactly keeps its dtype, too; of other tasks the dtype says which values are holes.
    """
    dtype = WIDENED.get(array.dtype.name)
    if dtype is None or task.exact or dtype not in (*task.dtypes, *task.kind.dtypes):
        return array
    fits = array.min() >= 0 and array.max() <= np.iinfo(dtype).max
    return array.astype(dtype) if fits else array


def _stored_colours(colours: Array, name: str, is_bounded: bool) -> Array:
    """Colours 0 to 1 as uint8, or as uint16 where they are steps of 1/65535 and not of 1/255.

    Others are rounded to uint8.
    """
    low, high = float(colours.min()), float(colours.max())
    margin = 0.5 / 255  # what interpolation may add
    if not (-margin <= low and high <= 1 + margin):
        raise SceneError(
            f"float colours go from 0 to 1, not from {low:.4g} to {high:.4g}: undo their normalisation, give "
            f"uint8, or keep floats with tasks={{{name!r}: 'image'}}", task=name,
        )  # fmt: skip
    unit = np.clip(colours.astype(np.float64), 0, 1)
    for dtype in COLOUR_DTYPES:
        levels = np.iinfo(dtype).max
        rounded = np.rint(unit * levels)
        tolerance = levels * float(np.finfo(colours.dtype.name).eps)
        if tolerance < 0.4 and np.abs(unit * levels - rounded).max() <= tolerance:
            return rounded.astype(dtype)
    if is_bounded:
        raise UsageError(
            "its floats are no steps of 1/255 or 1/65535, to which colours are rounded: keep floats "
            f"with tasks={{{name!r}: 'image'}}", task=name,
        )  # fmt: skip
    return np.rint(unit * 255).astype(np.uint8)
