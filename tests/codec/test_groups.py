"""Groups of frames to bytes and back: exact ones exact, bounds kept, damage to one task only, any part."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mtcodec
from mtcodec import Codec, threads
from mtcodec.codec import decoder
from mtcodec.codec.encoded import EncodedGroup
from mtcodec.codec.prepare import Scene
from mtcodec.codec.timeline import Timeline
from mtcodec.coders import raw
from mtcodec.container.header import parse
from mtcodec.container.mtc import Reader, build, split
from mtcodec.container.section import SHARED
from mtcodec.errors import FormatError, SceneError, SectionError, UsageError
from mtcodec.signals.signal import PixelFormat
from mtcodec.tasks import DTYPES, FLOATS, USUAL

Image = np.ndarray[Any, np.dtype[Any]]
PLAIN = Codec((), effort="fast")  # without weights
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
UNITS = {"depth": "1mm", "disparity": "1mm"}


def same(a: Mapping[str, Image], b: Mapping[str, Image]) -> bool:
    return a.keys() == b.keys() and all(
        (a[n].shape, a[n].dtype, a[n].tobytes()) == (b[n].shape, b[n].dtype, b[n].tobytes()) for n in a
    )


def all_same(a: Sequence[Scene], b: Sequence[Scene]) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def decode(codec: Codec, data: bytes, tasks: Sequence[str] | None = None) -> list[Scene]:
    return codec.decode_frames(Reader(data), tasks)


# --- any group ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A group, and what is asked of it. Its text is short: images are told by dtype and shape."""

    frames: list[Scene]
    timeline: Timeline
    settings: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        forms = [{name: f"{a.dtype} {a.shape}" for name, a in frame.items()} for frame in self.frames]
        return f"{forms}, {self.timeline}, {self.settings}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def smooth(rng: np.random.Generator, size: tuple[int, int], channels: int, at: float) -> Image:
    """Values from 0 to 1, (H, W, channels), of a moment; some are noise."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    planes = [np.sin(rows / 7 + k + at) + np.cos(columns / 5 - at) for k in range(channels)]
    shares = np.stack(planes, -1) / 4 + 0.5
    return np.clip(shares + rng.normal(0, rng.choice([0, 0.02]), shares.shape), 0, 1)


def image_of(rng: np.random.Generator, name: str, dtype: str, shape: tuple[int, ...], at: float) -> Image:
    """An image with holes where its kind has them, others in every frame."""
    size, channels = shape[:2], shape[2] if len(shape) == 3 else 1
    shares = smooth(rng, (size[0], size[1]), channels, at)
    if name == "normal":
        vectors = shares * 2 - 1
        vectors[..., 2] += 2
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        top = 1.0 if dtype in FLOATS else float(np.iinfo(dtype).max)
        values = vectors if dtype in FLOATS else np.rint((vectors + 1) / 2 * top)
    elif name == "semantic":
        values = shares > 0.6 if dtype == "bool" else np.rint(shares * 5)
    else:
        top = 60.0 if dtype in FLOATS else min(float(np.iinfo(dtype).max) - 1, 9000.0)
        values = shares * top if dtype in FLOATS else np.rint(shares * top * 0.9 + 1)
    image = values.astype(dtype)
    if name == "depth" and rng.random() < 0.7:
        image[rng.random(image.shape[:2]) < 0.2] = np.nan if dtype in FLOATS and rng.random() < 0.5 else 0
    return image.reshape(shape)


def any_data(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Image:
    """Any bits of a dtype."""
    values = rng.integers(0, 2 if dtype == "bool" else 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    return values.view(dtype).reshape(shape)


@st.composite
def times_of(draw: st.DrawFn, count: int, tasks: Sequence[str]) -> Timeline:
    names = tuple(draw(st.sampled_from([f"{k:04}", f"f{2 * k + 9}", "abcde"[k]])) for k in range(count))
    steps = [draw(st.sampled_from([Fraction(1, 30), Fraction(0), Fraction(1001, 30000)])) for _ in names]
    times = tuple(Fraction(draw(st.integers(-3, 3))) + sum(steps[: k + 1]) for k in range(count))
    if draw(st.booleans()) or any(a > b for a, b in pairwise(times)):
        return Timeline(names)
    late = {task: [time + Fraction(1, 250) for time in times] for task in tasks if draw(st.booleans())}
    return Timeline(names, times, late)


@st.composite
def groups(draw: st.DrawFn) -> Drawn:
    """One to five frames of any tasks; lossless, within bounds, or by quality."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    count = draw(st.integers(1, 5))
    size = draw(st.sampled_from([(9, 13), (24, 17), (1, 30)]))
    forms: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name in draw(st.sets(st.sampled_from(["rgb", "depth", "normal", "semantic"]), min_size=1)):
        height, width = draw(st.sampled_from([size, size, (12, 20)]))
        channels = USUAL[name].channels
        single = [(height, width), (height, width, 1)]
        shape = draw(st.sampled_from(single)) if channels == 1 else (height, width, 3)
        dtypes = [d for d in USUAL[name].kind.dtypes if not (name == "rgb" and d in FLOATS)]
        forms[name] = draw(st.sampled_from(dtypes)), shape
    for name in draw(st.sets(st.sampled_from(["pose", "gyro", "smell"]))):
        shape = draw(st.sampled_from([(), (7,), (4, 4), (5, 6, 1), (5, 6, 2)]))
        forms[name] = (
            draw(st.sampled_from(["float64", "float32", "int64", "uint8", "bool", "float16"])),
            shape,
        )
    frames: list[Scene] = []
    for k in range(count):
        frame = {}
        for name, (dtype, shape) in forms.items():
            if name in USUAL:
                frame[name] = image_of(rng, name, dtype, shape, k / 9)
            else:
                frame[name] = any_data(rng, dtype, shape)
        frames.append(frame)
    for frame in frames:
        lacking = draw(st.sets(st.sampled_from(sorted(forms))))
        for name in lacking:
            if len(frame) > 1 and sum(name in other for other in frames) > 1:
                del frame[name]
    lossy = [name for name in forms if name in ("rgb", "depth", "normal")]
    settings = {"units": {name: "1mm" for name in lossy if name == "depth"}, "quality": 60}
    settings["lossless"] = [name for name in lossy if draw(st.integers(0, 3)) == 0]
    bound = {
        name: 0.5 if forms[name][0] in FLOATS else 3
        for name in lossy
        if name not in settings["lossless"] and draw(st.integers(0, 2)) == 0  # type: ignore[operator]
    }
    return Drawn(frames, draw(times_of(count, list(forms))), settings | {"max_error": bound})


