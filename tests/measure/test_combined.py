"""Measures over several frames: those of all their pixels, measured together or one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mtcodec
from mtcodec import Codec
from mtcodec.codec.request import Request
from mtcodec.codec.timeline import Timeline
from mtcodec.errors import SceneError
from mtcodec.measure.compare import Compared, Images, Source, combined, compare_scenes, compare_stored
from mtcodec.signals.measures import measure
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

Frame = dict[str, np.ndarray]
SIZE = (48, 64)


def frames(count: int = 3) -> list[Frame]:
    """Frames whose depth has another range and other holes in each; the last has no measurement at all."""
    rng, (rows, columns) = np.random.default_rng(1), np.mgrid[: SIZE[0], : SIZE[1]]
    result = []
    for number in range(count):
        depth = (500 + 400 * number + 10 * rows + columns + rng.normal(0, 5, SIZE)).astype(np.uint16)
        depth[: 4 + 8 * number] = 0
        vectors = np.stack([columns / 99 - 0.3, rows / 99 - 0.2, np.ones(SIZE)], -1)
        vectors += rng.normal(0, 0.02, vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        result.append({
            "rgb": rng.integers(0, 256, (*SIZE, 3), np.uint8), "depth": depth,
            "normal": np.rint((vectors + 1) / 2 * 255).astype(np.uint8),
            "semantic": (columns // 9 + number).astype(np.uint8),
        })  # fmt: skip
    result[-1]["depth"][:] = 0
    return result


def spoiled(frame: Frame, amount: int) -> Frame:
    """A frame that is off by up to ``amount``, with a changed label and a changed hole."""
    rng, changed = np.random.default_rng(amount), {name: image.copy() for name, image in frame.items()}
    for name in ("rgb", "normal"):
        noisy = frame[name].astype(int) + rng.integers(-amount, amount + 1, frame[name].shape)
        changed[name] = noisy.clip(0, 255).astype(np.uint8)
    changed["depth"][frame["depth"] > 0] += np.uint16(amount)
    changed["depth"][0, 0] = 7
    changed["semantic"][0, :amount] += 1
    return changed


def over_all(originals: list[Frame], decoded: list[Frame], name: str) -> dict[str, float]:
    """Measures of frames that lie one below the other."""
    image, back = (np.concatenate([frame[name] for frame in images]) for images in (originals, decoded))
    return measure(Signal.from_image(USUAL[name], image, frame_count=len(originals)), back, slow=True)


@pytest.mark.parametrize("name", ["rgb", "depth", "normal", "semantic"])
def test_measures_of_frames_combine_to_those_of_all_pixels(name: str) -> None:
    originals = frames()
    decoded = [spoiled(frame, 2 + 5 * number) for number, frame in enumerate(originals)]
    by_frame = [compare_stored(*pair)[name] for pair in zip(originals, decoded)]
    together, expected = combined(by_frame), over_all(originals, decoded, name)
    expected.pop("angle_median_deg", None)  # a mean of medians is no median
    assert expected and all(together[key] == pytest.approx(value) for key, value in expected.items())
    if name == "depth":
        valid = [int((frame["depth"] > 0).sum()) for frame in originals]
        assert valid[2] == 0 and together["holes"] == sum(frame["depth"].size for frame in originals) - sum(
            valid
        )
        assert together["holes_differ"] == 3 and (together["max_error_mm"], together["unit"]) == (7, "1mm")
        rmse = math.sqrt((2**2 * valid[0] + 7**2 * valid[1]) / sum(valid))
        assert together["rmse_mm"] == pytest.approx(rmse)
        both = np.concatenate([frame["depth"][frame["depth"] > 0] for frame in originals])
        assert together["psnr"] == pytest.approx(20 * math.log10((int(both.max()) - int(both.min())) / rmse))


def test_what_is_the_same_everywhere_stays_so() -> None:
    originals = frames()
    for name, measures in {
        n: combined([compare_stored(f, f)[n] for f in originals]) for n in originals[0]
    }.items():
        exact = {"exact": 1, "differing": 0} if name == "semantic" else {"psnr": 99, "mse": 0}
        assert {key: measures[key] for key in exact} == exact
    one = compare_stored(originals[0], spoiled(originals[0], 4))["rgb"]
    assert combined([one]) == pytest.approx(one.measures)


def test_without_any_measurement_there_are_no_errors() -> None:
    empty = compare_stored({"depth": np.zeros(SIZE, np.uint16)}, {"depth": np.zeros(SIZE, np.uint16)})[
        "depth"
    ]
    assert isinstance(empty, Compared) and empty.valid == 0
    measures = combined([empty, empty])
    assert (measures["psnr"], measures["mse"], measures["holes"]) == (99, 0, 2 * SIZE[0] * SIZE[1])
    assert "rmse" not in measures and "max_error" not in measures


def test_a_group_is_measured_over_all_its_frames() -> None:
    originals = frames()
    del originals[1]["normal"]
    names = tuple(f"frame{number}" for number in range(3))
    encoded = Codec(()).encode_group(
        originals, Timeline(names), quality=30, coding="classical", effort="fast"
    )
    for name, measures in encoded.measures.items():
        having = [frame for frame in originals if name in frame]
        decoded = [{name: image} for image in encoded.decoded[name]]
        expected = over_all(having, decoded, name)
        assert measures and all(value == pytest.approx(expected[key]) for key, value in measures.items())
        assert encoded.psnr[name] == pytest.approx(measures["psnr"]) and measures["psnr"] < 60
        by_frame = [compare_stored({name: frame[name]}, back)[name] for frame, back in zip(having, decoded)]
        assert combined(by_frame)["psnr"] == pytest.approx(measures["psnr"])
    back = Codec(()).decode_frames(mtcodec.codec.api.reader_of(encoded.to_bytes()))
    assert all((frame[n] == encoded.decoded[n][0]).all() for frame in back[:1] for n in frame)


def test_a_summary_of_frames_is_over_all_their_pixels() -> None:
    originals = frames()
    decoded = [spoiled(frame, 2 + 5 * number) for number, frame in enumerate(originals)]

    def sources(images: list[Frame], is_frame: bool) -> dict[str, Source]:
        return {f"{n}": Source(f"{n}", lambda _, f=f: Images(f), is_frame) for n, f in enumerate(images)}

    of_frames = compare_scenes(sources(originals, False), sources(decoded, True))
    of_scenes = compare_scenes(sources(originals, False), sources(decoded, False))
    assert of_frames["are_frames"] and not of_scenes["are_frames"]
    assert of_frames["scenes"] == of_scenes["scenes"]
    for name, summary in of_frames["summary"].items():
        together = combined([compare_stored(*pair)[name] for pair in zip(originals, decoded)])
        assert summary == {**together, "scenes": 3, "worst": of_scenes["summary"][name]["worst"]}
    psnrs = [row["depth"]["psnr"] for row in of_scenes["scenes"].values()]
    assert of_scenes["summary"]["depth"]["psnr"] == pytest.approx(sum(psnrs) / 3)


def test_numbers_are_compared_as_such() -> None:
    scene = {
        "rgb": frames(1)[0]["rgb"],
        "pose": np.eye(4),
        "semantic": np.array([0.5, np.nan]),
        "time": np.float32(3),
    }
    back = mtcodec.decode(mtcodec.encode(scene, numbers="pose", coding="classical", effort="fast"))
    measures = mtcodec.compare(scene, back, Request(numbers=("pose",)))
    assert all(measures[name] == {"exact": 1, "differing": 0} for name in ("pose", "semantic", "time"))
    back["pose"] = back["pose"] + np.eye(4)
    assert mtcodec.compare(scene, back)["pose"] == {"exact": 0, "differing": 4 / 16}
    with pytest.raises(SceneError, match="cannot be compared"):
        mtcodec.compare(scene, {"semantic": np.zeros(3)})
