"""Golden files: what releases wrote is read to the same symbols and pixels, and symbols give the same bytes.

``tests/golden/make.py`` makes them; it says when they may change.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import determinism
import numpy as np
import pytest
import symbols
from golden import make
from mtcodec.codec.codec import Codec
from symbols import Seen, reader_of

from mtcodec.bitstreams.labels import ZSTD, encode_labels
from mtcodec.bitstreams.range_coder import Encoder
from mtcodec.codec import codec as codecs
from mtcodec.format import container
from mtcodec.format.container import CODINGS, DTYPES, SHARED, Header, Section
from mtcodec.signal import layers

FIX = f"if that is meant: {make.COMMAND}"


def test_entries_are_those_of_the_present_weights() -> None:
    wrong = make.problems()
    assert not wrong, f"golden files: {', '.join(f'{n} {reason}' for n, reason in wrong.items())}; {FIX}"


@pytest.fixture(scope="module", params=sorted(make.entries()))
def entry(request: pytest.FixtureRequest) -> tuple[Codec, Path]:
    wrong = make.problem(request.param)
    assert wrong is None, f"golden files: {request.param} {wrong}; {FIX}"
    return codecs.load(make.entries()[request.param], "cpu"), make.HERE / request.param


def test_symbols_and_pixels_are_what_they_were(entry: tuple[Codec, Path]) -> None:
    codec, directory = entry
    _, files, (digests, images) = determinism.restore(directory)
    found, decoded = determinism.decode(codec, files)
    assert found == digests, FIX
    assert {key: (a.dtype, a.shape) for key, a in decoded.items()} == {
        key: (a.dtype, a.shape) for key, a in images.items()
    }
    assert max(determinism.spread(files, [images, decoded]).values()) <= 1
    for key, image in images.items():
        name, task = key.rsplit("/", 1)
        if task in digests[name] and task not in codec.model.graph.streams:
            np.testing.assert_array_equal(decoded[key], image)


def test_symbols_give_the_bytes_that_they_gave(entry: tuple[Codec, Path]) -> None:
    codec, directory = entry
    for data in determinism.restore(directory)[1].values():
        reader = reader_of(data)
        (seen,) = symbols.decode(codec, [data])
        payloads = {
            s.name: again(codec, data, s, seen) or reader.payload(s.name) for s in reader.header.sections
        }
        assert container.build(reader.header, payloads) == data


def again(codec: Codec, data: bytes, section: Section, seen: Seen) -> bytes | None:
    """The payload of a section, coded anew; None where that is the work of another library."""
    reader = reader_of(data)
    if section.neural:
        around, _ = codec.unwrap(reader, section.name) if section.name != SHARED else (layers.Layers(), b"")
        front = b"" if around.plain else layers.pack(around)
        coder = Encoder(codec.tables)
        for step in seen.steps.get(section.name, []):
            coder.put(*step)
        return front + coder.finish()
    if section.coding == "labels" and reader.payload(section.name)[0] != ZSTD:
        return encode_labels(seen.images[section.name])
    return None


def test_every_coding_has_a_golden_file() -> None:
    files = determinism.restore(make.HERE / make.SMALL)[1]
    sections = [s for data in files.values() for s in reader_of(data).header.sections]
    assert {s.coding for s in sections} == set(CODINGS)
    assert {s.dtype for s in sections} == set(DTYPES)
    assert {s.range is None for s in sections} == {s.quality is None for s in sections} == {True, False}


# --- the container -------------------------------------------------------------------------------


def described(name: str, coding: str, dtype: str = "uint8", quality: int | None = None,
              limits: tuple[float, float] | None = None) -> Section:  # fmt: skip
    return Section(name, coding, dtype, quality, limits, 0, 0)


Z = "z" * 31
EVERYTHING = Header("a1b2c3d4e5f607", 1 << 20, 256, 2048, (
    described(SHARED, "neural"),
    described("rgb", "neural", "uint16"),
    described("depth", "layered", "float32", 0, (0.25, 1e9)),
    described("normal", "layered", "uint8", 2047),
    described("semantic", "labels", "uint16"),
    described("a", "stepped", "uint16", None, (1, 65534)),
    described(Z, "raw", "float64"),
    described("b_9", "classical", "float64", None, (-1.5, 0.0)),
    described("_c", "classical"),
))  # fmt: skip
CONTENTS = {SHARED: b"s", "rgb": bytes(range(130)), "depth": b"d\0", "normal": b"", "semantic": b"ids",
            "a": b"\1", Z: b"raw", "b_9": b"\1\2", "_c": b"c"}  # fmt: skip
VERSION_1 = f"""
4d5443 01 a1b2c3d4e5f607 808040 8002 0008 09
00 00 01 9bd72e0f
01 01 8201 2fe66e78
02 d2 0000 0000803e286b6e4e 02 f9d596b7
03 90 ff07 00 b18e7b58
04 09 03 f4a1f712
ff 01 61 59 0100feff 01 8bc725b1
ff 1f {"7a" * 31} 23 03 39dd9e78
ff 03 625f39 6b 0000c0bf00000000 02 cef1d746
ff 02 5f63 28 01 ffc79912
0fef497e
73 {bytes(range(130)).hex()} 6400 696473 01 726177 0102 63
"""


def test_bytes_of_a_container_of_every_field() -> None:
    """Version 1: every coding, dtype and kind of range; qualities and names of their own; long lengths."""
    data = bytes.fromhex(VERSION_1)
    assert container.build(EVERYTHING, CONTENTS) == data
    reader = reader_of(data)
    assert {name: reader.payload(name) for name in CONTENTS} == CONTENTS
    assert container.build(reader.header, CONTENTS) == data


# --- the tool that makes them --------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    root = tmp_path / "golden"
    shutil.copytree(make.HERE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_entries_of_unchanged_weights_are_kept(copied: Path) -> None:
    assert make.problems(copied) == {}
    make.main([], copied)
    with pytest.raises(SystemExit, match="its weights have not changed"):
        make.main(["clevr"], copied)
    with pytest.raises(SystemExit, match="not one of"):
        make.main(["nonsense"], copied)
    before = (copied / "clevr" / "digests.json").read_bytes()
    make.main(["clevr", "--force"], copied)
    assert (copied / "clevr" / "digests.json").stat().st_size == len(before)


def test_what_is_missing_superfluous_or_of_other_weights_is_told_and_mended(copied: Path) -> None:
    (copied / "clevr" / "scene.mtc").unlink()
    (copied / "clevr-single" / "digests.json").unlink()
    (copied / "clevr-shared" / "more.mtc").touch()
    (copied / "stranger").mkdir()
    record = json.loads((copied / "general" / "digests.json").read_text())
    (copied / "general" / "digests.json").write_text(json.dumps({**record, "fingerprint": "00" * 7}))
    assert make.problems(copied) == {
        "clevr": "lacks files, or has too many",
        "clevr-shared": "lacks files, or has too many",
        "clevr-single": "is missing",
        "general": "is of other weights",
        "stranger": "belongs to no weights",
    }
    make.main(["clevr"], copied)
    assert "clevr" not in make.problems(copied)
    make.main([], copied)
    assert make.problems(copied) == {}
