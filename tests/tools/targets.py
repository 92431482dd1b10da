"""What hostile bytes are fed to: one function for every decoder, without networks and without a fuzzer.

A target takes any bytes. The first few choose what a container would have told (sizes, dtypes, ranges), the
rest are a payload. It returns ``right`` or ``refused``; any exception but those of ``mtcodec.errors`` that
the decoder's docstring names, and any broken promise, is a finding.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from mtcodec.format.info import summary

from mtcodec.archive import layout, read, unpack
from mtcodec.bitstreams import av1 as av1s
from mtcodec.bitstreams import contours as outlines
from mtcodec.bitstreams import jxl as jxls
from mtcodec.bitstreams import labels as classes
from mtcodec.bitstreams import range_coder as rans
from mtcodec.bitstreams import zstd as frame
from mtcodec.coders import classical as picture
from mtcodec.coders import exact
from mtcodec.errors import FormatError, WeightsNotFound
from mtcodec.format import container
from mtcodec.format.container import CODINGS, DTYPES, Header, Parts, Reader, Section
from mtcodec.models.entropy import fit
from mtcodec.signal import layers
from mtcodec.tasks import task as tasks

LIMIT_S, LIMIT_BYTES = 2.0, 1 << 30
MAX_PIXELS = 1 << 18
SMALL = 1 << 12  # pixels of images that are encoded once more
NULL = 0xFFFF  # length of a column that is null

TASKS = (tasks.RGB, tasks.DEPTH, tasks.NORMAL, tasks.SEMANTIC)
Row = dict[str, "bytes | None"]
ABOUT = layout.About("11" * 7, TASKS, True, {})


class Input:
    """Choices from the start of ``data``; zeros follow its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at].ljust(count, b"\0")

    def byte(self) -> int:
        return self.take(1)[0]

    def word(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def chunk(self) -> bytes:
        """A length of two bytes and that many bytes, or as many as there are."""
        length = self.word()
        start, self.at = self.at, min(self.at + length, len(self.data))
        return self.data[start : self.at]

    def size(self) -> tuple[int, int]:
        """Height and width, 1 to 256, heights also in steps of four."""
        height, width, scale = self.take(3)
        return (1 + height) * (4 if scale & 1 else 1), 1 + width

    def rest(self) -> bytes:
        return self.data[self.at :]


def size_bytes(height: int, width: int) -> bytes:
    """What :meth:`Input.size` reads."""
    return bytes([height - 1, width - 1, 0])


def section_of(data: Input, codings: tuple[str, ...]) -> tuple[tasks.Task, Section]:
    """A section that a header can declare: it has passed through one."""
    task, coding = TASKS[data.byte() % 3], CODINGS[data.byte() % len(CODINGS)]
    coding, dtype = coding if coding in codings else codings[0], DTYPES[data.byte() % 4]
    ranged, pair = data.byte() & 1, data.take(8)
    limits = struct.unpack("<ff" if dtype.startswith("float") else "<HH4x", pair) if ranged else None
    try:
        header = Header("00" * 7, 1, 1, 0, (Section(task.name, coding, dtype, None, limits, 0, 0),))
        section = container.parse_header(container.build(header, {task.name: b""})).sections[0]
    except (ValueError, FormatError):  # a range that no header can hold
        return task, Section(task.name, coding, "uint8", None, None, 0, 0)
    return task, section


def _check(image: np.ndarray[Any, Any], size: tuple[int, int], dtype: str, channels: int = 1) -> None:
    shape = size if channels == 1 else (*size, channels)
    assert image.shape == shape and image.dtype.name == dtype, f"{image.shape} {image.dtype}"


def labels(data: bytes) -> None:
    given = Input(data)
    size, dtype = given.size(), DTYPES[given.byte() & 1]
    image = classes.decode_labels(given.rest(), *size, dtype)
    _check(image, size, dtype)
    if image.size <= SMALL:
        assert np.array_equal(classes.decode_labels(classes.encode_labels(image), *size, dtype), image)


def contours(data: bytes) -> None:
    given = Input(data)
    size, dtype = given.size(), DTYPES[given.byte() & 1]
    image = outlines.decode_contours(given.rest(), *size, dtype)
    _check(image, size, dtype)
    if image.size <= SMALL:
        changes = np.diff(image, axis=1, prepend=image.dtype.type(0)) != 0
        again = outlines.encode_contours(image, changes)
        assert np.array_equal(outlines.decode_contours(again, *size, dtype), image)


def zstd(data: bytes) -> None:
    given = Input(data)
    size = given.word() << (given.byte() & 3)
    assert len(frame.decode_frame(given.rest(), size, "frame")) == size


def steps(data: bytes) -> None:
    """Stepped and raw sections."""
    given = Input(data)
    task, section = section_of(given, ("stepped", "raw"))
    size = given.size()
    if section.coding == "raw" and not section.dtype.startswith("float"):
        section = replace(section, dtype="float32", range=None)
    _check(exact.decode(task, section, given.rest(), *size), size, section.dtype, task.channels)


def around(data: bytes) -> None:
    """Layers in front of a neural payload."""
    given = Input(data)
    task, section = section_of(given, ("layered",))
    if task.scene_range(section.dtype) != (section.range is not None):  # refused before layers are read
        return
    size = given.size()
    found, rest = layers.parse(given.rest(), *size, task.channels, section)
    planes = np.random.default_rng(0).random((task.channels, *size), np.float32) * 1.2 - 0.1
    _check(layers.restore(task, planes, section, found), size, section.dtype, task.channels)
    again, left = layers.parse(layers.pack(found) + rest, *size, task.channels, section)
    assert left == rest and (again.mapping, again.free_length) == (found.mapping, found.free_length)
    if found.holes is not None:
        assert again.holes is not None and np.array_equal(again.holes.classes, found.holes.classes)


def _shape(size: tuple[int, int], grey: bool) -> tuple[int, ...]:
    if size[0] * size[1] > MAX_PIXELS:
        raise FormatError("more pixels than the limit")
    return size if grey else (*size, 3)


def av1(data: bytes) -> None:
    """AV1 streams, of the size that they declare or of another one."""
    given = Input(data)
    forged, size, grey = given.byte() & 1, given.size(), bool(given.byte() & 1)
    header = av1s.parse(given.rest())
    shape = _shape(size, grey) if forged else _shape((header.height, header.width), header.mono)
    samples, bits = av1s.decode_samples(given.rest(), shape)
    assert samples.shape == shape and int(samples.max()) < 1 << bits


def jxl(data: bytes) -> None:
    """JPEG XL streams, of the size that they declare or of another one."""
    given = Input(data)
    forged, size, grey = given.byte() & 1, given.size(), bool(given.byte() & 1)
    shape = _shape(size if forged else jxls._parse(given.rest()), grey)
    assert jxls.decode_samples(given.rest(), shape).shape == shape


def classical(data: bytes) -> None:
    """Whole classical sections."""
    given = Input(data)
    task, section = section_of(given, ("classical",))
    size = given.size()
    _check(picture.decode(task, section, given.rest(), *size), size, section.dtype, task.channels)


TABLES = rans.Tables(*fit.quantise(fit.logistic_mixture(np.array([0.1, 0.3, 1.0, 4.0]), 0.01, 8.0)))
LIMITS = (31, 1 << 14)


def symbols(data: bytes) -> None:
    """One rANS payload of up to three steps with any table indexes; what decodes is canonical."""
    given = Input(data)
    taken = []
    indexes = [np.resize(np.frombuffer(given.chunk() or b"\0", np.uint8) % 4, 1 + given.word() % 5000)
               for _ in range(1 + given.byte() % 3)]  # fmt: skip
    limit = LIMITS[given.byte() & 1]
    decoder = rans.Decoder(TABLES, given.rest())
    for index in indexes:
        taken.append(decoder.take(index, limit))
        assert taken[-1].shape == index.shape and np.abs(taken[-1]).max() <= limit
    decoder.finish()
    encoder = rans.Encoder(TABLES)
    for step, index in zip(taken, indexes):
        encoder.put(step, index)
    assert encoder.finish() == given.rest(), "two payloads for the same symbols"


def sealed(body: bytes) -> bytes:
    """A header with a right checksum."""
    return body + struct.pack("<I", zlib.crc32(body))


def _verified(header: bytes, payload: bytes) -> bytes:
    """A file with the header's fields and right checksums; what is left of ``payload`` follows."""
    parsed = container.parse_header(header)
    payloads = {s.name: payload[s.offset - parsed.size :][: s.length] for s in parsed.sections}
    return container.build(parsed, payloads)


def box(data: bytes) -> None:
    """Files: the bytes as they are, under a right checksum of the header, or under right checksums."""
    given = Input(data)
    mode = given.byte() % 3
    file = given.rest()
    if mode:
        head, rest = sealed(given.chunk()), given.rest()
        file = _verified(head, rest) if mode == 2 else head + rest
    reader = Reader(io.BytesIO(file), MAX_PIXELS)
    json.dumps(summary(reader))
    kept = []
    for section in reader.header.sections:
        try:
            reader.payload(section.name)
            kept.append(section.name)
        except FormatError:
            continue
    for name in reader.header.tasks:
        if set(reader.header.needs(name)) <= set(kept):
            part = container.extract(reader, [name])
            assert container.parse_header(part).tasks == (name,)
    front, payloads = container.split(file)
    assert front + b"".join(payloads.values()) == file
    assert container.join(Parts(front, payloads)) == file, "two headers for the same fields"


def row_bytes(row: Row) -> bytes:
    """What :func:`row_of` reads."""
    columns = [row.get(name) for name in ("header", *ABOUT.streams)]
    return b"".join(struct.pack("<H", NULL if c is None else len(c)) + (c or b"") for c in columns)


def row_of(data: Input) -> Row:
    """Columns in order, each a length of two bytes (0xFFFF: null) and its bytes."""
    row: Row = {}
    for name in ("header", *ABOUT.streams):
        start = data.at
        null = data.word() == NULL
        data.at = data.at if null else start
        row[name] = None if null else data.chunk()
    return row


def decode_row(codec: Any, row: Row) -> str:
    """See :func:`decode_entry`."""
    streams = {name: row.get(name) for name in ABOUT.streams}
    return decode_entry(codec, read.entry("archive", "scene", row["header"], streams))


def decode_entry(codec: Any, entry: unpack.Entry) -> str:
    """``right``, ``partial`` or ``refused``: the tasks of a row, each for itself."""
    _, parts = entry
    try:
        if isinstance(parts, FormatError):
            raise parts
        container.check_pixels(parts.header, MAX_PIXELS)
    except FormatError:
        return "refused"
    header, right = parts.header, 0
    for name in header.tasks:
        try:
            ((_, scene),) = unpack.decode(codec, [entry], [name])
        except (FormatError, WeightsNotFound):
            continue
        section = header.section(name)
        assert section is not None
        channels = 1 if section.coding == "labels" else tasks.get(name).channels
        _check(scene[name], (header.height, header.width), section.dtype, channels)
        right += 1
    return "right" if right == len(header.tasks) else "partial" if right else "refused"


def archive(data: bytes) -> None:
    """A row of an archive, its checksums right or not; or what the schema of a part says."""
    given = Input(data)
    mode = given.byte() % 4
    if mode == 3:
        forged = layout.schema(ABOUT).with_metadata({layout.METADATA: given.rest()})
        about = layout.about_of(forged, "part")
        assert layout.about_of(layout.schema(about), "again") == about
        return
    row = row_of(given)
    if mode and row["header"] is not None:
        row["header"] = sealed(row["header"])
    if mode == 2 and row["header"]:
        payloads = {name: row[name] or b"" for name in ABOUT.streams}
        header = container.parse_header(row["header"])
        if set(payloads) >= {s.name for s in header.sections}:
            row["header"] = container.split(container.build(header, payloads))[0]
    decode_row(None, row)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "container": box, "labels": labels, "contours": contours, "frame": zstd, "exact": steps, "layers": around,
    "classical": classical, "av1": av1, "jxl": jxl, "rans": symbols, "archive": archive,
}  # fmt: skip


def outcome(target: str, data: bytes, seconds: float = LIMIT_S) -> str:
    """``right`` or ``refused``; anything else is raised, warnings of undefined arithmetic among it."""
    before, start = peak(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            TARGETS[target](data)
            found = "right"
        except FormatError:
            found = "refused"
    grown, taken = peak() - before, time.process_time() - start
    if grown > LIMIT_BYTES or taken > seconds:
        raise AssertionError(f"took {grown} bytes, {taken:.1f} s")
    return found


def peak() -> int:
    """Bytes that this process has held at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
