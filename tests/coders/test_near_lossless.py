"""Sections that are exact or within a bound: any dtype, any range, labels of every sort."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shared.sections import file_of, read, with_payload

from mtcodec.bitstreams import av1, jxl
from mtcodec.codec.prepare import Scene
from mtcodec.coders import bounded, near_lossless, raw
from mtcodec.coders.candidate import Candidate
from mtcodec.errors import SectionError, UsageError
from mtcodec.signals.mapping import ValueRange
from mtcodec.signals.signal import PixelFormat, Signal
from mtcodec.tasks import DTYPES, FLOATS, INTEGERS, USUAL, Task, declare

Image = NDArray[np.generic]
RGB, DEPTH, NORMAL, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "normal", "semantic"))


def there_and_back(task: Task, image: Image, bound: float = 0.0) -> tuple[Candidate, Image]:
    coded = bounded.encode(Signal.from_image(task, image), bound)
    back = read(file_of({task.name: coded}, image.shape[:2]), task.name)
    assert back.dtype == image.dtype and back.shape == image.shape
    assert coded.decoded().tobytes() == back.tobytes()
    return coded, back


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_pixel_is_off_by_more(data: st.DataObject) -> None:
    """Any range, any dtype, with and without holes."""
    task = data.draw(st.sampled_from([DEPTH, NORMAL, RGB, declare("albedo", "image")]))
    dtype = data.draw(st.sampled_from([d for d in task.kind.dtypes if d != "bool"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    size = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    shape = size if task.channels == 1 else (*size, 3)
    if dtype in FLOATS:
        largest = 4 if dtype == "float16" else 6
        image = (rng.random(shape) * 10.0 ** data.draw(st.integers(-3, largest)) + 1).astype(dtype)
        image[rng.random(size) < 0.2] = np.nan
        bound = data.draw(st.sampled_from([0.0, 1e-6, 0.01, 5.0]))
    else:
        info = np.iinfo(dtype)
        values = st.integers(int(info.min), int(info.max))
        low, high = sorted((data.draw(values), data.draw(values)))
        image = rng.integers(low, high, shape, dtype, endpoint=True)
        image[rng.random(size) < 0.2] = 0
        bound = float(data.draw(st.integers(0, 40)))
    _, back = there_and_back(task, image, bound)
    finite = np.isfinite(image)
    assert back[~finite].tobytes() == image[~finite].tobytes()
    assert np.abs(back[finite].astype(np.float64) - image[finite].astype(np.float64)).max(initial=0) <= bound
    if task is DEPTH:
        assert np.array_equal(back == 0, image == 0)
    if bound == 0:
        assert back.tobytes() == image.tobytes()


def test_bounds_save_bytes(scene: Scene) -> None:
    made = Signal.from_image(DEPTH, scene["depth"])
    sizes = [bounded.encode(made, bound).bits for bound in (0, 1, 5, 20)]
    assert sizes == sorted(sizes, reverse=True) and sizes[3] < 0.6 * sizes[0]
    coded = bounded.encode(made, 20)
    assert coded.squared_error() == pytest.approx(made.squared_error(coded.decoded()))
    assert coded.squared_error() > 0
    assert bounded.encode(made).squared_error() == 0


def test_what_cannot_be_a_bound() -> None:
    for bound in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="task depth: not a bound"):
            bounded.encode(Signal.from_image(DEPTH, np.zeros((4, 4), np.uint16)), bound)


# --- every dtype and shape -----------------------------------------------------------------------


def bits(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Image:
    """Any bits that a dtype can have, not-a-numbers among them."""
    size = np.dtype(dtype).itemsize
    raw = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 256, (*shape, size), np.uint8)
    return raw.view(dtype)[..., 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("dtype", DTYPES)
def test_unknown_data_come_back_bit_for_bit(dtype: str, channels: int) -> None:
    shape = (9, 11) if channels == 1 else (9, 11, channels)
    task = Task("data", "data", channels, DTYPES)
    for image in (bits(dtype, shape), np.zeros(shape, dtype), np.ones(shape, dtype)):
        _, back = there_and_back(task, image)
        assert back.tobytes() == image.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_depth_of_any_bits_is_lossless(dtype: str) -> None:
    image = bits(dtype, (9, 11))
    if dtype == "float64":
        image = bits("float32", (9, 11)).astype(np.float64)  # what float32 cannot hold is refused before
    coded, back = there_and_back(DEPTH, image)
    assert coded.coding == "raw" and back.tobytes() == image.tobytes()


def test_depth_of_mostly_holes_is_no_picture() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:128, :192]
    depth = (5000 + 40 * rows + 7 * columns).astype(np.uint16)
    depth[rng.random(depth.shape) > 0.16] = 0
    coded = bounded.encode(Signal.from_image(USUAL["depth"], depth))
    assert coded.coding == "raw" and np.array_equal(coded.decoded(), depth)
    assert len(coded.payload) < 0.3 * depth.nbytes


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_labels_of_any_integer_dtype(dtype: str) -> None:
    """The lowest and the highest value, few values anywhere, all values, one value."""
    info = np.iinfo("uint8" if dtype == "bool" else dtype)
    low, high = (0, 1) if dtype == "bool" else (int(info.min), int(info.max))
    rng = np.random.default_rng(0)
    near = [0, 1] if dtype == "bool" else [low, low + 1, min(low + 300, high)]
    middle = [0, 1] if dtype == "bool" else sorted({max(low, -5), 0, min(high, 70)})
    for values in (near, middle, [high], [0], [low, high]):
        image = np.array(values, dtype)[rng.integers(0, len(values), (20, 30))]
        image[:, 15:] = image[0, 0]
        coded, back = there_and_back(SEMANTIC, image)
        assert back.tobytes() == image.tobytes()
        narrow = max(abs(v) for v in values) <= 2**53 and max(values) - min(values) < 2**16
        assert (coded.coding in ("labels", "near-lossless")) == narrow


def test_negative_labels_are_small() -> None:
    image = np.full((64, 64), -1, np.int64)
    image[10:30, 20:50] = 7
    coded, _ = there_and_back(SEMANTIC, image)
    assert coded.coding == "labels" and coded.bits < 8 * 30
    assert coded.pixel_format.value_range == ValueRange(-1, 7)


def test_colour_coded_labels_are_exact() -> None:
    palette = np.random.default_rng(1).integers(0, 256, (6, 3)).astype(np.uint8)
    ids = np.zeros((40, 50), int)
    ids[5:20, 10:30], ids[15:35, 25:45] = 2, 5
    for image in (palette[ids], palette[ids].astype(np.int32) - 40):
        coded, back = there_and_back(declare("semantic", "categories", 3), image)
        assert coded.coding == "near-lossless" and back.tobytes() == image.tobytes()
        assert coded.bits < 8 * 400


def test_truth_values_are_labels() -> None:
    image = np.zeros((50, 60), bool)
    image[10:40, 20:30] = True
    for task in (SEMANTIC, Task("mask", "data", 1, DTYPES)):
        coded, back = there_and_back(task, image)
        assert coded.coding == "labels" and coded.bits < 8 * 20 and back.tobytes() == image.tobytes()


# --- hostile payloads ----------------------------------------------------------------------------


def forged(coding: str, pixel_format: PixelFormat, payload: bytes) -> bytes:
    """A file of 8×8 pixels whose section ``depth`` has this payload and right checksums."""
    coded = Candidate(coding, pixel_format, payload, lambda: np.zeros((8, 8), pixel_format.dtype))
    return file_of({"depth": coded}, (8, 8))


STREAM = jxl.encode_samples(np.full((8, 8), 200, np.uint8))
STEPS = PixelFormat("uint16", 1, ValueRange(100.0, 900.0))
HOSTILE_STEPS = {
    "nothing": (b"", "ends within"),
    "no steps": (b"\x00" + STREAM, "out of range"),
    "fewer steps than samples": (b"\x63" + STREAM, "out of range"),
    "too many steps": (b"\x80\x80\x04" + STREAM, "out of range"),
    "a varint of two forms": (b"\xff\x00" + STREAM, "out of range"),
    "another size": (b"\x7f" + jxl.encode_samples(np.zeros((8, 9), np.uint8)), "another size"),
    "three channels": (b"\x7f" + jxl.encode_samples(np.zeros((8, 8, 3), np.uint8)), "another shape"),
    "no stream": (b"\x7f", "not a JPEG XL"),
    "half a stream": (b"\x7f" + STREAM[:-4], "JPEG XL"),
}


PICTURE = av1.encode_samples(np.full((8, 8), 500, np.uint16), 50, 9)
PREDICTED = b"\x00\x29\x02" + bytes([len(PICTURE)]) + PICTURE
HOSTILE_STEPS |= {
    "no step": (b"\x00\x00\x02" + PREDICTED[3:] + STREAM, "step is out of range"),
    "a long step": (b"\x00\x80\x80\x80\x80\x08\x02" + PREDICTED[3:] + STREAM, "step is out of range"),
    "no base": (b"\x00\x29", "ends within"),
    "a base out of range": (b"\x00\x29\x80\x80\x04" + PREDICTED[3:] + STREAM, "lowest number is out of"),
    "half a picture": (PREDICTED[:-4], "ends within"),
    "a picture cut off": (b"\x00\x29\x02\x09" + PICTURE[:9] + STREAM, "cut off"),
    "a longer picture": (b"\x00\x29\x02\xff\x7f" + PICTURE + STREAM, "length of the picture"),
    "no numbers": (PREDICTED, "not a JPEG XL"),
    "numbers of another size": (PREDICTED + jxl.encode_samples(np.zeros((8, 9), np.uint8)), "another size"),
}


@pytest.mark.parametrize(("payload", "message"), HOSTILE_STEPS.values(), ids=HOSTILE_STEPS)
def test_refuses_steps(payload: bytes, message: str) -> None:
    with pytest.raises(SectionError, match=f"section depth: .*{message}"):
        read(forged("near-lossless", STEPS, payload), "depth")


def test_a_prediction_stands_for_values() -> None:
    back = read(forged("near-lossless", STEPS, PREDICTED + STREAM), "depth")  # 491 + 41 · (200 − 2), clipped
    assert (back == 900).all()
    numbers = jxl.encode_samples(np.full((8, 8), 4, np.uint8))
    assert np.abs(read(forged("near-lossless", STEPS, PREDICTED + numbers), "depth") - 573.0).max() <= 2


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_refuses_float_steps(step: float) -> None:
    pixel_format = PixelFormat("float32", 1, ValueRange(1.0, 9.0))
    payload = b"\x00" + struct.pack("<d", step) + PREDICTED[2:] + STREAM
    with pytest.raises(SectionError, match="step is out of range"):
        read(forged("near-lossless", pixel_format, payload), "depth")


def test_refuses_a_prediction_without_a_range() -> None:
    with pytest.raises(SectionError, match="step is out of range"):
        read(
            forged("near-lossless", PixelFormat("uint16", 1, ValueRange(5.0, 5.0)), PREDICTED + STREAM),
            "depth",
        )


def noisy(dtype: str) -> Image:
    """Depth of a slope with steps and a sensor's noise, in millimetres or metres, with holes."""
    rows, columns = np.mgrid[:128, :160]
    depth = 900 + 4.0 * rows + 300 * (columns > 70) + np.random.default_rng(0).normal(0, 4, rows.shape)
    depth[30:50, 20:60] = 0
    return (depth if "int" in dtype else depth / 1000).round(3).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "bound"), [("uint16", 20), ("int32", 20), ("float32", 0.02), ("float64", 0.02)]
)
def test_noisy_depth_within_wide_bounds_is_predicted(dtype: str, bound: float) -> None:
    image = noisy(dtype)
    coded, back = there_and_back(DEPTH, image, bound)
    assert coded.coding == "near-lossless" and coded.payload[0] == 0
    assert np.abs(back.astype(np.float64) - image.astype(np.float64)).max() <= bound
    assert np.array_equal(back == 0, image == 0)
    made = Signal.from_image(DEPTH, image)
    steps = near_lossless.encode_uniform(
        made, made.filled, made.pixel_format.value_range, bound, made.pixel_format.holes, "normal"
    )
    assert steps is not None and len(coded.payload) < 0.8 * len(steps.payload)


