"""What a stored step of depth means, where a layout defines it.

TUM RGB-D sequences (``rgb.txt``, ``depth.txt``) have 5000 steps a metre. ``scene_camera.json`` of BOP
datasets has ``depth_scale``, millimetres a step, for every image by its number. Depth that is named as in
Taskonomy and Omnidata, ``point_0_view_1_domain_depth_zbuffer``, has 512 steps a metre.
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

TUM, TASKONOMY = "0.2mm", "1.953125mm"
DEPTHS = ("depth", "depth_euclidean")  # tasks that Taskonomy gives in such steps
CAMERAS = "scene_camera.json"
_DEPTH = re.compile(r"point_\d+_view_\d+_domain_depth_(?:zbuffer|euclidean)\.png$")
MAX_BYTES = 1 << 26  # of a file of cameras


def of_depth(dataset: Path, keys: Iterable[str], note: Note) -> dict[str, str]:
    """Lengths of a step by key, of the images of one dataset that has a directory for each task.

    Raises:
        SceneError: a damaged file of cameras.
    """
    keys = list(keys)
    if not keys:
        return {}
    if len(association.indexes(dataset)) == 2:
        note(f"a step of depth is {TUM}, as in TUM RGB-D sequences (--unit depth=… says otherwise)")
        return dict.fromkeys(keys, TUM)
    cameras = dataset / CAMERAS
    if not cameras.is_file():
        return {}
    scales = _scales(cameras)
    found = {key: f"{scales[int(key)]:g}mm" for key in keys if key.isdecimal() and int(key) in scales}
    for unit in sorted(set(found.values())):
        note(f"a step of depth is {unit}, as {CAMERAS} says (--unit depth=… says otherwise)")
    return found


def of_domain(task: str, images: Files, note: Note) -> dict[str, str]:
    """Lengths of a step by key, of images of a task whose names say that they are Taskonomy's depth."""
    found = {key: TASKONOMY for key, path in images.items() if _DEPTH.search(path)}
    if found:
        note(f"a step of {task} is {TASKONOMY}, as in Taskonomy (--unit {task}=… says otherwise)")
    return found


def _scales(path: Path) -> dict[int, float]:
    """``depth_scale`` by number of the image."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError
        cameras = json.loads(path.read_bytes())
        found = {int(n): float(own["depth_scale"]) for n, own in cameras.items() if "depth_scale" in own}
    except OSError as error:
        raise SceneError(f"cannot read it: {error.strerror}", path=path) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SceneError("not a file of cameras as in BOP datasets", path=path) from error
    if not all(math.isfinite(scale) and scale > 0 for scale in found.values()):
        raise SceneError("not a file of cameras as in BOP datasets", path=path)
    return found
