"""Layout of one directory for each task."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import association, depth_units
from mtcodec.files.listing import Files, Listing, add_file, walk
from mtcodec.files.naming import Naming
from mtcodec.files.search import SceneFiles, Search
from mtcodec.files.sources import ImageSource

Images = list[tuple[str, str]]
"""Keys and paths."""

Walk = list[tuple[str, Listing]]
"""A directory and those below it, see :func:`mtcodec.files.listing.walk`."""


def find(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of equal keys in directories; those that are not named after tasks have some key of the others.

    Without a directory that is named after a task there are none.
    """
    naming = search.naming
    if not any(naming.knows(name) for name in root.directories):
        return []
    walks = {name: list(walk(search.scan, str(search.dataset / name))) for name in root.directories}
    images = _images_by_directory(naming, walks)
    keys = {key for name in images if naming.knows(name) for key, _ in images[name]}
    images = {name: keyed for name, keyed in images.items() if any(key in keys for key, _ in keyed)}
    if not images:
        return []
    by_task: dict[str, Files] = {}
    for task, directory in naming.assign((name, str(search.dataset / name)) for name in images).items():
        for key, path in images[Path(directory).name]:
            add_file(by_task.setdefault(task, {}), key, path, task)
    _leave_out(search, root, walks, images)
    return _join(search, association.associate(search, by_task))


def _images_by_directory(naming: Naming, walks: dict[str, Walk]) -> dict[str, Images]:
    """Images of the directories that hold any, but for those whose images are named after several tasks.

    Keys are whole, or without the tasks' names where that joins more images, and none of one directory.
    """
    whole: dict[str, Images] = {}
    short: dict[str, Images] = {}
    for name, listings in walks.items():
        images = [(prefix, stem, path) for prefix, listing in listings for stem, path in listing.images]
        keyed = [(prefix + naming.key(stem), path) for prefix, stem, path in images]
        short_keyed = [(prefix + naming.short_key(stem, name), path) for prefix, stem, path in images]
        _, top = listings[0]
        if images and not naming.are_of_tasks([stem for stem, _ in top.images]):
            whole[name] = keyed
            short[name] = keyed if _count_keys([short_keyed]) < _count_keys([keyed]) else short_keyed
    return short if _count_keys(short.values()) < _count_keys(whole.values()) else whole


def _count_keys(directories: Iterable[Images]) -> int:
    return len({key for images in directories for key, _ in images})


def _leave_out(search: Search, root: Listing, walks: dict[str, Walk], used: Iterable[str]) -> None:
    """Leave out what belongs to no scene; images of the directories ``used`` do."""
    search.misfits += [path for _, path in root.images]
    search.other_files += root.other_files
    for name, listings in walks.items():
        other_files = [path for _, listing in listings for path in listing.other_files]
        if name in used:
            search.other_files += other_files
        elif any(listing.images for _, listing in listings):
            search.misfits.append(f"{search.dataset / name}/")
        elif other_files:
            search.other_files.append(f"{search.dataset / name}/")


def _join(search: Search, by_task: dict[str, Files]) -> list[SceneFiles]:
    """Scenes of the images of equal keys, with the units of their depth."""
    images_by_key: dict[str, dict[str, ImageSource]] = {}
    for task, files in sorted(by_task.items()):
        for key, path in files.items():
            images = images_by_key.setdefault(key, {})
            for name, source in _images_at(search, task, path):
                if name in images:
                    raise SceneError(f"a second image of task {name!r}, beside {images[name]}", path=source)
                images[name] = source
    units = depth_units.units_of(search, by_task)
    return [
        SceneFiles(
            key,
            images,
            f"{search.dataset}: scene {key}",
            {task: by_key[key] for task, by_key in units.items() if key in by_key},
        )
        for key, images in images_by_key.items()
        if images
    ]


def _images_at(search: Search, task: str, path: str) -> list[tuple[str, ImageSource]]:
    """Tasks and sources of the images of a file of ``task``, which may hold several."""
    images = search.images_at(task, path)
    files = {task: path} if len(images) == 1 else search.naming.assign(images)
    return [(name, search.source_at(image_path)) for name, image_path in files.items()]
