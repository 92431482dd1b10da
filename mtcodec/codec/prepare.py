"""Arrays of a group to signals: checked, declared, their holes found. Every group passes here once."""

from __future__ import annotations

import math
from collections.abc import Collection, ItemsView, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from mtcodec.codec.request import Request
from mtcodec.codec.timeline import Timeline
from mtcodec.container import attachments
from mtcodec.container.section import IMAGE, MAX_PIXELS, MAX_SIDE, NUMBERS, Size, largest
from mtcodec.errors import SceneError, UsageError
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import DTYPES, KINDS, Declarations, Task, task_named, units
from mtcodec.tasks.task import MAX_CHANNELS, NAME

Scene = dict[str, Array]
NO_IMAGES = "a scene without images: it must be a dictionary of arrays by task"
TINY_PIXELS = 64  # of an image up to which everything is kept exactly, unless a coding or target is asked for


@dataclass(frozen=True)
class Prepared:
    """A scene, or several frames, ready for coders.

    Attributes:
        signals: of all tasks; images of several frames lie one below the other.
        shapes: by task, those of its arrays, if they are no images: of
            :data:`mtcodec.container.section.SHAPES`.
        frame_count: of the group.
        frames_of: by task, the numbers of the frames that it has.
        timeline: names and times of the frames; None of a scene.
        bounds: on errors in stored values, of tasks that are kept exactly (0) or within a bound.
        messages: lines for people about what was found.
        warnings: lines about what was assumed and may lose more than is wanted.
    """

    signals: dict[str, Signal]
    bounds: dict[str, float]
    shapes: Mapping[str, str] = field(default_factory=dict)
    frame_count: int = 1
    frames_of: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    timeline: Timeline | None = None
    messages: tuple[str, ...] = ()
    warnings: tuple[Loss, ...] = ()

    def quality_coded(self) -> dict[str, Signal]:
        """Signals of the tasks that are coded by quality: those without a bound."""
        return {name: signal for name, signal in self.signals.items() if name not in self.bounds}

    def size_of(self, name: str) -> Size:
        """Height and width of the images of a task."""
        signal = self.signals[name]
        return signal.height // signal.frame_count, signal.width

    @property
    def pixels(self) -> int:
        """Of the largest image, over all frames: what bits per pixel are counted by."""
        size = largest({name: self.size_of(name) for name in self.signals}, self.shapes)
        return math.prod(size) * self.frame_count

    def present(self, name: str) -> tuple[bool, ...]:
        """By frame, whether a task has it."""
        return tuple(frame in self.frames_of[name] for frame in range(self.frame_count))


