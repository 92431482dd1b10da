"""Class-id images: exact bytes, round trips, hostile payloads, damage."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mtcodec.bitstreams import contours as contour_coder
from mtcodec.bitstreams import jxl
from mtcodec.bitstreams.binary_coder import EVEN, Encoder
from mtcodec.bitstreams.contour_model import BEGINS, ENDS, MORE, WIDE, Odds, boundary_limit
from mtcodec.bitstreams.contours import count_boundaries, encode_contours
from mtcodec.bitstreams.group4 import encode_bitmap
from mtcodec.bitstreams.labels import decode_labels, encode_labels, encode_quick
from mtcodec.errors import FormatError

Image = NDArray[Any]
DTYPES = ["uint8", "uint16"]
NOISE = np.random.default_rng(7).bytes(50_000)


def discs(height: int, width: int, count: int, seed: int = 0, dtype: str = "uint8") -> Image:
    """Overlapping discs, computed in integers: the same on every machine."""
    image = np.zeros((height, width), dtype)
    y, x = np.mgrid[:height, :width]
    state = seed
    for label in range(1, count + 1):
        state = (state * 1103515245 + 12345) % 2**31
        cy, cx, r = (
            state // 7 % height,
            state // 1009 % width,
            2 + state // 65537 % (1 + min(height, width) // 4),
        )
        image[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = label % 7
    return image


def check(image: Image) -> bytes:
    payload = encode_labels(image)
    height, width = image.shape
    decoded = decode_labels(payload, height, width, image.dtype.name)
    assert decoded.dtype.name == image.dtype.name
    assert np.array_equal(decoded, image)
    return payload


def decodes_or_refuses(payload: bytes, height: int, width: int, dtype: str) -> None:
    try:
        decoded = decode_labels(payload, height, width, dtype)
    except FormatError:
        return
    assert (decoded.shape, decoded.dtype.name) == ((height, width), dtype)


# --- exact bytes -----------------------------------------------------------------------------------------


def test_bytes_of_a_small_image() -> None:
    image = np.array(
        [[0, 0, 0, 0, 0, 0], [0, 0, 3, 3, 0, 0], [0, 3, 3, 3, 5, 5], [9, 9, 3, 5, 5, 5]], np.uint8
    )
    assert check(image).hex() == "2ca4d9344a961335"
    assert check(image.astype(np.uint16)).hex() == "2ca4d9344a961335"


def test_bytes_of_discs() -> None:
    assert check(discs(64, 64, 6)).hex() == (
        "e1b48597eef821a78208c2d53164b6ca04ddead3889555ce2db964dfca7f"
        "743372cb4789345b4b191a5a70e593cd167c6f2691e6b0152fa0672a3bd5"
    )


def test_bytes_of_an_empty_image() -> None:
    assert check(np.zeros((256, 256), np.uint8)) == b"\0"


@pytest.mark.parametrize(("dtype", "samples"), [("uint8", [1, 2, 3, 4]), ("uint16", [0x201, 0x403])])
def test_zstd_frame_of_one_raw_block(dtype: str, samples: list[int]) -> None:
    payload = bytes([0xFF, 0x00, 0x00, 0x21, 0x00, 0x00, 1, 2, 3, 4])
    assert decode_labels(payload, 1, len(samples), dtype).tolist() == [samples]


def test_bytes_of_a_bitmap() -> None:
    image = np.zeros((4, 12), np.uint8)
    image[1:3, 2:9] = 1
    assert bitmap(image).hex() == "fd971f8c004004"


# --- round trips -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from([1, 2, 7, 255, 65535]))
def test_round_trip_of_any_small_image(data: st.DataObject, dtype: str, highest: int) -> None:
    elements = st.integers(0, min(highest, np.iinfo(dtype).max))
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
    check(data.draw(hnp.arrays(dtype, shape, elements=elements)))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 12), st.integers(0, 2**31), st.sampled_from(DTYPES)
)
def test_round_trip_of_discs(height: int, width: int, count: int, seed: int, dtype: str) -> None:
    image = discs(height, width, count, seed, dtype)
    check(image)
    check(np.iinfo(dtype).max - image)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(DTYPES), st.floats(0, 0.05))
def test_round_trip_of_discs_with_noise(seed: int, dtype: str, density: float) -> None:
    image = discs(48, 40, 5, seed, dtype)
    random = np.random.default_rng(seed)
    image[random.random(image.shape) < density] = random.integers(np.iinfo(dtype).max + 1)
    check(image)


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(DTYPES))
def test_contours_hold_any_image(data: st.DataObject, dtype: str) -> None:
    """Also those images for which ``encode_labels`` prefers zstd."""
    image = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)))
    height, width = image.shape
    payload = encode_contours(image)
    assert payload is not None
    assert np.array_equal(decode_labels(payload, height, width, dtype), image)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (1, 5000), (5000, 1), (256, 256)])
def test_noise_costs_a_few_bytes_more_than_raw(shape: tuple[int, int], dtype: str) -> None:
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    assert len(check(image)) <= image.nbytes + 10


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_smallest_method_is_taken(dtype: str) -> None:
    rng = np.random.default_rng(3)
    dots = (rng.random((200, 300)) < 0.2).astype(dtype)  # neither outlines nor repetitions
    text = np.tile(rng.integers(0, 200, (8, 25)).astype(dtype), (25, 12))
    for image, first in ((dots, {0xFE}), (text, {0xFF}), (discs(200, 300, 9, dtype=dtype), {*range(0xF0)})):
        payload = check(image)
        assert payload[0] in first
        assert payload[0] < 0xF0 or len(payload) <= len(picture(image))


@settings(deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 40), st.integers(1, 40))
def test_round_trip_of_bitmaps(data: st.DataObject, dtype: str, height: int, width: int) -> None:
    """Also of those for which contours are better."""
    image = data.draw(hnp.arrays(dtype, (height, width), elements=st.integers(0, 1)))
    decoded = decode_labels(bitmap(image), height, width, dtype)
    assert decoded.dtype.name == dtype and np.array_equal(decoded, image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000), (100_000, 1), (3000, 3000)])
def test_bitmaps_of_extreme_shapes(shape: tuple[int, int]) -> None:
    for image in (np.zeros(shape, np.uint8), np.ones(shape, np.uint8)):
        assert np.array_equal(decode_labels(bitmap(image), *shape, "uint8"), image)


def ragged(height: int, width: int) -> Image:
    """Four stripes whose edges wander by a pixel from row to row."""
    steps = np.random.default_rng(5).integers(-1, 2, (height, 8))
    edges = width // 9 * np.arange(1, 9) + np.cumsum(steps, axis=0)
    return (np.count_nonzero(edges[:, None] <= np.arange(width)[:, None], axis=2) % 2).astype(np.uint8)


def test_bitmaps_are_quicker_for_many_boundaries() -> None:
    """Those of a camera's holes. What is not of zeros and ones has none."""
    image = ragged(480, 640)
    small = encode_labels(image)
    quick = encode_quick(image, small)
    assert quick is not None and small[0] < 0xF0 and quick[0] == 0xFD
    assert len(small) < len(quick) < len(small) + count_boundaries(image) // 8
    assert np.array_equal(decode_labels(quick, 480, 640, "uint8"), image)
    for other in (image * 2, (discs(480, 640, 9) > 3).astype(np.uint8)):
        assert encode_quick(other, encode_labels(other)) is None


