"""Layout of one directory for each task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtcodec.files import association, scales
from mtcodec.files.listing import Files, Listing, add, walk
from mtcodec.files.search import SceneFiles, Search
from mtcodec.files.sources import ImageSource

Images = list[tuple[str, str]]
"""Keys and paths."""


@dataclass
class _Directory:
    """What a directory holds.

    Attributes:
        images, short: with their whole keys, and without the task's name in them if they stay different.
        others: paths of files that are no images.
        scenes: its images are named after several tasks, so it holds scenes.
    """

    images: Images
    short: Images
    others: list[str]
    scenes: bool


def scenes(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of equal keys in directories; those that are not named after tasks have some key of the others.

    Without a directory that is named after a task there are none.
    """
    if not any(search.naming.knows(name) for name in root.directories):
        return []
    found = {name: _walked(search, name) for name in root.directories}
    images = _keyed({name: own for name, own in found.items() if own.images and not own.scenes})
    keys = {key for name, own in images.items() if search.naming.knows(name) for key, _ in own}
    fit = [name for name, own in images.items() if not keys.isdisjoint(key for key, _ in own)]
    if not fit:
        return []
    by_task: dict[str, Files] = {}
    for task, path in search.naming.assign((name, str(search.dataset / name)) for name in fit).items():
        for key, image in images[Path(path).name]:
            add(by_task.setdefault(task, {}), key, image, task)
    _leave_out(search, root, found, fit)
    return _joined(search, _associated(search, by_task))


def _walked(search: Search, name: str) -> _Directory:
    naming, others = search.naming, list[str]()
    found = list(walk(search.scan, str(search.dataset / name), others))
    images = [(prefix + naming.key(stem), path) for prefix, stem, path in found]
    short = [(prefix + naming.short_key(stem, name), path) for prefix, stem, path in found]
    if len({key for key, _ in short}) < len({key for key, _ in images}):
        short = images
    scenes = naming.are_of_tasks([stem for prefix, stem, _ in found if not prefix])
    return _Directory(images, short, others, scenes)


def _keyed(found: dict[str, _Directory]) -> dict[str, Images]:
    """Images by directory, with whole or short keys: those that join more of them."""
    whole = len({key for own in found.values() for key, _ in own.images})
    short = len({key for own in found.values() for key, _ in own.short})
    return {name: own.short if short < whole else own.images for name, own in found.items()}


def _leave_out(search: Search, root: Listing, found: dict[str, _Directory], fit: list[str]) -> None:
    """What belongs to no scene of the directories that ``fit``."""
    search.misfits += [path for _, path in root.images]
    search.others += root.others
    for name, own in found.items():
        if name in fit:
            search.others += own.others
        elif own.images:
            search.misfits.append(f"{search.dataset / name}/")
        elif own.others:
            search.others.append(f"{search.dataset / name}/")


def _associated(search: Search, by_task: dict[str, Files]) -> dict[str, Files]:
    """Images by task and key, those of TUM sequences by time."""
    if not association.applies(search.dataset, by_task):
        return by_task
    by_task, count = association.associate(search.dataset, by_task)
    search.others = [p for p in search.others if p not in association.indexes(search.dataset)]
    if count:
        search.note(f"{count} images have no partner in time and are left out")
    return by_task


def _joined(search: Search, by_task: dict[str, Files]) -> list[SceneFiles]:
    images: dict[str, dict[str, ImageSource]] = {}
    for task, files in sorted(by_task.items()):
        for key, path in files.items():
            images.setdefault(key, {})[task] = search.opened(path)
    units = {task: scales.of_domain(task, by_task.get(task, {}), search.note) for task in scales.DEPTHS}
    told = scales.of_depth(search.dataset, by_task.get("depth", ()), search.note)
    if told:
        units["depth"] = told
        search.others = [path for path in search.others if path != str(search.dataset / scales.CAMERAS)]
    return [
        SceneFiles(
            key,
            files,
            f"{search.dataset}: scene {key}",
            {task: own[key] for task, own in units.items() if key in own},
        )
        for key, files in images.items()
    ]
