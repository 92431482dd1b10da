"""Any header that the format allows, for tests of properties."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from mtcodec.container.cursor import MAX_SIGNED
from mtcodec.container.frames import MAX_RATE, Frames, is_name
from mtcodec.container.header import NO_WEIGHTS, Header
from mtcodec.container.section import (
    ATTACHMENTS,
    CODINGS,
    DEFAULT_RANGES,
    DTYPES,
    IMAGE,
    MAX_PIXELS,
    MAX_SIDE,
    NOTES,
    SHARED,
    STRUCT_FORMATS,
    TASK_NAMES,
    Attributes,
    Section,
    Size,
    mask_name,
)
from mtcodec.tasks.task import RESERVED

FLOATS = ("float16", "float32", "float64")
LEVEL = 2048  # of headers with weights; streams of their own level have a lower one
KNOWN = tuple(TASK_NAMES.values())
CUSTOM = st.from_regex(r"[a-z_][a-z0-9_]{0,30}", fullmatch=True).filter(
    lambda name: name not in KNOWN and not RESERVED.fullmatch(name)
)
FRAME_NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(is_name)


# --- frames --------------------------------------------------------------------------------------------


@st.composite
def _names(draw: st.DrawFn, count: int) -> tuple[str, ...]:
    if draw(st.booleans()):
        return tuple(draw(st.lists(FRAME_NAMES, unique=True, min_size=count, max_size=count)))
    prefix, width = draw(FRAME_NAMES | st.just("")), draw(st.integers(1, 9))
    first, step = draw(st.integers(0, 10**9 - 1)), draw(st.integers(1, 10**6))
    return tuple(f"{prefix}{first + step * i:0{width}}" for i in range(count))


@st.composite
def frames(draw: st.DrawFn) -> Frames | None:
    """Names and times of 1 to 64 frames; those of a scene, None, as often."""
    if draw(st.booleans()):
        return None
    count = draw(st.sampled_from([1, 2, 3, 8, 9, 64]))
    names = draw(_names(count))
    rate = draw(st.sampled_from([0, 1, 30, 1000, MAX_RATE]))
    if not rate:
        return Frames(names)
    start = draw(st.integers(-MAX_SIGNED, MAX_SIGNED // 2))
    step = st.integers(0, draw(st.sampled_from([1, 1001, MAX_SIGNED >> 8])))
    steps = [draw(step)] * (count - 1) if draw(st.booleans()) else [draw(step) for _ in range(count - 1)]
    return Frames(names, rate, tuple(start + sum(steps[:i]) for i in range(count)))


# --- sections ------------------------------------------------------------------------------------------


@st.composite
def sizes(draw: st.DrawFn, frame_count: int) -> Size:
    """Height and width of images that a group may hold so many of."""
    most = MAX_PIXELS // frame_count
    height = draw(st.sampled_from([1, 1, 3, 256]) | st.integers(1, min(MAX_SIDE, most)))
    return height, draw(st.sampled_from([1]) | st.integers(1, min(MAX_SIDE, most // height)))


@st.composite
def _ranges(draw: st.DrawFn, dtype: str) -> tuple[float, float]:
    bits = 8 * struct.calcsize(STRUCT_FORMATS[dtype])
    if dtype in FLOATS:
        values = st.floats(width=min(bits, 32), allow_nan=False, allow_infinity=False)
    else:
        info = np.iinfo(dtype)
        values = st.integers(max(int(info.min), -(2**53)), min(int(info.max), 2**53))
    low, high = sorted((draw(values), draw(values)))
    return (low, high - 1) if (low, high) == DEFAULT_RANGES.get(dtype) else (low, high)


@st.composite
def _values(draw: st.DrawFn, coding: str) -> Attributes:
    """How samples of a task of a coding stand for values."""
    dtype, channels = draw(st.sampled_from(DTYPES)), draw(st.integers(1, 16))
    if coding == "raw":
        return Attributes(dtype, channels)
    if coding == "labels":
        dtype, channels = draw(st.sampled_from([d for d in DTYPES if d not in FLOATS])), 1
    elif dtype == "bool":
        dtype = "uint8"
    attributes = Attributes(dtype, channels)
    if dtype not in DEFAULT_RANGES or (dtype != "bool" and draw(st.booleans())):
        attributes = replace(attributes, range=draw(_ranges(dtype)))
    if coding in ("neural", "classical"):
        limits = attributes.range
        if limits is not None and limits[0] > 0 and draw(st.booleans()):
            attributes = replace(attributes, mapping="logarithmic")
        elif draw(st.booleans()) and (limits is None or dtype in FLOATS):
            limits = (-1.0, 1.0) if dtype in FLOATS else None
            attributes = replace(attributes, unit_vectors=True, channels=3, range=limits)
    if coding == "neural":
        attributes = replace(attributes, level=draw(st.none() | st.integers(0, LEVEL - 1)))
    return attributes


def _shapes(attributes: Attributes, coding: str, size: Size) -> list[str]:
    """What arrays of such a section may be."""
    if attributes.channels > 1:
        return [IMAGE]
    numbers = ["table"] + ["row"] * (size[0] == 1) + ["number"] * (size == (1, 1))
    return [IMAGE, "channel", *(numbers if coding == "raw" else ())]


@st.composite
def _task(draw: st.DrawFn, name: str, size: Size, other_sizes: list[Size], moments: Frames | None) -> Section:
    """A section that needs nothing yet; with values of holes it is to need a mask."""
    coding = draw(st.sampled_from(CODINGS))
    attributes = draw(_values(coding))
    if coding != "neural" and other_sizes and draw(st.booleans()):
        attributes = replace(attributes, size=draw(st.sampled_from(other_sizes)))
    shape = draw(st.sampled_from(_shapes(attributes, coding, attributes.size or size)))
    attributes = replace(attributes, shape=shape)
    if coding not in ("labels", "raw") and draw(st.booleans()):
        count = attributes.pixel_bytes * draw(st.integers(1, 16))
        attributes = replace(attributes, hole_values=draw(st.binary(min_size=count, max_size=count)))
    count = 1 if moments is None else len(moments)
    if count > 1 and draw(st.booleans()):
        present = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
        attributes = replace(attributes, frames=tuple(sorted(present)))
        count = len(present)
    if moments is not None and moments.rate and draw(st.booleans()):
        delays = draw(st.lists(st.integers(-MAX_SIGNED, MAX_SIGNED), min_size=count, max_size=count))
        attributes = replace(attributes, delays=tuple(delays) if any(delays) else None)
    return Section(name, coding, attributes)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """Any header, without lengths and checksums."""
    moments = draw(frames())
    frame_count = 1 if moments is None else len(moments)
    size = draw(sizes(frame_count))
    other_sizes = [s for s in draw(st.lists(sizes(frame_count), max_size=3)) if s != size]
    names = draw(st.lists(st.sampled_from(KNOWN) | CUSTOM, unique=True, min_size=1, max_size=9))
    tasks = [draw(_task(name, size, other_sizes, moments)) for name in names]
    if all(task.attributes.size for task in tasks):
        tasks.append(Section("last", "raw", Attributes()))
    is_neural = any(task.is_neural for task in tasks)
    sections = draw(_needed(tasks))
    sections += [Section(name, "raw", Attributes()) for name in (NOTES, ATTACHMENTS) if draw(st.booleans())]
    fingerprint = draw(st.binary(min_size=4, max_size=4)).hex() if is_neural else NO_WEIGHTS
    header = Header(fingerprint, *size, LEVEL if is_neural else 0, tuple(sections), moments)
    return header.with_smallest_rate()


@st.composite
def _needed(draw: st.DrawFn, tasks: list[Section]) -> list[Section]:
    """Tasks with what they need, before them: a shared section, masks of the same size."""
    uses_shared = [task.is_neural and draw(st.booleans()) for task in tasks]
    used: dict[tuple[Size | None, int], str] = {}
    described = []
    for task, shared in zip(tasks, uses_shared):
        needs: tuple[str, ...] = (SHARED,) if shared else ()
        if task.attributes.hole_values:
            mask = task.attributes.size, draw(st.integers(0, 2))
            needs += (used.setdefault(mask, mask_name(len(used))),)
        described.append(replace(task, needs=needs))
    before = [Section(SHARED, "neural", Attributes())] if any(uses_shared) else []
    before += [Section(name, "labels", Attributes("uint8", 1, size=size)) for (size, _), name in used.items()]
    return before + described
