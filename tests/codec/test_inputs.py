"""Scenes as loaders and programs have them: layouts, float colours, samples of archives, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mtcodec
from mtcodec import Codec
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.codec.prepare import Scene
from mtcodec.codec.request import Request
from mtcodec.codec.settings import updated
from mtcodec.container.mtc import Reader
from mtcodec.errors import SceneError, UsageError

PLAIN = Codec((), effort="fast")  # without weights
EXACT = {"lossless": ["rgb", "depth"]}


def random(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(7).integers(1, 250, shape).astype(dtype)


def decoded(scene: Any, **settings: Any) -> Scene:
    return mtcodec.decode(PLAIN.encode(scene, **settings))


# --- layouts -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*nobody tells its unit")
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(
    ("name", "channels"), [("rgb", 3), ("rgb", 1), ("rgb", 4), ("depth", 1), ("normal", 3), ("semantic", 1)]
)
def test_channels_may_come_first(name: str, channels: int, as_tensor: bool) -> None:
    image = random((20, 30, channels))
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    scene = {name: torch.from_numpy(planes) if as_tensor else planes}
    assert np.array_equal(decoded(scene, lossless=name)[name], image.squeeze())
    assert np.array_equal(decoded({name: image}, lossless=name)[name], image)


def test_undeclared_images_have_their_channels_where_an_image_has_them() -> None:
    for channels in (3, 12):
        image = random((20, 30, channels), "int16")
        planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
        assert (decoded({"smell": planes})["smell"] == image).all()
        assert (decoded({"smell": image})["smell"] == image).all()


@pytest.mark.parametrize("shape", [(4, 4, 2), (3, 40, 2), (1, 40, 16), (4, 480, 7)])
def test_a_few_rows_of_unusual_channels_are_not_turned_by_a_guess(shape: tuple[int, int, int]) -> None:
    image = random(shape)
    with pytest.raises(SceneError, match="task smell: channels first or last"):
        mtcodec.encode({"smell": image})
    data = mtcodec.encode({"smell": image}, layout="hwc")
    assert (mtcodec.decode(data)["smell"] == image).all()
    told = {"smell": image, "depth": random(shape[:2], "uint16")}  # its size tells
    assert mtcodec.decode(mtcodec.encode(told))["smell"].shape == shape


@pytest.mark.parametrize("shape", [(3, 8, 3), (3, 3, 3), (3, 8, 4), (3, 8, 1), (4, 8, 1)])
def test_an_image_that_may_be_read_in_two_ways_is_refused_until_its_layout_is_said(
    shape: tuple[int, int, int],
) -> None:
    image = random(shape)
    with pytest.raises(SceneError, match=r"task rgb: channels first or last.*layout='hwc' or layout='chw'"):
        decoded({"rgb": image})
    assert (decoded({"rgb": image}, layout="hwc")["rgb"].reshape(shape) == image).all()
    planes = decoded({"rgb": image}, layout="chw")["rgb"]
    assert (planes.reshape(*shape[1:], shape[0]) == np.moveaxis(image, 0, -1)).all()


@pytest.mark.filterwarnings("ignore:.*nobody tells its unit")
def test_few_rows_of_the_declared_channels_are_rows() -> None:
    for shape in ((1, 8, 3), (4, 8, 3), (16, 1, 3), (1, 1, 3)):
        assert decoded({"rgb": random(shape)})["rgb"].shape == shape
    assert decoded({"depth": random((1, 1, 1))})["depth"].shape == (1, 1, 1)
    assert decoded({"depth": random((1, 8, 3))}, layout="chw")["depth"].shape == (8, 3)


def test_other_images_of_the_scene_tell_the_layout() -> None:
    image = random((3, 8, 3))
    first = {"rgb": image, "depth": random((8, 3), "uint16")}
    last = {"rgb": image, "depth": random((3, 8), "uint16")}
    assert (decoded(first, **EXACT)["rgb"] == np.moveaxis(image, 0, -1)).all()
    assert (decoded(last, **EXACT)["rgb"] == image).all()


def test_refuses_other_layouts() -> None:
    with pytest.raises(UsageError, match="layout must be auto, hwc or chw, not 'nchw'"):
        decoded({"rgb": random((3, 20, 30))}, layout="nchw")
    with pytest.raises(SceneError, match="of a batch, encode each image"):
        decoded({"rgb": random((2, 3, 20, 30))})


# --- colours that are floats -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_colours_are_the_integers_that_they_were_made_of(dtype: str) -> None:
    image = random((20, 30, 3))
    image.flat[:2] = 0, 255
    unit = torch.from_numpy((np.moveaxis(image, -1, 0) / 255).astype(dtype))
    back = decoded({"rgb": unit}, lossless="rgb")["rgb"]
    assert back.dtype == np.uint8 and (back == image).all()


def test_float_colours_of_16_bits_stay_so() -> None:
    image = random((20, 30, 3)).astype(np.uint16) * 263 - 1
    back = decoded({"rgb": (image / 65535).astype(np.float32)}, lossless="rgb")["rgb"]
    assert back.dtype == np.uint16 and (back == image).all()


def test_other_float_colours_are_rounded_but_not_where_a_bound_is_kept() -> None:
    unit = np.random.default_rng(1).random((20, 30, 3), np.float32)
    assert decoded({"rgb": unit})["rgb"].dtype == np.uint8
    with pytest.raises(UsageError, match=r"no steps of 1/255.*tasks=\{'rgb': 'image'\}"):
        decoded({"rgb": unit}, lossless="rgb")
    kept = decoded({"rgb": unit}, lossless="rgb", tasks={"rgb": "image"})["rgb"]
    assert kept.dtype == np.float32 and (kept == unit).all()


@pytest.mark.parametrize(("low", "high"), [(-2.1, 2.6), (0, 255), (-1, 1), (np.nan, 1)])
def test_floats_that_are_no_colours_are_refused(low: float, high: float) -> None:
    with pytest.raises(SceneError, match="task rgb: float colours go from 0 to 1, not from"):
        decoded({"rgb": np.linspace(low, high, 1800, dtype=np.float32).reshape(3, 20, 30)})


# --- samples of archives -----------------------------------------------------------------------------


@pytest.mark.parametrize("as_arrays", [False, True])
def test_samples_of_an_archive_are_encoded_as_they_come(as_arrays: bool, tmp_path: Path) -> None:
    depth = random((20, 30), "uint16") * 100
    depth[:5, :5] = 65535  # a hole, which int32 tensors have no more as their largest value
    scene = {"rgb": random((20, 30, 3)), "depth": depth, "semantic": random((20, 30))}
    job = Job(None, tuple(scene), Request(coding="classical", effort="fast", max_error={"depth": 0.0}))
    pack_scenes([("a", scene)], tmp_path / "first", job)
    sample = mtcodec.Archive(tmp_path / "first", numpy=as_arrays)[0]
    assert sample["key"] == "a"
    data = PLAIN.encode({**sample, "normal": None})
    reader = Reader(data)
    assert list(reader.header.tasks) == list(scene)
    back = mtcodec.decode(data)
    assert back["depth"].dtype == np.uint16 and (back["depth"][:5, :5] == 65535).all()
    assert np.abs(back["depth"].astype(int) - depth).max() < 6000  # which a range up to the hole has not
    pack_scenes([("a", {**sample, "normal": None})], tmp_path / "second", job)
    again = mtcodec.Archive(tmp_path / "second", numpy=True)[0]
    assert (again["depth"][0] == depth).all()


def test_what_comes_back_is_compared_with_what_was_given() -> None:
    image = random((20, 30, 3))
    given = {"key": "a", "rgb": torch.from_numpy(np.moveaxis(image / 255, -1, 0)), "depth": None}
    assert mtcodec.compare(given, decoded(given, lossless="rgb"))["rgb"]["psnr"] == 99
    assert mtcodec.compare({"rgb": image[:3, :3]}, {"rgb": image[:3, :3]}, layout="hwc")["rgb"]["psnr"] == 99


def test_texts_are_no_images_but_for_the_key() -> None:
    with pytest.raises(SceneError, match="task rgb: not an image but str"):
        PLAIN.encode({"rgb": "rgb.png"})


def test_a_scene_of_nothing_is_refused() -> None:
    for scene in ({}, {"key": "a", "rgb": None}, [1]):
        with pytest.raises(SceneError, match="a scene without images"):
            PLAIN.encode(scene)  # type: ignore[arg-type]


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"lossless": "depth"}, {"max_error": {"depth": 0.0}}),
        ({"lossless": "depth, rgb"}, {"max_error": {"depth": 0.0, "rgb": 0.0}}),
        ({"lossless": ["depth"], "max_error": "rgb=2"}, {"max_error": {"rgb": "2", "depth": 0.0}}),
        ({"max_error": {"depth": "5mm"}}, {"max_error": {"depth": "5mm"}}),
        ({"max_error": "depth=5mm"}, {"max_error": {"depth": "5mm"}}),
        ({"max_error": ["depth=5mm", "rgb=2"]}, {"max_error": {"depth": "5mm", "rgb": "2"}}),
        ({"invalid": "depth=9999"}, {"invalid": {"depth": [(9999.0,)]}}),
        ({"invalid": {"depth": 9999}}, {"invalid": {"depth": [(9999.0,)]}}),
        ({"invalid": {"depth": [9999, 0]}}, {"invalid": {"depth": [(9999.0,), (0.0,)]}}),
        ({"invalid": {"normal": (0, 0, 255)}}, {"invalid": {"normal": [(0.0, 0.0, 255.0)]}}),
        ({"invalid": {"normal": "0,0,255"}}, {"invalid": {"normal": [(0.0, 0.0, 255.0)]}}),
        ({"invalid": {"normal": [(0, 0, 255), 7]}}, {"invalid": {"normal": [(0.0, 0.0, 255.0), (7.0,)]}}),
        ({"invalid": ["none", "depth=9"]}, {"invalid": {"depth": [(9.0,)]}, "usual_holes": False}),
        ({"task_quality": {"depth": "high"}}, {"task_quality": {"depth": 78.0}}),
        ({"task_quality": "depth=80"}, {"task_quality": {"depth": 80.0}}),
        ({"quality": ["60", "depth=high"]}, {"quality": 60.0, "task_quality": {"depth": 78.0}}),
        ({"quality": "high", "task_quality": {"rgb": 5}}, {"quality": 78.0, "task_quality": {"rgb": 5.0}}),
        ({"units": "depth=0.2mm"}, {"units": {"depth": "0.2mm"}}),
        ({"target_psnr": "rgb=38"}, {"target_psnr": {"rgb": 38.0}}),
    ],
)
def test_settings_are_the_words_of_the_command_line_or_values(
    settings: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert updated(Request(), settings) == Request(**fields)
    assert Codec((), **settings).request == Request(**fields)


def test_tasks_are_declared_in_words_and_added_to_those_there_are() -> None:
    for declaration in ({"albedo": "image:1"}, "albedo:image:1", ["albedo:image:1"]):
        request = updated(Request(), {"tasks": declaration})
        assert (request.tasks["albedo"].kind.name, request.tasks["albedo"].channels) == ("image", 1)
        assert "rgb" in request.tasks


def test_what_is_lossless_is_added_to_the_bounds_of_a_codec() -> None:
    request = updated(Request(max_error={"rgb": 2.0, "depth": "5mm"}), {"lossless": "depth"})
    assert request.max_error == {"rgb": 2.0, "depth": 0.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losless": "depth"}, "no setting 'losless': did you mean lossless"),
        ({"maxerror": 1}, "no setting 'maxerror': did you mean max_error"),
        ({"wieghts": 1}, "no setting 'wieghts': did you mean weights"),
        ({"unit": 1}, "no setting 'unit': did you mean units"),
        ({"xyzzy": 1}, "no setting 'xyzzy': there is quality, task_quality"),
        ({"lossless": True}, "lossless names tasks, such as 'depth,normal', not True"),
        ({"lossless": "depth", "max_error": "depth=5mm"}, "'depth' cannot be lossless and have a bound"),
        ({"max_error": 5}, "not a bound: 5"),
        ({"max_error": {"depth": None}}, "not a bound of errors: None"),
        ({"max_error": {"depth": float("inf")}}, "not a bound of errors: inf"),
        ({"max_error": "depth=1e999"}, "not a bound of errors: 1e999"),
        ({"max_error": {"depth": "5 miles"}}, "not a number, or a length"),
        ({"max_error": "5mm"}, "not a bound: '5mm'"),
        ({"invalid": {"normal": [1, 2]}}, "one pixel or several"),
        ({"invalid": {"depth": None}}, "not the value of a hole: None"),
        ({"quality": [60, 70]}, "not a quality"),
        ({"task_quality": {"depth": "finest"}}, "not a quality: 'finest'"),
        ({"target_psnr": {"rgb": "loud"}}, "not a PSNR in dB: 'loud'"),
        ({"tasks": {"albedo": 3}}, "not a declaration: 3"),
    ],
)
def test_settings_that_make_no_sense_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        updated(Request(), settings)


def test_bfloat16_is_read_as_float32() -> None:
    """Which holds all its values."""
    depth = (torch.arange(1, 601).reshape(20, 30) / 64).to(torch.bfloat16)
    result = decoded({"depth": depth}, lossless="depth")["depth"]
    assert result.dtype == np.float32 and (result == depth.float().numpy()).all()
    colours = (torch.arange(600).reshape(1, 20, 30).repeat(3, 1, 1) % 256 / 255).to(torch.bfloat16)
    result = decoded({"rgb": colours.requires_grad_()}, quality=100)["rgb"]
    expected = np.moveaxis(colours.detach().float().numpy(), 0, -1) * 255
    assert result.dtype == np.uint8 and np.abs(result - expected).mean() < 4


def test_palettes_of_pictures_are_colours_and_their_indexes_labels() -> None:
    colours = np.random.default_rng(5).integers(0, 4, (20, 30, 3), np.uint8) * np.uint8(85)
    picture = Image.fromarray(colours).quantize(64)
    back = mtcodec.decode(mtcodec.encode({"rgb": picture, "semantic": picture}, lossless="rgb"))
    assert np.array_equal(back["rgb"], np.asarray(picture.convert("RGB")))
    assert np.array_equal(back["semantic"], np.asarray(picture))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "RGBa", "LAB"])
def test_pictures_of_other_colours_than_rgb_are_refused(mode: str) -> None:
    source = Image.new("RGBA" if mode == "RGBa" else "RGB", (30, 20), (200, 100, 50))
    picture = Image.new("LAB", (30, 20)) if mode == "LAB" else source.convert(mode)
    with pytest.raises(SceneError, match=f"task rgb: a PIL image of mode {mode}: convert"):
        mtcodec.encode({"rgb": picture})
