"""Layouts of well-known datasets, told by the paths of their files: KITTI, Hypersim, TartanAir."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from mtcodec.files.listing import Listing, walk
from mtcodec.files.naming import HDR
from mtcodec.files.search import SceneFiles, Search

DEPTH, WIDTH = 4, 3  # how many levels of directories are looked at for a sign, and how many of each directory


@dataclass(frozen=True)
class Tree:
    """The layout of a dataset.

    Attributes:
        name: of the dataset.
        sign: names of directories that only such datasets have.
        images: patterns of paths within the dataset, and the task, empty where the group ``task`` tells it.
            Groups whose names begin with ``k`` make up the key. Of two images for one task of a scene that of
            the earlier pattern counts.
        renamed: names of tasks that mean something else here.
        units: by task, the length of a stored step.
    """

    name: str
    sign: str
    images: tuple[tuple[str, str], ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def match(self, path: str) -> tuple[str, str, int] | None:
        """The key, the name of the task and the pattern's place, of a path within the dataset."""
        for rank, (pattern, task) in enumerate(self.images):
            found = re.fullmatch(pattern, path)
            if found:
                groups = found.groupdict()
                key = "/".join(groups[k] for k in sorted(groups) if k.startswith("k") and groups[k])
                return key, task or groups["task"], rank
        return None


_DRIVE = r"\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract)"
_IN_DRIVE = rf"(?:(?:.*/)?(?P<k1>{_DRIVE})/)?"
_FRAME = r"(?P<k3>\d{10})\.(?:png|jpg)"
_SELECTED = rf"(?:(?P<k0>.*)/)?TASK/(?P<k1>{_DRIVE})_TASK_(?P<k3>\d{{10}})_(?P<k2>image_0\d)\.png"
_HYPERSIM = r"(?:(?:.*/)?(?P<k1>ai_\d{3}_\d{3})/)?(?:images/)?scene_(?P<k2>cam_\d\d)"
_TARTAN = r"(?:(?P<k1>.*)/)?{}_(?P<k2>left|right)/(?P<k3>\d+)_(?P=k2){}"

TREES = (
    Tree(
        "KITTI",
        rf"proj_depth|velodyne_raw|depth_selection|val_selection_cropped|\d{{4}}_\d\d_\d\d|{_DRIVE}",
        (
            (rf"{_IN_DRIVE}proj_depth/groundtruth/(?P<k2>image_0\d)/{_FRAME}", "depth"),
            (rf"{_IN_DRIVE}proj_depth/velodyne_raw/(?P<k2>image_0\d)/{_FRAME}", "velodyne_raw"),
            (rf"{_IN_DRIVE}(?P<k2>image_0\d)/data/{_FRAME}", "rgb"),
            (_SELECTED.replace("TASK", "image"), "rgb"),
            (_SELECTED.replace("TASK", "groundtruth_depth"), "depth"),
            (_SELECTED.replace("TASK", "velodyne_raw"), "velodyne_raw"),
            (rf"(?:(?P<k0>.*)/)?image/{_FRAME}", "rgb"),
            (rf"(?:(?P<k0>.*)/)?velodyne_raw/{_FRAME}", "velodyne_raw"),
        ),
        units={"depth": "3.90625mm", "velodyne_raw": "3.90625mm"},
    ),
    Tree(
        "Hypersim",
        r"ai_\d{3}_\d{3}|scene_cam_\d\d_(?:final|geometry)_(?:hdf5|preview)",
        (
            (rf"{_HYPERSIM}_final_preview/frame\.(?P<k3>\d{{4}})\.tonemap\.jpg", "rgb"),
            (rf"{_HYPERSIM}_final_preview/frame\.(?P<k3>\d{{4}})\.color\.jpg", "rgb"),
            (rf"{_HYPERSIM}_(?:final|geometry)_hdf5/frame\.(?P<k3>\d{{4}})\.(?P<task>\w+)\.hdf5", ""),
        ),
        renamed={"color": HDR},
    ),
    Tree(
        "TartanAir",
        r"(?:image|depth|seg)_(?:left|right)",
        (
            (_TARTAN.format("image", r"\.(?:png|jpg)"), "rgb"),
            (_TARTAN.format("depth", r"_depth\.npy"), "depth"),
            (_TARTAN.format("seg", r"_seg\.npy"), "semantic"),
        ),
    ),
)


def scenes(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of a dataset that is one of :data:`TREES`; none where it is not."""
    names = [search.dataset.resolve().name, *_directories(search, str(search.dataset), root)]
    for tree in TREES:
        if any(re.fullmatch(tree.sign, name) for name in names):
            found = _scenes(search, tree)
            if found:
                return found
    return []


def _directories(search: Search, path: str, listing: Listing, depth: int = DEPTH) -> Iterator[str]:
    """Names of directories, and of those in the first ones of them."""
    yield from listing.directories
    for name in listing.directories[:WIDTH] if depth > 1 else ():
        yield from _directories(search, f"{path}/{name}", search.scan(f"{path}/{name}"), depth - 1)


def _scenes(search: Search, tree: Tree) -> list[SceneFiles]:
    images: dict[str, dict[str, tuple[int, list[str]]]] = {}
    others, misfits = list[str](), list[str]()
    for prefix, _, path in walk(search.scan, str(search.dataset), others):
        known = tree.match(prefix + PurePath(path).name)
        if known is None:
            misfits.append(path)
            continue
        key, name, rank = known
        own = images.setdefault(key, {})
        before = own.get(name, (rank, []))
        if rank > before[0]:
            misfits.append(path)
        elif rank < before[0]:
            misfits += before[1]
            own[name] = rank, [path]
        else:
            own[name] = rank, [*before[1], path]
    if not images:
        return []
    found = [_scene(search, tree, key, own) for key, own in images.items()]
    used = {str(PurePath(str(path)).parent) for scene in found for path in scene.files.values()}
    search.misfits += shortened(misfits, used)
    search.others += shortened(others, used)
    return found


def _scene(search: Search, tree: Tree, key: str, images: Mapping[str, tuple[int, list[str]]]) -> SceneFiles:
    named = []
    for name, (_, paths) in images.items():
        other = name if search.naming.given(name) else tree.renamed.get(name, name)
        if other != name:
            search.note(f"{name} is read as {other}, as in {tree.name} (--name {name}={name} keeps its name)")
        named += [(other, path) for path in paths]
    scene = search.made(key, named, f"{search.dataset}: scene {key}")
    units = {task: unit for task, unit in tree.units.items() if task in scene.files}
    for task, unit in units.items():
        search.note(f"a step of {task} is {unit}, as in {tree.name} (--unit {task}=… says otherwise)")
    return replace(scene, units=units)


def shortened(paths: Iterable[str], used: Iterable[str]) -> list[str]:
    """``paths``, or the highest directories of them that hold no directory of ``used``."""
    there = {parent for path in used for parent in (PurePath(path), *PurePath(path).parents)}
    found: dict[str, None] = {}
    for path in map(PurePath, paths):
        top = next((p for p in (path, *path.parents) if p.parent in there), path)
        found[str(top) + "/" * (top != path)] = None
    return list(found)
