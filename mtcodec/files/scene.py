"""Images of one scene: files to arrays in their original dtype."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from mtcodec.errors import SceneError
from mtcodec.files import packed
from mtcodec.files.formats import shape_of
from mtcodec.files.formats.base import Shape
from mtcodec.files.formats.orientation import UPRIGHT, turned, turned_shape
from mtcodec.files.images import AmbiguousAxes, read_with_alpha
from mtcodec.files.notes import Note
from mtcodec.files.sources import ImageSource, MissingSource, is_present, size_of
from mtcodec.files.trees.naming import MAX_NAME_LENGTH
from mtcodec.files.trees.search import SceneFiles
from mtcodec.files.turning import orientations_to_apply
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL, Declarations, task_named

Scene = dict[str, Array]
"""Images by task."""

ALPHA_SUFFIX = "_alpha"  # of the name of a task that is the alpha of another


def read_scene(
    scene_files: SceneFiles,
    declared: Declarations = USUAL,
    tasks: Sequence[str] | None = None,
    note: Note = warn_of_loss,
) -> Scene:
    """Read the images of a scene. Alpha that is not opaque becomes a task of its own, ``rgb_alpha``.

    Args:
        scene_files: of :func:`mtcodec.files.trees.layouts.find_scenes`.
        declared: tasks that are known; images of others are read as they are.
        tasks: read these only; a missing one is simply absent. None: all. Images are turned as if all were
            read (:mod:`mtcodec.files.turning`).
        note: takes a line about what is changed or dropped. Lines begin with the task, and are the same for
            every scene of a dataset that they hold for. By default losses are warnings of Python.

    Returns:
        Arrays by task, (H, W) for one channel, else (H, W, C), in the size and dtype of the file: images of a
        scene may differ in both.

    Raises:
        SceneError: no image, or an unreadable one.
    """
    scene: Scene = {}
    sources: dict[str, ImageSource] = {}
    names_by_image = _tasks_by_image(scene_files, tasks)
    orientations = orientations_to_apply(scene_files, names_by_image, note)
    pending = list(names_by_image)
    for name in pending:
        source, alpha_name, task_names = scene_files.files[name], _alpha_name(name), names_by_image[name]
        try:
            sizes = {image.shape[:2] for image in scene.values()}
            is_last_try = pending.count(name) > 1
            image, alpha = _read_image(scene_files, name, declared, note, sizes if is_last_try else None)
        except MissingSource:
            note(Loss(f"{name}: there is none"))
            continue
        except AmbiguousAxes:
            pending.append(name)  # once more after the others, whose sizes may tell
            continue
        images = {name: turned(image, orientations.get(name, UPRIGHT))}
        if alpha is not None:
            images[alpha_name] = turned(alpha, orientations.get(name, UPRIGHT))
            _note_alpha(scene_files, name, alpha_name, alpha_name in task_names, note)
        scene |= {task: images[task] for task in task_names if task in images}
        sources |= dict.fromkeys(images, source)
    if not scene:
        names = "" if tasks is None else f" ({', '.join(tasks)})"
        raise SceneError(f"no image of any task{names}", path=scene_files.label)
    place = {source: number for number, source in enumerate(scene_files.files.values())}
    return dict(sorted(scene.items(), key=lambda item: place[sources[item[0]]]))


def _alpha_name(task: str) -> str:
    """The name of the task that the alpha of ``task`` is."""
    return task[: MAX_NAME_LENGTH - len(ALPHA_SUFFIX)] + ALPHA_SUFFIX


def tasks_of_image(name: str, tasks: Sequence[str] | None) -> list[str]:
    """Of ``tasks`` (None: all), those that the image of task ``name`` may give: itself and its alpha."""
    return [task for task in (name, _alpha_name(name)) if tasks is None or task in tasks]


def _read_image(
    scene_files: SceneFiles,
    name: str,
    declared: Declarations,
    note: Note,
    sizes: Collection[tuple[int, ...]] | None,
) -> tuple[Array, Array | None]:
    """The image of a task and its alpha, as they are stored; what is packed has none.

    ``sizes`` are those of other images of the scene, see :func:`mtcodec.files.images.read_with_alpha`.
    """
    source = scene_files.files[name]
    packing = scene_files.reading.unpack.get(name)
    if packing is not None:
        return packed.read_packed(source, name, packing, note, sizes), None
    image, alpha = read_with_alpha(source, name, task_named(name, declared), note, sizes)
    is_a_task = packed.AlphaOf(source) in scene_files.files.values()
    return image, None if is_a_task else alpha


def _tasks_by_image(scene_files: SceneFiles, tasks: Sequence[str] | None) -> dict[str, list[str]]:
    """Which of ``tasks`` the images that are to be read may hold, by the image's task."""
    names = {name: tasks_of_image(name, tasks) for name in scene_files.files}
    return {name: task_names for name, task_names in names.items() if task_names}


def read_shapes(scene_files: SceneFiles, tasks: Collection[str]) -> dict[str, Shape]:
    """Shapes of images as :func:`read_scene` turns and unpacks them, by task; those that are there.

    Only headers are read. Alpha is one of the channels, unless it is another task.

    Raises:
        SceneError: unreadable, or not an image.
    """
    shapes = {}
    orientations = orientations_to_apply(scene_files)
    for name in [name for name in tasks if name in scene_files.files]:
        with suppress(MissingSource):
            shape = shape_of(scene_files.files[name])
            if packed.AlphaOf(scene_files.files[name]) in scene_files.files.values():
                shape = shape._replace(channels=shape.channels - 1)
            if name in scene_files.reading.unpack:
                shape = packed.values_shape(scene_files.reading.unpack[name], shape)
            shapes[name] = turned_shape(shape, orientations.get(name, UPRIGHT))
    return shapes


def _note_alpha(scene_files: SceneFiles, name: str, alpha_name: str, is_wanted: bool, note: Note) -> None:
    """Say what becomes of the alpha of task ``name``; SceneError if its name is that of another task."""
    if not is_wanted:
        note(Loss(f"{name}: its alpha, {alpha_name}, is left out"))
        return
    if alpha_name in scene_files.files:
        message = f"its alpha is task {alpha_name}, as {scene_files.files[alpha_name]} is"
        raise SceneError(message, path=scene_files.files[name])
    note(f"{name}: its alpha is kept as a task of its own, {alpha_name}")


def with_present_images(scene_files: SceneFiles) -> SceneFiles:
    """``scene_files`` without images that are not there, for those who tell of these themselves."""
    present = {name: source for name, source in scene_files.files.items() if is_present(source)}
    return replace(scene_files, files=present)


def layout_units(scene_files: SceneFiles, scene: Scene) -> dict[str, str]:
    """By task, the units that the layout defines and that hold for images of ``scene``: those of integers."""
    return {
        name: unit
        for name, unit in scene_files.units.items()
        if name in scene and scene[name].dtype.kind in "ui"
    }


def bytes_on_disk(scene_files: SceneFiles, tasks: Collection[str] | None = None) -> int:
    """Bytes on disk of the images of ``tasks``; None: of all."""
    total = 0
    for name, source in scene_files.files.items():
        if tasks is None or name in tasks:
            with suppress(MissingSource, FileNotFoundError):
                total += size_of(source)
    return total
