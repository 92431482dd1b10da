"""The container: exact bytes, round trips, one hostile file per error, truncation and flipped bits."""

from __future__ import annotations

import binascii
import io
import itertools
import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtcodec.container import frames, notes
from mtcodec.container.frames import Frames
from mtcodec.container.header import NO_WEIGHTS, Header, pack, parse
from mtcodec.container.mtc import Reader, SplitReader, build, extract, split
from mtcodec.container.section import (
    ATTACHMENTS,
    NOTES,
    SHARED,
    Attributes,
    Section,
    default_attributes,
    mask_name,
)
from mtcodec.errors import FormatError, LimitError, SectionError, UsageError

FINGERPRINT = "01234567"
SEAL = Section(SHARED, "neural", Attributes())
MASK = Section("holes0", "labels", Attributes("uint8", 1))
REMARKS = Section(NOTES, "raw", Attributes())
BESIDE = Section(ATTACHMENTS, "raw", Attributes())
RGB = Section("rgb", "neural", Attributes(), (SHARED,))
DEPTH = Section("depth", "neural", Attributes("uint16", 1, (7002, 24724)), (SHARED,))
NORMAL = Section("normal", "neural", Attributes(unit_vectors=True), (SHARED,))
TOLD = {"depth": {"unit": "1mm", "psnr": 40.5}, "rgb": {"psnr": 33}}

SAMPLE = Header(
    FINGERPRINT,
    3,
    300,
    1229,
    (
        SEAL,
        MASK,
        RGB,
        Section("depth", "neural", Attributes(
            "float32", 1, (0.25, 60.0), "logarithmic", level=2048, hole_values=bytes(4),
        ), (SHARED, "holes0")),
        Section("albedo", "classical", Attributes("float16", 3, (-0.5, 1.5))),
        Section("normal", "near-lossless", Attributes("uint16", 3, hole_values=b"\0\x80" * 3), ("holes0",)),
        Section("semantic", "labels", Attributes("int32", 1, (-7, 300))),
        Section("flow", "raw", Attributes("float64", 2, size=(2, 5))),
        REMARKS,
    ),
)  # fmt: skip
PAYLOADS = {
    SHARED: b"shared", "holes0": b"\1", "rgb": b"red", "depth": b"d", "albedo": b"", "normal": b"\1\2",
    "semantic": b"ids\0", "flow": bytes(range(130)), NOTES: notes.pack(TOLD),
}  # fmt: skip
FILE = build(SAMPLE, PAYLOADS)