def check_images(drawn: Drawn, encoded: EncodedGroup, decoded: Sequence[Scene]) -> None:
    """Exact ones are exact, others within their bounds, holes where they were."""
    bounds = encoded.prepared.bounds
    for before, after in zip(drawn.frames, decoded, strict=True):
        assert {n: (a.shape, a.dtype) for n, a in after.items()} == {
            n: (a.shape, a.dtype) for n, a in before.items()
        }
        for name, image in before.items():
            if bounds.get(name) == 0:
                assert after[name].tobytes() == image.tobytes(), name
            elif name in bounds:
                finite = np.isfinite(image)
                error = np.abs(after[name][finite].astype(float) - image[finite].astype(float))
                assert error.max(initial=0) <= bounds[name]
            if name == "depth":
                assert np.array_equal(after[name] == 0, image == 0)
                assert np.array_equal(np.isnan(after[name]), np.isnan(image))


@pytest.mark.fuzz
@MANY
@given(groups(), st.data())
def test_any_group_comes_back(drawn: Drawn, data: st.DataObject) -> None:
    encoded = PLAIN.encode_group(drawn.frames, drawn.timeline, **drawn.settings)
    file = encoded.to_bytes()
    decoded = decode(PLAIN, file)
    check_images(drawn, encoded, decoded)
    for name, images in encoded.decoded.items():
        having = [scene[name] for scene in decoded if name in scene]
        stack = np.stack(having)
        assert (images.shape, images.tobytes()) == (stack.shape, stack.tobytes())
    header = parse(file)
    assert header.frames is not None and header.frames.names == drawn.timeline.names
    names = data.draw(st.sets(st.sampled_from(header.tasks), min_size=1))
    part = decode(PLAIN, mtcodec.extract(file, names))
    assert all_same(part, [{n: a for n, a in scene.items() if n in names} for scene in decoded])
    numbers = data.draw(st.lists(st.integers(0, len(decoded) - 1), max_size=4))
    some = PLAIN.decode_frames(Reader(file), list(names), numbers)
    assert all_same(some, [part[number] for number in numbers])


