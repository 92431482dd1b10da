"""Images of one scene: files to arrays in their original dtype, and what they must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mtcodec.errors import SceneError
from mtcodec.files.images import read_image
from mtcodec.files.layouts import SceneFiles
from mtcodec.signal.mapping import Array
from mtcodec.tasks import task as registry
from mtcodec.tasks.task import Task

Scene = dict[str, Array]


def check_image(task: Task, image: Array, source: str) -> None:
    """Raise :class:`SceneError` naming ``source`` unless ``image`` is what ``task`` declares."""
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
        raise SceneError(f"{source}: not an image: an array of shape {np.shape(image)}")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels != task.channels:
        raise SceneError(f"{source}: {channels} channels, but task {task.name} has {task.channels}")
    if image.size == 0:
        raise SceneError(f"{source}: an image of {image.shape[1]}×{image.shape[0]} pixels")
    if image.dtype.name not in task.dtypes:
        raise SceneError(
            f"{source}: {image.dtype.name} values, but task {task.name} takes {', '.join(task.dtypes)}"
        )
    if image.dtype.name == "float64" and (np.abs(image[np.isfinite(image)]) > np.finfo(np.float32).max).any():
        raise SceneError(f"{source}: has values that float32 cannot hold")


def check_scene(
    scene: Scene, sources: Mapping[str, str] | None = None, declared: Mapping[str, Task] | None = None
) -> tuple[int, int]:
    """Check every image of a scene against its task's declaration; return (height, width).

    Declarations in ``declared`` go before the registered ones.
    """
    sources = sources or {name: f"task {name}" for name in scene}
    if not scene:
        raise SceneError("a scene without images")
    first = ""
    size = (0, 0)
    for name, image in scene.items():
        task = (declared or {}).get(name) or registry.get(name)
        check_image(task, image, sources[name])
        if not first:
            first, size = name, (image.shape[0], image.shape[1])
        elif image.shape[:2] != size:
            raise SceneError(
                f"{sources[name]}: {image.shape[1]}×{image.shape[0]} pixels, "
                f"but {sources[first]} has {size[1]}×{size[0]}"
            )
    return size


def read_scene(source: SceneFiles, tasks: Iterable[Task] | None = None) -> Scene:
    """Read the images of a scene.

    Args:
        source: of :func:`mtcodec.files.layouts.find_scenes` or ``scene_directory``.
        tasks: read these and ignore other files; a missing one is simply absent. Without it every
            image is read and must be of a declared task.

    Returns:
        Arrays by task, (H, W) for one channel, else (H, W, C), in the dtype of the file.
    """
    if tasks is None:
        for name, path in source.files.items():
            if name not in registry.names():
                known = ", ".join(registry.names())
                raise SceneError(f"{path}: unknown task {name!r} (known: {known})")
        tasks = map(registry.get, source.files)
    wanted = list(tasks)
    present = [task for task in wanted if task.name in source.files]
    if not present:
        names = ", ".join(task.name for task in wanted) or "empty"
        raise SceneError(f"{source.label}: no image of any task ({names})")
    scene = {task.name: read_image(source.files[task.name], task) for task in present}
    check_scene(scene, {name: str(source.files[name]) for name in scene})
    return scene
