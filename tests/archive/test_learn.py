"""A dataset teaches its own codec; archives are datasets to train on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import SCENES, TASKS

from mtcodec.archive import learn as learning
from mtcodec.archive.learn import compare, costs_of, division, learned_enough
from mtcodec.archive.pack import Job, pack
from mtcodec.archive.read import Opened
from mtcodec.cli import values
from mtcodec.codec.request import Request
from mtcodec.errors import SceneError, UsageError
from mtcodec.files.layouts import SceneFiles
from mtcodec.networks.weights.file import describe
from mtcodec.train.archives import sources
from mtcodec.train.dataset import Scenes


def mtcodec(*arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert (done.returncode != 0) == fails, done.stderr
    return done


def test_a_dataset_is_packed_with_what_it_taught(small_weights: Path, tmp_path: Path) -> None:
    """Weights learned in six seconds beat those they began with; a second run goes on with them."""
    archive = tmp_path / "archive"
    options = ("--weights", small_weights, "--coding", "neural", "--quality", 50, "--workers", 1)
    told = mtcodec("pack", SCENES, "-o", archive, *options, "--learn", "0.1m").stderr
    assert "learning from 4 scenes; 2 others are kept" in told
    learned = tmp_path / "archive.learn" / "learned.safetensors"
    lines = [line for line in told.splitlines() if "bytes a scene" in line]
    assert len(lines) == 2 and "learned: " in lines[0] and "cost of the whole dataset 1.000" in lines[0]
    about = Opened(archive).about
    assert about.fingerprint == describe(learned).fingerprint and (archive / str(about.weights)).is_file()
    assert describe(learned).training["init"] == "small"
    assert "has scenes already" in mtcodec("pack", SCENES, "-o", archive, *options, "--learn", "1h").stderr
    assert "6 scenes" in mtcodec("verify", archive, "--decode").stdout


def test_learning_stops_where_it_gains_nothing(
    small_weights: Path, bundled: list[SceneFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate is held, then falls from the checkpoint; what was stopped in between goes on there."""
    monkeypatch.setattr(learning, "learned_enough", lambda log: bool(costs_of(log)))
    monkeypatch.setattr(learning, "DECAY", 0.0)
    told: list[dict[str, object]] = []
    settings = {"save_minutes": 0.02, "log_every": 1}
    real = learning.run_settings
    monkeypatch.setattr(learning, "run_settings", lambda fits: {**real(fits), **settings})
    monkeypatch.setattr(learning, "LEAST_DECAY", 0.01)
    scenes = division(bundled, ("rgb", "depth", "normal"))
    tasks = [replace(task, dtypes=("uint8",), weight=9.0) for task in TASKS]  # weights know them all the same
    path = learning.learn(scenes, tasks, small_weights, tmp_path / "x.learn", 0.0, report=told.append)
    assert describe(path).training["init"] == "small"
    assert path.is_file() and (path.parent / "learned.ckpt").is_file()
    assert sum("plan" in record for record in told) == 2 and told[-1]["end"]


def test_what_is_learned_must_pay(bundled: list[SceneFiles], small_weights: Path) -> None:
    """The weights' file counts once, where any scene needs it; scenes as often as there are."""
    request, tasks = Request(quality=30, coding="neural"), ("rgb", "depth")
    one, two = (compare([small_weights, None], bundled[:1], total, tasks, request) for total in (1, 2))
    assert [tried.weights for tried in one] == [None, small_weights] and one[0].scene_bytes > 0
    scene = two[1].cost - one[1].cost
    assert one[1].cost - scene == pytest.approx(8 * small_weights.stat().st_size)
    assert two[0].cost == pytest.approx(2 * one[0].cost)
    with pytest.raises(SceneError, match="none of the scenes"):
        compare([None], [], 5, ("rgb",), request)


def test_scenes_of_both_parts_come_from_everywhere(bundled: list[SceneFiles]) -> None:
    training, held = division(bundled * 20, ("rgb",))
    assert (len(training), len(held)) == (114, 6)
    with pytest.raises(SceneError, match="too few"):
        division(bundled[:3], ("rgb",))


def test_enough(tmp_path: Path) -> None:
    log = tmp_path / "w.log.jsonl"
    assert not learned_enough(log)

    def write(costs: list[float]) -> None:
        with log.open("w") as file:
            for k, value in enumerate(costs):
                file.write(json.dumps({"step": k, "loss": 1.0, "minutes": 20.0 * k}) + "\n")
                file.write(json.dumps({"step": k, "validation": {"q50": {"loss": value}}}) + "\n")

    write([1.0, 0.99, 0.98])
    assert not learned_enough(log)  # not yet an hour
    write([1.0, 0.99, 0.98, 0.97])
    assert not learned_enough(log)
    write([1.0, 0.999, 0.998, 0.995])
    assert learned_enough(log)


def test_archives_are_trained_on(bundled: list[SceneFiles], tmp_path: Path) -> None:
    """Scenes decoded from an archive are what is trained on; the command reads both kinds."""
    tasks = ("rgb", "depth", "normal")
    lossless = Request(max_error=dict.fromkeys(tasks, 0.0))
    pack(bundled, tmp_path / "archive", Job(None, tasks, lossless), workers=1)
    found = Scenes([sources(Opened(tmp_path / "archive"))], TASKS)
    original = Scenes([bundled], TASKS)
    assert torch.equal(found.sizes, original.sizes)
    for name, own in original.pixels.items():
        assert torch.equal(own.values, found.pixels[name].values)
    mtcodec("train", tmp_path / "archive", "--tasks", "rgb,depth,normal", "--steps", 1, "--batch", 1,
            "--crop", 64, "--held-out", 1, "--device", "cpu", "--precision", "float32",
            "--sizes", "latents=8,encoder_8=8x1,decoder_8=8x1", "-o", tmp_path / "w.safetensors")  # fmt: skip
    assert describe(tmp_path / "w.safetensors").training["scenes"] == 5


@pytest.mark.parametrize("text, minutes", [("2h", 120), ("90m", 90), ("0.5m", 0.5), ("auto", 0)])
def test_times(text: str, minutes: float) -> None:
    assert values.minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "h", "2", "2d", "-1h", "nanm", "0h", "infh"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        values.minutes(text)


def test_training_starts_from_the_networks_that_suit(
    bundled: list[SceneFiles], small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose networks cost least, also where classical codecs do without any."""
    from mtcodec.archive import choice
    from mtcodec.cli import pack as command

    asked, started = [], []

    def choose(name: str, scenes: object, tasks: object, request: Request, output: Path) -> Path | None:
        asked.append((name, request.coding))
        return small_weights

    def learn(scenes: object, tasks: object, start: Path, *rest: object, **more: object) -> Path:
        started.append(start)
        return small_weights

    monkeypatch.setattr(choice, "choose_weights", choose)
    monkeypatch.setattr(learning, "learn", learn)
    request = Request(quality=30)
    tasks = ("rgb", "depth", "normal")
    command._learn(bundled, tasks, request, "auto", None, tmp_path / "a", 1.0, False, True)
    assert asked == [("auto", "neural")] and started == [small_weights]
