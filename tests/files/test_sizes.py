"""Scenes whose images differ in size, as sensors do: read as they lie, each in its own size and dtype."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from mtcodec.files.images import write_image
from mtcodec.files.scene import read_scene, read_shapes
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.messages import Loss
from tests.files.test_turning import exif_of


def colours(height: int, width: int) -> NDArray[np.generic]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)


def plane(height: int, width: int, dtype: type[np.generic] = np.uint16) -> NDArray[np.generic]:
    return np.random.default_rng(2).integers(0, 3, (height, width)).astype(dtype)


def put(root: Path, files: dict[str, NDArray[np.generic] | str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".jpg":
            Image.fromarray(content).save(path)
        elif path.suffix == ".npy":
            np.save(path, content)
        elif path.suffix == ".tif":
            tifffile.imwrite(path, content)
        else:
            write_image(path, content)


def shapes_of(root: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes of images by scene and task; their headers must say the same."""
    shapes = {}
    for files in find_scenes(root):
        scene = read_scene(files)
        shapes[files.key] = {task: image.shape for task, image in scene.items()}
        headers = read_shapes(files, list(scene))
        assert {t: s[:2] for t, s in headers.items()} == {t: image.shape[:2] for t, image in scene.items()}
    return shapes


def test_a_scene_of_scannet(tmp_path: Path) -> None:
    for k in (0, 1):
        put(tmp_path / "scene0000_00", {
            f"color/{k}.jpg": colours(24, 32), f"depth/{k}.png": plane(12, 16), f"pose/{k}.txt": "1 0 0 0",
            f"label-filt/{k}.png": plane(24, 32), f"instance-filt/{k}.png": plane(24, 32, np.uint8),
            "intrinsic/intrinsic_color.txt": "1",
        })  # fmt: skip
    sizes = {"depth": (12, 16), "instance": (24, 32), "rgb": (24, 32, 3), "semantic": (24, 32)}
    assert shapes_of(tmp_path) == {f"scene0000_00/{k}": sizes for k in (0, 1)}
    attach = ["pose/{key}.txt", "intrinsic/intrinsic_color.txt"]
    scene = find_scenes(tmp_path, attach=attach)[1]
    assert list(scene.attachments) == ["1.txt", "intrinsic_color.txt"]


def test_raw_labels_of_scannet_keep_their_names_beside_others(tmp_path: Path) -> None:
    names = ("label", "label-filt", "instance", "instance-filt")
    put(tmp_path, {"color/0.jpg": colours(24, 32), "depth/0.png": plane(12, 16)})
    put(tmp_path, {f"{name}/0.png": plane(24, 32) for name in names})
    tasks = shapes_of(tmp_path)["0"].keys()
    assert tasks == {"rgb", "depth", "semantic", "label_filt", "instance", "instance_filt"}


ARKIT = {"lowres_wide": colours(12, 16), "lowres_depth": plane(12, 16), "confidence": plane(12, 16, np.uint8)}
ARKIT_LARGE = {"wide": colours(90, 120), "highres_depth": plane(90, 120)}


def test_arkitscenes(tmp_path: Path) -> None:
    low, large = tmp_path / "3dod", tmp_path / "upsampling"
    video = "Training/47333462"
    for time in ("5000.013", "5000.113"):
        put(low, {f"{video}/{name}/47333462_{time}.png": image for name, image in ARKIT.items()})
        images = {**ARKIT, **ARKIT_LARGE}
        del images["lowres_wide"]
        put(large, {f"{video}/{name}/47333462_{time}.png": image for name, image in images.items()})
    keys = [f"{video}/47333462_{time}" for time in ("5000.013", "5000.113")]
    sizes = {"confidence": (12, 16), "depth": (12, 16), "rgb": (12, 16, 3)}
    assert shapes_of(low) == dict.fromkeys(keys, sizes)
    sizes = {"confidence": (12, 16)} | {
        "lowres_depth": (12, 16),
        "highres_depth": (90, 120),
        "rgb": (90, 120, 3),
    }
    assert shapes_of(large) == dict.fromkeys(keys, sizes)


