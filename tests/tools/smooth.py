"""Smooth images, which every codec codes well."""

from __future__ import annotations

import numpy as np

from mtcodec.codec.prepare import Scene


def wave(height: int, width: int, shift: float = 0.0) -> np.ndarray:
    """A smooth (H, W) surface in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(0.5 + 0.25 * np.sin(x / 9 + shift) + 0.25 * np.cos(y / 7 - shift))


def scene_of(size: int = 48, shift: float = 0.0) -> Scene:
    """A smooth scene of four usual tasks, H = W = ``size``."""
    planes = np.stack([wave(size, size, shift + k) for k in range(3)], axis=-1)
    vectors = planes - 0.5
    vectors[..., 2] = 0.8
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return {
        "rgb": np.rint(planes * 255).astype(np.uint8),
        "depth": np.rint(6000 + 18000 * wave(size, size, shift)).astype(np.uint16),
        "normal": np.rint((vectors + 1) / 2 * 255).astype(np.uint8),
        "semantic": (planes[..., 0] > 0.6).astype(np.uint8) * 3,
    }
