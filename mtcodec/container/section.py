"""Sections of a group: what a payload is, and how its samples stand for stored values."""

from __future__ import annotations

import binascii
import math
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

SHARED, NOTES, ATTACHMENTS = "shared", "notes", "files"
TASK_NAMES = {2: "rgb", 3: "depth", 4: "normal", 5: "semantic"}  # of names, for ever; append only
HOLES_CODE, NOTES_CODE, ATTACHMENTS_CODE, CUSTOM_CODE = 0, 1, 6, 15  # of other sections
SIZED = 8  # added to the code of a task or of holes: a size follows, and else it is as without attributes
EXTRA_SECTIONS = {NOTES_CODE: NOTES, ATTACHMENTS_CODE: ATTACHMENTS}  # sections that no pixel needs
CODINGS = ("neural", "classical", "labels", "near-lossless", "raw")  # ids for ever; append only
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "bool")  # ids for ever; append only  # fmt: skip
STRUCT_FORMATS = dict(zip(DTYPES, "BHIQbhiqefd?"))  # of struct
DEFAULT_RANGES = {
    "uint8": (0, 255),
    "uint16": (0, 65535),
    "int8": (-128, 127),
    "int16": (-32768, 32767),
    "bool": (0, 1),
}
"""By dtype, the range of images that tell none; images of other dtypes must, unless they are raw."""
MAPPINGS = ("linear", "logarithmic")  # ids for ever; append only
IMAGE = ""  # the shape of arrays (H, W), or (H, W, C) of several channels
SHAPES = ("channel", "number", "row", "table")  # others: (H, W, 1), (), (W,), (H, W); ids for ever
NUMBERS = SHAPES[1:]  # shapes of what is no image
MAX_SIDE, MAX_PIXELS = 1 << 20, 1 << 28  # of an image; the latter also of a section's frames together
MAX_PAYLOAD, MAX_MASKS, MAX_HOLE_VALUES = 1 << 28, 16, 16
MAX_SHORT_PAYLOAD = 4096  # bytes; shorter payloads have a checksum of two bytes, others of four

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Attributes:
    """How samples of a task stand for stored values.

    Attributes:
        dtype, channels: of the stored image.
        range: the stored values that planes 0 and 1 stand for; of labels, the lowest and the highest.
            None for the whole range of the dtype (:data:`DEFAULT_RANGES`), and of raw sections.
        mapping: what is linear in between, see :class:`mtcodec.signals.mapping.ValueRange`.
        unit_vectors: pixels are vectors that get the length 1.
        level: quality level of the networks, None for the group's.
        hole_values: stored values of holes, pixels of ``channels`` little-endian samples.
        size: height and width, None for the group's.
        shape: what its arrays are: :data:`IMAGE` or one of :data:`SHAPES`.
        frames: numbers of the frames that it has, in order; None: all.
        delays: by frame that it has, its time less that of the frame, in ticks; None: no differences.
    """

    dtype: str = "uint8"
    channels: int = 3
    range: tuple[float, float] | None = None
    mapping: str = "linear"
    unit_vectors: bool = False
    level: int | None = None
    hole_values: bytes = b""
    size: Size | None = None
    shape: str = IMAGE
    frames: tuple[int, ...] | None = None
    delays: tuple[int, ...] | None = None

    @property
    def pixel_bytes(self) -> int:
        return struct.calcsize(STRUCT_FORMATS[self.dtype]) * self.channels


@dataclass(frozen=True)
class Section:
    """Descriptor of one section.

    Attributes:
        needs: names of the sections that decoding it reads besides it: the shared one, one of holes.
        offset: of its payload in the group.
    """

    name: str
    coding: str
    attributes: Attributes
    needs: tuple[str, ...] = ()
    length: int = 0
    checksum: int = 0
    offset: int = 0

    @property
    def is_neural(self) -> bool:
        """True where networks decode it."""
        return self.coding == "neural"

    @property
    def is_task(self) -> bool:
        """True where it is a task's."""
        return self.name not in (SHARED, *EXTRA_SECTIONS.values()) and not is_mask(self.name)

    @property
    def mask(self) -> str | None:
        """The section of holes that it needs."""
        return next((name for name in self.needs if is_mask(name)), None)

    @property
    def is_joint(self) -> bool:
        """Does its payload hold all frames together, one below the other?"""
        return self.coding == "raw"


def largest(sizes: Mapping[str, Size], shapes: Mapping[str, str]) -> Size:
    """The size of the largest image of a frame. Bits per pixel count its pixels, once for all tasks.

    Args:
        sizes: by task. shapes: by task, of :data:`SHAPES`; numbers count only where there is no image.
    """
    images = [size for name, size in sizes.items() if shapes.get(name, IMAGE) not in NUMBERS]
    return max(images or sizes.values(), key=math.prod)


def array_shape(shape: str, size: Size, channels: int) -> tuple[int, ...]:
    """The shape of the array of a frame: ``shape`` is :data:`IMAGE` or one of :data:`SHAPES`."""
    height, width = size
    shapes: dict[str, tuple[int, ...]] = {
        "channel": (height, width, 1), "number": (), "row": (width,), "table": (height, width),
    }  # fmt: skip
    if shape in shapes:
        return shapes[shape]
    return (height, width) if channels == 1 else (height, width, channels)


def is_mask(name: str) -> bool:
    """Is it the name of a section of holes?"""
    return re.fullmatch(r"holes\d+", name) is not None


def mask_name(index: int) -> str:
    return f"holes{index}"


def default_attributes(name: str, limits: tuple[float, float] | None) -> Attributes | None:
    """What needs no attributes in the descriptor of ``name``, given its range."""
    if name == "depth":
        return None if limits is None else Attributes("uint16", 1, limits)
    if limits is not None:
        return None
    if name == "semantic" or is_mask(name):
        return Attributes("uint8", 1)
    return Attributes("uint8", 3, unit_vectors=name == "normal")


def checksum_of(payload: bytes, checksum_seed: int = 0) -> int:
    """CRC of the shared section's checksum (or zero) and a payload: 16 bits of short ones, else 32."""
    start = struct.pack("<I", checksum_seed)
    if len(payload) < MAX_SHORT_PAYLOAD:
        return binascii.crc_hqx(payload, binascii.crc_hqx(start, 0))
    return zlib.crc32(payload, zlib.crc32(start))
