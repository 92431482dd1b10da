"""A small scene whose original differs from what its file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shared.commands import write
from view.pages import BLUE, HEIGHT, RED, WIDTH, Make, Pixels

import mtcodec
from mtcodec import Codec
from mtcodec.container.mtc import Reader
from mtcodec.files.trees.layouts import SceneFiles, find_scenes
from mtcodec.view import sources
from mtcodec.view.page import render_page
from mtcodec.view.scene import view_scenes


@pytest.fixture(scope="session")
def pixels() -> Pixels:
    """Blue rgb, depth in mm with holes, normals with the same holes, labels of three ids; depth and normals
    are noisy, so that nobody keeps them exactly."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    holes = (rows < 10) & (columns < 10)
    noise = np.random.default_rng(0).normal(size=(4, HEIGHT, WIDTH))
    depth = (1000 + 20 * rows + 5 * columns + 3 * noise[0]).astype(np.uint16)
    vectors = np.moveaxis(noise[1:], 0, -1) * 0.05 + (0.2, 0.1, 1.0)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    normal = np.rint((vectors + 1) / 2 * 255).astype(np.uint8)
    depth[holes], normal[holes] = 0, 128
    semantic = ((columns > 20).astype(np.uint8) + (columns > 40)) * 7
    return {"rgb": np.full((HEIGHT, WIDTH, 3), BLUE, np.uint8), "depth": depth, "normal": normal,
            "semantic": semantic}  # fmt: skip


@pytest.fixture(scope="session")
def data(pixels: Pixels) -> bytes:
    return mtcodec.encode(pixels, 60, coding="classical", effort="fast")


@pytest.fixture(scope="session")
def labels_only(data: bytes) -> bytes:
    return mtcodec.extract(data, ["semantic"])


@pytest.fixture(scope="session")
def directory(pixels: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The original, whose rgb is red, and whose depth is 100 mm more."""
    path = tmp_path_factory.mktemp("original") / "scene"
    changed = {
        **pixels,
        "rgb": np.full((HEIGHT, WIDTH, 3), RED, np.uint8),
        "depth": np.where(pixels["depth"] > 0, pixels["depth"] + 100, 0).astype(np.uint16),
    }
    for name, image in changed.items():
        write(path / f"{name}.png", image)
    return path


@pytest.fixture
def original(directory: Path) -> SceneFiles:
    return find_scenes(directory)[0]


@pytest.fixture
def make() -> Make:
    """A page of files by name."""

    def make_page(
        files: dict[str, bytes], *originals: SceneFiles, count: int = 0, tasks: list[str] | None = None
    ) -> bytes:
        entries = iter([(name, Reader(data)) for name, data in files.items()])
        scenes = sources.Scenes("title", count or len(files), len(files), entries, Codec(()))
        return render_page(scenes.title, scenes.count, view_scenes(scenes, tasks, originals))

    return make_page
