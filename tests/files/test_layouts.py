"""Layouts of datasets: which files become which scene, what notes say, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mtcodec.codec.request import Request
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.scene import layout_units, read_scene
from mtcodec.files.trees.association import MAX_SECONDS_APART, match
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.tasks import USUAL, declare

COLOURS = imagecodecs.png_encode(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
PLANE = imagecodecs.png_encode(np.arange(4 * 6, dtype=np.uint16).reshape(4, 6) * 1000)


def make(root: Path, *names: str) -> None:
    """Files by path within ``root``: images of one or three channels, or empty ones."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = "rgb" in name or "normal" in name
        path.write_bytes((COLOURS if colours else PLANE) if name.endswith(".png") else b"")


def scene_paths(root: Path, *notes: str, names: Mapping[str, str] = {}) -> dict[str, dict[str, str]]:
    """Paths within ``root`` by key and task; keys are in order, every scene reads, notes are these only."""
    lines: list[str] = []
    scenes = find_scenes(root, names=names, note=lines.append)
    assert [line.removeprefix(f"{root}: ") for line in lines] == list(notes)
    assert [s.key for s in scenes] == sorted(s.key for s in scenes)
    for scene in scenes:
        assert read_scene(scene).keys() == scene.files.keys()
    return {s.key: {t: p.relative_to(root).as_posix() for t, p in s.files.items()} for s in scenes}


def refused(root: Path, *fragments: str, names: Mapping[str, str] = {}) -> None:
    with pytest.raises(SceneError) as caught:
        find_scenes(root, names=names)
    message = str(caught.value)
    assert message.startswith(str(root)) and "\n" not in message
    for fragment in fragments:
        assert fragment in message


def refused_at(path: Path, root: Path, message: str) -> None:
    with pytest.raises(SceneError, match=message) as caught:
        find_scenes(root)
    assert caught.value.path == path


# --- scene directories ---------------------------------------------------------------------------


def test_a_scene_directory_is_one_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "one", "rgb.png", "depth.png", "notes.txt", ".normal.png", "rgb/1.png", "other/rgb.png")
    files = {"depth": "depth.png", "rgb": "rgb.png"}
    left = (
        "left out, as they belong to no scene: other/, rgb/",
        "left out, as they are no images: 1 .txt file (notes.txt)",
    )
    assert scene_paths(tmp_path / "one", *left) == {"one": files}
    monkeypatch.chdir(tmp_path / "one" / "other")
    assert [s.key for path in (".", "..", "../../one/") for s in find_scenes(Path(path))] == [
        "other",
        "one",
        "one",
    ]


def test_scene_directories_and_what_is_left_out_beside_them(tmp_path: Path) -> None:
    make(tmp_path, "b/rgb.png", "a/depth.png", "a/semantic.png", "readme.md", ".cache/rgb.png", "logs/1.png",
         "rgb.txt", "depth.txt", "preview.png", "a/camera.json", "b/camera.json", "text/a.txt")  # fmt: skip
    (tmp_path / "empty").mkdir()
    (tmp_path / "c").symlink_to(tmp_path / "b")
    left = (
        "2 of 3 scenes have one task only: rgb of b, rgb of c",
        "left out, as they belong to no scene: logs/, preview.png",
        "left out, as they are no images: 3 .json files (a/camera.json, b/camera.json, c/camera.json)",
        "left out, as they are no images: 1 .md file (readme.md)",
        "left out, as they are no images: 3 .txt files (depth.txt, rgb.txt, text/a.txt)",
    )
    assert scene_paths(tmp_path, *left) == {
        "a": {"depth": "a/depth.png", "semantic": "a/semantic.png"},
        "b": {"rgb": "b/rgb.png"},
        "c": {"rgb": "c/rgb.png"},
    }


