"""Layout of scene directories, and of images named after scene and task in one directory."""

from __future__ import annotations

from mtcodec.files import layered
from mtcodec.files.listing import Listing, scan
from mtcodec.files.naming import cuts
from mtcodec.files.search import SceneFiles, Search

UNNAMED = "image"  # what 0001.png is beside 0001_depth.png

Images = list[tuple[str, str]]
"""Names and paths."""


def scenes(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes among the images of the dataset, and those of its directories."""
    found, misfits = _named(search, root, "")
    search.misfits += misfits
    search.others += root.others
    for name in root.directories:
        directory = search.dataset / name
        listing, own = layered.taken(search, scan(str(directory)), name + "/")
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
    keys = frozenset(images)
    for stem, path in unknown:
        part = _beside(stem, keys)
        if part is None:
            misfits.append(path)
        else:
            images[part[0]].append((part[1], path))
    label = f"{search.dataset}: scene {prefix}"
    return [search.made(prefix + key, own, label + key) for key, own in images.items()], misfits


def _beside(stem: str, keys: frozenset[str]) -> tuple[str, str] | None:
    """The scene, of ``keys``, that an image belongs to, and what it is called there: ``0001_smell``."""
    if stem in keys:
        return stem, UNNAMED
    for left, right in reversed(list(cuts(stem))):
        if left in keys:
            return left, right
    return next(((right, left) for left, right in cuts(stem) if right in keys), None)
