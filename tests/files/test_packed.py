"""Values that files keep packed in colours or in alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.images import write_image
from mtcodec.files.packing import FORMS, check, parse
from mtcodec.files.reading import Reading
from mtcodec.files.scene import Scene, bytes_on_disk, layout_units, read_scene, read_shapes
from mtcodec.files.sources import is_present
from mtcodec.files.trees.layouts import find_scenes
from mtcodec.messages import Loss
from mtcodec.tasks import USUAL, units

SHAPE = (6, 8)
RANDOM = np.random.default_rng(0)
VALUES = RANDOM.integers(0, 1 << 24, SHAPE, np.uint32)
VALUES[0, :4] = 0, 1, 1 << 16, (1 << 24) - 1
HIGH, MIDDLE, LOW = (((VALUES >> shift) & 255).astype(np.uint8) for shift in (16, 8, 0))
COLOURS = RANDOM.integers(0, 256, (*SHAPE, 3), np.uint8)


def scene_in(
    directory: Path, unpack: dict[str, str], tasks: list[str] | None = None
) -> tuple[Scene, dict[str, str], list[str]]:
    """The scene that lies there, with its units and notes; headers must tell the same."""
    reading = Reading(unpack={task: parse(text) for task, text in unpack.items()})
    (files,) = find_scenes(directory, reading=reading)
    lines: list[str] = []
    scene = read_scene(files, tasks=tasks, note=lines.append)
    for name, shape in read_shapes(files, [name for name in scene if name in unpack]).items():
        assert shape == (*scene[name].shape, 1, scene[name].dtype.name)
    return scene, layout_units(files, scene), lines


@pytest.mark.parametrize(("form", "channels", "expected"), [
    ("rgb24", (HIGH, MIDDLE, LOW), VALUES),
    ("bgr24", (LOW, MIDDLE, HIGH), VALUES),
    ("rg16", (MIDDLE, LOW, 0 * LOW), (VALUES & 65535).astype(np.uint16)),
    ("gr16", (LOW, MIDDLE, 0 * LOW), (VALUES & 65535).astype(np.uint16)),
])  # fmt: skip
@pytest.mark.parametrize("alpha", [False, True])
def test_integers_in_channels(form: str, channels: Any, expected: Any, alpha: bool, tmp_path: Path) -> None:
    opaque = [np.full(SHAPE, 255, np.uint8)] * alpha
    write_image(tmp_path / "depth.png", np.dstack([*channels, *opaque]))
    scene, tasks_units, lines = scene_in(tmp_path, {"depth": form})
    assert scene["depth"].dtype == expected.dtype and np.array_equal(scene["depth"], expected)
    assert not tasks_units and not lines
    assert scene_in(tmp_path, {"depth": f"{form}:0.001"})[1] == {"depth": "0.001m"}
    assert scene_in(tmp_path, {"depth": f"{form}:0.2mm"})[1] == {"depth": "0.0002m"}


def test_units_of_carla_and_rlbench(tmp_path: Path) -> None:
    """CARLA: (R + 256 G + 65536 B) / (2^24 - 1) · 1000 m. RLBench: near + (…) / (2^24 - 1) · (far - near)."""
    write_image(tmp_path / "depth.png", np.dstack([LOW, MIDDLE, HIGH]))
    scene, tasks_units, _ = scene_in(tmp_path, {"depth": "bgr24:0..1000m"})
    metres, suffix = units.parse(tasks_units["depth"])
    assert suffix == "m" and np.allclose(scene["depth"] * metres, VALUES / (2**24 - 1) * 1000, rtol=1e-12)
    write_image(tmp_path / "depth.png", np.dstack([HIGH, MIDDLE, LOW]))
    scene, tasks_units, _ = scene_in(tmp_path, {"depth": "rgb24:0.01..4.5m"})
    metres, _ = units.parse(tasks_units["depth"])
    expected = 0.01 + VALUES / (2**24 - 1) * 4.49
    assert np.abs(scene["depth"] * metres - expected).max() <= metres / 2
    assert scene_in(tmp_path, {"depth": "rgb24:10..4500mm"})[1]["depth"].startswith("2.67")
    assert scene_in(tmp_path, {"depth": "rgb24:1cm..4.5m"})[1] == tasks_units


@pytest.mark.parametrize(("form", "order"), [("rgba:float32", [2, 1, 0, 3]), ("bgra:float32", [0, 1, 2, 3])])
def test_floats_in_four_channels(form: str, order: list[int], tmp_path: Path) -> None:
    """TartanAir 2 views float32 as four bytes, which OpenCV takes for B, G, R, A."""
    depth = RANDOM.uniform(0.5, 80, SHAPE).astype("<f4")
    depth[0, 0] = np.inf
    write_image(tmp_path / "depth.png", depth.view(np.uint8).reshape(*SHAPE, 4)[..., order])
    scene, tasks_units, lines = scene_in(tmp_path, {"depth": form})
    assert scene["depth"].dtype == np.float32 and np.array_equal(scene["depth"], depth)
    assert not tasks_units and not lines


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ["rgb.png", "rgb.tif", "image.png"])
def test_alpha_of_colours_is_depth(name: str, dtype: str, tmp_path: Path) -> None:
    import tifffile

    depth, colours = VALUES.astype(dtype), COLOURS.astype(dtype)
    rgba = np.dstack([colours, depth])
    if name.endswith("tif"):
        tifffile.imwrite(tmp_path / name, rgba, photometric="rgb", extrasamples=["unassalpha"])
    else:
        write_image(tmp_path / name, rgba)
    scene, tasks_units, lines = scene_in(tmp_path, {"depth": "alpha:0.05"})
    assert list(scene) == ["rgb", "depth"] and tasks_units == {"depth": "0.05m"}
    assert np.array_equal(scene["rgb"], colours) and np.array_equal(scene["depth"], depth)
    assert scene["depth"].dtype == depth.dtype and not lines
    assert list(scene_in(tmp_path, {"depth": "alpha"}, ["depth"])[0]) == ["depth"]
    assert list(scene_in(tmp_path, {"depth": "alpha"}, ["rgb"])[0]) == ["rgb"]


def test_alpha_of_the_depth_file_itself(tmp_path: Path) -> None:
    write_image(tmp_path / "depth.png", np.dstack([COLOURS, LOW]))
    scene, _, lines = scene_in(tmp_path, {"depth": "alpha"})
    assert np.array_equal(scene["depth"], LOW)
    assert lines == ["depth: its other channels, which alpha does not use, are left out"]
    assert isinstance(lines[0], Loss)


def test_opaque_alpha_is_depth_where_it_is_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb.png", np.dstack([COLOURS, np.full(SHAPE, 255, np.uint8)]))
    assert (scene_in(tmp_path, {"depth": "alpha"})[0]["depth"] == 255).all()


def test_alpha_counts_no_bytes_and_may_be_missing(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_image(tmp_path / "x.png", np.dstack([COLOURS, LOW]))
    data = (tmp_path / "x.png").read_bytes()
    pq.write_table(pa.table({"rgb": pa.array([data, None])}), tmp_path / "x.parquet")
    reading = Reading(unpack={"depth": parse("alpha")})
    full, empty = find_scenes(tmp_path / "x.parquet", reading=reading)
    assert bytes_on_disk(full) == len(data) and np.array_equal(read_scene(full)["depth"], LOW)
    assert bytes_on_disk(empty) == 0 and not any(map(is_present, empty.files.values()))


def test_packed_labels(tmp_path: Path) -> None:
    """COCO's panoptic ids: R + 256 G + 65536 B."""
    write_image(tmp_path / "panoptic.png", np.dstack([LOW, MIDDLE, HIGH]))
    assert np.array_equal(scene_in(tmp_path, {"panoptic": "bgr24"})[0]["panoptic"], VALUES)
    with pytest.raises(UsageError, match="it has no lengths, so that 'bgr24:1mm' cannot say a unit"):
        scene_in(tmp_path, {"panoptic": "bgr24:1mm"})