def test_every_image_of_a_scene_is_a_task_known_or_not(tmp_path: Path) -> None:
    make(tmp_path, "a/rgb.png", "a/smell.png", "b/smell.png", "b/depth.png")
    assert [set(files) for files in scene_paths(tmp_path).values()] == [{"rgb", "smell"}, {"depth", "smell"}]
    for name in ("a", "b"):
        (scene,) = find_scenes(tmp_path / name)
        assert "smell" in scene.files


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["RGB.png", "Rgb.PNG"])
def test_upper_case_and_plurals_are_the_same_name(name: str, tmp_path: Path) -> None:
    make(tmp_path, "a/Depths.png", "a/normals.png")
    (tmp_path / "a" / name).write_bytes(COLOURS)
    files = {"depth": "a/Depths.png", "normal": "a/normals.png", "rgb": f"a/{name}"}
    assert scene_paths(tmp_path) == {"a": files}


def test_other_names_of_a_task_count_where_its_own_is_absent_and_a_note_says_so_once(tmp_path: Path) -> None:
    make(tmp_path, "a/color.png", "a/depth_zbuffer.png", "b/color.png", "b/depth.png", "c/color.png",
         "c/rgb.png", "d/color.png", "d/rgb.png", "e/image.png", "e/color.png", "e/Seg.png")  # fmt: skip
    notes = (
        "color is read as rgb (--rename color=color keeps its name)",
        "depth_zbuffer is read as depth (--rename depth_zbuffer=depth_zbuffer keeps its name)",
        "color keeps its name, as rgb is there: rgb",
        "image keeps its name, as rgb is there: color",
        "Seg is read as semantic (--rename Seg=seg keeps its name)",
    )
    assert scene_paths(tmp_path, *notes) == {
        "a": {"depth": "a/depth_zbuffer.png", "rgb": "a/color.png"},
        "b": {"depth": "b/depth.png", "rgb": "b/color.png"},
        "c": {"color": "c/color.png", "rgb": "c/rgb.png"},
        "d": {"color": "d/color.png", "rgb": "d/rgb.png"},
        "e": {"image": "e/image.png", "rgb": "e/color.png", "semantic": "e/Seg.png"},
    }


def test_names_that_are_given_go_first(tmp_path: Path) -> None:
    make(tmp_path, "a/beauty pass.png", "a/color.png", "a/z.png", "a/Pass7.png")
    names = {"beauty pass": "rgb", "z": "z", "pass7": "albedo", "gone": "depth"}
    notes = ("color keeps its name, as rgb is there: beauty pass", "nothing is called gone (--rename)")
    files = {"albedo": "Pass7", "color": "color", "rgb": "beauty pass", "z": "z"}
    assert scene_paths(tmp_path, *notes, names=names) == {"a": {t: f"a/{f}.png" for t, f in files.items()}}
    make(tmp_path, "a/rgb.png")
    refused(tmp_path, "a/rgb.png: a second file for task 'rgb', beside beauty pass.png", names=names)
    for task in ("RGB", "shared", "", "a" * 32):
        with pytest.raises(UsageError, match=r"not a task name: .*, given for 'z'"):
            find_scenes(tmp_path, names={"z": task})


def test_a_declared_task_is_no_other_name(tmp_path: Path) -> None:
    make(tmp_path, "a/color.png", "a/depth.png")
    lines: list[str] = []
    (scene,) = find_scenes(tmp_path, {**USUAL, "color": declare("color", "image")}, note=lines.append)
    assert scene.files.keys() == {"color", "depth"} and not lines


def test_names_that_no_task_can_have_are_changed_with_a_note(tmp_path: Path) -> None:
    long = "a-very-long-name-of-more-than-31-characters"
    make(tmp_path, "rgb.png", "2nd View.png", "shared.png", "Größe.png", f"{long}.png")
    notes = (
        "2nd View is called _2nd_view, as a task's name must be",
        "Größe is called gr__e, as a task's name must be",
        f"{long} is called a_very_long_name_of_more_than_3, as a task's name must be",
        "shared is called _shared, as a task's name must be",
    )
    lines: list[str] = []
    (scene,) = find_scenes(tmp_path, note=lines.append)
    assert sorted(lines) == [f"{tmp_path}: {line}" for line in notes]
    assert scene.files["_2nd_view"] == tmp_path / "2nd View.png" and len(scene.files) == 5
    make(tmp_path, "2nd-view.png")
    refused(tmp_path, "2nd-view.png: a second file for task '_2nd_view', beside 2nd View.png")


