"""EXR files of several layers: scenes whose tasks are layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from numpy.typing import NDArray

from mtcodec.errors import SceneError
from mtcodec.files.images import write_image
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes

Channels = dict[str, NDArray[np.float32]]
HEADER = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
SHAPE = 4, 6
ROWS, COLUMNS = np.mgrid[:4, :6].astype(np.float32)


def blender(layer: str = "ViewLayer.", depth: str = "Z") -> Channels:
    """Channels of a render with passes."""
    combined = {c: ROWS + k for k, c in enumerate("RGB")} | {"A": COLUMNS / 8}
    normal = {"X": 0 * ROWS, "Y": 0 * ROWS, "Z": 0 * ROWS + 1}
    vector = {c: ROWS * k for k, c in enumerate("XYZW")}
    passes = {
        "Combined": combined, "Depth": {depth: np.where(ROWS == 0, np.float32(1e10), 2 + COLUMNS)},
        "Normal": normal, "IndexOB": {"X": 3 * ROWS}, "Vector": vector,
    }  # fmt: skip
    return {f"{layer}{name}.{c}": plane for name, channels in passes.items() for c, plane in channels.items()}


def write(path: Path, *parts: Channels, names: tuple[str, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exr_parts = [OpenEXR.Part(dict(HEADER), part, name) for part, name in zip(parts, names or "abc")]
    with OpenEXR.File(exr_parts) if names else OpenEXR.File(dict(HEADER), parts[0]) as file:
        file.write(str(path))
    return path


def check(path: Path, key: str, whole: Channels, prefix: str = "ViewLayer.") -> list[str]:
    """The file at ``path``, alone or in its directory, has the images of :func:`blender`; returns notes."""
    lines: list[str] = []
    (scene,) = find_scenes(path, note=lines.append)
    images = read_scene(scene, note=lines.append)
    assert scene.key == key
    assert list(images) == ["color_hdr", "color_hdr_alpha", "depth", "indexob", "normal", "vector"]
    for task, name, channels in (("color_hdr", "Combined", "RGB"), ("normal", "Normal", "XYZ"),
                                 ("vector", "Vector", "XYZW")):  # fmt: skip
        assert np.array_equal(images[task], np.stack([whole[f"{prefix}{name}.{c}"] for c in channels], -1))
        assert images[task].dtype == np.float32
    assert np.array_equal(images["color_hdr_alpha"], whole[f"{prefix}Combined.A"])
    assert images["indexob"].dtype == np.uint16
    assert np.array_equal(images["indexob"], whole[f"{prefix}IndexOB.X"])
    assert images["depth"][0, 0] == np.float32(1e10) and images["depth"][1, 3] == 5
    return [line.removeprefix(f"{path}: ") for line in lines]


@pytest.mark.parametrize("depth", "ZV")
def test_a_file_of_layers_is_a_scene(depth: str, tmp_path: Path) -> None:
    path = write(tmp_path / "Image0001.exr", blender(depth=depth))
    assert check(path, "Image0001", blender()) == [
        "Combined is read as color_hdr (--rename Combined=rgb calls it so)",
        "Vector is called vector, as a task's name must be",
        "color_hdr: its alpha is kept as a task of its own, color_hdr_alpha",
        "indexob: its whole numbers are kept as uint16, not as float32",
    ]
    check(tmp_path, "Image0001", blender())


@pytest.mark.parametrize("prefixed", [False, True])
def test_layers_may_be_parts(prefixed: bool, tmp_path: Path) -> None:
    parts: dict[str, Channels] = {}
    for name, plane in blender().items():
        layer, _, channel = name.rpartition(".")
        parts.setdefault(layer, {})[name if prefixed else channel] = plane
    check(write(tmp_path / "a.exr", *parts.values(), names=tuple(parts)), "a", blender())


def test_frames_and_directories_of_frames(tmp_path: Path) -> None:
    for name in ("0001.exr", "0002.exr", "more/0001.exr", "more/readme.txt"):
        write(tmp_path / name, blender())
    write_image(tmp_path / "more" / "preview.png", np.zeros(SHAPE, np.uint8))
    lines: list[str] = []
    assert [s.key for s in find_scenes(tmp_path, note=lines.append)] == ["0001", "0002", "more/0001"]
    assert [line.removeprefix(f"{tmp_path}: ") for line in lines[-2:]] == [
        "left out, as they belong to no scene: more/preview.png",
        "left out, as they are no images: 1 .txt file (more/readme.txt)",
    ]


def test_layers_of_several_views_keep_their_whole_names(tmp_path: Path) -> None:
    plane = {f"{view}.Depth.Z": ROWS for view in ("Left", "Right")} | {"Left.Mist.Z": ROWS}
    (scene,) = find_scenes(write(tmp_path / "a.exr", plane))
    assert list(scene.files) == ["left_depth", "mist", "right_depth"]


def test_colours_with_depth_beside_them_are_two_layers(tmp_path: Path) -> None:
    (scene,) = find_scenes(
        write(tmp_path / "0001.exr", dict.fromkeys("RGBAZ", ROWS)), names={"Combined": "rgb"}
    )
    assert list(scene.files) == ["depth", "rgb"]
    assert read_scene(scene, tasks=["rgb"], note=[].append)["rgb"].shape == (*SHAPE, 3)


def test_one_layer_is_an_image_whatever_its_prefix(tmp_path: Path) -> None:
    write(tmp_path / "scene" / "depth.exr", {"ViewLayer.Depth.V": ROWS})
    write(tmp_path / "scene" / "albedo.exr", {f"DiffCol.{c}": ROWS for c in "RGB"})
    (scene,) = find_scenes(tmp_path / "scene")
    assert {name: image.shape for name, image in read_scene(scene).items()} == {
        "albedo": (*SHAPE, 3), "depth": SHAPE,
    }  # fmt: skip
    with pytest.raises(SceneError, match="it does not hold several images"):
        find_scenes(tmp_path / "scene" / "depth.exr")


def test_labels_that_are_no_whole_numbers_stay_floats(tmp_path: Path) -> None:
    (scene,) = find_scenes(write(tmp_path / "a.exr", {"IndexOB.X": ROWS / 3, "Depth.Z": ROWS}))
    assert read_scene(scene)["indexob"].dtype == np.float32
    (scene,) = find_scenes(write(tmp_path / "a.exr", {"IndexOB.X": ROWS - 1, "Depth.Z": ROWS}))
    assert read_scene(scene)["indexob"].dtype == np.int32


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "0001.exr", blender())
    (scene,) = find_scenes(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SceneError) as caught:
        read_scene(scene)
    assert str(caught.value).startswith(f"{path}: layer ViewLayer.") and "cannot read it" in str(caught.value)


@pytest.mark.parametrize("first", ["Confidence", "Depth"])
def test_layers_of_a_file_that_stands_for_a_task_are_tasks(first: str, tmp_path: Path) -> None:
    second = "Depth" if first == "Confidence" else "Confidence"
    write(tmp_path / "depth.exr", {f"ViewLayer.{name}.V": ROWS + len(name) for name in (first, second)})
    write(tmp_path / "albedo.exr", {f"DiffCol.{c}": ROWS for c in "RGB"})
    (scene,) = find_scenes(tmp_path)
    images = read_scene(scene)
    assert list(images) == ["albedo", "depth", "depth_confidence"]
    assert images["depth"][0, 0] == 5 and images["depth_confidence"][0, 0] == 10
