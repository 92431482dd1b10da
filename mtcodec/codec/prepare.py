"""Arrays of a scene to signals: checked, declared, their holes found. Every scene passes here once."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtcodec.codec.request import Request
from mtcodec.container import attachments
from mtcodec.container.section import MAX_PIXELS, MAX_SIDE
from mtcodec.errors import SceneError, UsageError
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import DTYPES, KINDS, Declarations, Task, task_named, units
from mtcodec.tasks.task import MAX_CHANNELS, NAME

Scene = dict[str, Array]
NO_IMAGES = "a scene without images: it must be a dictionary of arrays by task"
TINY_PIXELS = 64  # of a scene up to which everything is kept exactly, unless a coding or target is asked for


@dataclass(frozen=True)
class Prepared:
    """A scene ready for coders.

    Attributes:
        height, width: in pixels.
        signals: of all tasks.
        bounds: on errors in stored values, of tasks that are kept exactly (0) or within a bound.
        messages: lines for people about what was found.
        warnings: lines about what was assumed and may lose more than is wanted.
    """

    height: int
    width: int
    signals: dict[str, Signal]
    bounds: dict[str, float]
    messages: tuple[str, ...] = ()
    warnings: tuple[Loss, ...] = ()

    def quality_coded(self) -> dict[str, Signal]:
        """Signals of the tasks that are coded by quality: those without a bound."""
        return {name: signal for name, signal in self.signals.items() if name not in self.bounds}


def as_array(name: str, image: Any, squeeze: bool = True) -> Array:
    """An array of an image, a CPU tensor (H, W) or (H, W, C), or a PIL image; bfloat16 becomes float32.

    Args:
        squeeze: make (H, W) of (H, W, 1).

    Raises:
        SceneError: anything else.
    """
    if isinstance(image, np.ndarray):
        array = image
    elif hasattr(image, "detach") or hasattr(image, "__array_interface__") or hasattr(image, "__array__"):
        try:
            array = np.asarray(_numpys(image.detach()) if hasattr(image, "detach") else image)
        except (TypeError, RuntimeError, ValueError) as error:
            raise SceneError(f"not an image: {error}", task=name) from error
    else:
        raise SceneError(f"not an image but {type(image).__name__}", task=name)
    if array.dtype.name == "bfloat16":  # of other libraries than numpy
        array = array.astype(np.float32)
    if array.dtype.name not in DTYPES:
        raise SceneError(f"values of dtype {array.dtype} (known: {', '.join(DTYPES)})", task=name)
    if squeeze and array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.size == 0:
        hint = " (of a batch, encode each image)" if array.ndim == 4 else ""
        raise SceneError(f"not an image: an array of shape {array.shape}{hint}", task=name)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _numpys(tensor: Any) -> Any:
    """A tensor of a dtype that numpy has: float32 holds all values of bfloat16."""
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def declare(name: str, image: Array, declarations: Declarations) -> Task:
    """The declaration of an image: that of its name if it fits, else ``data``, which is kept exactly.

    Images of other channels than declared are declared anew where their kind allows that.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    if not NAME.fullmatch(name):
        raise UsageError(f"not a task name: {name!r} (lower case, digits and _)")
    if channels > MAX_CHANNELS:
        raise SceneError(f"{channels} channels", task=name)
    task = task_named(name, declarations)
    if task is None or (name not in declarations and not _fits(task, image.dtype.name, channels)):
        return Task(name, KINDS["data"], channels, DTYPES)
    if image.dtype.name not in task.dtypes and image.dtype.name not in task.kind.dtypes:
        kinds = ", ".join(task.kind.dtypes)
        hint = (
            f" ({name}:image has floats, too)"
            if task.kind.name == "color" and image.dtype.kind == "f"
            else ""
        )
        raise SceneError(
            f"{image.dtype.name} values, but a task of kind {task.kind.name} has {kinds}{hint}", task=name
        )
    if channels != task.channels:
        if task.kind.name not in ("image", "color", "categories") or channels == 2:
            hint = ""
            if task.kind.length and channels in (3, 4):
                hint = f"; values packed in colours are read with --unpack, such as {name}=rgb24:0.001"
            raise SceneError(f"{channels} channels, but the task has {task.channels}{hint}", task=name)
        task = replace(task, channels=channels)
    return task


def _fits(task: Task, dtype: str, channels: int) -> bool:
    """Could an image be of a task that its name alone says?"""
    return channels == task.channels and dtype in (*task.dtypes, *task.kind.dtypes)


def scene_items(scene: Any) -> ItemsView[Any, Any]:
    """Names and images of a scene; SceneError if it is no dictionary."""
    if not isinstance(scene, Mapping):
        raise SceneError(NO_IMAGES)
    return scene.items()


def check(scene: Mapping[str, Any]) -> Scene:
    """Arrays of a scene, all of one size.

    Raises:
        SceneError: no images, not images, or of several sizes.
    """
    arrays = {str(name): as_array(str(name), image) for name, image in scene_items(scene)}
    if not arrays:
        raise SceneError(NO_IMAGES)
    first, first_image = next(iter(arrays.items()))
    height, width = first_image.shape[:2]
    for name, image in arrays.items():
        if image.shape[:2] != (height, width):
            raise SceneError(
                f"{image.shape[1]}×{image.shape[0]} pixels, but {first} has {width}×{height}", task=name
            )
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise SceneError(f"{width}×{height} pixels are more than a file can hold")
    return arrays