@pytest.mark.parametrize(
    ("rgb", "depth", "smell"),
    [
        ("0001_rgb", "0001_depth", "0001_smell"),
        ("rgb_0001", "depth_0001", "smell_0001"),
        ("0001-RGB", "0001.depth_map", "0001 smell"),
        ("Image0001", "Z0001", "Smell0001"),
        ("0001", "0001_depth", "0001_smell"),
    ],
)
def test_one_directory_of_many_scenes(rgb: str, depth: str, smell: str, tmp_path: Path) -> None:
    names = [name.replace("0001", key) + ".png" for key in ("0001", "0002") for name in (rgb, depth, smell)]
    make(tmp_path, *names, "0001_pose.txt", "about.png")
    lines: list[str] = []
    scenes = find_scenes(tmp_path, note=lines.append)
    assert {s.key: [p.name for p in s.files.values()] for s in scenes} == {
        "0001": [names[1], names[0], names[2]],
        "0002": [names[4], names[3], names[5]],
    }
    assert all(s.files.keys() == {"rgb", "depth", "smell"} for s in scenes)
    assert lines[-2:] == [
        f"{tmp_path}: left out, as they belong to no scene: about.png",
        f"{tmp_path}: left out, as they are no images: 1 .txt file (0001_pose.txt)",
    ]
    (tmp_path / "run").mkdir()
    for name in names:
        (tmp_path / name).rename(tmp_path / "run" / name)
    assert [s.key for s in find_scenes(tmp_path)] == ["run/0001", "run/0002"]


def test_names_of_many_scenes_are_cut_where_a_task_is_sure(tmp_path: Path) -> None:
    make(tmp_path, "rgb_left.png", "depth_left.png", "a_b_depth_euclidean.png", "a_b_rgb.png",
         *(f"point_1_view_2_domain_{n}.png" for n in ("rgb", "segmentsemantic", "mask_valid")))  # fmt: skip
    scenes = {s.key: set(s.files) for s in find_scenes(tmp_path)}
    assert scenes == {
        "left": {"rgb", "depth"},
        "a_b": {"rgb", "depth"},
        "point_1_view_2": {"rgb", "semantic", "mask_valid"},
    }
    make(tmp_path, "a_b-rgb.png")
    refused(tmp_path, "a_b_rgb.png: a second file for task 'rgb', beside a_b-rgb.png")


# --- directories by task -------------------------------------------------------------------------


def test_directories_by_task_with_splits_and_missing_tasks(tmp_path: Path) -> None:
    make(tmp_path, "rgb/train/0001.png", "rgb/train/0002.png", "rgb/0001.png", "rgb/train/.0003.png",
         "depth/train/0001.png", "depth/test/a/0001.png", "depth/.hidden/0001.png", "normal/train/notes.txt",
         "edges/train/0007.png", "camera.json", "rgb/about.txt", "text/a.txt", "shots/rgb.png")  # fmt: skip
    left = (
        "4 of 5 scenes have one task only: "
        "depth of test/a/0001, rgb of 0001, rgb of train/0002, rgb of shots",
        "left out, as they belong to no scene: edges/",
        "left out, as they are no images: 1 .json file (camera.json)",
        "left out, as they are no images: 3 .txt files (normal/train/notes.txt, rgb/about.txt, text/a.txt)",
    )
    assert scene_paths(tmp_path, *left) == {
        "0001": {"rgb": "rgb/0001.png"},
        "shots": {"rgb": "shots/rgb.png"},
        "test/a/0001": {"depth": "depth/test/a/0001.png"},
        "train/0001": {"depth": "depth/train/0001.png", "rgb": "rgb/train/0001.png"},
        "train/0002": {"rgb": "rgb/train/0002.png"},
    }


