"""A candidate: one way to store one task's image, before any bytes of a file are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mtcodec.container.section import DEFAULT_RANGES, Attributes
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Holes, Mask
from mtcodec.signals.mapping import CHUNK_PIXELS, Array, ValueRange
from mtcodec.signals.signal import PixelFormat, Signal


@dataclass(eq=False)
class Candidate:
    """One way to store one task's image.

    Attributes:
        coding: of :data:`mtcodec.container.section.CODINGS`.
        pixel_format: how decoded planes stand for stored values; its holes are a section of their own.
        payload: bytes of the task's section.
        reconstruct: makes the image, (H, W) or (H, W, C) stored values, as decoding the payload gives it.
        reference: the original that losses are measured against; None: nothing is lost.
        uses_shared: does decoding read the shared section?
        level: quality level of the task's stream where it differs from the scene's; of networks only.
    """

    coding: str
    pixel_format: PixelFormat
    payload: bytes
    reconstruct: Callable[[], Array]
    reference: Signal | None = None
    uses_shared: bool = False
    level: int | None = None
    _image: Array | None = field(default=None, init=False, repr=False)
    _squared_error: float | None = field(default=None, init=False, repr=False)

    @property
    def bits(self) -> int:
        """Of the payload alone."""
        return 8 * len(self.payload)

    def decoded(self) -> Array:
        """The image as decoding gives it. It is decoded once, and anew each time if it is large."""
        if self._image is not None:
            return self._image
        image = self.reconstruct()
        if image.shape[0] * image.shape[1] <= CHUNK_PIXELS:
            self._image = image
        return image

    def squared_error(self) -> float:
        """Sum of squared errors, see :meth:`mtcodec.signals.signal.Signal.squared_error`."""
        if self.reference is None:
            return 0.0
        if self._squared_error is None:
            self._squared_error = self.reference.squared_error(self.decoded())
        return self._squared_error


def attributes_of(candidate: Candidate, mask_index: int | None) -> Attributes:
    """What the descriptor says of a candidate's section; its holes are in the mask ``mask_index``."""
    pixel_format, hole_values = candidate.pixel_format, b""
    if pixel_format.holes is not None:
        values = pixel_format.holes.values
        hole_values = values.astype(values.dtype.newbyteorder("<")).tobytes()
    limits = pixel_format.value_range.low, pixel_format.value_range.high
    is_default = candidate.coding == "raw" or limits == DEFAULT_RANGES.get(pixel_format.dtype)
    return Attributes(
        pixel_format.dtype, pixel_format.channels, None if is_default else limits,
        pixel_format.value_range.mapping, pixel_format.unit_vectors, candidate.level, mask_index, hole_values,
    )  # fmt: skip


def pixel_format_of(attributes: Attributes, mask: Mask | None) -> PixelFormat:
    """The pixel format that a descriptor says; ``mask`` is the one that it names.

    Raises:
        FormatError: a hole without a value.
    """
    dtype = attributes.dtype
    low, high = attributes.range or DEFAULT_RANGES.get(dtype, (0, 0))
    holes: Holes | None = None
    if mask is not None:
        values = np.frombuffer(attributes.hole_values, np.dtype(dtype).newbyteorder("<")).astype(dtype)
        values = values.reshape(-1, attributes.channels)
        if mask.max() > len(values):
            raise FormatError("a hole without a value")
        holes = Holes(mask, values)
    value_range = ValueRange(low, high, attributes.mapping)
    return PixelFormat(dtype, attributes.channels, value_range, attributes.unit_vectors, holes)