def _check_range(image: Array, signal: Signal) -> None:
    """Raise SceneError for measurements that float32 cannot hold; holes may have any value."""
    if image.dtype.name != "float64":
        return
    holes = signal.pixel_format.holes
    measured = image if holes is None else image[holes.valid]
    if np.abs(measured[np.isfinite(measured)]).max(initial=0) > np.finfo(np.float32).max:
        raise SceneError("has values that float32 cannot hold", task=signal.task.name)


def prepare(scene: Mapping[str, Any], request: Request) -> Prepared:
    """Signals of a scene, and bounds on their errors; nothing is encoded.

    Raises:
        SceneError: the scene is not what its tasks declare. UsageError: the request does not fit it.
    """
    arrays = check(scene)
    tasks = {name: declare(name, image, request.tasks) for name, image in arrays.items()}
    _check_request(tasks, request)
    attachments.check(request.attach, tasks)
    bounds = _bounds(arrays, tasks, request)
    signals: dict[str, Signal] = {}
    messages: list[str] = []
    for name, image in arrays.items():
        invalid = request.invalid.get(name, ())
        signals[name] = Signal.from_image(tasks[name], image, invalid, request.usual_holes)
        _check_range(image, signals[name])
        messages += _messages(name, signals[name], request)
    height, width = next(iter(arrays.values())).shape[:2]
    warnings = (
        _unit_warning(tasks[name], image.dtype.name, request)
        for name, image in arrays.items()
        if tasks[name].kind.length and name not in request.units
    )
    return Prepared(height, width, signals, bounds, tuple(messages), tuple(filter(None, warnings)))


def _bounds(arrays: Scene, tasks: Mapping[str, Task], request: Request) -> dict[str, float]:
    """By task, how much stored values may be off; tasks with losses by quality have none."""
    requested = {
        name: units.stored(tasks[name], arrays[name].dtype.name, bound, request.units.get(name, ""))
        for name, bound in request.max_error.items()
    }
    height, width = next(iter(arrays.values())).shape[:2]
    has_target = bool(request.target_bytes or request.target_psnr)
    is_tiny = height * width <= TINY_PIXELS and request.coding == "auto" and not has_target
    return {
        name: requested.get(name, 0.0) for name in arrays if tasks[name].exact or name in requested or is_tiny
    }


def _unit_warning(task: Task, dtype: str, request: Request) -> Loss:
    """A warning where a unit that nobody tells matters: to a bound, or as 8 bits hardly hold millimetres."""
    bound = request.max_error.get(task.name, 0.0)
    unit = units.unit_of(task, dtype)
    is_length = isinstance(bound, str) and units.parse(bound)[0] > 0 and units.parse(bound)[1] != ""
    if not is_length and dtype != "uint8":
        return Loss("")
    stored = f", and the bound {bound} for {units.stored(task, dtype, bound):g} of stored values"
    return Loss(units.assumed(task.name, unit, stored if is_length else ""))


def _messages(name: str, signal: Signal, request: Request) -> list[str]:
    """What people should know of a task: it is kept exactly for want of a declaration; which values were
    recognised as holes, or could be some."""
    messages = []
    if signal.task.kind.name == "data":
        messages.append(f"{name}: nobody says what it is, so it is kept exactly (--task {name}:image)")
    holes = signal.pixel_format.holes
    negative, far = ((), ()) if holes is None else (holes.negative, holes.far)
    value_range = signal.pixel_format.value_range
    recognised: dict[str, Sequence[float]] = {
        "is negative, so" if len(negative) == 1 else "are negative, so": negative,
        "is far below all others, so": [value for value in far if value < value_range.low],
        "is taken for a far plane,": [value for value in far if value > value_range.high],
    }
    messages += [
        f"{name}: {', '.join(f'{value:g}' for value in values)} {why} without measurement (--invalid none)"
        for why, values in recognised.items()
        if values
    ]
    if signal.task.kind.positive and request.usual_holes and value_range.low < 0:
        messages.append(
            f"{name}: negative values, down to {value_range.low:g}, are kept as measurements "
            f"(--invalid {name}=… names those that are none)"
        )
    return messages


def _check_request(tasks: Mapping[str, Task], request: Request) -> None:
    """Raise UsageError for a setting of a task that the scene lacks or keeps exactly."""
    for name in request.invalid:
        if name not in tasks or tasks[name].exact:
            raise UsageError(f"holes of task {name!r}, which the scene lacks or stores exactly")
    for name in request.units:
        if name not in tasks or not tasks[name].kind.length:
            raise UsageError(f"a unit for task {name!r}, which the scene lacks or which has no lengths")
    present = set(tasks)
    with_quality = {n for n, task in tasks.items() if not task.exact and n not in request.max_error}
    for setting, by_task, allowed in (
        ("a quality", request.task_quality, with_quality),
        ("a bound", request.max_error, present),  # what is kept exactly keeps any bound
        ("a PSNR", request.target_psnr, with_quality),
    ):
        for name in by_task:
            if name not in allowed:
                raise UsageError(f"{setting} for task {name!r}, which the scene lacks or stores exactly")
