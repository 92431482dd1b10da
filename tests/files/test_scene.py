"""Scene directories: every image format, every refusal, and values to planes and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import imageio.v3 as iio
import numpy as np
import OpenEXR
import PIL.Image
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mtcodec.errors import SceneError
from mtcodec.files.image_output import suffix_for, write_image
from mtcodec.files.images import read_image
from mtcodec.files.layouts import scene_directory
from mtcodec.files.scene import Scene, check_scene, read_scene
from mtcodec.signal.mapping import Range, from_planes, to_planes, value_range
from mtcodec.tasks import task as tasks
from mtcodec.tasks.task import DEPTH, NORMAL, RGB, SEMANTIC, Task

Image = NDArray[Any]
ALBEDO = Task("albedo", "image", 3, DEPTH.dtypes)
HEIGHT, WIDTH = 5, 7


def picture(channels: int, dtype: str) -> Image:
    """Values over the whole range of an integer dtype, or floats of both signs."""
    shape = (HEIGHT, WIDTH, channels)[: 3 if channels > 1 else 2]
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        return rng.normal(0, 100, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def write(path: Path, image: Image) -> None:
    """Write an image file as another program would."""
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(image))
    elif path.suffix == ".npy":
        np.save(path, image, allow_pickle=True)
    elif path.suffix == ".exr":
        write_exr(path, {"RGB" if image.ndim == 3 else "Z": image})
    elif path.suffix.startswith(".tif"):
        tifffile.imwrite(path, image, photometric="rgb" if image.ndim == 3 else "minisblack")
    else:
        iio.imwrite(path, image)


def write_exr(path: Path, channels: dict[str, Image]) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def refused(path: Path, call: Callable[[], object], reason: str) -> None:
    """``call`` fails with one line that begins with ``path`` and holds ``reason``."""
    with pytest.raises(SceneError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and reason in message and "\n" not in message


def read(directory: Path, wanted: list[Task] | None = None) -> Scene:
    return read_scene(scene_directory(directory), wanted)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "dtype"),
    [
        ("rgb.png", RGB, "uint8"),
        ("rgb.png", RGB, "uint16"),
        ("RGB.PNG", RGB, "uint8"),
        ("depth.png", DEPTH, "uint8"),
        ("depth.png", DEPTH, "uint16"),
        ("depth.tif", DEPTH, "uint8"),
        ("depth.tif", DEPTH, "uint16"),
        ("depth.tiff", DEPTH, "float32"),
        ("depth.tiff", DEPTH, "float64"),
        ("rgb.tif", RGB, "uint8"),
        ("rgb.tif", RGB, "uint16"),
        ("albedo.tif", ALBEDO, "float32"),
        ("depth.exr", DEPTH, "float32"),
        ("albedo.exr", ALBEDO, "float32"),
        ("depth.npy", DEPTH, "uint8"),
        ("depth.npy", DEPTH, "float64"),
        ("rgb.npy", RGB, "uint16"),
        ("depth.npy", DEPTH, ">u2"),
        ("depth.npy", DEPTH, ">f4"),
    ],
)
def test_images_are_read_exactly(name: str, task: Task, dtype: str, tmp_path: Path) -> None:
    native = np.dtype(dtype).newbyteorder("=")
    image = picture(task.channels, native.name)
    path = tmp_path / name
    path = path.with_suffix(path.suffix.lower())
    write(path, image.astype(dtype))
    path = path.rename(tmp_path / name)
    back = read_image(path, task)
    assert back.dtype == native and back.dtype.isnative and back.flags.c_contiguous
    assert np.array_equal(back, image)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpegs_are_read(suffix: str, tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    for task, image in ((RGB, np.stack([ramp] * 3, axis=-1)), (DEPTH, ramp)):
        path = tmp_path / (task.name + suffix)
        write(path, image)
        back = read_image(path, task)
        assert (back.shape, back.dtype) == (image.shape, np.uint8)
        assert np.abs(back.astype(int) - image).max() < 8


def test_exr_channels_are_read_whatever_their_layout(tmp_path: Path) -> None:
    image = picture(3, "float32")
    path = tmp_path / "albedo.exr"
    write_exr(path, {c: image[..., i].copy() for i, c in enumerate("RGB")})
    assert np.array_equal(read_image(path, ALBEDO), image)
    half = image.astype(np.float16)
    write_exr(path, {"RGB": half})
    assert np.array_equal(read_image(path, ALBEDO), half.astype(np.float32))
    for name in "RYVZ":
        write_exr(path, {name: image[..., 0].copy()})
        assert np.array_equal(read_image(path, DEPTH), image[..., 0])


def test_one_plane_stored_as_three_equal_ones_is_one_channel(tmp_path: Path) -> None:
    image = picture(1, "uint16")
    path = tmp_path / "depth.png"
    write(path, np.stack([image] * 3, axis=-1))
    assert np.array_equal(read_image(path, DEPTH), image)
    np.save(path.with_suffix(".npy"), image[..., None])
    assert np.array_equal(read_image(path.with_suffix(".npy"), DEPTH), image)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_class_ids_of_a_palette_are_its_indexes_and_colours_its_colours(bits: int, tmp_path: Path) -> None:
    ids = picture(1, "uint8") >> (8 - bits)
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), "uint8")
    for palette in (colours, np.stack([np.arange(256, dtype="uint8")[::-1]] * 3, axis=-1)):
        file = PIL.Image.fromarray(ids)
        file.putpalette(palette[: 1 << bits].tobytes())
        file.save(tmp_path / "any.png", bits=bits)
        assert np.array_equal(read_image(tmp_path / "any.png", SEMANTIC), ids)
        assert np.array_equal(read_image(tmp_path / "any.png", RGB), palette[ids])


def test_a_scene_holds_its_images_by_task_and_ignores_the_rest(tmp_path: Path) -> None:
    scene = {"rgb": picture(3, "uint8"), "depth": picture(1, "uint16")}
    write(tmp_path / "rgb.png", scene["rgb"])
    write(tmp_path / "depth.npy", scene["depth"])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("neither")
    back = read(tmp_path)
    assert back.keys() == scene.keys()
    assert all(np.array_equal(back[n], scene[n]) for n in scene)
    write(tmp_path / "unheard_of.png", scene["rgb"])
    assert read(tmp_path, [DEPTH, NORMAL]).keys() == {"depth"}


# --- refusals ------------------------------------------------------------------------------------

REFUSED_IMAGES = {
    "float rgb": ("rgb.npy", picture(3, "float32"), "float32 values, but task rgb takes uint8, uint16"),
    "float labels": ("semantic.npy", picture(1, "float32"), "float32 values, but task semantic takes"),
    "int32 depth": ("depth.npy", picture(1, "uint8").astype(np.int32), "int32 values, but task depth"),
    "booleans": ("semantic.npy", picture(1, "uint8") > 9, "bool values, but task semantic takes"),
    "strings": ("depth.npy", np.array([["a", "b"]]), "values, but task depth takes"),
    "grey rgb": ("rgb.png", picture(1, "uint8"), "1 channels, but task rgb has 3"),
    "rgb and alpha": ("rgb.png", picture(4, "uint8"), "4 channels, but task rgb has 3"),
    "coloured depth": ("depth.png", picture(3, "uint16"), "3 channels, but task depth has 1"),
    "beyond float32": ("depth.npy", np.array([[1, -1e39]]), "has values that float32 cannot hold"),
    "no pixels": ("depth.npy", np.zeros((0, 5), np.uint8), "an image of 5×0 pixels"),
    "a number": ("depth.npy", np.uint8(3), "not an image: an array of shape"),
    "a video": ("rgb.npy", np.zeros((2, 4, 4, 3), np.uint8), "not an image: an array of shape (2, 4, 4, 3)"),
    "pickled": ("depth.npy", np.array([{}]), "cannot read it: Object arrays cannot be loaded"),
}


@pytest.mark.parametrize(("name", "image", "reason"), REFUSED_IMAGES.values(), ids=REFUSED_IMAGES)
def test_refuses_images(name: str, image: Image, reason: str, tmp_path: Path) -> None:
    write(tmp_path / name, image)
    refused(tmp_path / name, lambda: read(tmp_path), reason)


@pytest.mark.parametrize("name", ["rgb.png", "rgb.jpg", "rgb.tif", "albedo.exr", "rgb.npy"])
@pytest.mark.parametrize("keep", [0.0, 0.002, 0.5, 0.9])
def test_refuses_truncated_files(name: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(0)
    write(path, rng.integers(0, 256, (64, 64, 3)).astype("float32" if name.endswith("exr") else "uint8"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    refused(path, lambda: read_image(path, ALBEDO), "cannot read it: ")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".exr", ".npy"])
def test_refuses_what_is_no_image(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("rgb" + suffix)
    path.write_bytes(b"GIF87a no image at all\n" * 9)
    refused(path, lambda: read(tmp_path), "cannot read it: ")
    path.unlink()
    path.mkdir()
    refused(path, lambda: read(tmp_path), "cannot read it: ")
    path.rmdir()
    path.symlink_to("nowhere")
    refused(path, lambda: read(tmp_path), "cannot read it: ")


def test_refuses_an_archive_of_arrays_and_exr_channels_of_no_meaning(tmp_path: Path) -> None:
    path = tmp_path / "depth.npy"
    with path.open("wb") as file:
        np.savez(file, depth=picture(1, "uint8"))
    refused(path, lambda: read_image(path, DEPTH), "the magic string is not correct")
    path = tmp_path / "depth.exr"
    plane = picture(1, "float32")
    write_exr(path, {"U": plane, "V": plane})
    refused(path, lambda: read_image(path, DEPTH), "channels U, V")


def test_refuses_images_of_different_sizes(tmp_path: Path) -> None:
    write(tmp_path / "rgb.png", picture(3, "uint8"))
    write(tmp_path / "depth.png", picture(1, "uint16").T.copy())
    refused(tmp_path / "rgb.png", lambda: read(tmp_path), f"7×5 pixels, but {tmp_path}/depth.png has 5×7")


def test_refuses_two_files_for_one_task(tmp_path: Path) -> None:
    write(tmp_path / "depth.png", picture(1, "uint16"))
    write(tmp_path / "depth.npy", picture(1, "uint16"))
    path = tmp_path / "depth.png"
    refused(path, lambda: read(tmp_path), "a second file for task 'depth', beside depth.npy")


def test_refuses_unknown_tasks(tmp_path: Path) -> None:
    path = tmp_path / "unheard_of.png"
    write(path, picture(3, "uint8"))
    refused(path, lambda: read(tmp_path), "unknown task 'unheard_of' (known: rgb, depth, normal, sem")


def test_refuses_directories_without_images(tmp_path: Path) -> None:
    refused(tmp_path, lambda: read(tmp_path), "no image of any task")
    refused(tmp_path, lambda: read(tmp_path, [RGB, DEPTH]), "no image of any task (rgb, depth)")
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    refused(missing, lambda: read(missing), "no such directory")
    refused(file, lambda: read(file), "not a directory")


def test_refuses_scenes_of_arrays_naming_the_task() -> None:
    for scene, message in (
        ({}, "a scene without images"),
        ({"rgb": [[1, 2]]}, "task rgb: not an image"),
        ({"rgb": picture(1, "uint8")}, "task rgb: 1 channels"),
        ({"rgb": picture(3, "uint8"), "depth": np.ones((2, 2), np.uint8)}, "task depth: 2×2 pixels"),
    ):
        with pytest.raises(SceneError, match=message):
            check_scene(scene)  # type: ignore[arg-type]


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", tasks.DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_written_images_are_read_back_exactly(dtype: str, channels: int, tmp_path: Path) -> None:
    image = picture(channels, dtype)
    integer = not dtype.startswith("float")
    path = tmp_path / ("any" + suffix_for(image))
    assert path.suffix == (".png" if integer and channels < 5 else ".npy")
    write_image(path, image)
    back = read_image(path, Task("any", "image", channels, tasks.DTYPES))
    assert back.dtype == image.dtype and np.array_equal(back, image)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# --- planes --------------------------------------------------------------------------------------


def there_and_back(task: Task, image: Image) -> Image:
    scale = value_range(task, image)
    planes = to_planes(image, scale)
    assert planes.dtype == np.float32 and planes.shape == (task.channels, *image.shape[:2])
    assert planes.min() >= 0 and planes.max() <= 1
    back = from_planes(planes, scale, image.dtype.name)
    assert back.dtype == image.dtype and back.shape == image.shape
    return back


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("task", [RGB, NORMAL, DEPTH], ids=lambda t: t.name)
def test_every_integer_comes_back(task: Task, dtype: str) -> None:
    top = np.iinfo(dtype).max
    image = np.arange((top + 1) // 16 * 16, dtype=dtype).reshape(16, -1)
    image = np.stack([image, image[::-1], np.roll(image, 5)], axis=-1) if task.channels == 3 else image
    assert np.array_equal(there_and_back(task, image), image)
    low = image // 7 + top // 3  # a scene's own range, not the whole one
    assert np.array_equal(there_and_back(task, low), low)


def test_integers_keep_their_whole_range_and_depth_its_own() -> None:
    assert value_range(RGB, picture(3, "uint16")) == Range(0, 65535)
    assert value_range(DEPTH, np.array([[7, 300]], np.uint16)) == Range(7, 300)


@pytest.mark.parametrize("dtype", tasks.DTYPES)
@pytest.mark.parametrize("value", [0, 1, 200])
def test_constant_depth_comes_back_exactly(dtype: str, value: int) -> None:
    image = np.full((3, 4), value, dtype)
    assert (there_and_back(DEPTH, image) == image).all()


@pytest.mark.parametrize("width", [32, 64])
@settings(deadline=None)
@given(data=st.data())
def test_floats_come_back_within_float32_precision_of_the_range(width: int, data: st.DataObject) -> None:
    top = float(np.finfo(np.float32).max)
    values = st.floats(-top, top, width=width) | st.floats(-10, 10, width=16)
    values |= st.floats(0, 2.0**-140, width=32) | st.floats(1e6, 1e6 + 1 / 16, width=width)
    image = data.draw(hnp.arrays(f"float{width}", hnp.array_shapes(min_dims=2, max_dims=2), elements=values))
    back = there_and_back(DEPTH, image)
    largest = float(np.abs(image).max())
    assert np.abs(back.astype(float) - image).max() <= 4e-7 * largest + 2.0**-148


def test_planes_beyond_the_range_are_clipped() -> None:
    scale = value_range(DEPTH, np.array([[100, 200]], np.uint16))
    planes = np.array([[[-0.5, 0.0, 0.5, 1.0, 9.0]]], np.float32)
    assert from_planes(planes, scale, "uint16").tolist() == [[100, 100, 150, 200, 200]]


def test_three_channels_become_planes_in_order() -> None:
    image = picture(3, "uint8")
    planes = to_planes(image, value_range(RGB, image))
    for c in range(3):
        assert np.allclose(planes[c], image[..., c] / 255)


def test_semantic_is_lossless_and_others_are_not() -> None:
    assert [t.lossless for t in (SEMANTIC, RGB, DEPTH, NORMAL, ALBEDO)] == [True, *[False] * 4]
