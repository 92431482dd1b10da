"""The unit of integer depth, the length that a stored 1 stands for, where a layout defines it.

TUM RGB-D sequences (``rgb.txt``, ``depth.txt``) store 5000 a metre. ``scene_camera.json`` of BOP datasets
has ``depth_scale``, the unit in millimetres, for every image by its number. Depth that is named as in
Taskonomy and Omnidata, ``point_0_view_1_domain_depth_zbuffer``, is stored as 512 a metre.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import association
from mtcodec.files.listing import Files
from mtcodec.files.search import Search

TUM_UNIT, TASKONOMY_UNIT = "0.2mm", "1.953125mm"
TASKONOMY_TASKS = ("depth", "depth_euclidean")  # those that Taskonomy stores in its unit
CAMERAS_NAME = "scene_camera.json"
MAX_CAMERAS_BYTES = 1 << 26
_TASKONOMY_DEPTH = re.compile(r"point_\d+_view_\d+_domain_depth_(?:zbuffer|euclidean)\.png$")


def units_of(search: Search, by_task: Mapping[str, Files]) -> dict[str, dict[str, str]]:
    """By task and key, the units of images of a dataset that has a directory for each task.

    Raises:
        SceneError: a damaged file of cameras.
    """
    units: dict[str, dict[str, str]] = {}
    for task in TASKONOMY_TASKS:
        images = by_task.get(task, {}).items()
        units[task] = {key: TASKONOMY_UNIT for key, path in images if _TASKONOMY_DEPTH.search(path)}
        if units[task]:
            note_unit(search, task, TASKONOMY_UNIT, "in Taskonomy")
    dataset_units = _dataset_units(search, by_task.get("depth", {}))
    if dataset_units:
        units["depth"] = dataset_units
        search.use_files([str(search.dataset / CAMERAS_NAME)])
    return units


def _dataset_units(search: Search, keys: Collection[str]) -> dict[str, str]:
    """Units by key, where files of the dataset tell them."""
    units: dict[str, str] = {}
    authority = "in TUM RGB-D sequences"
    cameras_path = search.dataset / CAMERAS_NAME
    if len(association.index_files(search.dataset)) == 2:
        units = dict.fromkeys(keys, TUM_UNIT)
    elif keys and cameras_path.is_file():
        scales, authority = _depth_scales(cameras_path), f"{CAMERAS_NAME} says"
        units = {key: f"{scales[int(key)]:g}mm" for key in keys if key.isdecimal() and int(key) in scales}
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
