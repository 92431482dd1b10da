"""Threads that share a codec, and processes side by side, give the bytes and images that one alone does."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES

from mtcodec import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles

pytestmark = pytest.mark.processes

WORKERS = 8


@pytest.fixture(scope="module")
def scenes(bundled: list[SceneFiles]) -> list[Scene]:
    """Sixteen scenes of different contents and sizes."""
    whole = [read_scene(files) for files in bundled]
    made = []
    for k in range(16):
        window = slice(8 * k, 8 * k + 70 + k % 3), slice(5 * k, 5 * k + 90)
        made.append({name: np.ascontiguousarray(a[window]) for name, a in whole[k % len(whole)].items()})
    return made


@pytest.mark.parametrize(("name", "coding"), [("small", "neural"), ("small", "auto"), ("clevr", "neural")])
def test_threads_share_a_codec(
    name: str, coding: str, scenes: list[Scene], request: pytest.FixtureRequest
) -> None:
    codec: Codec = request.getfixturevalue(name)

    def encode(k: int) -> bytes:
        bound = {"depth": 2.0} if k % 4 == 0 else {}
        return codec.encode(scenes[k], 10 * (k % 10), max_error=bound, coding=coding)

    def decode(data: bytes) -> Scene:
        return codec.decode(data)

    alone = [encode(k) for k in range(len(scenes))]
    images = [decode(data) for data in alone]
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in range(2):
            assert list(pool.map(encode, range(len(scenes)))) == alone
            for one, together in zip(images, pool.map(decode, alone)):
                assert all(np.array_equal(one[task], together[task]) for task in one)


def test_processes_side_by_side(small_weights: Path, tmp_path: Path) -> None:
    def start(k: int) -> subprocess.Popen[bytes]:
        options = ["--weights", small_weights, "--coding", "neural", "--threads", "1"]
        words = ["encode", SCENES / "100020", "-o", tmp_path / f"{k}.mtc", *options]
        return subprocess.Popen(
            [sys.executable, "-m", "mtcodec", *map(str, words)], stdout=subprocess.DEVNULL
        )

    together = [start(k) for k in range(WORKERS)]
    assert [process.wait(timeout=240) for process in together] == [0] * WORKERS
    assert start(WORKERS).wait(timeout=120) == 0
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 1 + WORKERS and len(digests) == 1