def test_all_16_bit_labels() -> None:
    check(np.random.default_rng(2).permutation(2**16).astype(np.uint16).reshape(256, 256))
    check(np.arange(2**16, dtype=np.uint16).reshape(256, 256))


def test_memory_layout_does_not_matter() -> None:
    image = discs(30, 50, 5, dtype="uint16")
    payload = encode_labels(image)
    assert encode_labels(np.asfortranarray(image)) == payload
    assert encode_labels(image.astype(">u2")) == payload
    assert encode_labels(np.repeat(image, 2, axis=1)[:, ::2]) == payload


def test_discs_are_small() -> None:
    assert len(check(discs(256, 256, 8))) < 200


def test_encoder_is_quick_with_many_boundaries_in_a_row() -> None:
    image = np.zeros((2, 160_000), np.uint16)
    image[:, ::32] = np.arange(5000) + 1
    image[1] = np.roll(image[0], 1000)
    check(image)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2), np.int32),
        np.zeros((2, 2, 1), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_what_is_no_label_image(image: Image) -> None:
    with pytest.raises(ValueError, match="must be a uint8 or uint16 image"):
        encode_labels(image)


# --- hostile payloads ------------------------------------------------------------------------------------


def contours(height: int, width: int, highest: int = 255) -> bytes:
    image = np.zeros((height, width), np.uint16)
    image[height // 2 :, width // 2 :] = highest
    payload = encode_labels(image)
    assert payload[0] < 0xF0
    return payload


def huge_number() -> bytes:
    coder, odds = Encoder(), Odds()
    coder.bit(odds.bits, ENDS + WIDE, 0)
    coder.bit(odds.bits, BEGINS + WIDE, 1)
    coder.bit(odds.bits, MORE + (16).bit_length(), 1)
    coder.uniform(16, 0)
    for k in range(32):
        odds.labels[k] = EVEN
        coder.bit(odds.labels, k, 1)
    return coder.finish()


def frame(raw: bytes, **options: Any) -> bytes:
    chosen = {"write_content_size": 0, "write_checksum": 0, "write_dict_id": 0, "window_log": 10, **options}
    parameters = zstandard.ZstdCompressionParameters(**chosen)
    return b"\xff" + zstandard.ZstdCompressor(compression_params=parameters).compress(raw)[4:]


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty payload"),
    "first reserved id": (lambda: b"\xf0", "unknown method 240"),
    "last reserved id": (lambda: b"\xfc" + frame(bytes(256))[1:], "unknown method 252"),
    "contours cut off": (lambda: encode_labels(discs(16, 16, 9, seed=3))[:5], "contour stream is truncated"),
    "contours and a zero": (lambda: contours(16, 16) + b"\0", "does not end"),
    "contours and more": (lambda: contours(16, 16) + b"abc", "does not end"),
    "contours of more rows": (lambda: contours(40, 16), "does not end"),
    "contours of a wider image": (lambda: contours(16, 64), "contour stream|impossible boundary"),
    "label of 16 bits": (lambda: contours(16, 16, 256), "impossible boundary"),
    "number without end": (huge_number, "number out of range"),
    "no frame": (lambda: b"\xff", "unexpected kind"),
    "half a frame header": (lambda: b"\xff\x00", "unexpected kind"),
    "frame header only": (lambda: b"\xff\x00\x00", "zstd frame"),
    "frame cut off": (lambda: frame(bytes(256))[:-1], "zstd frame"),
    "frame and more": (lambda: frame(bytes(256)) + b"\0", "damaged zstd frame"),
    "two frames": (lambda: frame(bytes(128)) + frame(bytes(128))[1:], "zstd frame"),
    "frame with its magic": (lambda: b"\xff" + zstandard.compress(bytes(256)), "unexpected kind"),
    "short frame": (lambda: frame(bytes(255)), "too short"),
    "long frame": (lambda: frame(bytes(257)), "damaged zstd frame"),
    "frame that tells its size": (lambda: frame(bytes(256), write_content_size=1), "unexpected kind"),
    "frame that claims a terabyte": (lambda: b"\xff\xe0" + (2**40).to_bytes(8, "little") + bytes(9), "kind"),
    "frame with a checksum": (lambda: frame(bytes(256), write_checksum=1), "unexpected kind"),
    "frame with a dictionary": (lambda: b"\xff\x01\x00\x07" + frame(bytes(256))[3:], "unexpected kind"),
    "frame of a large window": (lambda: b"\xff\x00\x01" + frame(bytes(256))[3:], "too large a window"),
    "frame of the largest window": (lambda: b"\xff\x00\xff" + frame(bytes(256))[3:], "too large a window"),
    "block of a reserved type": (lambda: b"\xff\x00\x00\x07\x00\x00", "damaged zstd frame"),
    "bomb": (lambda: frame(bytes(2**24)), "damaged zstd frame"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_payload(name: str) -> None:
    make, message = HOSTILE[name]
    payload = make()
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message) as caught:
            decode_labels(payload, 16, 16, "uint8")
        assert tracemalloc.get_traced_memory()[1] < 50_000 + 3 * len(payload)
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith("labels: ")
    assert "\n" not in str(caught.value)


def picture(image: Image) -> bytes:
    return b"\xfe" + jxl.encode_samples(image)


def bitmap(image: Image) -> bytes:
    return b"\xfd" + encode_bitmap(image)


HOSTILE_PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "no picture": (lambda: b"\xfe", "not a JPEG XL code stream"),
    "picture of another size": (lambda: picture(np.zeros((16, 17), np.uint8)), "another size"),
    "picture of three channels": (lambda: picture(np.zeros((16, 16, 3), np.uint8)), "another shape"),
    "picture of 16 bits": (lambda: picture(np.zeros((16, 16), np.uint16)), "another depth"),
    "picture cut off": (lambda: picture(discs(16, 16, 9))[:-3], "JPEG XL"),
    "no bitmap": (lambda: b"\xfd", "without an end"),
    "bitmap that is all end": (lambda: b"\xfd\0\x10\x01", "damaged Group 4"),
    "bitmap of zeros": (lambda: b"\xfd" + bytes(200), "without an end"),
    "bitmap cut off": (lambda: bitmap(discs(16, 16, 9))[:-3], "without an end"),
    "bitmap and a zero": (lambda: bitmap(discs(16, 16, 9)) + b"\0", "without an end"),
    "bitmap of fewer rows": (lambda: bitmap(discs(9, 16, 9)), "damaged Group 4"),
}


@pytest.mark.parametrize("name", HOSTILE_PICTURES)
def test_hostile_pictures(name: str) -> None:
    make, message = HOSTILE_PICTURES[name]
    with pytest.raises(FormatError, match=message):
        decode_labels(make(), 16, 16, "uint8")


# --- boundaries of a contour stream -----------------------------------------------------------------------


@contextmanager
def limit_of(limit: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtcodec.bitstreams.contours.boundary_limit", lambda height, width: limit)
        yield


def test_limit_of_boundaries() -> None:
    assert [boundary_limit(*size) for size in ((1, 7), (480, 640))] == [4096, 8896]


def test_as_many_boundaries_as_are_allowed() -> None:
    """The encoder's last allowed number of boundaries is the decoder's."""
    image = discs(32, 32, 6)
    payload = encode_contours(image)
    allowed = []
    for limit in range(500):
        with limit_of(limit):
            made = encode_contours(image)
            assert made in (None, payload)
            try:
                decoded = decode_labels(payload or b"", 32, 32, "uint8")
            except FormatError as error:
                assert made is None and "too many boundaries" in str(error)
            else:
                assert made is not None and np.array_equal(decoded, image)
                allowed.append(limit)
    assert allowed == [*range(allowed[0], 500)]
    with limit_of(allowed[0] - 1):
        assert check(image)[0] in (0xFE, 0xFF)


def test_many_short_contours_are_no_contour_stream() -> None:
    """Contours would be smaller, but slow."""
    rng = np.random.default_rng(4)
    lines = 6 * np.arange(1, 42) + np.cumsum(rng.choice([-1, 0, 0, 0, 0, 0, 0, 1], (256, 41)), axis=0)
    image = np.count_nonzero(lines[:, None] <= np.arange(256)[:, None], axis=2).astype(np.uint8)
    with limit_of(10**9):
        slow = encode_labels(image)
    assert slow[0] < 0xF0
    payload = check(image)
    assert payload[0] >= 0xF0 and len(payload) > len(slow)
    with pytest.raises(FormatError, match="too many boundaries"):
        decode_labels(slow, 256, 256, "uint8")


def test_too_many_rows() -> None:
    rows = 5000  # each one counts, though it takes hardly a bit
    with pytest.raises(FormatError, match="too many boundaries"):
        decode_labels(bytes(1000), rows, 1, "uint8")
    check(np.zeros((rows, 1), np.uint8))


@pytest.mark.parametrize("shape", [(1 << 16, 4), (1 << 12, 64), (512, 512), (16, 1 << 14)])
@pytest.mark.parametrize("payload", [bytes(50_000), b"\xef" + b"\xff" * 50_000, b"\x40" + NOISE])
def test_any_payload_ends_after_so_many_boundaries(payload: bytes, shape: tuple[int, int]) -> None:
    placed = 0
    place = contour_coder._Decoder.place

    def counted(self: contour_coder._Decoder, *boundary: int) -> None:
        nonlocal placed
        placed += 1
        place(self, *boundary)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(FormatError, match="labels: "):
        patch.setattr("mtcodec.bitstreams.contours._Decoder.place", counted)
        decode_labels(payload, *shape, "uint16")
    assert placed <= boundary_limit(*shape) + 2


@pytest.mark.parametrize(("height", "width", "dtype"), [(0, 4, "uint8"), (4, -1, "uint8"), (4, 4, "float32")])
def test_what_no_payload_can_hold(height: int, width: int, dtype: str) -> None:
    with pytest.raises(FormatError, match="cannot be"):
        decode_labels(b"\0", height, width, dtype)


# --- damage ----------------------------------------------------------------------------------------------


DAMAGED = [
    discs(32, 32, 6),
    discs(24, 40, 4, seed=5, dtype="uint16") * np.uint16(301),
    np.arange(70, dtype=np.uint8).reshape(7, 10) % 11,
    np.arange(40, dtype=np.uint16).reshape(5, 8) * np.uint16(999),
    np.tile(np.random.default_rng(5).integers(0, 60000, (4, 5)).astype(np.uint16), (6, 4)),
    ragged(60, 90),
]


def test_damage_is_done_to_every_method() -> None:
    payloads = [encode_labels(image) for image in DAMAGED]
    payloads += filter(None, map(encode_quick, DAMAGED, payloads))
    firsts = [max(payload[0], 0xF0) for payload in payloads]
    assert set(firsts) == {0xF0, 0xFD, 0xFE, 0xFF}


@pytest.mark.parametrize("image", DAMAGED)
def test_damage(image: Image) -> None:
    small, (height, width), dtype = encode_labels(image), image.shape, image.dtype.name
    payload = encode_quick(image, small) or small
    for size in range(len(payload)):
        decodes_or_refuses(payload[:size], height, width, dtype)
    for position in range(len(payload)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            damaged = bytearray(payload)
            damaged[position] ^= flip
            decodes_or_refuses(bytes(damaged), height, width, dtype)
    for tail in (b"\0", b"\x01", b"\xff", b"\0" * 100):
        if payload[0] in (0xFD, 0xFE):  # libtiff and libjxl do not tell where a stream ends
            decodes_or_refuses(payload + tail, height, width, dtype)
            continue
        with pytest.raises(FormatError):
            decode_labels(payload + tail, height, width, dtype)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 20), st.integers(1, 20), st.sampled_from(DTYPES))
def test_any_bytes(payload: bytes, height: int, width: int, dtype: str) -> None:
    decodes_or_refuses(payload, height, width, dtype)
    decodes_or_refuses(b"\xff\x00\x00" + payload, height, width, dtype)
    decodes_or_refuses(b"\xfd" + payload + b"\x00\x10\x01", height, width, dtype)


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 12))
def test_a_contour_stream_that_decodes_is_of_canonical_length(
    payload: bytes, height: int, width: int
) -> None:
    """Nothing can be hidden after the last row."""
    try:
        decode_labels(payload[:1].replace(b"\xff", b"\0") + payload[1:], height, width, "uint8")
    except FormatError:
        return
    with pytest.raises(FormatError):
        decode_labels(payload + b"\0", height, width, "uint8")
