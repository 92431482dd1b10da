"""Trees as public datasets and tools write them: which images are a scene, and what lines say."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.reading import Reading
from mtcodec.files.trees.layouts import find_scenes

COLOURS = imagecodecs.png_encode(np.zeros((16, 20, 3), np.uint8))
PLANE = imagecodecs.png_encode(np.zeros((16, 20), np.uint16))
BOXES = np.zeros(3, np.dtype([("semanticId", "<u4"), ("x_min", "<i4")]))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def put(root: Path, names: Iterable[str]) -> None:
    """Files by path: colours, planes of numbers where the name says depth, arrays, tables and empty files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            array = BOXES if "box" in name else np.eye(4) if "pose" in name else np.ones((16, 20), np.float32)
            path.write_bytes(npy(array))
        elif path.suffix in (".png", ".jpg"):
            path.write_bytes(PLANE if "depth" in name else COLOURS)
        else:
            path.write_bytes(b"")


def read(
    root: Path, names: Sequence[str] = (), pattern: str = "", attach: Sequence[str] = ()
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Paths within ``root`` by key and task, and lines."""
    put(root, names)
    lines: list[str] = []
    scenes = find_scenes(root, note=lines.append, reading=Reading(pattern=pattern), attach=attach)
    paths = {s.key: {t: str(p).removeprefix(f"{root}/") for t, p in s.files.items()} for s in scenes}
    return paths, [line.removeprefix(f"{root}: ") for line in lines]


# --- the longest name that fits ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("semantic_segmentation_{}.png", "semantic"),
        ("instance_segmentation_{}.png", "instance"),
        ("depth_map_{}.png", "depth"),
        ("rgb_image_{}.png", "rgb"),
        ("{}_surface_normal.png", "normal"),
        ("distance_to_camera_{}.npy", "depth"),
        ("distance_to_image_plane_{}.npy", "depth"),
        ("frame-{}.color.png", "rgb"),
        ("kinect_depth_{}.png", "depth"),
    ],
)
def test_a_name_of_several_words_is_one_name(name: str, task: str, tmp_path: Path) -> None:
    other = {"rgb": "depth_{}.png", "depth": "rgb_{}.png"}.get(task, "rgb_{}.png")
    other = name.replace("color", "depth") if "frame" in name else other
    other = name.replace("depth", "rgb") if "kinect" in name else other
    scenes, _ = read(tmp_path, [pattern.format(f"000{k}") for k in (0, 1) for pattern in (name, other)])
    assert len(scenes) == 2
    assert [files[task] for files in scenes.values()] == [name.format(f"000{k}") for k in (0, 1)]
    assert all(len(files) == 2 for files in scenes.values())


def test_longer_names_beside_the_task_they_begin_with(tmp_path: Path) -> None:
    names = ("rgb_{}.png", "depth_{}.png", "depth_mask_{}.png", "semantic_segmentation_{}.png",
             "semantic_segmentation_colorized_{}.png")  # fmt: skip
    scenes, _ = read(tmp_path, [name.format(k) for k in ("0000", "0001") for name in names])
    expected = {"rgb", "depth", "depth_mask", "semantic", "semantic_segmentation_colorized"}
    assert {key: set(files) for key, files in scenes.items()} == {"0000": expected, "0001": expected}


# --- which images belong together --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "depth", "line"),
    [
        (("00001", "00002"), ("1", "2"), "depth/2.png belongs to rgb/00002.png, by their numbers"),
        (("IMG_1", "IMG_2"), ("img_1", "img_2"), "in other characters"),
        (
            tuple(unicodedata.normalize("NFC", f"café{k}") for k in "12"),
            tuple(unicodedata.normalize("NFD", f"café{k}") for k in "12"),
            "in other characters",
        ),
        (("a1_i0_0", "b2_i1_0"), ("a1_d0_0", "b2_d1_0"), "depth/b2_d1_0.png belongs to rgb/b2_i1_0.png"),
        (("shot_1", "shot_2"), ("shotz_1", "shotz_2"), "without the words that all names of a task have"),
    ],
)
def test_names_that_one_rule_makes_equal(
    rgb: tuple[str, ...], depth: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    scenes, lines = read(tmp_path, [f"rgb/{n}.png" for n in rgb] + [f"depth/{n}.png" for n in depth])
    assert list(scenes) == sorted(rgb)
    for key, partner in zip(rgb, depth):
        assert scenes[key] == {"rgb": f"rgb/{key}.png", "depth": f"depth/{partner}.png"}
    assert len(lines) == 1 and line in lines[0]


@pytest.mark.parametrize(
    ("rgb", "depth"),
    [
        (("a",), ("b",)),
        (("a", "b"), ("c", "d")),
        (("1", "2", "3", "4", "5"), ("5", "6", "7", "8", "9")),
        (("left_1", "left_2"), ("right_1", "right_2")),
        (("train_1", "train_2"), ("test_1", "test_2")),
        (("1", "01"), ("001", "0001")),
    ],
)
def test_names_that_no_rule_makes_equal_are_refused(
    rgb: tuple[str, ...], depth: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, [f"rgb/{n}.png" for n in rgb] + [f"depth/{n}.png" for n in depth])
    with pytest.raises(SceneError) as caught:
        find_scenes(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: rgb and depth have few names in common, or none: rgb/")
    assert "do not meet (--pattern" in message and "\n" not in message


def test_scenes_of_one_task_are_told(tmp_path: Path) -> None:
    scenes, lines = read(tmp_path, ["rgb/1.png", "rgb/2.png", "rgb/3.png", "depth/1.png"])
    assert len(scenes) == 3
    assert lines == ["2 of 3 scenes have one task only: rgb of 2, rgb of 3"]


# --- trees of trees ----------------------------------------------------------------------------------


def test_a_root_of_scannet_and_poses_at_any_depth(tmp_path: Path) -> None:
    names = [f"scene000{s}_00/{d}/{k}.{e}" for s in (0, 1) for k in (0, 1)
             for d, e in (("color", "jpg"), ("depth", "png"), ("pose", "txt"))]  # fmt: skip
    names.append("scene0000_00/intrinsic/intrinsic_color.txt")
    scenes, lines = read(tmp_path, names, attach=["pose/{key}.txt"])
    assert list(scenes) == [f"scene000{s}_00/{k}" for s in (0, 1) for k in (0, 1)]
    assert all(files.keys() == {"rgb", "depth"} for files in scenes.values())
    assert (
        lines[-1]
        == "left out, as they are no images: 1 .txt file (scene0000_00/intrinsic/intrinsic_color.txt)"
    )
    scene = find_scenes(tmp_path, attach=["pose/{key}.txt"])[-1]
    assert scene.attachments == {"1.txt": tmp_path / "scene0001_00/pose/1.txt"}


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_poses_beside_frames(depth: int, tmp_path: Path) -> None:
    prefix = "".join(f"level{level}/" for level in range(depth))
    names = [
        f"{prefix}seq-01/frame-00000{k}.{n}" for k in (0, 1) for n in ("color.png", "depth.png", "pose.txt")
    ]
    scenes, lines = read(tmp_path, names, attach=["{key}.pose.txt"])
    assert list(scenes) == [f"{prefix}seq-01/frame-00000{k}" for k in (0, 1)]
    assert lines == ["color is read as rgb (--rename color=color keeps its name)"]


def test_trees_at_several_depths(tmp_path: Path) -> None:
    names = [f"{root}{task}/{k}.png" for root in ("a/", "b/c/", "b/d/e/f/") for task in ("rgb", "depth")
             for k in (0, 25)]  # fmt: skip
    scenes, lines = read(tmp_path, [*names, "b/one/rgb.png", "b/one/depth.png", "b/about.png"])
    assert list(scenes) == ["a/0", "a/25", "b/c/0", "b/c/25", "b/d/e/f/0", "b/d/e/f/25", "b/one"]
    assert lines == ["left out, as they belong to no scene: b/about.png"]


def test_units_and_times_of_sequences_below_a_root(tmp_path: Path) -> None:
    for s in (1, 2):
        (tmp_path / f"bop/train/{s}").mkdir(parents=True)
        (tmp_path / f"bop/train/{s}/scene_camera.json").write_text(f'{{"0": {{"depth_scale": 0.{s}}}}}')
    scenes, _ = read(
        tmp_path / "bop", [f"train/{s}/{n}/000000.png" for s in (1, 2) for n in ("rgb", "depth")]
    )
    assert [scene.units for scene in find_scenes(tmp_path / "bop")] == [
        {"depth": "0.1mm"},
        {"depth": "0.2mm"},
    ]
    times = [("rgb", "1.00"), ("rgb", "2.00"), ("depth", "1.01"), ("depth", "2.01")]
    scenes, _ = read(tmp_path / "tum", [f"{s}/{n}/{t}.png" for s in "ab" for n, t in times])
    assert scenes["b/2.00"] == {"rgb": "b/rgb/2.00.png", "depth": "b/depth/2.01.png"} and len(scenes) == 4


# --- several tasks in a directory, and cameras -------------------------------------------------------


def cityscapes(*tasks: str) -> list[str]:
    directories = {"labelIds": "gtFine", "instanceIds": "gtFine", "color": "gtFine"}
    return [
        f"{directories.get(task, task)}/train/aachen/aachen_00000{k}_000019_"
        f"{'gtFine_' * (task in directories)}{task}.png"
        for k in (0, 1) for task in tasks
    ]  # fmt: skip


@pytest.mark.parametrize("more", [(), ("disparity",)])
def test_cityscapes(more: tuple[str, ...], tmp_path: Path) -> None:
    names = cityscapes("leftImg8bit", "labelIds", "instanceIds", "color", *more)
    names.append("gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json")
    scenes, lines = read(tmp_path, names)
    assert list(scenes) == [f"train/aachen/aachen_00000{k}_000019" for k in (0, 1)]
    ends = {
        task: path.rpartition("_")[2] for task, path in scenes["train/aachen/aachen_000000_000019"].items()
    }
    assert ends == {
        "rgb": "leftImg8bit.png", "semantic": "labelIds.png", "instance": "instanceIds.png",
        "color": "color.png", **{task: f"{task}.png" for task in more},
    }  # fmt: skip
    assert any(line.startswith("color keeps its name, as rgb is there") for line in lines)
    assert "1 .json file" in lines[-1]


def test_virtual_kitti_2(tmp_path: Path) -> None:
    directories = {"rgb": "rgb", "depth": "depth", "classSegmentation": "classgt",
                   "instanceSegmentation": "instancegt", "forwardFlow": "flow"}  # fmt: skip
    frames = "Scene01/15-deg-left/frames"
    names = [f"{frames}/{d}/Camera_{c}/{n}_0000{k}.{'jpg' if d == 'rgb' else 'png'}"
             for d, n in directories.items() for c in (0, 1) for k in (0, 1)]  # fmt: skip
    scenes, _ = read(tmp_path / "one", [*names, "Scene01/15-deg-left/pose.txt"])
    assert list(scenes) == [f"{frames}/Camera_{c}/0000{k}" for c in (0, 1) for k in (0, 1)]
    assert all(f.keys() == {"rgb", "depth", "semantic", "instance", "forwardflow"} for f in scenes.values())
    assert find_scenes(tmp_path / "one")[0].units == {"depth": "10mm"}
    # as its files unpack
    scenes, _ = read(tmp_path / "two", [f"vkitti_2.0.3_{name.split('/')[3]}/{name}" for name in names[:8]])
    assert list(scenes) == [f"{frames}/Camera_{c}/0000{k}" for c in (0, 1) for k in (0, 1)]
    assert all(f.keys() == {"rgb", "depth"} for f in scenes.values())


def test_matterport(tmp_path: Path) -> None:
    panoramas = ("0123456789abcdef" * 2, "fedcba9876543210" * 2)
    views = [f"{c}_{y}" for c in (0, 1) for y in (0, 5)]
    names = [f"17DRP5sb8fy/undistorted_color_images/{p}_i{v}.jpg" for p in panoramas for v in views]
    names += [f"17DRP5sb8fy/undistorted_depth_images/{p}_d{v}.png" for p in panoramas for v in views]
    names += [f"17DRP5sb8fy/undistorted_normal_images/{p}_d{v}_n{a}.png"
              for p in panoramas for v in views for a in "xyz"]  # fmt: skip
    scenes, lines = read(tmp_path, names)
    assert set(scenes) == {f"17DRP5sb8fy/{p}_i{v}" for p in panoramas for v in views}
    assert all(files.keys() == {"rgb", "depth", "nx", "ny", "nz"} for files in scenes.values())
    for key, files in scenes.items():
        for name in ("depth", "nx", "ny", "nz"):
            assert key.partition("/")[2].replace("_i", "_d") in files[name]
    assert all(scene.units == {"depth": "0.25mm"} for scene in find_scenes(tmp_path))
    assert any("without the words that all names of a task have" in line for line in lines)


CAMERAS = ("front_rgb", "front_depth", "left_shoulder_rgb", "left_shoulder_depth", "wrist_rgb", "wrist_mask")


def test_cameras_in_directories(tmp_path: Path) -> None:
    names = [
        f"reach/variation0/episodes/episode{e}/{c}/{k}.png" for e in (0, 1) for c in CAMERAS for k in (0, 1)
    ]
    names += [f"reach/variation0/episodes/episode{e}/low_dim_obs.pkl" for e in (0, 1)]
    scenes, lines = read(tmp_path, names)
    keys = [f"reach/variation0/episodes/episode{e}/{k}" for e in (0, 1) for k in (0, 1)]
    assert list(scenes) == keys and all(set(files) == set(CAMERAS) for files in scenes.values())
    assert (
        "front_depth is of kind depth, as its name says (--task front_depth:data keeps it exactly)" in lines
    )
    assert lines[-1].startswith("left out, as they are no images: 2 .pkl files (")


def test_cameras_in_single_files(tmp_path: Path) -> None:
    scenes, _ = read(tmp_path / "several", [f"{s}/{name}.png" for s in "ab" for name in CAMERAS[:-1]])
    assert list(scenes) == ["a", "b"] and all(set(f) == set(CAMERAS[:-1]) for f in scenes.values())
    scenes, _ = read(tmp_path / "one", [f"{name}.png" for name in CAMERAS[:-1]])
    assert {key: set(files) for key, files in scenes.items()} == {"one": set(CAMERAS[:-1])}


def test_cameras_with_a_task_of_no_known_kind(tmp_path: Path) -> None:
    scenes, _ = read(
        tmp_path, [f"episode{s}/{k}/{name}.png" for s in (0, 1) for k in (0, 1) for name in CAMERAS]
    )
    assert list(scenes) == [f"episode{s}/{k}" for s in (0, 1) for k in (0, 1)]
    assert all(set(files) == set(CAMERAS) for files in scenes.values())


@pytest.mark.parametrize("names", ["{}_cam1", "{}_left_0", "{}_2", "{}3", "{}_camera_front"])
def test_names_of_cameras_may_follow_tasks(names: str, tmp_path: Path) -> None:
    directories = [names.format(task) for task in ("rgb", "depth")]
    scenes, _ = read(tmp_path / "one", [f"run/{d}/{k}.png" for d in directories for k in (0, 1)])
    assert {key: set(files) for key, files in scenes.items()} == {
        f"run/{k}": {"rgb", "depth"} for k in (0, 1)
    }
    more = ["rgb_front", "depth_front"]
    scenes, _ = read(tmp_path / "two", [f"run/{d}/{k}.png" for d in (*directories, *more) for k in (0, 1)])
    assert [set(files) for files in scenes.values()] == [{*directories, *more}] * 2


def test_one_camera_is_no_part_of_names(tmp_path: Path) -> None:
    scenes, lines = read(tmp_path, [f"blended_images/{k}.jpg" for k in (0, 1)]
                         + [f"rendered_depth_maps/{k}.png" for k in (0, 1)])  # fmt: skip
    assert [set(files) for files in scenes.values()] == [{"rgb", "depth"}, {"rgb", "depth"}]
    assert lines == [
        "blended_images is read as rgb (--rename blended_images=blended_images keeps its name)",
        "rendered_depth_maps is read as depth "
        "(--rename rendered_depth_maps=rendered_depth_maps keeps its name)",
    ]


# --- what is no image ----------------------------------------------------------------------------------


def test_replicator(tmp_path: Path) -> None:
    tasks = ("rgb", "semantic_segmentation", "instance_segmentation", "normals")
    names = [f"{task}_{k}.png" for k in ("0000", "0001") for task in tasks]
    for k in ("0000", "0001"):
        names += [f"distance_to_camera_{k}.npy", f"bounding_box_2d_tight_{k}.npy", f"camera_params_{k}.json"]
        names += [f"semantic_segmentation_labels_{k}.json", f"pose_{k}.npy"]
    scenes, lines = read(tmp_path, names)
    expected = {"rgb", "semantic", "instance", "normal", "depth"}
    assert {key: set(files) for key, files in scenes.items()} == {"0000": expected, "0001": expected}
    assert lines[-2:] == [
        "left out, as they are no images: 4 .json files (camera_params_0000.json, camera_params_0001.json, "
        "semantic_segmentation_labels_0000.json, semantic_segmentation_labels_0001.json)",
        "left out, as they are no images: 4 .npy files (bounding_box_2d_tight_0000.npy, "
        "bounding_box_2d_tight_0001.npy, pose_0000.npy, pose_0001.npy)",
    ]
    products = [f"Product_{p}/{n.rpartition('_')[0]}/{n}" for p in (1, 2) for n in names]
    scenes, _ = read(tmp_path / "products", products)
    assert {key: set(files) for key, files in scenes.items()} == {
        f"Product_{p}/{k}": expected for p in (1, 2) for k in ("0000", "0001")
    }


# --- patterns ------------------------------------------------------------------------------------------


def test_a_pattern_says_how_paths_are_read(tmp_path: Path) -> None:
    names = [f"run{s}/{t}_{c}/{k}.png" for s in (1, 2) for t in ("rgb", "surface_normal", "depth")
             for c in ("front", "back_left") for k in (1, 2)]  # fmt: skip
    scenes, lines = read(tmp_path, [*names, "run1/readme.txt", "run1/preview.png"],
                         "{scene}/{task}_{camera}/{frame}.{ext}")  # fmt: skip
    assert len(scenes) == 8
    assert scenes["run1/back_left/2"] == {
        "rgb": "run1/rgb_back_left/2.png", "normal": "run1/surface_normal_back_left/2.png",
        "depth": "run1/depth_back_left/2.png",
    }  # fmt: skip
    assert lines[-2:] == [
        "left out, as they belong to no scene: run1/preview.png",
        "left out, as they are no images: 1 .txt file (run1/readme.txt)",
    ]


@pytest.mark.parametrize(
    ("pattern", "names", "keys"),
    [
        ("{task}.png", ["rgb.png", "depth.png"], ["root"]),
        ("**/{run}/*_{frame}_{task}.{ext}", ["a/b/r1/x_7_rgb.png", "r1/yy_7_depth.png"], ["r1/7"]),
        ("{a}/{b}_{a}.{task}.{ext}", ["x/1_x.rgb.png", "x/1_x.depth.png", "x/2_y.rgb.png"], ["x/1"]),
        ("{frame}/{task}", ["1/rgb.png", "1/depth.png"], ["1"]),
    ],
)
def test_words_of_patterns(pattern: str, names: list[str], keys: list[str], tmp_path: Path) -> None:
    scenes, _ = read(tmp_path / "root", names, pattern)
    assert list(scenes) == keys and all(files.keys() == {"rgb", "depth"} for files in scenes.values())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{scene}/{frame}.png", "it has no {task}"),
        ("{}/{task}.png", "{} is no field such as {scene}"),
        ("{scene/{task}.png", "{ is no field"),
        ("{Scene}/{task}.png", "{Scene} is no field"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str, tmp_path: Path) -> None:
    put(tmp_path, ["a/rgb.png"])
    with pytest.raises(UsageError) as caught:
        find_scenes(tmp_path, reading=Reading(pattern=pattern))
    assert message in str(caught.value)


def test_a_pattern_that_fits_nothing_shows_an_image(tmp_path: Path) -> None:
    put(tmp_path, ["a/b.png"])
    with pytest.raises(
        SceneError, match=r"no image has a path like '\{task\}/x/y\.png'; one of its images is a/b\.png"
    ):
        find_scenes(tmp_path, reading=Reading(pattern="{task}/x/y.png"))
    put(tmp_path, ["a/rgb.png", "a/rgb.jpg"])
    with pytest.raises(SceneError, match="a second file for task 'rgb'"):
        find_scenes(tmp_path, reading=Reading(pattern="{scene}/{task}.{ext}"))


# --- roots, cameras and strays of other datasets -------------------------------------------------------


def test_a_dataset_is_known_however_deep_it_lies(tmp_path: Path) -> None:
    names = [f"tartanair/ocean/Hard/P00{p}/{n}_{s}/{k:06d}_{s}{e}" for p in (0, 1) for s in ("left", "right")
             for k in (0, 1)
             for n, e in (("image", ".png"), ("depth", "_depth.npy"), ("seg", "_seg.npy"))]  # fmt: skip
    scenes, _ = read(tmp_path, names)
    assert len(scenes) == 8
    assert all(files.keys() == {"rgb", "depth", "semantic"} for files in scenes.values())


@pytest.mark.parametrize(
    "name", ["masks_for_images", "inverse_depth", "confidence_depth", "vis_depth", "depth_rgb"]
)
def test_a_word_that_makes_another_thing_of_a_task(name: str, tmp_path: Path) -> None:
    scenes, lines = read(tmp_path, [f"{d}/{k}.png" for d in ("rgb", name) for k in (0, 1)])
    assert [set(files) for files in scenes.values()] == [{"rgb", name}] * 2
    assert lines == []  # it is of no kind that a name tells


def test_masks_of_images_are_no_colours(tmp_path: Path) -> None:
    names = [f"images/dslr_images_undistorted/DSC_{k}.jpg" for k in (1, 2)]
    names += [f"masks_for_images/dslr_images/DSC_{k}.png" for k in (1, 2)]
    scenes, _ = read(tmp_path, names)
    assert [set(files) for files in scenes.values()] == [{"rgb", "masks_for_images"}] * 2


def test_a_directory_of_cameras_is_no_task(tmp_path: Path) -> None:
    cameras = ("observation.images.top", "observation.images.top_depth", "observation.images.wrist")
    names = [
        f"images/{c}/episode_00000{e}/frame_{k:06d}.png" for c in cameras for e in (0, 1) for k in (0, 1)
    ]
    scenes, _ = read(tmp_path, names)
    assert list(scenes) == [f"images/episode_00000{e}/frame_00000{k}" for e in (0, 1) for k in (0, 1)]
    expected = {"observation_images_top", "depth", "observation_images_wrist"}  # one depth only
    assert all(set(files) == expected for files in scenes.values())


def test_where_a_camera_stands_tells_no_task(tmp_path: Path) -> None:
    names = [f"samples/{c}/n015__{c}__15324{k}.jpg" for c in ("CAM_FRONT", "CAM_FRONT_LEFT") for k in (1, 2)]
    put(tmp_path, names)
    with pytest.raises(SceneError, match=r"no scenes found: .*--pattern"):
        find_scenes(tmp_path)
    scenes, _ = read(tmp_path, names, "samples/{task}/*__{frame}")
    assert [set(files) for files in scenes.values()] == [{"cam_front", "cam_front_left"}] * 2


def test_names_of_frames_are_no_names_of_tasks(tmp_path: Path) -> None:
    names = [f"{d}/{k}.png" for d in ("rgb", "depth") for k in range(40)]
    scenes, lines = read(tmp_path, [*names, *(f"more/{k}_q{k}.png" for k in range(40))])
    assert [set(files) for files in scenes.values()] == [{"rgb", "depth"}] * 40
    assert lines == ["left out, as they belong to no scene: more/"]


def test_strays_take_few_short_lines(tmp_path: Path) -> None:
    (tmp_path / "a\nb.txt").parent.mkdir(exist_ok=True)
    scenes, lines = read(tmp_path, ["rgb/1.png", "depth/1.png", "x\ny.png", "a\nb.txt",
                                    *(f"f{k}.e{k}" for k in range(500))])  # fmt: skip
    assert len(scenes) == 1 and len(lines) == 14
    assert all(len(line) < 300 and "\n" not in line for line in lines)
    assert lines[0] == r"left out, as they belong to no scene: x\ny.png"
    assert "files of 489 more kinds (" in lines[-1]
