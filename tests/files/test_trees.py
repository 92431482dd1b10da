"""Well-known datasets as they are downloaded: scenes, tasks, units and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mtcodec.files.images import write_image
from mtcodec.files.scene import layout_units, read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.files.trees.search import SceneFiles
from mtcodec.tasks import USUAL

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
SPARSE = np.where(np.arange(24).reshape(4, 6) % 5 == 0, 2560, 0).astype(np.uint16)  # 10 m, or nothing
STEP = "3.90625mm"
DRIVE = "2011_09_26_drive_0001_sync"


def put(root: Path, files: dict[str, NDArray[np.generic] | str]) -> None:
    """Images and texts by path within ``root``."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".jpg":
            Image.fromarray(content).save(path)
        else:
            write_image(path, content)


def scenes_of(root: Path) -> tuple[dict[str, SceneFiles], list[str]]:
    """Scenes by key, and notes without the dataset's path."""
    lines: list[str] = []
    scenes = find_scenes(root, note=lines.append)
    return {scene.key: scene for scene in scenes}, [line.removeprefix(f"{root}: ") for line in lines]


# --- KITTI ---------------------------------------------------------------------------------------

UNIT_NOTES = [
    f"a step of {task} is {STEP}, as in KITTI (--unit {task}=… says otherwise)"
    for task in ("depth", "velodyne_raw")
]


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Annotated depth and raw colours in one directory, as their archives unpack; frame 4 has no depth."""
    proj, raw = f"train/{DRIVE}/proj_depth", f"2011_09_26/{DRIVE}"
    depths = {
        f"{proj}/{kind}/image_0{camera}/0000000005.png": SPARSE
        for kind in ("groundtruth", "velodyne_raw")
        for camera in (2, 3)
    }
    colours = {f"{raw}/image_0{camera}/data/000000000{n}.png": RGB for camera in (2, 3) for n in (4, 5)}
    other_files = {
        f"{raw}/oxts/data/0000000004.txt": "",
        f"{raw}/image_02/timestamps.txt": "",
        "2011_09_26/calib.txt": "",
    }
    put(tmp_path / "kitti", {**depths, **colours, **other_files})
    return tmp_path / "kitti"


def test_kitti_joins_annotated_depth_and_raw_colours(kitti: Path) -> None:
    scenes, notes = scenes_of(kitti)
    assert list(scenes) == [f"{DRIVE}/image_0{camera}/000000000{n}" for camera in (2, 3) for n in (4, 5)]
    assert set(scenes[f"{DRIVE}/image_02/0000000004"].files) == {"rgb"}
    scene = scenes[f"{DRIVE}/image_03/0000000005"]
    images = read_scene(scene)
    assert images.keys() == {"depth", "rgb", "velodyne_raw"} and np.array_equal(images["depth"], SPARSE)
    assert layout_units(scene, images) == {"depth": STEP, "velodyne_raw": STEP}
    assert notes == [
        *UNIT_NOTES,
        f"2 of 4 scenes have one task only: rgb of {DRIVE}/image_02/0000000004, "
        f"rgb of {DRIVE}/image_03/0000000004",
        f"left out, as they are no images: 3 .txt files (2011_09_26/{DRIVE}/image_02/timestamps.txt, "
        f"2011_09_26/{DRIVE}/oxts/data/0000000004.txt, 2011_09_26/calib.txt)",
    ]


def test_a_drive_of_kitti_alone(kitti: Path) -> None:
    scenes, notes = scenes_of(kitti / "train" / DRIVE)
    assert list(scenes) == ["image_02/0000000005", "image_03/0000000005"] and notes == UNIT_NOTES
    scenes, _ = scenes_of(kitti / "2011_09_26" / DRIVE)
    assert next(iter(scenes)) == "image_02/0000000004" and scenes["image_02/0000000004"].units == {}


def test_selected_frames_of_kitti(tmp_path: Path) -> None:
    kinds = {"image": RGB, "groundtruth_depth": SPARSE, "velodyne_raw": SPARSE}
    root = tmp_path / "depth_selection"
    put(root / "val_selection_cropped", {
        f"{kind}/{DRIVE}_{kind}_0000000005_image_02.png": image for kind, image in kinds.items()
    })  # fmt: skip
    put(root / "val_selection_cropped", {f"intrinsics/{DRIVE}_image_0000000005_image_02.txt": ""})
    put(root / "test_depth_completion_anonymous",
        {"image/0000000007.png": RGB, "velodyne_raw/0000000007.png": SPARSE})  # fmt: skip
    scenes, notes = scenes_of(root)
    assert {key: list(scene.files) for key, scene in scenes.items()} == {
        "test_depth_completion_anonymous/0000000007": ["rgb", "velodyne_raw"],
        f"val_selection_cropped/{DRIVE}/image_02/0000000005": ["depth", "rgb", "velodyne_raw"],
    }
    assert notes[-1] == (
        "left out, as they are no images: 1 .txt file "
        f"(val_selection_cropped/intrinsics/{DRIVE}_image_0000000005_image_02.txt)"
    )
    scenes, _ = scenes_of(root / "val_selection_cropped")
    assert scenes[f"{DRIVE}/image_02/0000000005"].units == {"depth": STEP, "velodyne_raw": STEP}
    scenes, _ = scenes_of(root / "test_depth_completion_anonymous")
    assert scenes["0000000007"].units == {"velodyne_raw": STEP}


def test_a_date_alone_is_not_kitti(tmp_path: Path) -> None:
    put(tmp_path, {"2011_09_26/rgb.png": RGB, "2011_09_26/depth.png": SPARSE})
    scenes, notes = scenes_of(tmp_path)
    assert list(scenes["2011_09_26"].files) == ["depth", "rgb"] and notes == []


# --- ScanNet -------------------------------------------------------------------------------------


def test_frames_exported_from_scannet(tmp_path: Path) -> None:
    put(
        tmp_path, {"color/0.jpg": RGB, "depth/0.png": SPARSE[:2, :3], "pose/0.txt": "", "intrinsic/k.txt": ""}
    )
    scenes, notes = scenes_of(tmp_path)
    assert notes[-1] == "left out, as they are no images: 2 .txt files (intrinsic/k.txt, pose/0.txt)"
    images = read_scene(scenes["0"])
    assert {task: image.shape for task, image in images.items()} == {"depth": (2, 3), "rgb": (4, 6, 3)}
    assert list(read_scene(scenes["0"], tasks=["depth"])) == ["depth"]


# --- TartanAir -----------------------------------------------------------------------------------


def test_both_cameras_of_tartanair(tmp_path: Path) -> None:
    metres, ids = np.full((4, 6), 2.5, np.float32), np.full((4, 6), 7, np.uint8)
    run = "office/Easy/P001"
    for side in ("left", "right"):
        put(tmp_path, {
            f"{run}/image_{side}/000000_{side}.png": RGB,
            f"{run}/depth_{side}/000000_{side}_depth.npy": metres,
            f"{run}/pose_{side}.txt": "",
        })  # fmt: skip
    flow = np.zeros((4, 6, 2), np.float32)
    put(tmp_path / run, {"seg_left/000000_left_seg.npy": ids, "flow/000000_000001_flow.npy": flow})
    scenes, notes = scenes_of(tmp_path)
    assert list(scenes) == [f"{run}/left/000000", f"{run}/right/000000"]
    images = read_scene(scenes[f"{run}/left/000000"])
    assert images.keys() == {"depth", "rgb", "semantic"}
    assert images["depth"].dtype == np.float32 and np.array_equal(images["semantic"], ids)
    assert notes == [
        f"left out, as they belong to no scene: {run}/flow/",
        f"left out, as they are no images: 2 .txt files ({run}/pose_left.txt, {run}/pose_right.txt)",
    ]
    scenes, _ = scenes_of(tmp_path / run)
    assert list(scenes) == ["left/000000", "right/000000"]


def test_tartanair_2(tmp_path: Path) -> None:
    """Its depth is the four bytes of a float, which OpenCV takes for blue, green, red and alpha."""
    metres, ids = np.linspace(0.5, 90, 24).astype("<f4").reshape(4, 6), np.full((4, 6), 7, np.uint8)
    bgra = metres.view(np.uint8).reshape(4, 6, 4)
    run = "AbandonedCable/Data_easy/P000"
    for camera in ("lcam_front", "rcam_fish"):
        put(tmp_path / run, {
            f"image_{camera}/000000_{camera}.png": RGB,
            f"depth_{camera}/000000_{camera}_depth.png": bgra[..., [2, 1, 0, 3]],
            f"seg_{camera}/000000_{camera}_seg.png": ids,
        })  # fmt: skip
    scenes, notes = scenes_of(tmp_path)
    assert list(scenes) == [f"{run}/lcam_front/000000", f"{run}/rcam_fish/000000"]
    images = read_scene(scenes[f"{run}/rcam_fish/000000"])
    assert images.keys() == {"rgb", "depth", "semantic"} and np.array_equal(images["semantic"], ids)
    assert images["depth"].dtype == np.float32 and np.array_equal(images["depth"], metres)
    assert notes == [
        "depth is unpacked from rgba:float32, as in TartanAir 2 (--unpack depth=… says otherwise)"
    ]


# --- Hypersim ------------------------------------------------------------------------------------


def hypersim(root: Path, frames: tuple[int, ...] = (0, 1)) -> dict[str, NDArray[np.generic]]:
    """A scene as it is downloaded; returns what the HDF5 files of every frame hold."""
    h5py = pytest.importorskip("h5py")
    ids = np.full((4, 6), -1, np.int16)
    ids[:, 2:] = 12
    vectors = np.zeros((4, 6, 3), np.float16)
    vectors[..., 2] = 1
    distance = np.linspace(1, 4, 24, dtype=np.float16).reshape(4, 6)
    distance[0, 0] = np.nan
    arrays: dict[str, NDArray[np.generic]] = {
        "final color": (RGB * 0.25).astype(np.float16), "geometry depth_meters": distance,
        "geometry normal_cam": vectors, "geometry semantic": ids,
    }  # fmt: skip
    images = root / "ai_001_001" / "images"
    for frame in frames:
        for name, image in arrays.items():
            kind, task = name.split()
            path = images / f"scene_cam_00_{kind}_hdf5" / f"frame.{frame:04d}.{task}.hdf5"
            path.parent.mkdir(parents=True, exist_ok=True)
            with h5py.File(path, "w") as file:
                file.create_dataset("dataset", data=image, compression="gzip")
        put(images, {
            f"scene_cam_00_final_preview/frame.{frame:04d}.tonemap.jpg": RGB,
            f"scene_cam_00_final_preview/frame.{frame:04d}.color.jpg": RGB,
            f"scene_cam_00_geometry_preview/frame.{frame:04d}.normal_cam.png": RGB,
        })  # fmt: skip
    put(root / "ai_001_001", {"_detail/cam_00/metadata_camera.csv": "", "_detail/cam_00/positions.hdf5": ""})
    return {name.split()[1]: image for name, image in arrays.items()}


def test_hypersim_as_it_is_downloaded(tmp_path: Path) -> None:
    arrays = hypersim(tmp_path)
    scenes, notes = scenes_of(tmp_path)
    assert list(scenes) == ["ai_001_001/cam_00/0000", "ai_001_001/cam_00/0001"]
    images = read_scene(scenes["ai_001_001/cam_00/0001"])
    assert {name: image.dtype.name for name, image in images.items()} == {
        "color_hdr": "float16", "depth": "float16", "normal": "float16", "rgb": "uint8", "semantic": "int16",
    }  # fmt: skip
    for task, name in (("color_hdr", "color"), ("depth", "depth_meters"), ("semantic", "semantic")):
        assert np.array_equal(images[task], arrays[name], equal_nan=task == "depth")
    assert notes == [
        "color is read as color_hdr, as in Hypersim (--rename color=color keeps its name)",
        "depth_meters is read as depth (--rename depth_meters=depth_meters keeps its name)",
        "normal_cam is read as normal (--rename normal_cam=normal_cam keeps its name)",
        "left out, as they belong to no scene: ai_001_001/_detail/, "
        "ai_001_001/images/scene_cam_00_final_preview/frame.0000.color.jpg, "
        "ai_001_001/images/scene_cam_00_final_preview/frame.0001.color.jpg, "
        "ai_001_001/images/scene_cam_00_geometry_preview/",
        "left out, as they are no images: 1 .csv file (ai_001_001/_detail/cam_00/metadata_camera.csv)",
    ]
    scenes, _ = scenes_of(tmp_path / "ai_001_001")
    assert list(scenes) == ["cam_00/0000", "cam_00/0001"]
    lines: list[str] = []
    find_scenes(tmp_path, names={"color": "color"}, note=lines.append)
    assert not any("color is read" in line for line in lines)


def test_the_preview_of_colours_counts_where_hypersim_has_no_tone_mapped_one(tmp_path: Path) -> None:
    hypersim(tmp_path, (3,))
    preview = tmp_path / "ai_001_001/images/scene_cam_00_final_preview"
    (preview / "frame.0003.tonemap.jpg").unlink()
    scenes, _ = scenes_of(tmp_path)
    assert scenes["ai_001_001/cam_00/0003"].files["rgb"] == preview / "frame.0003.color.jpg"


# --- Taskonomy, Omnidata -------------------------------------------------------------------------


def test_every_task_of_taskonomy(tmp_path: Path) -> None:
    depths, edges = ["depth_euclidean", "depth_zbuffer"], ["edge_occlusion", "edge_texture"]
    segments = ["segment_semantic", "segment_unsup2d", "segment_unsup25d"]
    points = ["keypoints2d", "keypoints3d", "principal_curvature", "reshading", "mask_valid"]
    tasks = ["rgb", "normal", *depths, *edges, *segments, *points]
    colours = ("normal", "principal_curvature", "reshading", "rgb")
    domain = {"mask_valid": "depth_zbuffer", "segment_semantic": "segmentsemantic"}
    key = "allensville/point_0_view_1"
    for task in tasks:
        image = RGB if task in colours else SPARSE
        put(tmp_path, {f"{task}/{key}_domain_{domain.get(task, task)}.png": image})
    for name in ("nonfixated_matches", "points", "point_info"):
        put(tmp_path, {f"{name}/{key}_domain_fixatedpose.json": "{}"})
    scenes, notes = scenes_of(tmp_path)
    images = read_scene(scenes[key])
    read_as = {"depth_zbuffer": "depth", "segment_semantic": "semantic"}
    assert set(images) == {read_as.get(task, task) for task in tasks}
    assert layout_units(scenes[key], images) == dict.fromkeys(("depth", "depth_euclidean"), "1.953125mm")
    assert all(name in USUAL for name in images)
    assert notes[-1] == (
        "left out, as they are no images: 3 .json files ("
        + ", ".join(
            f"{name}/{key}_domain_fixatedpose.json" for name in ("nonfixated_matches", "point_info", "points")
        )
        + ")"
    )


# --- NYU, Habitat --------------------------------------------------------------------------------


def test_pairs_of_nyu(tmp_path: Path) -> None:
    put(
        tmp_path / "test",
        {f"0000{k}_{n}.png": i for k in (0, 1) for n, i in (("colors", RGB), ("depth", SPARSE))},
    )
    scenes, _ = scenes_of(tmp_path / "test")
    assert {key: list(scene.files) for key, scene in scenes.items()} == {
        "00000": ["depth", "rgb"], "00001": ["depth", "rgb"],
    }  # fmt: skip
    put(tmp_path / "train", {"attic_out/1.jpg": RGB, "attic_out/1.png": SPARSE, "attic_out/2.jpg": RGB})
    scenes, notes = scenes_of(tmp_path / "train")
    assert list(scenes) == ["attic_out/1"] and list(scenes["attic_out/1"].files) == ["depth", "rgb"]
    assert notes == [
        "of pairs of images, jpg is read as rgb (--rename jpg=… says otherwise)",
        "of pairs of images, png is read as depth (--rename png=… says otherwise)",
        "left out, as they belong to no scene: attic_out/2.jpg",
    ]
    (scene,) = find_scenes(tmp_path / "train", names={"png": "semantic"})
    assert list(scene.files) == ["rgb", "semantic"]


def test_arrays_of_habitat(tmp_path: Path) -> None:
    metres = np.linspace(0, 5, 24, dtype=np.float32).reshape(4, 6, 1)
    put(
        tmp_path,
        {"rgb/00000.png": RGB, "depth/00000.npy": metres, "semantic/00000.npy": SPARSE.astype(np.int32)},
    )
    images = read_scene(scenes_of(tmp_path)[0]["00000"])
    assert images["depth"].dtype == np.float32 and np.array_equal(images["depth"], metres[..., 0])
    assert images["semantic"].dtype == np.int32
