"""Classical code streams in sections: AV1 without boxes, the search for a PSNR, the choice by bytes."""

from __future__ import annotations

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest

from mtcodec.bitstreams import av1
from mtcodec.codec import choice
from mtcodec.codec.choice import Request, best_of, worthwhile
from mtcodec.codec.codec import Codec
from mtcodec.codec.targets import Target
from mtcodec.coders import classical as picture
from mtcodec.coders import sections
from mtcodec.coders.classical import AV1_8, AV1_10, JXL_8, JXL_16, Way
from mtcodec.errors import FormatError, SectionError
from mtcodec.files.scene import Scene
from mtcodec.format.container import Header, Reader, Section, build
from mtcodec.signal import layers
from mtcodec.signal.mapping import Array
from mtcodec.signal.measures import errors
from mtcodec.tasks.task import DEPTH, NORMAL, RGB, Task

TASKS = {t.name: t for t in (RGB, DEPTH, NORMAL)}


def ramp(height: int, width: int, channels: int = 3) -> Array:
    rows, columns = np.mgrid[:height, :width]
    planes = [(rows * (3 + c) + columns * 2) % 251 for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


# --- AV1 -------------------------------------------------------------------------------------------


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
    refused = {
        stream[:1] + b"\xff\xff\xff\xff" + stream[5:]: "cut off",
        stream[:-1]: "cut off",
        stream + b"\0": "more than one frame",
        stream[:2]: "cut off",
        b"": "not the expected parts",
        stream[11:]: "not the expected parts",
        b"\x0a\x01\x38" + stream[11:]: "header is cut off",
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


# --- sections ----------------------------------------------------------------------------------------


def packed(task: Task, image: Array, payload: bytes, limits: tuple[float, float] | None) -> Reader:
    section = Section(task.name, "classical", image.dtype.name, None, limits, 0, 0)
    header = Header("00" * 7, *image.shape[:2], 0, (section,))
    return Reader(io.BytesIO(build(header, {task.name: payload})))


@pytest.mark.parametrize("way", [AV1_8, AV1_10, JXL_8, JXL_16], ids=lambda w: f"{w.codec}-{w.bits}")
@pytest.mark.parametrize("name", list(TASKS))
def test_payloads_decode_near_the_image_holes_intact(name: str, way: Way, scene: Scene) -> None:
    task, image = TASKS[name], scene[name].copy()
    if name != "rgb":
        image[20:50, 30:90] = 0
    prepared = layers.prepare(task, image)
    payload = picture.encode(prepared, way, way.settings[len(way.settings) * 7 // 10], way.efforts[0])
    back = sections.read(packed(task, image, payload, picture.limits_of(task, prepared)), name)
    assert (back.shape, back.dtype) == (image.shape, image.dtype)
    assert errors(task, image, back)["psnr"] > 33
    if name != "rgb":
        assert np.array_equal(
            (back == 0).reshape(256, 256, -1).all(-1), (image == 0).reshape(256, 256, -1).all(-1)
        )


def test_float_depth_and_single_values(scene: Scene) -> None:
    depth = scene["depth"].astype(np.float32) / 1000
    depth[:9, :9] = np.nan
    flat = np.full((16, 16), 700, np.uint16)
    for image in (depth, flat):
        prepared = layers.prepare(DEPTH, image)
        payload = picture.encode(prepared, AV1_10, 90, 9)
        back = sections.read(packed(DEPTH, image, payload, picture.limits_of(DEPTH, prepared)), "depth")
        assert back.dtype == image.dtype and np.array_equal(np.isnan(back), np.isnan(image))
        assert errors(DEPTH, image, back)["psnr"] > 45


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda p: b"", "layers: the section ends"),
        (lambda p: p[:1], "unknown classical codec"),
        (lambda p: p[:1] + b"\x02" + p[2:], "unknown classical codec"),
        (lambda p: p[:1] + b"\x00" + p[2:], "not a JPEG XL"),
        (lambda p: b"\x20" + p[1:], "reserved flags"),
        (lambda p: p[:40], "cut off"),
    ],
)
def test_refuses(forge: Callable[[bytes], bytes], message: str, scene: Scene) -> None:
    image = scene["rgb"]
    payload = picture.encode(layers.prepare(RGB, image), AV1_8, 40, 9)
    with pytest.raises(SectionError, match=f"section rgb: .*{message}"):
        sections.read(packed(RGB, image, forge(payload), None), "rgb")
    with pytest.raises(SectionError, match="range that does not fit"):
        depth = scene["depth"]
        sections.read(packed(DEPTH, depth, payload, None), "depth")


# --- searching and choosing --------------------------------------------------------------------------


CURVES = {
    "a line": lambda at: 20 + 0.3 * at, "steep": lambda at: 3.0 * at, "flat": lambda at: 30 + 0.001 * at,
    "a step": lambda at: 20.0 + 30 * (at >= 37), "a jump": lambda at: 30 + 0.1 * at + 60 * (at > 90),
    "stairs": lambda at: 20.0 + at // 7, "a bend": lambda at: 20 + 0.02 * at**1.8,
}  # fmt: skip


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
@pytest.mark.parametrize("start", [-3, 0, 40, 99, 200])
def test_the_lowest_setting_is_found_from_anywhere(curve: Callable[[int], float], start: int) -> None:
    for edge in (0, 1, 36, 37, 49, 50, 90, 99):
        asked: list[int] = []
        goal = curve(edge) if edge else -1.0
        found = picture.lowest(lambda at, asked=asked: asked.append(at) or curve(at), goal, 100, start)
        assert found is not None and curve(found) >= goal and len(asked) == len(set(asked)) < 18
        assert curve(found) < goal + picture.CLOSE or found == 0 or curve(found - 1) < goal
    assert picture.lowest(curve, curve(99) + 0.01, 100, start) is None


def test_matches_reach_the_psnr_and_no_setting_below_does(scene: Scene) -> None:
    image = scene["rgb"]
    prepared = layers.prepare(RGB, image)
    trials = picture.Trials(RGB, image, prepared, AV1_8, 6)
    found = trials.match(36.0, 30)
    assert found is not None and picture.fidelity(RGB, image, prepared, found.payload) >= 36.0
    assert trials.psnr(found.at) < 36.0 + picture.CLOSE or trials.psnr(found.at - 1) < 36.0
    assert found.payload == picture.encode(prepared, AV1_8, AV1_8.settings[found.at], 6)
    assert abs(trials.expected(36.0, found.at + 12) / found.size - 1) < 0.1
    assert trials.match(98.0, 30) is None


def test_drafts_of_large_images_see_the_middle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene["rgb"]
    prepared, decoded = layers.prepare(RGB, image), (image ^ 3).astype(np.uint8)
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(picture, "LARGE", 100**2)
    encode = picture.encode
    monkeypatch.setattr(
        picture, "encode", lambda p, *rest: seen.append(p.image.shape[:2]) or encode(p, *rest)
    )
    found = picture.drafts(RGB, image, prepared, decoded)
    assert set(seen) == {(100, 100)} and found[0].size == pytest.approx(len(found[0].payload) * 6.5536)
    assert picture.best(RGB, image, prepared, 36.0, found[:1]) is not None and seen[-1] == (256, 256)


def test_what_is_worthwhile() -> None:
    neural = {"rgb": 300, "depth": 50}
    assert worthwhile(100, neural, {"rgb": 290, "depth": 60}) == {"rgb", "depth"}  # without the shared stream
    assert worthwhile(20, neural, {"rgb": 290, "depth": 90}) == {"rgb"}
    assert worthwhile(20, neural, {"rgb": 310, "depth": 90}) == set()
    assert worthwhile(20, neural, {"depth": 40}) == {"depth"}
    assert worthwhile(900, {"rgb": 0, "depth": 0}, {"rgb": 500, "depth": 300}) == {"rgb", "depth"}  # mixed
    assert worthwhile(0, {}, {}) == set()


def test_untrained_networks_lose_to_classical_codecs(scene: Scene, small: Codec) -> None:
    """Not a byte more than the networks' file, not a decibel less; and the rest of the scene is there."""
    networks, _ = best_of([small], scene, Request(40.0, coding="neural"))
    chosen, _ = best_of([small], scene, Request(40.0))
    assert len(chosen.data) < 0.9 * len(networks.data)
    assert all(chosen.psnr[n] >= networks.psnr[n] - choice.SLACK for n in networks.psnr)
    header = Reader(io.BytesIO(chosen.data)).header
    assert "classical" in [s.coding for s in header.sections]
    back = small.decode(chosen.data)
    assert sorted(back) == sorted(scene) and np.array_equal(back["semantic"], scene["semantic"])
    forced, _ = best_of([small], scene, Request(40.0, coding="classical"))
    assert [s.coding for s in Reader(io.BytesIO(forced.data)).header.sections].count("classical") == 3


def test_saved_bytes_are_spent_where_bytes_are_the_target(scene: Scene, small: Codec) -> None:
    part = {"rgb": scene["rgb"]}
    size = len(small.encode(part, 50))
    chosen, _ = best_of([small], part, Request(target=Target(size=size)))
    networks, _ = best_of([small], part, Request(target=Target(size=size), coding="neural"))
    assert len(chosen.data) <= size and chosen.reached
    assert chosen.psnr["rgb"] > networks.psnr["rgb"] + 1 or chosen.quality == 100


def test_weights_that_need_fewer_bits_are_chosen(
    scene: Scene, small: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same networks at two qualities, the objective at the middle one prefers neither extreme."""
    part = {"rgb": scene["rgb"], "depth": scene["depth"]}
    made = []
    neural = choice.neural

    def lopsided(codec: Codec, scene: Scene, request: Request) -> choice.Outcome:
        made.append(neural(codec, scene, request))
        return made[-1] if len(made) == 1 else choice.replace(made[-1], data=made[-1].data + bytes(500))

    monkeypatch.setattr(choice, "neural", lopsided)
    chosen, _ = best_of([small, small], part, Request(50.0, coding="neural"))
    assert len(made) == 2 and chosen is made[0]


def test_choosers_decode_with_the_weights_that_made_a_file(scene: Scene, small: Codec, clevr: Codec) -> None:
    """What evaluate measures for --weights auto: the better weights by scene, found again by fingerprint."""
    part = {"rgb": scene["rgb"], "depth": scene["depth"]}
    chooser = choice.Chooser([small, clevr], "neural")
    data = chooser.encode(part, quality=50)
    assert Reader(io.BytesIO(data)).header.fingerprint == clevr.info.fingerprint
    back = chooser.decode(data)
    assert all(np.array_equal(back[n], image) for n, image in clevr.decode(data).items())
    classical = choice.Chooser([small], "classical").encode(part, quality=50)
    assert sorted(chooser.decode(classical)) == ["depth", "rgb"]
