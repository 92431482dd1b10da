"""Holes, mappings and vectors' lengths: what surrounds a task's base stream."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtcodec.codec.codec import Codec
from mtcodec.errors import FormatError, SceneError, UsageError
from mtcodec.files.scene import Scene
from mtcodec.format.container import Reader, Section
from mtcodec.signal import holes, layers
from mtcodec.signal.layers import Layers
from mtcodec.signal.mapping import Range, to_planes, to_stored, to_values
from mtcodec.tasks.task import DEPTH, NORMAL, RGB

SIZE = (7, 9)


def section(dtype: str = "uint16", limits: tuple[float, float] | None = (5, 900)) -> Section:
    return Section("depth", "layered", dtype, None, limits, 0, 0)


def ramp(dtype: str = "uint16") -> NDArray[np.generic]:
    return (100 + np.arange(SIZE[0] * SIZE[1])).reshape(SIZE).astype(dtype)


# --- holes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("uint8", [0]),
        ("uint16", [0, 65535]),
        ("float32", [0, np.nan, np.inf, -np.inf]),
        ("float64", [np.nan]),
    ],
)
def test_holes_come_back_bit_for_bit(dtype: str, values: list[float]) -> None:
    image = ramp(dtype)
    for k, value in enumerate(values):
        image[k, 2 : 5 + k] = value
    found = holes.find(DEPTH, image)
    assert found is not None and len(found.values) == len(values)
    filled = holes.fill(image, found)
    assert filled.dtype == image.dtype and np.isfinite(filled).all()
    assert filled.min() >= 100 and np.array_equal(filled[found.valid], image[found.valid])
    assert holes.restore(filled.copy(), found).tobytes() == image.tobytes()


def test_an_image_of_nothing_but_holes() -> None:
    prepared = layers.prepare(DEPTH, np.zeros(SIZE, np.uint16))
    assert prepared.scale == Range(0.0, 0.0) and not prepared.planes.any()
    back = layers.restore(DEPTH, prepared.planes, section(limits=(0, 0)), prepared.layers)
    assert back.dtype == np.uint16 and not back.any()


def test_without_holes_there_are_no_layers() -> None:
    assert layers.prepare(DEPTH, ramp()).layers.plain
    assert layers.prepare(RGB, np.zeros((*SIZE, 3), np.uint8)).layers.plain  # black is a colour


def test_a_user_names_other_holes() -> None:
    image = ramp()
    image[3] = 9999
    found = holes.find(DEPTH, image, [(9999.0,), (-1.0,), (0.5,)])
    assert found is not None and found.values.tolist() == [[9999]]
    assert np.array_equal(found.classes > 0, image == 9999)


def test_a_user_names_holes_of_floats_in_decimals() -> None:
    image = ramp("float32")
    image[3] = 0.1
    found = holes.find(DEPTH, image, [(0.1,), (1e39,)])
    assert found is not None and np.array_equal(found.classes > 0, image == np.float32(0.1))


def test_too_many_kinds_of_holes_are_refused() -> None:
    image = ramp("float32")
    with pytest.raises(SceneError, match="more than 16 different values"):
        holes.find(DEPTH, image, [(100.0 + k,) for k in range(17)])


def test_the_fill_continues_what_is_around() -> None:
    image = np.full((64, 64), 1000, np.uint16)
    image[:, 32:] = 3000
    image[20:40, 4:20] = 0
    image[:, 40:60] = 0
    filled = holes.fill(image, holes.find(DEPTH, image))
    assert (filled[20:40, 4:20] == 1000).all()
    assert abs(filled[:, 40:60].astype(int) - 3000).max() < 600


def test_zero_vectors_are_holes() -> None:
    image = np.full((*SIZE, 3), (128, 128, 255), np.uint8)
    image[0], image[1] = (128, 128, 128), (0, 0, 0)
    prepared = layers.prepare(NORMAL, image)
    assert prepared.layers.holes is not None and not prepared.layers.free_length
    noisy = prepared.planes * 0.8 + 0.1  # shorter vectors of the same direction
    back = layers.restore(NORMAL, noisy, section("uint8", None), prepared.layers)
    assert abs(back.astype(int) - image).max() <= 1  # the length is 1 again
    assert (back[:2] == image[:2]).all()


def test_vectors_of_other_lengths_keep_them() -> None:
    image = np.random.default_rng(0).integers(60, 190, (*SIZE, 3)).astype(np.uint8)
    prepared = layers.prepare(NORMAL, image)
    assert prepared.layers == Layers(free_length=True)
    back = layers.restore(NORMAL, prepared.planes, section("uint8", None), prepared.layers)
    assert np.array_equal(back, image)


def test_what_is_no_hole_does_not_become_one() -> None:
    image = ramp()
    image[0, :4] = 110, 111, 0, 65535
    found = holes.find(DEPTH, image, [(110.0,), (111.0,)])
    decoded = np.full(SIZE, 110, np.uint16)
    decoded[6, 1], decoded[6, 2] = 65535, 0
    back = holes.restore(decoded, found)
    assert back[0, :4].tolist() == [110, 111, 0, 65535]
    assert (back[2:6] == 112).all() and back[6, 1] == 65534 and back[6, 2] == 1


# --- mappings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapping", ["linear", "inverse", "logarithmic"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_mappings_are_inverted(mapping: str, dtype: str) -> None:
    image = np.geomspace(3, 60000, 63).reshape(SIZE).astype(dtype)
    scale = Range(float(np.float32(image.min())), float(np.float32(image.max())), mapping)
    planes = to_planes(image, scale)
    assert planes.min() == 0 and planes.max() == 1
    back = to_stored(to_values(planes, scale), dtype)
    # float32 planes have steps of 2**-24; the inverse mapping spends them near the camera
    tolerance = {"linear": 1e-4, "inverse": 3e-3, "logarithmic": 1e-5}[mapping]
    assert np.allclose(
        back.astype(float), image.astype(float), rtol=tolerance, atol=0.5 * (dtype == "uint16")
    )


def test_wide_ranges_are_mapped_logarithmically() -> None:
    wide = np.geomspace(100, 60000, 63).reshape(SIZE).astype(np.uint16)
    assert layers.prepare(DEPTH, wide).layers.mapping == "logarithmic"
    one_outlier = np.full((64, 64), 100, np.uint16)
    one_outlier[0, 0] = 60000
    assert layers.prepare(DEPTH, one_outlier).layers.mapping == "linear"


# --- bytes ---------------------------------------------------------------------------------------


def test_exact_bytes() -> None:
    classes = np.zeros(SIZE, np.uint8)
    classes[2, 3] = 1
    some = Layers("inverse", holes.Holes(classes, np.array([[258]], np.uint16)))
    packed = layers.pack(some)
    assert packed[:4] == bytes([1 | 4, 1, 2, 1]) and packed[4] == len(packed) - 5
    assert layers.pack(Layers(free_length=True)) == b"\x10"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_layers_come_back(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    channels, count = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 16))
    found = None
    if count:
        rng = np.random.default_rng(data.draw(st.integers(0, 999)))
        classes = rng.integers(0, count + 1, SIZE).astype(np.uint8)
        values = rng.integers(0, 256, (count, channels * np.dtype(dtype).itemsize)).astype(np.uint8)
        found = holes.Holes(classes, values.view(dtype).reshape(count, channels))
    mapping = data.draw(st.sampled_from(["linear", "inverse", "logarithmic"]))
    some = Layers(mapping, found, data.draw(st.booleans()))
    if some == Layers():
        return
    base = data.draw(st.binary(max_size=9))
    back, rest = layers.parse(layers.pack(some) + base, *SIZE, channels, section(dtype))
    assert rest == base and (back.mapping, back.free_length) == (some.mapping, some.free_length)
    if found is None:
        assert back.holes is None
    else:
        assert back.holes is not None and np.array_equal(back.holes.classes, found.classes)
        assert back.holes.values.tobytes() == found.values.tobytes()


MASK = layers.pack(Layers(holes=holes.Holes(np.eye(*SIZE, dtype=np.uint8), np.array([[7]], np.uint16))))
HOSTILE = {
    "nothing": (b"", "ends within"),
    "no layers": (b"\x00", "reserved flags"),
    "reserved bit": (b"\x20", "reserved flags"),
    "reserved mapping": (b"\x03", "reserved flags"),
    "no hole values": (b"\x04\x00", "number of hole values"),
    "too many hole values": (b"\x04\x11" + b"\0" * 99, "number of hole values"),
    "values cut off": (b"\x04\x02\x01", "ends within"),
    "mask cut off": (MASK[:-1], "ends within"),
    "mask of another kind": (b"\x04\x01\x07\x00\x01\xf5", "unknown method"),
    "class without a value": (
        layers.pack(Layers(holes=holes.Holes(np.eye(*SIZE, dtype=np.uint8) * 2, np.array([[7]], np.uint16)))),
        "a hole without a value",
    ),
}


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE)
def test_refuses(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        layers.parse(data, *SIZE, 1, section())


def test_refuses_mappings_of_zero() -> None:
    for limits in (None, (0.0, 9.0), (-1.0, 9.0)):
        with pytest.raises(FormatError, match="mapping"):
            layers.parse(b"\x02", *SIZE, 1, section(limits=limits))


# --- whole files ---------------------------------------------------------------------------------


def with_holes(scene: Scene) -> Scene:
    depth, normal = scene["depth"].copy(), scene["normal"].copy()
    depth[40:90, 30:200] = 0
    depth[100, ::3] = 65535
    normal[40:90, 30:200] = 128
    return {**scene, "depth": depth, "normal": normal}


def test_files_keep_holes(small: Codec, scene: Scene) -> None:
    broken = with_holes(scene)
    data = small.encode(broken, 50)
    header = Reader(io.BytesIO(data)).header
    assert [s.coding for s in header.sections] == ["neural", "neural", "layered", "layered", "labels"]
    for back in (small.decode(data), small.decode(data, ["depth", "normal"])):
        for value in (0, 65535):
            assert np.array_equal(back["depth"] == value, broken["depth"] == value)
        zero = (broken["normal"] == 128).all(axis=-1)
        assert zero.any() and np.array_equal((back["normal"] == 128).all(axis=-1), zero)
    length = np.linalg.norm(back["normal"].astype(float) / 127.5 - 1, axis=-1)
    assert abs(length[~zero] - 1).max() < 0.02


def test_files_keep_holes_in_batches(small: Codec, scene: Scene) -> None:
    files = small.encode_batch([scene, with_holes(scene)], 50)
    assert files[1] == small.encode(with_holes(scene), 50)
    for data, back in zip(files, small.decode_batch(files)):
        assert all(np.array_equal(back[n], image) for n, image in small.decode(data).items())


def test_damage_to_layers_costs_their_task_only(small: Codec, scene: Scene) -> None:
    data = small.encode(with_holes(scene), 50)
    at = next(s.offset for s in Reader(io.BytesIO(data)).header.sections if s.name == "depth")
    broken = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
    lost: list[str] = []
    back = small.decode(broken, on_damage=lambda error: lost.append(error.section))
    assert lost == ["depth"] and sorted(back) == ["normal", "rgb", "semantic"]


def test_holes_of_what_has_none(small: Codec, scene: Scene) -> None:
    with pytest.raises(UsageError, match="holes of task 'semantic'"):
        small.encode(scene, invalid={"semantic": [(0.0,)]})
    depth = scene["depth"].copy()
    depth[:9] = 4321
    back = small.decode(small.encode({"depth": depth}, invalid={"depth": [(4321.0,)]}))["depth"]
    assert (back[:9] == 4321).all()
