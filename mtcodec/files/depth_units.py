"""The unit of integer depth, the length that a stored 1 stands for, where a layout defines it.

TUM RGB-D sequences (``rgb.txt``, ``depth.txt``) store 5000 a metre. ``scene_camera.json`` of BOP datasets
has ``depth_scale``, the unit in millimetres, for every image by its number. Depth that is named as in
Taskonomy and Omnidata, ``point_0_view_1_domain_depth_zbuffer``, is stored as 512 a metre.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from mtcodec.errors import SceneError
from mtcodec.files import association
from mtcodec.files.listing import Files
from mtcodec.files.notes import Note

TUM_UNIT, TASKONOMY_UNIT = "0.2mm", "1.953125mm"
TASKONOMY_TASKS = ("depth", "depth_euclidean")  # those that Taskonomy stores in its unit
CAMERAS_NAME = "scene_camera.json"
MAX_CAMERAS_BYTES = 1 << 26
_TASKONOMY_DEPTH = re.compile(r"point_\d+_view_\d+_domain_depth_(?:zbuffer|euclidean)\.png$")


def dataset_units(dataset: Path, keys: Iterable[str], note: Note) -> dict[str, str]:
    """Units by key, of the depth images of one dataset that has a directory for each task.

    Raises:
        SceneError: a damaged file of cameras.
    """
    keys = list(keys)
    if not keys:
        return {}
    if len(association.index_files(dataset)) == 2:
        note(f"a step of depth is {TUM_UNIT}, as in TUM RGB-D sequences (--unit depth=… says otherwise)")
        return dict.fromkeys(keys, TUM_UNIT)
    cameras_path = dataset / CAMERAS_NAME
    if not cameras_path.is_file():
        return {}
    scales = _depth_scales(cameras_path)
    units = {key: f"{scales[int(key)]:g}mm" for key in keys if key.isdecimal() and int(key) in scales}
    for unit in sorted(set(units.values())):
        note(f"a step of depth is {unit}, as {CAMERAS_NAME} says (--unit depth=… says otherwise)")
    return units


def taskonomy_units(task: str, images: Files, note: Note) -> dict[str, str]:
    """Units by key, of those images of ``task`` whose names say that they are Taskonomy's depth."""
    units = {key: TASKONOMY_UNIT for key, path in images.items() if _TASKONOMY_DEPTH.search(path)}
    if units:
        note(f"a step of {task} is {TASKONOMY_UNIT}, as in Taskonomy (--unit {task}=… says otherwise)")
    return units


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
    except OSError as error:
        raise SceneError(f"cannot read it: {error.strerror}", path=path) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SceneError("not a file of cameras as in BOP datasets", path=path) from error
    if not all(math.isfinite(scale) and scale > 0 for scale in scales.values()):
        raise SceneError("not a file of cameras as in BOP datasets", path=path)
    return scales