def test_keys_are_paths_without_the_suffix_only(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a.b.png", "depth/a.png")
    np.save(tmp_path / "depth" / "a.b.npy", np.ones((4, 6), np.float32))
    assert scene_paths(tmp_path, "1 of 2 scenes have one task only: depth of a") == {
        "a": {"depth": "depth/a.png"},
        "a.b": {"depth": "depth/a.b.npy", "rgb": "rgb/a.b.png"},
    }


def test_directories_of_unknown_names_with_images_of_the_same_scenes_are_tasks(tmp_path: Path) -> None:
    make(
        tmp_path,
        "color/1.png",
        "color/2.png",
        "depth/1.png",
        "Sharp Edges/1.png",
        "smell/t/2.png",
        "rgb.png/x",
    )
    notes = (
        "color is read as rgb (--rename color=color keeps its name)",
        "Sharp Edges is called sharp_edges, as a task's name must be",
        "1 of 2 scenes have one task only: rgb of 2",
        "left out, as they belong to no scene: smell/",
    )
    shutil.rmtree(tmp_path / "rgb.png")
    lines: list[str] = []
    scenes = find_scenes(tmp_path, note=lines.append)
    assert sorted(lines) == sorted(f"{tmp_path}: {line}" for line in notes)
    assert {s.key: set(s.files) for s in scenes} == {"1": {"rgb", "depth", "sharp_edges"}, "2": {"rgb"}}
    names = {"smell": "albedo", "color": "beauty", "Sharp Edges": "rgb"}
    scenes = find_scenes(tmp_path, names=names)
    assert {s.key: set(s.files) for s in scenes} == {
        "1": {"rgb", "depth", "beauty"},
        "2": {"beauty", "albedo"},  # t says nothing, as all have it
    }


@pytest.mark.parametrize("name", ["rgb", "1_rgb"])
def test_directories_of_images_of_several_tasks_are_no_tasks(name: str, tmp_path: Path) -> None:
    make(
        tmp_path, *(f"{side}/{name.replace('rgb', task)}.png" for side in ("left", "right") for task in USUAL)
    )
    keys = [name.replace("rgb", side) if name == "rgb" else f"{side}/1" for side in ("left", "right")]
    assert {s.key: len(s.files) for s in find_scenes(tmp_path)} == dict.fromkeys(keys, len(USUAL))


def test_a_directory_beside_one_of_the_tasks_own_name_keeps_its_name(tmp_path: Path) -> None:
    make(tmp_path, "color/1.png", "rgb/1.png", "depth/1.png")
    note = "color keeps its name, as rgb is there: rgb"
    assert scene_paths(tmp_path, note) == {"1": {n: f"{n}/1.png" for n in ("color", "depth", "rgb")}}


def test_names_of_tasks_in_the_files_of_their_directories_are_cut_off_where_that_joins_them(
    tmp_path: Path,
) -> None:
    make(tmp_path / "both", "rgb/a/1_rgb.png", "rgb/rgb_2.png", "depth/a/1-depth.png", "depth/2_depth.png",
         "smell/smell2.png")  # fmt: skip
    assert {key: set(files) for key, files in scene_paths(tmp_path / "both").items()} == {
        "2": {"rgb", "depth", "smell"},
        "a/1": {"rgb", "depth"},
    }
    make(tmp_path / "same", "rgb/rgb_1.png", "depth/rgb_1.png", "normal/rgb_1.png")
    assert {key: len(files) for key, files in scene_paths(tmp_path / "same").items()} == {"rgb_1": 3}


def test_declared_tasks_are_directories_too(tmp_path: Path) -> None:
    make(tmp_path, "heat/1.png", "noise/2.png")
    (scene,) = find_scenes(tmp_path, {"heat": declare("heat", "image", 1)})
    assert scene.files == {"heat": tmp_path / "heat/1.png"}
    refused(tmp_path, "no image or directory of images is named after a task")


# --- Taskonomy and Omnidata ----------------------------------------------------------------------


def views(domain: str, *keys: str, suffix: str = "") -> list[str]:
    """Files such as ``rgb/allensville/point_0_view_1_domain_rgb.png``."""
    return [f"{domain}/{key}_domain_{suffix or domain}.png" for key in keys]


def test_taskonomy(tmp_path: Path) -> None:
    one, two = "taskonomy/allensville/point_0_view_1", "taskonomy/beechwood/point_12_view_0"
    make(tmp_path, *views("rgb", one, two), *views("depth_zbuffer", one), *views("depth_euclidean", one, two),
         *views("normal", two), *views("segment_semantic", one, suffix="segmentsemantic"),
         *views("mask_valid", one, two, suffix="depth_zbuffer"), *views("keypoints2d", one))  # fmt: skip
    notes = [
        f"{name} is read as {task} (--rename {name}={name} keeps its name)"
        for name, task in (("depth_zbuffer", "depth"), ("segment_semantic", "semantic"))
    ]
    both = {"rgb": "rgb", "mask_valid": "depth_zbuffer", "depth_euclidean": "depth_euclidean"}
    notes += [
        f"a step of {task} is 1.953125mm, as in Taskonomy (--unit {task}=… says otherwise)"
        for task in ("depth", "depth_euclidean")
    ]
    scenes = scene_paths(tmp_path, *notes)
    assert scenes[two] == {
        name: f"{name}/{two}_domain_{suffix}.png" for name, suffix in (both | {"normal": "normal"}).items()
    }
    assert scenes[one] == {name: f"{name}/{one}_domain_{suffix}.png" for name, suffix in both.items()} | {
        "depth": f"depth_zbuffer/{one}_domain_depth_zbuffer.png",
        "keypoints2d": f"keypoints2d/{one}_domain_keypoints2d.png",
        "semantic": f"segment_semantic/{one}_domain_segmentsemantic.png",
    }


@pytest.mark.parametrize("empty", [False, True])
def test_euclidean_depth_takes_the_place_of_an_absent_zbuffer(empty: bool, tmp_path: Path) -> None:
    make(tmp_path, *views("rgb", "point_0_view_1"), *views("depth_euclidean", "point_0_view_1"))
    if empty:
        (tmp_path / "depth_zbuffer").mkdir()
    note = "depth_euclidean is read as depth (--rename depth_euclidean=depth_euclidean keeps its name)"
    unit = "a step of depth is 1.953125mm, as in Taskonomy (--unit depth=… says otherwise)"
    assert scene_paths(tmp_path, note, unit) == {
        "point_0_view_1": {"depth": "depth_euclidean/point_0_view_1_domain_depth_euclidean.png",
                           "rgb": "rgb/point_0_view_1_domain_rgb.png"}
    }  # fmt: skip


# --- TUM RGB-D -----------------------------------------------------------------------------------

RGB_TIMES = ("1305031102.175304", "1305031102.211214", "1305031102.243211", "1305031103.000000")
DEPTH_TIMES = ("1305031102.160407", "1305031102.226738", "1305031102.262886", "1305031109.000000")
TUM = {  # 226738 is nearer to 211214 than to 243211
    "1305031102.175304": ("rgb/1305031102.175304.png", "depth/1305031102.160407.png"),
    "1305031102.211214": ("rgb/1305031102.211214.png", "depth/1305031102.226738.png"),
    "1305031102.243211": ("rgb/1305031102.243211.png", "depth/1305031102.262886.png"),
}


def tum(root: Path, *notes: str) -> tuple[dict[str, tuple[str, str]], int]:
    """Paths of rgb and depth by key, and the number of images left out; no notes but those and of that."""
    lines: list[str] = []
    scenes = find_scenes(root, note=lines.append)
    assert all(read_scene(s)["depth"].dtype == np.uint16 for s in scenes)
    pairs = {s.key: tuple(s.files[t].relative_to(root).as_posix() for t in ("rgb", "depth")) for s in scenes}
    left = [line for line in lines if ": left out, as they have no partner in time: " in line]
    assert sorted({*lines} - {*left}) == sorted(f"{root}: {note}" for note in notes) and len(left) <= 1
    return pairs, sum(int(line.partition("in time: ")[2].split()[0]) for line in left)  # type: ignore[return-value]


def sequence(root: Path) -> None:
    make(root, *(f"rgb/{t}.png" for t in RGB_TIMES), *(f"depth/{t}.png" for t in DEPTH_TIMES))


def index(root: Path, task: str, *lines: str) -> None:
    (root / f"{task}.txt").write_text("\n".join(("# images", "# timestamp filename", "", *lines, "")))


def test_tum_images_are_associated_by_their_names(tmp_path: Path) -> None:
    sequence(tmp_path)
    assert tum(tmp_path) == (TUM, 2)


def test_tum_images_are_associated_by_index_files(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a b.png", "rgb/second.png", "depth/x.png", "depth/unlisted.png")
    index(tmp_path, "rgb", "7.5 rgb/a b.png\r", "8.25   rgb/second.png")
    index(tmp_path, "depth", "8.2599 depth/x.png")
    step = "a step of depth is 0.2mm, as in TUM RGB-D sequences (--unit depth=… says otherwise)"
    assert tum(tmp_path, step) == ({"8.25": ("rgb/second.png", "depth/x.png")}, 2)
    assert [s.units for s in find_scenes(tmp_path)] == [{"depth": "0.2mm"}]
    (tmp_path / "depth.txt").unlink()  # names are no timestamps
    refused(tmp_path, "rgb/a b.png and depth/unlisted.png do not meet", "--pattern")


def test_tum_with_one_index_file_takes_names_for_the_other(tmp_path: Path) -> None:
    sequence(tmp_path)
    index(tmp_path, "rgb", *(f"{t} rgb/{t}.png" for t in RGB_TIMES[:2]))
    assert tum(tmp_path) == (dict(list(TUM.items())[:2]), 4)


def test_tum_images_of_further_tasks_go_with_their_rgb(tmp_path: Path) -> None:
    sequence(tmp_path)
    make(tmp_path, *(f"{name}/{t}.png" for t in RGB_TIMES[2:] for name in ("normal", "smell")),
         "accelerometer.txt", "extra/1.png")  # fmt: skip
    scenes = find_scenes(tmp_path)
    usual = {"rgb", "depth"}
    assert [set(s.files) for s in scenes] == [usual, usual, usual | {"normal", "smell"}]
    notes = (
        "left out, as they belong to no scene: extra/",
        "left out, as they are no images: 1 .txt file (accelerometer.txt)",
    )
    assert tum(tmp_path, *notes) == (TUM, 4)
    index(tmp_path, "rgb", *(f"{t} rgb/{t}.png" for t in RGB_TIMES))
    assert tum(tmp_path, *notes) == (TUM, 4)


# --- what layouts say of lengths ---------------------------------------------------------------------


def test_bop_cameras_scale_depth(tmp_path: Path) -> None:
    make(tmp_path, *(f"{name}/{k:06d}.png" for name in ("rgb", "depth") for k in (0, 3, 7)),
         "mask/000000_000000.png")  # fmt: skip
    cameras = {k: {"cam_K": [1.0] * 9, "depth_scale": scale} for k, scale in (("0", 0.1), ("3", 1.0))}
    (tmp_path / "scene_camera.json").write_text(json.dumps(cameras))
    (tmp_path / "scene_gt.json").write_text("{}")
    steps = [
        f"a step of depth is {unit}, as scene_camera.json says (--unit depth=… says otherwise)"
        for unit in ("0.1mm", "1mm")
    ]
    left = (
        "left out, as they belong to no scene: mask/",
        "left out, as they are no images: 1 .json file (scene_gt.json)",
    )
    assert list(scene_paths(tmp_path, *steps, *left)) == ["000000", "000003", "000007"]
    units = {s.key: s.units for s in find_scenes(tmp_path)}
    assert units == {"000000": {"depth": "0.1mm"}, "000003": {"depth": "1mm"}, "000007": {}}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"0": 3}', '{"0": {"depth_scale": "x"}}', '{"0": {"depth_scale": -1}}',
             '{"0": {"depth_scale": 1e999}}', '{"x": {"depth_scale": 1}}', "[" * 100_000]
)  # fmt: skip
def test_damaged_cameras(text: str, tmp_path: Path) -> None:
    make(tmp_path, "rgb/000000.png", "depth/000000.png")
    (tmp_path / "scene_camera.json").write_text(text)
    refused_at(tmp_path / "scene_camera.json", tmp_path, "not a file of cameras as in BOP datasets")


