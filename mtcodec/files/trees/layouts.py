"""Layouts of datasets: which image files make up each scene.

:func:`find_scenes` reads the whole tree. Where it is of a dataset that is known by its paths
(:mod:`mtcodec.files.trees.known`), that tells. Else each directory is one of these, at any depth:

1. A scene: images named after tasks, or after cameras and tasks. ``rgb.png depth.png``
2. Directories named after tasks (:mod:`mtcodec.files.trees.task_directories`); equal paths in them, up to
   the suffix, are one scene. ``rgb/train/0001.jpg depth/train/0001.png`` is ``train/0001``. In TUM RGB-D
   sequences ``rgb`` and ``depth`` were taken at times of their own (:mod:`mtcodec.files.trees.association`).
3. Images with the names of a scene and a task (:mod:`mtcodec.files.trees.named_images`). ``0001_rgb.png``
4. Files of several images, which are scenes wherever they lie (:mod:`mtcodec.files.trees.layered`).

What tar and Parquet files hold counts where nothing else is found (:mod:`mtcodec.files.trees.tar`,
:mod:`mtcodec.files.trees.tables`). After that tasks that share no scene are joined
(:mod:`mtcodec.files.trees.pairing`). A pattern takes the place of all that
(:mod:`mtcodec.files.trees.template`).

What names mean is told by :mod:`mtcodec.files.trees.naming`. All images of a scene are its tasks, declared or
not. What is left out is named in a note, but for what is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import packing
from mtcodec.files.notes import Note, ignore, list_names
from mtcodec.files.packed import AlphaOf
from mtcodec.files.packing import ALPHA
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.trees import (
    known,
    layered,
    named_images,
    number_tables,
    pairing,
    tables,
    tar,
    task_directories,
    template,
)
from mtcodec.files.trees.attachments import attach as attach_files
from mtcodec.files.trees.attachments import attached_paths
from mtcodec.files.trees.listing import Listing, read_tree, require_directory
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.tasks import USUAL, Declarations

__all__ = ["SCENE_FILE_SUFFIXES", "SceneFiles", "find_scenes"]

RGB = "rgb"  # the task whose alpha may be depth
SCENE_FILE_SUFFIXES = (*layered.SUFFIXES, tar.SUFFIX, tables.SUFFIX)  # of files that may hold scenes


def find_scenes(
    dataset: Path,
    declared: Declarations = USUAL,
    names: Mapping[str, str] = {},
    note: Note = ignore,
    attach: Sequence[str] = (),
    reading: Reading = AS_USUAL,
) -> list[SceneFiles]:
    """The scenes of ``dataset``, in order of their keys; opens no image.

    Args:
        declared: tasks that are known by name.
        names: tasks by names of files (without suffix) or directories.
        note: takes a line about every name that means something else, and about what is left out.
        attach: names of other files to keep, see :func:`mtcodec.files.trees.attachments.attach`.
        reading: how paths and images of the scenes are to be read. Units that it says count before those
            of layouts.

    Raises:
        SceneError: neither a directory nor a file of scenes, no layout fits, or two files for one task of a
            scene.
        UsageError: ``names`` gives a name that no task can have, or ``reading`` a unit to a task without
            lengths.
    """
    packing.check(reading.unpack, declared)
    search = Search(dataset, declared, names, note, reading.keeps_unpaired)
    scenes = (_find_in_file if dataset.is_file() else _find_in_directory)(search, reading.pattern)
    if attach:
        scenes = [attach_files(scene, attach, dataset) for scene in scenes]
        search.use_files(attached_paths(scenes))
    search.note_cameras(scenes)
    search.note_left_out(scenes)
    ordered = sorted(scenes, key=lambda scene: scene.key)
    return [replace(_to_be_read(scene, reading), dataset=dataset) for scene in ordered]


def _to_be_read(scene: SceneFiles, reading: Reading) -> SceneFiles:
    """``scene`` with what ``reading`` says: tasks that are the alpha of rgb, and units."""
    files, units = dict(scene.files), dict(scene.units)
    for task, how in reading.unpack.items():
        if how.form == ALPHA and task not in files and RGB in files:
            files[task] = AlphaOf(files[RGB])
        if how.unit:
            units[task] = how.unit
    unpack = {
        **scene.reading.unpack,
        **reading.unpack,
    }  # that of the layout, unless the caller says otherwise
    return replace(scene, files=files, units=units, reading=replace(reading, unpack=unpack))


def _find_in_file(search: Search, pattern: str) -> list[SceneFiles]:
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
    scenes = _find_in_container(search, path, pattern=pattern)
    if not scenes:
        raise SceneError("no scenes found: it holds no images that are named after tasks", path=path)
    return scenes


def _find_in_directory(search: Search, pattern: str) -> list[SceneFiles]:
    """Scenes of a directory; files that hold scenes count where nothing else is found."""
    require_directory(search.dataset)
    root = read_tree(str(search.dataset))
    scenes = _find_in_tree(search, root, pattern)
    if not scenes:
        search.misfits.clear()
        search.other_files.clear()
        scenes = _find_in_containers(search, root)
    if not scenes:
        raise SceneError(_nothing_found(root, search.naming.declared), path=search.dataset)
    return scenes


def _find_in_containers(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of all tar and Parquet files in a directory; their keys begin with the path of the file."""
    scenes: list[SceneFiles] = []
    for path in (Path(path) for _, listing in root.walk() for path in listing.other_files):
        path_in_dataset = path.relative_to(search.dataset).with_suffix("").as_posix()
        scenes_in_file = _find_in_container(search, path, f"{path_in_dataset}/")
        scenes += scenes_in_file
        if not scenes_in_file:
            search.other_files.append(str(path))
    return scenes