@pytest.mark.fuzz
@MANY
@given(groups(), st.data())
def test_damage_costs_the_tasks_that_need_a_section(drawn: Drawn, data: st.DataObject) -> None:
    file = PLAIN.encode_group(drawn.frames, drawn.timeline, **drawn.settings).to_bytes()
    header, decoded = parse(file), decode(PLAIN, file)
    section = data.draw(st.sampled_from([s for s in header.sections if s.length]))
    at = section.offset + data.draw(st.integers(0, section.length - 1))
    lost: list[SectionError] = []
    damaged = file[:at] + bytes([file[at] ^ 1 << data.draw(st.integers(0, 7))]) + file[at + 1 :]
    back = PLAIN.decode_frames(Reader(damaged), on_damage=lost.append)
    tasks = {task for task in header.tasks if section.name in header.needs(task)}
    assert {error.task for error in lost} == tasks
    assert all_same(back, [{n: a for n, a in scene.items() if n not in tasks} for scene in decoded])
    if tasks:
        with pytest.raises(SectionError):
            decode(PLAIN, damaged, sorted(tasks))


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (7,), (4, 4)])
def test_numbers_are_kept_bit_for_bit(dtype: str, shape: tuple[int, ...]) -> None:
    """Of a scene and of frames; tables are those that are named so, others of two dimensions are images."""
    rng = np.random.default_rng(0)
    frames = [{"pose": any_data(rng, dtype, shape)} for _ in range(3)]
    data = PLAIN.encode_group(frames, Timeline(("a", "b", "c")), numbers=("pose",)).to_bytes()
    assert all_same(decode(PLAIN, data), frames)
    assert parse(data).task("pose").coding == "raw"
    alone = PLAIN.encode_stored(frames[0], numbers=("pose",)).to_bytes()
    assert same(mtcodec.decode(alone), frames[0])


def test_numbers_of_any_size_are_kept() -> None:
    """Nothing is computed with what is kept exactly."""
    for value in (1e300, -np.inf, np.nan, 5e-324):
        scene = {"pose": np.array([value, 1.0]), "heat": np.full((3, 40), value)}
        assert same(mtcodec.decode(PLAIN.encode(scene)), scene)


# --- networks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moving(scene: Scene) -> list[Scene]:
    """Three frames of a view that moves, with holes; the second lacks a task, labels have half the size."""
    frames = []
    for k in range(3):
        rows, columns = slice(90 + 4 * k, 154 + 4 * k), slice(60, 140)
        frame = {name: np.ascontiguousarray(image[rows, columns]) for name, image in scene.items()}
        frame["semantic"] = np.ascontiguousarray(frame["semantic"][::2, ::2])
        frame["depth"][3 + k : 20, 5:30] = 0
        frame["pose"] = np.arange(7.0) + k
        frames.append(frame)
    del frames[1]["normal"]
    return frames


