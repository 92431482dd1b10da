"""Rate control: targets are reached with the fewest bytes, or the best quality within them; else an error."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtcodec import Codec
from mtcodec.codec import rate
from mtcodec.codec.prepare import Scene
from mtcodec.codec.request import Request
from mtcodec.errors import TargetError
from mtcodec.quality import MAX_LEVEL, to_level

PLAIN = Codec(())


class Made:
    """A scene whose PSNR and bytes at a step are told, and that counts how often it is encoded."""

    def __init__(self, psnr: Callable[[int], float], size: Callable[[int], int], slack: int = 0) -> None:
        self.psnr, self.size, self.slack = psnr, size, slack
        self.asked: list[int] = []
        self.sketched: list[int] = []

    def encode_at(self, step: int) -> Any:
        self.asked.append(step)
        return SimpleNamespace(
            psnr={"rgb": self.psnr(step)}, to_bytes=lambda: bytes(self.size(step)), step=step
        )

    def quick(self) -> Any:
        """Quicker encodings: as if the quality was lower, and in more bytes."""
        quick = Made(lambda step: self.psnr(step - self.slack), lambda step: self.size(step + self.slack))
        quick.asked = self.sketched
        return quick

    def refined(self, found: Any, step: int) -> Any:
        assert found.step == step
        return found


SMOOTH = (lambda step: 20 + step / 100, lambda step: 100 + step * step // 1000)
CURVES = {
    "smooth": SMOOTH,
    "stairs": (lambda step: 20.0 + 2 * (step // 200), lambda step: 100 + step // 50 * 40),
    "a jump": (lambda step: 20 + 20.0 * (step > 1234), lambda step: 100 + 3000 * (step > 1234)),
}


@pytest.mark.parametrize(("psnr", "size"), CURVES.values(), ids=CURVES)
@pytest.mark.parametrize("slack", [0, 50])
def test_a_psnr_is_reached_and_hardly_more(psnr: Any, size: Any, slack: int) -> None:
    for goal in (19.0, 20.0, 23.7, 30.0, 39.9):
        made = Made(psnr, size, slack)
        found = rate.control(made, Request(target_psnr={"rgb": goal}))
        assert found.psnr["rgb"] >= goal
        lower = found.step - rate.STRIDE
        assert lower < 0 or psnr(lower) < goal
        assert len(made.sketched) < 16 and len(made.asked) < 8


@pytest.mark.parametrize(("psnr", "size"), CURVES.values(), ids=CURVES)
@pytest.mark.parametrize("slack", [0, 50])
def test_a_size_is_kept_and_nearly_used(psnr: Any, size: Any, slack: int) -> None:
    for most in (100, 150, 1000, 3099, 3100, 10**6):
        made = Made(psnr, size, slack)
        found = rate.control(made, Request(target_bytes=most))
        assert len(found.to_bytes()) <= most
        higher = found.step + rate.STRIDE
        assert higher > MAX_LEVEL or size(higher) > most
        assert len(made.sketched) < 16 and len(made.asked) < 8


def test_without_target_one_encoding_is_made() -> None:
    made = Made(*SMOOTH)
    assert rate.control(made, Request(70)).step == to_level(70)
    assert made.asked == [to_level(70)] and made.sketched == []


def test_what_is_out_of_reach_is_an_error_unless_the_nearest_is_wanted() -> None:
    made = Made(*SMOOTH)
    with pytest.raises(TargetError, match=r"out of reach: rgb 46\.9 dB at most, not 60 .--best-effort"):
        rate.control(made, Request(target_psnr={"rgb": 60}))
    assert rate.control(made, Request(target_psnr={"rgb": 60}, best_effort=True)).step == MAX_LEVEL
    with pytest.raises(TargetError, match=r"out of reach: 100 bytes at least, not 99 .--best-effort"):
        rate.control(made, Request(target_bytes=99))
    assert rate.control(made, Request(target_bytes=99, best_effort=True)).step == 0


# --- real scenes ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part(scene: Scene) -> Scene:
    """96×96 pixels, depth with holes."""
    cut = {n: np.ascontiguousarray(scene[n][64:160, 64:160]) for n in ("rgb", "depth")}
    cut["depth"][:20, 30:] = 0
    return cut


@pytest.mark.parametrize("goal", [34.0, 42.0, 46.0])
def test_pictures_reach_a_psnr(part: Scene, goal: float) -> None:
    made = PLAIN.encode_scene(part, target_psnr={"rgb": goal})
    assert goal <= made.psnr["rgb"] < goal + 1  # settings of AV1 are that far apart
    back = PLAIN.decode(made.to_bytes())["rgb"].astype(float)
    psnr = 10 * np.log10(255**2 / np.mean((back - part["rgb"].astype(float)) ** 2))
    assert psnr == pytest.approx(made.psnr["rgb"])


def test_several_tasks_reach_theirs(part: Scene) -> None:
    goals = {"rgb": 36.0, "depth": 44.0}
    made = PLAIN.encode_scene(part, target_psnr=goals)
    over = {name: made.psnr[name] - goal for name, goal in goals.items()}
    assert min(over.values()) >= 0 and min(over.values()) < 1
    assert np.array_equal(PLAIN.decode(made.to_bytes())["depth"] == 0, part["depth"] == 0)


def test_networks_reach_a_psnr_within_their_range(clevr: Codec, scene: Scene) -> None:
    part = {"rgb": np.ascontiguousarray(scene["rgb"][64:192, 64:192])}
    made = clevr.encode_scene(part, target_psnr={"rgb": 32.0})
    assert 32 <= made.psnr["rgb"] < 32.3 and made.chosen["rgb"].coding == "neural"


@pytest.mark.parametrize("most", [400, 2000])
def test_files_keep_within_bytes(part: Scene, most: int) -> None:
    made = PLAIN.encode_scene(part, target_bytes=most)
    assert 0.8 * most < len(made.to_bytes()) <= most


def test_tiny_scenes_have_targets_too() -> None:
    tiny = {"rgb": np.random.default_rng(0).integers(0, 256, (5, 3, 3), np.uint8)}
    assert PLAIN.encode_scene(tiny, target_psnr={"rgb": 20}).psnr["rgb"] >= 20
    with pytest.raises(TargetError, match="bytes at least, not 5"):
        PLAIN.encode(tiny, target_bytes=5)
    assert len(PLAIN.encode(tiny, target_bytes=70)) <= 70
