"""Unit vectors on two planes: all directions survive, near the antipode too."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import mtcodec
from mtcodec.signals.measures import measure
from mtcodec.signals.projection import Projection, fit
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

Vectors = NDArray[np.float64]
DIRECTIONS = [(0, 0, 127), (0, 0, -127), (127, 0, 0), (-3, 5, -127), (40, -90, 10), (0, 1, 0)]


def everywhere(count: int = 4000) -> Vectors:
    """Vectors of all directions, (3, count, 1)."""
    vectors = np.random.default_rng(0).normal(size=(3, count, 1))
    made: Vectors = vectors / np.linalg.norm(vectors, axis=0)
    return made


def angles(a: Vectors, b: Vectors) -> Vectors:
    """Degrees between vectors of length 1."""
    chord: Vectors = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=0) / 2, 0, 1)))
    return chord


def stored(vectors: Vectors, dtype: str = "uint8") -> NDArray[np.generic]:
    """(H, W, 3) as an image of normals."""
    top = np.iinfo(dtype).max
    return np.rint((np.moveaxis(vectors, 0, -1) + 1) / 2 * top).astype(dtype)


def globe(side: int = 96, back: bool = False) -> Vectors:
    """The normals of a sphere before a wall, or of its inner side, (3, side, side)."""
    y, x = (np.mgrid[:side, :side] + 0.5 - side / 2) / (side / 2.2)
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    vectors = np.stack([x, y, -z if back else z])
    wall = x * x + y * y >= 1
    vectors[:, wall] = np.array([0, 0, 1.0])[:, None]
    made: Vectors = vectors / np.linalg.norm(vectors, axis=0)
    return made


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_planes_say_where_vectors_point(direction: tuple[int, int, int]) -> None:
    projection = Projection(direction, 255)
    vectors = everywhere()
    back = projection.inverse(projection.forward(vectors)).astype(float)
    assert np.allclose(np.linalg.norm(back, axis=0), 1, atol=1e-5)
    assert angles(vectors, back).max() < 1.5 and np.median(angles(vectors, back)) < 1e-3
    middle = projection.forward(np.array(direction, float)[:, None, None] / np.linalg.norm(direction))
    assert np.allclose(middle, 0.5, atol=1e-5)


def test_equal_areas_of_the_sphere_are_equal_areas_of_the_disc() -> None:
    disc = (Projection((0, 0, 127), 255).forward(everywhere(200_000)) * 2 - 1) * 2
    radius = np.hypot(*disc.reshape(2, -1))
    for share in (0.1, 0.5, 0.9):  # of the sphere's area, and so of the disc's
        assert np.quantile(radius, share) == pytest.approx(2 * share**0.5, rel=0.01)


def test_errors_are_bounded_at_the_antipode() -> None:
    """However far the planes are off, what comes back has length 1 and lies where they say."""
    projection, rng = Projection((0, 0, 127), 255), np.random.default_rng(1)
    planes = rng.random((2, 50, 50))
    back = projection.inverse(planes)
    assert np.allclose(np.linalg.norm(back, axis=0), 1, atol=1e-5)
    vectors = everywhere()
    planes = projection.forward(vectors)
    noisy = np.clip(planes + rng.uniform(-1, 1, planes.shape) / 255, 0, 1)
    found = angles(vectors, projection.inverse(noisy).astype(float))
    off = np.sqrt(2) * 4 / 255  # on the disc; its edge is all one direction, from which so much is furthest
    assert found.max() <= 1.01 * np.degrees(2 * np.arccos(1 - off / 2)) and np.median(found) < 1


def test_the_direction_is_the_mean_or_the_axis_that_tears_least() -> None:
    wall = np.broadcast_to(np.array([0.6, 0, 0.8])[:, None, None], (3, 4, 4))
    around = fit([lambda: wall])
    assert around.direction == (76, 0, 102) and around.radius < 0.02 and not around.has_seam
    front = fit([lambda: globe()])
    assert front.direction[2] > 120 and not front.has_seam
    whole = fit([lambda: everywhere()])
    assert whole.has_seam and whole.radius > 1.95


def test_parts_of_an_image_make_one_projection() -> None:
    vectors = globe()
    halves = [lambda: vectors[:, :48], lambda: vectors[:, 48:]]
    assert fit(halves) == fit([lambda: vectors])


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_spheres_survive(dtype: str, back: bool) -> None:
    image = stored(globe(back=back), dtype)
    image[:10, :12] = 0  # a hole
    for quality, least in ((40, 33), (90, 46)):
        file = mtcodec.encode({"normal": image}, quality=quality, coding="classical")
        decoded = mtcodec.decode(file)["normal"]
        assert decoded.dtype == image.dtype and not decoded[:10, :12].any()
        assert measure(Signal.from_image(USUAL["normal"], image), decoded)["psnr"] > least


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("coding", ["classical", "auto"])
def test_vectors_of_floats(dtype: str, coding: str) -> None:
    """They come back as floats of length 1; zero vectors and NaN are holes."""
    image = np.ascontiguousarray(np.moveaxis(globe(128), 0, -1)).astype(dtype)
    image[:10, :12], image[20:30, 90:] = 0, np.nan
    made = Signal.from_image(USUAL["normal"], image)
    assert made.pixel_format.unit_vectors and made.valid is not None and (~made.valid).sum() == 120 + 380
    decoded = mtcodec.decode(mtcodec.encode({"normal": image}, quality=70, coding=coding))["normal"]
    assert (
        decoded.dtype == image.dtype and not decoded[:10, :12].any() and np.isnan(decoded[20:30, 90:]).all()
    )
    assert np.allclose(np.linalg.norm(decoded[made.valid].astype(float), axis=-1), 1, atol=2e-3)
    found = measure(made, decoded)
    assert found["psnr"] > 40 and found["angle_deg"] < 1.5


def test_floats_that_are_no_unit_vectors_keep_their_range() -> None:
    image = np.random.default_rng(0).uniform(0, 5, (40, 40, 3)).astype(np.float32)
    made = Signal.from_image(USUAL["normal"], image)
    assert (
        not made.pixel_format.unit_vectors
        and made.projection is None
        and made.pixel_format.value_range.high > 4.9
    )
    decoded = mtcodec.decode(mtcodec.encode({"normal": image}, quality=100, coding="classical"))["normal"]
    assert np.abs(decoded - image).max() < 0.5


def test_directions_of_all_kinds_side_by_side() -> None:
    """Where neighbours point to opposite sides, three planes may cost less; either way they come back."""
    image = stored(everywhere(64 * 64).reshape(3, 64, 64))
    decoded = mtcodec.decode(mtcodec.encode({"normal": image}, quality=100, coding="classical"))["normal"]
    found = measure(Signal.from_image(USUAL["normal"], image), decoded)
    assert found["psnr"] > 40 and found["angle_deg"] < 1
