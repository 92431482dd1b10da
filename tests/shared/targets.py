"""What hostile bytes are fed to: one function for every decoder, without networks and without a fuzzer.

A target takes any bytes. The first few choose what a container would have said (sizes, dtypes, ranges), the
rest are a payload. It returns ``right`` or ``refused``; any exception but those of ``mtcodec.errors`` that
the decoder's docstring names, and any broken promise, is a finding.
"""

from __future__ import annotations

import binascii
import io
import json
import math
import resource
import struct
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from shared import sequence_targets

from mtcodec import Codec
from mtcodec.archive import decode as archived
from mtcodec.archive import index as listing
from mtcodec.archive import manifest as layout
from mtcodec.archive import rows
from mtcodec.bitstreams import av1 as av1_bitstream
from mtcodec.bitstreams import contours as contour_bitstream
from mtcodec.bitstreams import jxl as jxl_bitstream
from mtcodec.bitstreams import labels as label_bitstream
from mtcodec.bitstreams import range_coder
from mtcodec.bitstreams import zstd as zstd_bitstream
from mtcodec.codec.decoder import DECODERS
from mtcodec.codec.info import summary
from mtcodec.coders.candidate import pixel_format_of
from mtcodec.coders.labels import decode_mask
from mtcodec.container import attachments, mtc
from mtcodec.container.header import NO_WEIGHTS, Header, check_pixels, pack, parse
from mtcodec.container.mtc import Reader, SplitReader, build, split
from mtcodec.container.section import (
    ATTACHMENTS,
    CODINGS,
    DTYPES,
    MAPPINGS,
    NOTES,
    STRUCT_FORMATS,
    Attributes,
    Section,
    array_shape,
)
from mtcodec.errors import FormatError, SectionError, WeightsNotFound
from mtcodec.networks.engine import Networks
from mtcodec.networks.entropy import fit
from mtcodec.tasks import USUAL

LIMIT_S, LIMIT_BYTES = 2.0, 1 << 30
MAX_PIXELS = 1 << 18
MAX_REENCODED_PIXELS = 1 << 12  # of images that are encoded once more
NULL_LENGTH = 0xFFFF  # of a column that is null

NAMES = ("rgb", "depth", "normal", "semantic", "smell")
FINGERPRINT = "11" * 4
Row = dict[str, "bytes | None"]
MANIFEST = layout.Manifest(FINGERPRINT, tuple(USUAL[name] for name in NAMES[:4]), {"attach": ["a.txt"]})


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


def section_bytes(section: Section) -> bytes:
    """What :func:`section_of` reads."""
    attributes = section.attributes
    dtype = attributes.dtype
    has_range, mapping = attributes.range is not None, MAPPINGS.index(attributes.mapping)
    flags = has_range | mapping << 1 | attributes.unit_vectors << 2
    indexes = NAMES.index(section.name), CODINGS.index(section.coding), DTYPES.index(dtype)
    low, high = attributes.range or (0, 0)
    integers = dtype.startswith(("u", "i")) or dtype == "bool"
    limits = struct.pack("<2" + STRUCT_FORMATS[dtype], *((int(low), int(high)) if integers else (low, high)))
    return bytes([*indexes, attributes.channels - 1, flags]) + limits.ljust(16, b"\0")


def section_of(data: Input, codings: tuple[str, ...]) -> Section:
    """A section that a header can declare: it has passed through one."""
    name, coding = NAMES[data.byte() % len(NAMES)], CODINGS[data.byte() % len(CODINGS)]
    coding, dtype = coding if coding in codings else codings[0], DTYPES[data.byte() % len(DTYPES)]
    channels, flags, packed = 1 + data.byte() % 4, data.byte(), data.take(16)
    limits = struct.unpack_from("<2" + STRUCT_FORMATS[dtype], packed) if flags & 1 else None
    declared = Attributes(dtype, channels, limits, MAPPINGS[flags >> 1 & 1], bool(flags & 4))
    plain = Attributes("uint8", 1 if coding == "labels" else 3)
    for attributes in (declared, replace(declared, mapping="linear", unit_vectors=False), plain):
        with suppress(FormatError, ValueError, struct.error):
            section = Section(name, coding, attributes)
            weights = FINGERPRINT if coding == "neural" else NO_WEIGHTS
            return parse(build(Header(weights, 1, 1, 0, (section,)), {name: b""})).sections[0]
    raise AssertionError("no header can declare the plain section")


