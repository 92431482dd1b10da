"""Sections of every coding as a file's reader sees them: what was encoded comes back, and whatever else a
payload may be ends in an image of the declared shape and dtype, or in a SectionError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shared.sections import file_of, read, with_payload

from mtcodec import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.coders import bounded, classical, coding_modes, labels, near_lossless, raw
from mtcodec.coders.candidate import Candidate
from mtcodec.coders.coding_modes import CODING_MODES, CodingMode
from mtcodec.container.header import parse
from mtcodec.container.mtc import build, split
from mtcodec.container.section import Attributes
from mtcodec.errors import FormatError, SectionError
from mtcodec.signals.mapping import ValueRange
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import DTYPES, FLOATS, INTEGERS, USUAL, Task, declare

Image = NDArray[np.generic]
RGB, DEPTH, NORMAL, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "normal", "semantic"))


def bound_of(signal: Signal) -> float:
    """A fiftieth of what the image spans."""
    return signal.pixel_format.value_range.span / 50


def encode_bounded(signal: Signal) -> Candidate:
    return bounded.encode(signal, bound_of(signal))


def encode_quantised(signal: Signal) -> Candidate:
    """Quantised between the lowest and the highest value that is no hole."""
    scale = ValueRange(signal.pixel_format.value_range.low, signal.pixel_format.value_range.high)
    coded = near_lossless.encode_uniform(
        signal, signal.filled, scale, bound_of(signal) or 1.0, signal.pixel_format.holes, "normal"
    )
    assert coded is not None
    return coded


def encode_classical(way: CodingMode) -> Callable[[Signal], Candidate]:
    setting = 90.0 if way.codec == "av1" else 0.3

    def encode(signal: Signal) -> Candidate:
        own = (
            way if coding_modes.supports(way, signal) else CODING_MODES[0]
        )  # images of vectors of other lengths
        return classical.encode(signal, own, setting, "draft")

    return encode


def encode_labels(signal: Signal) -> Candidate:
    coded = labels.encode(signal)
    assert coded is not None
    return coded


@dataclass(frozen=True)
class Kind:
    """A way to encode a section.

    Attributes:
        images: task and dtype of what it is for.
        exact: every bit comes back.
    """

    encode: Callable[[Signal], Candidate]
    images: tuple[tuple[Task, str], ...]
    exact: bool = False


PICTURES = (RGB, DEPTH, NORMAL, declare("albedo", "image"))
INTEGER = tuple((t, d) for t in PICTURES for d in t.kind.dtypes if d in INTEGERS)
FLOAT = tuple((t, d) for t in PICTURES for d in t.kind.dtypes if d in FLOATS)
VECTORS = tuple((NORMAL, d) for d in NORMAL.kind.dtypes)
DATA = tuple((Task("data", "data", c, DTYPES), d) for c in (1, 2, 3) for d in DTYPES if d != "bool")
KINDS = {
    "labels": Kind(encode_labels, tuple((SEMANTIC, d) for d in SEMANTIC.dtypes), True),
    "raw": Kind(raw.encode, DATA + FLOAT, True),
    "lossless": Kind(bounded.encode, DATA + INTEGER + FLOAT, True),
    "bounded": Kind(encode_bounded, INTEGER + FLOAT),
    "holes": Kind(encode_quantised, INTEGER + FLOAT),
    **{
        way.name: Kind(encode_classical(way), VECTORS if way.projected else INTEGER + FLOAT)
        for way in CODING_MODES
    },
}


@st.composite
def images(draw: st.DrawFn, task: Task, dtype: str) -> Image:
    """Images of a few pixels: of one value, smooth or noise, with and without holes; also of one row."""
    size = draw(st.sampled_from([(1, 1), (1, 33), (33, 1), (8, 8), (5, 17), (20, 13)]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = size if task.channels == 1 else (*size, task.channels)
    rows = np.arange(size[0])[:, None] + np.arange(size[1]) * 0.5
    smooth = np.broadcast_to(rows if task.channels == 1 else rows[..., None], shape) / 64
    shares = draw(st.sampled_from([np.full(shape, 0.25), smooth, rng.random(shape)]))
    floats = dtype in FLOATS
    top = 60.0 if floats else 1.0 if dtype == "bool" else min(float(np.iinfo(dtype).max), 60000.0)
    image = np.rint(shares * draw(st.sampled_from([1.0, 0.01])) * top) if not floats else shares * top
    image = image.astype(dtype)
    if draw(st.booleans()):
        image[rng.random(size) < 0.3] = draw(st.sampled_from([0.0, float("nan")])) if floats else 0
    return image


@st.composite
def mutations(draw: st.DrawFn, payload: bytes) -> bytes:
    """``payload`` cut off, with a bit flipped, or with bytes put in; or any bytes."""
    at = draw(st.integers(0, max(0, len(payload) - 1)))
    how = draw(st.sampled_from(["cut", "flip", "flip", "flip", "insert", "any", "front"]))
    if how == "cut" or (how == "flip" and not payload):
        return payload[:at]
    if how == "flip":
        return payload[:at] + bytes([payload[at] ^ 1 << draw(st.integers(0, 7))]) + payload[at + 1 :]
    noise = draw(st.binary(max_size=40))
    return {"insert": payload[:at] + noise + payload[at:], "front": payload[:3] + noise}.get(how, noise)


def survives(decode: Callable[[], Image], size: tuple[int, ...], dtype: str, name: str) -> None:
    """An image of that shape and dtype, or an error that names the section."""
    try:
        image = decode()
    except SectionError as error:
        assert error.section == name and name in str(error)
    else:
        assert image.shape == size and image.dtype == dtype


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(QUICK, max_examples=200)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
@QUICK
@given(st.data())
def test_images_come_back(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    signal = Signal.from_image(task, image)
    coded = kind.encode(signal)
    back = read(file_of({task.name: coded}, image.shape[:2]), task.name)
    assert (back.shape, back.dtype) == (image.shape, image.dtype)
    assert coded.decoded().tobytes() == back.tobytes()
    if kind.exact:
        assert back.tobytes() == image.tobytes()
        return
    if signal.valid is not None:
        assert back[~signal.valid].tobytes() == image[~signal.valid].tobytes()
    assert measure(signal, back)["psnr"] > 20


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
@MANY
@given(st.data())
def test_mutated_payloads_are_images_or_errors(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    file = file_of({task.name: kind.encode(Signal.from_image(task, image))}, image.shape[:2])
    target = data.draw(st.sampled_from(sorted(split(file)[1])))  # the section of holes among them
    forged = with_payload(file, target, data.draw(mutations(split(file)[1][target])))
    survives(lambda: read(forged, task.name), image.shape, dtype, task.name)


@st.composite
def attributes(draw: st.DrawFn, own: Attributes) -> Attributes:
    """Attributes of another dtype, channels, range or mapping; some say what no header may."""
    dtype = draw(st.sampled_from([own.dtype, *DTYPES]))
    low, high = sorted((draw(st.integers(0, 300)), draw(st.integers(0, 65000))))
    if dtype in INTEGERS:
        low, high = (min(value, int(np.iinfo(dtype).max)) for value in (low, high))
    limits = draw(st.sampled_from([own.range if dtype == own.dtype else None, None, (low, high)]))
    return replace(
        own,
        dtype=dtype,
        channels=draw(st.sampled_from([own.channels, 1, 2, 3])),
        range=None if dtype == "bool" else limits,
        mapping=draw(st.sampled_from(["linear", "logarithmic"])),
        unit_vectors=draw(st.booleans()),
        hole_values=b"",
    )


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
@MANY
@given(st.data())
def test_payloads_under_another_header_are_images_or_errors(name: str, data: st.DataObject) -> None:
    """Of another size, dtype, range and so on."""
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    coded = kind.encode(Signal.from_image(task, image))
    header = parse(file_of({task.name: coded}, image.shape[:2]))
    section = header.task(task.name)
    section = replace(section, attributes=data.draw(attributes(section.attributes)), needs=())
    height, width = data.draw(st.sampled_from([image.shape[:2], (8, 8), (image.shape[1], image.shape[0])]))
    try:
        header = replace(header, height=height, width=width, sections=(section,))
        file = build(header, {task.name: coded.payload})
        own = parse(file).task(task.name).attributes
    except FormatError:
        return  # no header can say so
    shape = (height, width) if own.channels == 1 else (height, width, own.channels)
    survives(lambda: read(file, task.name), shape, own.dtype, task.name)


# --- networks ----------------------------------------------------------------------------------------

NEURAL = ("rgb", "depth", "normal")


@pytest.fixture(scope="module")
def neural(small: Codec, scene: Scene) -> Mapping[str, bytes]:
    """Files of networks: without holes, with holes, of one pixel."""
    window = {name: np.ascontiguousarray(scene[name][90:130, 60:140]) for name in ("rgb", "depth", "normal")}
    holes = {name: image.copy() for name, image in window.items()}
    holes["depth"][3:20, 5:30], holes["normal"][9:12] = 0, 128
    single = {name: image[:1, :1] for name, image in window.items()}
    return {
        "plain": small.encode(window, 40),
        "holes": small.encode(holes, 70, task_quality={"depth": 20}),
        "single": small.encode(single, 90),
    }


@pytest.mark.fuzz
@settings(QUICK, max_examples=100)
@given(st.data())
def test_mutated_neural_payloads_cost_their_task_or_all(
    neural: Mapping[str, bytes], small: Codec, data: st.DataObject
) -> None:
    """Damage to the shared section names all tasks, damage to one of the others that one."""
    file = data.draw(st.sampled_from(sorted(neural.values())))
    name = data.draw(st.sampled_from(("shared", *NEURAL)))
    forged = with_payload(file, name, data.draw(mutations(split(file)[1][name])))
    header, lost = parse(forged), list[SectionError]()
    found = small.decode(forged, on_damage=lost.append)
    assert {e.section for e in lost} | set(found) == set(NEURAL)
    assert not {e.section for e in lost} & set(found)
    if name != "shared":
        assert {e.section for e in lost} <= {name}
    for task, image in found.items():
        assert image.dtype == header.task(task).attributes.dtype
        assert image.shape[:2] == (header.height, header.width)


@settings(QUICK, max_examples=30)
@given(st.data())
def test_neural_payloads_of_other_sections_are_images_or_errors(
    neural: Mapping[str, bytes], small: Codec, data: st.DataObject
) -> None:
    """A payload of another task, of another file, of other sizes."""
    file, other = (neural[data.draw(st.sampled_from(sorted(neural)))] for _ in range(2))
    name, source = (data.draw(st.sampled_from(("shared", *NEURAL))) for _ in range(2))
    forged = with_payload(file, name, split(other)[1][source])
    header = replace(parse(forged), height=data.draw(st.integers(1, 130)))
    forged, lost = build(header, split(forged)[1]), list[SectionError]()
    found = small.decode(forged, on_damage=lost.append)
    assert {e.section for e in lost} | set(found) == set(NEURAL)
    assert all(image.shape[:2] == (header.height, header.width) for image in found.values())
