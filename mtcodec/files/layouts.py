"""Layouts of datasets: which image files make up each scene.

:func:`find_scenes` tells these apart; where several fit, the first counts. Files of several images are
scenes wherever they lie (:mod:`mtcodec.files.layered`), and so is what a tar or Parquet file holds, where
nothing else is found (:mod:`mtcodec.files.tar`, :mod:`mtcodec.files.tables`).

1. One scene: images named after tasks. ``rgb.png depth.png``
2. Trees of well-known datasets, see :mod:`mtcodec.files.trees`.
3. TUM RGB-D: as 4, but ``rgb`` and ``depth`` were taken at times of their own, see
   :mod:`mtcodec.files.association`. ``rgb/1305031102.175304.png depth/1305031102.160407.png``
4. Directories named after tasks (:mod:`mtcodec.files.task_directories`); equal paths in them, up to the
   suffix, are one scene. ``rgb/train/0001.jpg depth/train/0001.png`` is ``train/0001``. What tells the task
   in the names of files is cut off:
   ``depth_zbuffer/allensville/point_0_view_1_domain_depth_zbuffer.png`` is ``allensville/point_0_view_1``.
   Other directories with images of such paths are tasks of their own.
5. Directories that are scenes as in 1 (:mod:`mtcodec.files.scene_directories`). ``0001/rgb.png
   0001/depth.png`` Or images with the names of a scene and a task, in the dataset or its directories.
   ``0001_rgb.png 0001_depth.png``

What names mean is told by :mod:`mtcodec.files.naming`. All images of a scene are its tasks, declared or not.
What is left out is named in a note, but for what is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import layered, scene_directories, tables, tar, task_directories, trees
from mtcodec.files.attachments import attach as attach_files
from mtcodec.files.attachments import attached_paths
from mtcodec.files.listing import Listing, require_directory, walk
from mtcodec.files.notes import Note, ignore, list_names
from mtcodec.files.search import SceneFiles, Search
from mtcodec.tasks import USUAL, Declarations

__all__ = ["SCENE_FILE_SUFFIXES", "SceneFiles", "find_scenes"]

SCENE_FILE_SUFFIXES = (*layered.SUFFIXES, tar.SUFFIX, tables.SUFFIX)  # of files that may hold scenes


def find_scenes(
    dataset: Path,
    declared: Declarations = USUAL,
    names: Mapping[str, str] = {},
    note: Note = ignore,
    attach: Sequence[str] = (),
) -> list[SceneFiles]:
    """The scenes of ``dataset``, in order of their keys; opens no image.

    Args:
        declared: tasks that are known by name.
        names: tasks by names of files (without suffix) or directories.
        note: takes a line about every name that means something else, and about what is left out.
        attach: names of other files to keep, see :func:`mtcodec.files.attachments.attach`.

    Raises:
        SceneError: neither a directory nor a file of scenes, no layout fits, or two files for one task of a
            scene.
        UsageError: ``names`` gives a name that no task can have.
    """
    search = Search(dataset, declared, names, note)
    scenes = _find_in_file(search) if dataset.is_file() else _joined(_find_in_directory(search))
    if attach:
        scenes = [attach_files(scene, attach) for scene in scenes]
        search.use_files(attached_paths(scenes))
    search.note_left_out()
    return sorted(scenes, key=lambda scene: scene.key)


def _find_in_file(search: Search) -> list[SceneFiles]:
    """Scenes of a dataset that is one file."""
    path = search.dataset
    if path.suffix.lower() not in SCENE_FILE_SUFFIXES:
        raise SceneError(
            f"not a directory, nor a file of scenes or of several images ({', '.join(SCENE_FILE_SUFFIXES)})",
            path=path,
        )
    if path.suffix.lower() in layered.SUFFIXES:
        scene = layered.scene_of(search, path.stem, str(path))
        if scene is None:
            raise SceneError("it does not hold several images, as a scene does", path=path)
        return [scene]
    scenes = _find_in_container(search, path)
    if not scenes:
        raise SceneError("no scenes found: it holds no images that are named after tasks", path=path)
    return scenes


def _find_in_directory(search: Search) -> list[SceneFiles]:
    """Scenes of a directory; files that hold scenes count where nothing else is found."""
    require_directory(search.dataset)
    root = search.scan(str(search.dataset))
    scenes = _find_by_layout(search, root)
    if not scenes:
        search.misfits.clear()
        search.other_files.clear()
        scenes = _find_in_containers(search)
    if not scenes:
        raise SceneError(_nothing_found(root, search.naming.declared), path=search.dataset)
    return scenes


def _joined(scenes: Sequence[SceneFiles]) -> list[SceneFiles]:
    """Scenes of equal keys and different tasks are one: ``0001_rgb.png`` and ``0001.npz``."""
    by_key: dict[str, SceneFiles] = {}
    others: list[SceneFiles] = []
    for scene in scenes:
        first = by_key.setdefault(scene.key, scene)
        if scene.files.keys() & first.files.keys():
            others += [scene] if scene is not first else []
            continue
        files = dict(sorted({**first.files, **scene.files}.items()))
        by_key[scene.key] = replace(scene, files=files, units={**first.units, **scene.units})
    return [*by_key.values(), *others]


def _find_in_containers(search: Search) -> list[SceneFiles]:
    """Scenes of all tar and Parquet files in a directory; their keys begin with the path of the file."""
    scenes: list[SceneFiles] = []
    listings = [listing for _, listing in walk(search.scan, str(search.dataset))]
    for path in (Path(path) for listing in listings for path in listing.other_files):
        path_in_dataset = path.relative_to(search.dataset).with_suffix("").as_posix()
        scenes_in_file = _find_in_container(search, path, f"{path_in_dataset}/")
        scenes += scenes_in_file
        if not scenes_in_file:
            search.other_files.append(str(path))
    return scenes


def _find_in_container(search: Search, path: Path, prefix: str = "") -> list[SceneFiles]:
    """Scenes of a tar or Parquet file, their keys with ``prefix``; none of other files."""
    suffix = path.suffix.lower()
    if suffix == tables.SUFFIX:
        return tables.find(search, path, prefix)
    if suffix != tar.SUFFIX:
        return []
    search_in_tar = tar.search_within(search, path)
    scenes = _find_by_layout(search_in_tar, search_in_tar.scan(str(path)))
    return [replace(scene, key=prefix + scene.key) for scene in scenes]


def _find_by_layout(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of a directory, or of what is read like one."""
    root, scenes = layered.split_off(search, root)
    if search.is_scene(root):
        return [*scenes, search.directory_scene(search.dataset, root)]
    for find in (trees.find, task_directories.find, scene_directories.find):
        scenes_of_layout = find(search, root)
        if scenes_of_layout:
            return scenes + scenes_of_layout
    return scenes


def _nothing_found(root: Listing, declared: Declarations) -> str:
    """The message for a dataset without scenes."""
    images = [Path(path).name for _, path in root.images]
    contents = list_names([*(f"{name}/" for name in root.directories), *images]) or "nothing of the kind"
    tasks = list_names(list(declared))
    return (
        f"no scenes found: there is {contents}, but no image or directory of images is named after a task "
        f"({tasks}; --name NAME=TASK says what others are), and no directory holds such images"
    )
