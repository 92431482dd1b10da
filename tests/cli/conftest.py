"""Fixtures of the tests of the command line: small weights in front of those that are shipped."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from shared.commands import Result, Run, image, start, write

import mtcodec
from mtcodec import cli

SCENE = SCENES / "100020"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command line within this process."""
    monkeypatch.delenv("MTCODEC_DEBUG", raising=False)

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["mtcodec", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        captured = capsysbinary.readouterr()
        return Result(caught.value.code, captured.out, captured.err.decode())

    return run


@pytest.fixture(scope="session")
def installed(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of small weights under the names of those that are shipped."""
    directory = tmp_path_factory.mktemp("installed")
    for name in ("clevr", "general"):
        shutil.copy(small_weights, directory / f"{name}.safetensors")
    return directory


@pytest.fixture(scope="module", autouse=True)
def _small_weights(installed: Path) -> Iterator[None]:
    """The small weights, found before the shipped ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTCODEC_WEIGHTS", str(installed))
        yield


@pytest.fixture(scope="session")
def data(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundled scene as a file with neural sections, encoded by a process of its own."""
    path = tmp_path_factory.mktemp("encoded") / "scene.mtc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTCODEC_WEIGHTS", str(installed))
        done = start("encode", SCENE, "-o", path, "--coding", "neural", "--quality", 45)
    assert done.returncode == 0, done.stderr
    first = done.stdout.decode().splitlines()[0]
    assert first.startswith(f"{path}: {path.stat().st_size} bytes, ") and "256×256, quality 45" in first
    return path.read_bytes()


@pytest.fixture
def file(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "scene.mtc"
    path.write_bytes(data)
    return path


@pytest.fixture
def labels(data: bytes, tmp_path: Path) -> Path:
    """The part of the file that needs no networks."""
    path = tmp_path / "labels.mtc"
    path.write_bytes(mtcodec.extract(data, ["semantic"]))
    return path


@pytest.fixture
def pixels() -> dict[str, np.ndarray]:
    """Images of 64×80 pixels by task."""
    names = ("rgb", "depth", "normal", "semantic")
    return {name: image(SCENE / f"{name}.png")[64:128, 64:144].copy() for name in names}


@pytest.fixture
def dataset(tmp_path: Path, pixels: dict[str, np.ndarray]) -> Path:
    """Two scenes in directories by task, the second without depth, with small images."""
    for name, tasks in (("train/1", ("depth", "rgb", "semantic")), ("val/2", ("rgb", "semantic"))):
        for task in tasks:
            write(tmp_path / "data" / task / f"{name}.png", pixels[task])
    return tmp_path / "data"