def test_units_are_those_of_integers(tmp_path: Path) -> None:
    make(tmp_path, "rgb/000000.png", "depth/000000.png")
    (tmp_path / "scene_camera.json").write_text('{"0": {"depth_scale": 0.1}}')
    (scene,) = find_scenes(tmp_path)
    images = read_scene(scene)
    assert layout_units(scene, images) == {"depth": "0.1mm"}
    assert layout_units(scene, {"rgb": images["rgb"]}) == {}
    assert layout_units(scene, {"depth": images["depth"].astype(np.float32)}) == {}
    layout = {"depth": "0.1mm"}
    assert Request().for_tasks(images, layout).units == layout
    assert Request(units={"depth": "1mm"}).for_tasks(images, layout).units == {"depth": "1mm"}
    assert Request(tasks={"depth": declare("depth", "image", 1)}).for_tasks(images, layout).units == {}


def test_numbers_or_equal_times_are_no_reason_to_associate(tmp_path: Path) -> None:
    make(tmp_path / "numbers", "rgb/0001.png", "rgb/0002.png", "depth/0002.png", "depth/0003.png")
    single = "2 of 3 scenes have one task only: depth of 0003, rgb of 0001"
    assert list(scene_paths(tmp_path / "numbers", single)) == ["0001", "0002", "0003"]
    make(tmp_path / "times", "rgb/0.01.png", "rgb/0.02.png", "depth/0.01.png")
    single = "1 of 2 scenes have one task only: rgb of 0.02"
    assert list(scene_paths(tmp_path / "times", single)) == ["0.01", "0.02"]