def _find_in_container(search: Search, path: Path, prefix: str = "", pattern: str = "") -> list[SceneFiles]:
    """Scenes of a tar or Parquet file, their keys with ``prefix``; none of other files."""
    suffix = path.suffix.lower()
    if suffix == tables.SUFFIX:
        return tables.find(search, path, prefix)
    if suffix != tar.SUFFIX:
        return []
    scenes = _find_in_tree(search.within(path), tar.read_tree(search, path), pattern)
    return [replace(scene, key=prefix + scene.key) for scene in scenes]


def _find_in_tree(search: Search, root: Listing, pattern: str) -> list[SceneFiles]:
    """Scenes of a directory, or of what is read like one."""
    if pattern:
        return template.find(search, root, pattern)
    number_tables.set_aside(search, root)
    by_key: dict[str, SceneFiles] = {}
    for scene in known.find(search, root) or _find_by_layout(search, root, ""):
        by_key[scene.key] = by_key[scene.key].with_files_of(scene) if scene.key in by_key else scene
    return pairing.pair(search, list(by_key.values()))


def _find_by_layout(search: Search, directory: Listing, prefix: str) -> list[SceneFiles]:
    """Scenes of a directory and of all below it, their keys with ``prefix``."""
    directory, scenes = layered.split_off(search, directory, prefix)
    if search.is_scene(directory):
        return [*scenes, search.directory_scene(directory, prefix)]
    scenes_by_task, used = task_directories.find(search, directory, prefix)
    scenes += scenes_by_task + named_images.find(search, directory, prefix)
    search.other_files += directory.other_files
    for name, below in directory.directories.items():
        if name not in used:
            scenes += _find_by_layout(search, below, f"{prefix}{name}/")
    return scenes


def _nothing_found(root: Listing, declared: Declarations) -> str:
    """The message for a dataset without scenes."""
    images = [Path(path).name for _, path in root.images]
    contents = list_names([*(f"{name}/" for name in root.directories), *images]) or "nothing of the kind"
    tasks = list_names(list(declared))
    return (
        f"no scenes found: there is {contents}, but no image or directory of images is named after a task "
        f"({tasks}; --rename NAME=TASK says what others are, --pattern how paths are to be read), and "
        "no directory holds such images"
    )
