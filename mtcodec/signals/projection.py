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

from mtcodec.signals.mapping import Planes, mixed

UNITS = 127, 128  # of a stored direction's components, and of the scale
SHORTEST = 0.05  # mean vectors that are shorter point nowhere
FAR, EDGE = -0.8, 1.9  # cosine of the angle, and place on the disc, from which on neighbours are torn apart

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
    def reach(self) -> float:
        return (self.scale + 1) / UNITS[1]

    @property
    def torn(self) -> bool:
        """Do vectors point so far to the other side that neighbours lie apart?"""
        return self.reach > EDGE

    @property
    def gain(self) -> float:
        """So many times the squared error of the two planes together is that of the vectors' planes."""
        return self.reach**2 / 3

    def to_planes(self, vectors: Numbers) -> Planes:
        """Vectors (3, H, W) of length 1 to planes (2, H, W) in [0, 1]."""
        disc = on_disc(turned(vectors, self.direction))
        planes: Planes = np.clip(disc * np.float32(0.5 / self.reach) + np.float32(0.5), 0, 1)
        return planes

    def to_vectors(self, planes: Numbers) -> Planes:
        """The inverse; what is beyond the edge of the disc is at its edge."""
        disc = (planes.astype(np.float32) * 2 - 1) * np.float32(self.reach)
        squares = np.square(disc).sum(axis=0)
        disc *= np.minimum(2 / np.sqrt(np.maximum(squares, 4)), 1)
        squares = np.minimum(squares, 4)
        vectors = np.concatenate([disc * np.sqrt(1 - squares / 4), 1 - squares[None] / 2])
        return turned(vectors, self.direction, back=True)


def suited(parts: Sequence[Callable[[], Numbers]]) -> Projection:
    """The projection for an image, of which each of ``parts`` makes the vectors (3, …) of some rows.

    Around their mean, but where that tears some apart, around the axis that tears fewest.
    """
    mean: Numbers = np.mean([part().reshape(3, -1).mean(axis=1) for part in parts], axis=0)
    length = float(np.linalg.norm(mean))
    around = [_stored(mean / length)] if length > SHORTEST else []
    if not around or _torn(parts, around[0]):
        around += [_stored(axis) for axis in (*np.eye(3), *-np.eye(3))]
    direction = around[0] if len(around) == 1 else min(around, key=lambda own: _torn(parts, own))
    furthest = max(float(np.abs(on_disc(turned(part(), direction))).max()) for part in parts)
    scale = int(np.ceil(furthest * UNITS[1])) - 1
    return Projection(direction, min(max(scale, 0), 255))


def _torn(parts: Sequence[Callable[[], Numbers]], direction: Sequence[int]) -> float:
    """Share of vectors that are far on the other side, where neighbours lie apart."""
    axis = np.array([direction]) / np.linalg.norm(direction)
    shares = [float((mixed(axis, part()) < FAR).mean()) for part in parts]
    return sum(shares) / len(shares)


def on_disc(vectors: Numbers) -> Planes:
    """Vectors (3, H, W) around the direction z: (2, H, W)."""
    disc: Planes = vectors[:2] * np.sqrt(2 / np.maximum(1 + vectors[2], 1e-6))
    return disc


def turned(vectors: Numbers, direction: Sequence[int], back: bool = False) -> Planes:
    """``vectors`` (3, …) turned so that ``direction`` becomes z, or back."""
    x, y, z = np.array(direction) / np.linalg.norm(direction)
    if z < -1 + 1e-6:
        matrix = np.diag([1.0, -1.0, -1.0])
    else:
        matrix = np.array([
            [1 - x * x / (1 + z), -x * y / (1 + z), -x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), -y],
            [x, y, z],
        ])  # fmt: skip
    matrix = matrix.T if back else matrix
    return mixed(matrix, vectors.astype(np.float32, copy=False))


def _stored(direction: Numbers) -> tuple[int, int, int]:
    x, y, z = (int(v) for v in np.rint(direction * UNITS[0]))
    return x, y, z
