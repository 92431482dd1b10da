"""Images of many scenes in one directory, which are named after scene and task: ``0001_rgb.png``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Set

from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.naming import is_number, splits
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.tasks import is_place

UNNAMED_TASK = "image"  # what 0001.png is beside 0001_depth.png
TASK_OF_SUFFIX = {"jpg": "rgb", "png": "depth"}  # what 0001.jpg and 0001.png are

Images = list[tuple[str, str]]
"""Names and paths."""


def find(search: Search, listing: Listing, prefix: str) -> list[SceneFiles]:
    """Scenes of one directory by the names of its images, their keys with ``prefix``.

    Images that belong to none are left out.
    """
    images_by_key, unknown = _split(search, listing.images)
    keys = images_by_key.keys()
    if keys and all(map(is_place, keys)) and all(_split_by_keys(stem, keys)[0] for stem, _ in unknown):
        return [search.directory_scene(Listing(listing.path, listing.images), prefix)]
    pairs = _suffix_pairs(search, unknown)
    for stem, images in pairs.items():
        images_by_key[stem] += images
    for stem, path in unknown:
        if stem in pairs:
            continue
        key, name = _split_by_keys(stem, images_by_key.keys())
        if key:
            images_by_key[key].append((name, path))
        else:
            search.misfits.append(path)
    return [
        search.scene(prefix + key, images, search.label(prefix + key))
        for key, images in images_by_key.items()
    ]


def _split(search: Search, images: Images) -> tuple[defaultdict[str, Images], Images]:
    """Images by key, and those whose names tell no known task.

    What would be a scene of one image belongs to another scene if that has a part of its name as key:
    ``depth_mask_0001`` is the ``depth_mask`` of ``0001`` where there is a ``depth_0001``.
    """
    known = {stem: pair for stem, _ in images if (pair := search.naming.split(stem))}
    if known and all(is_place(name) and not search.naming.is_renamed(name) for _, name in known.values()):
        return defaultdict(list), images  # where cameras stand alone tells no task
    counts = Counter(key for key, _ in known.values())
    images_by_key: defaultdict[str, Images] = defaultdict(list)
    unknown: Images = []
    for stem, path in images:
        if stem not in known:
            unknown.append((stem, path))
            continue
        key, name = known[stem]
        if counts[key] == 1:
            others = [
                pair for pair in splits(stem) if counts[pair[0]] and pair[0] != key and not is_number(pair[1])
            ]
            key, name = max(others, key=lambda pair: len(pair[0]), default=(key, name))
        images_by_key[key].append((name, path))
    return images_by_key, unknown


def _suffix_pairs(search: Search, images: Images) -> dict[str, Images]:
    """By stem, images that only their suffixes tell apart, a JPEG and a PNG file."""
    by_stem: defaultdict[str, Images] = defaultdict(list)  # suffixes and paths
    for stem, path in images:
        by_stem[stem].append((path.rpartition(".")[2].lower(), path))
    return {
        stem: [(_suffix_name(search, suffix), path) for suffix, path in sorted(suffixes)]
        for stem, suffixes in by_stem.items()
        if {suffix for suffix, _ in suffixes} == TASK_OF_SUFFIX.keys()
    }


def _suffix_name(search: Search, suffix: str) -> str:
    """What images of ``suffix`` are called: the suffix itself, if the caller says what it means."""
    if search.naming.is_renamed(suffix):
        return suffix
    task = TASK_OF_SUFFIX[suffix]
    search.note(f"of pairs of images, {suffix} is read as {task} (--rename {suffix}=… says otherwise)")
    return task


def _split_by_keys(stem: str, keys: Set[str]) -> tuple[str, str]:
    """The scene, of ``keys``, that an image belongs to, and its name there; empty if none: ``0001_smell``."""
    if stem in keys:
        return stem, UNNAMED_TASK
    pairs = [pair for pair in splits(stem) if pair[0] in keys]
    return max(pairs, key=lambda pair: len(pair[0]), default=("", ""))
