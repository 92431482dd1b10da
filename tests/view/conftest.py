"""A small scene whose original differs from what its file holds, and pages taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tools.commands import write

import mtcodec
from mtcodec import Codec
from mtcodec.files.layouts import SceneFiles, scene_directory
from mtcodec.format.container import Reader
from mtcodec.view import sources
from mtcodec.view.page import page
from mtcodec.view.views import views

HEIGHT, WIDTH = 40, 60
RED, BLUE = (220, 40, 40), (40, 40, 220)
Pixels = dict[str, np.ndarray]


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
    return scene_directory(directory)


Make = Callable[..., bytes]


@pytest.fixture
def make() -> Make:
    """A page of files by name."""

    def made(files: dict[str, bytes], *originals: SceneFiles, count: int = 0, tasks: list[str] | None = None):
        entries = iter([(name, Reader(data)) for name, data in files.items()])
        found = sources.Scenes("title", count or len(files), len(files), entries, Codec(()))
        return page(found.title, found.count, views(found, tasks, originals))

    return made


@dataclass
class Element:
    """A tag with its attributes, and the text within it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, kind: str = "") -> list[Element]:
        """The elements within it of a tag and a class, in order."""
        found = []
        for child in self.children:
            if child.tag == tag and (not kind or kind in child.attributes.get("class", "").split()):
                found.append(child)
            found += child.all(tag, kind)
        return found


class Tree(HTMLParser):
    """The elements of a page; raises where tags do not match."""

    VOID = ("meta", "img", "input")

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.root = self.now = Element("", {}, None)
        self.feed(html.decode())
        self.close()
        assert self.now is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), attrs
        element = Element(tag, {name: value or "" for name, value in attrs}, self.now)
        self.now.children.append(element)
        if tag not in self.VOID:
            self.now = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.now.tag == tag and self.now.parent is not None, (tag, self.now.tag)
        self.now = self.now.parent

    def handle_data(self, data: str) -> None:
        element: Element | None = self.now
        while element is not None:
            element.text += data
            element = element.parent