def test_renderings_are_not_predicted(scene: Scene) -> None:
    coded, _ = there_and_back(DEPTH, scene["depth"], 5)
    assert coded.coding == "near-lossless" and coded.payload[0] > 0


def test_refuses_steps_of_two_channels() -> None:
    with pytest.raises(SectionError, match="neither one nor three channels"):
        read(
            forged("near-lossless", PixelFormat("uint8", 2, ValueRange(0.0, 9.0)), b"\x09" + STREAM), "depth"
        )


def raw_payload(dtype: str, value: int) -> bytes:
    made = Signal.from_image(Task("x", "data", 1, DTYPES), np.full((8, 8), value, np.uint8))
    return raw.encode(made).payload


HOSTILE_RAW = {
    "nothing": ("uint8", b"", "unexpected kind"),
    "fewer bytes": ("uint16", raw_payload("uint8", 1), "too short"),
    "more bytes": ("bool", raw_payload("uint8", 1) + b"\0", "damaged"),
    "neither true nor false": ("bool", raw_payload("uint8", 2), "neither true nor false"),
}


@pytest.mark.parametrize(("dtype", "payload", "message"), HOSTILE_RAW.values(), ids=HOSTILE_RAW)
def test_refuses_raw(dtype: str, payload: bytes, message: str) -> None:
    with pytest.raises(SectionError, match=f"section depth: raw: .*{message}"):
        read(forged("raw", PixelFormat(dtype, 1, ValueRange(0.0, 0.0)), payload), "depth")


