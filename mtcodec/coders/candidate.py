"""A candidate: one way to store one task's images, before any bytes of a file are written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mtcodec.container import frames
from mtcodec.container.section import DEFAULT_RANGES, Attributes
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Holes, Mask
from mtcodec.signals.mapping import CHUNK_PIXELS, Array, ValueRange
from mtcodec.signals.signal import PixelFormat, Signal


@dataclass(eq=False)
class Candidate:
    """One way to store one task's image, or those of several frames, one below the other.

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
        if self._squared_error is None and self.reference is None:
            return 0.0
        if self._squared_error is None:
            assert self.reference is not None
            self._squared_error = self.reference.squared_error(self.decoded())
        return self._squared_error


def joined(
    whole: Signal, by_frame: Sequence[Sequence[Candidate]], cost: Callable[[Candidate], float]
) -> list[Candidate]:
    """Candidates for all frames, of the candidates of each; those of a single frame are its own.

    Frames of a candidate have one coding and one pixel format. Of those that a frame has, the one of least
    cost is taken.
    """
    if len(by_frame) == 1:
        return list(by_frame[0])
    best_by_frame: list[dict[Hashable, Candidate]] = []
    for candidates in by_frame:
        best: dict[Hashable, Candidate] = {}
        for candidate in candidates:
            key = _kind_of(candidate)
            if key not in best or cost(candidate) < cost(best[key]):
                best[key] = candidate
        best_by_frame.append(best)
    keys = [key for key in best_by_frame[0] if all(key in best for best in best_by_frame)]
    return [_join(whole, [best[key] for best in best_by_frame]) for key in keys]


def _kind_of(candidate: Candidate) -> Hashable:
    """What frames of one section have in common."""
    pixel_format = replace(candidate.pixel_format, holes=None)
    has_holes = candidate.pixel_format.holes is not None
    return candidate.coding, candidate.level, candidate.uses_shared, pixel_format, has_holes


def _join(whole: Signal, candidates: Sequence[Candidate]) -> Candidate:
    first, reference = candidates[0], None
    if any(candidate.reference is not None for candidate in candidates):
        reference = whole
    pixel_format = first.pixel_format
    if pixel_format.holes is not None:
        pixel_format = replace(pixel_format, holes=whole.pixel_format.holes)
    result = Candidate(
        first.coding, pixel_format, frames.join([candidate.payload for candidate in candidates]),
        lambda: np.concatenate([candidate.decoded() for candidate in candidates]),
        reference, first.uses_shared, first.level,
    )  # fmt: skip
    result._squared_error = sum(candidate.squared_error() for candidate in candidates)
    return result


def attributes_of(candidate: Candidate) -> Attributes:
    """What the descriptor says of how a candidate's samples stand for values."""
    pixel_format, hole_values = candidate.pixel_format, b""
    if pixel_format.holes is not None:
        values = pixel_format.holes.values
        hole_values = values.astype(values.dtype.newbyteorder("<")).tobytes()
    limits = pixel_format.value_range.low, pixel_format.value_range.high
    is_default = candidate.coding == "raw" or limits == DEFAULT_RANGES.get(pixel_format.dtype)
    return Attributes(
        pixel_format.dtype, pixel_format.channels, None if is_default else limits,
        pixel_format.value_range.mapping, pixel_format.unit_vectors, candidate.level, hole_values,
    )  # fmt: skip


def pixel_format_of(attributes: Attributes, mask: Mask | None) -> PixelFormat:
    """The pixel format that a descriptor says; ``mask`` is the one that it needs.

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