def check_image(image: np.ndarray[Any, Any], size: tuple[int, int], dtype: str, channels: int = 1) -> None:
    """Raises AssertionError unless an image has this size (height and width), dtype and channels."""
    shape = size if channels == 1 else (*size, channels)
    assert image.shape == shape and image.dtype.name == dtype, f"{image.shape} {image.dtype}"


def check_group_pixels(header: Header) -> None:
    """Raise FormatError for a group whose frames have together more pixels than are tried."""
    for name in header.tasks:
        if math.prod(header.size_of(name)) * header.frame_count > MAX_PIXELS:
            raise FormatError("more pixels than are tried")


def check_frames(header: Header, scenes: list[dict[str, Any]], lost: set[str | None]) -> None:
    """Raise AssertionError unless every frame has the images that it should have, or their tasks are lost."""
    assert len(scenes) == header.frame_count
    for number, scene in enumerate(scenes):
        present = {name for name in header.tasks if number in header.frames_of(name)}
        assert present - lost <= set(scene) <= present, "a task is neither decoded nor named"
        for name, image in scene.items():
            attributes = header.task(name).attributes
            shape = array_shape(attributes.shape, header.size_of(name), attributes.channels)
            assert image.shape == shape and image.dtype.name == attributes.dtype, f"{image.shape}"
    if header.frame_count == 1:
        assert not lost & set(scenes[0]), "a task is decoded and lost"


# --- bitstreams --------------------------------------------------------------------------------------


def labels(data: bytes) -> None:
    source = Input(data)
    size, dtype = source.size(), ("uint8", "uint16")[source.byte() & 1]
    image = label_bitstream.decode_labels(source.rest(), *size, dtype)
    check_image(image, size, dtype)
    if image.size <= MAX_REENCODED_PIXELS:
        assert np.array_equal(
            label_bitstream.decode_labels(label_bitstream.encode_labels(image), *size, dtype), image
        )


def contours(data: bytes) -> None:
    source = Input(data)
    size, dtype = source.size(), ("uint8", "uint16")[source.byte() & 1]
    image = contour_bitstream.decode_contours(source.rest(), *size, dtype)
    check_image(image, size, dtype)
    if image.size <= MAX_REENCODED_PIXELS:
        again = contour_bitstream.encode_contours(image)
        assert again is None or np.array_equal(contour_bitstream.decode_contours(again, *size, dtype), image)


def zstd(data: bytes) -> None:
    source = Input(data)
    size = source.word() << (source.byte() & 3)
    assert len(zstd_bitstream.decode_frame(source.rest(), size, "frame")) == size


def _shape(size: tuple[int, int], grey: bool) -> tuple[int, ...]:
    if size[0] * size[1] > MAX_PIXELS:
        raise FormatError("more pixels than the limit")
    return size if grey else (*size, 3)


def av1(data: bytes) -> None:
    """AV1 streams, of the size that they declare or of another one."""
    source = Input(data)
    forged, size, grey = source.byte() & 1, source.size(), bool(source.byte() & 1)
    header = av1_bitstream.parse(source.rest())
    shape = _shape(size, grey) if forged else _shape((header.height, header.width), header.mono)
    samples = av1_bitstream.decode_samples(source.rest(), shape)
    assert samples.shape == shape and int(samples.max()) < 1 << av1_bitstream.BITS


def jxl(data: bytes) -> None:
    """JPEG XL streams, of the size that they declare or of another one."""
    source = Input(data)
    forged, size, grey = source.byte() & 1, source.size(), bool(source.byte() & 1)
    shape = _shape(size if forged else jxl_bitstream._parse(source.rest()), grey)
    assert jxl_bitstream.decode_samples(source.rest(), shape).shape == shape


TABLES = range_coder.Tables(*fit.quantise(fit.logistic_mixture(np.array([0.1, 0.3, 1.0, 4.0]), 0.01, 8.0)))
MAX_SYMBOLS = (31, 1 << 14)


