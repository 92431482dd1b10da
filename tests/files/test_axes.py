"""Arrays whose channels may be first or last: one rule for .npy, .npz and HDF5, that of Python's arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.request import Request
from mtcodec.errors import SceneError
from mtcodec.files.formats import shape_of
from mtcodec.files.images import read_with_alpha, write_image
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.tasks import USUAL

NOISE = np.random.default_rng(0).integers(0, 60000, (24, 20, 30), np.uint16)
FORMATS = (".npy", ".npz", ".hdf5")


def write(path: Path, array: Any) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez_compressed(path, array)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        with h5py.File(path, "w") as file:
            file["x"] = array
    return path


def noted(path: Path, task: str) -> tuple[Any, list[str]]:
    lines: list[str] = []
    image, _ = read_with_alpha(path, "x", USUAL.get(task), lines.append)
    shape = shape_of(path)
    assert (shape.height, shape.width) == image.shape[:2] and shape.dtype == image.dtype.name
    return image, lines


@pytest.mark.parametrize("suffix", [*FORMATS, ".tif"])
@pytest.mark.parametrize("task", ["depth", "rgb", "semantic", "unknown"])
@pytest.mark.parametrize("height", [20, 5])
@pytest.mark.filterwarnings("ignore:<tifffile.TiffWriter.write>:DeprecationWarning")
def test_one_channel_may_be_first_or_last(height: int, task: str, suffix: str, tmp_path: Path) -> None:
    image = NOISE[0, :height]
    for stored in (image, image[None], image[..., None]):
        back, lines = noted(write(tmp_path / f"x{suffix}", stored), task)
        assert back.dtype == image.dtype and np.array_equal(back, image) and not lines


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("task", "channels"), [("rgb", 3), ("normal", 3), ("unknown", 3), ("unknown", 4), ("unknown", 2)]
)
def test_channels_that_are_first_are_put_last_with_a_line(
    task: str, channels: int, suffix: str, tmp_path: Path
) -> None:
    image = NOISE[:channels]
    back, lines = noted(write(tmp_path / f"x{suffix}", image), task)
    assert np.array_equal(back, np.moveaxis(image, 0, -1))
    assert lines == [f"x: its channels, which are stored first in {image.shape}, are put last"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("shape", [(3, 6, 3), (4, 6, 4), (3, 7, 4), (3, 7, 9), (1, 4, 4)])
def test_what_may_be_both_is_taken_for_last_in_the_words_of_python(
    shape: tuple[int, ...], suffix: str, tmp_path: Path
) -> None:
    array = np.zeros(shape, np.uint16)
    with pytest.raises(SceneError) as caught:
        stored_scene({"unknown": array}, Request())
    words = str(caught.value).removeprefix("task unknown: ").partition(": ")[0]
    path = write(tmp_path / f"x{suffix}", array)
    image, lines = noted(path, "unknown")
    assert image.shape == shape and lines[-1] == f"x: {words}: taken for last"


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_size_of_other_images_tells_what_may_be_both(suffix: str, tmp_path: Path) -> None:
    array = NOISE[:3, :6, :3]
    write(tmp_path / f"a{suffix}", array)
    for image, expected in ((NOISE[0, :3, :6], array), (NOISE[0, :6, :3], np.moveaxis(array, 0, -1))):
        write_image(tmp_path / "depth.png", image)
        (scene,) = find_scenes(tmp_path)
        images = read_scene(scene)
        assert list(images) == ["a", "depth"] and np.array_equal(images["a"], expected)


def test_what_decoding_writes_has_its_channels_last(tmp_path: Path) -> None:
    for shape in ((3, 6, 3), (4, 30, 16), (1, 1, 1), (1, 9, 3)):
        image = np.random.default_rng(0).random(shape)
        write_image(tmp_path / "x.npy", image)
        back, lines = noted(tmp_path / "x.npy", "unknown")
        assert np.array_equal(back, np.squeeze(image, 2) if shape[2] == 1 else image) and not lines


def test_fast_depth_files_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "00001.h5", "w") as file:
        file["rgb"], file["depth"] = (NOISE[:3] % 256).astype(np.uint8), NOISE[0].astype(np.float32)
    images = read_scene(find_scenes(tmp_path)[0])
    assert images["rgb"].shape == (20, 30, 3) and images["depth"].shape == (20, 30)
