"""What surrounds a task's base stream: range and mapping of its values, its holes, the length of its vectors.

::

    image ─ fill holes ─ map to planes ──► base stream ──► planes ─ normalise ─ map back ─ put holes back
               │               │                                       ▲           ▲            ▲
               └───────────────┴─────── descriptor, layers ────────────┴───────────┴────────────┘

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec.bitstreams import labels
from mtcodec.errors import FormatError
from mtcodec.format.container import MAX_PAYLOAD, Cursor, Section, varint
from mtcodec.signal import holes as pits
from mtcodec.signal import mapping as maps
from mtcodec.signal.holes import MAX_VALUES, Holes
from mtcodec.signal.mapping import MAPPINGS, Array, Planes, Range
from mtcodec.tasks.task import Task

HOLES, FREE_LENGTH = 4, 16  # bits of the first byte; bits 0 and 1 are the mapping


@dataclass(frozen=True)
class Layers:
    """Attributes:
    mapping: one of :data:`mtcodec.signal.mapping.MAPPINGS`.
    holes: None where every pixel has a measurement.
    free_length: vectors are not normalised.
    """

    mapping: str = "linear"
    holes: Holes | None = None
    free_length: bool = False

    @property
    def plain(self) -> bool:
        """True where there is nothing to say."""
        return self == Layers()


@dataclass(frozen=True)
class Prepared:
    """An image ready for its base stream: without holes, and with the range of what is left."""

    image: Array
    scale: Range
    layers: Layers

    @property
    def planes(self) -> Planes:
        """(C, H, W) in [0, 1]."""
        return maps.to_planes(self.image, self.scale)


def prepare(task: Task, image: Array, invalid: Sequence[tuple[float, ...]] = ()) -> Prepared:
    """Take the holes out of ``image`` and choose the range and mapping of its values.

    ``invalid``: stored values of holes besides the usual ones (:func:`mtcodec.signal.holes.find`).
    """
    found = pits.find(task, image, invalid)
    valid = None if found is None else found.valid
    scale = maps.value_range(task, image, valid)
    scale = replace(scale, mapping=maps.mapping_for(task, image, valid, scale))
    filled = pits.fill(image, found)
    free = task.kind == "vectors" and not maps.unit_vectors(filled, scale, valid)
    return Prepared(filled, scale, Layers(scale.mapping, found, free))


def crop(prepared: Prepared, window: tuple[slice, ...]) -> Prepared:
    """A part of a prepared image; its range and mapping stay."""
    around, found = prepared.layers, prepared.layers.holes
    if found is not None:
        around = replace(around, holes=Holes(found.classes[window], found.values))
    return Prepared(prepared.image[window], prepared.scale, around)


def range_of(section: Section, layers: Layers) -> Range:
    """Stored values that planes 0 and 1 stand for."""
    low, high = section.range or (0.0, float(np.iinfo(section.dtype).max))
    return Range(low, high, layers.mapping)


def restore(task: Task, planes: npt.NDArray[Any], section: Section, layers: Layers) -> Array:
    """Stored values from decoded planes (C, H, W)."""
    unit = task.kind == "vectors" and not layers.free_length
    image = maps.from_planes(planes, range_of(section, layers), section.dtype, unit=unit)
    return pits.restore(image, layers.holes)


def finish(task: Task, prepared: Prepared, decoded: Array) -> Array:
    """What :func:`restore` does after decoding, for ``decoded`` stored values of the prepared image."""
    if task.kind == "vectors" and not prepared.layers.free_length:
        planes = maps.to_planes(decoded, prepared.scale)
        decoded = maps.from_planes(planes, prepared.scale, decoded.dtype.name, unit=True)
    return pits.restore(decoded, prepared.layers.holes)


def pack(layers: Layers) -> bytes:
    """The bytes that go before the base stream."""
    flags = MAPPINGS.index(layers.mapping) | HOLES * (layers.holes is not None)
    out = bytes([flags | FREE_LENGTH * layers.free_length])
    if layers.holes is not None:
        values = layers.holes.values
        little = values.astype(values.dtype.newbyteorder("<"))
        mask = labels.encode_labels(layers.holes.classes)
        out += bytes([len(values)]) + little.tobytes() + varint(len(mask)) + mask
    return out


def parse(payload: bytes, height: int, width: int, channels: int, section: Section) -> tuple[Layers, bytes]:
    """Layers at the start of the payload of ``section``, and the base stream after them.

    Raises:
        FormatError: damaged, or reserved values.
    """
    cursor = Cursor(payload, "layers: the section ends within them")
    flags = cursor.byte()
    if (
        (section.coding == "layered" and not flags)
        or flags & ~(3 | HOLES | FREE_LENGTH)
        or flags & 3 >= len(MAPPINGS)
    ):
        raise FormatError("layers: reserved flags")
    if flags & 3 and (section.range is None or section.range[0] <= 0):
        raise FormatError("layers: a mapping that does not fit the range")
    holes = _parse_holes(cursor, height, width, channels, section.dtype) if flags & HOLES else None
    return Layers(MAPPINGS[flags & 3], holes, bool(flags & FREE_LENGTH)), payload[cursor.at :]


def _parse_holes(cursor: Cursor, height: int, width: int, channels: int, dtype: str) -> Holes:
    count = cursor.byte()
    if not 1 <= count <= MAX_VALUES:
        raise FormatError("layers: number of hole values is out of range")
    little = np.dtype(dtype).newbyteorder("<")
    values = np.frombuffer(cursor.take(count * channels * little.itemsize), little).astype(dtype)
    mask = cursor.take(cursor.varint("length of holes", MAX_PAYLOAD))
    classes = labels.decode_labels(mask, height, width, "uint8")
    if classes.max() > count:
        raise FormatError("layers: a hole without a value")
    return Holes(classes, values.reshape(count, channels))
