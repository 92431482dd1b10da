"""Layouts of well-known datasets, told by the paths of their files: KITTI, Hypersim, TartanAir (1 and 2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from mtcodec.files.packing import parse
from mtcodec.files.reading import Reading
from mtcodec.files.trees.depth_units import note_unit
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.naming import HDR_TASK
from mtcodec.files.trees.search import SceneFiles, Search


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
        units: by task, the length that a stored 1 stands for.
        packed: by task, the form in which its values are packed, see :mod:`mtcodec.files.packing`.
    """

    name: str
    sign: str
    images: tuple[tuple[str, str], ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)

    def match(self, path: str) -> tuple[str, str, int] | None:
        """The key, task and number of the pattern of a path; None if it is of no image of this layout."""
        for number, (pattern, task) in enumerate(self.images):
            match = re.fullmatch(pattern, path)
            if match:
                groups = match.groupdict()
                key = "/".join(groups[k] for k in sorted(groups) if k.startswith("k") and groups[k])
                return key, task or groups["task"], number
        return None


_DRIVE = r"\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract)"
_IN_DRIVE = rf"(?:(?:.*/)?(?P<k1>{_DRIVE})/)?"
_FRAME = r"(?P<k3>\d{10})\.(?:png|jpg)"
_SELECTED = rf"(?:(?P<k0>.*)/)?TASK/(?P<k1>{_DRIVE})_TASK_(?P<k3>\d{{10}})_(?P<k2>image_0\d)\.png"
_HYPERSIM = r"(?:(?:.*/)?(?P<k1>ai_\d{3}_\d{3})/)?(?:images/)?scene_(?P<k2>cam_\d\d)"
_TARTAN = r"(?:(?P<k1>.*)/)?{}_(?P<k2>left|right)/(?P<k3>\d+)_(?P=k2){}"
_TARTAN_2 = _TARTAN.replace("left|right", r"[lr]cam_\w+")

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
        renamed={"color": HDR_TASK},
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
    Tree(
        "TartanAir 2",
        r"(?:image|depth|seg)_[lr]cam_\w+",
        (
            (_TARTAN_2.format("image", r"\.(?:png|jpg)"), "rgb"),
            (_TARTAN_2.format("depth", r"_depth\.png"), "depth"),
            (_TARTAN_2.format("seg", r"_seg\.png"), "semantic"),
        ),
        packed={"depth": "rgba:float32"},
    ),
)


def find(search: Search, root: Listing) -> list[SceneFiles]:
    """Scenes of a dataset that is one of :data:`TREES`; none where it is not."""
    names = {search.dataset.resolve().name} | {
        name for _, directory in root.walk() for name in directory.directories
    }
    for tree in TREES:
        if any(re.fullmatch(tree.sign, name) for name in names):
            scenes = _find_in_tree(search, root, tree)
            if scenes:
                return scenes
    return []


def _find_in_tree(search: Search, root: Listing, tree: Tree) -> list[SceneFiles]:
    """Scenes of a dataset whose directories look like ``tree``; none where no image has such a path."""
    matches: list[tuple[str, str, int, str]] = []  # key, task, number of the pattern, path
    misfits: list[str] = []
    other_files: list[str] = []
    for prefix, listing in root.walk():
        other_files += listing.other_files
        for _, path in listing.images:
            match = tree.match(prefix + PurePath(path).name)
            if match:
                matches.append((*match, path))
            else:
                misfits.append(path)
    if not matches:
        return []
    images_by_key: dict[str, list[tuple[str, str]]] = {key: [] for key, *_ in matches}
    least: dict[tuple[str, str], int] = {}
    for key, name, number, _ in matches:
        least[key, name] = min(number, least.get((key, name), number))
    for key, name, number, path in matches:
        if number == least[key, name]:
            images_by_key[key].append((name, path))
        else:
            misfits.append(path)
    scenes = [_scene(search, tree, key, images) for key, images in images_by_key.items()]
    search.misfits += misfits
    search.other_files += other_files
    return scenes


def _scene(search: Search, tree: Tree, key: str, images: Iterable[tuple[str, str]]) -> SceneFiles:
    named_paths = []
    for name, path in images:
        new_name = name if search.naming.is_renamed(name) else tree.renamed.get(name, name)
        if new_name != name:
            search.note(
                f"{name} is read as {new_name}, as in {tree.name} (--rename {name}={name} keeps its name)"
            )
        named_paths.append((new_name, path))
    scene = search.scene(key, named_paths, f"{search.dataset}: scene {key}")
    units = {task: unit for task, unit in tree.units.items() if task in scene.files}
    for task, unit in units.items():
        note_unit(search, task, unit, f"in {tree.name}")
    unpack = {task: parse(text) for task, text in tree.packed.items() if task in scene.files}
    for task, packing in unpack.items():
        search.note(
            f"{task} is unpacked from {packing.text}, as in {tree.name} (--unpack {task}=… says otherwise)"
        )
    return replace(scene, units=units, reading=Reading(unpack=unpack))