def test_tum_refusals(tmp_path: Path) -> None:
    sequence(tmp_path)
    for line in ("soon rgb/a.png", "12.5", "../x rgb/a.png", "1e9 rgb/a.png"):
        index(tmp_path, "rgb", line)
        refused(tmp_path, "rgb.txt: line 4: not a timestamp and a path")
    index(tmp_path, "rgb", "1.5 rgb/a.png", "1.5 rgb/b.png")
    refused(tmp_path, "rgb/b.png: a second file for task 'rgb', beside a.png")
    index(tmp_path, "rgb", "99.5 rgb/a.png")
    refused(tmp_path, "no depth image was taken within 0.02 s of an rgb image")
    index(tmp_path, "rgb", f"{DEPTH_TIMES[0]} rgb/gone.png")
    with pytest.raises(SceneError, match=r"rgb/gone\.png: cannot read it: .*No such file"):
        read_scene(find_scenes(tmp_path)[0])


TIMES = st.lists(st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**6), max_size=40)


@given(TIMES, TIMES)
def test_association_is_nearest_first(first: list[Decimal], second: list[Decimal]) -> None:
    """As the benchmark's own rule goes: all pairs near enough, the nearest first, each image once."""
    pairs = sorted((abs(a - b), i, j) for i, a in enumerate(first) for j, b in enumerate(second))
    pairs = [pair for pair in pairs if pair[0] < MAX_SECONDS_APART]
    assume(len({apart for apart, _, _ in pairs}) == len(pairs))  # else the rule leaves a choice
    expected: list[tuple[int, int]] = []
    for _, i, j in pairs:
        if all(i != k and j != m for k, m in expected):
            expected.append((i, j))
    assert sorted(match(first, second)) == sorted(expected)


