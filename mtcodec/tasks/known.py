"""Declarations that everybody uses, and the names by which datasets call them.

Names are those of CLEVR-like scenes, Taskonomy and Omnidata, Hypersim, and Blender's passes. A task whose
name is not here and that nobody declares is kept exactly.
"""

from __future__ import annotations

from mtcodec.tasks.task import Declarations, Task, declare

RGB = Task("rgb", "color", 3, ("uint8", "uint16"))
DEPTH = declare("depth", "depth")
NORMAL = Task("normal", "vectors", 3, ("uint8", "uint16"), weight=1.25)
SEMANTIC = declare("semantic", "categories")

_COLOURS = ("albedo", "diffuse_reflectance", "diffuse_illumination", "residual", "ambient_occlusion", "diffcol",
            "glosscol", "transcol", "diffdir", "diffind", "glossdir", "glossind", "emit", "env")  # fmt: skip
_GRAYS = ("reshading", "shading", "edge_occlusion", "edge_texture", "keypoints2d", "keypoints3d",
          "principal_curvature", "mist", "shadow", "ao", "infrared", "ir")  # fmt: skip
_LABELS = ("instance", "semantic_instance", "render_entity_id", "segment_unsup2d", "segment_unsup25d",
           "fragments", "object_index", "material_index", "indexob", "indexma", "panoptic", "labels")  # fmt: skip

USUAL: Declarations = {
    task.name: task
    for task in (
        *(RGB, DEPTH, NORMAL, SEMANTIC),
        *(declare(name, "image") for name in _COLOURS),
        *(declare(name, "image", 1) for name in _GRAYS),
        *(declare(name, "categories") for name in _LABELS),
        *(declare(name, "depth") for name in ("disparity", "depth_euclidean")),
    )
}

ALIASES = {
    **dict.fromkeys(("color", "colour", "image", "images", "img", "left", "rgbs", "colors"), "rgb"),
    **dict.fromkeys(("depths", "depth_zbuffer", "depth_meters", "depthmap", "depth_map", "z", "range"), "depth"),
    **dict.fromkeys(("normals", "normal_cam", "surface_normals", "normal_map", "nrm"), "normal"),
    **dict.fromkeys(
        ("segment_semantic", "seg", "segmentation", "label", "semantics", "sem"), "semantic"
    ),
}  # fmt: skip
"""Other names of usual tasks. They count where no image or directory of the scene has the task's own name."""
