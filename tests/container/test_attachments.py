"""Files beside the images: the bytes of their section, what may be kept, and damaged or hostile sections."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtcodec
from mtcodec.bitstreams import zstd
from mtcodec.container import attachments
from mtcodec.container.cursor import varint
from mtcodec.container.header import parse
from mtcodec.container.mtc import Reader, build, split
from mtcodec.container.section import ATTACHMENTS
from mtcodec.errors import SectionError, UsageError

IDS = np.arange(12, dtype=np.uint8).reshape(3, 4)
FILES = {"camera.json": b'{"fx": 500}', "pose.txt": b"", "K.npy": bytes(range(200)) * 3}


def file(**settings: object) -> bytes:
    return mtcodec.encode({"semantic": IDS}, **settings)


def frame(raw: bytes, size: int | None = None) -> bytes:
    return varint(len(raw) if size is None else size) + zstd.encode_frame(raw, 3)


def entry(name: str, content: bytes = b"x") -> bytes:
    return bytes([len(name)]) + name.encode() + varint(len(content)) + content


def test_the_bytes_of_a_section() -> None:
    raw = b"\x05a.txt\x03abc\x0bcamera.json\x00"
    assert attachments.pack({"camera.json": b"", "a.txt": b"abc"}) == varint(23) + zstd.encode_frame(raw, 19)
    section = parse(file(attach={"a.txt": b"abc"})).section(ATTACHMENTS)
    assert section is not None and section.coding == "raw" and not section.is_task


def test_files_come_back_and_cost_nothing_where_there_are_none() -> None:
    data, without = file(attach=FILES), file()
    assert mtcodec.attachments(data) == FILES and mtcodec.attachments(without) == {}
    assert file(attach={}) == without and len(data) > len(without)
    assert np.array_equal(mtcodec.decode(data)["semantic"], IDS)
    assert mtcodec.info(data)["files"] == [
        {"name": name, "bytes": len(FILES[name])} for name in ("K.npy", "camera.json", "pose.txt")
    ]
    assert mtcodec.info(without)["files"] == []


def test_parts_of_a_file_keep_them() -> None:
    data = mtcodec.encode({"semantic": IDS, "instance": IDS}, attach=FILES)
    part = mtcodec.extract(data, "instance")
    assert mtcodec.attachments(part) == FILES and list(mtcodec.decode(part)) == ["instance"]


@pytest.mark.fuzz
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}", fullmatch=True),
        st.binary(max_size=999),
        min_size=1,
    )
)
def test_any_files_come_back(files: dict[str, bytes]) -> None:
    if attachments.problem(files, []):
        return
    assert attachments.parse(attachments.pack(files), []) == files


WRONG = {
    "a path": ({"a/b.txt": b""}, "not a plain file name: 'a/b.txt'"),
    "the parent": ({"..": b""}, "not a plain file name"),
    "hidden": ({".bashrc": b""}, "not a plain file name"),
    "an option": ({"-rf": b""}, "not a plain file name"),
    "a backslash": ({"a\\b": b""}, "not a plain file name"),
    "no name": ({"": b""}, "not a plain file name"),
    "a newline": ({"a\n": b""}, "not a plain file name"),
    "letters beyond ASCII": ({"é.txt": b""}, "not a plain file name"),
    "a long name": ({"a" * 101: b""}, "not a plain file name"),
    "an image": ({"semantic.png": b""}, "semantic.png is what an image of the scene is called"),
    "an array": ({"Semantic.NPY": b""}, "Semantic.NPY is what an image of the scene is called"),
    "alike but for case": ({"a.txt": b"", "A.txt": b""}, "two files are called alike: A.txt, a.txt"),
    "too large": ({"a": bytes(60000), "b": bytes(5537)}, "of 65536 bytes in all"),
    "too many": ({f"{k}": b"" for k in range(65)}, "at most 64"),
    "text": ({"a.txt": "text"}, "attached file 'a.txt' is not bytes but str"),
}


@pytest.mark.parametrize(("files", "reason"), WRONG.values(), ids=WRONG)
def test_refuses_files(files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(UsageError, match=reason.replace("\\", "\\\\").replace(".", r"\.")):
        file(attach=files)


def test_the_largest_that_can_be() -> None:
    files = {f"{k:a>100}": bytes(1024) for k in range(64)}
    assert mtcodec.attachments(file(attach=files)) == files


HOSTILE = {
    "empty": (b"", "the section ends within it"),
    "no files": (frame(b""), "files: damaged zstd frame"),
    "a size beyond the limit": (frame(b"x", 72193), "its size is out of range"),
    "a larger size": (frame(entry("a"), 100), "files: zstd frame"),
    "a smaller size": (frame(entry("a"), 2), "files: "),
    "a bomb": (varint(100) + zstd.encode_frame(bytes(10**7), 3), "files: "),
    "bytes after the frame": (frame(entry("a")) + b"\0", "files: "),
    "not a frame": (varint(9) + b"\0\0\0\0", "files: "),
    "a name without end": (frame(b"\x20abc"), "a file ends after the section"),
    "a file without end": (frame(b"\x01a\x20abc"), "a file ends after the section"),
    "out of order": (frame(entry("b") + entry("a")), "names out of order"),
    "twice": (frame(entry("a") + entry("a")), "names out of order"),
    "alike but for case": (frame(entry("A") + entry("a")), "two files are called alike"),
    "a path": (frame(entry("../../x")), "not a plain file name"),
    "an absolute path": (frame(entry("/etc/x")), "not a plain file name"),
    "no name": (frame(entry("")), "not a plain file name"),
    "an image": (frame(entry("semantic.png")), "is what an image of the scene is called"),
    "too many": (frame(b"".join(entry(f"{k:03}") for k in range(65))), "at most 64"),
    "too large": (frame(entry("a", bytes(65536)) + entry("b", b"x")), "65536 bytes in all"),
    "a length in another form": (frame(b"\x01a\x81\x00x"), "out of range"),
}


@pytest.mark.parametrize(("payload", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_sections_are_refused_and_cost_nothing_else(payload: bytes, reason: str) -> None:
    data = file(attach=FILES)
    forged = build(parse(data), split(data)[1] | {ATTACHMENTS: payload})
    with pytest.raises(SectionError, match="section files: damaged files: ") as caught:
        mtcodec.attachments(forged)
    assert reason in str(caught.value)
    assert mtcodec.info(forged)["files"] == [] and np.array_equal(mtcodec.decode(forged)["semantic"], IDS)


def test_every_flipped_bit_is_told() -> None:
    data = bytearray(file(attach={"a.txt": b"abc"}))
    start = len(data) - len(attachments.pack({"a.txt": b"abc"}))
    for at in range(start * 8, len(data) * 8):
        data[at // 8] ^= 1 << at % 8
        with pytest.raises(SectionError):
            attachments.read(Reader(io.BytesIO(bytes(data))))
        data[at // 8] ^= 1 << at % 8