def test_grey_files_hold_equal_channels(tmp_path: Path) -> None:
    write_image(tmp_path / "depth.png", LOW)
    assert np.array_equal(scene_in(tmp_path, {"depth": "rgb24"})[0]["depth"], LOW * np.uint32(0x10101))


def test_what_decoding_has_written_is_not_unpacked_again(tmp_path: Path) -> None:
    write_image(tmp_path / "depth.npy", VALUES)
    scene, tasks_units, lines = scene_in(tmp_path, {"depth": "rgb24:0.001"})
    assert np.array_equal(scene["depth"], VALUES) and tasks_units == {"depth": "0.001m"}
    assert lines == ["depth: its one channel of uint32 is taken as it is, and not for rgb24"]


def test_channels_that_are_left_out_are_told(tmp_path: Path) -> None:
    write_image(tmp_path / "depth.png", np.dstack([MIDDLE, LOW, HIGH]))
    assert scene_in(tmp_path, {"depth": "rg16"})[2] == [
        "depth: its other channels, which rg16 does not use, are left out"
    ]
    Image.fromarray(np.dstack([HIGH, MIDDLE, LOW])).save(tmp_path / "depth.jpg")
    (tmp_path / "depth.png").unlink()
    (line,) = scene_in(tmp_path, {"depth": "rgb24"})[2]
    assert line == "depth: a JPEG file, which changes packed values; PNG keeps them" and isinstance(
        line, Loss
    )


