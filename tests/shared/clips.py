"""Small sequences that tests write: frames that differ, exact depth, numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import mtcodec

SIZE = (12, 20)
FAST: dict[str, Any] = {"coding": "classical", "effort": "fast", "max_error": {"depth": 0}}
"""Settings of quick encodings, of which depth comes back exactly."""


def frame_of(number: int) -> dict[str, np.ndarray]:
    """Colours, and depth with a hole."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    depth = (1000 + 10 * x + 7 * y + 13 * number).astype(np.uint16)
    depth[number % SIZE[0], 3] = 0
    rgb = np.stack([x * 9 + number, y * 11, x + y], axis=-1) % 256
    return {"rgb": rgb.astype(np.uint8), "depth": depth}


def depths(numbers: Any) -> np.ndarray:
    """Depth of frames, (N, H, W)."""
    return np.stack([frame_of(number)["depth"] for number in numbers])


def write_clip(path: Path, count: int, group: int = 4, first: int = 0, **settings: Any) -> Path:
    """A sequence of so many frames, ``first`` and the next ones."""
    with mtcodec.SequenceWriter(path, group=group, **{**FAST, **settings}) as writer:
        for number in range(first, first + count):
            writer.append(frame_of(number))
    return path


def without_index(data: bytes) -> bytes:
    """A file of a sequence as it was before it was closed."""
    return data[: mtcodec.open(data).index.end]


def damaged(data: bytes, offset: int) -> bytes:
    """The same with one other byte."""
    return data[:offset] + bytes([data[offset] ^ 0x55]) + data[offset + 1 :]
