"""The container: exact bytes, round trips, one hostile file per error, truncation and flipped bytes."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.format.container import (
    DTYPES,
    NAMES,
    NO_WEIGHTS,
    SHARED,
    Header,
    Parts,
    Reader,
    Section,
    build,
    extract,
    join,
    parse_header,
    split,
)

FINGERPRINT = "0123456789abcd"


def section(
    name: str,
    coding: str = "neural",
    dtype: str = "uint8",
    quality: int | None = None,
    limits: tuple[float, float] | None = None,
) -> Section:
    return Section(name, coding, dtype, quality, limits, 0, 0)


SAMPLE = Header(
    FINGERPRINT,
    3,
    300,
    1229,
    (
        section(SHARED),
        section("rgb"),
        section("depth", dtype="uint16", quality=2048, limits=(7002, 24724)),
        section("albedo", dtype="float32", limits=(-0.5, 1.5)),
        section("semantic", "labels"),
    ),
)
PAYLOADS = {SHARED: b"shared", "rgb": b"red", "depth": b"d", "albedo": b"", "semantic": b"ids\0"}
FILE = build(SAMPLE, PAYLOADS)

GOLDEN = """
4d5443 01 0123456789abcd 03 ac02 cd04 05
00 00 06 6e3dc441
01 00 03 6b0b1cc4
02 c1 0008 5a1b9460 01 d4fb7ad7
ff 06 616c6265646f 42 000000bf0000c03f 00 a34a4378
04 08 04 292ec068
65b1f318
736861726564 726564 64 69647300
"""


def read(data: bytes) -> Reader:
    return Reader(io.BytesIO(data))


def payloads(data: bytes) -> dict[str, bytes]:
    reader = read(data)
    return {s.name: reader.payload(s.name) for s in reader.header.sections}


def damaged(data: bytes) -> set[str]:
    """Sections whose payload the reader of ``data`` refuses."""
    reader, result = read(data), set()
    for s in reader.header.sections:
        try:
            reader.payload(s.name)
        except SectionError as error:
            assert error.section == s.name
            result.add(s.name)
    return result


# --- exact bytes ---------------------------------------------------------------------------------


def test_bytes_of_a_small_file() -> None:
    assert bytes.fromhex(GOLDEN) == FILE


def test_checksums_are_crc32_of_anchor_and_payload() -> None:
    zero = bytes(4)
    shared = zlib.crc32(zero + b"shared")
    expected = {SHARED: shared, "semantic": zlib.crc32(zero + b"ids\0")}
    for name in ("rgb", "depth", "albedo"):
        expected[name] = zlib.crc32(struct.pack("<I", shared) + PAYLOADS[name])
    assert {s.name: s.checksum for s in parse_header(FILE).sections} == expected


def test_three_neural_tasks_take_59_bytes_of_overhead() -> None:
    kinds = (
        section(SHARED),
        section("rgb"),
        section("depth", "neural", "uint16", None, (1, 9)),
        section("normal"),
    )
    data = build(Header(FINGERPRINT, 256, 256, 1229, kinds), {s.name: bytes(3000) for s in kinds})
    assert len(data) - 4 * 3000 == 58
    own = tuple(s if s.name == SHARED else replace(s, quality=i) for i, s in enumerate(kinds))
    data = build(Header(FINGERPRINT, 256, 256, 1229, own), {s.name: bytes(3000) for s in kinds})
    assert len(data) - 4 * 3000 == 58 + 6


# --- round trip ----------------------------------------------------------------------------------

steps = st.integers(0, 2048)
float_limits = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def sections(draw: st.DrawFn, name: str) -> Section:
    coding = draw(st.sampled_from(["neural", "labels"]))
    if coding == "labels":
        return section(name, coding, draw(st.sampled_from(DTYPES[:2])))
    dtype = draw(st.sampled_from(DTYPES))
    values = float_limits if dtype.startswith("float") else st.integers(0, int(np.iinfo(dtype).max))
    limits = draw(st.none() | st.tuples(values, values).map(lambda pair: (min(pair), max(pair))))
    return section(name, coding, dtype, draw(st.none() | steps), limits)


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, dict[str, bytes]]:
    custom = st.from_regex(r"[a-z_][a-z0-9_]{0,30}", fullmatch=True).filter(lambda n: n not in NAMES)
    names = draw(st.lists(st.sampled_from(NAMES[1:]) | custom, unique=True, min_size=1, max_size=64))
    described = [draw(sections(name)) for name in names]
    if len(names) < 64 and draw(st.booleans()):
        described.insert(0, section(SHARED))
    neural = any(s.coding == "neural" for s in described)
    fingerprint = draw(st.binary(min_size=7, max_size=7)).hex() if neural else NO_WEIGHTS
    height = draw(st.integers(1, 1 << 20))
    width = draw(st.integers(1, min(1 << 20, (1 << 28) // height)))
    header = Header(fingerprint, height, width, draw(steps), tuple(described))
    return header, {s.name: draw(st.binary(max_size=300)) for s in described}


@settings(deadline=None)
@given(files())
def test_any_file_comes_back(file: tuple[Header, dict[str, bytes]]) -> None:
    header, contents = file
    data = build(header, contents)
    back = parse_header(data)
    assert (back.fingerprint, back.height, back.width) == (header.fingerprint, header.height, header.width)
    assert back.quality == header.quality
    assert back.file_size == len(data)
    assert payloads(data) == contents
    for old, new in zip(header.sections, back.sections, strict=True):
        own = None if old.quality == header.quality else old.quality
        assert replace(new, length=0, checksum=0, offset=0) == replace(old, quality=own)
        assert data[new.offset : new.offset + new.length] == contents[old.name]


def test_a_header_of_full_size_is_read_whole() -> None:
    names = [f"{i:a>31}" for i in range(64)]
    described = tuple(section(n, "neural", "float64", 7, (-1.0, 1.0)) for n in names)
    data = build(Header(FINGERPRINT, 1 << 14, 1 << 14, 0, described), dict.fromkeys(names, b"x"))
    assert parse_header(data).tasks == tuple(names)


# --- one hostile file for every error ------------------------------------------------------------

RGB = "01 00 00 00000000"
FIELDS = "fields that do not fit its kind"


def forge(
    *descriptors: str,
    size: str = "01 01",
    quality: str = "0000",
    count: int | None = None,
    fingerprint: str = FINGERPRINT,
) -> bytes:
    """A header of fields given in hexadecimal, with a right checksum."""
    number = len(descriptors) if count is None else count
    text = f"4d544301 {fingerprint} {size} {quality} {number:02x}" + "".join(descriptors)
    body = bytes.fromhex(text)
    return body + struct.pack("<I", zlib.crc32(body))


HOSTILE = {
    "empty": (b"", "not an mtc file"),
    "other magic": (b"MTD" + FILE[3:], "not an mtc file"),
    "other version": (b"MTC\x02" + FILE[4:], "container version 2; this release reads version 1"),
    "magic only": (b"MTC", "the file ends within it"),
    "more sections than bytes": (forge(RGB, count=2)[:-4], "the file ends within it"),
    "height 0": (forge(RGB, size="00 01"), "image size 1×0 is out of range"),
    "width 0": (forge(RGB, size="01 00"), "image size 0×1 is out of range"),
    "height above 2^20": (forge(RGB, size="818040 01"), "height is out of range"),
    "width above 2^20": (forge(RGB, size="01 818040"), "width is out of range"),
    "varint of six bytes": (forge(RGB, size="818080808000 01"), "height is out of range"),
    "varint with a superfluous zero": (forge(RGB, size="8100 01"), "height is out of range"),
    "more than 2^28 pixels": (forge(RGB, size="808040 8102"), "image size 257×1048576 is out of range"),
    "quality above 2048": (forge(RGB, quality="0108"), "quality is out of range"),
    "no sections": (forge(), "number of sections is out of range"),
    "65 sections": (forge(*[RGB] * 65), "number of sections is out of range"),
    "a task twice": (forge(RGB, RGB), "sections repeat or are out of order"),
    "shared not first": (forge(RGB, "00 00 00 00000000"), "sections repeat or are out of order"),
    "weights of labels": (forge("04 08 00 00000000"), "names weights, but no section is neural"),
    "reserved task": (forge("05 00 00 00000000"), "section of unknown task 5"),
    "empty name": (forge("ff 00 00 00 00000000"), "section with an invalid name"),
    "name of 32 letters": (forge("ff 20" + "61" * 32 + "00 00 00000000"), "section with an invalid name"),
    "upper-case name": (forge("ff 01 41 00 00 00000000"), "section with an invalid name"),
    "name that ends in a newline": (forge("ff 02 610a 00 00 00000000"), "section with an invalid name"),
    "name beyond ASCII": (forge("ff 02 c3a9 00 00 00000000"), "section with an invalid name"),
    "known task by name": (forge("ff 03 726762 00 00 00000000"), "section with an invalid name"),
    "shared by name": (forge("ff 06 736861726564 00 00 00000000"), "section with an invalid name"),
    "reserved dtype": (forge("01 04 00 00000000"), "section rgb: unknown dtype or coding"),
    "reserved coding": (forge("01 30 00 00000000"), "section rgb: unknown dtype or coding"),
    "own quality above 2048": (forge("01 80 0108 00 00000000"), "section rgb: quality is out of range"),
    "own quality like the file's": (forge("01 80 0000 00 00000000"), "section rgb: quality is out of range"),
    "integer range upside down": (forge("02 41 02000100 00 00000000"), "section depth: range is not valid"),
    "float range upside down": (forge("02 42 0000803f 00000000 00 00000000"), "depth: range is not valid"),
    "range beyond uint8": (forge("02 40 00000001 00 00000000"), "section depth: range is not valid"),
    "range of NaN": (forge("02 42 0000c07f 0000c07f 00 00000000"), "section depth: range is not valid"),
    "infinite range": (forge("02 43 00000000 0000807f 00 00000000"), "section depth: range is not valid"),
    "shared of 16 bits": (forge("00 01 00 00000000"), f"section shared: {FIELDS}"),
    "shared with labels": (forge("00 08 00 00000000"), f"section shared: {FIELDS}"),
    "shared with a range": (forge("00 40 00000100 00 00000000"), f"section shared: {FIELDS}"),
    "shared with a quality": (forge("00 80 0100 00 00000000"), f"section shared: {FIELDS}"),
    "labels of floats": (forge("04 0a 00 00000000"), f"section semantic: {FIELDS}"),
    "labels with a range": (forge("04 48 00000100 00 00000000"), f"section semantic: {FIELDS}"),
    "labels with a quality": (forge("04 88 0100 00 00000000"), f"section semantic: {FIELDS}"),
    "payload above 2^28": (forge("01 00 8180808001 00000000"), "section rgb: length is out of range"),
    "wrong header checksum": (forge(RGB)[:-1] + b"!", "the header is damaged (checksum)"),
    "a byte after the end": (FILE + b"\0", "1 bytes after the last section"),
}


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE)
def test_refuses(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert message in str(caught.value)


def test_the_forger_s_honest_files_are_read() -> None:
    assert read(forge(RGB)).header.tasks == ("rgb",)
    assert read(forge("04 08 00 00000000", fingerprint=NO_WEIGHTS)).header.tasks == ("semantic",)


def test_a_huge_length_of_a_short_file_is_refused_before_anything_is_read() -> None:
    reader = read(forge("01 00 8080808001 00000000"))
    with pytest.raises(SectionError, match="section rgb: the file ends within it"):
        reader.payload("rgb")


def test_asking_for_what_a_file_lacks_is_a_usage_error() -> None:
    reader = read(FILE)
    with pytest.raises(UsageError, match="no section 'normal'"):
        reader.payload("normal")
    for name in ("normal", SHARED):
        with pytest.raises(
            UsageError, match=f"no task '{name}' in this file .it has rgb, depth, albedo, semantic"
        ):
            reader.header.needs(name)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_format_error(tail: bytes) -> None:
    for data in (tail, FILE[:4] + tail):
        with pytest.raises(FormatError):
            read(data)


# --- truncation and damage -----------------------------------------------------------------------


def test_every_truncation_is_told() -> None:
    header = parse_header(FILE)
    for end in range(len(FILE)):
        if end < header.size:
            with pytest.raises(FormatError):
                read(FILE[:end])
        else:
            assert damaged(FILE[:end]) == {s.name for s in header.sections if s.offset + s.length > end}


def test_every_flipped_byte_costs_its_section_only_and_in_the_header_all() -> None:
    header = parse_header(FILE)
    owner = {at: s.name for s in header.sections for at in range(s.offset, s.offset + s.length)}
    for at, flip in itertools.product(range(len(FILE)), (*(1 << bit for bit in range(8)), 0x55, 0xFF)):
        data = FILE[:at] + bytes([FILE[at] ^ flip]) + FILE[at + 1 :]
        if at < header.size:
            with pytest.raises(FormatError):
                read(data)
        else:
            assert damaged(data) == {owner[at]}


def test_a_task_section_fits_only_the_shared_section_it_was_made_with() -> None:
    other = build(SAMPLE, {**PAYLOADS, SHARED: b"SHARED", "depth": b"D", "semantic": b"IDS\0"})
    for name, fits in (("depth", False), ("semantic", True)):
        old, new = (parse_header(data).section(name) for data in (FILE, other))
        assert old is not None and new is not None
        head = FILE[: parse_header(FILE).size - 4]
        head = head.replace(struct.pack("<I", old.checksum), struct.pack("<I", new.checksum))
        body = FILE[len(head) + 4 : old.offset] + other[new.offset : new.offset + new.length]
        swapped = head + struct.pack("<I", zlib.crc32(head)) + body + FILE[old.offset + old.length :]
        assert damaged(swapped) == (set() if fits else {name})


# --- extracting ----------------------------------------------------------------------------------

SUBSETS = [c for n in range(1, 5) for c in itertools.combinations(("rgb", "depth", "albedo", "semantic"), n)]


@pytest.mark.parametrize("tasks", SUBSETS, ids=",".join)
def test_extracting_equals_building_anew(tasks: tuple[str, ...]) -> None:
    part = extract(read(FILE), reversed(tasks))
    neural = tasks != ("semantic",)
    names = {SHARED, *tasks} if neural else set(tasks)
    assert payloads(part) == {n: p for n, p in PAYLOADS.items() if n in names}
    kept = tuple(s for s in SAMPLE.sections if s.name in names)
    anew = replace(SAMPLE, sections=kept, fingerprint=FINGERPRINT if neural else NO_WEIGHTS)
    assert part == build(anew, PAYLOADS)
    assert extract(read(part), tasks) == part
    assert extract(read(part), tasks[:1]) == extract(read(FILE), tasks[:1])


def test_extracting_reads_only_what_it_keeps() -> None:
    cut = FILE[: parse_header(FILE).sections[2].offset]  # ends before depth
    assert extract(read(cut), ["rgb"]) == extract(read(FILE), ["rgb"])
    with pytest.raises(SectionError) as caught:
        extract(read(cut), ["rgb", "depth"])
    assert caught.value.section == "depth"


@pytest.mark.parametrize("tasks", [[], ["normal"], ["rgb", "normal"], [SHARED], [""]])
def test_extracting_refuses(tasks: list[str]) -> None:
    with pytest.raises(UsageError):
        extract(read(FILE), tasks)


# --- files in parts ----------------------------------------------------------------------------------


def test_a_file_comes_apart_and_together() -> None:
    header, payloads = split(FILE)
    assert header + b"".join(payloads.values()) == FILE and payloads == PAYLOADS
    parts = Parts(header, payloads)
    assert join(parts) == FILE and parts.payload("albedo") == b""
    with pytest.raises(SectionError, match="section rgb: missing"):
        Parts(header, {**payloads, "rgb": None}).payload("rgb")
    with pytest.raises(SectionError, match="section rgb: damaged"):
        Parts(header, {**payloads, "rgb": b"blu"}).payload("rgb")
    for bad in (FILE[:-1], FILE + b"\0"):
        with pytest.raises(FormatError, match="length of a whole file"):
            split(bad)
    with pytest.raises(FormatError, match="after the header"):
        Parts(header + b"\0", payloads)


@pytest.mark.parametrize("limit", [899, 900])
def test_larger_images_than_wanted_are_refused(limit: int) -> None:
    header, payloads = split(FILE)
    for make in (lambda: Reader(io.BytesIO(FILE), limit), lambda: Parts(header, payloads, limit)):
        if limit == 900:
            assert make().header.height == 3
        else:
            with pytest.raises(FormatError, match="300×3 pixels are more than the limit of 899"):
                make()
