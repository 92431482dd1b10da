"""Files that hold several images: EXR layers, TIFF pages, arrays of NPZ and HDF5.

Such a file is a scene, its images are the tasks; in other files' scenes and in directories of tasks, where it
stands for a task, its images are tasks beside each other
(:meth:`mtcodec.files.trees.search.Search.images_at`).
A format takes part with ``layers`` of its :class:`mtcodec.files.formats.base.ImageFormat`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import PurePath

from mtcodec.errors import SceneError
from mtcodec.files.formats import LAYERED_SUFFIXES, layers_of
from mtcodec.files.sources import Layer, short_names
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.naming import HDR_TASK, RANK_CALLER, RANK_TASK_NAME
from mtcodec.files.trees.search import SceneFiles, Search

SUFFIXES = LAYERED_SUFFIXES
UNREAD_TASK = "image"  # what a damaged file stands for, until reading it tells what is wrong


def split_off(search: Search, listing: Listing, prefix: str) -> tuple[Listing, list[SceneFiles]]:
    """What is left of a directory, and its files of several images as scenes.

    Files with a task's own name are images of that task. Whether others of a format hold several, the first
    one tells.
    """
    files = [
        (_suffix(path), stem, path)
        for stem, path in listing.images
        if _suffix(path) in SUFFIXES and not _is_of_a_task(search, stem)
    ]
    scenes: dict[str, SceneFiles] = {}
    without_images: list[str] = []
    for _, group in groupby(sorted(files), key=lambda file: file[0]):
        scenes |= _scenes(search, [(prefix + stem, path) for _, stem, path in group], without_images)
    images = [image for image in listing.images if image[1] not in (*scenes, *without_images)]
    listing_left = replace(listing, images=images, other_files=[*listing.other_files, *without_images])
    return listing_left, [scenes[path] for _, path in listing.images if path in scenes]


def _suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


def _is_of_a_task(search: Search, stem: str) -> bool:
    """Is ``stem`` a task's own name, or ends it in one: ``0001_depth``?"""
    naming = search.naming
    _, name = naming.split(stem) or ("", stem)
    return min(naming.meaning(stem)[0], naming.meaning(name)[0]) <= RANK_TASK_NAME


def _scenes(search: Search, files: list[tuple[str, str]], without_images: list[str]) -> dict[str, SceneFiles]:
    """Scenes by path, of keys and paths of files of one format; none if the first is a single image.

    A file that cannot be read is a scene where another is, so that reading it tells what is wrong. Paths of
    files that hold no image go to ``without_images``.
    """
    scenes: dict[str, SceneFiles] = {}
    unreadable: dict[str, SceneFiles] = {}
    for key, path in files:
        try:
            layers = layers_of(search.source_at(path), search.note)
        except SceneError:
            unreadable[path] = SceneFiles(key, {UNREAD_TASK: search.source_at(path)}, path)
            continue
        if len(layers) > 1:
            scenes[path] = _scene(search, key, path, layers)
        elif not layers:
            without_images.append(path)
        elif not scenes:
            break
    search.whole_keys |= {key for key, _ in files} if scenes else set()
    return scenes | unreadable if scenes else {}


def scene_of(search: Search, key: str, path: str) -> SceneFiles | None:
    """The images of the file at ``path`` as a scene; None where there are not several.

    Raises:
        SceneError: unreadable. DependencyError: it needs h5py.
    """
    layers = layers_of(search.source_at(path), search.note)
    return _scene(search, key, path, layers) if len(layers) > 1 else None


def _scene(search: Search, key: str, path: str, layers: list[Layer]) -> SceneFiles:
    """The scene that these images of a file make up."""
    names = short_names(layers)
    images = [(_name(search, layer, name), search.register(layer)) for layer, name in zip(layers, names)]
    return search.scene(key, images, path)


def _name(search: Search, layer: Layer, name: str) -> str:
    """What an image is called: colours may be floats, of which the usual tasks have none."""
    rank, task = search.naming.meaning(name)
    declared = search.naming.declared.get(task)
    if not layer.is_float or rank == RANK_CALLER or declared is None or declared.kind.name != "color":
        return name
    search.note(f"{name} is read as {HDR_TASK} (--rename {name}={task} calls it so)")
    return HDR_TASK
