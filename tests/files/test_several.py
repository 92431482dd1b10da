"""Files of several images: NPZ, HDF5 and TIFF, as scenes and as tasks of scenes."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import write_image
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.messages import Loss

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
DEPTH = np.linspace(1, 4, 600, dtype=np.float32).reshape(20, 30)
SEMANTIC = (RGB[..., 0] // 50).astype(np.uint16)
IMAGES: dict[str, Any] = {"rgb": RGB, "depth": DEPTH, "semantic": SEMANTIC}
NO_IMAGES: dict[str, Any] = {
    "pose": np.eye(4), "K": np.eye(3), "boxes": np.zeros((7, 4)), "stamp": np.float64(3),
    "label": np.array("a"),
}  # fmt: skip
Write = Callable[[Path, dict[str, Any]], None]


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def write_hdf5(path: Path, arrays: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = str(array) if array.dtype.kind == "U" else array


def write_tiff(path: Path, images: dict[str, Any], **options: Any) -> None:
    with tifffile.TiffWriter(path) as file:
        for name, image in images.items():
            file.write(image, description=name, metadata=None, **options)


WRITERS: dict[str, Write] = {".npz": write_npz, ".hdf5": write_hdf5, ".tif": write_tiff}
SUFFIXES = pytest.mark.parametrize("suffix", WRITERS)


def read_all(path: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Images by key of the scene and by task, whose headers must tell the same; the notes."""
    lines: list[str] = []
    scenes = {}
    for scene in find_scenes(path, note=lines.append):
        scenes[scene.key] = read_scene(scene, note=lines.append)
        for name, image in scenes[scene.key].items():
            shape = shape_of(scene.files[name])
            assert (*shape[:2], shape.dtype) == (*image.shape[:2], image.dtype.name)
    return scenes, [line.removeprefix(f"{path}: ") for line in lines]


def same(scene: dict[str, Any], images: dict[str, Any]) -> bool:
    assert {name: image.dtype for name, image in scene.items()} == {n: i.dtype for n, i in images.items()}
    return list(scene) == sorted(images) and all(np.array_equal(scene[name], images[name]) for name in images)


@SUFFIXES
def test_a_file_of_several_images_is_a_scene(suffix: str, tmp_path: Path) -> None:
    for number in range(2):
        WRITERS[suffix](tmp_path / f"{number:04}{suffix}", IMAGES)
    scenes, lines = read_all(tmp_path)
    assert list(scenes) == ["0000", "0001"] and all(same(scene, IMAGES) for scene in scenes.values())
    told = "pages of TIFF files are read as tasks, which are named as their descriptions say: "
    assert lines == ([told + "rgb, depth, semantic"] if suffix == ".tif" else [])
    scenes, _ = read_all(tmp_path / f"0001{suffix}")
    assert same(scenes["0001"], IMAGES)


