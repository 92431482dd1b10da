"""Weights are compared on what they would code, also where tasks have different sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtcodec import Codec
from mtcodec.codec import weights_choice
from mtcodec.codec.candidates import CandidateEncoder
from mtcodec.networks.engine import Networks


def scene(depth_scale: int) -> dict[str, np.ndarray]:
    rng, (rows, columns) = np.random.default_rng(0), np.mgrid[:256, :320]
    rgb = np.stack([rows // 2, columns // 2, (rows + columns) // 4], -1) + rng.integers(0, 9, (256, 320, 3))
    normal = np.full((256, 320, 3), (128, 128, 255)) - rng.integers(0, 20, (256, 320, 3))
    depth = (1000 + 3 * rows + columns + rng.integers(0, 9, rows.shape))[::depth_scale, ::depth_scale]
    return {"depth": depth.astype(np.uint16), "rgb": rgb.astype(np.uint8), "normal": normal.astype(np.uint8)}


@pytest.mark.parametrize(("depth_scale", "names"), [(1, {"depth", "rgb", "normal"}), (2, {"rgb", "normal"})])
def test_a_scene_s_weights_are_compared_on_the_tasks_that_they_would_code(
    depth_scale: int, names: set[str], small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[dict[str, tuple[int, int]]] = []
    cost_on = weights_choice._cost_on

    def noting(crop: CandidateEncoder, networks: Networks, level: int) -> weights_choice._CropCost:
        cost = cost_on(crop, networks, level)
        assert cost.costs.keys() == names
        compared.append({name: (signal.height, signal.width) for name, signal in crop.signals.items()})
        return cost

    monkeypatch.setattr(weights_choice, "_cost_on", noting)
    Codec(small_weights, effort="fast").encode_scene(scene(depth_scale), 30)
    assert compared == [dict.fromkeys(compared[0], (128, 160))] and compared[0].keys() == names


def test_windows_for_a_dataset_s_weights_show_the_same_part_of_every_image() -> None:
    images = {"depth": np.zeros((480, 640)), "rgb": np.zeros((960, 1280, 3)), "accel": np.zeros(3)}
    windows, share = weights_choice._center_window(images)
    assert {name: window.shape for name, window in windows.items()} == {
        "depth": (128, 128), "rgb": (256, 256, 3), "accel": (3,),
    }  # fmt: skip
    assert share == pytest.approx((128**2 + 256**2) / (480 * 640 + 960 * 1280), rel=1e-4)
    small = {"rgb": np.zeros((100, 90, 3)), "depth": np.zeros((50, 45))}
    windows, share = weights_choice._center_window(small)
    assert share == 1 and all(windows[name].shape == small[name].shape for name in small)
