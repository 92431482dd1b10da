"""JPEG XL streams: lossless ones come back, others are refused before they are decoded."""

from __future__ import annotations

import numpy as np
import pytest

from mtcodec.bitstreams import jxl
from mtcodec.errors import FormatError


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
