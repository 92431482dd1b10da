"""The unit of integer depth, the length that a stored 1 stands for, where a layout defines it.

Datasets that are known by the paths of their images are rows of :data:`PATHS`. TUM RGB-D sequences
(``rgb.txt``, ``depth.txt``) store 5000 a metre. ``scene_camera.json`` of BOP datasets has ``depth_scale``,
the unit in millimetres, for every image by its number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files.trees import association
from mtcodec.files.trees.listing import Files
from mtcodec.files.trees.search import Search

TUM_UNIT = "0.2mm"
PATHS = (  # ends of paths of depth images, the unit, the dataset
    (r"/point_\d+_view_\d+_domain_depth_(?:zbuffer|euclidean)\.png", "1.953125mm", "Taskonomy"),
    (r"/[0-9a-f]{32}_d\d_\d\.png", "0.25mm", "Matterport3D"),
    (r"/frames/depth/Camera_\d/depth_\d{5}\.png", "10mm", "Virtual KITTI 2"),
)
CAMERAS_NAME = "scene_camera.json"
MAX_CAMERAS_BYTES = 1 << 26


def units_of(search: Search, directory: str, by_task: Mapping[str, Files]) -> dict[str, dict[str, str]]:
    """By task and key, the units of images below a directory that has one for each task.

    Raises:
        SceneError: a damaged file of cameras.
    """
    units: dict[str, dict[str, str]] = {}
    for task, files in by_task.items():
        if not search.naming.is_of_lengths(task):
            continue
        for ending, unit, dataset in PATHS:
            pattern = re.compile(f".*{ending}", re.DOTALL)
            keys = [key for key, path in files.items() if pattern.fullmatch(path)]
            if keys:
                units.setdefault(task, {}).update(dict.fromkeys(keys, unit))
                note_unit(search, task, unit, f"in {dataset}")
    sequence_units = _sequence_units(search, Path(directory), by_task.get("depth", {}))
    if sequence_units:
        units["depth"] = sequence_units
    return units


def _sequence_units(search: Search, directory: Path, keys: Collection[str]) -> dict[str, str]:
    """Units by key, where files of the directory tell them."""
    units: dict[str, str] = {}
    authority = "in TUM RGB-D sequences"
    cameras_path = directory / CAMERAS_NAME
    if len(association.index_files(directory)) == 2:
        units = dict.fromkeys(keys, TUM_UNIT)
    elif keys and cameras_path.is_file():
        scales, authority = _depth_scales(cameras_path), f"{CAMERAS_NAME} says"
        units = {key: f"{scales[int(key)]:g}mm" for key in keys if key.isdecimal() and int(key) in scales}
        search.use_files([str(cameras_path)] if units else [])
    for unit in sorted(set(units.values())):
        note_unit(search, "depth", unit, authority)
    return units


def note_unit(search: Search, task: str, unit: str, authority: str) -> None:
    """Say which unit images of ``task`` have, as ``authority`` says."""
    search.note(f"a step of {task} is {unit}, as {authority} (--unit {task}=… says otherwise)")


def _depth_scales(path: Path) -> dict[int, float]:
    """``depth_scale``, millimetres, by number of the image."""
    try:
        if path.stat().st_size > MAX_CAMERAS_BYTES:
            raise ValueError
        cameras = json.loads(path.read_bytes())
        scales = {
            int(number): float(camera["depth_scale"])
            for number, camera in cameras.items()
            if "depth_scale" in camera
        }
        if not all(math.isfinite(scale) and scale > 0 for scale in scales.values()):
            raise ValueError
    except OSError as error:
        raise SceneError(f"cannot read it: {error.strerror}", path=path) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SceneError("not a file of cameras as in BOP datasets", path=path) from error
    return scales
