"""Images of one scene: files to arrays in their original dtype."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from mtcodec.errors import SceneError
from mtcodec.files.images import read_with_alpha
from mtcodec.files.naming import MAX_NAME
from mtcodec.files.notes import Note, ignore
from mtcodec.files.search import SceneFiles
from mtcodec.files.sources import ImageSource, MissingSource, size_of
from mtcodec.signals.mapping import Array
from mtcodec.tasks import USUAL, Declarations

Scene = dict[str, Array]
ALPHA = "_alpha"


def read_scene(
    source: SceneFiles,
    declared: Declarations = USUAL,
    tasks: Sequence[str] | None = None,
    note: Note = ignore,
) -> Scene:
    """Read the images of a scene. Alpha that is not opaque becomes a task of its own, ``rgb_alpha``.

    Args:
        source: of :func:`mtcodec.files.layouts.find_scenes` or ``scene_directory``.
        declared: tasks that are known; images of others are read as they are.
        tasks: read these only; a missing one is simply absent. None: all.
        note: takes a line about what is changed or dropped. Lines begin with the task, and are the same for
            every scene of a dataset that they hold for.

    Returns:
        Arrays by task, (H, W) for one channel, else (H, W, C), in the dtype of the file.

    Raises:
        SceneError: no image, an unreadable one, or images of several sizes.
    """
    scene: Scene = {}
    paths: dict[str, ImageSource] = {}
    for name, path in source.files.items():
        own_alpha = name[: MAX_NAME - len(ALPHA)] + ALPHA
        if tasks is not None and name not in tasks and own_alpha not in tasks:
            continue
        try:
            image, alpha = read_with_alpha(path, name, declared.get(name), note)
        except MissingSource:
            note(f"{name}: there is none")
            continue
        if tasks is None or name in tasks:
            scene[name], paths[name] = image, path
        if alpha is None:
            continue
        if tasks is not None and own_alpha not in tasks:
            note(f"{name}: its alpha, {own_alpha}, is left out")
        elif own_alpha in source.files:
            raise SceneError(f"its alpha is task {own_alpha}, as {source.files[own_alpha]} is", path=path)
        else:
            note(f"{name}: its alpha is kept as a task of its own, {own_alpha}")
            scene[own_alpha], paths[own_alpha] = alpha, path
    if not scene:
        wanted = "" if tasks is None else f" ({', '.join(tasks)})"
        raise SceneError(f"no image of any task{wanted}", path=source.label)
    _check_sizes(scene, paths)
    return scene


def scaled(source: SceneFiles, scene: Scene) -> dict[str, str]:
    """The units of ``source`` that hold for images of ``scene``: those of integers."""
    return {
        name: unit for name, unit in source.units.items() if name in scene and scene[name].dtype.kind in "ui"
    }


def stored(source: SceneFiles, tasks: Collection[str] | None = None) -> int:
    """Bytes on disk of the images of ``tasks``; None: of all."""
    total = 0
    for name, own in source.files.items():
        if tasks is None or name in tasks:
            with suppress(MissingSource, FileNotFoundError):
                total += size_of(own)
    return total


def _check_sizes(scene: Scene, paths: Mapping[str, ImageSource]) -> None:
    """Raise SceneError naming two files whose images differ in size."""
    first = next(iter(scene))
    height, width = scene[first].shape[:2]
    for name, image in scene.items():
        if image.shape[:2] != (height, width):
            raise SceneError(
                f"{image.shape[1]}×{image.shape[0]} pixels, but {paths[first]} has {width}×{height} "
                "(all images of a scene have one size: choose with --tasks, or resize one)",
                path=paths[name],
            )