@pytest.mark.parametrize(("image", "form", "reason"), [
    (VALUES.astype(np.uint16), "rgb24", "its channels are uint16, but those of rgb24 have 8 bits"),
    (np.dstack([HIGH, LOW]), "rgb24", "it has 2 channels, but rgb24 needs 3"),
    (COLOURS, "rgba:float32", "it has 3 channels, but rgba:float32 needs 4"),
    (COLOURS, "alpha", "it has no alpha, which alpha asks for"),
])  # fmt: skip
def test_images_that_are_not_packed_so_are_refused(
    image: Any, form: str, reason: str, tmp_path: Path
) -> None:
    write_image(tmp_path / "depth.png", image)
    with pytest.raises(SceneError, match=f"depth.png: cannot read it: {reason}"):
        scene_in(tmp_path, {"depth": form})


def test_colours_without_alpha_have_no_depth_in_it(tmp_path: Path) -> None:
    for image in (COLOURS, LOW):
        write_image(tmp_path / "rgb.png", image)
        with pytest.raises(SceneError, match="it has no alpha, which alpha asks for"):
            scene_in(tmp_path, {"depth": "alpha"})


def test_alpha_is_turned_with_the_colours(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.dstack([COLOURS, LOW])).save(tmp_path / "rgb.png", exif=exif)
    scene, _, _ = scene_in(tmp_path, {"depth": "alpha"})
    assert np.array_equal(scene["depth"], np.rot90(LOW, -1)) and scene["rgb"].shape == (8, 6, 3)


@pytest.mark.parametrize(("text", "reason"), [
    ("rbg24", f"not a form of packed values: 'rbg24' \\(known: {', '.join(FORMS)}"),
    ("rgb24:", "not a number, or a length"),
    ("rgb24:0", "the length of a 1 must be more than 0"),
    ("rgb24:-1", "not a number, or a length"),
    ("rgb24:3km", "not a number, or a length"),
    ("rgb24:5..1m", "the length of a 1 must be more than 0"),
    ("alpha:0..1m", "its unit has to be a length"),
    ("rgba:float32:0.1", "holds lengths in metres"),
    ("rgb24:1000..1000.001m", "too narrow a range"),
])  # fmt: skip
def test_other_forms_are_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(text)


@pytest.mark.parametrize("channels", [3, 4])
def test_packed_depth_that_nobody_unpacks_is_refused_with_advice(channels: int, tmp_path: Path) -> None:
    from mtcodec.codec.prepare import declare
    from mtcodec.tasks import USUAL

    with pytest.raises(
        SceneError, match="values packed in colours are read with --unpack, such as depth=rgb24"
    ):
        declare("depth", np.zeros((*SHAPE, channels), np.uint8), USUAL)


def test_units_of_a_cameras_depth() -> None:
    unpack = {"left_shoulder_depth": parse("rgb24:0.01..4.5m")}
    check(unpack, USUAL)
    with pytest.raises(UsageError, match="it has no lengths"):
        check({"left_shoulder_rgb": unpack["left_shoulder_depth"]}, USUAL)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_channels_of_arrays_may_be_first(suffix: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
    expected = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    stored = pixels.transpose(2, 0, 1)
    if suffix == "npy":
        np.save(tmp_path / "depth.npy", stored)
    else:
        np.savez(tmp_path / "depth.npz", stored)
    (scene,) = find_scenes(tmp_path, reading=Reading(unpack={"depth": parse("rgb24:0.001")}))
    depth = read_scene(scene)["depth"]
    assert depth.dtype == np.uint32 and np.array_equal(depth, expected)
    assert read_shapes(scene, ["depth"])["depth"] == (20, 30, 1, "uint32")


def test_alpha_that_is_another_task_is_no_channel_of_its_image(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (20, 30, 4), np.uint8)).save(
        tmp_path / "rgb.png"
    )
    (scene,) = find_scenes(tmp_path, reading=Reading(unpack={"depth": parse("alpha:4cm")}))
    shapes = read_shapes(scene, ["rgb", "depth"])
    assert shapes == {"rgb": (20, 30, 3, "uint8"), "depth": (20, 30, 1, "uint8")}
