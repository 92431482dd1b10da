"""The plot of a training's log, and what the command line tells of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SCENES

from mtcodec.cli.log import crops_a_second, time_left
from mtcodec.cli.report import in_minutes
from mtcodec.cli.train import train
from mtcodec.errors import DependencyError
from mtcodec.train.plot import bpp_at, curves, plot, rates_by_level

PNG = b"\x89PNG"
PLAN = {"plan": {"batch": 8, "large_crop_share": 0.15, "decay": 0.0}, "parameters": 1, "bfloat16": False}


def validation(bpp: float, task: str = "rgb") -> dict[str, Any]:
    points = (("q10", bpp / 4, 34.0), ("q50", bpp, 39.0), ("q90", bpp * 4, 42.0))
    return {q: {"loss": 1.0, "bpp": b, "streams": {task: b}, "psnr": {task: psnr}} for q, b, psnr in points}


def loss(step: int, value: float = 1.0) -> dict[str, Any]:
    return {"step": step, "minutes": step / 100, "done": 0.0, "loss": value, "bpp_rgb": 0.1, "mse_rgb": 9.0}


def write(log: Path, *records: dict[str, Any]) -> Path:
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    return log


def test_a_log_that_was_resumed_and_cut_off(tmp_path: Path) -> None:
    """Steps that are done again after the last checkpoint count once; broken lines do not."""
    before = [loss(step, 9.0 / step) for step in (100, 200)]
    lines = [PLAN, *before, {"step": 250, "validation": validation(0.2)}, loss(300, 7.0), loss(400, 8.0)]
    lines += [PLAN, loss(300, 0.7), {"step": 350, "validation": validation(0.1)}]
    log = write(tmp_path / "x.log.jsonl", *lines)
    log.write_text(log.read_text() + json.dumps(loss(400))[:25])
    losses, validations = curves(log)
    assert losses == [(1.0, 0.09), (2.0, 0.045), (3.0, 0.7)]
    assert [minutes for minutes, _ in validations] == [2.0, 3.0]
    assert list(rates_by_level(validations)) == [("rgb", 35), ("rgb", 38), ("rgb", 41)]
    plot(log, tmp_path / "x.png")
    picture = (tmp_path / "x.png").read_bytes()
    assert picture.startswith(PNG) and len(picture) > 5000


@pytest.mark.parametrize(
    "records",
    [
        [],
        [PLAN],
        [PLAN, loss(100)],
        [PLAN, loss(100), loss(200, float("nan"))],
        [PLAN, {"step": 3, "validation": {}, "end": True}],
        [PLAN, {"step": 3, "validation": validation(0.1, "depth"), "end": True}],
        [PLAN, loss(100), {"step": 100, "validation": validation(0.0)}, {"step": 101, "validation": {}}],
    ],
)
def test_logs_that_lack_something(records: list[dict[str, Any]], tmp_path: Path) -> None:
    plot(write(tmp_path / "x.log.jsonl", *records), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(PNG)


def test_rates_at_a_psnr() -> None:
    assert bpp_at(validation(0.1), "rgb", 39) == pytest.approx(0.1)
    assert bpp_at(validation(0.1), "rgb", 36.5) == pytest.approx(0.05)
    assert bpp_at(validation(0.1), "rgb", 33) is None and bpp_at(validation(0.1), "rgb", 43) is None


@pytest.mark.training
@pytest.mark.parametrize("there", [True, False])
def test_training_draws_if_it_can(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed, and without matplotlib nothing is drawn."""
    if not there:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(DependencyError, match="a plot of the training needs matplotlib"):
            plot(tmp_path / "x.log.jsonl", tmp_path / "x.png")
    out = tmp_path / "x.safetensors"
    sizes = "latents=12,shared_latents=12,hyper=4,entropy_width=16,encoder_8=16x1,encoder_16=16x1"
    train(
        datasets=[SCENES], tasks="rgb", output=out, steps=1, batch=1, crop=64, held_out=2,
        precision="float32",
        device="cpu", sizes=f"{sizes},decoder_8=16x1,decoder_16=16x1", quiet=True,
    )  # fmt: skip
    assert out.is_file() and out.with_suffix(".png").is_file() == there
    assert capfd.readouterr() == ("", "")


def test_the_time_that_is_left() -> None:
    assert time_left(40, 1 / 3) == ["1 h 20 min left"] and time_left(30, 0.75) == ["10 min left"]
    assert time_left(40, 0.0) == time_left(40, 1.0) == []
    assert time_left(600, 0.5, decay=40) == ["20 min left"]
    assert [in_minutes(minutes) for minutes in (0.2, 59.6, 1501)] == ["0 min", "1 h 0 min", "25 h 1 min"]


def test_crops_a_second() -> None:
    plan = PLAN["plan"]
    assert isinstance(plan, dict)
    assert crops_a_second(plan, loss(100), loss(200)) == ["13.3 crops/s"]
    large = {**loss(200), "done": 0.9}
    assert crops_a_second(plan, {**loss(100), "done": 0.87}, large) == ["3.3 crops/s"]
    assert crops_a_second(plan, loss(100), large) == []  # of both sizes
    assert crops_a_second(plan, None, loss(200)) == crops_a_second(plan, loss(100), loss(100)) == []
