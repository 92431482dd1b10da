"""Unit vectors as two planes: the equal-area azimuthal projection (Lambert) around a direction.

A vector at the angle θ from the direction lies 2 sin(θ / 2) from the middle of a disc: equal areas of the
sphere have equal areas there. Two planes need a quarter fewer bytes than three that say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.signals.mapping import Planes, mix_planes

UNITS = 127, 128  # of a stored direction's components, and of the scale
MIN_LENGTH = 0.05  # of a mean vector that is worth a try as the direction
SEAM_COSINE, SEAM_RADIUS = (
    -0.8,
    1.9,
)  # cosine of the angle, and radius on the disc, beyond which the seam is near

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Projection:
    """Around which direction, and how much of the disc planes show.

    Attributes:
        direction: x, y, z of any length, −127 to 127.
        scale: 0 to 255; planes 0 and 1 stand for ∓(scale + 1) / 128 on the disc, whose edge is 2.
    """

    direction: tuple[int, int, int]
    scale: int

    @property
    def radius(self) -> float:
        return (self.scale + 1) / UNITS[1]

    @property
    def has_seam(self) -> bool:
        """Do vectors point so far off the direction that neighbours may lie on opposite edges of the disc?"""
        return self.radius > SEAM_RADIUS

    @property
    def error_ratio(self) -> float:
        """Squared error of the vectors' planes over that of the two planes together."""
        return self.radius**2 / 3

    def forward(self, vectors: Numbers) -> Planes:
        """Vectors (3, H, W) of length 1 to planes (2, H, W) in [0, 1]."""
        disc = on_disc(rotate(vectors, self.direction))
        planes: Planes = np.clip(disc * np.float32(0.5 / self.radius) + np.float32(0.5), 0, 1)
        return planes

    def inverse(self, planes: Numbers) -> Planes:
        """The inverse; what is beyond the edge of the disc is at its edge."""
        disc = (planes.astype(np.float32) * 2 - 1) * np.float32(self.radius)
        squares = np.square(disc).sum(axis=0)
        disc *= np.minimum(2 / np.sqrt(np.maximum(squares, 4)), 1)
        squares = np.minimum(squares, 4)
        vectors = np.concatenate([disc * np.sqrt(1 - squares / 4), 1 - squares[None] / 2])
        return rotate(vectors, self.direction, inverse=True)


def fit(chunks: Sequence[Callable[[], Numbers]]) -> Projection:
    """The projection for an image, of which each of ``chunks`` makes the vectors (3, …) of some rows.

    Around their mean; where that puts some at the seam, around the axis that puts fewest there.
    """
    mean: Numbers = np.mean([vectors().reshape(3, -1).mean(axis=1) for vectors in chunks], axis=0)
    length = float(np.linalg.norm(mean))
    directions = [_quantised(mean / length)] if length > MIN_LENGTH else []
    if not directions or _seam_share(chunks, directions[0]):
        directions += [_quantised(axis) for axis in (*np.eye(3), *-np.eye(3))]
    if len(directions) > 1:
        directions = [min(directions, key=lambda direction: _seam_share(chunks, direction))]
    (direction,) = directions
    furthest = max(float(np.abs(on_disc(rotate(vectors(), direction))).max()) for vectors in chunks)
    scale = int(np.ceil(furthest * UNITS[1])) - 1
    return Projection(direction, min(max(scale, 0), 255))


def _seam_share(chunks: Sequence[Callable[[], Numbers]], direction: Sequence[int]) -> float:
    """Share of vectors that lie near the seam."""
    axis = np.array([direction]) / np.linalg.norm(direction)
    shares = [float((mix_planes(axis, vectors()) < SEAM_COSINE).mean()) for vectors in chunks]
    return sum(shares) / len(shares)


def on_disc(vectors: Numbers) -> Planes:
    """Vectors (3, H, W) around the direction z: (2, H, W)."""
    disc: Planes = vectors[:2] * np.sqrt(2 / np.maximum(1 + vectors[2], 1e-6))
    return disc


def rotate(vectors: Numbers, direction: Sequence[int], inverse: bool = False) -> Planes:
    """``vectors`` (3, …) rotated so that ``direction`` becomes z, or by the inverse rotation."""
    x, y, z = np.array(direction) / np.linalg.norm(direction)
    if z < -1 + 1e-6:
        matrix = np.diag([1.0, -1.0, -1.0])
    else:
        matrix = np.array([
            [1 - x * x / (1 + z), -x * y / (1 + z), -x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), -y],
            [x, y, z],
        ])  # fmt: skip
    matrix = matrix.T if inverse else matrix
    return mix_planes(matrix, vectors.astype(np.float32, copy=False))


def _quantised(direction: Numbers) -> tuple[int, int, int]:
    x, y, z = (int(v) for v in np.rint(direction * UNITS[0]))
    return x, y, z