def symbols(data: bytes) -> None:
    """A range coder's payload of up to three coding passes, any table indexes; what decodes is canonical."""
    source = Input(data)
    decoded = []
    indexes = [np.resize(np.frombuffer(source.chunk() or b"\0", np.uint8) % 4, 1 + source.word() % 5000)
               for _ in range(1 + source.byte() % 3)]  # fmt: skip
    max_abs = MAX_SYMBOLS[source.byte() & 1]
    decoder = range_coder.Decoder(TABLES, source.rest())
    for index in indexes:
        symbols_of_pass = decoder.take(index, max_abs)
        assert symbols_of_pass.shape == index.shape and np.abs(symbols_of_pass).max() <= max_abs
        decoded.append(symbols_of_pass)
    decoder.finish()
    encoder = range_coder.Encoder(TABLES)
    for symbols_of_pass, index in zip(decoded, indexes):
        encoder.put(symbols_of_pass, index)
    assert encoder.finish() == source.rest(), "two payloads for the same symbols"


# --- sections ----------------------------------------------------------------------------------------


def _section(*codings: str) -> Callable[[bytes], None]:
    """A target: sections of these codings."""

    def target(data: bytes) -> None:
        source = Input(data)
        section, size = section_of(source, codings), source.size()
        attributes = section.attributes
        image = DECODERS[section.coding](pixel_format_of(attributes, None), source.rest(), *size)
        check_image(image, size, attributes.dtype, attributes.channels)

    return target


def holes(data: bytes) -> None:
    """A section of holes, and the values that a descriptor gives them."""
    source = Input(data)
    section, size = section_of(source, ("neural", "classical", "near-lossless")), source.size()
    count = 1 + source.byte() % 16
    attributes = section.attributes
    if attributes.dtype == "bool":
        raise FormatError("no holes")
    attributes = replace(attributes, hole_values=source.take(count * attributes.pixel_bytes))
    mask = decode_mask(source.rest(), *size)
    pixel_format = pixel_format_of(attributes, mask)
    planes = np.random.default_rng(0).random((attributes.channels, *size), np.float32) * 1.2 - 0.1
    image = pixel_format.restore(planes)
    check_image(image, size, attributes.dtype, attributes.channels)
    assert pixel_format.holes is not None
    pixels = image.reshape(*size, attributes.channels)
    expected = pixel_format.holes.values[mask[mask > 0].astype(int) - 1]
    assert pixels[mask > 0].tobytes() == expected.tobytes()


# --- files -------------------------------------------------------------------------------------------


def sealed(body: bytes) -> bytes:
    """A header with a right checksum."""
    return body + struct.pack("<H", binascii.crc_hqx(body, 0))


def _verified(header: bytes, payload: bytes) -> bytes:
    """A file with the header's fields and right checksums; what is left of ``payload`` follows."""
    parsed = parse(header)
    payloads = {s.name: payload[s.offset - parsed.size :][: s.length] for s in parsed.sections}
    return build(parsed, payloads)


def box(data: bytes) -> None:
    """Files: the bytes as they are, under a right checksum of the header, or under right checksums."""
    source = Input(data)
    mode = source.byte() % 3
    file = source.rest()
    if mode:
        head, rest = sealed(source.chunk()), source.rest()
        file = _verified(head, rest) if mode == 2 else head + rest
    reader = Reader(io.BytesIO(file), MAX_PIXELS)
    json.dumps(summary(reader))
    with suppress(SectionError):
        names = attachments.read(reader)
        assert not attachments.problem(names, reader.header.tasks)
    readable = []
    for section in reader.header.sections:
        with suppress(FormatError):
            reader.payload(section.name)
            readable.append(section.name)
    for name in reader.header.tasks:
        beside = {ATTACHMENTS} & {s.name for s in reader.header.sections}
        if reader.header.section(NOTES) is None and {*reader.header.needs(name), *beside} <= set(readable):
            extracted = mtc.extract(reader, [name])
            assert parse(extracted).tasks == (name,)
    front, payloads = split(file)
    assert front + b"".join(payloads.values()) == file
    assert pack(SplitReader(front, payloads).header) == front, "two headers for the same fields"


def group(data: bytes) -> None:
    """Groups, their checksums right or not: every frame and every task for itself, and parts of them."""
    source = Input(data)
    mode = source.byte() % 3
    file = source.rest()
    if mode:
        head, rest = sealed(source.chunk()), source.rest()
        file = _verified(head, rest) if mode == 2 else head + rest
    reader, codec = Reader(io.BytesIO(file), MAX_PIXELS), NoNetworks()
    header = reader.header
    check_group_pixels(header)
    if header.frames is not None:
        assert len(set(header.frames.names)) == header.frame_count
    for name in header.tasks:
        lost: list[SectionError] = []
        try:
            scenes = codec.decode_frames(reader, [name], on_damage=lost.append)
        except WeightsNotFound:
            continue
        part = mtc.extract(reader, [name]) if not lost and header.section(NOTES) is None else b""
        check_frames(_alone(header, name), scenes, {error.task for error in lost})
        if part and header.section(ATTACHMENTS) is None:
            again = codec.decode_frames(Reader(part))
            assert [list(scene) for scene in again] == [list(scene) for scene in scenes]
            assert all(a[name].tobytes() == b[name].tobytes() for a, b in zip(again, scenes) if name in a)


