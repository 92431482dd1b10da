"""Image codecs as baselines: their files."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("PIL")

from shared.samples import scene_of, wave

from mtcodec.errors import MtcodecError, UsageError
from mtcodec.measure import image_codecs
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Task


def signal_of(name: str, image: Array) -> Signal:
    return Signal.from_image(USUAL[name], image)


FORMATS = [v.name for v in image_codecs.VARIANTS.values() if v.family in image_codecs.FORMATS]
FINE = {"jpeg": 95, "webp": 95, "avif": 95, "avif10": 95, "avif-tuned": 95, "jxl": 0.3, "jxl16": 0.3}
FLOOR = {"rgb": 36, "depth": 44, "normal": 36}


@pytest.mark.parametrize("name", FLOOR)
@pytest.mark.parametrize("codec", FORMATS)
def test_round_trip(codec: str, name: str) -> None:
    signal = signal_of(name, scene_of()[name])
    payload = image_codecs.encode(codec, signal, FINE[codec])
    decoded = image_codecs.decode(codec, payload, signal)
    assert decoded.shape == signal.original.shape and decoded.dtype == signal.original.dtype
    psnr = measure(signal, decoded)["psnr"]
    assert psnr > (30 if (codec, name) == ("webp", "normal") else FLOOR[name])


@pytest.mark.parametrize("codec", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_depth_and_constant_depth(codec: str, dtype: str) -> None:
    image = (1.5 + 3 * wave(32, 40)).astype(dtype)
    signal = signal_of("depth", image)
    decoded = image_codecs.decode(codec, image_codecs.encode(codec, signal, FINE[codec]), signal)
    assert decoded.dtype == image.dtype
    assert measure(signal, decoded)["rmse"] < 0.03
    flat = signal_of("depth", np.full((32, 32), 2.5, dtype))
    again = image_codecs.decode(codec, image_codecs.encode(codec, flat, FINE[codec]), flat)
    assert np.array_equal(again, flat.original)


def test_holes_are_given_for_free() -> None:
    image = scene_of()["depth"]
    image[10:20, 5:30] = 0
    signal = signal_of("depth", image)
    payload = image_codecs.encode("jpeg", signal, 90)
    decoded = image_codecs.decode("jpeg", payload, signal)
    assert np.array_equal(decoded == 0, image == 0)
    assert len(payload) < 1.2 * len(image_codecs.encode("jpeg", signal_of("depth", scene_of()["depth"]), 90))


def test_deeper_samples_go_beyond_eight_bits() -> None:
    signal = signal_of("depth", scene_of(64)["depth"])
    for shallow, deep in (("avif", "avif10"), ("jxl", "jxl16")):
        quality = 0.05 if deep == "jxl16" else 99
        levels = []
        for codec in (shallow, deep):
            payload = image_codecs.encode(codec, signal, quality)
            levels.append(measure(signal, image_codecs.decode(codec, payload, signal))["psnr"])
        assert levels[1] > max(60, levels[0])


def test_quality_and_errors() -> None:
    signal = signal_of("rgb", scene_of()["rgb"])
    for v in map(image_codecs.VARIANTS.get, FORMATS):
        assert v is not None
        few, many = (len(image_codecs.encode(v.name, signal, v.qualities[k])) for k in (0, -1))
        assert few < many
    with pytest.raises(UsageError, match="avif10"):
        image_codecs.encode("gif", signal, 50)
    with pytest.raises(UsageError, match="channels"):
        image_codecs.encode("avif", Signal.from_image(Task("flow", "image", 2), signal.original[..., :2]), 50)
    for codec in FORMATS:
        with pytest.raises(MtcodecError, match="rgb"):
            image_codecs.decode(codec, b"no image at all", signal)
    assert image_codecs.variants("jxl", USUAL["rgb"], "uint8") == ["jxl"]
    assert image_codecs.variants("jxl", USUAL["depth"], "uint16") == ["jxl", "jxl16"]


@pytest.mark.parametrize("top", [3, 700])
def test_lossless_webp(top: int) -> None:
    from PIL import Image

    labels = np.random.default_rng(0).integers(0, top + 1, (20, 31)).astype(np.uint16)
    back = np.asarray(Image.open(io.BytesIO(image_codecs.lossless_webp(labels) or b""))).astype(int)
    ids = back[..., 0] + 256 * back[..., 1] if top > 255 else back[..., 0]
    assert np.array_equal(ids, labels)


def test_images_that_lossless_webp_cannot_hold() -> None:
    for image in (np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3), np.float32), np.full((3, 3), -1, np.int32)):
        assert image_codecs.lossless_webp(image) is None