MOMENTS = Timeline(("a", "b", "c"), tuple(Fraction(k, 30) for k in range(3)))


def test_networks_code_the_frames_of_a_group(small: Codec, moving: list[Scene]) -> None:
    encoded = small.encode_group(moving, MOMENTS, task_quality={"normal": 70})
    data = encoded.to_bytes()
    header = parse(data)
    assert {s.name: s.coding for s in header.sections if s.coding == "neural"}.keys() >= {
        SHARED,
        "depth",
        "normal",
    }
    decoded = decode(small, data)
    check_images(Drawn(moving, MOMENTS), encoded, decoded)
    for name, images in encoded.decoded.items():
        assert np.array_equal(images, np.stack([frame[name] for frame in decoded if name in frame]))
    for number in range(3):
        assert all_same(small.decode_frames(Reader(data), None, [number]), [decoded[number]])
    for tasks in (["normal"], ["semantic", "depth"], ["pose"]):
        part = mtcodec.extract(data, tasks)
        assert all_same(decode(small, part), [{n: a for n, a in f.items() if n in tasks} for f in decoded])
        assert (parse(part).section(SHARED) is None) == (tasks == ["pose"])


def test_frames_are_coded_as_scenes_are(small: Codec, moving: list[Scene]) -> None:
    """Ranges are those of all frames; a frame alone is a scene but for its name."""
    (alone,) = decode(small, small.encode_group(moving[:1], Timeline(("a",))).to_bytes())
    scene = small.decode(small.encode_stored(moving[0]).to_bytes())
    assert same(alone, scene)


@pytest.mark.parametrize("name", [SHARED, "holes0", "depth", "normal", "semantic", "pose"])
def test_a_frame_that_does_not_decode_costs_the_tasks_that_need_it(
    name: str, small: Codec, moving: list[Scene]
) -> None:
    """Under a right checksum, as only a forger makes it."""
    data = small.encode_group(moving, MOMENTS).to_bytes()
    header, payloads = split(data)
    forged = build(parse(header), payloads | {name: payloads[name] + b"\0"})
    whole, lost = decode(small, data), list[SectionError]()
    back = small.decode_frames(Reader(forged), on_damage=lost.append)
    tasks = {task for task in parse(header).tasks if name in parse(header).needs(task)}
    assert {error.task for error in lost} == tasks
    for before, after in zip(whole, back):
        assert before.keys() - tasks <= after.keys() <= before.keys()
        assert same({n: after[n] for n in after}, {n: before[n] for n in after})


def test_an_array_may_be_of_several_frames() -> None:
    """As of a camera that stands."""
    frames = [{"smell": np.arange(60, dtype=np.int32).reshape(6, 10)}] * 3
    assert all_same(decode(PLAIN, PLAIN.encode_group(frames, MOMENTS).to_bytes()), frames)


# --- how frames are read -----------------------------------------------------------------------------


class SlowFile(io.BytesIO):
    """Leaves time between finding a place and reading there."""

    def seek(self, offset: int, whence: int = 0) -> int:
        place = super().seek(offset, whence)
        time.sleep(0.002)
        return place


def test_frames_that_are_decoded_side_by_side_read_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 8)
    rng = np.random.default_rng(3)
    frames = [{name: rng.integers(0, 99, (9, 40), np.int32) for name in ("a", "b", "c")} for _ in range(3)]
    data = PLAIN.encode_group(frames, MOMENTS).to_bytes()
    for _ in range(10):
        assert all_same(PLAIN.decode_frames(Reader(SlowFile(data))), frames)


