"""Stored values to planes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mtcodec.signals.mapping import Array, Planes, ValueRange, range_of, to_planes, to_stored, to_values
from mtcodec.tasks import DTYPES, USUAL, Task

RGB, DEPTH, NORMAL, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "normal", "semantic"))


def from_planes(planes: Planes, scale: ValueRange, dtype: str) -> Array:
    return to_stored(to_values(planes, scale), dtype)


def there_and_back(task: Task, image: NDArray[np.generic]) -> Array:
    scale = range_of(task, image)
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
    assert range_of(RGB, np.full((2, 2, 3), 7, np.uint16)) == ValueRange(0, 65535)
    assert range_of(DEPTH, np.array([[7, 300]], np.uint16)) == ValueRange(7, 300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0, 1, 100])
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
    scale = range_of(DEPTH, np.array([[100, 200]], np.uint16))
    planes = np.array([[[-0.5, 0.0, 0.5, 1.0, 9.0]]], np.float32)
    assert from_planes(planes, scale, "uint16").tolist() == [[100, 100, 150, 200, 200]]


def test_three_channels_become_planes_in_order() -> None:
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    planes = to_planes(image, range_of(RGB, image))
    for c in range(3):
        assert np.allclose(planes[c], image[..., c] / 255)


def test_semantic_is_exact_and_others_are_not() -> None:
    assert [t.exact for t in (SEMANTIC, RGB, DEPTH, NORMAL, USUAL["albedo"])] == [True, *[False] * 4]
