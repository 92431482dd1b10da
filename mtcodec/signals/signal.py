"""A task's images of a group as coders see them: values without holes, and how planes stand for them.

::

    image ─ find holes, fill them ─ range, mapping ─► planes in [0, 1] ──► a coder
                                          │                                   │
    image ◄─ put holes back ◄─ map back ◄─┴── PixelFormat ◄──────────────────── planes ◄┘
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.signals import holes as hole_ops
from mtcodec.signals import mapping as maps
from mtcodec.signals import projection, rotation
from mtcodec.signals.holes import Holes
from mtcodec.signals.mapping import CACHE_PIXELS, CHUNK_PIXELS, Array, Planes, ValueRange, Window, row_chunks
from mtcodec.signals.projection import Projection
from mtcodec.signals.rotation import Rotation
from mtcodec.tasks import Task
from mtcodec.tasks.kinds import Values


@dataclass(frozen=True)
class PixelFormat:
    """How planes of numbers from 0 to 1 stand for an image's stored values; a section's descriptor says it.

    Attributes:
        dtype, channels: of the stored image.
        value_range: the stored values that 0 and 1 stand for.
        unit_vectors: vectors ``2 · plane − 1`` get the length 1.
        holes: pixels that have one of a few values instead.
    """

    dtype: str
    channels: int
    value_range: ValueRange
    unit_vectors: bool = False
    holes: Holes | None = None

    def restore(self, planes: npt.NDArray[Any]) -> Array:
        """Stored values of decoded planes (C, H, W). In memory, planes of the image lie one by one."""
        return self.restore_rows(planes.shape[1:], lambda rows: planes[:, rows])

    def restore_rows(self, size: tuple[int, ...], planes_of: Callable[[slice], npt.NDArray[Any]]) -> Array:
        """The same of planes that ``planes_of`` gives for some rows at a time."""

        def values_of(rows: slice) -> npt.NDArray[Any]:
            planes = planes_of(rows)
            if self.unit_vectors:
                planes = maps.to_unit(planes)
            return maps.to_values(planes, self.value_range, self.dtype)

        return self.store_rows(size, values_of)

    def store_rows(self, size: tuple[int, ...], values_of: Callable[[slice], npt.NDArray[Any]]) -> Array:
        """The same of values (C, rows, W) within the range, not yet rounded, for some rows at a time."""
        height, width = size
        stored = np.empty((self.channels, height, width), self.dtype)
        for rows in row_chunks(height, width, CACHE_PIXELS):
            values = values_of(rows)
            if stored.dtype.kind != "f":
                np.rint(values, out=values)
            np.copyto(stored[:, rows], values, casting="unsafe")
        return hole_ops.restore(maps.image_of(stored), self.holes)

    def look_up(self, levels: npt.NDArray[Any], samples: npt.NDArray[Any]) -> Array:
        """Stored values of decoded samples (H, W) or (H, W, C); sample i is ``levels[i]`` in [0, 1]."""
        values = maps.to_values(levels[None, None], self.value_range, self.dtype)
        table = maps.to_stored(values, self.dtype).ravel()
        image = np.empty(samples.shape, self.dtype)
        for rows in row_chunks(*samples.shape[:2]):  # np.take makes 64-bit indexes
            image[rows] = np.take(table, samples[rows])
        return hole_ops.restore(image, self.holes)

    def crop(self, window: Window) -> PixelFormat:
        """The format of a part of the image."""
        if self.holes is None:
            return self
        return replace(self, holes=replace(self.holes, mask=self.holes.mask[window]))


@dataclass(frozen=True, eq=False)
class Signal:
    """Images of a task, prepared once for all coders and measures.

    Those of several frames lie one below the other as one image of T · H rows: what is found out about values
    holds for all of them. Coders of single images get them one by one, see :meth:`frames`.

    Attributes:
        original: (H, W) or (H, W, C) stored values.
        filled: the same with its holes filled in.
        frame_count: how many frames lie one below the other.
        whole: the signal of which this is a frame, if there are others.
    """

    task: Task
    original: Array
    filled: Array
    pixel_format: PixelFormat
    frame_count: int = 1
    whole: Signal | None = None

    @classmethod
    def from_image(
        cls,
        task: Task,
        image: Array,
        invalid: Sequence[Values] = (),
        usual: bool = True,
        frame_count: int = 1,
    ) -> Signal:
        """Take the holes out of ``image`` and choose the range and mapping of its values.

        Tasks that are kept exactly have neither. ``invalid`` and ``usual`` are those of
        :func:`mtcodec.signals.holes.find`.
        """
        if task.exact:
            pixel_format = PixelFormat(image.dtype.name, task.channels, ValueRange(0.0, 0.0))
            return cls(task, image, image, pixel_format, frame_count)
        holes = hole_ops.find(task, image, invalid, usual)
        valid = None if holes is None else holes.valid
        value_range = maps.range_of(task, image, valid)
        mapping = maps.mapping_for(task, image, valid, value_range)
        value_range = replace(value_range, mapping=mapping)
        filled = hole_ops.fill(image, holes)
        unit = task.kind.unit_vectors and maps.are_unit(filled, value_range, valid)
        pixel_format = PixelFormat(image.dtype.name, task.channels, value_range, unit, holes)
        return cls(task, image, filled, pixel_format, frame_count)

    def frames(self) -> list[Signal]:
        """The signals of its frames; itself if it is one."""
        if self.frame_count == 1:
            return [self]
        height = self.height // self.frame_count
        windows = (slice(top, top + height) for top in range(0, self.height, height))
        return [replace(self.crop((rows, slice(0, self.width))), whole=self) for rows in windows]

    @cached_property
    def original_range(self) -> ValueRange:
        """The lowest and the highest stored value, over all frames."""
        if self.whole is not None:
            return self.whole.original_range
        return ValueRange(float(self.original.min()), float(self.original.max()))

    @cached_property
    def filled_range(self) -> ValueRange:
        """The same without holes."""
        if self.whole is not None:
            return self.whole.filled_range
        return ValueRange(float(self.filled.min()), float(self.filled.max()))

    @cached_property
    def planes(self) -> Planes:
        """(C, H, W) in [0, 1]."""
        return maps.to_planes(self.filled, self.pixel_format.value_range)

    def rows(self, rows: slice) -> Planes:
        """Some rows of the planes, which are kept for images that are not large."""
        if self.height * self.width <= CHUNK_PIXELS:
            return self.planes[:, rows]
        return maps.to_planes(self.filled[rows], self.pixel_format.value_range)

    def vectors(self, rows: slice) -> Planes:
        """Some rows of unit vectors, (3, rows, W) of length 1."""
        vectors: Planes = maps.to_unit(self.rows(rows)) * 2 - 1
        return vectors

    @cached_property
    def projection(self) -> Projection | None:
        """Two planes that show unit vectors; None of other images."""
        if not self.pixel_format.unit_vectors:
            return None
        return projection.fit([partial(self.vectors, rows) for rows in row_chunks(self.height, self.width)])

    @cached_property
    def rotation(self) -> Rotation:
        """Axes that suit the colours of an image of three channels."""
        return rotation.fit([partial(self.rows, rows) for rows in row_chunks(self.height, self.width)])

    @property
    def height(self) -> int:
        return int(self.filled.shape[0])

    @property
    def width(self) -> int:
        return int(self.filled.shape[1])

    @property
    def valid(self) -> npt.NDArray[np.bool_] | None:
        """(H, W), True where there is a measurement; None if everywhere."""
        return None if self.pixel_format.holes is None else self.pixel_format.holes.valid

    def squared_error(self, decoded: Array) -> float:
        """Sum over valid pixels of (255 · difference of planes)², mean over channels; the objective's D."""
        valid, total = self.valid, 0.0
        for rows in row_chunks(self.height, self.width):
            squares = np.square(
                maps.to_planes(decoded[rows], self.pixel_format.value_range) - self.rows(rows)
            )
            squares = squares if valid is None else squares[:, valid[rows]]
            total += float(squares.sum(dtype=np.float64)) / len(squares)
        return total * 255.0**2

    def crop(self, window: Window) -> Signal:
        """A part of it; its range and mapping stay."""
        return Signal(self.task, self.original[window], self.filled[window], self.pixel_format.crop(window))
