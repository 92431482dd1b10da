"""Images whose values are packed in 8-bit channels: see :mod:`mtcodec.files.packing`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtcodec.files.formats import format_of, reader_errors
from mtcodec.files.formats.base import Meaning, Shape
from mtcodec.files.images import channels_last
from mtcodec.files.notes import Note, without_repeats
from mtcodec.files.packing import ALPHA, FORMS, A, Packing
from mtcodec.files.sources import ImageSource, UnreadableImage, size_of
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array


@dataclass(frozen=True)
class AlphaOf:
    """The alpha of an image that is another task's, as a source; its bytes count for that."""

    image: ImageSource

    @property
    def name(self) -> str:
        return self.image.name

    @property
    def file(self) -> Path:
        return self.image if isinstance(self.image, Path) else self.image.file

    @property
    def suffix(self) -> str:
        return self.image.suffix

    @property
    def size(self) -> int:
        size_of(self.image)  # which raises what reading would
        return 0

    def read_bytes(self) -> bytes:
        return self.image.read_bytes()

    def __str__(self) -> str:
        return f"{self.image}: alpha"


def values_shape(packing: Packing, stored: Shape) -> Shape:
    """The shape of the values in an image of the shape ``stored``."""
    return stored._replace(channels=1, dtype=packing.dtype or stored.dtype)


def read_packed(
    source: ImageSource,
    name: str,
    packing: Packing,
    note: Note,
    sizes: Collection[tuple[int, ...]] | None = (),
) -> Array:
    """The values (H, W) of an image of task ``name``; ``note`` takes a line about what is left out.

    ``sizes`` tells where the channels of an array are, see :func:`mtcodec.files.images.read_with_alpha`. An
    image of one channel whose dtype is that of the values is taken for what decoding has written.

    Raises:
        SceneError: unreadable, or not packed so. AmbiguousAxes: see ``sizes``.
        MissingSource: the source holds nothing.
    """
    note = without_repeats(note, f"{name}: ")
    with reader_errors(source, "cannot read it"):
        image_format = format_of(source)
        pixels = image_format.read(source, Meaning.COLORS, note)
        if not image_format.has_axes(source):
            pixels = channels_last(pixels, None, sizes, note)
        is_shared = isinstance(source, AlphaOf)
        if not is_shared and pixels.ndim == 2 and packing.dtype in ("", pixels.dtype.name):
            note(f"its one channel of {pixels.dtype} is taken as it is, and not for {packing.form}")
            return np.ascontiguousarray(pixels)
        values = _unpacked(np.atleast_3d(pixels), packing, is_shared, note)
        if packing.form != ALPHA and image_format.is_lossy(source):
            note(Loss(f"a {image_format.name} file, which changes packed values; PNG keeps them"))
    return values


def _unpacked(pixels: Array, packing: Packing, is_shared: bool, note: Note) -> Array:
    """Values of pixels (H, W, C). ``is_shared``: the other channels are another task's."""
    channels, _ = FORMS[packing.form]
    count = pixels.shape[2]
    if packing.form == ALPHA:
        if count not in (2, 4):
            raise UnreadableImage(f"it has no alpha, which {packing.text} asks for")
        _tell_of_others(pixels[..., :-1], packing, note if not is_shared else None)
        return np.ascontiguousarray(pixels[..., -1])
    if pixels.dtype != np.uint8:
        raise UnreadableImage(f"its channels are {pixels.dtype}, but those of {packing.form} have 8 bits")
    if count == 1 and A not in channels:  # writers may store equal colours as grey
        pixels, count = pixels.repeat(3, axis=2), 3
        others = []
    else:
        others = [channel for channel in range(count) if channel not in channels]
    if count <= max(channels):
        raise UnreadableImage(f"it has {count} channels, but {packing.form} needs {max(channels) + 1}")
    _tell_of_others(pixels[..., others], packing, note)
    bits: npt.NDArray[np.uint32] = np.zeros(pixels.shape[:2], np.uint32)
    for channel in channels:
        bits = (bits << np.uint32(8)) | pixels[..., channel].astype(np.uint32)
    return (
        bits.view(np.float32)
        if packing.dtype == "float32"
        else (bits + np.uint32(packing.offset)).astype(packing.dtype)
    )


def _tell_of_others(others: Array, packing: Packing, note: Note | None) -> None:
    """Say so where channels that are not used hold anything: not the same value everywhere."""
    if note is not None and others.size and (others != others[:1, :1]).any():
        note(Loss(f"its other channels, which {packing.form} does not use, are left out"))
