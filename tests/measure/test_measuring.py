"""Comparing, describing and timing as functions: plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from shared.commands import write

from mtcodec.codec.api import Codec
from mtcodec.codec.request import Request
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.trees.search import SceneFiles
from mtcodec.measure import bench, stats
from mtcodec.measure.compare import Images, Source, below, compare, compare_scenes, summarise
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, declare

DEPTH = np.arange(1000, 1064, dtype=np.uint16).reshape(8, 8)
IDS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def source(images: dict[str, np.ndarray], scene_units: Mapping[str, str] = {}) -> Source:
    """A scene in memory."""

    def read(tasks: Sequence[str] | None) -> Images:
        return Images({n: image for n, image in images.items() if tasks is None or n in tasks}, scene_units)

    return Source("held", read)


def test_lengths_are_in_millimetres_of_the_unit_that_is_known() -> None:
    metres = (DEPTH / 1000).astype(np.float32)
    found = compare({"depth": metres}, {"depth": metres + np.float32(0.5)})["depth"]
    assert found["unit"] == "1m" and found["max_error_mm"] == pytest.approx(500, rel=1e-4)
    settings = Request(units={"depth": "0.5mm"})
    found = compare({"depth": DEPTH}, {"depth": DEPTH + np.uint16(4)}, settings)["depth"]
    assert (found["unit"], found["max_error_mm"], found["max_error"]) == ("0.5mm", 2.0, 4.0)
    with_unit = {"a": source({"depth": DEPTH}, {"depth": "10mm"})}
    row = compare_scenes(with_unit, {"b": source({"depth": DEPTH + np.uint16(1)})})["scenes"]["a"]["depth"]
    assert row["rmse_mm"] == 10.0


def test_declarations_and_holes_are_those_of_the_settings() -> None:
    ids = {"ids": IDS}
    assert compare(ids, ids) == {"ids": {"exact": 1.0, "differing": 0.0}}
    settings = Request(tasks={**USUAL, "ids": declare("ids", "image", 1)}, invalid={"ids": [(3.0,)]})
    found = compare(ids, {"ids": np.where(IDS == 3, 0, IDS).astype(np.uint8)}, settings)["ids"]
    assert (found["holes"], found["holes_differ"], found["mse"]) == (1, 1, 0.0)


def test_a_summary_has_means_sums_and_the_worst_scene() -> None:
    one = {"depth": {"psnr": 40.0, "max_error": 3.0, "holes": 2, "holes_differ": 1, "unit": "1mm"}}
    two = {"depth": {"psnr": 30.0, "max_error": 9.0, "holes": 5, "holes_differ": 0, "unit": "1mm"},
           "ids": {"exact": 0.0, "differing": 0.5}}  # fmt: skip
    found = summarise({"a": one, "b": two})
    assert found["depth"] == {
        "scenes": 2, "psnr": 35.0, "max_error": 9.0, "holes": 7, "holes_differ": 1, "worst": "b",
        "unit": "1mm",
    }  # fmt: skip
    assert found["ids"] == {"scenes": 1, "exact": 0.0, "differing": 0.5, "worst": "b"}
    results = {"scenes": {"a": one, "b": two}, "summary": found}
    assert below(results, {"depth": 35}) == {"depth": {"b": 30.0}} and below(results, {"depth": 30}) == {}
    with pytest.raises(UsageError, match="no PSNR of task 'ids'"):
        below(results, {"ids": 3})


def test_pairs_are_made_by_key_and_the_rest_is_named() -> None:
    both = {"depth": DEPTH, "semantic": IDS}
    left = {key: source(both) for key in "abc"}
    right = {
        "b": source({"depth": DEPTH}),
        "c": source({**both, "rgb": np.zeros((8, 8, 3), np.uint8)}),
        "d": source(both),
    }
    found = compare_scenes(left, right)
    assert list(found["scenes"]) == ["b", "c"]
    assert (found["only_original"], found["only_decoded"]) == (["a"], ["d"])
    assert found["tasks_only_original"] == {"b": ["semantic"]}
    assert found["tasks_only_decoded"] == {"c": ["rgb"]}
    labels = found["scenes"]["c"]["semantic"]
    assert compare_scenes(left, right, ["semantic"])["scenes"] == {"c": {"semantic": labels}}
    with pytest.raises(SceneError, match="no scene of the one"):
        compare_scenes(left, {"x": source(both), "y": source(both)})
    with pytest.raises(SceneError, match="no scene has an image of task 'rgb' on both sides"):
        compare_scenes(left, right, ["rgb"])


def test_bytes_of_large_datasets_are_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = [SceneFiles(str(k), {"depth": write(tmp_path / f"{k}.png", DEPTH)}, str(k)) for k in range(6)]
    whole = stats.describe(scenes, Request(), sample=2)
    assert (whole["tasks"]["depth"]["estimated"], whole["sample"], whole["headers"]) == (False, ["0", "3"], 6)
    monkeypatch.setattr(stats, "SIZED_FILES", 2)
    monkeypatch.setattr(stats, "HEADER_SCENES", 3)
    found = stats.describe(scenes, Request(), sample=1)
    assert found["tasks"]["depth"]["estimated"] and found["sizes"] == {"8×8": 3}
    assert found["tasks"]["depth"]["bytes"] == whole["tasks"]["depth"]["bytes"]


def test_the_unit_of_a_dataset_is_told(tmp_path: Path) -> None:
    files = SceneFiles("a", {"depth": write(tmp_path / "a.png", DEPTH)}, "a", {"depth": "0.2mm"})
    assert stats.describe([files], Request())["tasks"]["depth"]["unit"] == "0.2mm"
    assert stats.describe([files], Request(units={"depth": "3mm"}))["tasks"]["depth"]["unit"] == "3mm"


@pytest.mark.parametrize("variant", ["avif", "jxl"])
def test_settings_go_from_worst_to_best(variant: str) -> None:
    settings = list(bench._settings(variant))
    assert len(settings) == 64 and settings == sorted(settings, reverse=variant == "jxl")
    assert (settings[0], settings[-1]) == ((0, 100) if variant == "avif" else (25, 0.05))
    image = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (48, 1))
    signal = Signal.from_image(USUAL["rgb"], np.stack([image, image.T, image], axis=-1))
    assert bench._search(variant, signal, 0.0) == settings[0]
    assert bench._search(variant, signal, 98.0) == settings[-1]


def test_what_is_kept_exactly_is_compared_with_lossless_files() -> None:
    request = Request(coding="classical", effort="fast", max_error={"depth": 0.0})
    found = bench.bench(Codec((), coding="classical"), {"depth": DEPTH}, request, runs=1)
    assert found["mtcodec"]["tasks"]["depth"]["psnr"] == found["jxl"]["tasks"]["depth"]["psnr"] == 99
    assert found["avif"]["tasks"]["depth"] is None and found["avif"]["bytes"] == found["png"]["bytes"]
