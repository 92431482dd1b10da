"""What documented commands read: small scenes, datasets, encoded files and archives, under any name."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from shared.commands import png, start
from shared.documents import ROOT

from mtcodec.files.images import write_image

HEIGHT, WIDTH = 48, 64
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
RGB = np.stack([4 * ROWS, 3 * COLUMNS, ROWS + COLUMNS], -1).astype(np.uint8)
DEPTH = (1000 + 8 * ROWS + 5 * COLUMNS).astype(np.uint16)
METRES = (DEPTH / 1000).astype(np.float32)
NORMAL = np.stack([0 * ROWS + 128, 0 * ROWS + 128, 0 * ROWS + 255], -1).astype(np.uint8)
IDS = (COLUMNS // 16).astype(np.uint8)
IMAGES = {"rgb": RGB, "depth": DEPTH, "normal": NORMAL, "semantic": IDS}
KEYS = ("0001", "0002")
DRIVE = "2011_09_26_drive_0001_sync"
Files = Mapping[str, Any]

_POINT = "allensville/point_{}_view_1_domain_"
_CAM = "ai_001_001/images/scene_cam_00_"
TREES: dict[str, Files] = {
    "taskonomy": {
        f"{task}/{_POINT.format(k)}{task}.png": image
        for k in (0, 1)
        for task, image in (("depth_zbuffer", DEPTH), ("rgb", RGB), ("normal", NORMAL))
    },
    "evermotion_dataset/scenes": {
        f"{_CAM}final_preview/frame.0000.tonemap.jpg": RGB,
        f"{_CAM}geometry_hdf5/frame.0000.depth_meters.hdf5": METRES.astype(np.float16),
        f"{_CAM}geometry_hdf5/frame.0000.normal_cam.hdf5": (NORMAL / 127.5 - 1).astype(np.float16),
        f"{_CAM}geometry_hdf5/frame.0000.semantic.hdf5": IDS.astype(np.int16),
    },
    "kitti": {
        f"train/{DRIVE}/proj_depth/groundtruth/image_02/0000000005.png": DEPTH,
        f"train/{DRIVE}/proj_depth/velodyne_raw/image_02/0000000005.png": DEPTH,
        f"2011_09_26/{DRIVE}/image_02/data/0000000005.png": RGB,
    },
    "depth_selection/val_selection_cropped": {
        f"{kind}/{DRIVE}_{kind}_0000000005_image_02.png": image
        for kind, image in (("image", RGB), ("groundtruth_depth", DEPTH), ("velodyne_raw", DEPTH))
    },
    "scans": {
        "scene0000_00/color/0.jpg": RGB, "scene0000_00/depth/0.png": DEPTH[::2, ::2],
        "scene0000_00/pose/0.txt": "1 0 0 0", "scene0000_00/intrinsic/k.txt": "",
    },
    "7scenes": {
        "seq-01/frame-000000.color.png": RGB, "seq-01/frame-000000.depth.png": DEPTH,
        "seq-01/frame-000000.pose.txt": "1 0 0 0",
    },
    "matterport": {
        f"17DRP5sb8fy/undistorted_color_images/{'0a' * 16}_i0_0.jpg": RGB,
        f"17DRP5sb8fy/undistorted_depth_images/{'0a' * 16}_d0_0.png": DEPTH,
    },
    "drives": {"a/rgb_front/0.png": RGB, "a/lwir_front/0.png": DEPTH},
    "nyu2_test": {"00000_colors.png": RGB, "00000_depth.png": DEPTH},
    "abandonedfactory/Easy": {
        "P001/image_left/000000_left.png": RGB,
        "P001/depth_left/000000_left_depth.npy": METRES,
        "P001/seg_left/000000_left_seg.npy": IDS,
    },
    "habitat": {"rgb/00000.png": RGB, "depth/00000.npy": METRES, "semantic/00000.npy": IDS},
    "rgbd_dataset_freiburg1_xyz": {
        "rgb/1305031102.175304.png": RGB,
        "depth/1305031102.160407.png": DEPTH,
        "rgb.txt": "# color images\n1305031102.175304 rgb/1305031102.175304.png\n",
        "depth.txt": "# depth maps\n1305031102.160407 depth/1305031102.160407.png\n",
    },
    "bop/train/000001": {
        "rgb/000000.png": RGB, "depth/000000.png": DEPTH,
        "scene_camera.json": json.dumps({"0": {"depth_scale": 0.1}}),
    },
    "renders": {
        "Image0001.exr": {
            **{f"ViewLayer.Combined.{c}": RGB[..., k] / 255 for k, c in enumerate("RGB")},
            "ViewLayer.Depth.Z": METRES, "ViewLayer.IndexOB.X": IDS,
        },
    },
    "recording": {
        f"{task}/{number:06}.png": image
        for number in range(3)
        for task, image in (("rgb", RGB), ("depth", DEPTH))
    },
    "hub_dataset": {"train-00000.parquet": [{"rgb": RGB, "depth": DEPTH}] * 2},
}  # fmt: skip
"""Datasets of ``docs/datasets.md``, by the names of their directories there."""


def put(path: Path, content: Any) -> None:
    """A file of what its suffix and ``content`` say: an image, layers, rows of images, a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    elif path.suffix == ".jpg":
        Image.fromarray(content).save(path)
    elif path.suffix == ".exr":
        import OpenEXR

        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        channels = {name: np.ascontiguousarray(plane, np.float32) for name, plane in content.items()}
        with OpenEXR.File(header, channels) as file:
            file.write(str(path))
    elif path.suffix == ".hdf5":
        import h5py

        with h5py.File(path, "w") as file:
            file["dataset"] = content
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        cells = {name: pa.array([{"bytes": png(row[name])} for row in content]) for name in content[0]}
        pq.write_table(pa.table(cells), path)
    else:
        write_image(path, content)