@SUFFIXES
def test_directories_of_such_files_are_scenes(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        WRITERS[suffix](tmp_path / name / f"7{suffix}", IMAGES)
    assert list(read_all(tmp_path)[0]) == ["a/7", "b/7"]


@SUFFIXES
def test_a_file_that_stands_for_a_task_keeps_all_of_its_images(suffix: str, tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", RGB)
    WRITERS[suffix](tmp_path / f"depth{suffix}", {"confidence": SEMANTIC, "depth": DEPTH})
    scenes, lines = read_all(tmp_path)
    (scene,) = scenes.values()
    assert same(scene, {"rgb": RGB, "depth": DEPTH, "depth_confidence": SEMANTIC})
    assert "depth: files that hold several images are read as tasks depth_confidence, depth" in lines
    WRITERS[suffix](tmp_path / f"depth{suffix}", {"near": DEPTH, "far": DEPTH + 1})
    (scene,) = read_all(tmp_path)[0].values()
    first, second = (DEPTH + 1, DEPTH) if suffix == ".hdf5" else (DEPTH, DEPTH + 1)  # HDF5 sorts its names
    other = "depth_near" if suffix == ".hdf5" else "depth_far"
    assert same(scene, {"rgb": RGB, "depth": first, other: second})


@SUFFIXES
@pytest.mark.parametrize("directory", ["depth", "more"])
def test_directories_of_tasks_may_hold_such_files(directory: str, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "rgb").mkdir()
    (tmp_path / directory).mkdir()
    for number in range(2):
        write_image(tmp_path / "rgb" / f"{number}.png", RGB)
        WRITERS[suffix](tmp_path / directory / f"{number}{suffix}", {"depth": DEPTH, "confidence": SEMANTIC})
    other = "depth_confidence" if directory == "depth" else "confidence"
    scenes, _ = read_all(tmp_path)
    assert list(scenes) == ["0", "1"]
    assert all(same(scene, {"rgb": RGB, "depth": DEPTH, other: SEMANTIC}) for scene in scenes.values())


@pytest.mark.parametrize("suffix", [".npz", ".hdf5"])
def test_arrays_that_are_no_images_are_left_out_with_a_line(suffix: str, tmp_path: Path) -> None:
    WRITERS[suffix](tmp_path / f"0001{suffix}", IMAGES | NO_IMAGES)
    scenes, lines = read_all(tmp_path)
    assert same(scenes["0001"], IMAGES)
    assert len(lines) == 1 and lines[0].startswith("arrays that are no images are left out: ")
    for what in ("pose (4×4)", "K (3×3)", "boxes (7×4)", "stamp (a number)", "label ("):
        assert what in lines[0]
    (tmp_path / "depth").mkdir()
    (tmp_path / f"0001{suffix}").unlink()
    WRITERS[suffix](tmp_path / "depth" / f"0001{suffix}", {"x": DEPTH} | NO_IMAGES)
    scenes, lines = read_all(tmp_path)
    assert same(scenes["0001"], {"depth": DEPTH})
    assert len(lines) == 1 and lines[0].startswith("depth: arrays that are no images are left out: ")


def test_losses_of_arrays_are_losses(tmp_path: Path) -> None:
    write_npz(tmp_path / "0001.npz", IMAGES | NO_IMAGES)
    lines: list[str] = []
    find_scenes(tmp_path, note=lines.append)
    assert [type(line) for line in lines] == [Loss]


def test_files_of_blenderproc(tmp_path: Path) -> None:
    normals = np.random.default_rng(1).random((20, 30, 3), np.float32)
    text = np.array('[{"idx": 1}]')
    write_hdf5(tmp_path / "0.hdf5", {
        "colors": RGB, "depth": DEPTH, "normals": normals, "class_segmaps": SEMANTIC,
        "instance_segmaps": SEMANTIC + 1, "instance_attribute_maps": text, "blender_proc_version": text,
    })  # fmt: skip
    scenes, lines = read_all(tmp_path)
    assert same(scenes["0"], {
        "rgb": RGB, "depth": DEPTH, "normal": normals, "semantic": SEMANTIC, "instance": SEMANTIC + 1,
    })  # fmt: skip
    assert any("instance_attribute_maps (" in line and "left out" in line for line in lines)


@SUFFIXES
def test_such_files_may_lie_in_tar_files(suffix: str, tmp_path: Path) -> None:
    WRITERS[suffix](tmp_path / f"0001{suffix}", IMAGES)
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(tmp_path / f"0001{suffix}", f"0001{suffix}")
    assert same(read_all(tmp_path / "a.tar")[0]["0001"], IMAGES)


def test_images_of_other_sizes_are_told_and_not_dropped(tmp_path: Path) -> None:
    write_npz(tmp_path / "0001.npz", {"rgb": RGB, "depth": np.ones((40, 60), np.float32)})
    (scene,) = find_scenes(tmp_path)
    assert list(scene.files) == ["depth", "rgb"]


@SUFFIXES
def test_images_of_a_scene_may_lie_beside_such_a_file(suffix: str, tmp_path: Path) -> None:
    for number in range(2):
        write_image(tmp_path / f"{number:04}_rgb.png", RGB)
        WRITERS[suffix](tmp_path / f"{number:04}{suffix}", {"depth": DEPTH, "semantic": SEMANTIC})
    scenes, _ = read_all(tmp_path)
    assert list(scenes) == ["0000", "0001"] and all(same(scene, IMAGES) for scene in scenes.values())


def test_two_images_of_one_task_are_never_chosen_from(tmp_path: Path) -> None:
    write_image(tmp_path / "0001_rgb.png", RGB)
    write_npz(tmp_path / "0001.npz", IMAGES)
    with pytest.raises(
        SceneError, match=r"0001_rgb\.png: a second file for task 'rgb' of scene 0001, beside .*0001\.npz"
    ):
        find_scenes(tmp_path)


@pytest.mark.parametrize("suffix", [".npz", ".hdf5"])
def test_files_without_images_are_left_out_and_stop_nothing(suffix: str, tmp_path: Path) -> None:
    beside, by_task, by_scene = tmp_path / "beside", tmp_path / "by_task", tmp_path / "by_scene"
    for directory in (beside, by_task / "rgb", by_task / "camera", by_scene):
        directory.mkdir(parents=True)
    write_image(beside / "rgb.png", RGB)
    WRITERS[suffix](beside / f"cameras{suffix}", NO_IMAGES)
    for number in range(2):
        write_image(by_task / "rgb" / f"{number}.png", RGB)
        WRITERS[suffix](by_task / "camera" / f"{number}{suffix}", {"pose": np.zeros(7), "stamp": np.zeros(2)})
        WRITERS[suffix](by_scene / f"{number}{suffix}", IMAGES)
    WRITERS[suffix](by_scene / f"-poses{suffix}", {"poses": np.zeros((9, 4, 4, 4)), "stamps": np.zeros(9)})
    for path, keys, name in (
        (beside, ["beside"], f"1 {suffix} file (cameras{suffix})"),
        (by_task, ["0", "1"], f"2 {suffix} files (camera/0{suffix}, camera/1{suffix})"),
        (by_scene, ["0", "1"], f"1 {suffix} file (-poses{suffix})"),
    ):
        scenes, lines = read_all(path)
        assert list(scenes) == keys and all(np.array_equal(scene["rgb"], RGB) for scene in scenes.values())
        assert lines == [f"left out, as they are no images: {name}"]


# --- damage --------------------------------------------------------------------------------------


@SUFFIXES
@pytest.mark.parametrize("keep", [0, 5, 0.3, 0.98])
def test_a_damaged_file_is_named(suffix: str, keep: float, tmp_path: Path) -> None:
    for number in range(2):
        WRITERS[suffix](tmp_path / f"{number}{suffix}", IMAGES)
    path = tmp_path / f"0{suffix}"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if keep < 1 else int(keep)])
    first, second = find_scenes(tmp_path)
    with pytest.raises(SceneError) as caught:
        read_scene(first)
    assert str(caught.value).startswith(str(path)) and "cannot read it: " in str(caught.value)
    assert same(read_scene(second), IMAGES)
    with pytest.raises(SceneError, match="cannot read it: "):
        read_scene(find_scenes(path)[0])