def as_array(name: str, image: Any, squeeze: bool = True) -> Array:
    """An array of an image, a CPU tensor (H, W) or (H, W, C), or a PIL image; bfloat16 becomes float32.

    Numbers, () or (W,), are arrays as they are.

    Args:
        squeeze: make (H, W) of (H, W, 1), and of numbers.

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
    if squeeze and array.ndim < 2:
        array = array.reshape(1, -1)
    if array.ndim > 3 or array.size == 0:
        hint = " (of a batch, encode each image)" if array.ndim == 4 else ""
        raise SceneError(f"not an image: an array of shape {array.shape}{hint}", task=name)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native) if native.ndim else native


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
    """Arrays of a scene, each (H, W) or (H, W, C); numbers are images of one row.

    Raises:
        SceneError: no images, not images, or too large ones.
    """
    arrays = {str(name): as_array(str(name), image) for name, image in scene_items(scene)}
    if not arrays:
        raise SceneError(NO_IMAGES)
    for name, image in arrays.items():
        height, width = image.shape[:2]
        if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise SceneError(f"{width}×{height} pixels are more than a file can hold", task=name)
    return arrays


def largest_size(scene: Mapping[str, Any], numbers: Collection[str] = ()) -> Size:
    """Height and width of the largest image of a scene, whose pixels bits per pixel are counted by.

    Args:
        numbers: tasks that are no images, besides those of less than two dimensions.
    """
    sizes = {name: (image.shape[0], image.shape[1]) for name, image in check(scene).items()}
    return largest(sizes, {name: _shape_of(name, scene[name], numbers) for name in sizes})


def _shape_of(name: str, image: Any, numbers: Collection[str]) -> str:
    """What the arrays of a task are; numbers are those that are named, or of less than two dimensions."""
    shape: tuple[int, ...] = getattr(image, "shape", (1, 1))
    if name in numbers and len(shape) > 2:
        raise SceneError(f"numbers of {len(shape)} dimensions, but at most 2 are stored", task=name)
    if len(shape) == 3:
        return "channel" if shape[2] == 1 else IMAGE
    if len(shape) == 2:
        return "table" if name in numbers else IMAGE
    return "row" if len(shape) == 1 else "number"


def _stacked(
    frames: Sequence[Mapping[str, Any]], numbers: Collection[str]
) -> tuple[Scene, dict[str, str], dict[str, tuple[int, ...]]]:
    """Images of frames one below the other, their shapes, and the frames that have them, by task.

    Raises:
        SceneError: images of a task differ in shape or dtype, or are too many for a group.
    """
    images: dict[str, list[Array]] = {}
    shapes: dict[str, str] = {}
    frames_of: dict[str, tuple[int, ...]] = {}
    for number, frame in enumerate(frames):
        for name, image in check(frame).items():
            shape = _shape_of(name, frame[name], numbers)
            of_task = images.setdefault(name, [])
            of_task.append(image)
            first, first_shape = of_task[0], shapes.setdefault(name, shape)
            if (image.shape, image.dtype, shape) != (first.shape, first.dtype, first_shape):
                raise SceneError(
                    f"{image.dtype} {image.shape} in a frame, but {first.dtype} {first.shape} before",
                    task=name,
                )
            frames_of[name] = (*frames_of.get(name, ()), number)
    for name, of_task in images.items():
        if len(frames) * of_task[0].shape[0] * of_task[0].shape[1] > MAX_PIXELS:
            raise SceneError("more pixels than a group can hold: smaller groups", task=name)
    whole = {
        name: of_task[0] if len(of_task) == 1 else np.concatenate(of_task) for name, of_task in images.items()
    }
    return whole, shapes, frames_of


class Facts(NamedTuple):
    """What of a task stays in a sequence."""

    dtype: str
    channels: int
    shape: str
    height: int
    width: int

    def __str__(self) -> str:
        channels = f"×{self.channels}" if self.channels > 1 else ""
        return f"{self.dtype} {self.width}×{self.height}{channels}{self.shape and ' ' + self.shape}"


def facts_of(frame: Mapping[str, Any], request: Request) -> dict[str, Facts]:
    """The facts of a frame's images.

    Raises:
        SceneError: the images are not what their tasks declare. UsageError: not a name of a task.
    """
    arrays, shapes, _ = _stacked([frame], request.numbers)
    tasks = _declared(arrays, shapes, request)
    return {
        name: Facts(image.dtype.name, tasks[name].channels, shapes[name], *image.shape[:2])
        for name, image in arrays.items()
    }


def _declared(arrays: Scene, shapes: Mapping[str, str], request: Request) -> dict[str, Task]:
    return {
        name: _declare_numbers(name, shapes[name], request.tasks)
        if shapes[name] in NUMBERS
        else declare(name, image, request.tasks)
        for name, image in arrays.items()
    }


def _check_range(image: Array, signal: Signal) -> None:
    """Raise SceneError for measurements that float32 cannot hold; holes and exact tasks may have any."""
    if image.dtype.name != "float64" or signal.task.exact:
        return
    holes = signal.pixel_format.holes
    measured = image if holes is None else image[holes.valid]
    if np.abs(measured[np.isfinite(measured)]).max(initial=0) > np.finfo(np.float32).max:
        raise SceneError("has values that float32 cannot hold", task=signal.task.name)


def prepare(
    frames: Sequence[Mapping[str, Any]], request: Request, timeline: Timeline | None = None
) -> Prepared:
    """Signals of a scene, or of several frames, and bounds on their errors; nothing is encoded.

    Args:
        timeline: of frames; None for a scene.

    Raises:
        SceneError: the images are not what their tasks declare. UsageError: the request does not fit them.
    """
    if timeline is not None:
        timeline.check(len(frames))
    arrays, shapes, frames_of = _stacked(frames, request.numbers)
    tasks = _declared(arrays, shapes, request)
    _check_request(tasks, request)
    attachments.check(request.attach, tasks)
    bounds = _bounds(arrays, tasks, request, len(frames))
    signals: dict[str, Signal] = {}
    messages: list[str] = []
    for name, image in arrays.items():
        invalid = request.invalid.get(name, ())
        signals[name] = Signal.from_image(
            tasks[name], image, invalid, request.usual_holes, len(frames_of[name])
        )
        _check_range(image, signals[name])
        messages += [] if shapes[name] in NUMBERS else _messages(name, signals[name], request)
    warnings = (
        _unit_warning(tasks[name], image.dtype.name, request)
        for name, image in arrays.items()
        if tasks[name].kind.length and name not in request.units
    )
    return Prepared(
        signals, bounds, {name: shape for name, shape in shapes.items() if shape != IMAGE}, len(frames),
        frames_of, timeline, tuple(messages), tuple(filter(None, warnings)),
    )  # fmt: skip


def task_of(name: str, image: Any, request: Request) -> Task:
    """The declaration of an image as it comes, or of numbers.

    Raises:
        SceneError: it is not what its task declares. UsageError: not a name of a task.
    """
    shape = _shape_of(name, image, request.numbers)
    if shape in NUMBERS:
        return _declare_numbers(name, shape, request.tasks)
    return declare(name, as_array(name, image), request.tasks)


def _declare_numbers(name: str, shape: str, declarations: Declarations) -> Task:
    """The declaration of numbers, which are kept exactly."""
    if name in declarations and not declarations[name].exact:
        raise SceneError(f"a {shape} of numbers, but the task has images", task=name)
    if not NAME.fullmatch(name):
        raise UsageError(f"not a task name: {name!r} (lower case, digits and _)")
    return Task(name, KINDS["data"], 1, DTYPES)


def _bounds(arrays: Scene, tasks: Mapping[str, Task], request: Request, frame_count: int) -> dict[str, float]:
    """By task, how much stored values may be off; tasks with losses by quality have none."""
    requested = {
        name: units.stored(tasks[name], arrays[name].dtype.name, bound, request.units.get(name, ""))
        for name, bound in request.max_error.items()
    }
    has_target = bool(request.target_bytes or request.target_psnr)
    may_keep_tiny = request.coding == "auto" and not has_target and frame_count == 1
    tiny = {
        name for name, image in arrays.items() if may_keep_tiny and math.prod(image.shape[:2]) <= TINY_PIXELS
    }
    return {
        name: requested.get(name, 0.0)
        for name in arrays
        if tasks[name].exact or name in requested or name in tiny
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
