"""Layout of one directory for each task."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.sources import ImageSource
from mtcodec.files.trees import association, depth_units
from mtcodec.files.trees.listing import Files, Listing, add_file
from mtcodec.files.trees.naming import Naming, clean_name, is_number, splits
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.tasks import is_place
from mtcodec.tasks.known import mentions_task

MAX_TASKS = 16  # in a directory, that the names of its images tell

Images = list[tuple[str, str]]
"""Keys and paths."""


def find(search: Search, root: Listing, prefix: str) -> tuple[list[SceneFiles], set[str]]:
    """Scenes of equal keys in directories, and the directories that hold them.

    Directories that are not named after tasks count if they have keys of the others; where their names say
    more, they hold several tasks: ``gt/0001_labels.png gt/0001_instances.png`` beside ``rgb/0001.png``.
    Without a directory that is named after a task there are none. Keys begin with ``prefix``.
    """
    naming = search.naming
    paths = {name: _paths(directory) for name, directory in root.directories.items()}
    named = _named_directories(naming, root, paths)
    if not named:
        return [], set()
    images = _join_named(search, _cut(naming, {name: paths[name] for name in named}))
    keys = {key for keyed in images.values() for key, _ in keyed}
    used = set(named)
    for name, directory in root.directories.items():
        if name not in named and paths[name] and not _is_of_scenes(search, directory):
            of_directory = _tasks_by_keys(search, name, paths[name], keys)
            images |= of_directory
            used |= {name} if of_directory else set()
    by_task: dict[str, Files] = {}
    items = ((name, f"{root.path}/{name}") for name in images)
    for task, path in naming.assign(items, _short_names(naming, named)).items():
        for key, image in images[path.removeprefix(f"{root.path}/")]:
            add_file(by_task.setdefault(task, {}), key, image, task)
    _leave_out(search, root, used, by_task)
    return _join(search, root, association.associate(search, root.path, by_task), prefix), used


def _paths(directory: Listing) -> Images:
    """Images below a directory: their paths within it, without suffixes, and their paths."""
    return [(prefix + stem, path) for prefix, listing in directory.walk() for stem, path in listing.images]


def _named_directories(naming: Naming, root: Listing, images: Mapping[str, Images]) -> list[str]:
    """Directories of images that are named after tasks.

    Not those that only say where a camera stands (``left``), nor one alone that holds directories of others.
    """
    tasks: dict[str, str] = {}
    for name, directory in root.directories.items():
        parts = naming.camera_parts(name)
        is_named = parts is not None or naming.knows(name) or mentions_task(clean_name(name), naming.declared)
        if is_named and images[name] and not naming.are_of_tasks([stem for stem, _ in directory.images]):
            tasks[name] = naming.meaning(parts[1] if parts else name)[1]
    if all(map(is_place, tasks)) and not any(map(naming.is_renamed, tasks)):
        return []
    if len(set(tasks.values())) == 1:
        below = {
            name for n in tasks for _, listing in root.directories[n].walk() for name in listing.directories
        }
        cameras = {name: naming.camera_parts(name) for name in below}
        task_names = {name: pair[1] if pair else name for name, pair in cameras.items()}
        meanings = {
            naming.meaning(name)[1]
            for name in task_names.values()
            if naming.knows(name) and not is_place(name)
        }
        if meanings - set(tasks.values()):
            return []
    return list(tasks)


def _short_names(naming: Naming, names: Iterable[str]) -> dict[str, str]:
    """``raw_depth`` is ``depth``, if no other directory is of depth, and none of several cameras."""
    parts = {name: pair for name in names if (pair := naming.camera_parts(name))}
    tasks = Counter(naming.meaning(parts[name][1] if name in parts else name)[1] for name in names)
    return {name: task for name, (_, task) in parts.items()} if max(tasks.values()) == 1 else {}


def _cut(naming: Naming, images: Mapping[str, Images]) -> dict[str, Images]:
    """Images with their keys: paths, or these without the tasks' names.

    The latter where that joins more images, and none of one directory, or where all have such names.
    """
    whole: dict[str, Images] = {}
    short: dict[str, Images] = {}
    for name, paths in images.items():
        whole[name] = [(naming.key(key), path) for key, path in paths]
        short[name] = [(naming.short_key(key, name), path) for key, path in paths]
        if _count_keys([short[name]]) < _count_keys([whole[name]]):
            short[name] = whole[name]
    fewer = _count_keys(short.values()) - _count_keys(whole.values())
    are_all_short = all(len(one[0]) < len(two[0]) for n in whole for one, two in zip(short[n], whole[n]))
    return short if fewer < 0 or (fewer == 0 and are_all_short) else whole


def _count_keys(directories: Iterable[Images]) -> int:
    return len({key for images in directories for key, _ in images})


def _is_of_scenes(search: Search, directory: Listing) -> bool:
    """Is one of the directories below a scene by itself?"""
    return any(search.is_scene(listing) for _, listing in directory.walk())


def _join_named(search: Search, images: dict[str, Images]) -> dict[str, Images]:
    """Images by task, of directories by their names; those of few keys of the others are told by these."""
    joined = dict(images)
    for name in images:
        keys = {key for other, keyed in joined.items() if other != name for key, _ in keyed}
        if keys and 2 * sum(key in keys for key, _ in images[name]) < len(images[name]):
            by_keys = _tasks_by_keys(search, name, images[name], keys)
            if by_keys:
                del joined[name]
                joined |= by_keys
    return joined


def _tasks_by_keys(search: Search, directory: str, images: Images, keys: Set[str]) -> dict[str, Images]:
    """Images of a directory by the name of their task; none where few paths have one of ``keys``.

    The task is what a path says besides the key, or the directory's where all say the same.
    """
    naming = search.naming
    by_rest: defaultdict[str, Images] = defaultdict(list)
    unmatched: Images = []
    for path_in_directory, path in images:
        key, rest = _match(naming, naming.key(path_in_directory), keys)
        if key:
            by_rest[rest].append((key, path))
        else:
            unmatched.append((path_in_directory, path))
    if not by_rest or len(by_rest) > MAX_TASKS or ("" not in by_rest and len(unmatched) > len(images) // 2):
        return {}
    by_task: defaultdict[str, Images] = defaultdict(list)
    for rest, keyed in by_rest.items():
        says_more = name = _without_words(rest, directory)
        if not name or (len(by_rest) == 1 and not naming.knows(name)):
            name = directory
        by_task[name] += keyed
        if says_more:
            key, path = keyed[0]
            search.note(f"{Path(path).name} in {directory} is {name} of {key}, and so on")
    if "" in by_rest:
        by_task[directory] += unmatched
    return dict(by_task)


def _match(naming: Naming, path: str, keys: Set[str]) -> tuple[str, str]:
    """The longest of ``keys`` that is part of a path, and the name that remains; empty if there is none."""
    if path in keys:
        return path, ""
    *parents, stem = path.split("/")
    matches = []
    tasks = [name for name in parents if naming.knows(name)]
    for dropped in ([], tasks) if tasks else ([],):
        prefix = "".join(f"{name}/" for name in parents if name not in dropped)
        for key, rest in ((stem, ""), *splits(stem)):
            if prefix + key in keys and not (rest and is_number(rest)):
                matches.append((prefix + key, "_".join((*dropped, rest)).strip("_")))
    return max(matches, key=lambda match: len(match[0]), default=("", ""))


def _without_words(name: str, words: str) -> str:
    """A name without words of another at its beginning and end: ``gtFine_labelIds`` without ``gtFine``."""
    for word in (words, *words.split("_")):
        name = re.sub(rf"^{re.escape(word)}(?=[_\-. ]|$)|(?<=[_\-. ]){re.escape(word)}$", "", name).strip(
            "_-. "
        )
    return name


def _leave_out(search: Search, root: Listing, used: Set[str], by_task: Mapping[str, Files]) -> None:
    """Leave out what the directories ``used`` hold besides the images of tasks."""
    images = {path for files in by_task.values() for path in files.values()}
    for name in used:
        for _, listing in root.directories[name].walk():
            search.misfits += [path for _, path in listing.images if path not in images]
            search.other_files += listing.other_files


def _join(search: Search, root: Listing, by_task: dict[str, Files], prefix: str) -> list[SceneFiles]:
    """Scenes of the images of equal keys, with the units of their depth."""
    images_by_key: dict[str, dict[str, ImageSource]] = {}
    for task, files in sorted(by_task.items()):
        for key, path in files.items():
            images = images_by_key.setdefault(key, {})
            for name, source in _images_at(search, task, path):
                if name in images:
                    raise SceneError(f"a second image of task {name!r}, beside {images[name]}", path=source)
                images[name] = source
    units = depth_units.units_of(search, root.path, by_task)
    return [
        SceneFiles(
            prefix + key,
            images,
            search.label(prefix + key),
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
