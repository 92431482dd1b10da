"""Fixtures: bundled scenes, the shipped weights, and small ones made on the spot."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads spin else, and starve each other

import torch
from shared import samples

import mtcodec
from mtcodec import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.networks.config import ModelConfig
from mtcodec.networks.pytorch import serial
from mtcodec.networks.pytorch.modules import MultiTask
from mtcodec.tasks import USUAL
from mtcodec.train.dataset import Scenes

SCENES = Path(__file__).parent / "scenes"
TASKS = (USUAL["rgb"], USUAL["depth"], USUAL["normal"])
SMALL = {
    "latents": 12, "shared_latents": 12, "hyper": 4, "entropy_width": 16,
    "encoder_8": (16, 1), "encoder_16": (16, 1), "decoder_8": (16, 1), "decoder_16": (16, 1),
}  # fmt: skip


SLOW_MARKS = ("ray", "s3", "browser", "processes", "training", "fuzz", "slow")
MARK_OF_FIXTURE = {"cluster": "ray", "bucket": "s3"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the marks that follow from others and from fixtures (pyproject.toml lists them), and the order.

    A test that uses a fixture of ``MARK_OF_FIXTURE`` has its mark; one without ``SLOW_MARKS`` is ``quick``.
    Tests that need Ray come last: no process may be forked beside its threads.
    """
    for item in items:
        for fixture, mark in MARK_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        if not any(item.get_closest_marker(mark) for mark in SLOW_MARKS):
            item.add_marker("quick")
    items.sort(key=lambda item: "cluster" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    yield


@pytest.fixture(scope="session")
def bundled() -> list[SceneFiles]:
    """Files of the bundled scenes."""
    return find_scenes(SCENES)


@pytest.fixture(scope="session")
def scene(bundled: list[SceneFiles]) -> Scene:
    """One bundled scene: rgb, depth, normal, semantic at 256×256."""
    return read_scene(bundled[1])


@pytest.fixture(scope="session")
def small_model(bundled: list[SceneFiles]) -> MultiTask:
    """An untrained small model whose linear paths fit the bundled scenes and whose nets are not idle."""
    model = samples.untrained(ModelConfig(TASKS, **SMALL), Scenes.read([bundled], TASKS))
    samples.excite_entropy_networks(model)
    return model


@pytest.fixture(scope="session")
def small_weights(small_model: MultiTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    serial.save(path, small_model, {"note": "untrained"})
    return path


@pytest.fixture(scope="session")
def small(small_weights: Path) -> Codec:
    """The untrained small weights; networks code whatever they know."""
    return mtcodec.load(small_weights, device="cpu", coding="neural")


@pytest.fixture(scope="session")
def clevr() -> Codec:
    """The weights that are shipped; networks code whatever they know."""
    return mtcodec.load("clevr", device="cpu", coding="neural")


@pytest.fixture(scope="session")
def two_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 14 scenes of two sizes, every fifth without depth, in groups of three rows."""
    return samples.two_sizes(tmp_path_factory.mktemp("archives") / "two_sizes", 14)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A cluster of Ray on this machine."""
    ray = pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        import ray.data

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.shutdown()