def scene(path: Path, names: Sequence[str] = tuple(IMAGES), beside: Sequence[str] = ()) -> None:
    """A directory of images called ``names``, and of other files."""
    for name in names:
        put(path / f"{name}.png", IMAGES.get(name, RGB))
    for name in beside:
        put(path / name, "{}")


def dataset(path: Path, names: Sequence[str] = tuple(IMAGES), beside: Sequence[str] = ()) -> None:
    """A dataset at ``path``: the one of TREES by that name, else two scenes, in a file by its suffix."""
    tree = next((tree for name, tree in TREES.items() if path.as_posix().endswith(f"/{name}")), None)
    if tree is not None:
        for name, content in tree.items():
            put(path / name, content)
    elif path.suffix == ".tar":
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for key in KEYS:
                for name in names:
                    member = tarfile.TarInfo(f"{key}.{name}.png")
                    data = png(IMAGES.get(name, RGB))
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    elif path.suffix == ".parquet":
        put(path, [{name: IMAGES.get(name, RGB) for name in names}] * len(KEYS))
    else:
        for key in KEYS:
            scene(path / key, names, beside)


class Place:
    """A directory in which commands find what they name.

    Args:
        root: the directory.
        weights: a file that stands for any weights.
    """

    def __init__(self, root: Path, weights: Path) -> None:
        self.root, self.weights, self.created = root, weights, set[Path]()
        self.last_output: object = None  # commands in a row that have the same one are alternatives
        shutil.copytree(ROOT / "tests" / "scenes", root / "tests" / "scenes")

    def provide(self, name: str, params: dict[str, Any]) -> None:
        """Make what a command reads and is not there yet; remove what stands in its way."""
        output = params.get("output")
        exists = output is not None and (output == self.last_output or self.root / output in self.created)
        if exists and str(output) != "-":
            remove(self.root / output)
        self.last_output = output
        images, beside = self._images(params), [a for a in params.get("attach") or () if "{" not in a]
        one_scene = partial(scene, names=images, beside=beside)
        scenes = partial(dataset, names=images, beside=beside)
        into_one_file = (
            name == "encode" and not params.get("sequence") and str(output or "-").endswith((".mtc", "-"))
        )
        for path in self._paths(params, "inputs", "datasets", "dataset", "scene"):
            self._make(path, one_scene if into_one_file or name == "bench" else scenes)
        if params.get("weights") and str(params["weights"]).endswith(".safetensors"):
            self._make(params["weights"], lambda path: shutil.copy(self.weights, path))
        if name == "compare":
            original, decoded = params["original"], params["decoded"]
            self._make(original, one_scene if self._is_file(decoded) else scenes)
            self._make(decoded, self._encoded)
        elif name == "view" and params["original"]:
            self._make(params["original"], one_scene if self._is_file(params["file"]) else scenes)
        if name.startswith("archive "):
            for path in self._paths(params, "archive", "archives", "files"):
                self._make(path, self._packed)
        if name in ("decode", "info", "extract", "view", "verify", "unpack", "cut", "concat"):
            for path in self._paths(params, "file", "files", "archive"):
                self._make(path, self._packed if name == "unpack" else self._encoded)

    @staticmethod
    def _images(params: dict[str, Any]) -> list[str]:
        """Names of images that options speak of."""
        names = dict.fromkeys(IMAGES)
        names |= dict.fromkeys(task.partition(":")[0] for task in params.get("task") or ())
        for setting in params.get("name") or ():
            old, _, new = setting.partition("=")
            names.pop(new, None)
            names[old] = None
        return list(names)

    @staticmethod
    def _paths(params: dict[str, Any], *arguments: str) -> Iterator[str]:
        for name in arguments:
            value = params.get(name) or ()
            yield from map(str, (value,) if isinstance(value, (str, Path)) else value)

    @staticmethod
    def _is_file(path: str) -> bool:
        return path.endswith(".mtc")

    def _make(self, name: str | Path, maker: Callable[[Path], object]) -> None:
        path = self.root / name
        if str(name) != "-" and not path.exists():
            self.created.add(path)
            maker(path)

    def _encoded(self, path: Path) -> None:
        """A file, an archive, or a directory of files."""
        if "archive" in path.name:
            self._packed(path)
            return
        if path.name.startswith("clip"):
            with self._source("recording") as source:
                start("encode", source, "-o", path, "--sequence", "--coding", "classical", check=True)
            return
        with self._source() as source:
            scenes = source / "0001" if self._is_file(path.name) else source
            start("encode", scenes, "-o", path, check=True)

    def _packed(self, path: Path) -> None:
        with self._source() as source:
            start("pack", source, "-o", path, "--workers", 1, check=True)

    @contextmanager
    def _source(self, name: str = ".source") -> Iterator[Path]:
        """A dataset, for a while."""
        path = self.root / ".made" / name
        dataset(path)
        yield path
        shutil.rmtree(path)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
