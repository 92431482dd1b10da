"""Colours, scales, hatching, maps of errors: the pixels of the page."""

from __future__ import annotations

import base64

import imagecodecs
import matplotlib
import numpy as np
import pytest

from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, declare
from mtcodec.view import colours, error_maps, pictures, scales, styles


@pytest.mark.parametrize("name", [colours.VALUE_MAP, colours.ERROR_MAP, "gray"])
def test_maps_are_close_to_the_published_ones(name: str) -> None:
    published = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    assert np.abs(colours.table(name) - published).max() < 9
    light = colours.table(name) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > -0.5).all()


def test_a_map_paints_shares_and_clips_them() -> None:
    rendered = colours.apply_map(np.array([[-1.0, 0.0, 1.0, 7.0, np.nan]]), "viridis")[0]
    assert [colours.hexadecimal(colour) for colour in rendered] == [
        "#440154", "#440154", "#fde725", "#fde725", "#440154"
    ]  # fmt: skip


def test_ids_have_colours_of_their_own_in_every_picture() -> None:
    many = colours.of_ids(np.arange(64))
    assert len(np.unique(many, axis=0)) == 64
    assert (colours.of_ids(np.array([5, 63])) == many[[5, 63]]).all()
    apart = np.abs(many[1:, None].astype(int) - many[None, 1:24]).sum(axis=-1)[:23]
    assert apart[~np.eye(23, dtype=bool)].min() > 20
    assert (colours.of_ids(np.array([-3, 2**63], np.float64)) > 0).any()


def test_pictures_keep_their_colours_or_are_small() -> None:
    image = np.random.default_rng(1).integers(0, 256, (20, 31, 3), np.uint8)
    lossless, small = pictures.encode_picture(image, None), pictures.encode_picture(image, 50)
    assert (lossless.width, lossless.height) == (31, 20)
    data = base64.b64decode(lossless.uri.removeprefix("data:image/webp;base64,"))
    assert (imagecodecs.webp_decode(data)[..., :3] == image).all()
    assert small.uri.startswith("data:image/jpeg;base64,") and len(small.uri) < len(lossless.uri)


def test_sides_are_bounded() -> None:
    assert pictures.sizing_for(1).shape(3000, 1500) == (1024, 512)
    assert pictures.sizing_for(1).shape(5, 7) == (5, 7)
    assert pictures.sizing_for(100).shape(1 << 20, 1) == (384, 1)
    assert [pictures.sizing_for(count).max_side for count in (1, 10, 40, 41)] == [1024, 768, 512, 384]


def test_holes_are_hatched_at_the_size_of_the_picture() -> None:
    valid = np.ones((40, 80), bool)
    valid[:20] = False
    seen = pictures.hatch_holes(np.full((20, 40, 3), 7, np.uint8), valid)
    assert (seen[10:] == 7).all() and set(np.unique(seen[:10])) == {
        pictures.DARK_STRIPE,
        pictures.LIGHT_STRIPE,
    }
    whole = np.zeros((2, 2, 3), np.uint8)
    assert pictures.hatch_holes(whole, None) is whole


def test_smaller_pictures_are_means_and_labels_are_not() -> None:
    halves = np.repeat([[0.0, 10.0]], 4, axis=0).repeat(2, axis=1)
    assert pictures.resize_mean(halves, (2, 1)).tolist() == [[5.0], [5.0]]
    assert pictures.resize_nearest(np.array([[1, 1, 9, 9]]), (1, 2)).tolist() == [[1, 9]]


@pytest.mark.parametrize(
    ("values", "dtype", "unit", "ticks", "shown"),
    [
        ((500, 2500), "uint16", "", ("0.50", "1.50", "2.50"), "m"),
        ((50, 250), "uint16", "", ("50", "150", "250"), "mm"),
        ((500, 2500), "uint16", "0.2mm", ("100", "300", "500"), "mm"),
        ((5.0, 45.0), "float32", "", ("5", "25", "45"), "m"),
    ],
)
def test_scales_of_depth_are_in_its_unit(
    values: tuple[float, float], dtype: str, unit: str, ticks: tuple[str, ...], shown: str
) -> None:
    image = np.repeat([values], 8, axis=0).astype(dtype)
    style = styles.style_of(Signal.from_image(USUAL["depth"], image), unit)
    assert style.scale == scales.Scale("viridis", ticks, shown)
    rendered = styles.render(style, image, image.shape)
    assert [colours.hexadecimal(colour) for colour in rendered[0]] == ["#440154", "#fde725"]


