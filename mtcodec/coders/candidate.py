"""What coders give: a section as a value, before any bytes of a file are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtcodec.container.section import WHOLE, Attributes
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Holes, Mask
from mtcodec.signals.mapping import CHUNK_PIXELS, Array, ValueRange
from mtcodec.signals.signal import PixelFormat


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to store one task.

    Attributes:
        coding: of :data:`mtcodec.container.section.CODINGS`.
        pixel_format: how its samples stand for stored values; its holes are a section of their own.
        source: stored values as decoding gives them, or what makes them when they are first asked for.
        distortion: sum of squared errors, see :meth:`mtcodec.signals.signal.Signal.squared_error`, or what
            finds it.
        shared: True where decoding reads the shared section.
        quality: step of the networks.
    """

    coding: str
    pixel_format: PixelFormat
    payload: bytes
    source: Array | Callable[[], Array]
    distortion: float | Callable[[Array], float] = 0.0
    shared: bool = False
    quality: int | None = None

    @property
    def decoded(self) -> Array:
        """Stored values as decoding gives them; kept for images that are not large."""
        if not callable(self.source):
            return self.source
        kept: Array | None = self.__dict__.get("_decoded")
        if kept is None:
            kept = self.source()
            if kept.shape[0] * kept.shape[1] <= CHUNK_PIXELS:
                self.__dict__["_decoded"] = kept
        return kept

    @cached_property
    def error(self) -> float:
        """Sum of squared errors."""
        return self.distortion(self.decoded) if callable(self.distortion) else self.distortion

    @property
    def bits(self) -> int:
        """Of the payload alone."""
        return 8 * len(self.payload)


def attributes_of(coded: Candidate, mask: int | None) -> Attributes:
    """What the descriptor says of a section whose holes are in the section ``mask``."""
    pixel_format, values = coded.pixel_format, b""
    if pixel_format.holes is not None:
        stored = pixel_format.holes.values
        values = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    limits = pixel_format.value_range.low, pixel_format.value_range.high
    plain = coded.coding == "raw" or limits == WHOLE.get(pixel_format.dtype)
    return Attributes(
        pixel_format.dtype, pixel_format.channels, None if plain else limits, pixel_format.value_range.mapping, pixel_format.unit_vectors,
        coded.quality, mask, values,
    )  # fmt: skip


def pixel_format_of(own: Attributes, mask: Mask | None) -> PixelFormat:
    """The pixel_format that a descriptor tells; ``mask`` are those of its section of holes.

    Raises:
        FormatError: a hole without a value.
    """
    low, high = own.range or WHOLE.get(own.dtype, (0, 0))
    holes: Holes | None = None
    if mask is not None:
        values = np.frombuffer(own.hole_values, np.dtype(own.dtype).newbyteorder("<")).astype(own.dtype)
        values = values.reshape(-1, own.channels)
        if mask.max() > len(values):
            raise FormatError("a hole without a value")
        holes = Holes(mask, values)
    return PixelFormat(own.dtype, own.channels, ValueRange(low, high, own.mapping), own.unit_vectors, holes)
