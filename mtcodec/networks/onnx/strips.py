"""Large images in strips: what is made of them is what the whole would give, in less memory, side by side."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mtcodec import threads

Array = np.ndarray[Any, Any]
BLOCK = 8 << 20  # bytes of freed blocks that go back to the system at once
WHOLE = 4096  # latents' places, of 16×16 pixels, up to which an image is not cut into strips


@dataclass(frozen=True)
class Strip:
    """Rows of latents: those to be made, and those to make them of."""

    inner: slice
    outer: slice


def strips(height: int, width: int, halo: int, multiple: int = 1) -> list[Strip]:
    """Strips of a latent of this size, whose results are those of the whole: ``halo`` is what they see.

    Their rows and ``halo`` are multiples of ``multiple``.
    """
    rows = height if height * width <= WHOLE else max(WHOLE // width // multiple * multiple, 2 * halo)
    return [
        Strip(slice(row, end := min(row + rows, height)), slice(max(row - halo, 0), min(end + halo, height)))
        for row in range(0, height, rows)
    ]


def assemble(
    shape: tuple[int, Sequence[int], int, int], cut: Sequence[Strip], make: Callable[[Strip], list[Array]]
) -> tuple[Array, ...]:
    """Maps of ``shape`` (B, channels of each, H, W) of their strips."""
    if len(cut) == 1:
        return tuple(make(cut[0]))
    batch, channels, height, width = shape
    whole = tuple(np.empty((batch, count, height, width), np.float32) for count in channels)

    def put(strip: Strip) -> None:
        first = strip.inner.start - strip.outer.start
        for one, part in zip(whole, make(strip)):
            one[:, :, strip.inner] = part[:, :, first : first + strip.inner.stop - strip.inner.start]

    _return_memory()
    threads.parallel_map(put, cut)
    return whole


@cache
def _return_memory() -> None:
    """Let glibc give back large freed blocks: it comes to keep those of up to 32 MB, half as much again."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-3, BLOCK)  # M_MMAP_THRESHOLD
