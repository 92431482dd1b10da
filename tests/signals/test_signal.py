"""Signals: holes, far planes, mappings, unit vectors, and measures that count measurements only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtcodec.errors import SceneError, UsageError
from mtcodec.signals import holes, signal
from mtcodec.signals.mapping import ValueRange, to_planes, to_stored, to_values
from mtcodec.signals.measures import PSNR_CAP, measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, declare

SIZE = (7, 9)
RGB, DEPTH, NORMAL = (USUAL[name] for name in ("rgb", "depth", "normal"))


def ramp(dtype: str = "uint16") -> NDArray[np.generic]:
    return (100 + np.arange(SIZE[0] * SIZE[1])).reshape(SIZE).astype(dtype)


def view(distance: float = 2.0, size: tuple[int, int] = (60, 80)) -> NDArray[np.float32]:
    """Metres: a floor that ends in the sky, which is zero."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] * np.ones(size[1], np.float32)
    return np.where(rows < 20, 0, distance + rows / 3).astype(np.float32)


# --- holes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("uint8", [0]),
        ("uint16", [0, 65535]),
        ("int16", [0, 32767]),
        ("int32", [0, 2147483647]),
        ("float16", [0, np.nan, np.inf]),
        ("float32", [0, np.nan, np.inf, -np.inf]),
        ("float64", [np.nan]),
    ],
)
def test_holes_come_back_bit_for_bit(dtype: str, values: list[float]) -> None:
    image = ramp(dtype)
    for k, value in enumerate(values):
        image[k, 2 : 5 + k] = value
    found = holes.find(DEPTH, image)
    assert found is not None and len(found.values) == len(values) and found.far == ()
    filled = holes.fill(image, found)
    assert filled.dtype == image.dtype and np.isfinite(filled).all()
    assert filled.min() >= 100 and np.array_equal(filled[found.valid], image[found.valid])
    assert holes.restore(filled.copy(), found).tobytes() == image.tobytes()


def test_a_byte_s_largest_distance_may_be_one() -> None:
    image = ramp("uint8")
    image[2] = 255
    assert holes.find(DEPTH, image) is None


def test_an_image_of_nothing_but_holes() -> None:
    made = signal.Signal.from_image(DEPTH, np.zeros(SIZE, np.uint16))
    assert made.pixel_format.value_range == ValueRange(0.0, 0.0) and not made.planes.any()
    back = made.pixel_format.restore(made.planes + 0.5)
    assert back.dtype == np.uint16 and not back.any()
    assert measure(made, back) == {"psnr": PSNR_CAP, "mse": 0.0}


def test_without_holes_there_is_no_mask() -> None:
    assert signal.Signal.from_image(DEPTH, ramp()).valid is None
    assert signal.Signal.from_image(RGB, np.zeros((*SIZE, 3), np.uint8)).valid is None  # black is a colour
    assert signal.Signal.from_image(declare("mask", "categories"), np.zeros(SIZE, bool)).valid is None


def test_a_user_names_other_holes() -> None:
    image = ramp()
    image[3], image[5] = 9999, 0
    found = holes.find(DEPTH, image, [(9999.0,), (-1.0,), (0.5,), (np.inf,), (np.nan,)])
    assert found is not None and found.values.tolist() == [[0], [9999]]
    assert np.array_equal(found.mask > 0, (image == 9999) | (image == 0))
    alone = holes.find(DEPTH, image, [(9999.0,)], usual=False)
    assert alone is not None and np.array_equal(alone.mask > 0, image == 9999)
    assert holes.find(DEPTH, image, usual=False) is None
    with pytest.raises(UsageError, match="task depth: a hole of 3 numbers, not 1"):
        holes.find(DEPTH, image, [(1.0, 2.0, 3.0)])


def test_a_user_names_holes_of_floats_in_decimals() -> None:
    image = ramp("float32")
    image[3] = 0.1
    found = holes.find(DEPTH, image, [(0.1,), (1e39,)])
    assert found is not None and np.array_equal(found.mask > 0, image == np.float32(0.1))