def test_what_frames_hold_together_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a frame does not keep the others in memory."""
    frames = [{"heat": np.full((9, 40), k / 7)} for k in range(3)]
    data = PLAIN.encode_group(frames, MOMENTS).to_bytes()
    assert parse(data).task("heat").coding == "raw"
    calls = list[int]()

    def counted(pixel_format: PixelFormat, payload: bytes, height: int, width: int) -> Image:
        calls.append(height)
        return raw.decode(pixel_format, payload, height, width)

    monkeypatch.setitem(decoder.DECODERS, "raw", counted)  # type: ignore[arg-type]
    back = decode(PLAIN, data)
    assert all_same(back, frames) and calls == [27]
    assert all(scene["heat"].base is None or scene["heat"].base.nbytes == 9 * 40 * 8 for scene in back)
    lost = list[SectionError]()
    header, payloads = split(data)
    PLAIN.decode_frames(Reader(build(parse(header), {"heat": payloads["heat"][:-3]})), on_damage=lost.append)
    assert len(calls) == 2 and {error.task for error in lost} == {"heat"}


def test_many_frames_are_decoded_a_few_at_a_time(
    small: Codec, moving: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks would hold all of them at once."""
    data = small.encode_group(moving, MOMENTS).to_bytes()
    whole = decode(small, data)
    batches = list[int]()
    decode_scenes = decoder.decode

    def noted(readers: Sequence[Reader], *rest: Any) -> list[Scene]:
        batches.append(len(readers))
        return decode_scenes(readers, *rest)

    monkeypatch.setattr(decoder, "decode", noted)
    monkeypatch.setattr(decoder, "MAX_PARALLEL_PIXELS", 2 * 64 * 80 - 1)
    parts = decode(small, data)
    assert set(batches) == {1} and len(batches) == 3
    for one, other in zip(whole, parts, strict=True):
        assert one.keys() == other.keys()
        assert all(np.abs(one[n].astype(float) - other[n].astype(float)).max() <= 1 for n in one)


# --- what is refused ---------------------------------------------------------------------------------


def test_several_frames_are_no_scene() -> None:
    """They are not told to be damaged."""
    frames = [{"heat": np.full((9, 40), k / 7)} for k in range(3)]
    data = PLAIN.encode_group(frames, MOMENTS).to_bytes()
    with pytest.raises(FormatError, match="a group of 3 frames, not a scene"):
        mtcodec.decode(data)
    one = PLAIN.encode_group(frames[:1], Timeline(("a",))).to_bytes()
    assert same(mtcodec.decode(one), frames[0])


def test_refuses_groups() -> None:
    depth = np.full((9, 40), 7, np.uint16)
    wrong: dict[str, tuple[list[Scene], tuple[str, ...]]] = {
        "task depth: uint16 .9, 30. in a frame, but uint16 .9, 40. before": (
            [{"depth": depth}, {"depth": depth[:, :30]}], ("a", "b"),
        ),
        "task depth: uint8 .9, 40. in a frame, but uint16": (
            [{"depth": depth}, {"depth": depth.astype(np.uint8)}], ("a", "b"),
        ),
        "two frames of the same name": ([{"depth": depth}] * 2, ("a", "a")),
        "not a name of a frame: 'a/b'": ([{"depth": depth}], ("a/b",)),
        "a scene without images": ([{"depth": depth}, {}], ("a", "b")),
        "1 to 64 frames, not 65": ([{"depth": depth}] * 65, tuple(map(str, range(65)))),
        "1 names and 0 times of 2 frames": ([{"depth": depth}] * 2, ("a",)),
    }  # fmt: skip
    for message, (frames, names) in wrong.items():
        with pytest.raises((SceneError, UsageError), match=message):
            PLAIN.encode_group(frames, Timeline(names)).to_bytes()
    with pytest.raises(UsageError, match="1 to 64 frames, not 0"):
        PLAIN.encode_group([], Timeline(()))
    with pytest.raises(UsageError, match="task depth: 1 times of 2 frames"):
        late = {"depth": [Fraction(1)]}
        PLAIN.encode_group([{"depth": depth}] * 2, Timeline(("a", "b"), (Fraction(0), Fraction(1)), late))
