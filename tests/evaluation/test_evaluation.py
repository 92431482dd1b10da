"""Metrics by hand, classical codecs, container bytes, matched ratio, BD-rates, whole evaluations."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SCENES

pytest.importorskip("imagecodecs")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from mtcodec.errors import MtcodecError, UsageError
from mtcodec.evaluation import bdrate, classical, report
from mtcodec.evaluation.bdrate import bd_rate
from mtcodec.evaluation.curves import CurveCache, Point, curve, fingerprint
from mtcodec.evaluation.lines import Line, front, task_lines, total_lines
from mtcodec.evaluation.matched import Size, best_at, bytes_at, matched
from mtcodec.evaluation.overhead import container_overhead
from mtcodec.evaluation.plot import draw
from mtcodec.evaluation.report import evaluate, format_bd_rates, format_table
from mtcodec.files.layouts import SceneFiles, find_scenes
from mtcodec.files.scene import Scene
from mtcodec.signal import measures as metrics
from mtcodec.signal.mapping import Array
from mtcodec.tasks.task import DEPTH, NORMAL, RGB, SEMANTIC, Task


def wave(height: int, width: int, shift: float = 0.0) -> np.ndarray:
    """A smooth (H, W) surface in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(0.5 + 0.25 * np.sin(x / 9 + shift) + 0.25 * np.cos(y / 7 - shift))


def scene_of(size: int = 48, shift: float = 0.0) -> Scene:
    """A smooth scene of the four built-in tasks."""
    planes = np.stack([wave(size, size, shift + k) for k in range(3)], axis=-1)
    vectors = planes - 0.5
    vectors[..., 2] = 0.8
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return {
        "rgb": np.rint(planes * 255).astype(np.uint8),
        "depth": np.rint(6000 + 18000 * wave(size, size, shift)).astype(np.uint16),
        "normal": np.rint((vectors + 1) / 2 * 255).astype(np.uint8),
        "semantic": (planes[..., 0] > 0.6).astype(np.uint8) * 3,
    }


# --- metrics -------------------------------------------------------------------------------------


def test_psnr_by_hand() -> None:
    original = np.full((4, 4, 3), 100, np.uint8)
    decoded = original + np.uint8(5)
    assert metrics.measure(RGB, original, decoded)["psnr"] == pytest.approx(20 * math.log10(255 / 5))
    assert metrics.measure(RGB, original, decoded)["mse"] == pytest.approx(25)
    assert metrics.measure(RGB, original, original)["psnr"] == metrics.PSNR_CAP
    wide = original.astype(np.uint16)
    found = metrics.measure(RGB, wide, wide + np.uint16(5))
    assert found["psnr"] == pytest.approx(20 * math.log10(65535 / 5))
    assert found["mse"] == pytest.approx((5 / 65535 * 255) ** 2)


def test_depth_by_hand() -> None:
    original = np.array([[0, 1000], [2000, 4000]], np.uint16)
    decoded = np.array([[7, 1010], [1980, 4000]], np.uint16)
    found = metrics.measure(DEPTH, original, decoded)
    assert found["rmse"] == pytest.approx(math.sqrt((100 + 400) / 3))
    assert found["abs_rel"] == pytest.approx((0.01 + 0.01) / 3)
    assert found["psnr"] == pytest.approx(10 * math.log10(3000**2 / ((100 + 400) / 3)))
    assert found["mse"] == pytest.approx((100 + 400) / 3 / 3000**2 * 255**2)


def test_depth_without_valid_pixels_or_range() -> None:
    empty = np.zeros((3, 3), np.uint16)
    assert metrics.measure(DEPTH, empty, empty) == {"psnr": metrics.PSNR_CAP, "mse": 0.0}
    flat = np.full((3, 3), 5, np.uint16)
    assert metrics.measure(DEPTH, flat, flat + np.uint16(1))["psnr"] == pytest.approx(0.0)