def test_too_many_kinds_of_holes_are_refused() -> None:
    image = ramp("float32")
    with pytest.raises(SceneError, match="more than 16 different values"):
        holes.find(DEPTH, image, [(100.0 + k,) for k in range(17)])


def test_values_that_are_not_finite_are_holes_of_any_task() -> None:
    image = np.full((*SIZE, 3), 0.5, np.float32)
    image[2, 3], image[4, 5, 1] = np.nan, np.inf
    made = signal.Signal.from_image(declare("albedo", "image"), image, usual=False)
    assert made.valid is not None and np.count_nonzero(~made.valid) == 2
    assert np.isfinite(made.filled).all()
    assert made.pixel_format.restore(made.planes).tobytes() == image.tobytes()


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
    made = signal.Signal.from_image(NORMAL, image)
    assert made.pixel_format.holes is not None and made.pixel_format.unit_vectors
    back = made.pixel_format.restore(made.planes * 0.8 + 0.1)  # shorter vectors of the same direction
    assert abs(back.astype(int) - image).max() <= 1  # the length is 1 again
    assert (back[:2] == image[:2]).all()


def test_vectors_of_other_lengths_keep_them() -> None:
    image = np.random.default_rng(0).integers(60, 190, (*SIZE, 3)).astype(np.uint8)
    made = signal.Signal.from_image(NORMAL, image)
    assert made.pixel_format.holes is None and not made.pixel_format.unit_vectors
    assert np.array_equal(made.pixel_format.restore(made.planes), image)


def test_what_is_no_hole_does_not_become_one() -> None:
    image = ramp()
    image[0, :4] = 110, 111, 0, 65535
    found = holes.find(DEPTH, image, [(110.0,), (111.0,)])
    decoded = np.full(SIZE, 110, np.uint16)
    decoded[6, 1], decoded[6, 2] = 65535, 0
    back = holes.restore(decoded, found)
    assert back[0, :4].tolist() == [110, 111, 0, 65535]
    assert (back[2:6] == 112).all() and back[6, 1] == 65534 and back[6, 2] == 1


def test_pixels_like_holes_move_to_a_free_value() -> None:
    """Past other holes, and down where there is nothing above."""
    image, mask = np.uint8([[7, 8, 253, 254, 255, 1]]), np.uint8([[0, 0, 0, 0, 0, 1]])
    found = holes.Holes(mask, np.uint8([[8], [7], [254], [255]]))
    assert holes.restore(image, found).tolist() == [[9, 9, 253, 253, 253, 8]]
    colours = np.uint8([[[255, 1, 2], [254, 1, 2], [255, 1, 3], [0, 0, 0]]])
    found = holes.Holes(np.uint8([[0, 0, 0, 1]]), np.uint8([[255, 1, 2], [254, 1, 2]]))
    assert holes.restore(colours, found).tolist() == [[[253, 1, 2], [253, 1, 2], [255, 1, 3], [255, 1, 2]]]


def test_hole_values_without_a_next_one_are_silent() -> None:
    """Not a number, and the largest of its type."""
    for value in (np.array([0x7F800001], np.uint32).view(np.float32), np.float32([np.finfo("f4").max])):
        found = holes.Holes(np.array([[1, 0]], np.uint8), value[None])
        back = holes.restore(np.array([[1, np.finfo("f4").max]], np.float32), found)
        assert back[0, 0].tobytes() == value.tobytes() and back[0, 1] > 1