@pytest.mark.parametrize(
    ("shape", "descr"), [((1 << 16, 1 << 16), "|u1"), ((20, 30, 1 << 30), "<f8"), ((9, 9), "|O")]
)
def test_what_an_array_declares_is_not_believed(shape: tuple[int, ...], descr: str, tmp_path: Path) -> None:
    header = str({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "depth.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(1 << 20)
        )
    with pytest.raises(SceneError) as caught:
        read_all(tmp_path)
    assert str(caught.value).endswith(("as it declares", "not an array of numbers"))


def test_bombs_are_refused_before_they_are_read(tmp_path: Path) -> None:
    side = (1 << 14) + 1
    with (
        zipfile.ZipFile(tmp_path / "depth.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("a.npy", "w", force_zip64=True) as opened,
    ):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (side, side)}
        )
        opened.write(header.getvalue())
        for _ in range(side):
            opened.write(bytes(side))
    with pytest.raises(SceneError, match="16385×16385 pixels are more than the 268,435,456"):
        read_all(tmp_path)


@pytest.mark.parametrize("suffix", [".npz", ".hdf5"])
def test_names_in_files_do_not_break_lines(suffix: str, tmp_path: Path) -> None:
    WRITERS[suffix](tmp_path / f"0001{suffix}", {"a\nb": RGB, "a\x1bc": SEMANTIC, "c\nd": np.eye(4)})
    scenes, lines = read_all(tmp_path)
    assert len(scenes["0001"]) == 2 and lines and all(line.isprintable() for line in lines)
    (scene,) = find_scenes(tmp_path)
    assert all(str(source).isprintable() for source in scene.files.values())


