"""Layouts of datasets: which image files make up each scene.

:func:`find_scenes` tells these apart; where several fit, the first counts. EXR files of several layers are
scenes wherever they lie (:mod:`mtcodec.files.layered`), and so is what a tar or Parquet file holds, where
nothing else is found (:mod:`mtcodec.files.shards`, :mod:`mtcodec.files.tables`).

1. One scene: images named after tasks. ``rgb.png depth.png``
2. Trees of well-known datasets, see :mod:`mtcodec.files.trees`.
3. TUM RGB-D: as 4, but ``rgb`` and ``depth`` were taken at times of their own, see
   :mod:`mtcodec.files.association`. ``rgb/1305031102.175304.png depth/1305031102.160407.png``
4. Directories named after tasks; equal paths in them, up to the suffix, are one scene.
   ``rgb/train/0001.jpg depth/train/0001.png`` is ``train/0001``. What tells the task in the names of files is
   cut off: ``depth_zbuffer/allensville/point_0_view_1_domain_depth_zbuffer.png`` is
   ``allensville/point_0_view_1``. Other directories with images of such paths are tasks of their own.
5. Directories that are scenes as in 1. ``0001/rgb.png 0001/depth.png`` Or images with the names of a scene
   and a task, in the dataset or its directories. ``0001_rgb.png 0001_depth.png``

What names mean is told by :mod:`mtcodec.files.naming`. All images of a scene are its tasks, declared or not.
What is left out is named in a note, but for what is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import by_task, directories, layered, shards, tables, trees
from mtcodec.files.attachments import used, with_attached
from mtcodec.files.listing import Listing, require_directory, scan, walk
from mtcodec.files.notes import Note, ignore, some
from mtcodec.files.search import SceneFiles, Search
from mtcodec.tasks import USUAL, Declarations

__all__ = ["FILES", "SceneFiles", "find_scenes", "scene_directory"]

FILES = (layered.SUFFIX, shards.SUFFIX, tables.SUFFIX)  # of files that may hold scenes


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
        attach: names of other files to keep, see :func:`mtcodec.files.attachments.with_attached`.

    Raises:
        SceneError: neither a directory nor a file of scenes, no layout fits, or two files for one task of a
            scene.
        UsageError: ``names`` gives a name that no task can have.
    """
    search = Search(dataset, declared, names, note)
    found = _in_file(search) if dataset.is_file() else _in_directory(search)
    found = [with_attached(scene, attach) for scene in found] if attach else found
    search.others = used(found, search.others)
    search.tell()
    return sorted(found, key=lambda scene: scene.key)


def _in_file(search: Search) -> list[SceneFiles]:
    """Scenes of a dataset that is one file."""
    path = search.dataset
    if path.suffix.lower() not in FILES:
        raise SceneError("not a directory, nor a tar, Parquet or EXR file of scenes", path=path)
    if path.suffix.lower() == layered.SUFFIX:
        return [layered.scene(search)]
    found = _held(search, path)
    if not found:
        raise SceneError("no scenes found: it holds no images that are named after tasks", path=path)
    return found


def _in_directory(search: Search) -> list[SceneFiles]:
    """Scenes of a directory; files that hold scenes count where nothing else is found."""
    require_directory(search.dataset)
    root = search.scan(str(search.dataset))
    found = _laid_out(search, root)
    if not found:
        search.misfits.clear()
        search.others.clear()
        files = list[str]()
        list(walk(search.scan, str(search.dataset), files))
        for path in map(Path, files):
            inside = path.relative_to(search.dataset).with_suffix("").as_posix()
            own = _held(search, path, f"{inside}/")
            found += own
            if not own:
                search.others.append(str(path))
    if not found:
        raise SceneError(_nothing(root, search.naming.declared), path=search.dataset)
    return found


def _held(search: Search, path: Path, prefix: str = "") -> list[SceneFiles]:
    """Scenes of a tar or Parquet file, their keys with ``prefix``; none of others."""
    suffix = path.suffix.lower()
    if suffix == tables.SUFFIX:
        return tables.scenes(search, path, prefix)
    if suffix != shards.SUFFIX:
        return []
    shard = shards.Shard(search, path)
    found = _laid_out(shard, shard.scan(str(path)))
    return [replace(scene, key=prefix + scene.key) for scene in found]


def _laid_out(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of a directory, or of what is read like one."""
    root, found = layered.taken(search, root)
    if search.is_scene(root):
        return [*found, search.scene(search.dataset, root)]
    layouts = (trees.scenes, by_task.scenes, directories.scenes)
    return found + next((own for layout in layouts if (own := layout(search, root))), [])


def scene_directory(
    directory: Path, declared: Declarations = USUAL, names: Mapping[str, str] = {}, note: Note = ignore
) -> SceneFiles:
    """``directory`` as one scene, whatever its images are called; see :func:`find_scenes`."""
    require_directory(directory)
    search = Search(directory, declared, names, note)
    scene = search.scene(directory, scan(str(directory)))
    search.tell()
    return scene


def _nothing(root: Listing, declared: Declarations) -> str:
    images = [Path(path).name for _, path in root.images]
    there = some([*(f"{name}/" for name in root.directories), *images]) or "nothing of the kind"
    return (
        f"no scenes found: there is {there}, but no image or directory of images is named after a task "
        f"({some(list(declared))}; --name NAME=TASK says what others are), and no directory holds such images"
    )