# --- far planes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "planes"),
    [("float32", [1e10]), ("float16", [65504]), ("float64", [1e4, 65535]),
     ("uint16", [9999]), ("int32", [10**8])],
)  # fmt: skip
def test_far_planes_are_holes(dtype: str, planes: list[float]) -> None:
    image = (view() * (1 if dtype.startswith("float") else 100)).astype(dtype)
    for k, value in enumerate(planes):
        image[10 * k : 20 if k == len(planes) - 1 else 10 * k + 10] = value
    made = signal.Signal.from_image(DEPTH, image)
    assert made.pixel_format.holes is not None and sorted(made.pixel_format.holes.far) == sorted(planes)
    assert np.array_equal(made.pixel_format.holes.mask > 0, np.isin(image, np.array(planes, image.dtype)))
    assert made.pixel_format.value_range.high == image[20:].max()
    assert made.pixel_format.restore(made.planes)[:20].tobytes() == image[:20].tobytes()
    assert signal.Signal.from_image(DEPTH, image, usual=False).valid is None


@pytest.mark.parametrize("case", ["few pixels", "not so far", "many values", "another kind"])
def test_what_is_no_far_plane(case: str) -> None:
    image = view(20.0)
    image[:20] = {"few pixels": 30, "not so far": 100, "many values": 30, "another kind": 1e10}[case]
    if case == "few pixels":
        image[0, :15] = 1e10
    if case == "many values":
        image[:20] = np.geomspace(30, 1e5, 20 * 80).reshape(20, 80)
    task = declare("albedo", "image", 1) if case == "another kind" else DEPTH
    assert signal.Signal.from_image(task, image).pixel_format.holes is None


# --- mappings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapping", ["linear", "logarithmic"])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_mappings_are_inverted(mapping: str, dtype: str) -> None:
    image = np.geomspace(3, 60000, 63).reshape(SIZE).astype(dtype)
    scale = ValueRange(float(np.float32(image.min())), float(np.float32(image.max())), mapping)
    planes = to_planes(image, scale)
    assert planes.min() == 0 and planes.max() == 1
    back = to_stored(to_values(planes, scale), dtype)
    tolerance = {"linear": 1e-4, "logarithmic": 1e-5}[mapping]  # float32 planes have steps of 2**-24
    rounded = 0.5 * (image.dtype.kind in "ui")
    assert np.allclose(back.astype(float), image.astype(float), rtol=tolerance, atol=rounded)


def test_wide_ranges_are_mapped_logarithmically() -> None:
    wide = np.geomspace(100, 60000, 63).reshape(SIZE).astype(np.uint16)
    assert signal.Signal.from_image(DEPTH, wide).pixel_format.value_range.mapping == "logarithmic"
    assert (
        signal.Signal.from_image(declare("mist", "image", 1), wide).pixel_format.value_range.mapping
        == "linear"
    )
    one_outlier = np.full((64, 64), 100, np.uint16)
    one_outlier[0, 0] = 60000
    assert signal.Signal.from_image(DEPTH, one_outlier).pixel_format.value_range.mapping == "linear"
    with_zero = wide.copy()
    with_zero[0, 0] = 0
    assert (
        signal.Signal.from_image(DEPTH, with_zero).pixel_format.value_range.mapping == "logarithmic"
    )  # zero is a hole
    assert (
        signal.Signal.from_image(DEPTH, with_zero, usual=False).pixel_format.value_range.mapping == "linear"
    )


def test_near_surfaces_keep_their_relative_precision() -> None:
    image = np.geomspace(0.2, 200, 6400).reshape(80, 80).astype(np.float32)
    made = signal.Signal.from_image(DEPTH, image)
    back = made.pixel_format.restore(np.rint(made.planes * 255) / 255)
    assert (abs(back - image) / image).max() < 0.02


def test_the_range_is_the_scene_s_for_depth_and_floats_only() -> None:
    image = (ramp() % 50 + 10).astype(np.uint8)
    colours = np.repeat(image[..., None], 3, axis=2)
    assert signal.Signal.from_image(RGB, colours).pixel_format.value_range == ValueRange(0.0, 255.0)
    assert signal.Signal.from_image(DEPTH, image).pixel_format.value_range == ValueRange(10.0, 59.0)
    assert signal.Signal.from_image(
        declare("albedo", "image"), colours / 7
    ).pixel_format.value_range == ValueRange(10 / 7, 59 / 7)