def _alone(header: Header, name: str) -> Header:
    """A header of one task."""
    return replace(header, sections=(header.task(name),))


class NoNetworks(Codec):
    """A codec without networks."""

    def __init__(self) -> None:
        super().__init__(())

    def networks_of(self, fingerprint: str) -> Networks:
        raise WeightsNotFound("no networks")


def row_bytes(row: Row) -> bytes:
    """What :func:`row_of` reads."""
    columns = [row.get(name) for name in ("header", *MANIFEST.payload_columns)]
    return b"".join(struct.pack("<H", NULL_LENGTH if c is None else len(c)) + (c or b"") for c in columns)


def row_of(data: Input) -> Row:
    """Columns in order, each a length of two bytes (0xFFFF: null) and its bytes."""
    row: Row = {}
    for name in ("header", *MANIFEST.payload_columns):
        start = data.at
        null = data.word() == NULL_LENGTH
        data.at = data.at if null else start
        row[name] = None if null else data.chunk()
    return row


def decode_row(codec: Codec, row: Row) -> str:
    """See :func:`decode_entry`."""
    columns = {name: row.get(name) for name in MANIFEST.payload_columns}
    return decode_entry(codec, rows.make_entry("archive", "scene", row["header"], columns))


def decode_entry(codec: Codec, entry: rows.Entry) -> str:
    """``right``, ``partial`` or ``refused``: the tasks of a row, each for itself."""
    _, parts = entry
    try:
        if isinstance(parts, FormatError):
            raise parts
        check_pixels(parts.header, MAX_PIXELS)
    except FormatError:
        return "refused"
    header, right = parts.header, 0
    for name in header.tasks:
        try:
            ((_, scene),) = archived.decode(codec, [entry], [name])
        except (FormatError, WeightsNotFound):
            continue
        check_frames(_alone(header, name), [scene], set())
        right += 1
    return "right" if right == len(header.tasks) else "partial" if right else "refused"


def archive(data: bytes) -> None:
    """A row of an archive, its checksums right or not; what the schema of a part says; or an index."""
    source = Input(data)
    mode = source.byte() % 5
    if mode == 4:
        manifest, shards = listing.parse_index(source.rest())
        assert listing.parse_index(listing.index_to_json(manifest, shards)) == (manifest, shards)
        return
    if mode == 3:
        forged = layout.schema(MANIFEST).with_metadata({layout.METADATA: source.rest()})
        manifest = layout.manifest_of_schema(forged)
        assert layout.manifest_of_schema(layout.schema(manifest)) == manifest
        return
    row = row_of(source)
    if mode and row["header"] is not None:
        row["header"] = sealed(row["header"])
    if mode == 2 and row["header"]:
        header = parse(row["header"])
        payloads = rows.payloads_of(header, row)
        filled = {name: payload or b"" for name, payload in payloads.items()}
        row["header"] = split(build(header, filled))[0]
    decode_row(NoNetworks(), row)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "container": box,
    "group": group,
    "labels": labels,
    "contours": contours,
    "frame": zstd,
    "exact": _section("near-lossless", "raw", "labels"),
    "holes": holes,
    "classical": _section("classical"),
    "av1": av1,
    "jxl": jxl,
    "symbols": symbols,
    "archive": archive,
    **sequence_targets.TARGETS,
}


def outcome(target: str, data: bytes, limit_s: float = LIMIT_S) -> str:
    """``right`` or ``refused``; anything else is raised, warnings of undefined arithmetic among it."""
    peak_before, start = peak(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            TARGETS[target](data)
            answer = "right"
        except FormatError:
            answer = "refused"
    growth, processor_s = peak() - peak_before, time.process_time() - start
    if growth > LIMIT_BYTES or processor_s > limit_s:
        raise AssertionError(f"took {growth} bytes, {processor_s:.1f} s")
    return answer


def peak() -> int:
    """Bytes that this process has held at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
