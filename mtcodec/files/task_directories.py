"""Layout of one directory for each task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtcodec.files import association, depth_units
from mtcodec.files.listing import Files, Listing, add_file, walk
from mtcodec.files.search import SceneFiles, Search
from mtcodec.files.sources import ImageSource

Images = list[tuple[str, str]]
"""Keys and paths."""


@dataclass
class _Directory:
    """What a directory of the dataset holds, itself or in directories.

    Attributes:
        images: with their whole keys.
        short_images: without the task's name in their keys; as ``images`` if keys would become the same.
        other_files: paths of files that are no images.
        holds_scenes: its images are named after several tasks.
    """

    images: Images
    short_images: Images
    other_files: list[str]
    holds_scenes: bool


def find(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of equal keys in directories; those that are not named after tasks have some key of the others.

    Without a directory that is named after a task there are none.
    """
    if not any(search.naming.knows(name) for name in root.directories):
        return []
    directories = {name: _read_directory(search, name) for name in root.directories}
    images = _images_with_keys(
        {
            name: directory
            for name, directory in directories.items()
            if directory.images and not directory.holds_scenes
        }
    )
    keys = {key for name in images if search.naming.knows(name) for key, _ in images[name]}
    names = [name for name in images if not keys.isdisjoint(key for key, _ in images[name])]
    if not names:
        return []
    by_task: dict[str, Files] = {}
    for task, path in search.naming.assign((name, str(search.dataset / name)) for name in names).items():
        for key, image in images[Path(path).name]:
            add_file(by_task.setdefault(task, {}), key, image, task)
    _leave_out(search, root, directories, names)
    return _join(search, _associate(search, by_task))


def _read_directory(search: Search, name: str) -> _Directory:
    """What the directory ``name`` of the dataset holds."""
    naming = search.naming
    images: Images = []
    short_images: Images = []
    other_files: list[str] = []
    stems: list[str] = []  # of the images in the directory itself
    for prefix, listing in walk(search.scan, str(search.dataset / name)):
        other_files += listing.other_files
        images += [(prefix + naming.key(stem), path) for stem, path in listing.images]
        short_images += [(prefix + naming.short_key(stem, name), path) for stem, path in listing.images]
        if not prefix:
            stems = [stem for stem, _ in listing.images]
    if _count_keys([short_images]) < _count_keys([images]):
        short_images = images
    return _Directory(images, short_images, other_files, naming.are_of_tasks(stems))


def _count_keys(directories: Iterable[Images]) -> int:
    return len({key for images in directories for key, _ in images})


def _images_with_keys(directories: dict[str, _Directory]) -> dict[str, Images]:
    """Images by directory, with whole or short keys: those that join more of them."""
    whole = {name: directory.images for name, directory in directories.items()}
    short = {name: directory.short_images for name, directory in directories.items()}
    return short if _count_keys(short.values()) < _count_keys(whole.values()) else whole


def _leave_out(search: Search, root: Listing, directories: dict[str, _Directory], names: list[str]) -> None:
    """Leave out what belongs to no scene; ``names`` are those of directories whose images do."""
    search.misfits += [path for _, path in root.images]
    search.other_files += root.other_files
    for name, directory in directories.items():
        if name in names:
            search.other_files += directory.other_files
        elif directory.images:
            search.misfits.append(f"{search.dataset / name}/")
        elif directory.other_files:
            search.other_files.append(f"{search.dataset / name}/")


def _associate(search: Search, by_task: dict[str, Files]) -> dict[str, Files]:
    """Images by task and key, those of TUM sequences by time."""
    if not association.applies(search.dataset, by_task):
        return by_task
    by_task, left_out_count = association.associate(search.dataset, by_task)
    search.use_files(association.index_files(search.dataset))
    if left_out_count:
        search.note(f"{left_out_count} images have no partner in time and are left out")
    return by_task


def _join(search: Search, by_task: dict[str, Files]) -> list[SceneFiles]:
    """Scenes of the images of equal keys, with the units of their depth."""
    images_by_key: dict[str, dict[str, ImageSource]] = {}
    for task, files in sorted(by_task.items()):
        for key, path in files.items():
            images_by_key.setdefault(key, {})[task] = search.source_at(path)
    units = _units(search, by_task)
    return [
        SceneFiles(
            key,
            images,
            f"{search.dataset}: scene {key}",
            {task: by_key[key] for task, by_key in units.items() if key in by_key},
        )
        for key, images in images_by_key.items()
    ]


def _units(search: Search, by_task: dict[str, Files]) -> dict[str, dict[str, str]]:
    """By task and key, the units of images of depth, where the layout defines them."""
    units = {
        task: depth_units.taskonomy_units(task, by_task.get(task, {}), search.note)
        for task in depth_units.TASKONOMY_TASKS
    }
    dataset_units = depth_units.dataset_units(search.dataset, by_task.get("depth", ()), search.note)
    if dataset_units:
        units["depth"] = dataset_units
        search.use_files([str(search.dataset / depth_units.CAMERAS_NAME)])
    return units
