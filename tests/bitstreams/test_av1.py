"""AV1 streams without AVIF's boxes: the same pictures, and refusals before anything is decoded."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from mtcodec.bitstreams import av1, libavif
from mtcodec.codec.prepare import Scene
from mtcodec.errors import FormatError, MtcodecError, MtcodecWarning
from mtcodec.signals.mapping import Array


def ramp(height: int, width: int, channels: int = 3) -> Array:
    rows, columns = np.mgrid[:height, :width]
    planes = [(rows * (3 + c) + columns * 2) % 251 for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint16) * 4


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (8, 3), (37, 101), (256, 256)])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("flat", [False, True])
def test_av1_streams_decode_as_the_files_they_come_from(
    size: tuple[int, int], grey: bool, flat: bool
) -> None:
    samples = ramp(*size)[..., 0] if grey else ramp(*size)
    file = av1.encode_file(samples, 60, 8, flat)
    stream = av1.encode_samples(samples, 60, 8, flat)
    assert len(stream) < len(file) - 250
    decoded = av1.decode_samples(stream, samples.shape)
    expected = np.asarray(imagecodecs.avif_decode(file)).reshape(*size, -1)
    if grey:
        assert np.array_equal(decoded, expected[..., 0])
    else:  # a reader of the file takes them for Cr, Y and Cb
        red_less_blue = 1.402 * (decoded[..., 0] - 512.0) - 1.772 * (decoded[..., 2] - 512.0)
        inside = (expected > 0).all(axis=-1) & (expected < 1023).all(axis=-1)
        difference = expected[..., 0].astype(np.float64) - expected[..., 2]
        assert np.allclose(difference[inside], red_less_blue[inside], atol=2)


def error(samples: Array, stream: bytes) -> float:
    return float(np.square(av1.decode_samples(stream, samples.shape) - samples.astype(np.float64)).mean())


def test_it_is_tuned_for_squared_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is called with options; without them imagecodecs needs more bits for the same."""
    samples = scene["rgb"][..., 1].astype(np.uint16) * 4

    def cost(quality: int) -> float:
        stream = av1.encode_samples(samples, quality, 6)
        return 8 * len(stream) + 0.2 * samples.size * error(samples, stream)

    ours = min(cost(quality) for quality in range(20, 96, 4))
    monkeypatch.setattr(libavif, "_library", lambda: None)
    with pytest.warns(MtcodecWarning):
        by_default = min(cost(quality) for quality in range(20, 96, 4))
    assert ours < 0.97 * by_default


def test_palettes_suit_depth(scene: Scene) -> None:
    depth = scene["depth"].astype(np.float64)
    samples = np.rint((depth - depth.min()) / np.ptp(depth) * 1023).astype(np.uint16)
    plain, flat = (av1.encode_samples(samples, 70, 6, flat) for flat in (False, True))
    assert len(flat) < 0.95 * len(plain) and error(samples, flat) < 1.1 * error(samples, plain)


@pytest.mark.parametrize("grey", [False, True])
def test_without_the_library_streams_are_made_by_imagecodecs(
    grey: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = ramp(24, 40)[..., 0] if grey else ramp(24, 40)
    monkeypatch.setattr(libavif, "_library", lambda: None)
    for quality in (0, 90, 100):
        with pytest.warns(MtcodecWarning, match="libavif's functions are not found"):
            stream = av1.encode_samples(samples, quality, 8)
        assert error(samples, stream) < (200_000 if quality == 0 else 400)


@pytest.mark.parametrize("grey", [False, True])
def test_planes_are_those_that_imagecodecs_decodes(grey: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = ramp(37, 53)[..., 0] if grey else ramp(37, 53)
    stream = av1.encode_samples(samples, 60, 8)
    direct = av1.decode_samples(stream, samples.shape)
    monkeypatch.setattr(libavif, "_library", lambda: None)
    assert np.array_equal(direct, av1.decode_samples(stream, samples.shape))
    assert libavif.decode(b"", 10, (37, 53), (0,)) is None


def test_the_interface_of_the_installed_libavif_is_known() -> None:
    assert libavif._library() is not None, "streams are larger and slower without it (imagecodecs is used)"


def test_libavif_decodes_only_what_is_expected() -> None:
    file = av1.encode_file(ramp(24, 40), 60, 8)
    for bits, size, order in ((10, (40, 24), (0, 1, 2)), (10, (24, 40), (0,)), (12, (24, 40), (0, 1, 2))):
        with pytest.raises(MtcodecError, match="another shape"):
            libavif.decode(file, bits, size, order)
    with pytest.raises(MtcodecError, match="libavif cannot decode it"):
        libavif.decode(file[:-9], 10, (24, 40), (0, 1, 2))


def test_what_libavif_refuses_is_an_error() -> None:
    plane = np.zeros((8, 8), np.uint16)
    with pytest.raises(MtcodecError, match="libavif cannot encode it: Invalid codec-specific option"):
        libavif.encode([plane], 10, 50, 8, 1, {"tune": "silence"})


def test_av1_streams_of_another_kind_are_refused() -> None:
    stream = av1.encode_samples(ramp(40, 48), 50, 8)
    for shape in ((48, 40, 3), (40, 48), (41, 48, 3)):
        with pytest.raises(FormatError, match="another shape"):
            av1.decode_samples(stream, shape)
    subsampled = av1.unwrap(
        bytes(imagecodecs.avif_encode(ramp(40, 48), 50, pixelformat="420", bitspersample=10))
    )
    with pytest.raises(FormatError, match="subsampled"):
        av1.parse(subsampled)
    shallow = av1.unwrap(bytes(imagecodecs.avif_encode(ramp(40, 48).astype(np.uint8), 50, pixelformat="444")))
    with pytest.raises(FormatError, match="not of 10 bits"):
        av1.parse(shallow)
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
    huge = av1.encode_samples(np.zeros((2048, 2048, 3), np.uint16), 0, 9)
    monkeypatch.setattr(imagecodecs, "avif_decode", lambda *a, **k: pytest.fail("decoded"))
    with pytest.raises(FormatError, match="another shape"):
        av1.decode_samples(huge, (8, 8, 3))


def test_flipped_bits_are_errors_or_pictures() -> None:
    samples = ramp(24, 40)
    stream = av1.encode_samples(samples, 40, 8)
    outcomes = {"refused": 0, "decoded": 0}
    for at in range(len(stream)):
        broken = stream[:at] + bytes([stream[at] ^ 1 << at % 8]) + stream[at + 1 :]
        try:
            decoded = av1.decode_samples(broken, samples.shape)
            assert decoded.shape == samples.shape
            outcomes["decoded"] += 1
        except FormatError:
            outcomes["refused"] += 1
    assert all(outcomes.values())