def test_a_scale_tells_that_values_lie_beyond_its_end() -> None:
    image = np.full((100, 10), 1000, np.uint16)
    image[:50], image[0] = 2000, 9000
    style = styles.style_of(Signal.from_image(USUAL["depth"], image), "")
    assert style.scale is not None and style.scale.ticks == ("1.00", "1.50", "≥ 2.00")


def test_scenes_without_any_value_have_a_style() -> None:
    for image in (np.zeros((4, 6), np.uint16), np.full((4, 6), np.nan, np.float32)):
        signal = Signal.from_image(USUAL["depth"], image)
        style = styles.style_of(signal, "")
        seen = pictures.hatch_holes(styles.render(style, signal.filled, (4, 6)), signal.valid)
        assert set(np.unique(seen)) <= {pictures.DARK_STRIPE, pictures.LIGHT_STRIPE}


def test_images_of_any_channels_and_dtype_are_rendered() -> None:
    rng = np.random.default_rng(2)
    for dtype in ("uint8", "uint16", "int32", "float32", "bool", "uint64"):
        for channels in (1, 2, 3, 4, 7):
            shape = (6, 5) if channels == 1 else (6, 5, channels)
            image = (rng.random(shape) * 200).astype(dtype)
            task = declare("thing", "data", channels)
            style = styles.style_of(Signal.from_image(task, image), "")
            rendered = styles.render(style, image, (3, 2))
            assert rendered.shape == (3, 2, 3) and rendered.dtype == np.uint8
    linear = np.full((4, 4, 3), 0.25, np.float32)
    linear[0] = 1.0
    linear[1] = 0.0
    style = styles.style_of(Signal.from_image(declare("albedo", "image"), linear), "")
    assert styles.render(style, linear, (4, 4))[3, 0].tolist() == [round(255 * 0.25 ** (1 / 2.2))] * 3


def test_legends_name_the_ids_of_most_pixels() -> None:
    image = np.arange(40).repeat(3)[None].astype(np.uint16)
    labels, hidden = styles.legend(np.concatenate([image, np.full_like(image, 39)]))
    assert [label.id for label in labels] == [*range(15), 39] and hidden == 24
    assert labels[-1].share == pytest.approx(123 / 240)


def test_errors_are_in_the_unit_of_the_task() -> None:
    depth = np.full((4, 4), 1000, np.uint16)
    depth[0, 0] = 0
    errors, unit = error_maps.errors_of(Signal.from_image(USUAL["depth"], depth), depth + 30)
    assert unit == "m" and errors[0, 0] == 0 and errors[1, 1] == pytest.approx(0.03)
    normal = np.full((4, 4, 3), (255, 128, 128), np.uint8)
    turned = np.full((4, 4, 3), (128, 255, 128), np.uint8)
    errors, unit = error_maps.errors_of(Signal.from_image(USUAL["normal"], normal), turned)
    assert unit == "°" and errors == pytest.approx(np.full((4, 4), 90), abs=0.6)
    deep = np.full((4, 4, 3), 257 * 100, np.uint16)
    errors, unit = error_maps.errors_of(Signal.from_image(USUAL["rgb"], deep), deep + 257)
    assert unit == "levels of 255" and errors == pytest.approx(np.ones((4, 4)))


def test_maps_of_errors_end_where_few_pixels_are() -> None:
    errors = np.zeros((100, 100), np.float32)
    errors[:50] = 0.02
    errors[0, 0] = 5.0
    rendered, scale = error_maps.render_errors(errors, "m", (100, 100))
    assert scale == scales.Scale("magma", ("0", "10.0", "20.0"), "mm")
    assert rendered[0, 0].tolist() == rendered[1, 1].tolist() == colours.table("magma")[255].tolist()
    assert rendered[99, 0].tolist() == colours.table("magma")[0].tolist()
