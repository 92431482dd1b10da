"""Colours turned to axes that suit a picture: any rotation is stored, nothing is clipped, all comes back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mtcodec.signals.mapping import UNIT_RANGE
from mtcodec.signals.rotation import Rotation, fit
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

Matrix = NDArray[np.float64]


def rotations(count: int) -> list[Matrix]:
    rng = np.random.default_rng(0)
    random = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(count)]
    axes = [np.eye(3)[list(order)] for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0))]
    return [*random, *axes, *(-own for own in axes)]


def coloured(axes: Matrix, side: int = 40) -> NDArray[np.float32]:
    """Noise whose differences have the directions ``axes``, the second the strongest, (3, side, side)."""
    noise = (
        np.random.default_rng(1).uniform(-1, 1, (3, side, side)) * np.array([0.1, 0.3, 0.03])[:, None, None]
    )
    made: NDArray[np.float32] = (np.tensordot(axes.T, noise, 1) + 0.5).astype(np.float32)
    return made


@pytest.mark.parametrize("axes", rotations(40))
def test_the_axes_of_differences_are_found(axes: Matrix) -> None:
    planes = coloured(axes)
    found = fit([lambda: planes[:, :20], lambda: planes[:, 20:]])
    assert max(abs(number) for number in found.vector) <= 127
    cosines = np.abs((found.matrix * axes).sum(axis=1))
    assert cosines.min() > np.cos(np.radians(4))
    spread = found.forward(planes).std(axis=(1, 2))
    assert spread[1] > spread[0] > spread[2]


@pytest.mark.parametrize("vector", [(0, 0, 0), (127, 127, 127), (-127, 5, 90), (1, -2, 3)])
def test_every_colour_fits_and_comes_back(vector: tuple[int, int, int]) -> None:
    rotation = Rotation(vector)
    assert np.allclose(rotation.matrix @ rotation.matrix.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation.matrix) == pytest.approx(1, abs=1e-6)
    cube = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3))
    turned = rotation.forward(cube)
    assert turned.min() >= 0 and turned.max() <= 1
    samples = np.moveaxis(turned.reshape(3, 9, 81), 0, -1) * 1023
    assert np.allclose(rotation.inverse(samples, 1023, UNIT_RANGE).reshape(cube.shape), cube, atol=1e-6)


def test_a_picture_of_one_colour_has_a_rotation() -> None:
    made = Signal.from_image(USUAL["rgb"], np.full((8, 8, 3), 70, np.uint8))
    assert max(abs(number) for number in made.rotation.vector) <= 127
    single = Signal.from_image(USUAL["rgb"], np.full((1, 1, 3), 70, np.uint8))
    assert np.isfinite(single.rotation.matrix).all()