ONES = b"\xfe" + jxl.encode_samples(np.full((8, 8), 200, np.uint8))
HOSTILE_LABELS = {
    "neither true nor false": (PixelFormat("bool", 1, ValueRange(0.0, 1.0)), ONES, "neither true nor false"),
    "beyond the range": (PixelFormat("int32", 1, ValueRange(-5.0, 190.0)), ONES, "beyond their range"),
    "too wide a range": (PixelFormat("int32", 1, ValueRange(0.0, 65536.0)), ONES, "too wide a range"),
    "of 16 bits": (PixelFormat("int32", 1, ValueRange(0.0, 256.0)), ONES, "another depth"),
}


@pytest.mark.parametrize(("pixel_format", "payload", "message"), HOSTILE_LABELS.values(), ids=HOSTILE_LABELS)
def test_refuses_labels(pixel_format: PixelFormat, payload: bytes, message: str) -> None:
    with pytest.raises(SectionError, match=f"section depth: .*{message}"):
        read(forged("labels", pixel_format, payload), "depth")


def test_flipped_bits_of_streams_are_errors_or_images(scene: Scene) -> None:
    """With a right checksum around them: nothing but our errors, nothing but the right shape."""
    coded = bounded.encode(Signal.from_image(DEPTH, np.ascontiguousarray(scene["depth"][:8, :8])))
    file, refused = file_of({"depth": coded}, (8, 8)), 0
    for at in range(len(coded.payload)):
        broken = bytearray(coded.payload)
        broken[at] ^= 1 << at % 8
        try:
            image = read(with_payload(file, "depth", bytes(broken)), "depth")
        except SectionError:
            refused += 1
        else:
            assert image.shape == (8, 8) and image.dtype == np.uint16
    assert refused > len(coded.payload) // 4
