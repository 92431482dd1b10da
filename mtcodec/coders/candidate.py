"""What coders give: a section as a value, before any bytes of a file are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtcodec.container.section import WHOLE, Attributes
from mtcodec.errors import FormatError
from mtcodec.signals.holes import Holes, Mask
from mtcodec.signals.mapping import PART, Array, Range
from mtcodec.signals.signal import Form


@dataclass(frozen=True, eq=False)
class Coded:
    """One way to store one task.

    Attributes:
        coding: of :data:`mtcodec.container.section.CODINGS`.
        form: how its samples stand for stored values; its holes are a section of their own.
        source: stored values as decoding gives them, or what makes them when they are first asked for.
        distortion: sum of squared errors, see :meth:`mtcodec.signals.signal.Signal.squared_error`, or what
            finds it.
        shared: True where decoding reads the shared section.
        quality: step of the networks.
    """

    coding: str
    form: Form
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
            if kept.shape[0] * kept.shape[1] <= PART:
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


def attributes_of(coded: Coded, mask: int | None) -> Attributes:
    """What the descriptor says of a section whose holes are in the section ``mask``."""
    form, values = coded.form, b""
    if form.holes is not None:
        stored = form.holes.values
        values = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    limits = form.scale.low, form.scale.high
    plain = coded.coding == "raw" or limits == WHOLE.get(form.dtype)
    return Attributes(
        form.dtype, form.channels, None if plain else limits, form.scale.mapping, form.unit_vectors,
        coded.quality, mask, values,
    )  # fmt: skip


def form_of(own: Attributes, classes: Mask | None) -> Form:
    """The form that a descriptor tells; ``classes`` are those of its section of holes.

    Raises:
        FormatError: a hole without a value.
    """
    low, high = own.range or WHOLE.get(own.dtype, (0, 0))
    holes: Holes | None = None
    if classes is not None:
        values = np.frombuffer(own.hole_values, np.dtype(own.dtype).newbyteorder("<")).astype(own.dtype)
        values = values.reshape(-1, own.channels)
        if classes.max() > len(values):
            raise FormatError("a hole without a value")
        holes = Holes(classes, values)
    return Form(own.dtype, own.channels, Range(low, high, own.mapping), own.unit_vectors, holes)
