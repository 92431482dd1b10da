"""Sections of every coding as a file's reader sees them: what was encoded comes back, and whatever else a
payload may be ends in an image of the declared shape and dtype, or in a SectionError.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtcodec.archive import unpack
from mtcodec.bitstreams import labels
from mtcodec.codec.codec import Codec
from mtcodec.coders import classical as picture
from mtcodec.coders import exact, sections
from mtcodec.coders.classical import AV1, AV1_8, AV1_10, JXL_8, JXL_16, Way
from mtcodec.coders.exact import Coded
from mtcodec.errors import FormatError, SectionError
from mtcodec.files.scene import Scene
from mtcodec.format.container import Header, Parts, Reader, Section, build, parse_header, split
from mtcodec.signal import layers
from mtcodec.signal.measures import errors
from mtcodec.tasks import task as tasks
from mtcodec.tasks.task import DEPTH, NORMAL, RGB, SEMANTIC, Task

Image = NDArray[np.generic]


def bound_of(image: Image) -> float:
    """A fiftieth of what the image spans."""
    finite = image[np.isfinite(image)].astype(np.float64)
    return float(np.ptp(finite)) / 50 if finite.size else 0.0


def encode_lossless(task: Task, image: Image) -> Coded:
    return exact.encode(task, image, 0.0)


def encode_bounded(task: Task, image: Image) -> Coded:
    return exact.encode(task, image, bound_of(image))


def encode_layered(task: Task, image: Image) -> Coded:
    """Stepped between the lowest and the highest value that is no hole."""
    prepared = layers.prepare(task, image)
    holes = layers.Layers(holes=prepared.layers.holes)
    linear = layers.Range(prepared.scale.low, prepared.scale.high)
    return exact._encode_steps(task, layers.Prepared(prepared.image, linear, holes), bound_of(image) or 1.0)


def encode_classical(way: Way) -> Callable[[Task, Image], Coded]:
    def encode(task: Task, image: Image) -> Coded:
        prepared = layers.prepare(task, image)
        setting = 90 if way.codec == AV1 else 0.3
        payload = picture.encode(prepared, way, setting, 9 if way.codec == AV1 else 3)
        return "classical", picture.limits_of(task, prepared), payload

    return encode


def encode_labels(task: Task, image: Image) -> Coded:
    return "labels", None, labels.encode_labels(image)


@dataclass(frozen=True)
class Kind:
    """A way to encode a section.

    Attributes:
        images: task and dtype of what it is for.
        exact: every bit comes back.
    """

    encode: Callable[[Task, Image], Coded]
    images: tuple[tuple[Task, str], ...]
    exact: bool = False


INTEGERS = tuple((t, d) for t in (RGB, DEPTH, NORMAL) for d in t.dtypes if d.startswith("uint"))
FLOATS = ((DEPTH, "float32"), (DEPTH, "float64"))
KINDS = {
    "labels": Kind(encode_labels, ((SEMANTIC, "uint8"), (SEMANTIC, "uint16")), True),
    "raw": Kind(encode_lossless, FLOATS, True),
    "lossless": Kind(encode_lossless, INTEGERS, True),
    "bounded": Kind(encode_bounded, INTEGERS + FLOATS),
    "holes": Kind(encode_layered, INTEGERS + FLOATS),
    "av1-8": Kind(encode_classical(AV1_8), INTEGERS + FLOATS),
    "av1-10": Kind(encode_classical(AV1_10), INTEGERS + FLOATS),
    "jxl-8": Kind(encode_classical(JXL_8), INTEGERS + FLOATS),
    "jxl-16": Kind(encode_classical(JXL_16), INTEGERS + FLOATS),
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
    top = 60.0 if dtype.startswith("float") else float(np.iinfo(dtype).max)
    image = (shares * draw(st.sampled_from([1.0, 0.01])) * top).astype(dtype)
    if draw(st.booleans()):
        image[rng.random(size) < 0.3] = draw(st.sampled_from([0.0, float("nan")])) if top == 60.0 else 0
    return image


def file_of(task: Task, image: Image, coded: Coded) -> bytes:
    coding, limits, payload = coded
    section = Section(task.name, coding, image.dtype.name, None, limits, 0, 0)
    return build(Header("00" * 7, *image.shape[:2], 0, (section,)), {task.name: payload})


def read(file: bytes, name: str) -> Image:
    return sections.read(Reader(io.BytesIO(file)), name)


def with_payload(file: bytes, name: str, payload: bytes) -> bytes:
    """``file`` with another payload, under right checksums."""
    return build(parse_header(file), split(file)[1] | {name: payload})


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


@pytest.mark.parametrize("name", KINDS)
@QUICK
@given(st.data())
def test_images_come_back(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    file = file_of(task, image, kind.encode(task, image))
    back = read(file, task.name)
    assert (back.shape, back.dtype) == (image.shape, image.dtype)
    if kind.exact:
        assert back.tobytes() == image.tobytes()
        return
    holes = layers.pits.find(task, image)
    if holes is not None:
        assert back[~holes.valid].tobytes() == image[~holes.valid].tobytes()
    if holes is None or holes.valid.any():
        assert errors(task, image, back)["psnr"] > 20


@pytest.mark.parametrize("name", KINDS)
@MANY
@given(st.data())
def test_mutated_payloads_are_images_or_errors(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    file = file_of(task, image, kind.encode(task, image))
    payload = data.draw(mutations(split(file)[1][task.name]))
    forged = with_payload(file, task.name, payload)
    survives(lambda: read(forged, task.name), image.shape, dtype, task.name)


@pytest.mark.parametrize("name", KINDS)
@QUICK
@given(st.data())
def test_payloads_under_another_header_are_images_or_errors(name: str, data: st.DataObject) -> None:
    """Of another size, dtype, task or range."""
    kind = KINDS[name]
    task, dtype = data.draw(st.sampled_from(kind.images))
    image = data.draw(images(task, dtype))
    coding, limits, payload = kind.encode(task, image)
    new_task, new_dtype = data.draw(st.sampled_from(INTEGERS + FLOATS))
    low, high = sorted((data.draw(st.integers(0, 300)), data.draw(st.integers(0, 65535))))
    limits = data.draw(st.sampled_from([limits, None, (low, high)]))
    height, width = data.draw(st.sampled_from([image.shape[:2], (8, 8), (image.shape[1], image.shape[0])]))
    section = Section(new_task.name, coding, new_dtype, None, limits, 0, 0)
    try:
        file = build(Header("00" * 7, height, width, 0, (section,)), {new_task.name: payload})
        parse_header(file)
    except FormatError:
        return  # no header can say so
    channels = 1 if coding == "labels" else new_task.channels
    shape = (height, width) if channels == 1 else (height, width, channels)
    survives(lambda: read(file, new_task.name), shape, new_dtype, new_task.name)


# --- networks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def neural(small: Codec, scene: Scene) -> Mapping[str, bytes]:
    """Files of networks: without holes, with holes and layers, of one pixel."""
    window = {name: np.ascontiguousarray(scene[name][90:130, 60:140]) for name in ("rgb", "depth", "normal")}
    holes = {name: image.copy() for name, image in window.items()}
    holes["depth"][3:20, 5:30], holes["normal"][9:12] = 0, 128
    single = {name: image[:1, :1] for name, image in window.items()}
    return {
        "plain": small.encode(window, 40),
        "holes": small.encode(holes, 70, {"depth": 20}),
        "single": small.encode(single, 90),
    }


@settings(QUICK, max_examples=100)
@given(st.data())
def test_mutated_neural_payloads_cost_their_task_or_all(
    neural: Mapping[str, bytes], small: Codec, data: st.DataObject
) -> None:
    """Damage to the shared section names all tasks, damage to one of the others that one."""
    file = data.draw(st.sampled_from(sorted(neural.values())))
    name = data.draw(st.sampled_from(("shared", *small.tasks)))
    forged = with_payload(file, name, data.draw(mutations(split(file)[1][name])))
    header, lost = parse_header(forged), list[SectionError]()
    found = small.decode(forged, on_damage=lost.append)
    assert {e.section for e in lost} | set(found) == set(small.tasks)
    assert not {e.section for e in lost} & set(found)
    if name != "shared":
        assert {e.section for e in lost} <= {name}
    for task, image in found.items():
        section = header.section(task)
        assert section is not None and image.dtype == section.dtype
        assert image.shape[:2] == (header.height, header.width)


@settings(QUICK, max_examples=30)
@given(st.data())
def test_neural_payloads_of_other_sections_are_images_or_errors(
    neural: Mapping[str, bytes], small: Codec, data: st.DataObject
) -> None:
    """A payload of another task, of another file, of other sizes."""
    file, other = (neural[data.draw(st.sampled_from(sorted(neural)))] for _ in range(2))
    name, source = (data.draw(st.sampled_from(("shared", *small.tasks))) for _ in range(2))
    forged = with_payload(file, name, split(other)[1][source])
    header = replace(parse_header(forged), height=data.draw(st.integers(1, 130)))
    forged, lost = build(header, split(forged)[1]), list[SectionError]()
    found = small.decode(forged, on_damage=lost.append)
    assert {e.section for e in lost} | set(found) == set(small.tasks)
    assert all(image.shape[:2] == (header.height, header.width) for image in found.values())


# --- found by fuzzers ---------------------------------------------------------------------------------


def test_the_inverse_mapping_of_integers() -> None:
    """Its ends are integers in a header, and one divided by them is not zero."""
    section = Section("depth", "layered", "uint16", None, (1000, 4000), 0, 0)
    around, rest = layers.parse(b"\x01", 1, 3, 1, section)
    planes = np.array([[[0.0, 0.5, 1.0]]], np.float32)
    assert rest == b"" and layers.restore(DEPTH, planes, section, around).tolist() == [[1000, 1600, 4000]]


def test_ranges_beyond_the_dtype_are_refused() -> None:
    for dtype, high, good in (("uint8", 255, True), ("uint8", 256, False), ("uint16", 65535, True)):
        section = Section("depth", "stepped", dtype, None, (0, high), 0, 0)
        file = build(Header("00" * 7, 1, 1, 0, (section,)), {"depth": b""})
        if good:
            assert parse_header(file).sections[0].range == (0, high)
        else:
            with pytest.raises(FormatError, match="range is not valid"):
                parse_header(file)


def test_limits_of_pixels_count_what_networks_pad() -> None:
    """A column of single pixels is 64 times as large to them; to other decoders it is not."""
    for coding, height, width, good in (
        ("neural", 1 << 18, 1, False), ("neural", 1 << 14, 1, True), ("raw", 1 << 18, 1, True),
        ("neural", 512, 512, True), ("neural", 512, 513, False),
    ):  # fmt: skip
        section = Section("depth", coding, "float32", None, (0, 1) if coding == "neural" else None, 0, 0)
        weights = "11" * 7 if coding == "neural" else "00" * 7
        file = build(Header(weights, height, width, 0, (section,)), {"depth": b""})
        if good:
            assert Reader(io.BytesIO(file), 1 << 18).header.height == height
        else:
            with pytest.raises(FormatError, match="more than the limit"):
                Reader(io.BytesIO(file), 1 << 18)


def test_archives_know_the_tasks_that_only_weights_declare(small: Codec) -> None:
    """Their scenes may have no neural section."""
    smell = Task("smell", "image", 1, ("uint8",))
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    header, payloads = split(file_of(smell, image, encode_lossless(smell, image)))
    codec = Codec(small.model, small.tables, small.info, "cpu")
    codec.tasks = {**small.tasks, "smell": smell}
    ((key, found),) = unpack.decode(codec, [("s", Parts(header, payloads))], ["smell"])
    assert key == "s" and np.array_equal(found["smell"], image)


def test_archives_without_weights_refuse_neural_sections(neural: Mapping[str, bytes]) -> None:
    header, payloads = split(neural["plain"])
    with pytest.raises(FormatError, match="scene s: needs networks"):
        list(unpack.decode(None, [("s", Parts(header, payloads))], ["rgb"]))


def test_hole_values_without_a_next_one_are_silent() -> None:
    """Not a number, and the largest of its type."""
    for value in (np.array([0x7F800001], np.uint32).view(np.float32), np.float32([np.finfo("f4").max])):
        found = layers.pits.Holes(np.array([[1, 0]], np.uint8), value[None])
        back = layers.pits.restore(np.array([[1, np.finfo("f4").max]], np.float32), found)
        assert back[0, 0].tobytes() == value.tobytes() and back[0, 1] > 1


def test_declared_tasks() -> None:
    for channels in (2.0, "3", None, 0, 17):
        with pytest.raises(tasks.UsageError, match="channels must be 1 to 16"):
            Task("smell", "image", channels)  # type: ignore[arg-type]
