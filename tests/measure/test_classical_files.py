"""Classical codecs as a baseline: their files, and what of them is container."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

pytest.importorskip("PIL")

from shared.samples import scene_of, wave

from mtcodec.errors import MtcodecError, UsageError
from mtcodec.measure import image_codecs as classical
from mtcodec.measure.overhead import container_overhead
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Task


def signal_of(name: str, image: Array) -> Signal:
    return Signal.from_image(USUAL[name], image)


FORMATS = [v.name for v in classical.VARIANTS.values() if v.family in classical.FORMATS]
FINE = {"jpeg": 95, "webp": 95, "avif": 95, "avif10": 95, "avif-tuned": 95, "jxl": 0.3, "jxl16": 0.3}
FLOOR = {"rgb": 36, "depth": 44, "normal": 36}


@pytest.mark.parametrize("name", FLOOR)
@pytest.mark.parametrize("codec", FORMATS)
def test_round_trip_and_overhead(codec: str, name: str) -> None:
    signal = signal_of(name, scene_of()[name])
    payload = classical.encode(codec, signal, FINE[codec])
    decoded = classical.decode(codec, payload, signal)
    assert decoded.shape == signal.original.shape and decoded.dtype == signal.original.dtype
    found = measure(signal, decoded)["psnr"]
    assert found > (30 if (codec, name) == ("webp", "normal") else FLOOR[name])
    overhead = container_overhead(payload, codec)
    least, most = {"jpe": (40, 70), "web": (20, 21), "avi": (200, 600), "jxl": (2, 2)}[codec[:3]]
    assert least <= overhead <= most and overhead < len(payload)


@pytest.mark.parametrize("codec", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_depth_and_constant_depth(codec: str, dtype: str) -> None:
    image = (1.5 + 3 * wave(32, 40)).astype(dtype)
    signal = signal_of("depth", image)
    decoded = classical.decode(codec, classical.encode(codec, signal, FINE[codec]), signal)
    assert decoded.dtype == image.dtype
    assert measure(signal, decoded)["rmse"] < 0.03
    flat = signal_of("depth", np.full((32, 32), 2.5, dtype))
    again = classical.decode(codec, classical.encode(codec, flat, FINE[codec]), flat)
    assert np.array_equal(again, flat.original)


def test_holes_are_given_for_free() -> None:
    image = scene_of()["depth"]
    image[10:20, 5:30] = 0
    signal = signal_of("depth", image)
    payload = classical.encode("jpeg", signal, 90)
    decoded = classical.decode("jpeg", payload, signal)
    assert np.array_equal(decoded == 0, image == 0)
    assert len(payload) < 1.2 * len(classical.encode("jpeg", signal_of("depth", scene_of()["depth"]), 90))


def test_deeper_samples_go_beyond_eight_bits() -> None:
    signal = signal_of("depth", scene_of(64)["depth"])
    for shallow, deep in (("avif", "avif10"), ("jxl", "jxl16")):
        quality = 0.05 if deep == "jxl16" else 99
        levels = []
        for codec in (shallow, deep):
            payload = classical.encode(codec, signal, quality)
            levels.append(measure(signal, classical.decode(codec, payload, signal))["psnr"])
        assert levels[1] > max(60, levels[0])


def test_quality_and_errors() -> None:
    signal = signal_of("rgb", scene_of()["rgb"])
    for v in map(classical.VARIANTS.get, FORMATS):
        assert v is not None
        few, many = (len(classical.encode(v.name, signal, v.qualities[k])) for k in (0, -1))
        assert few < many
    with pytest.raises(UsageError, match="avif10"):
        classical.encode("gif", signal, 50)
    with pytest.raises(UsageError, match="channels"):
        classical.encode("avif", Signal.from_image(Task("flow", "image", 2), signal.original[..., :2]), 50)
    for codec in FORMATS:
        with pytest.raises(MtcodecError, match="rgb"):
            classical.decode(codec, b"no image at all", signal)
    assert classical.variants("jxl", USUAL["rgb"], "uint8") == ["jxl"]
    assert classical.variants("jxl", USUAL["depth"], "uint16") == ["jxl", "jxl16"]


@pytest.mark.parametrize("top", [3, 700])
def test_lossless_webp(top: int) -> None:
    from PIL import Image

    labels = np.random.default_rng(0).integers(0, top + 1, (20, 31)).astype(np.uint16)
    back = np.asarray(Image.open(io.BytesIO(classical.lossless_webp(labels) or b""))).astype(int)
    ids = back[..., 0] + 256 * back[..., 1] if top > 255 else back[..., 0]
    assert np.array_equal(ids, labels)


def test_images_that_lossless_webp_cannot_hold() -> None:
    for image in (np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3), np.float32), np.full((3, 3), -1, np.int32)):
        assert classical.lossless_webp(image) is None


# --- container bytes -----------------------------------------------------------------------------


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def test_overhead_of_hand_made_files() -> None:
    jpeg = b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + b"\xff\xdb\x00\x05abc" + b"\xff\xda\x00\x03a"
    jpeg += b"xy\xff\x00z\xff\xd0w" + b"\xff\xd9"
    assert container_overhead(jpeg, "jpeg") == 2 + 6 + 5 + 2  # SOI, APP0, SOS header, EOI
    chunks = b"VP8X\x0a\0\0\0" + bytes(10) + b"VP8 \x03\0\0\0abc\0" + b"EXIF\x02\0\0\0ab"
    webp = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    assert container_overhead(webp, "webp") == len(webp) - 3
    meta = box(b"meta", bytes(4) + box(b"hdlr", b"abcd") + box(b"idat", b"12345"))
    avif = box(b"ftyp", b"avif") + meta + box(b"mdat", b"1234567")
    assert container_overhead(avif, "avif10") == len(avif) - 12
    large = box(b"ftyp", b"avif") + struct.pack(">I4sQ", 1, b"mdat", 16 + 9) + b"123456789"
    assert container_overhead(large, "avif") == len(large) - 9
    jxl = bytes.fromhex("0000000c4a584c200d0a870a") + box(b"ftyp", b"jxl ") + box(b"jxlp", bytes(4) + b"123")
    assert container_overhead(jxl, "jxl") == len(jxl) - 3
    assert container_overhead(b"\xff\x0a12345", "jxl") == 2


@pytest.mark.parametrize("codec", ["jpeg", "webp", "avif", "jxl"])
def test_cut_files_raise_our_errors(codec: str) -> None:
    payload = classical.encode(codec, signal_of("rgb", scene_of()["rgb"]), FINE[codec])
    for length in range(0, len(payload), 7):
        try:
            container_overhead(payload[:length], codec)
        except MtcodecError:
            continue
        assert codec == "jxl"  # a bare codestream does not say how long it is