GOLDEN = f"""
4d5443 31 01234567 cd04 03 ac02 08
06 7ed1
40 01 2110
02 01 03 6839
13 09 39 0008 00 00000000 0000803e 00007042 03 01 bb20
3f 06 616c6265646f 28 08 00b8 003e 00 00 0000
74 21 20 00 0080 0080 0080 02 02 7313
55 06 08 f9ffffff 2c010000 00 04 04b0
9f 04 666c6f77 1a 40 02 05 00 8201 60a2
81 36 55df
dc32
736861726564 01 726564 64 0102 69647300
{bytes(range(130)).hex()}
{notes.pack(TOLD).hex()}
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
    assert FILE.hex() == bytes.fromhex(GOLDEN).hex()


@pytest.mark.parametrize("size", [0, 4095, 4096])
def test_checksums_are_of_anchor_and_payload_and_longer_for_long_payloads(size: int) -> None:
    def checksum(anchor: int, payload: bytes) -> int:
        start = struct.pack("<I", anchor) + payload
        return binascii.crc_hqx(start, 0) if len(payload) < 4096 else zlib.crc32(start)

    sections = (SEAL, RGB, Section("normal", "classical", NORMAL.attributes))
    contents = {s.name: (s.name.encode() * size)[:size] for s in sections}
    data = build(Header(FINGERPRINT, 1, 1, 0, sections), contents)
    shared = checksum(0, contents[SHARED])
    expected = [shared, checksum(shared, contents["rgb"]), checksum(0, contents["normal"])]
    assert [s.checksum for s in parse(data).sections] == expected
    assert payloads(data) == contents
    assert max(expected) >> 16 == 0 if size < 4096 else min(expected) >> 16 > 0


def overhead(header: Header, lengths: int) -> int:
    """Bytes besides payloads, each of which has so many."""
    return len(build(header, {s.name: bytes(lengths) for s in header.sections})) - lengths * len(
        header.sections
    )


def with_attributes(sections: Iterable[Section], **changes: object) -> tuple[Section, ...]:
    """Tasks with other attributes."""
    return tuple(
        replace(s, attributes=replace(s.attributes, **changes)) if s.is_task else s  # type: ignore[arg-type]
        for s in sections
    )


THREE = Header(FINGERPRINT, 256, 256, 1229, (SEAL, RGB, DEPTH, NORMAL))


@pytest.mark.parametrize("lengths", [128, 3000, 4095])
def test_three_neural_tasks_take_43_bytes_besides_payloads(lengths: int) -> None:
    assert overhead(THREE, lengths) == 43
    levels = with_attributes(THREE.sections, level=7)
    assert overhead(replace(THREE, sections=levels), lengths) == 43 + 3 * 4


@pytest.mark.parametrize("lengths", [128, 3000, 4095])
@pytest.mark.parametrize("name", ["rgb", "depth", "normal"])
def test_a_size_of_its_own_takes_four_bytes_more(name: str, lengths: int) -> None:
    """Of sides from 128 to 16383; networks code the others."""
    sections = tuple(
        replace(s, coding="classical", needs=(), attributes=replace(s.attributes, size=(968, 1296)))
        if s.name == name
        else s
        for s in THREE.sections
    )
    assert overhead(replace(THREE, sections=sections), lengths) == 43 + 4


@pytest.mark.parametrize("rate", [0, 30])
@pytest.mark.parametrize(("length", "bytes_of_length"), [(100, 1), (3000, 2)])
def test_a_frame_of_a_group_takes_a_few_bytes(rate: int, length: int, bytes_of_length: int) -> None:
    """Numbered names at a steady rate: 9 bytes a group, and the lengths of its payloads."""
    ticks = tuple(range(16)) if rate else ()
    moments = Frames(tuple(f"{k:06}" for k in range(16)), rate, ticks)
    header = replace(THREE, frames=moments)
    data = build(header, {s.name: frames.join([bytes(length)] * 16) for s in header.sections})
    long = 4 * 3 if 16 * length >= 4096 else 0  # longer lengths and checksums of sections
    more = len(data) - 4 * 16 * length - 43 - long
    assert more == 4 * 15 * bytes_of_length + (9 if rate else 7)
    assert (more + 43 + long) / 16 <= 4 + 3 * 2 + 43 / 16


def test_a_header_of_full_size_is_read_whole() -> None:
    own = Attributes("float64", 16, (-1.0, 1.0), level=7, hole_values=bytes(16 * 16 * 8))
    tasks = [Section(f"{i:a>31}", "neural", own, (mask_name(min(i, 15)),)) for i in range(25)]
    described = (*(replace(MASK, name=mask_name(k)) for k in range(16)), *tasks)
    data = build(Header(FINGERPRINT, 1 << 14, 1 << 14, 0, described), {s.name: b"x" for s in described})
    assert parse(data).tasks == tuple(s.name for s in tasks)


# --- one hostile file for every error ------------------------------------------------------------


TAIL = "00 0000"  # length and checksum


def forge(
    *descriptors: str,
    flags: str = "11",
    size: str = "01 01",
    quality: str = "0000",
    frames: str = "",
    count: int | None = None,
    shared: str = TAIL,
) -> bytes:
    """A header of fields given in hexadecimal, with a right checksum."""
    front = "4d5443" + flags + (f"{FINGERPRINT} {quality}" if int(flags, 16) & 16 else "") + size + frames
    front += f"{len(descriptors) if count is None else count:02x}" + (shared if int(flags, 16) & 32 else "")
    body = bytes.fromhex(front + "".join(descriptors))
    return body + struct.pack("<H", binascii.crc_hqx(body, 0))


def plain(*descriptors: str, size: str = "01 01") -> bytes:
    """A file without weights."""
    return forge(*descriptors, flags="01", size=size)


def group(frames: str, *descriptors: str, size: str = "01 01") -> bytes:
    """A group of these frames, without weights; of labels unless others are given."""
    return forge(*(descriptors or (IDS,)), flags="41", size=size, frames=frames)


def listed(*names: bytes) -> str:
    """Frames without times whose names are told one by one, none sharing with the one before."""
    return f"{len(names):02x} 00 01" + "".join(f"00 {len(name):02x} {name.hex()}" for name in names)


END = "00" + TAIL  # of a task that needs nothing
COLOUR = "02" + END
HOLED = "33 01 28 00 0000 0100 0200 01" + TAIL  # depth, classical, with holes of one value
IDS = "45" + END
MASKS = "40" + TAIL
COUNTED = "02 00 00 00 01 00 01"  # two frames, 0 and 1, without times
TIMED = "02 1e 00 02 00 00 01 00 01"  # the same at 30 frames a second
FIELDS = "fields that do not fit each other"
SAYING = "attributes that go without saying"
NEEDS = "needs holes of another size, or several"
UNUSED = "holes or a shared section that no task needs"
FORM = "frames in another form than theirs"
NAMES = "names of frames that are none, or repeat"

HOSTILE = {
    "empty": (b"", "not an mtc file"),
    "other magic": (b"MTD" + FILE[3:], "not an mtc file"),
    "other version": (b"MTC\x02" + FILE[4:], "container version 2; this release reads version 1"),
    "magic only": (b"MTC", "the file ends within it"),
    "the file of a sequence": (b"MTC\x81", "a sequence, not a scene"),
    "reserved flag 128": (forge(COLOUR, flags="91"), "reserved flags"),
    "more sections than bytes": (forge(COLOUR, count=2)[:-2], "the file ends within it"),
    "height 0": (forge(COLOUR, size="00 01"), "image size 1×0 is out of range"),
    "width 0": (forge(COLOUR, size="01 00"), "image size 0×1 is out of range"),
    "height above 2^20": (forge(COLOUR, size="818040 01"), "height is out of range"),
    "width above 2^20": (forge(COLOUR, size="01 818040"), "width is out of range"),
    "varint of six bytes": (forge(COLOUR, size="818080808000 01"), "height is out of range"),
    "varint with a superfluous zero": (forge(COLOUR, size="8100 01"), "height is out of range"),
    "more than 2^28 pixels": (forge(COLOUR, size="808040 8102"), "image size 257×1048576 is out of range"),
    "quality above 2048": (forge(COLOUR, quality="0108"), "quality or number of sections is out of range"),
    "no sections": (forge(), "quality or number of sections is out of range"),
    "65 sections": (forge(*[COLOUR] * 65), "quality or number of sections is out of range"),
    "a task twice": (forge(COLOUR, COLOUR), "sections repeat or are out of order"),
    "notes twice": (plain(IDS, "81" + TAIL, "81" + TAIL), "sections repeat or are out of order"),
    "notes before a task": (plain("81" + TAIL, IDS), "sections repeat or are out of order"),
    "holes after a task": (plain(IDS, MASKS, HOLED), "sections repeat or are out of order"),
    "weights of labels": (forge(IDS), "no task is neural"),
    "weights of nobody": (plain(COLOUR), "names weights"),
    "a shared section without weights": (forge(IDS, flags="21"), UNUSED),
    "a shared section of labels": (forge(IDS, flags="31"), "names weights, but no task is neural"),
    "holes of nobody": (plain(MASKS, IDS), UNUSED),
    "two holes, one used": (plain(MASKS, MASKS, HOLED), UNUSED),
    "17 holes": (plain(*[MASKS] * 17, HOLED), "too many sections of holes"),
    "holes that are not there": (plain(HOLED), "needs is out of range"),
    "a need that is not there": (plain(MASKS, HOLED.replace("0200 01", "0200 02")), "needs is out of range"),
    "needs of two forms": (plain(MASKS, HOLED.replace("0200 01", "0200 8100")), "needs is out of range"),
    "needs of no holes": (plain(MASKS, HOLED.replace("0200 01", "0200 00")), f"section depth: {FIELDS}"),
    "needs of two sections of holes": (plain(MASKS, MASKS, HOLED.replace("0200 01", "0200 03")), NEEDS),
    "needs of holes of another size": (plain("48 01 02" + TAIL, HOLED), NEEDS),
    "needs of holes without values": (plain(MASKS, "22 01" + TAIL), f"section rgb: {FIELDS}"),
    "needs of a shared section of what is not neural": (
        forge(COLOUR, "25 01" + TAIL, flags="31"), f"section semantic: {FIELDS}",
    ),
    "a shared section that no task needs": (forge(COLOUR, flags="31"), UNUSED),
    "files twice": (plain(IDS, "86" + TAIL, "86" + TAIL), "sections repeat or are out of order"),
    "files before notes": (plain(IDS, "86" + TAIL, "81" + TAIL), "sections repeat or are out of order"),
    "files before a task": (plain("86" + TAIL, IDS), "sections repeat or are out of order"),
    "reserved task": (forge("07" + END), "section of unknown task 7"),
    "last reserved task": (forge("0e" + END), "section of unknown task 14"),
    "empty name": (forge("0f 00" + END), "section with an invalid name"),
    "name of 32 letters": (forge("0f 20" + "61" * 32 + END), "section with an invalid name"),
    "upper-case name": (forge("0f 01 41" + END), "section with an invalid name"),
    "name that ends in a newline": (forge("0f 02 610a" + END), "section with an invalid name"),
    "name beyond ASCII": (forge("0f 02 c3a9" + END), "section with an invalid name"),
    "known task by name": (forge("0f 03 726762" + END), "section with an invalid name"),
    "shared by name": (forge("0f 06 736861726564" + END), "section with an invalid name"),
    "notes by name": (forge("0f 05 6e6f746573" + END), "section with an invalid name"),
    "files by name": (forge("0f 05 66696c6573" + END), "section with an invalid name"),
    "holes by name": (forge("0f 06 686f6c657330" + END), "section with an invalid name"),
    "reserved coding": (plain("a2" + END), "section rgb: unknown coding"),
    "last reserved coding": (plain("e2" + END), "section rgb: unknown coding"),
    "reserved dtype": (forge("12 2c 00" + END), "section rgb: reserved attributes"),
    "reserved mapping": (forge("12 00 02" + END), "section rgb: reserved attributes"),
    "reserved attribute 1024": (forge("12 20 8008" + END), "attributes is out of range"),
    "attributes of two forms": (forge("12 20 9000 0100" + END), "attributes is out of range"),
    "a size of no pixels": (plain("2a 00 01" + END), "image size 1×0 is out of range"),
    "a side above 2^20": (plain("2a 01 818040" + END), "width is out of range"),
    "more than 2^28 pixels of a task": (plain("32 20 40 808040 8102" + END), "is out of range"),
    "the size of the header": (plain("2a 01 01" + END), f"section rgb: {FIELDS}"),
    "the size of the header, of holes": (plain("48 01 01" + TAIL, HOLED), f"section holes0: {FIELDS}"),
    "a size of a neural task": (forge("0a 01 02" + END), f"section rgb: {FIELDS}"),
    "a size of notes": (plain(IDS, "91 20 40 01 02" + TAIL), f"section notes: {FIELDS}"),
    "a size of files": (plain(IDS, "96 20 40 01 02" + TAIL), f"section files: {FIELDS}"),
    "a size of the header that no task has": (plain("2a 01 02" + END), "a size that no task has"),
    "reserved shape": (plain("92 00 8001 04" + END), "section rgb: reserved shape"),
    "a channel of three": (plain("92 20 8001 00" + END), f"section rgb: {FIELDS}"),
    "a number of two": (plain("92 10 8001 01" + END), f"section rgb: {FIELDS}"),
    "a number of two columns": (plain("92 00 8001 01" + END, size="01 02"), f"section rgb: {FIELDS}"),
    "a number of two rows": (plain("92 00 8001 01" + END, size="02 01"), f"section rgb: {FIELDS}"),
    "a row of two rows": (plain("92 00 8001 02" + END, size="02 05"), f"section rgb: {FIELDS}"),
    "a table of two channels": (plain("92 10 8001 03" + END), f"section rgb: {FIELDS}"),
    "numbers that are lossy": (plain("32 00 8001 01" + END), f"section rgb: {FIELDS}"),
    "numbers that are labels": (plain("55 00 8001 03" + END), f"section semantic: {FIELDS}"),
    "a shape of holes": (plain("50 00 8001 00" + TAIL, HOLED), f"section holes0: {FIELDS}"),
    "a scene that lacks its frame": (plain("55 00 8002 00" + END), "frames of a task are out of range"),
    "a scene that has its frame": (plain("55 00 8002 01" + END), "frames of a task are out of range"),
    "times of a scene": (plain("55 00 8004 02" + END), "a task with times, but frames have none"),
    "usual attributes": (forge("12 20 00" + END), f"section rgb: {SAYING}"),
    "usual attributes of depth": (forge("13 01 08 0100 0200" + END), f"section depth: {SAYING}"),
    "usual attributes of normals": (forge("14 20 04" + END), f"section normal: {SAYING}"),
    "usual attributes of labels": (plain("55 00 00" + END), f"section semantic: {SAYING}"),
    "a size alone in attributes": (plain("32 20 40 01 02" + END, IDS), f"section rgb: {SAYING}"),
    "a size alone of labels": (plain(IDS, "55 00 40 01 02" + END), f"section semantic: {SAYING}"),
    "a size and attributes": (plain("3a 21 40 01 02" + END, IDS), f"section rgb: {SAYING}"),
    "a size of notes in the head": (plain(IDS, "89 01 02" + TAIL), "section of unknown task 9"),
    "usual attributes of holes": (plain("50 00 00" + TAIL, HOLED), f"section holes0: {SAYING}"),
    "own quality above 2048": (forge("12 20 10 0108" + END), "section rgb: quality is out of range"),
    "own quality like the file's": (
        forge("12 20 10 0000" + END), "section rgb: a quality that goes without saying"
    ),
    "range upside down": (forge("13 02 08 02000000 01000000" + END), "range is not valid"),
    "range of depth upside down": (forge("03 0200 0100" + END), "range is not valid"),
    "float range upside down": (forge("13 09 08 0000803f 00000000" + END), "range is not valid"),
    "range of NaN": (forge("13 09 08 0000c07f 0000c07f" + END), "range is not valid"),
    "infinite range": (forge("13 09 08 00000000 0000807f" + END), "range is not valid"),
    "range beyond float32": (forge("13 0a 08" + "00" * 8 + "000000000000f07e" + END), "range is not valid"),
    "range beyond 2^53": (plain("73 07 08" + "00" * 8 + "0100000000002000" + END), "range is not valid"),
    "whole range of bytes": (forge("13 00 08 00 ff" + END), "range is not valid"),
    "whole range of signed bytes": (forge("13 04 08 80 7f" + END), "range is not valid"),
    "whole range of words": (forge("03 0000 ffff" + END), "range is not valid"),
    "range of truth values": (plain("55 0b 08 00 01" + END), "range is not valid"),
    "floats without range": (forge("13 09 00" + END), f"section depth: {FIELDS}"),
    "integers of 32 bits without range": (forge("13 06 00" + END), f"section depth: {FIELDS}"),
    "labels of 32 bits without range": (plain("55 06 00" + END), f"section semantic: {FIELDS}"),
    "planes of truth values": (forge("12 0b 00" + END), f"section rgb: {FIELDS}"),
    "logarithms of what has no range": (forge("12 20 01" + END), f"section rgb: {FIELDS}"),
    "logarithms of zero": (forge("13 01 09 0000 0200" + END), f"section depth: {FIELDS}"),
    "logarithms in steps": (plain("73 01 09 0100 0200" + END), f"section depth: {FIELDS}"),
    "logarithms of labels": (plain("55 01 09 0100 0200" + END), f"section semantic: {FIELDS}"),
    "vectors of two numbers": (forge("12 10 04" + END), f"section rgb: {FIELDS}"),
    "vectors with a range": (forge("12 21 0c 0100 0200" + END), f"section rgb: {FIELDS}"),
    "vectors of floats without a range": (forge("14 29 04" + END), f"section normal: {FIELDS}"),
    "vectors of floats of another range": (
        forge("14 29 0c 00000000 0000803f" + END), f"section normal: {FIELDS}",
    ),
    "vectors in steps": (plain("64" + END), f"section normal: {FIELDS}"),
    "raw vectors": (plain("84" + END), f"section normal: {FIELDS}"),
    "raw with a range": (plain("93 09 08 00000000 0000803f" + END), f"section depth: {FIELDS}"),
    "raw with holes": (plain(MASKS, "92 21 20 00" + "00" * 6 + END), f"section rgb: {FIELDS}"),
    "classical with a quality": (plain("32 20 10 0100" + END), f"section rgb: {FIELDS}"),
    "labels with a quality": (plain("55 00 10 0100" + END), f"section semantic: {FIELDS}"),
    "labels of floats": (plain("55 09 08 00000000 0000803f" + END), f"section semantic: {FIELDS}"),
    "labels of two channels": (plain("55 10 00" + END), f"section semantic: {FIELDS}"),
    "labels with holes": (plain(MASKS, "55 00 20 00 00" + END), f"section semantic: {FIELDS}"),
    "holes of two bytes": (plain("50 01 00" + TAIL, HOLED), f"section holes0: {FIELDS}"),
    "holes in steps": (plain("60" + TAIL, HOLED), f"section holes0: {FIELDS}"),
    "notes in steps": (plain(IDS, "61" + TAIL), f"section notes: {FIELDS}"),
    "notes of one channel": (plain(IDS, "91 00 00" + TAIL), f"section notes: {FIELDS}"),
    "files in steps": (plain(IDS, "66" + TAIL), f"section files: {FIELDS}"),
    "files of one channel": (plain(IDS, "96 00 00" + TAIL), f"section files: {FIELDS}"),
    "payload above 2^28": (forge("02 00 8180808001 00000000"), "length of section rgb is out of range"),
    "shared payload above 2^28": (
        forge(COLOUR, flags="31", shared="8180808001 00000000"), "length of section shared is out of range"
    ),
    "no frames": (group("00 00 01"), "number of frames is out of range"),
    "65 frames": (group("41" + COUNTED[2:]), "number of frames is out of range"),
    "frames of more than 2^28 pixels": (group(COUNTED, size="808040 8101"), "too many pixels"),
    "a rate above 10^9": (group("02 8194ebdc03 00 02 00 00 01 00 01"), "rate of frames is out of range"),
    "a rate of two forms": (group("02 9e00 00 02 00 00 01 00 01"), "rate of frames is out of range"),
    "a rate twice the smallest": (group("02 3c 00 04 00 00 01 00 01"), "a rate that is not the smallest"),
    "a rate where all times are 0": (group("02 1e 00 00 00 00 01 00 01"), "a rate that is not the smallest"),
    "a start beyond 2^62": (
        group("01 1e ffffffffffffffffff01 01 00 01 61"), "time of a frame is out of range"
    ),
    "times beyond 2^62": (
        group("02 01 feffffffffffffff7f 02 00 00 01 00 01"), "time of a frame is out of range"
    ),
    "a step of two forms": (group("02 1e 00 8200 00 00 01 00 01"), "step of frames is out of range"),
    "steps that differ, but are equal": (group("03 1e 00 03 00 00 00 00 01 00 01"), FORM),
    "a least step that no step is": (group("03 1e 00 01 01 02 00 00 01 00 01"), FORM),
    "reserved form of names": (group("02 00 02 00 01 00 01"), "reserved form of names"),
    "a numbered name alone": (group("01 00 00 00 01 00 01"), FORM),
    "listed names that count": (group(listed(b"0", b"1")), FORM),
    "a prefix that ends with a digit": (group("02 00 00 02 6131 01 00 01"), FORM),
    "a width below the first number's digits": (group("02 00 00 00 01 0a 01"), FORM),
    "names of no digits": (group("02 00 00 01 61 00 00 01"), "width of numbers is out of range"),
    "names of ten digits": (group("02 00 00 01 61 0a 00 01"), "width of numbers is out of range"),
    "names that count down": (group("02 00 00 00 01 00 00"), NAMES),
    "a number above 10^9": (group("02 00 00 00 09 8194ebdc03 01"), "number of a frame is out of range"),
    "a step above 10^9": (group("02 00 00 00 01 00 8194ebdc03"), "step of numbers is out of range"),
    "a shared beginning that is not told": (group("02 00 01 00 02 6162 00 02 6163"), FORM),
    "a longer beginning than the name before": (group("01 00 01 01 01 61"), "shares more than there is"),
    "an empty name of a frame": (group(listed(b"")), NAMES),
    "a name of 101 bytes": (group("02 00 01 00 64" + "61" * 100 + "64 01 61"), "is too long"),
    "a name of a frame twice": (group("02 00 01 00 01 61 01 00"), NAMES),
    "a name with a slash": (group(listed(b"a/b")), NAMES),
    "a name with a backslash": (group(listed(b"a\\b")), NAMES),
    "a name that begins with a dot": (group(listed(b".a")), NAMES),
    "a name with a line": (group(listed(b"a\n")), NAMES),
    "a name with a tabulator": (group(listed(b"a\tb")), NAMES),
    "a name with a deletion": (group(listed(b"a\x7f")), NAMES),
    "a name of a frame that is no UTF-8": (group(listed(b"\xff")), "name of a frame is not UTF-8"),
    "a name of a surrogate": (group(listed(b"\xed\xa0\x80")), "name of a frame is not UTF-8"),
    "a prefix that is no UTF-8": (group("02 00 00 01 ff 01 00 01"), "name of a frame is not UTF-8"),
    "a prefix with a slash": (group("02 00 00 02 612f 01 00 01"), NAMES),
    "a task without frames": (group(COUNTED, "55 00 8002 00" + END), "frames of a task are out of range"),
    "a task that has all": (group(COUNTED, "55 00 8002 03" + END), "frames of a task are out of range"),
    "a frame beyond the last": (group(COUNTED, "55 00 8002 05" + END), "frames of a task are out of range"),
    "times of a task, but none of frames": (
        group(COUNTED, "55 00 8004 02 02" + END), "a task with times, but frames have none"
    ),
    "times of a task that do not differ": (group(TIMED, "55 00 8004 00 00" + END), f"semantic: {FIELDS}"),
    "a time of two forms": (group(TIMED, "55 00 8004 8200 00" + END), "time of a frame is out of range"),
    "frames of notes": (group(COUNTED, IDS, "91 20 8002 01" + TAIL), f"section notes: {FIELDS}"),
    "frames of holes": (group(COUNTED, "50 00 8002 01" + TAIL, HOLED), f"section holes0: {FIELDS}"),
    "wrong header checksum": (forge(COLOUR)[:-1] + b"!", "the header is damaged (checksum)"),
    "a byte after the end": (FILE + b"\0", "1 bytes after the last section"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE)
def test_refuses(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert message in str(caught.value)


HONEST = {
    "a task": forge(COLOUR),
    "a shared section": forge("02 01" + TAIL, flags="31"),
    "labels": plain(IDS),
    "holes": plain(MASKS, HOLED),
    "holes of an own size": plain("48 01 02" + TAIL, "73 01 60 00 0000 01 02 01" + TAIL, "45" + END),
    "notes": plain(IDS, "81" + TAIL),
    "a number": plain("92 00 8001 01" + END),
    "a row": plain("92 00 8001 02" + END, size="01 05"),
    "a table": plain("92 00 8001 03" + END, size="02 05"),
    "a channel": plain("55 00 8001 00" + END),
    "counted frames": group(COUNTED),
    "listed frames": group("03 00 01 00 04 6475736b 01 03 61776e 00 02 6e6f"),  # dusk, dawn, no
    "a time": group("01 1e 39 01 00 01 61"),
    "equal times": group("02 01 02 00 00 00 01 00 01"),
    "frames that differ in steps": group("03 1e 00 03 00 02 00 00 01 00 01"),
    "a missing frame": group(TIMED, "55 00 8002 02" + END),
    "late images": group(TIMED, "55 00 8004 00 03" + END),
    "depth in 32 bits": forge("13 02 08 01000000 02000000" + END),
    "depth of the whole range": forge("13 01 00" + END),
    "a name": forge("0f 01 61" + END),
}


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_the_forger_s_honest_files_are_read_and_have_one_form(data: bytes) -> None:
    header = parse(data)
    assert len(header.tasks) in (1, 2)
    assert pack(header) == data


def test_a_huge_length_of_a_short_file_is_refused_before_anything_is_read() -> None:
    reader = read(forge("02 00 8080808001 00000000"))
    with pytest.raises(SectionError, match="section rgb: the file ends within it"):
        reader.payload("rgb")


def test_asking_for_what_a_file_lacks_is_a_usage_error() -> None:
    reader = read(FILE)
    with pytest.raises(UsageError, match="no section 'mist'"):
        reader.payload("mist")
    for name in ("mist", SHARED, NOTES, "holes0"):
        with pytest.raises(UsageError, match=f"no task '{name}' in this file .it has rgb, depth, albedo"):
            reader.header.needs(name)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_format_error(tail: bytes) -> None:
    for data in (tail, FILE[:4] + tail):
        with pytest.raises(FormatError):
            read(data)


# --- truncation and damage -----------------------------------------------------------------------


def test_every_truncation_is_told() -> None:
    header = parse(FILE)
    for end in range(len(FILE)):
        if end < header.size:
            with pytest.raises(FormatError):
                read(FILE[:end])
        else:
            reader = read(FILE[:end])
            assert not reader.complete
            assert damaged(FILE[:end]) == {s.name for s in header.sections if s.offset + s.length > end}
    assert read(FILE).complete


LONG = build(
    Header(FINGERPRINT, 256, 256, 1229, (SEAL, RGB, DEPTH, NORMAL)),
    {n: np.random.default_rng(k).bytes(900 * k) for k, n in enumerate((SHARED, "rgb", "depth", "normal"), 3)},
)


@pytest.mark.fuzz
@pytest.mark.parametrize("file", [FILE, LONG, *HONEST.values()])
def test_every_flipped_bit_costs_its_section_only_and_in_the_header_all(file: bytes) -> None:
    header = parse(file)
    owner = {at: s.name for s in header.sections for at in range(s.offset, s.offset + s.length)}
    flips = (*(1 << bit for bit in range(8)), 0x55, 0xFF)
    for at, flip in itertools.product(range(min(len(file), 900)), flips):
        data = file[:at] + bytes([file[at] ^ flip]) + file[at + 1 :]
        if at < header.size:
            with pytest.raises(FormatError):
                read(data)
        else:
            assert damaged(data) == {owner[at]}


def test_a_neural_task_fits_only_the_shared_section_it_was_made_with() -> None:
    other = build(SAMPLE, {**PAYLOADS, SHARED: b"SHARED", "depth": b"D", "albedo": b"", "semantic": b"IDS\0"})
    for name, fits in (("depth", False), ("semantic", True)):
        new = parse(other).section(name)
        assert new is not None
        header = parse(FILE)
        own = tuple(replace(s, checksum=new.checksum) if s.name == name else s for s in header.sections)
        contents = PAYLOADS | {name: other[new.offset : new.offset + new.length]}
        swapped = pack(replace(header, sections=own)) + b"".join(contents[s.name] for s in own)
        assert damaged(swapped) == (set() if fits else {name})


# --- extracting ----------------------------------------------------------------------------------

TASKS = ("rgb", "depth", "albedo", "normal", "semantic", "flow")
SUBSETS = [c for n in range(1, 5) for c in itertools.combinations(TASKS, n)]


@pytest.mark.parametrize("tasks", SUBSETS, ids=",".join)
def test_extracting_equals_building_anew(tasks: tuple[str, ...]) -> None:
    part = extract(read(FILE), reversed(tasks))
    neural, holes = {"rgb", "depth"} & {*tasks}, {"depth", "normal"} & {*tasks}
    told = {task: own for task, own in TOLD.items() if task in tasks}
    names = {
        *tasks,
        *([SHARED] if neural else []),
        *(["holes0"] if holes else []),
        *([NOTES] if told else []),
    }
    expected = {n: p for n, p in PAYLOADS.items() if n in names} | ({NOTES: notes.pack(told)} if told else {})
    assert payloads(part) == expected
    kept = tuple(s for s in SAMPLE.sections if s.name in names)
    weights = (FINGERPRINT, 1229) if neural else (NO_WEIGHTS, 0)
    anew = replace(SAMPLE, sections=kept, fingerprint=weights[0], level=weights[1])
    if tasks == ("flow",):  # its size is then the header's
        flow = replace(kept[0], attributes=replace(kept[0].attributes, size=None))
        anew = replace(anew, height=2, width=5, sections=(flow,))
    assert part == build(anew, expected)
    assert extract(read(part), tasks) == part
    assert extract(read(part), tasks[:1]) == extract(read(FILE), tasks[:1])


def test_damaged_notes_are_left_out() -> None:
    header = read(FILE).header
    notes_at = header.section(NOTES)
    assert notes_at is not None
    damaged = bytearray(FILE)
    damaged[notes_at.offset] ^= 1
    part = extract(read(bytes(damaged)), ["depth"])
    assert NOTES in payloads(extract(read(FILE), ["depth"])) and NOTES not in payloads(part)
    assert payloads(part)["depth"] == PAYLOADS["depth"]


def test_extracting_renumbers_holes() -> None:
    own = Attributes("uint16", 1, hole_values=b"\0\0")
    tasks = [
        Section(name, "near-lossless", own, (mask_name(k),))
        for name, k in (("a", 2), ("b", 0), ("c", 1), ("d", 2))
    ]
    masks = [replace(MASK, name=mask_name(k)) for k in range(3)]
    contents = {s.name: s.name.encode() for s in (*masks, *tasks)}
    data = build(Header(NO_WEIGHTS, 1, 1, 0, (*masks, *tasks)), contents)
    assert read(data).header.needs("d") == ("holes2", "d")
    part = extract(read(data), ["a", "c", "d"])
    assert payloads(part) == {"holes0": b"holes1", "holes1": b"holes2", "a": b"a", "c": b"c", "d": b"d"}
    header = read(part).header
    assert [header.needs(n) for n in "acd"] == [("holes1", "a"), ("holes0", "c"), ("holes1", "d")]


def test_extracting_reads_only_what_it_keeps() -> None:
    section = parse(FILE).section("albedo")
    assert section is not None
    albedo = build(replace(SAMPLE, sections=SAMPLE.sections[:-1]), PAYLOADS)
    cut = albedo[: parse(albedo).sections[3].offset]  # ends before depth
    assert extract(read(cut), ["rgb"]) == extract(read(albedo), ["rgb"])
    with pytest.raises(SectionError) as caught:
        extract(read(cut), ["rgb", "depth"])
    assert caught.value.section == "depth"


def test_extracting_keeps_files_and_refuses_to_lose_them() -> None:
    described = (
        Section("semantic", "labels", Attributes("uint8", 1)),
        Section("a", "raw", Attributes()),
        BESIDE,
    )
    contents = {"semantic": b"ids", "a": b"a", ATTACHMENTS: b"files"}
    data = build(Header(NO_WEIGHTS, 1, 1, 0, described), contents)
    part = extract(read(data), ["a"])
    assert payloads(part) == {"a": b"a", ATTACHMENTS: b"files"}
    with pytest.raises(SectionError, match="section files: damaged"):
        extract(read(data[:-1] + b"!"), ["a"])


@pytest.mark.parametrize("tasks", [[], ["mist"], ["rgb", "mist"], [SHARED], [NOTES], ["holes0"], [""]])
def test_extracting_refuses(tasks: list[str]) -> None:
    with pytest.raises(UsageError):
        extract(read(FILE), tasks)


# --- notes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"1", b'{"rgb": 1}', b'{"rgb": {"psnr": [1]}}', b'{"rgb": {"psnr": null}}', b"\xff",
     b'{"rgb": {"unit": "' + b"m" * 100 + b'"}}', b"[" * 10**5, b'{"rgb": {"psnr": 1' + b"0" * 5000 + b"}}",
     b"{}" + b" " * 65536, b'{"rgb": {"psnr": "x"}}', b'{"rgb": {"psnr": NaN}}', b'{"rgb": {"psnr": 1e999}}',
     b'{"depth": {"unit": "<b>1mm"}}', b'{"depth": {"unit": "3"}}', b'{"depth": {"unit": "0mm"}}',
     b'{"depth": {"unit": 1}}', b'{"rgb": {"psnr": 1' + b"0" * 400 + b"}}",
     b'{"rgb": []}', b'{"rgb": {"psnr": -Infinity}}', b"null", b'{"rgb": {"psnr": 1}} {}',
     '{"rgb": {"psnr": 1}}'.encode("utf-16"), '{"rgb": {"psnr": 1}}'.encode("utf-32-le"),
     b'\xef\xbb\xbf{"rgb": {"psnr": 1}}', b'{"r\xffb": {"psnr": 1}}', b'{"r\xed\xa0\x80b": {"psnr": 1}}',
     b'{"r\\ud800b": {"psnr": 1}}', b'{"rgb": {"p\\udc00": 1}}', b'{"rgb": {"psnr": true}}',
     b'{"rgb": {"psnr": 1, "psnr": 2}}', b'{"rgb": {"psnr": 1}, "rgb": {}}',
     b'{"depth": {"unit": "1\\nmm"}}', '{"depth": {"unit": "１mm"}}'.encode()],
    ids=range(35),
)  # fmt: skip
def test_damaged_notes_are_refused(payload: bytes) -> None:
    with pytest.raises(SectionError, match="section notes: damaged notes"):
        notes.parse(payload)


def test_notes_come_back() -> None:
    assert notes.parse(notes.pack(TOLD)) == TOLD
    assert notes.only(notes.pack(TOLD), ["depth"]) == notes.pack({"depth": TOLD["depth"]})
    assert notes.only(notes.pack(TOLD), ["semantic"]) is None


# --- files in parts ----------------------------------------------------------------------------------


def test_a_file_comes_apart_and_together() -> None:
    header, contents = split(FILE)
    assert header + b"".join(contents.values()) == FILE and contents == PAYLOADS
    parts = SplitReader(header, contents)
    assert build(parts.header, {s.name: parts.payload(s.name) for s in parts.header.sections}) == FILE
    with pytest.raises(SectionError, match="section rgb: missing"):
        SplitReader(header, {**contents, "rgb": None}).payload("rgb")
    with pytest.raises(SectionError, match="section rgb: damaged"):
        SplitReader(header, {**contents, "rgb": b"blu"}).payload("rgb")
    for bad in (FILE[:-1], FILE + b"\0"):
        with pytest.raises(FormatError, match="length of a whole file"):
            split(bad)
    with pytest.raises(FormatError, match="after the header"):
        SplitReader(header + b"\0", contents)


@pytest.mark.parametrize("limit", [899, 900])
def test_larger_images_than_wanted_are_refused(limit: int) -> None:
    section = Section("semantic", "labels", Attributes("uint8", 1))
    data = build(Header(NO_WEIGHTS, 3, 300, 0, (section,)), {"semantic": b""})
    header, contents = split(data)
    for make in (lambda: Reader(io.BytesIO(data), limit), lambda: SplitReader(header, contents, limit)):
        if limit == 900:
            assert make().header.height == 3
        else:
            with pytest.raises(LimitError, match="300×3 pixels are more than the limit of 899"):
                make()


def test_limits_of_pixels_count_what_networks_pad() -> None:
    """A column of single pixels is 64 times as large to them; to other decoders it is not."""
    for coding, height, width, good in (
        ("neural", 1 << 18, 1, False), ("neural", 1 << 14, 1, True), ("raw", 1 << 18, 1, True),
        ("neural", 512, 512, True), ("neural", 512, 513, False),
    ):  # fmt: skip
        section = Section("depth", coding, Attributes("float32", 1, (0, 1) if coding == "neural" else None))
        weights = FINGERPRINT if coding == "neural" else NO_WEIGHTS
        file = build(Header(weights, height, width, 0, (section,)), {"depth": b""})
        if good:
            assert Reader(io.BytesIO(file), 1 << 18).header.height == height
        else:
            with pytest.raises(LimitError, match="more than the limit"):
                Reader(io.BytesIO(file), 1 << 18)


def test_what_needs_no_attributes_is_what_the_specification_says() -> None:
    assert default_attributes("depth", None) is None
    assert default_attributes("depth", (1, 2)) == Attributes("uint16", 1, (1, 2))
    assert default_attributes("rgb", None) == default_attributes("albedo", None) == Attributes("uint8", 3)
    assert default_attributes("normal", None) == Attributes("uint8", 3, unit_vectors=True)
    for name in ("semantic", "holes7"):
        assert default_attributes(name, None) == Attributes("uint8", 1)
    assert default_attributes("rgb", (0, 1)) is None
