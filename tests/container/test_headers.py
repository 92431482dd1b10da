"""Any header comes back, and has one form of bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from shared.headers import headers
from shared.targets import sealed

from mtcodec.container.header import MAX_HEADER, Header, pack, parse
from mtcodec.container.mtc import Reader, build, extract
from mtcodec.errors import FormatError

MANY = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.fuzz


def _payloads(data: bytes) -> dict[str, bytes]:
    reader = Reader(io.BytesIO(data))
    return {s.name: reader.payload(s.name) for s in reader.header.sections}


@MANY
@given(headers(), st.data())
def test_any_group_comes_back(header: Header, data: st.DataObject) -> None:
    length = st.sampled_from([0, 1, 200, 5000])
    contents = {s.name: data.draw(st.binary(max_size=9)) * data.draw(length) for s in header.sections}
    file = build(header, contents)
    assume(len(pack(header)) < MAX_HEADER - 1000)
    back = parse(file)
    assert replace(back, size=0, sections=()) == replace(header, sections=())
    assert back.file_size == len(file)
    assert _payloads(file) == contents
    for before, after in zip(header.sections, back.sections, strict=True):
        assert replace(after, length=0, checksum=0, offset=0) == before
        assert file[after.offset : after.offset + after.length] == contents[before.name]
    assert build(back, contents) == file


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with one or two places changed: a bit, a byte, one more, one less, two that change places."""
    for _ in range(draw(st.integers(1, 2))):
        at, byte = draw(st.integers(3, len(data) - 1)), draw(st.integers(0, 255))
        how = draw(st.sampled_from(["flip", "flip", "set", "insert", "delete", "swap"]))
        if how == "flip":
            byte = data[at] ^ 1 << byte % 8
        middle = {"insert": bytes([byte, data[at]]), "delete": b"", "swap": data[at : at + 2][::-1]}
        data = data[:at] + middle.get(how, bytes([byte])) + data[at + (2 if how == "swap" else 1) :]
    return data


@settings(MANY, max_examples=700)
@given(st.data())
def test_no_other_bytes_say_the_same(data: st.DataObject) -> None:
    """Whatever else is read is a header whose one form these bytes are."""
    packed = pack(data.draw(headers()))
    other = sealed(data.draw(changed(packed[:-2])))
    try:
        header = parse(other)
    except FormatError:
        return
    assert pack(header) == other[: header.size]


@MANY
@given(headers(), st.data())
def test_any_tasks_are_extracted(header: Header, data: st.DataObject) -> None:
    """Their frames, sizes, shapes, holes and times stay; what no other task needs is gone."""
    header = replace(header, sections=tuple(s for s in header.sections if s.name != "notes"))
    file = build(header, {s.name: s.name.encode() for s in header.sections})
    assume(len(pack(header)) < MAX_HEADER)
    before = parse(file)
    names = data.draw(st.sets(st.sampled_from(before.tasks), min_size=1))
    part = extract(Reader(file), names)
    after = parse(part)
    assert after.tasks == tuple(name for name in before.tasks if name in names)
    assert after.frame_count == before.frame_count
    for name in after.tasks:
        old, new = before.task(name), after.task(name)
        assert after.size_of(name) == before.size_of(name) and after.frames_of(name) == before.frames_of(name)
        unsized = {"size": None, "delays": None}
        assert replace(new.attributes, **unsized) == replace(old.attributes, **unsized)
        assert _times(after, name) == _times(before, name)
        assert len(new.needs) == len(old.needs)
        for now, then in zip(new.needs, old.needs):
            assert after.size_of(now) == before.size_of(then)
            assert Reader(part).payload(now) == then.encode()
        assert Reader(part).payload(name) == name.encode()
    assert extract(Reader(part), after.tasks) == part


def _times(header: Header, name: str) -> list[Fraction]:
    if header.frames is None or not header.frames.rate:
        return []
    frames, delays = header.frames, header.task(name).attributes.delays
    numbers = header.frames_of(name)
    ticks = [frames.ticks[n] + delay for n, delay in zip(numbers, delays or [0] * len(numbers))]
    return [Fraction(tick, frames.rate) for tick in ticks]
