"""Layout of scene directories, and of images named after scene and task in one directory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from pathlib import Path

from mtcodec.files import layered
from mtcodec.files.listing import Listing
from mtcodec.files.naming import splits
from mtcodec.files.search import SceneFiles, Search

UNNAMED_TASK = "image"  # what 0001.png is beside 0001_depth.png
TASK_OF_SUFFIX = {"jpg": "rgb", "png": "depth"}  # what 0001.jpg and 0001.png are

Images = list[tuple[str, str]]
"""Names and paths."""


def find(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes among the images of the dataset, and those of its directories."""
    scenes, misfits = _scenes_by_name(search, root, "")
    search.misfits += misfits
    search.other_files += root.other_files
    for name in root.directories:
        scenes += _directory_scenes(search, search.dataset / name, name + "/")
    return scenes


def _directory_scenes(search: Search, directory: Path, prefix: str) -> list[SceneFiles]:
    """A directory as one scene, or the scenes among its images, their keys with ``prefix``."""
    listing, scenes = layered.split_off(search, search.scan(str(directory)), prefix)
    if search.is_scene(listing):
        return [*scenes, search.directory_scene(directory, listing)]
    named_scenes, misfits = _scenes_by_name(search, listing, prefix)
    scenes += named_scenes
    if scenes:
        search.misfits += misfits
        search.leave_out_beside(directory, listing)
    elif listing.images or listing.directories:
        search.misfits.append(f"{directory}/")
    elif listing.other_files:
        search.other_files.append(f"{directory}/")
    return scenes


def _scenes_by_name(search: Search, listing: Listing, prefix: str) -> tuple[list[SceneFiles], list[str]]:
    """Scenes of one directory by the names of its images, and paths of images that belong to none."""
    images_by_key: defaultdict[str, Images] = defaultdict(list)
    unknown: Images = []
    for stem, path in listing.images:
        key_and_name = search.naming.split(stem)
        if key_and_name:
            key, name = key_and_name
            images_by_key[key].append((name, path))
        else:
            unknown.append((stem, path))
    pairs = _suffix_pairs(search, unknown)
    for stem, images in pairs.items():
        images_by_key[stem] += images
    misfits = []
    for stem, path in unknown:
        if stem in pairs:
            continue
        key, name = _split_by_keys(stem, images_by_key.keys())
        if key:
            images_by_key[key].append((name, path))
        else:
            misfits.append(path)
    label = f"{search.dataset}: scene {prefix}"
    scenes = [search.scene(prefix + key, images, label + key) for key, images in images_by_key.items()]
    return scenes, misfits


def _suffix_pairs(search: Search, images: Images) -> dict[str, Images]:
    """By stem, images that only their suffixes tell apart, a JPEG and a PNG file."""
    by_stem: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for stem, path in images:
        by_stem[stem][path.rpartition(".")[2].lower()] = path
    return {
        stem: [(_suffix_name(search, suffix), path) for suffix, path in sorted(by_suffix.items())]
        for stem, by_suffix in by_stem.items()
        if by_suffix.keys() == TASK_OF_SUFFIX.keys()
    }


def _suffix_name(search: Search, suffix: str) -> str:
    """What images of ``suffix`` are called: the suffix itself, if the caller says what it means."""
    if search.naming.is_renamed(suffix):
        return suffix
    task = TASK_OF_SUFFIX[suffix]
    search.note(f"of pairs of images, {suffix} is read as {task} (--name {suffix}=… says otherwise)")
    return task


def _split_by_keys(stem: str, keys: Set[str]) -> tuple[str, str]:
    """The scene, of ``keys``, that an image belongs to, and its name there; empty if none: ``0001_smell``."""
    if stem in keys:
        return stem, UNNAMED_TASK
    pairs = list(splits(stem))
    longest_first = [*reversed(pairs[::2]), *pairs[1::2]]  # keys on the left, then those on the right
    return next(((key, name) for key, name in longest_first if key in keys), ("", ""))
