"""Values of depth that are no measurements: negative ones, and single ones far from all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mtcodec
from mtcodec.codec.api import Codec
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, declare

DEPTH = USUAL["depth"]
PLAIN = Codec((), coding="classical")
Image = NDArray[Any]


def room(dtype: str = "float32", unit: float = 1.0) -> Image:
    """A surface at 1.2 to 3.9 m with a little noise, (90, 120), as ``unit`` stored values a metre."""
    rows, columns = np.mgrid[:90, :120]
    metres = 1.2 + 2.7 * (rows + columns) / 207 + np.random.default_rng(0).normal(0, 0.002, rows.shape)
    return (metres.clip(1.2, 3.9) * unit).astype(dtype)


def with_value(image: Image, value: float, pixels: int = 900) -> Image:
    """``image`` with ``value`` on some pixels of its upper left."""
    image = image.copy()
    image.reshape(-1)[:pixels] = value
    return image


def encoded(image: Image, task: str = "depth", **settings: Any) -> Any:
    return PLAIN.encode_scene({task: image}, 90, **settings)


@pytest.mark.parametrize(
    ("dtype", "unit", "value"),
    [
        ("float32", 1.0, -9999.0),
        ("float32", 1.0, -32768.0),
        ("float32", 1.0, float(np.finfo("f4").min)),
        ("float64", 1.0, -1.0),
        ("float16", 1.0, -1.0),
        ("int16", 1000.0, -1.0),
        ("int16", 1000.0, -32768.0),
        ("int32", 1000.0, -(2.0**31)),
    ],
)
def test_negative_values_are_holes_and_a_line_says_so(dtype: str, unit: float, value: float) -> None:
    image = with_value(room(dtype, unit), value)
    scene = encoded(image)
    assert scene.prepared.messages == (
        f"depth: {value:g} is negative, so without measurement (--invalid none)",
    )
    back = mtcodec.decode(scene.to_bytes())["depth"]
    holes = image == image.dtype.type(value)
    assert back[holes].tobytes() == image[holes].tobytes() and not (back[~holes] < 0).any()
    off = np.abs(back.astype(float) - image.astype(float))[~holes]
    assert off.max() < 0.05 * unit
    assert scene.measures["depth"]["max_error"] == pytest.approx(off.max(), rel=1e-3)
    value_range = scene.prepared.signals["depth"].pixel_format.value_range
    assert value_range.low == image[~holes].min() and value_range.high == image[~holes].max()


def test_holes_on_most_pixels_are_holes() -> None:
    """A sparse scan: few measurements, and −1 everywhere else."""
    image = with_value(room(), -1.0, 10_000)
    made = Signal.from_image(DEPTH, image)
    assert made.valid is not None and int(made.valid.sum()) == image.size - 10_000


def test_several_negative_values_and_a_far_plane_are_holes() -> None:
    image = with_value(room(), -2.0, 900)
    image = with_value(image, -1.0, 100)
    image[-20:] = 1e4
    scene = encoded(image)
    assert scene.prepared.messages == (
        "depth: -2, -1 are negative, so without measurement (--invalid none)",
        "depth: 10000 is taken for a far plane, without measurement (--invalid none)",
    )


def many_different(image: Image) -> Image:
    """17 different negative values on 20 pixels each."""
    image = image.copy()
    image.reshape(-1)[:340] = np.repeat(-np.arange(1, 18), 20)
    return image


def opengl(image: Image) -> Image:
    """Distances against the axis of view, in few steps."""
    return -np.round(image, 0)


@pytest.mark.parametrize("negative", [many_different, opengl, lambda image: -image])
def test_negative_data_stay_and_a_line_says_so(negative: Any) -> None:
    image = negative(room())
    scene = encoded(image)
    assert scene.prepared.signals["depth"].valid is None
    assert scene.prepared.messages == (
        f"depth: negative values, down to {image.min():g}, are kept as measurements "
        "(--invalid depth=… names those that are none)",
    )
    assert np.abs(mtcodec.decode(scene.to_bytes())["depth"] - image).max() < 0.3


def test_a_negative_value_on_few_pixels_is_told() -> None:
    (message,) = encoded(with_value(room(), -9999.0, 15)).prepared.messages
    assert "negative values, down to -9999, are kept as measurements" in message


def test_more_holes_than_a_file_can_name_are_data() -> None:
    """16 negative values beside 0, which is a hole: 17 are too many."""
    image = with_value(room(), 0.0, 500)
    image.reshape(-1)[:320] = np.repeat(-np.arange(1, 17), 20)
    made = Signal.from_image(DEPTH, image)
    assert made.pixel_format.holes is not None and made.pixel_format.value_range.low == -16


@pytest.mark.parametrize(
    ("image", "value", "why"),
    [
        (room() - 2.5, -9999.0, "is far below all others, so"),  # many negative values are data
        (room(), 0.001, "is far below all others, so"),
        (-room(), -1e10, "is far below all others, so"),
        (-room(), 1e10, "is taken for a far plane,"),
        (room() - 2.5, 9999.0, "is taken for a far plane,"),
        (room("float64", 1000.0), 1e6, "is taken for a far plane,"),
    ],
)
def test_a_value_far_from_all_others_is_a_hole(image: Image, value: float, why: str) -> None:
    image = with_value(image, value)
    scene = encoded(image)
    assert f"depth: {value:g} {why} without measurement (--invalid none)" in scene.prepared.messages
    back = mtcodec.decode(scene.to_bytes())["depth"]
    assert (back.reshape(-1)[:900] == image.reshape(-1)[:900]).all()
    assert np.abs(back - image).max() < 0.05 * (image.max() > 9e5) * 1000 + 0.05


@pytest.mark.parametrize("dtype", ["int32", "uint16"])
def test_small_integers_are_no_holes(dtype: str) -> None:
    assert Signal.from_image(DEPTH, with_value(room(dtype, 1000.0), 1)).valid is None


@pytest.mark.parametrize(
    ("task", "declared"),
    [("disparity", USUAL["disparity"]), ("flow_x", declare("flow_x", "image", 1)),
     ("hdr", declare("hdr", "image", 1))],
)  # fmt: skip
def test_what_is_no_depth_has_no_such_holes(task: str, declared: Any) -> None:
    """Disparity, flow, colours of high dynamic range: any value counts, and none is a length."""
    for value in (-9999.0, 1e6):
        image = with_value(room(), value)
        scene = encoded(image, task, tasks={task: declared})
        assert scene.prepared.signals[task].valid is None and scene.prepared.messages == ()
    assert not declared.kind.length and declared.unit == ""


def test_nothing_is_recognised_where_the_user_says_so() -> None:
    image = with_value(room(), -9999.0)
    assert encoded(image, usual_holes=False).prepared.messages == ()
    scene = encoded(image, usual_holes=False, invalid={"depth": [(-9999.0,)]})
    assert scene.prepared.messages == ()
    assert scene.prepared.signals["depth"].pixel_format.value_range.low > 1


def test_a_target_counts_measurements_alone() -> None:
    image = with_value(room(), -9999.0)
    scene = PLAIN.encode_scene({"depth": image}, target_psnr={"depth": 45})
    valid = image > 0
    error = (mtcodec.decode(scene.to_bytes())["depth"] - image)[valid].astype(float)
    span = float(image[valid].max()) - float(image[valid].min())
    assert 10 * np.log10(span**2 / np.square(error).mean()) >= 45
