"""Large images in strips: what is made of them is what the whole would give, in less memory, side by side.

An output of a network depends on inputs at most a *halo* away: every layer with a kernel of 3×3 looks one
place further. So a strip of rows is computed from its own rows and the halo's rows above and below them, and
what comes of the halo is thrown away. At the image's border there is no halo: there the layers pad with zeros
as they do for the whole image. Integer networks thus give the same integers; float networks may round
differently, as libraries choose their kernels by size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtcodec import memory, threads

Array = np.ndarray[Any, Any]
MAX_WHOLE_PLACES = 4096  # latents' places, of 16×16 pixels, up to which an image is not cut into strips


class Strip(NamedTuple):
    """Rows of latents that are to be made (``inner``), of themselves and their halo (``outer``)."""

    inner: slice
    outer: slice


def strips(height: int, width: int, halo: int, multiple: int = 1) -> list[Strip]:
    """Strips of a latent of this size.

    Args:
        halo: rows beyond its own that a row depends on.
        multiple: strips begin at multiples of it, and ``halo`` must be one: networks with parts at a lower
            resolution need whole places there.
    """
    rows = height
    if height * width > MAX_WHOLE_PLACES:
        rows = max(MAX_WHOLE_PLACES // width // multiple * multiple, 2 * halo)
    return [
        Strip(slice(row, end := min(row + rows, height)), slice(max(row - halo, 0), min(end + halo, height)))
        for row in range(0, height, rows)
    ]


def assemble(
    make: Callable[[slice], Sequence[Array]],
    parts: Sequence[Strip],
    shape: tuple[int, Sequence[int], int, int],
    side: int = 1,
) -> Sequence[Array]:
    """Maps of ``shape`` (B, channels of each, H, W), put together of strips.

    Args:
        make: maps of the outer rows of a strip, which may reach beyond ``shape`` at the right and at the end;
            it is called by several threads at a time.
        side: rows of the maps for a row of a strip.
    """
    batch, channels, height, width = shape
    if len(parts) == 1:
        return [array[:, :, :height, :width] for array in make(parts[0].outer)]
    maps = [np.empty((batch, count, height, width), np.float32) for count in channels]

    def fill(strip: Strip) -> None:
        first = (strip.inner.start - strip.outer.start) * side
        for whole, part in zip(maps, make(strip.outer)):
            rows = whole[:, :, strip.inner.start * side : strip.inner.stop * side]
            rows[:] = part[:, :, first : first + rows.shape[2], :width]

    memory.return_large_blocks()
    threads.parallel_map(fill, parts)
    return maps
