"""Classical code streams in sections: settings by λ, sections of every mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from shared.sections import file_of, read, with_payload

from mtcodec.bitstreams import av1
from mtcodec.codec.prepare import Scene
from mtcodec.coders import classical, coding_modes
from mtcodec.coders.coding_modes import AV1_SPEEDS, CODECS, CODING_MODES, CodingMode
from mtcodec.errors import SectionError
from mtcodec.quality import MAX_LEVEL, lambda_of
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import KINDS, USUAL, declare

TASKS = {name: USUAL[name] for name in ("rgb", "depth", "normal")}
NAMES = {mode.name: mode for mode in CODING_MODES}
SETTINGS = {
    f"{mode.name}-{column}": (mode, column) for mode in CODING_MODES for column in mode.settings_by_level
}


def ramp(height: int, width: int, channels: int = 3) -> Array:
    rows, columns = np.mgrid[:height, :width]
    planes = [(rows * (3 + c) + columns * 2) % 251 for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


# --- settings by λ -----------------------------------------------------------------------------------


def of(name: str, size: tuple[int, int] = (16, 16), kind: str = "") -> Signal:
    """A signal of one value of this size, which takes no memory."""
    task = declare(name, kind) if kind else USUAL[name]
    shape = size if task.channels == 1 else (*size, task.channels)
    image = np.broadcast_to(np.uint8(1), shape)
    made = Signal.from_image(task, np.full((2, 2, *shape[2:]), 1, np.uint8))
    return replace(made, original=image, filled=image)


def test_every_kind_has_settings() -> None:
    for kind in KINDS.values():
        assert {"av1-10", "jxl-16"} <= {
            mode.name for mode in CODING_MODES if kind.rd_table in mode.settings_by_level
        }


@pytest.mark.parametrize(("mode", "column"), SETTINGS.values(), ids=SETTINGS)
def test_settings_get_better_with_lambda(mode: CodingMode, column: str) -> None:
    found = [mode.setting(column, step) for step in range(0, MAX_LEVEL + 1, 16)]
    better = found if mode.codec == "av1" else [-setting for setting in found]
    assert better == sorted(better) and better[0] < better[-1]
    known = [mode.rounded(setting) for setting in found]
    assert all(0 <= s <= 100 and s == round(s) for s in known) or mode.codec == "jxl"
    assert all(0.01 <= s <= 25 for s in known) or mode.codec == "av1"


@pytest.mark.parametrize("preset", ["draft", "fast", "medium"])
@pytest.mark.parametrize("name", list(TASKS))
def test_one_setting_of_one_way_is_tried_at_every_quality(name: str, preset: str) -> None:
    (mode,) = coding_modes.modes_for(of(name), preset)
    assert mode.codec == "av1"
    tried = [
        coding_modes.settings_worth_trying(of(name), mode, float(lambda_of(s)), preset)
        for s in range(0, MAX_LEVEL + 1, 32)
    ]
    assert all(len(own) == 1 for own in tried) and tried == sorted(tried) and tried[0] < tried[-1]


def test_the_best_effort_tries_neighbours_and_all_ways() -> None:
    lam = float(lambda_of(1500))
    modes = coding_modes.modes_for(of("rgb"), "best")
    assert modes == [mode for mode in CODING_MODES if not mode.projected]
    for mode in modes:
        own = coding_modes.settings_worth_trying(of("rgb"), mode, lam, "best")
        assert len(set(own)) == 3 and own[0] == mode.rounded(mode.setting("color", 1500))
        assert min(own) < own[0] < max(own)


def test_large_images_are_coded_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    made = Signal.from_image(USUAL["rgb"], ramp(40, 48))
    encode_samples = av1.encode_samples
    monkeypatch.setattr(av1, "encode_samples", lambda *a, **k: seen.append(a[2]) or encode_samples(*a, **k))
    for large in (40 * 48, 40 * 48 - 1):
        monkeypatch.setattr(classical, "LARGE_PIXELS", large)
        classical.encode(made, CODING_MODES[0], 50, "medium")
    assert seen == [AV1_SPEEDS["medium"], AV1_SPEEDS["fast"]] and seen[0] < seen[1]


def test_images_larger_than_av1_has_are_coded_by_jpeg_xl() -> None:
    for effort in ("normal", "best"):
        assert {mode.codec for mode in coding_modes.modes_for(of("rgb", (1, (1 << 15) + 1)), effort)} == {
            "jxl"
        }


@pytest.mark.parametrize(
    ("name", "width"), [("rgb", 1 << 15), ("rgb", (1 << 15) + 1), ("normal", (1 << 14) + 1)]
)
def test_the_widest_images_come_back(name: str, width: int) -> None:
    image = np.full((2, width, 3), (128, 128, 255), np.uint8)
    made = Signal.from_image(USUAL[name], image)
    for mode in coding_modes.modes_for(made, "draft"):
        coded = classical.encode(made, mode, 50.0 if mode.codec == "av1" else 1.0, "draft")
        back = read(file_of({name: coded}, (2, width)), name)
        assert np.abs(back.astype(int) - image).max() <= 3


def test_what_classical_codecs_can_code() -> None:
    for channels, possible in ((1, True), (2, False), (3, True), (4, False)):
        image = np.zeros((4, 4, channels), np.uint8) if channels > 1 else np.zeros((4, 4), np.uint8)
        made = Signal.from_image(declare("x", "image", channels), image)
        assert coding_modes.channels_supported(made) == possible


# --- sections ----------------------------------------------------------------------------------------


CODED = {
    f"{mode.name}-{name}": (mode, name)
    for mode in CODING_MODES
    for name in TASKS
    if name == "normal" or not mode.projected
}


@pytest.mark.parametrize(("mode", "name"), CODED.values(), ids=CODED)
def test_payloads_decode_near_the_image_holes_intact(name: str, mode: CodingMode, scene: Scene) -> None:
    image = scene[name].copy()
    if name != "rgb":
        image[20:50, 30:90] = 0
    made = Signal.from_image(TASKS[name], image)
    setting = mode.rounded(mode.setting(made.task.kind.rd_table, 1900))
    coded = classical.encode(made, mode, setting, "fast")
    assert (
        coded.payload[0] & 127 == CODECS[mode.codec].id
        and coded.coding == "classical"
        and not coded.uses_shared
    )
    back = read(file_of({name: coded}, (256, 256)), name)
    assert (back.shape, back.dtype) == (image.shape, image.dtype)
    assert np.array_equal(back, coded.decoded())
    assert coded.squared_error() == pytest.approx(made.squared_error(back))
    assert measure(made, back)["psnr"] > 36
    if name != "rgb":
        assert np.array_equal(
            (back == 0).reshape(256, 256, -1).all(-1), (image == 0).reshape(256, 256, -1).all(-1)
        )


def test_better_settings_have_less_error(scene: Scene) -> None:
    made = Signal.from_image(USUAL["rgb"], np.ascontiguousarray(scene["rgb"][64:192, 64:192]))
    coded = [classical.encode(made, NAMES["av1-10"], setting, "draft") for setting in (10, 40, 70, 95)]
    assert [c.squared_error() for c in coded] == sorted((c.squared_error() for c in coded), reverse=True)
    assert [c.bits for c in coded] == sorted(c.bits for c in coded)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int32", "uint32"])
def test_depth_of_any_dtype_and_single_values(scene: Scene, dtype: str) -> None:
    depth = scene["depth"].astype(dtype) if "int" in dtype else (scene["depth"] / 1000).astype(dtype)
    depth[:9, :9] = 0 if "int" in dtype else np.nan
    flat = np.full((16, 16), 70).astype(dtype)
    for image in (depth, flat):
        made = Signal.from_image(USUAL["depth"], image)
        coded = classical.encode(made, NAMES["av1-10"], 90, "fast")
        back = read(file_of({"depth": coded}, image.shape), "depth")
        assert back.dtype == image.dtype and np.array_equal(np.isnan(back), np.isnan(image))
        assert measure(made, back)["psnr"] > 45


FORGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda p: b"", "unknown classical codec"),
    "an unknown codec": (lambda p: b"\x02" + p[1:], "unknown classical codec"),
    "another codec": (lambda p: b"\x00" + p[1:], "not a JPEG XL"),
    "half a stream": (lambda p: p[:40], "cut off"),
    "half a rotation": (lambda p: p[:3], "a rotation that is cut off"),
    "a rotation of other numbers": (lambda p: p[:2] + b"\x80" + p[3:], "beyond its numbers"),
}


PROJECTED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no projection": (lambda p: p[:4], "no unit vectors"),
    "no direction": (lambda p: p[:1] + bytes(3) + p[4:], "no direction"),
    "three planes": (lambda p: b"\x01\0\0\0" + p[5:], "another shape"),
    "nothing after it": (lambda p: p[:5], "not the expected parts"),
}


@pytest.mark.parametrize(("forge", "message"), PROJECTED.values(), ids=PROJECTED)
def test_refuses_projections(forge: Callable[[bytes], bytes], message: str, scene: Scene) -> None:
    made = Signal.from_image(USUAL["normal"], scene["normal"])
    coded = classical.encode(made, NAMES["av1-10-projected"], 40, "draft")
    file = file_of({"normal": coded}, (256, 256))
    with pytest.raises(SectionError, match=f"section normal: .*{message}"):
        read(with_payload(file, "normal", forge(coded.payload)), "normal")


def test_only_unit_vectors_have_projections(scene: Scene) -> None:
    made = Signal.from_image(USUAL["normal"], scene["normal"])
    coded = classical.encode(made, NAMES["av1-10-projected"], 40, "draft")
    colours = replace(coded, pixel_format=replace(coded.pixel_format, unit_vectors=False))
    with pytest.raises(SectionError, match="no unit vectors"):
        read(file_of({"rgb": colours}, (256, 256)), "rgb")


@pytest.mark.parametrize(("forge", "message"), FORGED.values(), ids=FORGED)
def test_refuses(forge: Callable[[bytes], bytes], message: str, scene: Scene) -> None:
    made = Signal.from_image(USUAL["rgb"], scene["rgb"])
    coded = classical.encode(made, NAMES["av1-10"], 40, "draft")
    file = file_of({"rgb": coded}, (256, 256))
    with pytest.raises(SectionError, match=f"section rgb: .*{message}") as caught:
        read(with_payload(file, "rgb", forge(coded.payload)), "rgb")
    assert (caught.value.section, caught.value.task) == ("rgb", "rgb")


def test_refuses_other_channels(scene: Scene) -> None:
    made = Signal.from_image(USUAL["rgb"], scene["rgb"])
    coded = classical.encode(made, NAMES["av1-10"], 40, "draft")
    for channels, message in ((2, "neither one nor three"), (1, "not the expected parts")):
        other = replace(coded, pixel_format=replace(coded.pixel_format, channels=channels))
        with pytest.raises(SectionError, match=message):
            read(file_of({"rgb": other}, (256, 256)), "rgb")