# --- pages of TIFF files -------------------------------------------------------------------------


def write_pages(path: Path, *images: Any, names: tuple[str, ...] = (), **options: Any) -> None:
    with tifffile.TiffWriter(path) as file:
        for number, image in enumerate(images):
            tags = [(285, "s", 0, names[number], True)] if names else []
            file.write(image, metadata=None, extratags=tags, **options)


@pytest.mark.parametrize("names", [(), ("rgb", "depth", "semantic"), ("rgb", "rgb", "depth")])
def test_pages_are_named_by_their_tags_or_by_order(names: tuple[str, ...], tmp_path: Path) -> None:
    write_pages(tmp_path / "0001.tif", *IMAGES.values(), names=names)
    (scene,), lines = read_all(tmp_path)[0].values(), read_all(tmp_path)[1]
    has_names = len(set(names)) == 3
    expected = names if has_names else ("page_0", "page_1", "page_2")
    assert same(scene, dict(zip(expected, IMAGES.values())))
    assert ("told by order: page_0, page_1, page_2" in lines[0]) is not has_names


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "QYX", "IYX"])
@pytest.mark.parametrize("options", [{}, {"truncate": True}, {"ome": True}, {"imagej": True}])
@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>")
def test_stacks_of_one_array_are_pages(axes: str, options: dict[str, Any], tmp_path: Path) -> None:
    if axes in ("QYX", "IYX") and options.keys() & {"ome", "imagej"}:
        return
    stack = np.stack([SEMANTIC, SEMANTIC + 1, SEMANTIC + 2, SEMANTIC + 3, SEMANTIC + 4])
    path = tmp_path / ("1.ome.tif" if "ome" in options else "1.tif")
    tifffile.imwrite(path, stack, metadata={"axes": axes}, **options)
    (scene,) = read_all(tmp_path)[0].values()
    assert same(scene, {f"page_{k}": page for k, page in enumerate(stack)})


@pytest.mark.parametrize("options", [{}, {"ome": True}, {"imagej": True}])
def test_stacks_of_channels_are_one_image(options: dict[str, Any], tmp_path: Path) -> None:
    stack = np.stack([SEMANTIC, SEMANTIC + 1, SEMANTIC + 2, SEMANTIC + 3, SEMANTIC + 4])
    tifffile.imwrite(tmp_path / "depth.tif", stack, metadata={"axes": "CYX"}, **options)
    (scene,) = read_all(tmp_path)[0].values()
    assert same(scene, {"depth": np.moveaxis(stack, 0, -1)})


def test_thumbnails_and_masks_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "rgb.tif") as file:
        file.write(RGB[::2, ::2], metadata=None, subfiletype=1)
        file.write(RGB, metadata=None, description="thumb")
        file.write(RGB[..., 0] > 9, metadata=None, subfiletype=4)
    scenes, lines = read_all(tmp_path)
    assert same(next(iter(scenes.values())), {"rgb": RGB}) and not lines


def test_pages_of_other_sizes_are_left_out_with_a_line(tmp_path: Path) -> None:
    write_pages(tmp_path / "1.tif", SEMANTIC, SEMANTIC[:5], SEMANTIC + 1)
    scenes, lines = read_all(tmp_path)
    assert same(scenes["1"], {"page_0": SEMANTIC, "page_1": SEMANTIC + 1})
    assert "1 pages of TIFF files are left out, as they are of other sizes" in lines


def test_of_a_long_stack_the_first_page_is_read_with_a_warning(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", RGB)
    write_pages(tmp_path / "depth.tif", *(SEMANTIC + k for k in range(17)))
    scenes, lines = read_all(tmp_path)
    assert same(next(iter(scenes.values())), {"rgb": RGB, "depth": SEMANTIC})
    assert lines == ["depth: only the first of its 17 images is read"]
