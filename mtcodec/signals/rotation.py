"""An adaptive colour transform: a rotation to the principal axes of the gradients (KLT).

What a codec spends bits on is how neighbours differ. Axes of these differences suit each picture better than
those of YCbCr, which are the same for all and not at right angles (``docs/choices.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.signals.mapping import Planes, ValueRange, mix_planes

UNIT = 127  # of the first of four numbers of a quaternion, the largest; the others are stored
SIGNS = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
MIDDLE = np.float32(0.5)
SCALE = np.float32(3**-0.5)  # the cube of all colours fits into planes however it is rotated

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Rotation:
    """A rotation of colours around the middle grey, as a quaternion (127, b, c, d).

    Attributes:
        vector: b, c, d, each −127 to 127.
    """

    vector: tuple[int, int, int]

    @cached_property
    def matrix(self) -> Numbers:
        """(3, 3), whose rows are the planes' axes; float32."""
        a, b, c, d = np.array((UNIT, *self.vector)) / np.linalg.norm((UNIT, *self.vector))
        return np.array([
            [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
        ], np.float32)  # fmt: skip

    def forward(self, planes: Numbers) -> Planes:
        """Colours (3, …) in [0, 1] to planes in [0, 1]."""
        axes = self.matrix * SCALE
        return mix_planes(axes, planes.astype(np.float32, copy=False) - MIDDLE) + MIDDLE

    def inverse(self, samples: Numbers, max_code: float, value_range: ValueRange) -> Planes:
        """The inverse, of samples (rows, W, 3), 0 to ``max_code``: values (3, rows, W), maybe beyond their
        range, whose mapping is linear."""
        axes, low, span = self.matrix / SCALE, np.float32(value_range.low), np.float32(value_range.span)
        values = mix_planes(
            axes.T * (span / np.float32(max_code)), np.moveaxis(samples, -1, 0).astype(np.float32)
        )
        values += ((MIDDLE - axes.sum(axis=0) * MIDDLE) * span + low)[:, None, None]
        return values


def fit(chunks: Sequence[Callable[[], Numbers]]) -> Rotation:
    """The rotation for an image, of which each of ``chunks`` makes the planes (3, rows, W) of some rows.

    The axis along which neighbours differ most is the second plane, the next the first.
    """
    total = np.zeros((3, 3))
    for chunk in chunks:
        planes = chunk()
        for axis in (1, 2):
            differences = np.diff(planes, axis=axis).reshape(3, -1)
            total += np.einsum("in,jn->ij", differences, differences)
    _, axes = np.linalg.eigh(total)  # by rising eigenvalue
    return _quantised(np.stack([axes[:, 1], axes[:, 2], axes[:, 0]]))


def _quantised(matrix: Numbers) -> Rotation:
    """The nearest rotation with these axes; which way they point is free."""
    if np.linalg.det(matrix) < 0:
        matrix = -matrix
    quaternions = [_quaternion(signs[:, None] * matrix) for signs in SIGNS]
    best = max(quaternions, key=lambda quaternion: float(quaternion[0]))
    b, c, d = (int(v) for v in np.rint(best[1:] / best[0] * UNIT))
    return Rotation((b, c, d))


def _quaternion(matrix: Numbers) -> Numbers:
    """(a, b, c, d) of a rotation, a ≥ 0; only of use where a is far from 0, as the largest of four is."""
    a = np.sqrt(max(0.0, 1 + float(np.trace(matrix)))) / 2
    skew = [matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]
    return np.array([a, *(np.array(skew) / (4 * a) if a > 0.1 else np.zeros(3))])