def test_all_of_arkitscenes(tmp_path: Path) -> None:
    """Cameras of other rates and clocks are frames of their own; nothing is left out."""
    for k in range(6):
        put(tmp_path, {f"7/{name}/7_{50 + k / 60:.3f}.png": image for name, image in ARKIT.items()})
        put(tmp_path, {f"7/vga_wide/7_{50.007 + k / 30:.3f}.png": colours(18, 24)})
    put(tmp_path, {f"7/{name}/7_50.000.png": image for name, image in ARKIT_LARGE.items()})
    lines: list[str] = []
    scenes = {scene.key: set(scene.files) for scene in find_scenes(tmp_path, note=lines.append)}
    assert scenes["7/7_50.000"] == {"rgb", "highres_depth", *ARKIT}
    assert scenes["7/7_50.017"] == set(ARKIT) and scenes["7/7_50.007"] == {"vga_wide"}
    assert len(scenes) == 12
    assert [line for line in lines if isinstance(line, Loss)] == []
    assert any("6 of 12 scenes have one task only: vga_wide of" in line for line in lines)


@pytest.mark.parametrize("depth", [".npy", ".tif"])
def test_exports_of_record3d(depth: str, tmp_path: Path) -> None:
    for k in (0, 10):
        put(tmp_path / "EXR_RGBD", {
            f"rgb/{k}.png": colours(36, 24), f"depth/{k}{depth}": plane(12, 8, np.float32),
            f"confidence/{k}.png": plane(12, 8, np.uint8), "metadata.json": "{}",
        })  # fmt: skip
    sizes = {"confidence": (12, 8), "depth": (12, 8), "rgb": (36, 24, 3)}
    assert shapes_of(tmp_path) == {f"EXR_RGBD/{k}": sizes for k in (0, 10)}


def test_exports_of_stray_scanner_with_frames_of_its_video(tmp_path: Path) -> None:
    put(tmp_path, {"rgb/000000.jpg": colours(90, 120), "depth/000000.png": plane(12, 16),
                   "confidence/000000.png": plane(12, 16, np.uint8), "odometry.csv": ""})  # fmt: skip
    assert shapes_of(tmp_path) == {"000000": {"confidence": (12, 16), "depth": (12, 16), "rgb": (90, 120, 3)}}


@pytest.mark.parametrize("labels", ["semantic", "labels", "instance"])
def test_labels_at_half_size(labels: str, tmp_path: Path) -> None:
    put(tmp_path, {"a/rgb.png": colours(24, 32), f"a/{labels}.png": plane(12, 16, np.uint8)})
    task = "semantic" if labels == "labels" else labels
    assert shapes_of(tmp_path) == {"a": {"rgb": (24, 32, 3), task: (12, 16)}}


# --- what other images of a scene tell of one --------------------------------------------------------


@pytest.mark.parametrize("names", [("a", "b", "rgb"), ("rgb", "a", "b")])
def test_all_other_images_tell_where_channels_are(names: tuple[str, str, str], tmp_path: Path) -> None:
    """(16, 20, 16) may be 16×20 or 20×16 pixels: an image of such a size tells, whatever is read first."""
    first, array, last = names
    put(tmp_path, {f"{first}.png": colours(24, 32), f"{array}.npy": np.zeros((16, 20, 16), np.int32)})
    put(tmp_path, {f"{last}.png": plane(20, 16)})
    lines: list[str] = []
    scene = read_scene(find_scenes(tmp_path)[0], note=lines.append)
    assert scene[array].shape == (20, 16, 16)
    assert not any(isinstance(line, Loss) for line in lines)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("size", [(90, 60), (50, 34), (4, 3)])
def test_a_photograph_is_turned_to_stand_as_smaller_depth_does(
    size: tuple[int, int], orientation: int, tmp_path: Path
) -> None:
    """A phone held upright: colours are marked, LiDAR is stored upright."""
    Image.fromarray(colours(40, 60)).save(tmp_path / "rgb.png", exif=exif_of(orientation))
    write_image(tmp_path / "depth.npy", plane(*size, np.float32))
    lines: list[str] = []
    scene = read_scene(find_scenes(tmp_path)[0], note=lines.append)
    if size == (4, 3):  # of other proportions: neither way fits
        assert scene["rgb"].shape == (40, 60, 3) and "it is not turned" in lines[0]
    else:
        assert scene["rgb"].shape == (60, 40, 3)
        assert lines[0].startswith("rgb: it is turned as its mark of orientation says, to the proportions of")
    assert isinstance(lines[0], Loss)


def test_pages_with_names_may_differ_in_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "1.tif") as file:
        for name, image in {"rgb": colours(24, 32), "depth": plane(12, 16)}.items():
            file.write(image, metadata=None, extratags=[(285, "s", 0, name, True)])
    lines: list[str] = []
    (files,) = find_scenes(tmp_path, note=lines.append)
    assert {task: image.shape for task, image in read_scene(files).items()} == {
        "depth": (12, 16), "rgb": (24, 32, 3)
    }  # fmt: skip
    assert not any(isinstance(line, Loss) for line in lines)
