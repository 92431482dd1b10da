"""Golden files: what releases wrote is read to the same symbols and pixels, and symbols give the same bytes.

``tests/tools/golden.py`` makes them; it says when they may change.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shared import symbols
from shared.symbols import OwnCodec, Seen, reader_of
from shared.symbols import codec as open_codec
from tools import determinism, golden

from mtcodec.bitstreams.labels import JXL, ZSTD
from mtcodec.bitstreams.range_coder import Encoder
from mtcodec.coders import labels
from mtcodec.coders.classical import PROJECTED
from mtcodec.container import frames
from mtcodec.container import mtc as container
from mtcodec.container.frame_reader import frame_readers
from mtcodec.container.header import Header
from mtcodec.container.mtc import Reader
from mtcodec.container.section import (
    CODINGS,
    DTYPES,
    IMAGE,
    MAPPINGS,
    NOTES,
    SHARED,
    Attributes,
    Section,
    is_mask,
)
from mtcodec.signals.signal import Signal
from mtcodec.tasks import declare

FIX = f"if that is meant: {golden.COMMAND}"


def test_entries_are_those_of_the_present_weights() -> None:
    wrong = golden.problems()
    assert not wrong, f"golden files: {', '.join(f'{n} {reason}' for n, reason in wrong.items())}; {FIX}"


@pytest.fixture(scope="module", params=sorted(golden.entries()))
def entry(request: pytest.FixtureRequest) -> tuple[OwnCodec, Path]:
    wrong = golden.problem(request.param)
    assert wrong is None, f"golden files: {request.param} {wrong}; {FIX}"
    return open_codec(golden.entries()[request.param]), golden.HERE / request.param


def test_symbols_and_pixels_are_what_they_were(entry: tuple[OwnCodec, Path]) -> None:
    codec, directory = entry
    _, files, (digests, images) = determinism.restore(directory)
    found, decoded = determinism.decode(codec, files)
    assert all(symbols.same(found[name], own) for name, own in digests.items()), FIX
    assert {key: (a.dtype, a.shape) for key, a in decoded.items()} == {
        key: (a.dtype, a.shape) for key, a in images.items()
    }
    assert max(determinism.spread(files, [images, decoded]).values()) <= 1
    for key, image in images.items():
        name, task = key.rsplit("/", 1)
        if task in digests[name] and task.split(symbols.FRAME)[0] not in codec.own_networks.graph.streams:
            np.testing.assert_array_equal(decoded[key], image)


def test_torch_reads_the_same_symbols(entry: tuple[OwnCodec, Path]) -> None:
    """And its integer layers compute what they did."""
    codec, directory = entry
    _, files, (digests, _) = determinism.restore(directory)
    assert determinism.decode(symbols.torch_codec(codec.own_networks.info.path), files)[0] == digests, FIX


def test_symbols_give_the_bytes_that_they_gave(entry: tuple[OwnCodec, Path]) -> None:
    codec, directory = entry
    for data in determinism.restore(directory)[1].values():
        reader = reader_of(data)
        payloads = {s.name: reader.payload(s.name) for s in reader.header.sections}
        by_frame = frame_readers(reader)
        seen = [symbols.decode(codec, [frame])[0] for frame in by_frame]
        for section in reader.header.sections:
            if section.name == NOTES or section.is_joint:
                continue
            coded = [
                again(codec, by_frame[k], section.name, seen[k])
                for k in reader.header.frames_of(section.name)
            ]
            if None not in coded:
                payloads[section.name] = frames.join([payload or b"" for payload in coded])
        assert container.build(reader.header, payloads) == data


def again(codec: OwnCodec, reader: Reader, name: str, seen: Seen) -> bytes | None:
    """The payload of a section of a frame, coded anew; None where that is the work of another library."""
    section = reader.header.section(name)
    if section is None:
        return b""  # nothing that this frame has needs it
    if section.is_neural:
        coder = Encoder(codec.own_networks.tables)
        for symbols_of_pass, table_indexes in seen.passes.get(name, []):
            coder.put(symbols_of_pass, table_indexes)
        return coder.finish()
    if section.coding != "labels" or reader.payload(name)[0] in (JXL, ZSTD):
        return None
    if is_mask(name):
        return labels.encode_mask(labels.decode_mask(reader.payload(name), *reader.header.size_of(name)))
    signal = Signal.from_image(declare(name, "categories", 1), seen.images[name])
    coded = labels.encode(signal)
    return None if coded is None else coded.payload


def test_every_coding_has_a_golden_file() -> None:
    files = determinism.restore(golden.HERE / golden.SMALL)[1]
    readers = [reader_of(data) for data in files.values()]
    sections = [(reader, s) for reader in readers for s in reader.header.sections]
    own = [s.attributes for _, s in sections]
    assert {s.coding for _, s in sections} == set(CODINGS)
    assert {a.dtype for a in own} == set(DTYPES)
    assert {a.mapping for a in own} == set(MAPPINGS)
    for value in (
        lambda a: a.range is None, lambda a: a.level is None, lambda a: a.size is None,
        lambda a: a.frames is None, lambda a: a.delays is None,
    ):  # fmt: skip
        assert {value(a) for a in own} == {True, False}
    assert {a.shape for a in own} == {IMAGE, "channel", "number", "row"}
    assert {reader.header.frame_count for reader in readers} == {1, 2, 3}
    assert {a.unit_vectors for a in own} == {True, False}
    assert {SHARED, NOTES, "holes0", "holes1"} <= {s.name for _, s in sections}
    sections = [(reader, s) for reader, s in sections if reader.header.frames is None]
    firsts = {reader.payload(s.name)[0] for reader, s in sections if s.coding == "labels"}
    assert {JXL, ZSTD} < firsts and min(firsts) < 0xF0
    classical = [reader.payload(s.name) for reader, s in sections if s.coding == "classical"]
    assert {payload[0] for payload in classical} == {0, 1, 1 | PROJECTED}


# --- the container -------------------------------------------------------------------------------


Z = "z" * 31
VECTORS = Attributes("uint8", 3, unit_vectors=True)
HOLES = Attributes("uint8", 1)
EVERYTHING = Header("a1b2c3d4", 1 << 20, 256, 2048, (
    Section(SHARED, "neural", Attributes()),
    Section("holes0", "labels", HOLES),
    Section("holes1", "labels", HOLES),
    Section("rgb", "neural", Attributes("uint16", 3), (SHARED,)),
    Section("depth", "neural", Attributes(
        "float32", 1, (0.25, 1e9), "logarithmic", level=0, hole_values=b"\0\0\0\0\0\0\xc0\x7f",
    ), (SHARED, "holes1")),
    Section("normal", "neural", replace(VECTORS, hole_values=b"\x7f\x80\x80"), (SHARED, "holes0")),
    Section("semantic", "labels", Attributes("uint16", 1)),
    Section("a", "near-lossless", Attributes("int16", 3, (-5, 300))),
    Section("b", "near-lossless", Attributes("uint32", 1, (1, 70000), hole_values=b"\0\0\0\0"), ("holes0",)),
    Section(Z, "raw", Attributes("float64", 16)),
    Section("b_9", "classical", Attributes("float64", 3, (-1.5, 0.0))),
    Section("_c", "classical", Attributes()),
    Section("d", "labels", Attributes("int64", 1, (-(2**53), -(2**53) + 7))),
    Section("e", "labels", Attributes("bool", 1)),
    Section("f", "raw", Attributes("uint64", 1, size=(5, 7), shape="channel")),
    Section("g", "neural", Attributes("int8", 1, (0, 5))),
    Section("h", "classical", Attributes("int32", 1, (-9, 9))),
    Section("i", "classical", Attributes("float16", 1, (0.5, 1.0), size=(5, 256), shape="channel")),
    Section(NOTES, "raw", Attributes()),
))  # fmt: skip
CONTENTS = {s.name: s.name.encode() for s in EVERYTHING.sections} | {
    "rgb": bytes(range(130)),
    "normal": b"",
    Z: bytes(4096),
}
VERSION_1 = f"""
4d5443 31 a1b2c3d4 0008 808040 8002 12
06 7ed1
40 06 5d23
40 06 7c33
12 21 00 01 8201 d8b3
13 09 39 0000 01 00000000 0000c07f 0000803e 286b6e4e 05 05 ec2d
14 20 24 00 7f8080 03 00 8bb2
55 01 00 00 08 2502
7f 01 61 25 08 fbff 2c01 00 01 877c
7f 01 62 02 28 00 00000000 01000000 70110100 02 01 e44c
9f 1f {"7a" * 31} fa 00 00 8020 a8e5962a
3f 03 625f39 2a 08 000000000000f8bf 0000000000000000 00 03 f04c
2f 02 5f63 00 02 4442
5f 01 64 07 08 000000000000e0ff 070000000000e0ff 00 01 222c
5f 01 65 0b 00 00 01 033c
9f 01 66 03 c001 05 07 00 00 01 600c
1f 01 67 04 08 00 05 00 01 411c
3f 01 68 06 08 f7ffffff 09000000 00 01 aeed
3f 01 69 08 c801 05 8002 00 0038 003c 00 01 8ffd
81 05 abe5
5a2f
{b"sharedholes0holes1".hex()} {bytes(range(130)).hex()} {b"depthsemanticab".hex()} {"00" * 4096}
{b"b_9_cdefghinotes".hex()}
"""


def test_bytes_of_a_container_of_every_field() -> None:
    """Version 1: every coding and dtype; ranges, mappings, holes, qualities and names; long lengths."""
    data = bytes.fromhex(VERSION_1)
    assert container.build(EVERYTHING, CONTENTS) == data
    reader = reader_of(data)
    assert {name: reader.payload(name) for name in CONTENTS} == CONTENTS
    assert container.build(reader.header, CONTENTS) == data


# --- the tool that makes them --------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    root = tmp_path / "golden"
    shutil.copytree(golden.HERE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_entries_of_unchanged_weights_are_kept(copied: Path) -> None:
    assert golden.problems(copied) == {}
    golden.main([], copied)
    with pytest.raises(SystemExit, match="its weights have not changed"):
        golden.main(["clevr"], copied)
    with pytest.raises(SystemExit, match="not one of"):
        golden.main(["nonsense"], copied)
    before = (copied / "clevr" / "digests.json").read_bytes()
    golden.main(["clevr", "--force"], copied)
    assert (copied / "clevr" / "digests.json").stat().st_size == len(before)


def test_what_is_missing_superfluous_or_of_other_weights_is_told_and_mended(copied: Path) -> None:
    (copied / "clevr" / "scene.mtc").unlink()
    (copied / "clevr-single" / "digests.json").unlink()
    (copied / "clevr-shared" / "more.mtc").touch()
    (copied / "stranger").mkdir()
    record = json.loads((copied / "general" / "digests.json").read_text())
    (copied / "general" / "digests.json").write_text(json.dumps({**record, "fingerprint": "00" * 4}))
    assert golden.problems(copied) == {
        "clevr": "lacks files, or has too many",
        "clevr-shared": "lacks files, or has too many",
        "clevr-single": "is missing",
        "general": "is of other weights",
        "stranger": "belongs to no weights",
    }
    golden.main(["clevr"], copied)
    assert "clevr" not in golden.problems(copied)
    golden.main([], copied)
    assert golden.problems(copied) == {}