def test_angle_by_hand() -> None:
    original = np.array([[[255, 128, 128], [128, 128, 255], [128, 128, 128], [0, 0, 0]]], np.uint8)
    decoded = np.array([[[128, 255, 128], [128, 128, 200], [255, 0, 0], [9, 9, 9]]], np.uint8)
    angle = metrics.measure(NORMAL, original, decoded)["angle_deg"]
    assert angle == pytest.approx(90 / 2, abs=0.4)  # 90 and 0 degrees; the invalid pixels are ignored
    assert metrics.measure(NORMAL, original, original)["angle_deg"] == pytest.approx(0.0, abs=1e-5)
    assert "angle_deg" not in metrics.measure(NORMAL, original[:, 2:], decoded[:, 2:])


def test_categories_are_exact_or_not() -> None:
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    other = labels.copy()
    other[0, 0] = 9
    assert metrics.measure(SEMANTIC, labels, labels) == {"exact": 1.0}
    assert metrics.measure(SEMANTIC, labels, other) == {"exact": 0.0}


def test_metrics_follow_the_kind_not_the_name() -> None:
    heat = Task("heat", "image", 1, ("float32",))
    image = wave(20, 20).astype(np.float32)
    found = metrics.measure(heat, image, image + np.float32(0.01))
    assert set(found) == {"psnr", "mse"}
    assert found["psnr"] == pytest.approx(20 * math.log10((image.max() - image.min()) / 0.01), abs=1e-3)


def test_ms_ssim() -> None:
    image = np.rint(255 * np.stack([wave(192, 180, k) for k in range(3)], axis=-1)).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 1, image.shape)
    noisy = [np.clip(image + s * noise, 0, 255).astype(np.uint8) for s in (4, 20)]
    assert metrics.ms_ssim(image, image, 255) == pytest.approx(1.0)
    assert 1 > metrics.ms_ssim(image, noisy[0], 255) > metrics.ms_ssim(image, noisy[1], 255) > 0.2
    assert [metrics.scale_count(s, 500) for s in (5, 11, 22, 175, 176, 4000)] == [1, 1, 2, 4, 5, 5]
    assert metrics.ms_ssim(image[:7, :7], image[:7, :7], 255) == pytest.approx(1.0)


def test_ssim_of_constant_images_by_hand() -> None:
    a, b = np.full((12, 12), 100.0), np.full((12, 12), 110.0)
    c1 = (0.01 * 255) ** 2  # one scale; no structure, so only luminance differs
    assert metrics.ms_ssim(a, b, 255) == pytest.approx((2 * 100 * 110 + c1) / (100**2 + 110**2 + c1))


def test_metrics_refuse_other_shapes_and_dtypes() -> None:
    image = np.zeros((4, 4), np.uint16)
    with pytest.raises(UsageError, match="depth"):
        metrics.measure(DEPTH, image, image[:2])
    with pytest.raises(UsageError, match="uint8"):
        metrics.measure(DEPTH, image, image.astype(np.uint8))


# --- classical codecs ----------------------------------------------------------------------------

TASKS = {"rgb": RGB, "depth": DEPTH, "normal": NORMAL}
FORMATS = [v.name for v in classical.VARIANTS.values() if v.family in classical.FORMATS]
FINE = {"jpeg": 95, "webp": 95, "avif": 95, "avif10": 95, "jxl": 0.3, "jxl16": 0.3}
FLOOR = {"rgb": 36, "depth": 44, "normal": 36}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("codec", FORMATS)
def test_round_trip_and_overhead(codec: str, name: str) -> None:
    task, image = TASKS[name], scene_of()[name]
    payload = classical.encode(codec, task, image, FINE[codec])
    decoded = classical.decode(codec, task, payload, image)
    assert decoded.shape == image.shape and decoded.dtype == image.dtype
    found = metrics.measure(task, image, decoded)["psnr"]
    assert found > (30 if (codec, name) == ("webp", "normal") else FLOOR[name])
    overhead = container_overhead(payload, codec)
    least, most = {"jpe": (40, 70), "web": (20, 21), "avi": (200, 600), "jxl": (2, 2)}[codec[:3]]
    assert least <= overhead <= most and overhead < len(payload)


