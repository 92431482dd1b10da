"""Datasets as they lie: a function for each layout, which makes a small one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from contract import pictures
from contract.case import Image
from contract.disk import content, put, small

RGB = pictures.colours(8, 12)
SPARSE = np.where(np.arange(96).reshape(8, 12) % 5 == 0, 2560, 0).astype(np.uint16)
METRES = pictures.depth(8, 12, "float32")
IDS = pictures.labels(8, 12)
DRIVE = "2011_09_26_drive_0001_sync"


def scenes(root: Path) -> None:
    for k in (0, 1):
        put(root / f"{k:04d}", {f"{n}.png": i for n, i in small(seed=k).items()})
    put(root, {"0001/smell.png": pictures.labels(24, 32), "readme.md": "", "logs/1.png": IDS})


def tasks(root: Path) -> None:
    for k in (1, 2):
        put(root, {f"{n}/train/{k}.png": i for n, i in small(seed=k).items()})
    put(root, {"color/train/1.png": pictures.colours(24, 32), "notes/a.txt": ""})


def suffixes(root: Path) -> None:
    put(root, {f"000{k}_{n}.png": i for k in (1, 2) for n, i in small(seed=k).items()})


def pairs(root: Path) -> None:
    put(root, {"0001.jpg": RGB, "0001.png": SPARSE, "0002.jpg": RGB, "0002.png": SPARSE, "0003.jpg": RGB})


def aliases(root: Path) -> None:
    put(
        root,
        {"a/image.png": RGB, "a/depth_zbuffer.png": SPARSE, "a/segmentation.png": IDS, "a/normals.png": RGB},
    )


def taskonomy(root: Path) -> None:
    domain = {"mask_valid": "depth_zbuffer", "segment_semantic": "segmentsemantic"}
    names = ("rgb", "normal", "depth_zbuffer", "depth_euclidean", "edge_texture", "segment_semantic",
             "keypoints2d", "principal_curvature", "reshading", "mask_valid")  # fmt: skip
    for name in names:
        image = RGB if name in ("rgb", "normal", "principal_curvature", "reshading") else SPARSE
        file = f"point_0_view_1_domain_{domain.get(name, name)}.png"
        put(root, {f"{name}/allensville/{file}": image})
    put(root, {"point_info/allensville/point_0_view_1_domain_fixatedpose.json": "{}"})


def hypersim(root: Path) -> None:
    images = root / "ai_001_001" / "images"
    held: dict[str, dict[str, Image]] = {"final": {"color": (RGB * 0.25).astype(np.float16)}}
    held["geometry"] = {"depth_meters": METRES.astype(np.float16), "semantic": IDS.astype(np.int16) - 1}
    held["geometry"]["normal_cam"] = pictures.normals(8, 12, "float16")
    for kind, own in held.items():
        put(images, {f"scene_cam_00_{kind}_hdf5/frame.0000.{n}.hdf5": i for n, i in own.items()})
    put(images, {"scene_cam_00_final_preview/frame.0000.tonemap.jpg": RGB,
                 "scene_cam_00_geometry_preview/frame.0000.normal_cam.png": RGB})  # fmt: skip


def kitti(root: Path) -> None:
    proj, raw = f"train/{DRIVE}/proj_depth", f"2011_09_26/{DRIVE}"
    for camera in (2, 3):
        for kind in ("groundtruth", "velodyne_raw"):
            put(root, {f"{proj}/{kind}/image_0{camera}/0000000005.png": SPARSE})
        put(root, {f"{raw}/image_0{camera}/data/000000000{n}.png": RGB for n in (4, 5)})
    put(root, {f"{raw}/oxts/data/0000000004.txt": "", "2011_09_26/calib.txt": ""})


def kitti_selected(root: Path) -> None:
    kinds = {"image": RGB, "groundtruth_depth": SPARSE, "velodyne_raw": SPARSE}
    names = {f"{kind}/{DRIVE}_{kind}_0000000005_image_02.png": image for kind, image in kinds.items()}
    put(root / "depth_selection" / "val_selection_cropped", names)


def scannet(root: Path) -> None:
    put(root, {"color/0.jpg": RGB, "depth/0.png": SPARSE[:4, :6], "pose/0.txt": "1 0", "intrinsic/k.txt": ""})


def nyu(root: Path) -> None:
    put(root, {f"0000{k}_{n}.png": i for k in (0, 1) for n, i in (("colors", RGB), ("depth", SPARSE))})


def tartanair(root: Path) -> None:
    run = "office/Easy/P001"
    for side in ("left", "right"):
        put(root, {f"{run}/image_{side}/000000_{side}.png": RGB,
                   f"{run}/depth_{side}/000000_{side}_depth.npy": METRES,
                   f"{run}/pose_{side}.txt": ""})  # fmt: skip
    flow = np.zeros((8, 12, 2), np.float32)
    put(root / run, {"seg_left/000000_left_seg.npy": IDS, "flow/000000_000001_flow.npy": flow})


def habitat(root: Path) -> None:
    ids = IDS.astype(np.int32)
    put(root, {"rgb/00000.png": RGB, "depth/00000.npy": METRES[..., None], "semantic/00000.npy": ids})


def tum(root: Path) -> None:
    for name, image, times in (("rgb", RGB, ("5.10", "6.10")), ("depth", SPARSE, ("5.11", "6.20", "7.30"))):
        put(root, {f"{name}/{time}.png": image for time in times})
        listed = "".join(f"{time} {name}/{time}.png\n" for time in times)
        put(root, {f"{name}.txt": f"# {name} maps\n{listed}"})


def bop(root: Path) -> None:
    cameras = '{"0": {"cam_K": [1, 0, 0, 0, 1, 0, 0, 0, 1], "depth_scale": 0.5}}'
    put(root, {"rgb/000000.png": RGB, "depth/000000.png": SPARSE, "scene_camera.json": cameras})


def blender(root: Path) -> None:
    rows, columns = np.mgrid[:8, :12].astype(np.float32)
    layers: dict[str, dict[str, Image]] = {
        "Combined": {**{c: rows / 4 + k for k, c in enumerate("RGB")}, "A": columns / 8},
        "Depth": {"Z": np.where(rows == 0, np.float32(1e10), 2 + columns)},
        "Normal": {"X": 0 * rows, "Y": 0 * rows, "Z": 0 * rows + 1}, "IndexOB": {"X": 3 * rows},
    }  # fmt: skip
    channels = {f"ViewLayer.{name}.{c}": plane for name, own in layers.items() for c, plane in own.items()}
    put(root, {"Image0001.exr": channels, "Image0002.exr": channels})


def formats(root: Path) -> None:
    exr = {"ViewLayer.Depth.V": METRES}
    files: dict[str, Any] = {
        "rgb.tif": pictures.colours(8, 12, "uint16"), "depth.exr": exr, "semantic.npy": IDS,
        "albedo.tiff": pictures.colours(8, 12, "float32"), "smell.h5": METRES,
    }  # fmt: skip
    put(root / "mixed", files)
    put(
        root / "plain",
        {"rgb.jpeg": RGB, "depth.tiff": METRES, "normal.npy": pictures.normals(8, 12, "float32")},
    )


def _tar(path: Path, members: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, image in members.items():
            data = content(name, image)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def shards(root: Path) -> None:
    for k in (0, 1):
        own = {f"000{k}.{n}.png": i for n, i in small(seed=k).items()}
        _tar(root / f"shard-00000{k}.tar", {**own, f"000{k}.json": "{}", "../x.rgb.png": RGB})


def tables(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [{"bytes": content("a.png", RGB), "path": None}] * 2
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    depths = [content("a.png", SPARSE), None]
    columns = {"image": pa.array(cells, struct), "depth": depths, "label": [1, 2], "id": ["a/7", "b"]}
    root.mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "train-00000.parquet")


TREES: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (scenes, tasks, suffixes, pairs, aliases, taskonomy, hypersim, kitti, kitti_selected,
                     scannet, nyu, tartanair, habitat, tum, bop, blender, formats, shards, tables)
}  # fmt: skip
OPTIONS = {"scannet": ("--tasks", "depth", "--attach", "pose/{key}.txt")}
