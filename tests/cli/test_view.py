"""``mtcodec view``: where pages go, what they are made of, and what becomes of damage."""

from __future__ import annotations

import re
import shutil
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from conftest import SCENES
from PIL import Image
from shared.commands import Run, fails, files
from view.pages import Tree

from mtcodec.container.mtc import Reader

SCENE = SCENES / "100020"


def names(page: bytes) -> list[str]:
    return [article.attributes["data-name"] for article in Tree(page).root.all("article")]


def compared(page: bytes) -> list[str]:
    """Names of scenes that have originals."""
    articles = Tree(page).root.all("article")
    return [article.attributes["data-name"] for article in articles if article.all("img", "original")]


def test_originals_of_another_size_are_told_why_they_are_not_compared(
    run: Run, file: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "original"
    directory.mkdir()
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(directory / "rgb.png")
    result = run("view", file, "--original", directory)
    assert result.code == 1 and "rgb: no comparison: " in result.err and "(30, 20, 3)" in result.err


def test_a_page_lies_beside_its_file(run: Run, file: Path) -> None:
    result = run("view", file, "--original", SCENE)
    page = file.with_suffix(".html")
    assert (result.code, result.out) == (0, b"")
    assert result.err == f"{page}: 1 scene, {page.stat().st_size} bytes\n"
    first = page.read_bytes()
    assert names(first) == compared(first) == ["scene"] and 50_000 < len(first) < 600_000
    fails(run("view", file), 1, "scene.html: exists already (--force overwrites it)")
    assert page.read_bytes() == first
    assert run("view", file, "--original", SCENES, "--force", "-q").err.startswith("mtcodec: no original of")
    assert run("view", file, "--original", SCENE, "--force", "-q") == (0, b"", "")
    assert page.read_bytes() == first


def test_standard_streams(run: Run, data: bytes, tmp_path: Path) -> None:
    result = run("view", "-", "-o", "-", "--tasks", "semantic", stdin=data)
    assert result.code == 0 and result.err == f"-: 1 scene, {len(result.out)} bytes\n"
    assert [figure.attributes["data-task"] for figure in Tree(result.out).root.all("figure")] == ["semantic"]
    fails(run("view", "-", stdin=data), 2, "standard input needs -o PAGE")
    fails(run("view", "-", "-o", "-", "--open", stdin=data), 2, "--open needs a page that is a file")
    fails(run("view", "-", "-o", tmp_path / "x.html", stdin=b"not one"), 3, "not an mtc file")
    assert files(tmp_path) == []


def test_the_browser_shows_it(run: Run, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(shown.append(url)) or True)
    assert run("view", labels, "--open", "-q").code == 0
    assert shown == [labels.with_suffix(".html").resolve().as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert "warning: no browser" in run("view", labels, "--open", "-q", "--force").err


@pytest.fixture
def encoded(labels: Path, tmp_path: Path) -> Path:
    """Three files in directories of their own, one of them named after a scene that there is."""
    for name in ("a/1", "a/100020", "b/1"):
        (tmp_path / "encoded" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(labels, tmp_path / "encoded" / f"{name}.mtc")
    return tmp_path / "encoded"


def test_a_directory_is_a_contact_sheet(run: Run, encoded: Path) -> None:
    result = run("view", encoded, "--original", SCENES)
    page = encoded.with_name("encoded.html").read_bytes()
    assert result.code == 0 and f"3 scenes, {len(page)} bytes\n" in result.err
    assert "note: without an original: a/1, b/1\n" in result.err
    assert names(page) == ["a/1", "a/100020", "b/1"] and compared(page) == ["a/100020"]
    limited = run("view", encoded, "--limit", 2, "-o", "-")
    assert names(limited.out) == ["a/1", "a/100020"] and "2 of 3 scenes" in limited.err
    assert "the first 2 of 3 scenes" in Tree(limited.out).root.text
    assert names(run("view", encoded, "--limit", 0, "-o", "-").out) == names(page)
    fails(run("view", encoded, "-o", "-", "--tasks", "smell"), 2, "no scene has a task 'smell'")
    (encoded / "empty").mkdir()
    fails(run("view", encoded / "empty", "-o", "-"), 1, "no .mtc files in it")


def test_an_archive_is_one_too(run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    dataset = tmp_path / "data"
    for name in ("100000", "100020"):
        shutil.copytree(SCENES / name, dataset / name)
    settings = ("--coding", "neural", "--workers", 1, "-q")
    assert run("pack", dataset, "-o", archive, *settings).code == 0
    page = run("view", archive, "--original", dataset, "-o", "-")
    assert page.code == 0 and names(page.out) == compared(page.out) == ["100000", "100020"]
    part = run("view", archive, "--tasks", "depth", "--limit", 1, "-o", "-")
    assert names(part.out) == ["100000"]
    assert [figure.attributes["data-task"] for figure in Tree(part.out).root.all("figure")] == ["depth"]
    fails(run("view", archive, "--tasks", "smell", "-o", "-"), 2, "smell")


def damaged(data: bytes, *sections: str) -> bytes:
    harmed = bytearray(data)
    for name in sections:
        section = Reader(data).header.section(name)
        assert section is not None
        harmed[section.offset + 2] ^= 255
    return bytes(harmed)


def test_damage_is_shown_and_told(run: Run, data: bytes, file: Path, encoded: Path) -> None:
    file.write_bytes(damaged(data, "depth", "semantic"))
    result = run("view", file, "-q")
    assert result.code == 3 and result.err.splitlines()[-1] == f"mtcodec: {file}: damaged, as the page shows"
    assert result.err.count("mtcodec: warning: ") == 2 and "task depth: damaged (checksum)" in result.err
    page = Tree(file.with_suffix(".html").read_bytes()).root
    assert [p.text for p in page.all("p", "problem")] == ["damaged (checksum)"] * 2
    (encoded / "a" / "1.mtc").write_bytes(b"MTC")
    (encoded / "b" / "1.mtc").write_bytes(data[:-3])
    result = run("view", encoded, "-o", "-", "-q")
    assert result.code == 3 and "mtcodec: warning: " in result.err and "scene a/1: " in result.err
    assert "2 of 3 scenes damaged" in result.err and names(result.out) == ["a/1", "a/100020", "b/1"]
    assert "the file ends within it" in Tree(result.out).root.text


def test_without_their_weights_networks_show_what_needs_none(
    run: Run, file: Path, small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTCODEC_WEIGHTS", "")
    result = run("view", file, "-o", "-")
    figures = Tree(result.out).root.all("figure")
    seen = [figure.attributes["data-task"] for figure in figures if figure.all("img")]
    assert result.code == 4 and seen == ["semantic"] and len(figures) == 4
    assert re.search("task depth: .*weights", result.err) and "not decoded, as the page shows" in result.err
    fails(run("view", file, "-o", "-", "--tasks", "depth"), 4, "weights")
    whole = run("view", file, "-o", "-", "--weights", small_weights)
    assert whole.code == 0 and len(Tree(whole.out).root.all("img")) == 4


def test_large_images_are_refused_on_request(run: Run, labels: Path) -> None:
    fails(run("view", labels, "-o", "-", "--max-pixels", 1000), 3, "256×256 pixels")
