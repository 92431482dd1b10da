"""The site: built without warnings, complete, as GitHub shows the pages, and in need of no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from markdown_it import MarkdownIt
from shared.documents import PAGES, ROOT
from tools import man, reference, website

import mtcodec
from mtcodec.cli import app

TAGS = ["p", "li", "ol", "ul", "tr", "td", "pre", "code", "h1", "h2", "h3", "a", "img", "strong", "em"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a link or anchor that leads nowhere is a warning, which fails."""
    for library in ("mkdocs", "pymdownx", "mdx_truly_sane_lists"):
        pytest.importorskip(library)
    directory = tmp_path_factory.mktemp("site")
    website.build(directory / "docs", directory / "site")
    return directory / "site"


def main_part(page: Path) -> str:
    html = page.read_text("utf-8")
    return html[html.index('itemprop="articleBody"') : html.index("<footer")]


def test_every_page_has_a_place(site: Path) -> None:
    menu = "".join((site / f"{name}.html").read_text("utf-8") for name in ("index", "datasets"))
    pages = {path.stem if path.parent.name == "docs" else "index" for path in PAGES} | {"commands", "python"}
    for name in pages:
        assert (site / f"{name}.html").is_file() and f'href="{name}.html"' in menu


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        for tag in re.findall(r"<(?:link|script|img|iframe|source)\b[^>]*>", page.read_text("utf-8")):
            assert not re.search(r"=\s*[\"'](?:https?:)?//", tag), f"{page.name}: {tag}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text("utf-8")), style


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_look_as_on_github(page: Path, site: Path) -> None:
    text = website.mended(page.read_text("utf-8"), "docs" if page.parent.name == "docs" else "")
    expected = MarkdownIt("commonmark").enable("table").render(text)
    built = main_part(site / f"{'index' if page.name == website.START else page.stem}.html")
    for tag in TAGS:
        on_github, on_site = (len(re.findall(rf"<{tag}[ >]", html)) for html in (expected, built))
        assert on_site == on_github, f"<{tag}>"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_on_github(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", path):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists() and file.is_relative_to(ROOT), target
        headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in map(website.slug, headings), target


def test_every_command_and_option_is_there() -> None:
    page = reference.commands_page()
    for path, command in man.commands(typer.main.get_command(app)):
        part = page.partition(f"\n## {' '.join(path)}\n")[2].partition("\n## ")[0]
        assert man.usage(path, command) in part
        for parameter in command.params:
            assert f"\n`{man.spelling(parameter)}`\n:   " in part, (path, parameter.name)


def test_every_public_name_is_there() -> None:
    page = reference.python_page()
    names = {*mtcodec.__all__, "Archive", "ray.Decoder", "huggingface.dataset"} - {"MtcodecError"}
    assert all(re.search(rf"^## mtcodec\.{name}$", page, re.MULTILINE) for name in names)
    assert "MtcodecError\n├── UsageError" in page
    assert "- `scene`: by task, an array (H, W) or (H, W, C)" in page
    assert "mtcodec.extract(data: Data, tasks: str | Iterable[str]) -> bytes" in page
    assert "`Data` is a file: its bytes, its path" in page
    assert ":class:" not in page and "``" not in page.replace("```", "") and "__" not in page


def test_links_are_mended() -> None:
    text = (
        "[a](docs/format.md#header) ![b](docs/rd-clevr.png) [c](https://x.org) [d](Makefile)\n"
        '[![f](docs/rd-clevr.png)](docs/results.md) <img src="docs/rd-clevr.png">\n```\n[g](docs/h.md)\n```\n'
    )
    assert website.mended(text, "") == (
        "[a](format.md#header) ![b](rd-clevr.png) [c](https://x.org) d\n"
        '[![f](rd-clevr.png)](results.md) <img src="rd-clevr.png">\n```\n[g](docs/h.md)\n```\n'
    )
    assert website.mended("[a](../README.md) [b](format.md) [c](../tests/conftest.py)", "docs") == (
        "[a](index.md) [b](format.md) c"
    )
