"""AV1 streams without AVIF's boxes: the same pictures, and refusals before anything is decoded."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from mtcodec.bitstreams import av1
from mtcodec.errors import FormatError
from mtcodec.signal.mapping import Array


def ramp(height: int, width: int, channels: int = 3) -> Array:
    rows, columns = np.mgrid[:height, :width]
    planes = [(rows * (3 + c) + columns * 2) % 251 for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (8, 3), (37, 101), (256, 256)])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("grey", [False, True])
def test_av1_streams_decode_as_the_files_they_come_from(size: tuple[int, int], bits: int, grey: bool) -> None:
    samples = ramp(*size)[..., 0] if grey else ramp(*size)
    samples = samples if bits == 8 else samples.astype(np.uint16) * 4
    file = av1.encode_file(samples, bits, 60, 8)
    stream = av1.encode_samples(samples, bits, 60, 8)
    assert len(stream) < len(file) - 250
    expected = np.asarray(imagecodecs.avif_decode(file))
    expected = expected[..., 0] if grey and expected.ndim == 3 else expected
    decoded, found = av1.decode_samples(stream, samples.shape)
    assert found == bits and np.array_equal(decoded, expected)


def test_av1_streams_of_another_kind_are_refused() -> None:
    stream = av1.encode_samples(ramp(40, 48), 8, 50, 8)
    for shape in ((48, 40, 3), (40, 48), (41, 48, 3)):
        with pytest.raises(FormatError, match="another shape"):
            av1.decode_samples(stream, shape)
    subsampled = av1.unwrap(bytes(imagecodecs.avif_encode(ramp(40, 48), 50, pixelformat="420")))
    with pytest.raises(FormatError, match="subsampled"):
        av1.parse(subsampled)
    frame = stream[2 + stream[1] :]  # after the sequence header, whose length differs between encoders
    refused = {
        stream[:1] + b"\xff\xff\xff\xff" + stream[5:]: "cut off",
        stream[:-1]: "cut off",
        stream + b"\0": "more than one frame",
        stream[:2]: "cut off",
        b"": "not the expected parts",
        frame: "not the expected parts",
        b"\x0a\x01\x38" + frame: "header is cut off",
        stream[:2] + b"\x58" + stream[3:]: "not a still picture",
    }
    for bad, message in refused.items():
        with pytest.raises(FormatError, match=message):
            av1.decode_samples(bad, (40, 48, 3))


def test_a_forged_size_is_refused_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = av1.encode_samples(np.zeros((2048, 2048, 3), np.uint8), 8, 0, 9)
    monkeypatch.setattr(imagecodecs, "avif_decode", lambda *a, **k: pytest.fail("decoded"))
    with pytest.raises(FormatError, match="another shape"):
        av1.decode_samples(huge, (8, 8, 3))


def test_flipped_bits_are_errors_or_pictures() -> None:
    samples = ramp(24, 40)
    stream = av1.encode_samples(samples, 8, 40, 8)
    outcomes = {"refused": 0, "decoded": 0}
    for at in range(len(stream)):
        broken = stream[:at] + bytes([stream[at] ^ 1 << at % 8]) + stream[at + 1 :]
        try:
            decoded, _ = av1.decode_samples(broken, samples.shape)
            assert decoded.shape == samples.shape
            outcomes["decoded"] += 1
        except FormatError:
            outcomes["refused"] += 1
    assert all(outcomes.values())
