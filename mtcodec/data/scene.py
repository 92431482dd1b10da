"""Scene directories: ``<task>.<ext>`` files to arrays in their original dtype, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mtcodec import tasks as registry
from mtcodec.data.images import SUFFIXES, read_image
from mtcodec.data.planes import Array
from mtcodec.errors import SceneError
from mtcodec.tasks import Task

Scene = dict[str, Array]


def find_images(directory: Path) -> dict[str, Path]:
    """Image files of a scene directory by stem, in order of name."""
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise SceneError(f"{directory}: cannot list it: {error.strerror}") from error
    found: dict[str, Path] = {}
    for path in entries:
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in found:
            raise SceneError(f"{path}: a second file for task {path.stem!r}, beside {found[path.stem].name}")
        found[path.stem] = path
    return found


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
                f"but {Path(sources[first]).name} has {size[1]}×{size[0]}"
            )
    return size


def read_scene(directory: Path, tasks: Iterable[Task] | None = None) -> Scene:
    """Read the images of ``directory``.

    Args:
        directory: holds ``<task>.<ext>``.
        tasks: read these and ignore other files; a missing one is simply absent. Without it every
            image is read and must be a declared task.

    Returns:
        Arrays by task, (H, W) for one channel, else (H, W, C), in the dtype of the file.
    """
    if not directory.is_dir():
        raise SceneError(f"{directory}: {'not a directory' if directory.exists() else 'no such directory'}")
    found = find_images(directory)
    if tasks is None:
        wanted: Sequence[Task] = []
        for stem, path in found.items():
            if stem not in registry.names():
                known = ", ".join(registry.names())
                raise SceneError(f"{path}: unknown task {stem!r} (known: {known})")
            wanted = [*wanted, registry.get(stem)]
    else:
        wanted = list(tasks)
    scene: Scene = {}
    sources: dict[str, str] = {}
    for task in wanted:
        if task.name in found:
            scene[task.name] = read_image(found[task.name], task)
            sources[task.name] = str(found[task.name])
    if not scene:
        raise SceneError(
            f"{directory}: no image of any task ({', '.join(t.name for t in wanted) or 'empty'})"
        )
    check_scene(scene, sources)
    return scene


def scene_directories(dataset: Path) -> list[Path]:
    """Scene directories of ``dataset``, in order of name.

    Raises:
        SceneError: it does not exist or holds none.
    """
    if not dataset.is_dir():
        raise SceneError(f"{dataset}: {'not a directory' if dataset.exists() else 'no such directory'}")
    found = [d for d in sorted(dataset.iterdir()) if d.is_dir() and not d.name.startswith(".")]
    if not found:
        raise SceneError(f"{dataset}: holds no scene directories")
    return found