# --- measures --------------------------------------------------------------------------------------


def error(made: Signal, decoded: NDArray[np.generic]) -> NDArray[np.float64]:
    return decoded.astype(np.float64) - made.original.astype(np.float64)


def test_depth_is_measured_where_it_was_measured() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1000, 9000, (40, 50)).astype(np.uint16)
    image[:9], image[9:12], image[20, 3:8] = 0, 65535, 7777
    made = signal.Signal.from_image(DEPTH, image, [(7777.0,)])
    decoded = (image.astype(int) + rng.integers(-30, 31, image.shape)).clip(0, 65535).astype(np.uint16)
    decoded[:3] = 40000  # of holes, nothing counts
    where = ~np.isin(image, [0, 65535, 7777])
    wrong, true = error(made, decoded)[where], image[where].astype(float)
    span = true.max() - true.min()
    assert measure(made, decoded) == pytest.approx(
        {
            "psnr": 20 * np.log10(span) - 10 * np.log10(np.mean(wrong**2)),
            "mse": np.mean(wrong**2) * (255 / span) ** 2,
            "rmse": np.sqrt(np.mean(wrong**2)),
            "max_error": np.abs(wrong).max(),
            "abs_rel": np.mean(np.abs(wrong) / true),
        },
        rel=1e-9,
    )


def test_normals_are_measured_where_they_were_measured() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 40, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    image = np.rint((vectors + 1) / 2 * 255).astype(np.uint8)
    image[:10] = 128
    made = signal.Signal.from_image(NORMAL, image)
    decoded = np.clip(image.astype(int) + rng.integers(-9, 10, image.shape), 0, 255).astype(np.uint8)
    a, b = (x[10:].reshape(-1, 3) / 255 * 2 - 1 for x in (image, decoded))
    angles = [np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))) for u, v in zip(a, b)]
    mse = np.mean(error(made, decoded)[10:] ** 2)
    found = measure(made, decoded)
    assert found == pytest.approx(
        {"psnr": 10 * np.log10(255**2 / mse), "mse": mse, "angle_deg": np.mean(angles)}, rel=1e-9
    )


def test_exact_tasks_are_equal_or_not() -> None:
    labels, floats = (
        signal.Signal.from_image(USUAL["semantic"], ramp()),
        signal.Signal.from_image(declare("x", "data", 1), ramp("float32")),
    )
    floats.original[0, 0] = np.nan
    for made in (labels, floats):
        assert measure(made, made.original.copy()) == {"exact": 1.0}
        other = made.original.copy()
        other[3, 3] += 1
        assert measure(made, other) == {"exact": 0.0}
    with pytest.raises(UsageError, match="cannot compare"):
        measure(labels, ramp("int32"))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.booleans(), st.sampled_from(["uint16", "float32"]))
def test_the_objective_s_error_is_that_of_planes(seed: int, holed: bool, dtype: str) -> None:
    """Squared errors of planes · 255, summed over valid pixels; the same whole as in parts."""
    rng = np.random.default_rng(seed)
    image = (rng.random((12, 17)) * 5000 + 500).astype(dtype)
    image[:, 3] = 0 if holed else image[:, 3]
    made = signal.Signal.from_image(DEPTH, image)
    decoded = (image + rng.random(image.shape) * 20).astype(dtype)
    scale = made.pixel_format.value_range
    where = np.ones(image.shape, bool) if made.valid is None else made.valid
    seen = decoded.astype(float).clip(scale.low, scale.high)
    expected = np.sum(((seen - image)[where] / scale.span * 255) ** 2)
    assert made.squared_error(decoded) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    parts = [made.crop((slice(a, b), slice(0, 17))) for a, b in ((0, 5), (5, 12))]
    cut = [decoded[:5], decoded[5:]]
    assert sum(p.squared_error(d) for p, d in zip(parts, cut)) == pytest.approx(made.squared_error(decoded))
