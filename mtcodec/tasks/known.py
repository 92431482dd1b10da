"""Declarations that everybody uses, and the names by which datasets call them.

Names are those of CLEVR-like scenes, Taskonomy and Omnidata, Hypersim, and Blender's passes. A task whose
name is not here and that nobody declares is kept exactly.
"""

from __future__ import annotations

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
        *(declare(name, "depth") for name in ("depth_euclidean", "velodyne_raw")),
        declare("disparity", "disparity"),
    )
}

_NAMES = {
    "rgb": "color colour image img rgba rgb_image image_rgb color_image image_color photo beauty combined "
    "left image_left image_2",
    "depth": "depth_zbuffer depth_meters depthmap depth_map depth_image depth_gt gt_depth zdepth z_depth "
    "zbuffer z range depth_euclidean",
    "normal": "normal_cam surface_normal normal_map normalmap nrm",
    "semantic": "segment_semantic segmentsemantic semantic_segmentation semantic_label semantic_map seg "
    "segmentation semseg sem_seg sem label class_segmap category_id_segmap",
    "instance": "instance_segmentation instance_id inst instance_segmap",
    "disparity": "disp disparity_map",
}

ALIASES = {alias: task for task, aliases in _NAMES.items() for alias in aliases.split()}
"""Other names of usual tasks, the likelier ones first; plurals need not be named.

They count where no image or directory of the scene has the task's own name.
"""
