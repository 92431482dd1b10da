"""Pictures made of integers and of operations that IEEE 754 defines: the same bits on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from contract.case import Image, Scene

FULL = 1 << 16


def waves(height: int, width: int, channels: int = 1, seed: int = 0, noise: int = 1500) -> Image:
    """Smooth integers from 0 to 65535 of shape (H, W, C), with noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.int64) * FULL
    rows, columns = rows // height, columns // width
    planes = []
    for _ in range(channels):
        total = np.zeros((height, width), np.int64)
        for rate in (1, 2, 3):
            a, b, phase = rng.integers(0, FULL, 3)
            at = (rate * (rows * (a + FULL // 4) // FULL + columns * (b + FULL // 4) // FULL) + phase) % FULL
            total += 4 * at * (FULL - at) // FULL // (2 * rate)
        planes.append(total + rng.integers(-noise, noise + 1, (height, width)))
    return np.stack(planes, axis=-1).clip(0, FULL - 1)


def stored(values: Image, dtype: str, low: float, high: float) -> Image:
    """``values`` from 0 to 65535 as numbers from ``low`` to ``high``; one channel has no axis."""
    scaled = low + values * (high - low) / (FULL - 1)
    own = scaled if dtype.startswith("float") else np.rint(scaled)
    result: Image = own.astype(dtype)
    return result[..., 0] if result.shape[-1] == 1 else result


def colours(height: int, width: int, dtype: str = "uint8", channels: int = 3, seed: int = 1) -> Image:
    """An image over most of the range of its dtype; floats go from −0.5 to 1.5."""
    low, high = (-0.5, 1.5) if dtype.startswith("float") else (0, np.iinfo(dtype).max)
    return stored(waves(height, width, channels, seed), dtype, low, high)


DEPTHS = {"uint8": (10, 250), "int16": (500, 30000), "int32": (400, 900000), "uint32": (700, 90000),
          "float16": (0.5, 60), "float32": (0.5, 80), "float64": (0.25, 12)}  # fmt: skip


def depth(
    height: int, width: int, dtype: str = "uint16", holes: Sequence[float] = (), seed: int = 2
) -> Image:
    """Distances, with a block and some dots of every value of ``holes``."""
    image = stored(waves(height, width, 1, seed, 200), dtype, *DEPTHS.get(dtype, (500, 8000)))
    step = max(1, height // 8)
    for k, value in enumerate(holes):
        image[step * (2 * k + 1) : step * (2 * k + 2), width // 5 : width // 2] = value
        image[:: step + 3 + k, 1 + k :: 11] = value
    return image


def far(height: int, width: int, dtype: str = "float32", plane: float | None = None) -> Image:
    """Distances over a huge range, most of them near; perhaps a far plane behind them."""
    near = waves(height, width, 1, 3, 20)[..., 0] / FULL
    image = (0.1 + near * near * near * near * 5e4).astype(dtype)
    if plane is not None:
        image[: height // 3] = plane
    return image


def normals(height: int, width: int, dtype: str = "uint8", hole: bool = False) -> Image:
    """Unit vectors, with zero vectors in a corner if there is a ``hole``."""
    x, y = np.moveaxis(waves(height, width, 2, 4, 300) / FULL * 1.6 - 0.8, -1, 0)
    vectors = np.stack([x, y, np.ones_like(x)], -1) / np.sqrt(x * x + y * y + 1)[..., None]
    if hole:
        vectors[: height // 3, : width // 4] = 0
    if dtype.startswith("float"):
        floats: Image = vectors.astype(dtype)
        return floats
    top = np.iinfo(dtype).max
    image: Image = np.rint((vectors + 1) / 2 * top).astype(dtype)
    if hole:
        image[: height // 3, : width // 4] = top // 2 + 1
    return image


def labels(height: int, width: int, dtype: str = "uint8", classes: int = 7, low: int = 0) -> Image:
    """Rectangles and a disc of class ids."""
    rows, columns = np.mgrid[:height, :width].astype(np.int64)
    ids = rows // (height // 4 + 1) * 3 + columns // (width // 3 + 1) * 5
    disc = (rows - height // 2) ** 2 + (columns - width // 2) ** 2 < (min(height, width) // 3) ** 2
    ids = np.where(disc, 11, ids) % classes
    image: Image = ids > classes // 2 if dtype == "bool" else (ids + low).astype(dtype)
    return image


def noise(height: int, width: int, dtype: str, channels: int = 1, seed: int = 5) -> Image:
    """Values from all over the dtype; of floats some are not finite."""
    rng = np.random.default_rng(seed)
    shape = (height, width, channels)[: 3 if channels > 1 else 2]
    if dtype == "bool":
        return rng.integers(0, 2, shape) > 0
    if not dtype.startswith("float"):
        top = np.iinfo(dtype)
        return rng.integers(top.min, top.max, shape, dtype, endpoint=True)
    image = (rng.integers(-9999, 9999, shape) / 64).astype(dtype)
    image.flat[:4] = np.nan, np.inf, -np.inf, -0.0
    return image


def scene(height: int = 96, width: int = 112) -> Scene:
    """The four usual tasks; depth and normals have holes."""
    return {
        "rgb": colours(height, width),
        "depth": depth(height, width, holes=(0, 65535)),
        "normal": normals(height, width, hole=True),
        "semantic": labels(height, width),
    }
