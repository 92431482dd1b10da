"""A looser bound costs no more: whole files of sensors' depth on a ladder of bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtcodec.codec.api import Codec
from mtcodec.coders import bounded, merging
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, declare

PLAIN = Codec((), coding="classical")
LADDER = (0, 1, 2, 3, 5, 7, 10, 20, 50)  # millimetres
MAX_RATIO = 1.02  # of a file's bytes over those within a tighter bound


def sensor(seed: int, levels: int, noise: float, holes: bool) -> NDArray[np.uint16]:
    """Depth in millimetres from disparities in 1/levels, as of a Kinect: few different values."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:96, :128]
    near = np.hypot(rows - 96 * random.random(), columns - 128 * random.random()) < 25
    metres = 1.2 + 2 * (rows + columns) / 224 + 0.4 * near
    disparities = np.rint((1 / metres + random.normal(0, noise, rows.shape)) * levels) / levels
    depth = np.rint(1000 / disparities)
    if holes:
        depth[(random.random(depth.shape) < 0.05) | (np.hypot(rows - 40, columns - 40) < 12)] = 0
    return depth.astype(np.uint16)


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    levels=st.integers(120, 4000),
    noise=st.floats(0.0005, 0.004),
    holes=st.booleans(),
    dtype=st.sampled_from(["uint16", "int32", "float32"]),
)
def test_a_looser_bound_costs_no_more(seed: int, levels: int, noise: float, holes: bool, dtype: str) -> None:
    image: NDArray[Any] = sensor(seed, levels, noise, holes).astype(dtype)
    scale = 1.0
    if dtype == "float32":
        image, scale = image / np.float32(1000), 0.001
    sizes: list[int] = []
    for bound in LADDER:
        file = PLAIN.encode({"depth": image}, max_error={"depth": bound * scale})
        back = PLAIN.decode(file)["depth"]
        assert np.abs(back.astype(float) - image.astype(float)).max() <= bound * scale
        assert np.array_equal(back == 0, image == 0)
        sizes.append(len(file))
        assert sizes[-1] <= sizes[0] and sizes[-1] <= MAX_RATIO * min(sizes), sizes


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), noise=st.floats(1, 8), span=st.integers(60, 250))
def test_a_looser_bound_of_colours_costs_no_more(seed: int, noise: float, span: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:80, :96]
    planes = [span * (rows + columns) / 176, span * rows / 80, span * (1 - columns / 96)]
    image = (np.stack(planes, axis=-1) + random.normal(0, noise, (80, 96, 3))).clip(0, 255).astype(np.uint8)
    sizes: list[int] = []
    for bound in range(12):
        file = PLAIN.encode({"rgb": image}, max_error={"rgb": bound}, effort="fast")
        back = PLAIN.decode(file)["rgb"].astype(int)
        assert np.abs(back - image).max() <= bound
        sizes.append(len(file))
        assert sizes[-1] <= MAX_RATIO * min(sizes), sizes


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_within_a_bound_of_all_values_one_is_enough(dtype: str) -> None:
    image = sensor(0, 150, 0.003, holes=False).astype(dtype)
    bound = float(np.ptp(image))
    file = PLAIN.encode({"depth": image}, max_error={"depth": bound})
    assert len(file) < 64 and np.abs(PLAIN.decode(file)["depth"].astype(float) - image).max() <= bound


def test_values_of_a_sensor_become_fewer() -> None:
    """Few values far apart stay as they are: rounding to steps moved each of them anew."""
    image = sensor(0, 150, 0.003, holes=True)
    exact, within = (bounded.encode(Signal.from_image(USUAL["depth"], image), bound) for bound in (0, 10))
    assert len(within.payload) < 0.95 * len(exact.payload)
    assert len(np.unique(within.decoded())) < len(np.unique(image)) and within.pixel_format.holes is None


def test_a_mask_of_holes_counts() -> None:
    """Holes that flicker take more than a bound of two steps saves."""
    image = sensor(0, 500, 0.002, holes=False)
    image[np.random.default_rng(0).random(image.shape) < 0.3] = 0
    files = [PLAIN.encode({"depth": image}, max_error={"depth": bound}) for bound in (0, 2)]
    assert len(files[1]) <= len(files[0])


def test_representatives_are_within_the_bound() -> None:
    values, counts = np.array([0, 3, 4, 10, 11, 30]), np.array([1, 5, 9, 1, 1, 7])
    assert merging.representatives(values, counts, 2).tolist() == [2, 2, 2, 10, 10, 30]
    assert merging.representatives(values, counts, 3).tolist() == [3, 3, 3, 10, 10, 30]
    assert merging.representatives(values, counts, 0).tolist() == values.tolist()
    assert merging.nearest(np.array([0, 6, 7, 99]), np.array([4, 9])).tolist() == [4, 4, 9, 9]


def test_no_measurement_is_merged_into_a_hole() -> None:
    image = np.random.default_rng(0).integers(1, 12, (64, 64)).astype(np.uint16)
    image[:20] = 6
    task = declare("depth", "depth")
    coded = bounded.encode(Signal.from_image(task, image, [(6.0,)]), 3)
    assert np.array_equal(coded.decoded() == 6, image == 6)


@pytest.mark.parametrize("task", ["semantic", "strange"])
def test_what_is_exact_is_never_merged(task: str) -> None:
    image = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint8)
    file = PLAIN.encode({task: image}, max_error={task: 5})
    assert np.array_equal(PLAIN.decode(file)[task], image)