@pytest.mark.parametrize("codec", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_depth_and_constant_depth(codec: str, dtype: str) -> None:
    image = (1.5 + 3 * wave(32, 40)).astype(dtype)
    payload = classical.encode(codec, DEPTH, image, FINE[codec])
    decoded = classical.decode(codec, DEPTH, payload, image)
    assert decoded.dtype == image.dtype
    assert metrics.measure(DEPTH, image, decoded)["rmse"] < 0.03
    flat = np.full((32, 32), 2.5, dtype)
    again = classical.decode(codec, DEPTH, classical.encode(codec, DEPTH, flat, FINE[codec]), flat)
    assert np.array_equal(again, flat)


def test_deeper_samples_go_beyond_eight_bits() -> None:
    image = scene_of(64)["depth"]
    for shallow, deep in (("avif", "avif10"), ("jxl", "jxl16")):
        quality = 0.05 if deep == "jxl16" else 99
        levels = []
        for codec in (shallow, deep):
            payload = classical.encode(codec, DEPTH, image, quality)
            levels.append(
                metrics.measure(DEPTH, image, classical.decode(codec, DEPTH, payload, image))["psnr"]
            )
        assert levels[1] > max(60, levels[0])


def test_quality_and_errors() -> None:
    image = scene_of()["rgb"]
    for v in map(classical.VARIANTS.get, FORMATS):
        assert v is not None
        few, many = (len(classical.encode(v.name, RGB, image, v.qualities[k])) for k in (0, -1))
        assert few < many
    with pytest.raises(UsageError, match="avif10"):
        classical.encode("gif", RGB, image, 50)
    with pytest.raises(UsageError, match="channels"):
        classical.encode("avif", Task("flow", "image", 2), image[..., :2], 50)
    with pytest.raises(MtcodecError, match="jxl"):
        classical.decode("jxl", RGB, b"no image at all", image)
    assert classical.variants("jxl", RGB, "uint8") == ["jxl"]
    assert classical.variants("jxl", DEPTH, "uint16") == ["jxl", "jxl16"]


@pytest.mark.parametrize("top", [3, 700])
def test_lossless_webp(top: int) -> None:
    from PIL import Image

    labels = np.random.default_rng(0).integers(0, top + 1, (20, 31)).astype(np.uint16)
    back = np.asarray(Image.open(io.BytesIO(classical.lossless_webp(labels)))).astype(int)
    ids = back[..., 0] + 256 * back[..., 1] if top > 255 else back[..., 0]
    assert np.array_equal(ids, labels)


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
    payload = classical.encode(codec, RGB, scene_of()["rgb"], FINE[codec])
    for length in range(0, len(payload), 7):
        try:
            container_overhead(payload[:length], codec)
        except MtcodecError:
            continue
        assert codec == "jxl"  # a bare codestream does not say how long it is


# --- matched bytes -------------------------------------------------------------------------------


FIELDS: tuple[tuple[Size, float], ...] = (("bytes", 1.0), ("payload_bytes", 0.5))


def point(codec: str, task: str, size: float, psnr: float, net: float | None = None) -> Point:
    return Point(codec, task, 50, 1, size, size / 2 if net is None else net, size / 8192, psnr, 9.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("psnr", "size", "outside"),
    [
        (30, 100, False),
        (35, 200, False),
        (45, 800, False),
        (50, 1600, False),
        (25, 50, True),
        (55, 3200, True),
    ],
)
def test_bytes_at_interpolates_logarithms(psnr: float, size: float, outside: bool) -> None:
    line = [point("avif", "rgb", 1600, 50), point("avif", "rgb", 100, 30), point("avif", "rgb", 400, 40)]
    beaten = point("avif", "rgb", 900, 39)
    for points in (line, [*line, beaten]):
        for field, factor in FIELDS:
            found, flag = bytes_at(points, psnr, field)
            assert found == pytest.approx(size * factor) and flag is outside
    found, flag = bytes_at(line[:1], 40)
    assert found == pytest.approx(1600) and flag


def test_best_codec_prefers_files_that_exist() -> None:
    wide = [point("jpeg", "rgb", 300, 20), point("jpeg", "rgb", 900, 40)]
    steep = [point("jxl", "rgb", 200, 30), point("jxl", "rgb", 800, 31)]
    above = best_at([*wide, *steep], 25)
    assert above[1:] == ("jxl", False) and above[0] == pytest.approx(200)
    assert best_at([*wide, *steep], 40)[1:] == ("jpeg", False)  # beyond the other's end
    low = best_at([*wide, *steep], 19)  # below both: the nearest one, continued
    assert low[1:] == ("jpeg", True) and low[0] == pytest.approx(300 * 3 ** (-1 / 20))


def test_best_codec_and_ratio() -> None:
    points = [
        *(point("avif", "rgb", 100, 30, 20), point("avif", "rgb", 400, 40, 320)),
        *(point("jxl", "rgb", 90, 30, 88), point("jxl", "rgb", 810, 40, 808)),
        *(point("webp", "depth", 50, 40, 40), point("webp", "depth", 200, 50, 190)),
    ]
    assert best_at(points[:4], 30)[1:] == ("jxl", False)
    found = matched(250, {"rgb": 40, "depth": 40}, points)
    assert found is not None
    assert found["ratio"] == pytest.approx(250 / 450) and not found["extrapolated"]
    assert found["ratio_payload"] == pytest.approx(250 / 360)
    assert found["tasks"]["rgb"]["codec"] == found["tasks"]["rgb"]["payload_codec"] == "avif"
    half = matched(250, {"rgb": 40, "depth": 40}, points, {"depth": 0.5})
    assert half is not None and half["classical_bytes"] == pytest.approx(425)
    low = matched(250, {"rgb": 40, "depth": 39}, points)
    assert low is not None and low["extrapolated"] and low["tasks"]["depth"]["extrapolated"]
    assert matched(250, {"rgb": 40, "normal": 40}, points) is None
    assert matched(250, {}, points) is None


# --- BD-rates ------------------------------------------------------------------------------------

CURVE: Line = [(100, 30), (180, 33.5), (400, 36), (1000, 41), (1500, 42)]


def scaled(factor: float, decibels: float = 0.0) -> Line:
    return [(size * factor, psnr + decibels) for size, psnr in CURVE]


@pytest.mark.parametrize("percent", [10.0, 0.0, -25.0, 300.0])
def test_bd_rate_of_a_curve_with_more_bytes(percent: float) -> None:
    found = bd_rate(CURVE, reversed(scaled(1 + percent / 100)))
    assert found["percent"] == pytest.approx(percent, abs=1e-9)
    assert found["psnr"] == [30, 42] and found["share"] == 1


def test_bd_rate_published_example() -> None:
    """The example of the package ``bjontegaard`` 1.3.0, which gives this number with ``method="pchip"``."""
    anchor = zip([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851])
    test = zip([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987])
    assert bd_rate(anchor, test)["percent"] == pytest.approx(-4.417485350589)


def test_bd_rate_of_straight_lines_over_the_common_interval() -> None:
    reference = [(100 * 2 ** (k / 3), 30.0 + k) for k in range(10)]  # twice the bytes for 3 dB
    test = [(size, psnr + 6) for size, psnr in reference]
    found = bd_rate(reference, test)
    assert found["percent"] == pytest.approx(-75) and found["psnr"] == [36, 39]
    assert found["share"] == pytest.approx(1 / 3)
    assert bd_rate(test, reference)["percent"] == pytest.approx(300)


def test_bd_rate_never_extrapolates() -> None:
    nothing = {"percent": None, "psnr": None, "share": 0.0}
    assert bd_rate(CURVE, scaled(1, 13)) == nothing and bd_rate(CURVE, scaled(1, 12)) == nothing
    assert bd_rate(CURVE, CURVE[:1]) == nothing and bd_rate([], CURVE) == nothing
    assert bd_rate(CURVE, scaled(1, 11.9))["percent"] is not None


def test_bd_rate_leaves_out_beaten_points() -> None:
    beaten = [*CURVE, (500.0, 35.0), (1000.0, 40.0), (2000.0, 42.0)]
    assert front(beaten) == CURVE
    assert bd_rate(CURVE, beaten)["percent"] == pytest.approx(0, abs=1e-9)


def made_up(images: int = 2) -> dict[str, Any]:
    """Results of two systems and a classical codec over two scenes, ``b`` with 20 % more bytes."""
    rows: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    for factor, name in ((1.0, "a"), (1.2, "b")):
        for size, psnr in CURVE:
            lossy = {"rgb": {"bytes": size * factor, "bpp": size * factor / 8192, "psnr": psnr + 1}}
            lossy["depth"] = {**lossy["rgb"], "psnr": psnr - 1}
            sizes = {"bytes": 2 * size * factor + 90, "lossy_bytes": 2 * size * factor + 60}
            rows[name].append(
                {
                    **sizes,
                    "overhead_bytes": 60,
                    "bpp": sizes["bytes"] / 8192,
                    "psnr_mean": psnr,
                    "tasks": lossy,
                }
            )
    files = [
        Point("avif", "rgb", q, 2, s + 40, s, (s + 40) / 8192, p + 1, 1, 1, 1)
        for q, (s, p) in enumerate(CURVE)
    ]
    files += [
        Point("avif", "depth", q, images, s + 40, s, (s + 40) / 8192, p - 1, 1, 1, 1)
        for q, (s, p) in enumerate(CURVE)
    ]
    return {
        "scenes": ["x", "y"], "tasks": {"rgb": {}, "depth": {}, "semantic": {}}, "qualities": [0, 1, 2, 3, 4],
        "systems": {name: {"rows": own} for name, own in rows.items()}, "classical": [vars(p) for p in files],
    }  # fmt: skip


def test_bd_rate_table_counts_bytes_alike() -> None:
    results = made_up()
    found = bdrate.table(results, "a")
    assert found is not None and list(found["systems"]) == ["a", "b", "avif"]
    b, avif = found["systems"]["b"], found["systems"]["avif"]
    assert b["all_payload"]["percent"] == pytest.approx(20)
    assert 10 < b["all"]["percent"] < 20  # the header does not grow
    assert {t: e["percent"] for t, e in b["tasks"].items()} == pytest.approx({"rgb": 20, "depth": 20})
    assert avif["all_payload"]["percent"] == pytest.approx(0, abs=1e-9)  # two files of the same payload
    assert avif["all"]["percent"] > 0 and avif["tasks"]["depth"]["percent"] == pytest.approx(0, abs=1e-9)
    assert avif["tasks"]["rgb"]["psnr"] == [31, 43]
    against_b = bdrate.table(results, "b")
    assert against_b is not None
    assert against_b["systems"]["a"]["all_payload"]["percent"] == pytest.approx(100 / 1.2 - 100)
    shown = format_bd_rates({**results, "bd_rate": found})
    assert shown is not None and shown.row_count == 3
    assert list(shown.columns[2].cells) == ["+0.0 %", "+20.0 %", "+0.0 %"]


def test_lines_of_results() -> None:
    results = made_up(images=1)  # of depth; per scene it costs half
    lines = total_lines(results, "bytes")
    assert lines["a"][0] == (260, 30) and lines["avif"][0] == pytest.approx((140 + 140 / 2, 30))
    assert total_lines(results, "bpp")["a"][0] == pytest.approx((260 / 8192, 30))
    assert total_lines(results, "bpp", overhead=False)["avif"][0] == pytest.approx((150 / 8192, 30))
    assert task_lines(results, "depth", "bpp")["avif"][0] == pytest.approx((100 / 8192, 29))
    results["classical"] = [p for p in results["classical"] if p["task"] == "rgb"]
    assert "avif" not in total_lines(results, "bytes") and "avif" in task_lines(results, "rgb", "bytes")
    found = bdrate.table(results, "a")
    assert found is not None and found["systems"]["avif"]["all"]["percent"] is None
    assert found["systems"]["avif"]["tasks"]["depth"]["percent"] is None


# --- curves and the whole evaluation -------------------------------------------------------------


def test_curve_is_the_mean_over_images() -> None:
    images: list[Array] = [scene_of(shift=s)["rgb"] for s in (0.0, 1.0)]
    points = curve("jpeg", RGB, images, (10, 90))
    files = [classical.encode("jpeg", RGB, image, 90) for image in images]
    assert [p.quality for p in points] == [10, 90] and points[0].psnr < points[1].psnr
    assert points[1].bytes == sum(map(len, files)) / 2
    assert points[1].payload_bytes == points[1].bytes - container_overhead(files[0], "jpeg")
    assert points[1].bpp == pytest.approx(points[1].bytes * 8 / 48**2)
    assert points[1].images == 2 and points[1].encode_ms > 0
    decoded = [classical.decode("jpeg", RGB, *pair) for pair in zip(files, images)]
    errors = [metrics.measure(RGB, *pair)["mse"] for pair in zip(images, decoded)]
    assert points[1].mse == pytest.approx(sum(errors) / 2) and points[1].mse > 0


def test_cache_knows_pixels_codec_and_grid(tmp_path: Path) -> None:
    images: list[Array] = [scene_of()["rgb"]]
    file = tmp_path / "cache.json"
    key = fingerprint(RGB, images)
    points = curve("jpeg", RGB, images, (50,))
    CurveCache(file).put(key, "jpeg", (50,), points)
    cache = CurveCache(file)
    assert cache.get(key, RGB, "jpeg", (50.0,)) == points
    assert cache.get(key, RGB, "jpeg", (51,)) is None and cache.get(key, RGB, "webp", (50,)) is None
    other = CurveCache(file, {"jpeg": "other tables"})
    assert other.get(key, RGB, "jpeg", (50,)) is None
    assert CurveCache(file, {"webp": "weights"}).get(key, RGB, "jpeg", (50,)) == points
    images[0] = images[0].copy()
    images[0][3, 3] += 1
    assert fingerprint(RGB, images) != key
    file.write_text("{ damaged")
    assert CurveCache(file).get(key, RGB, "jpeg", (50,)) is None


class Shelf:
    """A codec that drops low bits, more of them at low quality, and stores what is left as npz.

    ``waste`` bytes are added to each file.
    """

    def __init__(self, waste: int = 0) -> None:
        self.waste = waste

    def encode(self, scene: Scene, *, quality: float) -> bytes:
        step = 8 if quality < 10 else 4 if quality < 50 else 2
        kept = {n: i if n == "semantic" else i // step * step for n, i in scene.items()}
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **kept)
        return file.getvalue() + bytes(self.waste)

    def decode(self, data: bytes) -> Scene:
        with np.load(io.BytesIO(data[: len(data) - self.waste]), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def shelf_info(data: bytes) -> Mapping[str, Any]:
    """Ten bytes of overhead and twenty for the labels; the other tasks share the rest."""
    lossy = len(data) - 30
    tasks = {n: {"bytes": lossy, "sections": ["shared"]} for n in ("rgb", "depth", "normal")}
    tasks["semantic"] = {"bytes": 20, "sections": ["semantic"]}
    sections = [{"name": "shared", "bytes": lossy}, {"name": "semantic", "bytes": 20}]
    return {"overhead_bytes": 10, "sections": sections, "tasks": tasks}


@pytest.fixture
def scenes(tmp_path: Path) -> list[SceneFiles]:
    import imagecodecs

    paths = [tmp_path / "scenes" / name for name in ("a", "b")]
    for shift, path in enumerate(paths):
        path.mkdir(parents=True)
        for name, image in scene_of(shift=float(shift)).items():
            (path / f"{name}.png").write_bytes(imagecodecs.png_encode(image))
    return find_scenes(tmp_path / "scenes")


def test_evaluate(scenes: list[SceneFiles], tmp_path: Path) -> None:
    out, said = tmp_path / "out", []
    grids = dict.fromkeys(classical.VARIANTS, (10, 60, 95)) | dict.fromkeys(("jxl", "jxl16"), (8, 2, 0.3))
    options: dict[str, Any] = {"info": shelf_info, "grids": grids, "arguments": {"data": "made up"}}
    results = evaluate(
        {"shelf": Shelf()},
        scenes,
        [20, 80],
        ["webp", "jxl"],
        out,
        lambda what, *_: said.append(what),
        **options,
    )
    files = [Shelf().encode(scene_of(shift=s), quality=80) for s in (0.0, 1.0)]
    own = results["systems"]["shelf"]["rows"]
    row = own[1]
    assert row["bytes"] == sum(map(len, files)) / 2 and row["lossy_bytes"] == row["bytes"] - 20
    assert row["bpp"] == pytest.approx(row["bytes"] * 8 / 48**2)
    assert row["sections"]["semantic"]["bpp"] == pytest.approx(20 * 8 / 48**2)
    assert row["tasks"]["semantic"]["exact"] == 1.0 and results["lossless"]["semantic"]["webp_bytes"] > 30
    assert row["tasks"]["rgb"]["psnr"] > own[0]["tasks"]["rgb"]["psnr"] > 40
    assert row["psnr_mean"] == pytest.approx(sum(row["tasks"][t]["psnr"] for t in TASKS) / 3)
    assert row["matched"]["ratio"] == pytest.approx(row["lossy_bytes"] / row["matched"]["classical_bytes"])
    assert row["encode_ms"] > 0 and set(row["matched"]["tasks"]) == set(TASKS)
    assert {p["codec"] for p in results["classical"] if p["task"] == "depth"} == {"webp", "jxl", "jxl16"}
    assert len(results["classical"]) == 3 * (2 + 2 + 3) and "jxl16 depth" in said

    stored = json.loads((out / "results.json").read_text())
    assert stored == json.loads(json.dumps(results)) and stored["arguments"] == {"data": "made up"}
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert len(rows) == 2 * (1 + 4) + 21 and rows[0]["task"] == "all" and float(rows[0]["ratio"]) > 0
    assert (out / "rd.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "rd-without-jpeg.png").exists()
    assert rows[0]["system"] == "shelf" and float(rows[1]["mse"]) > 0
    assert format_table(results).row_count == 2
    assert results["bd_rate"]["reference"] == "shelf"

    said.clear()
    again = evaluate(
        {"shelf": Shelf()}, scenes, [20, 80], ["webp", "jxl"], out, lambda w, *_: said.append(w), **options
    )
    assert again["classical"] == results["classical"] and set(said) == {"quality 20", "quality 80"}


def test_evaluate_without_classical_codecs_or_files(scenes: list[SceneFiles]) -> None:
    results = evaluate({"shelf": Shelf()}, scenes, [80], [], None, info=shelf_info, tasks=[RGB, DEPTH])
    assert results["systems"]["shelf"]["rows"][0]["matched"] is None and results["classical"] == []
    assert results["bd_rate"] is None and format_bd_rates(results) is None
    assert list(results["tasks"]) == ["rgb", "depth"] and results["lossless"] == {}
    assert format_table(results).row_count == 1


def test_evaluate_several(scenes: list[SceneFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[SceneFiles] = []
    encoded: list[str] = []
    read_scene, encode = report.read_scene, classical.encode

    def reading(files: SceneFiles, tasks: Any = None) -> Scene:
        read.append(files)
        return read_scene(files, tasks)

    def encoding(codec: str, *rest: Any) -> bytes:
        encoded.append(codec)
        return encode(codec, *rest)

    monkeypatch.setattr(report, "read_scene", reading)
    monkeypatch.setattr(classical, "encode", encoding)
    out = tmp_path / "out"
    about = {"lean": {"architecture": "mixed"}, "fat": {"architecture": "single"}}
    results = evaluate(
        {"lean": Shelf(), "fat": Shelf(400)}, scenes, [0, 20, 80], ["jpeg"], out,
        info=shelf_info, about=about, grids={"jpeg": (10, 90, 97)},
    )  # fmt: skip
    assert read == scenes and encoded == ["jpeg"] * 2 * 3 * 3  # once for scenes, qualities and tasks
    lean, fat = (results["systems"][name]["rows"] for name in ("lean", "fat"))
    assert results["systems"]["lean"]["architecture"] == "mixed"
    assert [b["bytes"] - a["bytes"] for a, b in zip(lean, fat)] == [400, 400, 400]
    found = results["bd_rate"]
    assert found["reference"] == "fat" and list(found["systems"]) == ["lean", "fat", "jpeg"]
    assert found["systems"]["fat"]["all"]["percent"] == pytest.approx(0)
    lines = total_lines(results, "bytes")
    assert found["systems"]["lean"]["all"] == bd_rate(lines["fat"], lines["lean"])
    assert -50 < found["systems"]["lean"]["all"]["percent"] < 0
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [r["system"] for r in rows] == ["lean"] * 15 + ["fat"] * 15 + ["jpeg"] * 9
    assert format_table(results).row_count == 6 and format_table(results).columns[0].header == "weights"
    pictures = [(out / f"rd{end}.png").read_bytes() for end in ("", "-without-jpeg")]
    assert pictures[0] != pictures[1] and pictures[1] == draw(results, omit=("jpeg",))
    named = evaluate(
        {"lean": Shelf(), "fat": Shelf(400)},
        scenes,
        [0, 80],
        [],
        info=shelf_info,
        about=about,
        reference="lean",
    )
    assert named["bd_rate"]["systems"]["fat"]["all"]["percent"] > 0


def test_evaluate_refuses_names(scenes: list[SceneFiles]) -> None:
    with pytest.raises(UsageError, match="reference 'avif'"):
        evaluate({"shelf": Shelf()}, scenes, [80], ["jpeg"], info=shelf_info, reference="avif")
    with pytest.raises(UsageError, match="'jpeg' here"):
        evaluate({"jpeg": Shelf()}, scenes, [80], [], info=shelf_info)
    with pytest.raises(UsageError, match="at least one"):
        evaluate({}, scenes, [80], [], info=shelf_info)


def test_command_compares_weights(small_weights: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from mtcodec import cli

    data, copy = tmp_path / "data", tmp_path / "copy.safetensors"
    data.mkdir()
    (data / "one").symlink_to(SCENES / "100000")
    copy.write_bytes(small_weights.read_bytes())
    command = ["evaluate", str(data), "--against", "", "--quality", "0,50,100", "--threads", "1", "--weights"]
    done = CliRunner().invoke(
        cli.app, [*command, f"{small_weights},{copy}", "--reference", str(copy), "--json"]
    )
    results = json.loads(done.stdout)
    assert list(results["systems"]) == ["small", "copy"] and results["bd_rate"]["reference"] == "copy"
    assert results["systems"]["copy"]["architecture"] == "conditional"
    assert results["bd_rate"]["systems"]["small"]["all"]["percent"] == pytest.approx(0)
    assert results["systems"]["small"]["rows"][0]["tasks"]["rgb"]["mse"] > 0
    shown = CliRunner().invoke(cli.app, [*command, f"{small_weights},{copy}"])
    assert "BD-rate against small" in shown.stdout and shown.stdout.count("│ copy ") == 4
    twice = CliRunner().invoke(cli.app, [*command, f"{copy},{copy}"])
    assert isinstance(twice.exception, UsageError) and "'copy'" in str(twice.exception)


def test_evaluate_refuses_before_it_starts(scenes: list[SceneFiles], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bpg"):
        evaluate({"shelf": Shelf()}, scenes, [80], ["bpg"], tmp_path / "out", info=shelf_info)
    with pytest.raises(UsageError, match="at least one"):
        evaluate({"shelf": Shelf()}, [], [80], [], None, info=shelf_info)
