"""Measures of errors, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from shared.samples import wave

from mtcodec.errors import UsageError
from mtcodec.signals import measures
from mtcodec.signals import ms_ssim as similarity
from mtcodec.signals.mapping import Array
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Task

RGB, DEPTH, NORMAL, SEMANTIC = (USUAL[name] for name in ("rgb", "depth", "normal", "semantic"))


def measure(task: Task, original: Array, decoded: Array) -> dict[str, float]:
    return measures.measure(Signal.from_image(task, original), decoded, slow=True)


def test_psnr_by_hand() -> None:
    original = np.full((4, 4, 3), 100, np.uint8)
    decoded = original + np.uint8(5)
    assert measure(RGB, original, decoded)["psnr"] == pytest.approx(20 * math.log10(255 / 5))
    assert measure(RGB, original, decoded)["mse"] == pytest.approx(25)
    assert measure(RGB, original, original)["psnr"] == measures.PSNR_CAP
    wide = original.astype(np.uint16)
    found = measure(RGB, wide, wide + np.uint16(5))
    assert found["psnr"] == pytest.approx(20 * math.log10(65535 / 5))
    assert found["mse"] == pytest.approx((5 / 65535 * 255) ** 2)


def test_depth_by_hand() -> None:
    original = np.array([[0, 1000], [2000, 4000]], np.uint16)
    decoded = np.array([[7, 1010], [1980, 4000]], np.uint16)
    found = measure(DEPTH, original, decoded)
    assert found["rmse"] == pytest.approx(math.sqrt((100 + 400) / 3))
    assert found["abs_rel"] == pytest.approx((0.01 + 0.01) / 3)
    assert found["psnr"] == pytest.approx(10 * math.log10(3000**2 / ((100 + 400) / 3)))
    assert found["mse"] == pytest.approx((100 + 400) / 3 / 3000**2 * 255**2)


def test_depth_without_valid_pixels_or_range() -> None:
    empty = np.zeros((3, 3), np.uint16)
    assert measure(DEPTH, empty, empty) == {"psnr": measures.PSNR_CAP, "mse": 0.0}
    flat = np.full((3, 3), 5, np.uint16)
    assert measure(DEPTH, flat, flat + np.uint16(1))["psnr"] == pytest.approx(0.0)


def test_angle_by_hand() -> None:
    original = np.array([[[255, 128, 128], [128, 128, 255], [128, 128, 128], [0, 0, 0]]], np.uint8)
    decoded = np.array([[[128, 255, 128], [128, 128, 200], [255, 0, 0], [9, 9, 9]]], np.uint8)
    angle = measure(NORMAL, original, decoded)["angle_deg"]
    assert angle == pytest.approx(90 / 2, abs=0.4)  # 90 and 0 degrees; the invalid pixels are ignored
    assert measure(NORMAL, original, original)["angle_deg"] == pytest.approx(0.0, abs=1e-5)
    assert "angle_deg" not in measure(NORMAL, original[:, 2:], decoded[:, 2:])


def test_categories_are_exact_or_not() -> None:
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    other = labels.copy()
    other[0, 0] = 9
    assert measure(SEMANTIC, labels, labels)["exact"] == 1.0
    assert measure(SEMANTIC, labels, other)["exact"] == 0.0


def test_metrics_follow_the_kind_not_the_name() -> None:
    heat = Task("heat", "image", 1, ("float32",))
    image = wave(20, 20).astype(np.float32)
    found = measure(heat, image, image + np.float32(0.01))
    assert set(found) == {"psnr", "mse"}
    assert found["psnr"] == pytest.approx(20 * math.log10((image.max() - image.min()) / 0.01), abs=1e-3)


def test_ms_ssim() -> None:
    image = np.rint(255 * np.stack([wave(192, 180, k) for k in range(3)], axis=-1)).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 1, image.shape)
    noisy = [np.clip(image + s * noise, 0, 255).astype(np.uint8) for s in (4, 20)]
    assert similarity.ms_ssim(image, image, 255) == pytest.approx(1.0)
    assert 1 > similarity.ms_ssim(image, noisy[0], 255) > similarity.ms_ssim(image, noisy[1], 255) > 0.2
    assert [similarity.scale_count(s, 500) for s in (5, 11, 22, 175, 176, 4000)] == [1, 1, 2, 4, 5, 5]
    assert similarity.ms_ssim(image[:7, :7], image[:7, :7], 255) == pytest.approx(1.0)


def test_ssim_of_constant_images_by_hand() -> None:
    a, b = np.full((12, 12), 100.0), np.full((12, 12), 110.0)
    c1 = (0.01 * 255) ** 2  # one scale; no structure, so only luminance differs
    assert similarity.ms_ssim(a, b, 255) == pytest.approx((2 * 100 * 110 + c1) / (100**2 + 110**2 + c1))


def test_metrics_refuse_other_shapes_and_dtypes() -> None:
    image = np.zeros((4, 4), np.uint16)
    with pytest.raises(UsageError, match="depth"):
        measure(DEPTH, image, image[:2])
    with pytest.raises(UsageError, match="uint8"):
        measure(DEPTH, image, image.astype(np.uint8))


def test_delta_and_median_angle_by_hand() -> None:
    original = np.array([[0, 1000, 1000, 1000, 1000]], np.uint16)
    decoded = np.array([[0, 1240, 1260, 810, 790]], np.uint16)
    assert measure(DEPTH, original, decoded)["delta"] == pytest.approx(0.5)
    up, side = [128, 128, 255], [255, 128, 128]
    normals = np.array([[up, up, up]], np.uint8)
    turned = np.array([[up, up, side]], np.uint8)
    found = measure(NORMAL, normals, turned)
    assert found["angle_median_deg"] == pytest.approx(0.0, abs=1e-4)
    assert found["angle_deg"] == pytest.approx(30.0, abs=0.3)


def test_labels_tell_the_share_that_differs() -> None:
    ids = np.zeros((4, 5), np.uint8)
    other = ids.copy()
    other[0, :2] = 3
    assert measure(SEMANTIC, ids, other) == {"exact": 0.0, "differing": 0.1}
    assert measure(SEMANTIC, ids, ids) == {"exact": 1.0, "differing": 0.0}


def test_holes_that_differ_are_counted() -> None:
    original = np.array([[0, 65535, 100], [200, 300, 0]], np.uint16)
    signal = Signal.from_image(DEPTH, original)
    assert measures.holes_differ(signal, original) == 0
    decoded = np.array([[3, 65535, 0], [200, 301, 0]], np.uint16)  # one moved, one measurement became a hole
    assert measures.holes_differ(signal, decoded) == 2

    floats = np.array([[np.nan, 1.0], [2.0, 3.0]], np.float32)
    assert measures.holes_differ(Signal.from_image(DEPTH, floats), floats) == 0
    whole = np.array([[1.0, 1.0], [2.0, 3.0]], np.float32)
    assert measures.holes_differ(Signal.from_image(DEPTH, whole), floats) == 1


def test_decoded_values_that_are_not_finite_count_as_zero() -> None:
    original = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    broken, zero = (np.array([[value, 2.0, 3.0, 4.0]], np.float32) for value in (np.nan, 0.0))
    assert measure(DEPTH, original, broken) == measure(DEPTH, original, zero)
    assert measure(DEPTH, original, broken)["psnr"] == pytest.approx(10 * math.log10(9 * 4))
