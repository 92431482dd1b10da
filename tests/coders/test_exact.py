"""Sections that are exact or within a bound, and the lengths that bounds are written in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtcodec.bitstreams import jxl
from mtcodec.codec.codec import Codec
from mtcodec.coders import exact, sections
from mtcodec.errors import FormatError, SectionError, UsageError
from mtcodec.files.scene import Scene
from mtcodec.format.container import Reader, Section
from mtcodec.tasks import units
from mtcodec.tasks.task import DEPTH, NORMAL, RGB, Task


def there_and_back(task: Task, image: NDArray[np.generic], bound: float) -> tuple[str, NDArray[np.generic]]:
    coding, limits, payload = exact.encode(task, image, bound)
    section = Section(task.name, coding, image.dtype.name, None, limits, len(payload), 0)
    back = exact.decode(task, section, payload, *image.shape[:2])
    assert back.dtype == image.dtype and back.shape == image.shape
    return coding, back


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_pixel_is_off_by_more(data: st.DataObject) -> None:
    """Any range, any dtype, with and without holes."""
    task = data.draw(st.sampled_from([DEPTH, NORMAL, RGB]))
    dtype = data.draw(st.sampled_from(task.dtypes))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    size = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    shape = size if task.channels == 1 else (*size, 3)
    if dtype.startswith("float"):
        image = (rng.random(shape) * 10.0 ** data.draw(st.integers(-3, 6)) + 1).astype(dtype)
        image[rng.random(shape) < 0.2] = np.nan
        bound = data.draw(st.sampled_from([0.0, 1e-6, 0.01, 5.0]))
    else:
        top = np.iinfo(dtype).max
        low, high = sorted((data.draw(st.integers(0, top)), data.draw(st.integers(0, top))))
        image = rng.integers(low, high + 1, shape).astype(dtype)
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
    sizes = [len(exact.encode(DEPTH, scene["depth"], bound)[2]) for bound in (0, 1, 5, 20)]
    assert sizes == sorted(sizes, reverse=True) and sizes[3] < 0.6 * sizes[0]


def test_floats_of_any_bits_are_lossless() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, (9, 11), dtype=np.uint32)
    image = bits.view(np.float32)
    coding, back = there_and_back(DEPTH, image, 0)
    assert coding == "raw" and back.tobytes() == image.tobytes()


def test_what_cannot_be_exact() -> None:
    with pytest.raises(UsageError, match="1 or 3 channels"):
        exact.encode(Task("flow", "image", 2, ("uint8",)), np.zeros((4, 4, 2), np.uint8), 0)
    for bound in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="not a bound"):
            exact.encode(DEPTH, np.zeros((4, 4), np.uint16), bound)


# --- JPEG XL streams -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (64, 128), (3, 5, 3), (300, 360), (33, 2000)])
def test_streams_come_back(dtype: type, shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    stream = jxl.encode_samples(samples)
    assert stream[:2] == jxl.SIGNATURE
    assert np.array_equal(jxl.decode_samples(stream, shape), samples)


def test_streams_of_other_sizes_are_refused_before_they_are_decoded() -> None:
    import imagecodecs

    stream = jxl.encode_samples(np.zeros((40, 50), np.uint16))
    for shape in ((40, 51), (41, 50), (50, 40), (40, 50, 3)):
        with pytest.raises(FormatError, match="JPEG XL stream of another"):
            jxl.decode_samples(stream, shape)
    alpha = imagecodecs.jpegxl_encode(np.zeros((40, 50, 4), np.uint8), lossless=True)
    floats = imagecodecs.jpegxl_encode(np.zeros((40, 50), np.float32), lossless=True, usecontainer=False)
    for data, message in (
        (jxl._code_stream(bytes(alpha)), "extra channels"),
        (jxl._code_stream(bytes(floats)), "with floats"),
        (b"", "not a JPEG XL"),
        (stream[:-3], "damaged"),
        (stream[:2] + b"\xff" * 40, "JPEG XL"),
    ):
        with pytest.raises(FormatError, match=message):
            jxl.decode_samples(data, (40, 50))


def test_streams_of_several_or_cropped_frames_are_refused_before_they_are_decoded() -> None:
    import imagecodecs
    from PIL import Image, ImageDraw

    page = Image.new("L", (300, 200), "white")
    for y in range(0, 200, 14):
        ImageDraw.Draw(page).text((5, y), "letters that repeat " * 3, fill="black")
    samples = np.asarray(page)
    patches = imagecodecs.jpegxl_encode(samples, lossless=True, effort=7)
    with pytest.raises(FormatError, match="a frame of another kind"):
        jxl.decode_samples(jxl._code_stream(bytes(patches)), samples.shape)
    stream = jxl.encode_samples(samples)  # without patches
    assert np.array_equal(jxl.decode_samples(stream, samples.shape), samples)
    refused = set()
    for k in range(16, 160):  # every bit of the headers flipped
        data = bytearray(stream)
        data[k // 8] ^= 1 << k % 8
        try:
            jxl.decode_samples(bytes(data), samples.shape)
        except FormatError as error:
            refused.add(str(error).removeprefix("JPEG XL stream with "))
    assert {"a frame of another size", "several frames", "blended frames", "extensions"} <= refused


# --- whole files ---------------------------------------------------------------------------------


def test_files_mix_networks_and_exact_tasks(small: Codec, scene: Scene) -> None:
    data = small.encode(scene, 50, max_error={"depth": 5.0, "normal": 0.0})
    header = Reader(io.BytesIO(data)).header
    codings = {s.name: s.coding for s in header.sections}
    assert codings == {
        "shared": "neural", "rgb": "neural", "depth": "stepped", "normal": "stepped", "semantic": "labels",
    }  # fmt: skip
    assert header.needs("depth") == ("depth",)
    back = small.decode(data)
    assert np.array_equal(back["normal"], scene["normal"])
    assert 0 < abs(back["depth"].astype(int) - scene["depth"]).max() <= 5
    without = {n: i for n, i in scene.items() if n not in ("depth", "normal")}
    assert np.array_equal(back["rgb"], small.decode(small.encode(without, 50))["rgb"])


def test_a_file_without_networks_names_no_weights(small: Codec, clevr: Codec, scene: Scene) -> None:
    data = small.encode({"depth": scene["depth"], "semantic": scene["semantic"]}, max_error={"depth": 0})
    assert set(Reader(io.BytesIO(data)).header.fingerprint) == {"0"}
    back = clevr.decode(data)  # any weights will do
    assert all(np.array_equal(back[n], scene[n]) for n in ("depth", "semantic"))


def test_bounds_of_what_has_none(small: Codec, scene: Scene) -> None:
    for bad in ({"semantic": 1.0}, {"nonsense": 1.0}):
        with pytest.raises(UsageError, match="a bound for task"):
            small.encode(scene, max_error=bad)
    with pytest.raises(UsageError, match="a quality for task 'depth'"):
        small.encode(scene, 50, {"depth": 80}, max_error={"depth": 1})


def forged(scene: Scene, small: Codec, payload: bytes, coding: str = "stepped") -> Reader:
    """A file whose depth section has this payload and right checksums."""
    from mtcodec.format import container

    limits = (100, 900) if coding == "stepped" else None
    depth = Section("depth", coding, "uint16", None, limits, 0, 0)
    header = container.Header(container.NO_WEIGHTS, 8, 8, 0, (depth,))
    return Reader(io.BytesIO(container.build(header, {"depth": payload})))


STREAM = jxl.encode_samples(np.full((8, 8), 200, np.uint8))
HOSTILE = {
    "nothing": (b"", "ends within"),
    "a mapping": (b"\x01\x09" + STREAM, "do not fit steps"),
    "free vectors": (b"\x10\x09" + STREAM, "do not fit steps"),
    "no steps": (b"\x00\x00" + STREAM, "out of range"),
    "fewer steps than samples": (b"\x00\x63" + STREAM, "out of range"),
    "too many steps": (b"\x00\x80\x80\x04" + STREAM, "out of range"),
    "another size": (b"\x00\x7f" + jxl.encode_samples(np.zeros((8, 9), np.uint8)), "another size"),
    "no stream": (b"\x00\x7f", "not a JPEG XL"),
    "half a stream": (b"\x00\x7f" + STREAM[:-4], "JPEG XL"),
}


@pytest.mark.parametrize(("payload", "message"), HOSTILE.values(), ids=HOSTILE)
def test_refuses(scene: Scene, small: Codec, payload: bytes, message: str) -> None:
    with pytest.raises(SectionError, match=message):
        sections.read(forged(scene, small, payload), "depth")


def test_flipped_bits_of_streams_are_errors_or_images(scene: Scene, small: Codec) -> None:
    """With a right checksum around them: nothing but our errors, nothing but the right shape."""
    payload = exact.encode(DEPTH, scene["depth"][:8, :8], 0)[2]
    refused = 0
    for at in range(len(payload)):
        broken = payload[:at] + bytes([payload[at] ^ 1 << at % 8]) + payload[at + 1 :]
        try:
            image = sections.read(forged(scene, small, broken), "depth")
        except SectionError:
            refused += 1
        else:
            assert image.shape == (8, 8) and image.dtype == np.uint16
    assert refused > len(payload) // 4


# --- lengths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "text", "step", "expected"),
    [
        ("uint16", "5mm", "", 5), ("uint16", "5 mm", "0.2mm", 25), ("uint16", "0.1m", "1cm", 10),
        ("uint16", "7", "", 7), ("float32", "5mm", "", 0.005), ("float32", "5mm", "1mm", 5),
        ("float32", "1e-2m", "", 0.01),
    ],
)  # fmt: skip
def test_lengths(dtype: str, text: str, step: str, expected: float) -> None:
    assert units.stored(DEPTH, dtype, text, step) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("text", ["", "mm", "-5mm", "5 inches", "nan", "1e999x"])
def test_refuses_lengths(text: str) -> None:
    with pytest.raises(UsageError, match="not a number, or a length"):
        units.stored(DEPTH, "uint16", text)


def test_only_depth_has_lengths() -> None:
    with pytest.raises(UsageError, match="has no lengths"):
        units.stored(RGB, "uint8", "5mm")
    with pytest.raises(UsageError, match="a step is a length"):
        units.step(DEPTH, "uint16", "5")
