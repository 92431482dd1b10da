"""Images of one scene: files to arrays in their original dtype."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from mtcodec.errors import SceneError
from mtcodec.files.images import read_with_alpha
from mtcodec.files.naming import MAX_NAME_LENGTH
from mtcodec.files.notes import Note
from mtcodec.files.search import SceneFiles
from mtcodec.files.sources import ImageSource, MissingSource, size_of
from mtcodec.messages import Loss, warn_of_loss
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL, Declarations

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
        scene_files: of :func:`mtcodec.files.layouts.find_scenes`.
        declared: tasks that are known; images of others are read as they are.
        tasks: read these only; a missing one is simply absent. None: all.
        note: takes a line about what is changed or dropped. Lines begin with the task, and are the same for
            every scene of a dataset that they hold for. By default losses are warnings of Python.

    Returns:
        Arrays by task, (H, W) for one channel, else (H, W, C), in the dtype of the file.

    Raises:
        SceneError: no image, an unreadable one, or images of several sizes.
    """
    scene: Scene = {}
    sources: dict[str, ImageSource] = {}
    for name, source in scene_files.files.items():
        alpha_name = name[: MAX_NAME_LENGTH - len(ALPHA_SUFFIX)] + ALPHA_SUFFIX
        task_names = [task for task in (name, alpha_name) if tasks is None or task in tasks]
        if not task_names:
            continue
        try:
            image, alpha = read_with_alpha(source, name, declared.get(name), note)
        except MissingSource:
            note(Loss(f"{name}: there is none"))
            continue
        images = {name: image}
        if alpha is not None:
            images[alpha_name] = alpha
            _note_alpha(scene_files, name, alpha_name, alpha_name in task_names, note)
        scene |= {task: images[task] for task in task_names if task in images}
        sources |= dict.fromkeys(images, source)
    if not scene:
        names = "" if tasks is None else f" ({', '.join(tasks)})"
        raise SceneError(f"no image of any task{names}", path=scene_files.label)
    _check_sizes(scene, sources)
    return scene


def _note_alpha(scene_files: SceneFiles, name: str, alpha_name: str, is_wanted: bool, note: Note) -> None:
    """Say what becomes of the alpha of task ``name``; SceneError if its name is that of another task."""
    if not is_wanted:
        note(Loss(f"{name}: its alpha, {alpha_name}, is left out"))
        return
    if alpha_name in scene_files.files:
        message = f"its alpha is task {alpha_name}, as {scene_files.files[alpha_name]} is"
        raise SceneError(message, path=scene_files.files[name])
    note(f"{name}: its alpha is kept as a task of its own, {alpha_name}")


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


def _check_sizes(scene: Scene, sources: Mapping[str, ImageSource]) -> None:
    """Raise SceneError naming two files whose images differ in size."""
    first = next(iter(scene))
    height, width = scene[first].shape[:2]
    for name, image in scene.items():
        if image.shape[:2] != (height, width):
            raise SceneError(
                f"{image.shape[1]}×{image.shape[0]} pixels, but {sources[first]} has {width}×{height} "
                "(all images of a scene have one size: choose with --tasks, or resize one)",
                path=sources[name],
            )