@given(TIMES, TIMES)
def test_every_image_is_used_once_whatever_the_choice(first: list[Decimal], second: list[Decimal]) -> None:
    pairs = match([t.quantize(Decimal("0.01")) for t in first], second)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(first[i] - second[j]) < 2 * MAX_SECONDS_APART for i, j in pairs)


def test_exactly_the_limit_is_too_far() -> None:
    near, far = Decimal("5.019999"), Decimal("5.02")
    assert match([Decimal(5)], [near]) == [(0, 0)] and match([Decimal(5)], [far]) == []


# --- refusals ------------------------------------------------------------------------------------


def test_directories_without_scenes_are_refused_saying_what_was_looked_for(tmp_path: Path) -> None:
    looked = ("no scenes found: there is ", "named after a task (rgb, depth, normal, semantic, ", "--rename")
    refused(tmp_path, *looked, "nothing of the kind")
    make(tmp_path, "smell.png", "edges/1.png", "edges/2.png", "train/scene/x.png", "rgb.txt", "depth.txt")
    (tmp_path / "rgb").mkdir()
    refused(tmp_path, *looked, "there is edges/, rgb/, train/, smell.png, but")
    refused(tmp_path / "nowhere", "nowhere: no such directory")
    refused(tmp_path / "smell.png", "smell.png: not a directory")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/rgb.png", "a/rgb.jpg"), "a/rgb.png: a second file for task 'rgb', beside rgb.jpg"),
        (("rgb/t/1.png", "rgb/t/1.tif"), "rgb/t/1.tif: a second file for task 'rgb', beside 1.png"),
        (
            ("semantic/1.png", "Semantic/1.png"),
            "semantic: a second file for task 'semantic', beside Semantic",
        ),
        (("a/color.png", "a/color.jpg"), "a/color.png: a second file for task 'rgb', beside color.jpg"),
        (("1.jpg", "1.png", "1.PNG"), "1.png: a second file for task 'depth', beside 1.PNG"),
        (
            ("depth/point_1_view_2_domain_a.png", "depth/point_1_view_2_domain_b.png"),
            "_b.png: a second file for task 'depth', beside point_1_view_2_domain_a.png",
        ),
    ],
)
def test_two_files_for_one_task_are_refused(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    make(tmp_path, *names)
    refused(tmp_path, message)


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    make(tmp_path, "rgb/a/1.png", "depth/a/1.png", "depth/a/2.png", "normal/a/2.png", "normal/b/1.png")
    (tmp_path / "depth/a/1.png").write_bytes(b"no image")
    (tmp_path / "rgb/a/2.png").mkdir()
    one, two, three = find_scenes(tmp_path)
    with pytest.raises(SceneError, match=r"depth/a/1\.png: cannot read it"):
        read_scene(one)
    with pytest.raises(SceneError, match=r"rgb/a/2\.png: cannot read it"):
        read_scene(two)
    with pytest.raises(SceneError, match=r": scene b/1: no image of any task \(rgb, depth\)"):
        read_scene(three, tasks=["rgb", "depth"])


def test_circles_of_links_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "rgb/1.png", "other/1.png")
    (tmp_path / "rgb" / "again").symlink_to(tmp_path / "rgb")
    (tmp_path / "other" / "up").symlink_to(tmp_path)
    left = "left out, as they are no images: 2 links to a directory around them (other/up/, rgb/again/)"
    assert scene_paths(tmp_path, left) == {"1": {"rgb": "rgb/1.png", "other": "other/1.png"}}


# --- all layouts alike ---------------------------------------------------------------------------


def test_a_scene_reads_alike_in_every_layout(tmp_path: Path) -> None:
    one, by_task = tmp_path / "one", tmp_path / "by-task"
    make(one, "x/rgb.png", "x/depth.png")
    for task in ("rgb", "depth"):
        (by_task / task).mkdir(parents=True)
        shutil.copy(one / "x" / f"{task}.png", by_task / task / "x.png")
    (first,), (second,) = find_scenes(one), find_scenes(by_task)
    assert isinstance(first, SceneFiles) and first.key == second.key == "x"
    a, b = read_scene(first), read_scene(second)
    assert list(a) == list(b) == ["depth", "rgb"] and all(np.array_equal(a[t], b[t]) for t in a)
