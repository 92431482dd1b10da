"""Layouts of datasets: which image files make up each scene.

:func:`find_scenes` tells four apart; where several fit, the first counts:

1. One scene: images named after tasks. ``rgb.png depth.png``
2. TUM RGB-D: as 3, but ``rgb`` and ``depth`` were taken at times of their own, see
   :mod:`mtcodec.files.association`. ``rgb/1305031102.175304.png depth/1305031102.160407.png``
3. Directories named after tasks; equal paths in them, up to the suffix, are one scene.
   ``rgb/train/0001.jpg depth/train/0001.png`` is ``train/0001``. Names of Taskonomy and Omnidata stand for
   our tasks, and the end that says the task is cut off their files:
   ``depth_zbuffer/allensville/point_0_view_1_domain_depth_zbuffer.png`` is ``allensville/point_0_view_1``.
4. Directories that are scenes as in 1. ``0001/rgb.png 0001/depth.png``

Other directories, files that are no images, and everything hidden are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import association
from mtcodec.files.listing import Files, add, require_directory, scan, walk
from mtcodec.tasks import task as registry

ALIASES = {"depth_zbuffer": "depth", "segment_semantic": "semantic"}
FALLBACKS = {"depth_euclidean": "depth"}  # where no other directory has images of the task
_DOMAIN = re.compile(r"(point_\d+_view_\d+)_domain_\w+")

LeftOut = Callable[[Path, int], None]
"""Called with a dataset and the number of its images that belong to no scene."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        key: its name in its dataset: a relative path with ``/`` and without ``..``.
        files: by task; all images of a scene directory by stem, which need not be known tasks.
        label: what messages call the scene.
    """

    key: str
    files: dict[str, Path]
    label: str


def find_scenes(dataset: Path, left_out: LeftOut = lambda dataset, count: None) -> list[SceneFiles]:
    """The scenes of ``dataset``, in order of their keys; opens no image.

    Tasks are those that are registered by now. ``left_out`` is called where images have no partner in time.

    Raises:
        SceneError: not a directory, no layout fits, or two files for one task of a scene.
    """
    require_directory(dataset)
    images, directories = scan(str(dataset))
    if _is_scene(images):
        return [_scene(dataset, images)]
    by_task = _by_task(dataset, directories)
    if by_task and association.applies(dataset, by_task):
        by_task, count = association.associate(dataset, by_task)
        if count:
            left_out(dataset, count)
    found = _join(dataset, by_task) or _scene_directories(dataset, directories)
    if not found:
        known = ", ".join(dict.fromkeys((*registry.names(), *ALIASES, *FALLBACKS)))
        raise SceneError(
            f"{dataset}: no scenes found: looked for images or directories of images named after tasks "
            f"({known}), and for directories with images so named"
        )
    return found


def scene_directory(directory: Path) -> SceneFiles:
    """``directory`` as one scene, whatever its images are called."""
    require_directory(directory)
    return _scene(directory, scan(str(directory))[0])


def _is_scene(images: Sequence[tuple[str, str]]) -> bool:
    known = set(registry.names())
    return any(stem in known for stem, _ in images)


def _scene(directory: Path, images: Sequence[tuple[str, str]]) -> SceneFiles:
    files: Files = {}
    for stem, path in images:
        add(files, stem, path, stem)
    name = directory.name if directory.name not in ("", "..") else directory.resolve().name
    return SceneFiles(name or "root", {stem: Path(path) for stem, path in files.items()}, str(directory))


def _scene_directories(dataset: Path, names: Sequence[str]) -> list[SceneFiles]:
    listed = ((dataset / name, scan(str(dataset / name))[0]) for name in names)
    return [_scene(directory, images) for directory, images in listed if _is_scene(images)]


def _by_task(dataset: Path, names: Sequence[str]) -> dict[str, Files]:
    """Images of the directories that stand for tasks, by key; in order of tasks, without empty ones."""
    known = registry.names()
    found: dict[str, Files] = {}
    for name in sorted(names, key=lambda name: name in FALLBACKS):
        task = name if name in known else ALIASES.get(name) or FALLBACKS.get(name)
        if task is None or (name != task and name in FALLBACKS and task in found):
            continue
        for prefix, stem, path in walk(str(dataset / name)):
            domain = _DOMAIN.fullmatch(stem)
            key = prefix + (domain[1] if domain else stem)
            add(found.setdefault(task, {}), key, path, task)
    return dict(sorted(found.items()))


def _join(dataset: Path, by_task: dict[str, Files]) -> list[SceneFiles]:
    scenes: dict[str, dict[str, Path]] = {}
    for task, files in sorted(by_task.items()):
        for key, path in files.items():
            scenes.setdefault(key, {})[task] = Path(path)
    return [SceneFiles(key, files, f"{dataset}: scene {key}") for key, files in sorted(scenes.items())]
