"""Layout of scene directories, and of images named after scene and task in one directory."""

from __future__ import annotations

from mtcodec.files import layered
from mtcodec.files.listing import Listing
from mtcodec.files.naming import cuts
from mtcodec.files.search import SceneFiles, Search

UNNAMED = "image"  # what 0001.png is beside 0001_depth.png
PAIR = {"jpg": "rgb", "png": "depth"}  # what 0001.jpg and 0001.png are

Images = list[tuple[str, str]]
"""Names and paths."""


def scenes(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes among the images of the dataset, and those of its directories."""
    found, misfits = _named(search, root, "")
    search.misfits += misfits
    search.others += root.others
    for name in root.directories:
        directory = search.dataset / name
        listing, own = layered.taken(search, search.scan(str(directory)), name + "/")
        found += own
        if search.is_scene(listing):
            found.append(search.scene(directory, listing))
            continue
        inside, misfits = _named(search, listing, name + "/")
        if inside or own:
            found += inside
            search.misfits += misfits
            search.leave_beside(directory, listing)
        elif listing.images or listing.directories:
            search.misfits.append(f"{directory}/")
        elif listing.others:
            search.others.append(f"{directory}/")
    return found


def _named(search: Search, listing: Listing, prefix: str) -> tuple[list[SceneFiles], list[str]]:
    """Scenes of one directory by the names of its images, and paths of images that belong to none."""
    images: dict[str, Images] = {}
    misfits = []
    unknown: Images = []
    for stem, path in listing.images:
        known = search.naming.split(stem)
        if known:
            images.setdefault(known[0], []).append((known[1], path))
        else:
            unknown.append((stem, path))
    pairs = _pairs(search, unknown)
    unknown = [(stem, path) for stem, path in unknown if stem not in pairs]
    for stem, own in pairs.items():
        images.setdefault(stem, []).extend(own)
    keys = frozenset(images)
    for stem, path in unknown:
        part = _beside(stem, keys)
        if part is None:
            misfits.append(path)
        else:
            images[part[0]].append((part[1], path))
    label = f"{search.dataset}: scene {prefix}"
    return [search.made(prefix + key, own, label + key) for key, own in images.items()], misfits


def _pairs(search: Search, images: Images) -> dict[str, Images]:
    """By stem, images that only their suffixes tell apart, a JPEG and a PNG file."""
    by_stem: dict[str, dict[str, str]] = {}
    for stem, path in images:
        by_stem.setdefault(stem, {})[path.rpartition(".")[2].lower()] = path
    pairs: dict[str, Images] = {}
    for stem, files in by_stem.items():
        if files.keys() != PAIR.keys():
            continue
        for suffix, task in PAIR.items():
            if not search.naming.given(suffix):
                search.note(
                    f"of pairs of images, {suffix} is read as {task} (--name {suffix}=… says otherwise)"
                )
        own = ((s if search.naming.given(s) else PAIR[s], path) for s, path in files.items())
        pairs[stem] = list(own)
    return pairs


def _beside(stem: str, keys: frozenset[str]) -> tuple[str, str] | None:
    """The scene, of ``keys``, that an image belongs to, and what it is called there: ``0001_smell``."""
    if stem in keys:
        return stem, UNNAMED
    for left, right in reversed(list(cuts(stem))):
        if left in keys:
            return left, right
    return next(((right, left) for left, right in cuts(stem) if right in keys), None)
