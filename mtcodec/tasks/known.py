"""Declarations that everybody uses, and the names by which datasets call them.

Names are those of CLEVR-like scenes, Taskonomy and Omnidata, Hypersim, and Blender's passes. A task whose
name is not here and that nobody declares is kept exactly.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mtcodec.tasks.kinds import KINDS
from mtcodec.tasks.task import Declarations, Task, declare

RGB = Task("rgb", KINDS["color"], 3, ("uint8", "uint16"))
DEPTH = declare("depth", "depth")
NORMAL = Task("normal", KINDS["vectors"], 3, ("uint8", "uint16"), weight=1.25)
SEMANTIC = declare("semantic", "categories")

_COLOURS = ("albedo", "diffuse_reflectance", "diffuse_illumination", "residual", "ambient_occlusion",
            "diffcol", "glosscol", "transcol", "diffdir", "diffind", "glossdir", "glossind", "emit",
            "env")  # fmt: skip
_GRAYS = ("reshading", "shading", "edge_occlusion", "edge_texture", "keypoints2d", "keypoints3d",
          "principal_curvature", "mist", "shadow", "ao", "infrared", "ir")  # fmt: skip
_LABELS = ("instance", "semantic_instance", "render_entity_id", "segment_unsup2d", "segment_unsup25d",
           "fragments", "object_index", "material_index", "indexob", "indexma", "panoptic",
           "mask_valid")  # fmt: skip
_VECTORS = ("normal_world", "normal_bump_cam", "normal_bump_world")

USUAL: Declarations = {
    task.name: task
    for task in (
        *(RGB, DEPTH, NORMAL, SEMANTIC),
        *(declare(name, "image") for name in _COLOURS),
        *(declare(name, "image", 1) for name in _GRAYS),
        *(declare(name, "categories") for name in _LABELS),
        *(declare(name, "vectors") for name in _VECTORS),
        *(
            declare(name, "depth")
            for name in ("depth_euclidean", "velodyne_raw", "distance_to_camera", "distance_to_image_plane")
        ),
        declare("disparity", "disparity"),
    )
}

_NAMES = {
    "rgb": "leftimg8bit color colour image img rgba rgb_image image_rgb color_image image_color photo beauty "
    "combined rgb_frame rgb_picture left image_left image_2 wide",
    "depth": "depth_zbuffer depth_meters depthmap depth_map depth_image depth_gt gt_depth zdepth z_depth "
    "zbuffer z range distance_to_image_plane distance_to_camera depth_euclidean",
    "normal": "normal_cam surface_normal normal_map normal_image normalmap nrm",
    "semantic": "segment_semantic segmentsemantic semantic_segmentation semantic_label semantic_map seg "
    "segmentation semseg sem_seg sem semantic_image class_segmentation classsegmentation classgt label "
    "label_id labelid label_train_id labeltrainid class_segmap category_id_segmap label_filt",
    "instance": "instance_segmentation instance_id_segmentation instance_id instanceid instancesegmentation "
    "instancegt instance_segmap inst instance_filt",
    "disparity": "disp disparity_map",
}

ALIASES = {alias: task for task, aliases in _NAMES.items() for alias in aliases.split()}
"""Other names of usual tasks, the likelier ones first; plurals need not be named.

They count where no image or directory of the scene has the task's own name.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLACES = _words(
    "left right front rear back top bottom upper lower side center centre middle mid inner outer main "
    "primary secondary base static fixed world ego exo overhead wrist hand head arm shoulder gripper "
    "chest eye in agentview view camera cam robot kinect realsense sensor zed lidar stereo"
)  # words of which names of cameras consist
_NO_CAMERA = _words(
    "mask masks masked conf confidence valid validity invalid occlusion occlusions uncertainty error diff "
    "inverse inv log relative vis viz flow for of id ids"
)  # words that make another thing of a task's name: masks_for_images are no images
_WORD = re.compile(r"([a-z]*)(\d*)")


def is_place(name: str) -> bool:
    """Is it what cameras are called: ``left_shoulder``, ``cam0``?"""
    matches = [_WORD.fullmatch(word) for word in re.split(r"[^a-z0-9]+", name.lower())]
    return all(match is not None and match[1] in _PLACES for match in matches)


def camera_parts(
    name: str, declared: Declarations, barred: frozenset[str] = _NO_CAMERA
) -> tuple[str, str] | None:
    """The camera and the known task in a name of both, ``front_rgb``, ``depth_left`` or ``depth_0``.

    Args:
        name: lower case, digits and ``_``.
        barred: words that a camera's name does not have.

    Returns:
        ``front`` and ``rgb``: a task's own name, its plural, or another name of it. None where there is no
        such task, and where the rest names a task, too: ``semantic_rgb`` are no colours.
    """
    numbered = re.fullmatch(r"(.*[a-z])_?(\d+)", name)
    if numbered and task_of(numbered[1], declared):
        return numbered[2], numbered[1]
    words = name.split("_")
    for count in range(1, len(words)):  # the longest task first, at the end before at the beginning
        place, task = "_".join(words[:count]), "_".join(words[count:])
        is_camera = all(
            is_place(word) or not (word in barred or task_of(word, declared) not in ("", "rgb"))
            for word in words[:count]
        )
        if is_camera and not is_place(task) and task_of(task, declared):
            return place, task
    for count in range(len(words) - 1, 0, -1):
        task, place = "_".join(words[:count]), "_".join(words[count:])
        if is_place(re.sub(r"_(?=\d+$)", "", place)) and task_of(task, declared):
            return place, task
    return None


def mentions_task(name: str, declared: Declarations) -> bool:
    """Does ``masks_for_images`` end in a task's name, whatever its other words make of it?"""
    return camera_parts(name, declared, frozenset()) is not None


def task_of(name: str, declared: Declarations) -> str:
    """The declared task that is called ``name``: its own name, its plural, or another one; empty if none."""
    singular = name.removesuffix("s")
    names = (name, singular, ALIASES.get(name, ""), ALIASES.get(singular, ""))
    return next((task for task in names if task in declared), "")


def task_named(name: str, declared: Declarations) -> Task | None:
    """The declaration of ``name``; of a camera's image that of its task: ``front_depth`` is as ``depth``."""
    if name in declared:
        return declared[name]
    parts = camera_parts(name, declared)
    return replace(declared[task_of(parts[1], declared)], name=name) if parts else None
